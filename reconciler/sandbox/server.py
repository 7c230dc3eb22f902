"""The sandbox on a socket: in a thread of the caller, or in the foreground.

`EmbeddedSandbox` and `serve` are the two ways to start it. It listens where
it is asked to, says nothing on stdout or stderr, and touches signals only in `serve`.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Self

import uvicorn

from .app import create_app
from .errors import SandboxError
from .modes import OPENAI
from .store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from types import FrameType

    from starlette.types import ASGIApp

    from .mode import Mode

# A client that keeps its connection open must not keep the sandbox from stopping.
_SHUTDOWN_SECONDS = 2
_START_SECONDS = 10.0
_STOP_SECONDS = 10.0


class EmbeddedSandbox:
    """The API on a port of its own for the length of a `with` block.

    `speed` divides every duration of the jobs created meanwhile; port 0 takes any
    free one. Raises SandboxError on entry if it cannot listen or use the directory.
    """

    def __init__(  # noqa: PLR0913 - each a choice of whoever starts it
        self,
        directory: Path,
        *,
        speed: float = 1.0,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.time,
        mode: Mode = OPENAI,
    ) -> None:
        self._directory = Path(directory)
        self._speed = _checked(speed)
        self._address = (host, port)
        self._clock = clock
        self._mode = mode
        self._base_url: str | None = None
        self._stack = ExitStack()

    @property
    def base_url(self) -> str:
        """Ends as the mode says, `/v1` by itself; raises SandboxError outside the `with` block."""
        if self._base_url is None:
            raise SandboxError("the sandbox is not running")
        return self._base_url

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            store = stack.enter_context(Store(self._directory))
            listener = stack.enter_context(_listen(*self._address))
            app = create_app(store, clock=self._clock, speed=self._speed, mode=self._mode)
            stack.enter_context(_running(app, listener))
            self._base_url = _base_url(listener, self._mode)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._base_url = None
        self._stack.close()


def serve(  # noqa: PLR0913 - each a flag
    directory: Path, *, host: str, port: int, speed: float, announce: Callable[[str], None], mode: Mode = OPENAI
) -> None:
    """Serve until SIGINT or SIGTERM; `announce` gets the base URL once connections are accepted."""
    with Store(directory) as store, _listen(host, port) as listener:
        url = _base_url(listener, mode)
        app = create_app(store, clock=time.time, speed=_checked(speed), mode=mode)
        server = _Server(app, started=lambda: announce(url))
        with _stopping_on_signals(server):
            server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """uvicorn without its logs and its signal handlers, that says when it has started."""

    def __init__(self, app: ASGIApp, started: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                # Without handlers, logging would print warnings to stderr.
                log_level="critical",
                lifespan="off",
                loop="asyncio",
                ws="none",
                server_header=False,
                timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
            )
        )
        self._on_started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


@contextmanager
def _running(app: ASGIApp, listener: socket.socket) -> Iterator[None]:
    """Serve from a daemon thread inside the block."""
    started = threading.Event()
    server = _Server(app, started.set)
    thread = threading.Thread(target=server.run, args=([listener],), name="sandbox", daemon=True)
    thread.start()
    try:
        if not started.wait(_START_SECONDS):
            raise SandboxError(f"the sandbox did not start within {_START_SECONDS:g} seconds")
        yield
    finally:
        server.should_exit = True
        thread.join(_STOP_SECONDS)


@contextmanager
def _stopping_on_signals(server: uvicorn.Server) -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    # The protocol is named because asyncio turns Nagle's algorithm off only where it is:
    # with it, each answer waits 40 ms for the client's delayed acknowledgement.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise SandboxError(f"cannot listen on {host} port {port}: {_words(error)}") from error
    return listener


def _words(error: Exception) -> str:
    """What the system says, in a sentence's middle."""
    said = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return said[:1].lower() + said[1:]


def _base_url(listener: socket.socket, mode: Mode) -> str:
    host, port = listener.getsockname()[:2]
    return (f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}") + mode.base_path


def _checked(speed: float) -> float:
    if not 0 < speed < float("inf"):
        raise SandboxError(f"the speed must be above 0, not {speed}")
    return speed
