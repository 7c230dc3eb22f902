"""A real client before a server that answers as a test says, and everything that went over the wire."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from reconciler.core.desired import Fleet
from reconciler.core.documents import ProviderName
from reconciler.core.job import Marks
from reconciler.errors import ProviderError, UsageError
from reconciler.provider.client import OpenAIClient
from reconciler.provider.key import Key
from reconciler.provider.profile import Account
from reconciler.provider.profiles import profile_of
from reconciler.provider.request import Upload
from reconciler.provider.transport import DeadlineTransport
from reconciler.settings import Settings, account_of
from tests.fakes.clocks import SkippingClock
from tests.fakes.faulty import Answer, FaultyServer, Reply, reply

if TYPE_CHECKING:
    from reconciler.provider.request import RequestRecord

KEY = "sk-a-key-that-must-appear-nowhere"


JOB = {"id": "ftjob-1", "status": "running", "metadata": Marks("f", "a", "0" * 16, 1).as_metadata()}


CREATE = {"model": "m", "training_file": "file-1"}


def an_upload(content: bytes, name: str = "n.jsonl") -> Upload:
    """A file of these bytes, a few at a time."""
    return Upload(name, len(content), lambda: (content[at : at + 3] for at in range(0, len(content), 3)))


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

    def __init__(
        self, answer: Answer, tls: Path | None = None, *, deadline: float = 30.0, path: str = "/v1", **account: Any
    ) -> None:
        self.clock = SkippingClock()
        self.server = FaultyServer(answer, tls)
        self.records: list[RequestRecord] = []
        self.pauses: list[tuple[float, str]] = []
        self.transport = DeadlineTransport(self.clock, deadline=deadline, proxies=dict)
        base_url = account.pop("base_url", self.server.base_url.removesuffix("/v1") + path)
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


class Ask(NamedTuple):
    """One request as a profile makes it: what it is, its target after the origin, and the JSON that it holds."""

    method: str
    target: str
    body: object = None


def every_request(name: ProviderName, path: str, **account: Any) -> tuple[list[Ask], list[Mapping[str, str]]]:
    """What create, list, retrieve, cancel, upload and the listing of files ask a server of this kind; and the headers."""
    answers = script(reply(JOB), page("ftjob-1"), reply(JOB), reply({}), reply({"id": "file-1"}), page())
    with Wire(answers, path=path, profile=profile_of(name), **account) as wire:
        wire.client.create_job(CREATE)
        wire.client.list_jobs()
        wire.client.retrieve_job("ftjob-1")
        wire.client.cancel_job("ftjob-1")
        wire.client.upload_file(an_upload(b"{}", "n.jsonl"))
        wire.client.find_files({("n.jsonl", 2)})
        asked = wire.server.requests
    forms = [request for request in asked if request.headers.get("content-type", "").startswith("multipart/")]
    return [
        Ask(request.method, request.path, form_of(request.body) if request in forms else request.body and request.json)
        for request in asked
    ], [request.headers for request in asked]


def form_of(body: bytes) -> dict[str, str]:
    """The fields of a form, a file's by its name."""
    return {
        name.decode(): value.decode()
        for name, value in re.findall(rb'name="(\w+)".*?\r\n\r\n(.*?)\r\n--', body, re.DOTALL)
    }


def said_of(provider: str, base_url: str, key: str = KEY, **settings: Any) -> str:
    """Why the operator's words do not lead to a server of this kind; "" where they do."""
    held = {name: a_key(value) for name, value in settings.pop("headers", {}).items()}
    given = Settings(root=Path(), provider=ProviderName(provider), base_url=base_url or None, **settings)
    try:
        account_of(given, Fleet("f"), {}, a_key(key), held)
    except UsageError as error:
        return str(error)
    return ""


def script(*answers: Reply) -> Answer:
    """These answers, one after the other; the last one for ever."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


HTML = Reply(200, b"<html>Bad gateway</html>", {"content-type": "text/html"})


def page(*ids: str, has_more: object = False, **more: object) -> Reply:
    body = {"object": "list", "data": [{"id": i, "status": "running", **more} for i in ids]}
    return reply(body if has_more is None else {**body, "has_more": has_more})


TLS = Path(__file__).parent.parent / "fixtures" / "tls"
