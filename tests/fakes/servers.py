"""A real client before a server that answers as a test says, and everything that went over the wire."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from reconciler.core.documents import ProviderName
from reconciler.core.job import Marks
from reconciler.errors import ProviderError
from reconciler.provider.client import OpenAIClient
from reconciler.provider.key import Key
from reconciler.provider.profile import Account
from reconciler.provider.profiles import profile_of
from reconciler.provider.transport import DeadlineTransport
from tests.fakes.clocks import SkippingClock
from tests.fakes.faulty import Answer, FaultyServer, Reply, reply

if TYPE_CHECKING:
    from reconciler.provider.request import RequestRecord

KEY = "sk-a-key-that-must-appear-nowhere"


JOB = {"id": "ftjob-1", "status": "running", "metadata": Marks("f", "a", "0" * 16, 1).as_metadata()}


CREATE = {"model": "m", "training_file": "file-1"}


def caught(call: Callable[[], object]) -> object:
    """What a call returns, or the error of ours that it raises."""
    try:
        return call()
    except ProviderError as error:
        return error


def a_key(key: str | Key) -> Key:
    """A key that stays as it is, or the one given."""
    return key if isinstance(key, Key) else Key(lambda: key)


def an_account(base_url: str, key: Key | None = None, **account: Any) -> Account:
    """An account of a server that is compatible, unless it says another profile."""
    return Account(
        **{"profile": profile_of(ProviderName.COMPATIBLE), "key": key or a_key(KEY), **account}, base_url=base_url
    )


def asked(client: OpenAIClient) -> list[object]:
    """What a write, a listing and a read come to."""
    return [
        caught(lambda: client.create_job(CREATE)),
        caught(client.list_jobs),
        caught(lambda: client.retrieve_job("j")),
    ]


class Wire:
    """A client, its server, and everything that went over the wire."""

    def __init__(self, answer: Answer, tls: Path | None = None, *, deadline: float = 30.0, **account: Any) -> None:
        self.clock = SkippingClock()
        self.server = FaultyServer(answer, tls)
        self.records: list[RequestRecord] = []
        self.pauses: list[tuple[float, str]] = []
        self.transport = DeadlineTransport(self.clock, deadline=deadline, proxies=dict)
        base_url = account.pop("base_url", self.server.base_url)
        self.client = OpenAIClient(
            an_account(base_url, a_key(account.pop("api_key", KEY)), **account),
            transport=self.transport,
            clock=self.clock,
            random=lambda: 0.5,
            on_request=self.records.append,
            on_pause=lambda seconds, why: self.pauses.append((seconds, why)),
        )

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.transport.close()
        self.server.__exit__()


def script(*answers: Reply) -> Answer:
    """These answers, one after the other; the last one for ever."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


HTML = Reply(200, b"<html>Bad gateway</html>", {"content-type": "text/html"})


def page(*ids: str, has_more: object = False, **more: object) -> Reply:
    body = {"object": "list", "data": [{"id": i, "status": "running", **more} for i in ids]}
    return reply(body if has_more is None else {**body, "has_more": has_more})


TLS = Path(__file__).parent.parent / "fixtures" / "tls"
