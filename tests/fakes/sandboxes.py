"""A sandbox that is served once for many tests: each has a ledger, a clock and a mode of its own.

So a start and a stop are paid for once, and a program that stands before it, such as a gateway, can stay where it is.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, Self

from starlette.types import ASGIApp, Receive, Scope, Send

from reconciler.sandbox import MODES, Store, create_app
from reconciler.sandbox.server import _listen, _running


class Served(NamedTuple):
    """What a test has of it."""

    base_url: str
    ledger: Store


class SharedSandbox:
    """Serves inside a `with` block, on a port that stays the same."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._app: ASGIApp = _nothing

    def __enter__(self) -> Self:
        listener = self._stack.enter_context(_listen("127.0.0.1", 0))
        self._stack.enter_context(_running(self, listener))
        self.origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def serving(
        self, directory: Path, mode: str = "openai", *, clock: Callable[[], float] = time.time, speed: float = 1.0
    ) -> Iterator[Served]:
        """Be a server of this mode over this directory."""
        with Store(directory) as ledger:
            self._app = create_app(ledger, clock=clock, speed=speed, mode=MODES[mode])
            try:
                yield Served(self.origin + MODES[mode].base_path, ledger)
            finally:
                self._app = _nothing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


async def _nothing(_scope: Scope, _receive: Receive, send: Send) -> None:
    """What asks between two tests gets no answer of either."""
    await send({"type": "http.response.start", "status": 503, "headers": []})
    await send({"type": "http.response.body", "body": b"no test is running"})
