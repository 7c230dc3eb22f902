"""Sending: a read until there is an answer, a few times at most; a write once, whatever comes back.

`client`, `files` and `listing` send every request through here, over the `transport`. Reads are retried with jitter and
obey `Retry-After`. `read` takes no `WriteRequest`, and nothing here sends one from a loop.
"""

from collections.abc import Callable, Iterable
from itertools import chain
from typing import TypeVar

from reconciler.clock import Clock
from reconciler.errors import NotSent, OutcomeUnknown, ProviderError, RateLimited, Refused, Unreadable
from reconciler.provider.answer import UNAUTHORIZED, Answers
from reconciler.provider.key import VARIABLE
from reconciler.provider.message import HttpRequest, HttpResponse, base_of, form_around, json_body, target_of
from reconciler.provider.profile import Account
from reconciler.provider.request import DeleteRequest, ReadRequest, Request, RequestRecord, WriteRequest
from reconciler.provider.retry import TRIES, pause_before, used_up
from reconciler.provider.transport import DeadlineTransport

# The slowest line that an upload is waited for (2 Mbit/s): 512 MB may take 34 minutes, and no longer. A line that
# stands still is given up long before (`transport`).
_UPLOAD_BYTES_PER_SECOND = 250_000

# The operation that comes in bursts. A cancel never waits for a limit that a header says.
_PACED = "create"
# Seconds that a create may wait in here, where it keeps everything else waiting.
_SHORT_WAIT = 5.0

_T = TypeVar("_T")


class Sender:
    """Sends the requests of one account. Safe to use from several threads."""

    def __init__(  # noqa: PLR0913 - each a port
        self,
        account: Account,
        *,
        transport: DeadlineTransport,
        clock: Clock,
        random: Callable[[], float],
        on_request: Callable[[RequestRecord], None],
        on_pause: Callable[[float, str], None],
    ) -> None:
        """As for `OpenAIClient`."""
        self._transport = transport
        self._clock = clock
        self._random = random
        self._on_request = on_request
        self._on_pause = on_pause
        self._key = account.key
        self._headers = account.headers
        self._other_headers = bool(account.own_headers)  # one of them may hold a key
        self._query = account.query
        self._fields = account.fields
        self._answers = Answers(account.base_url, account.key.secrets, clock)
        self._slow_until = clock.monotonic()  # a 429 slows every thread down, not only the one that met it
        self._welcome_at = self._clock.monotonic()  # when this server's limit lets the next create through
        self._origin, self._base = base_of(account.base_url)

    def before_pass(self) -> None:
        """Make sure that the key lasts for a while."""
        self._key.before_pass()

    def send_once(self, write: WriteRequest | DeleteRequest) -> HttpResponse:
        """One POST or DELETE, whatever comes back. Raises `OutcomeUnknown` where it may have taken effect.

        Raises:
            RateLimited: also where the server said that its limit is used up; then nothing was sent.
        """
        self._await_limit(write)
        key = self._key.held()
        try:
            return self._exchange(write, key)
        except Refused as error:
            if error.status == UNAUTHORIZED:
                self._key.refused(key)
            raise

    def write(self, write: WriteRequest | DeleteRequest, parse: Callable[[object], _T]) -> _T:
        """One POST, and what its answer holds."""
        return self._answers.value(write, self.send_once(write), parse)

    def read(self, read: ReadRequest, parse: Callable[[object], _T]) -> _T:
        """What the answer holds, as ``parse`` reads its JSON. Raises as the `Provider` port says of reads."""
        return self.read_sized(read, parse)[0]

    def read_sized(self, read: ReadRequest, parse: Callable[[object], _T]) -> tuple[_T, int]:
        """Ask until there is an answer, a few times at most; with its length in bytes."""
        tried = 1
        while True:
            try:
                response = self._asked(read)
                return self._answers.value(read, response, parse), len(response.content)
            except (NotSent, RateLimited, Unreadable) as error:
                pause = pause_before(error, tried, self._random)
                if pause is None or tried == TRIES:
                    raise
                if isinstance(error, RateLimited):
                    self._slow_until = max(self._slow_until, self._clock.monotonic() + pause)
                self._on_pause(pause, str(error))
            self._clock.sleep(pause)
            tried += 1

    def _await_limit(self, write: WriteRequest | DeleteRequest) -> None:
        """Wait until this server's limit lets another create through. Raises RateLimited where that would take long."""
        wait = self._welcome_at - self._clock.monotonic() if write.operation == _PACED else 0.0
        if wait > _SHORT_WAIT:
            raise RateLimited(
                f"{write.method} {write.path}: not sent, since this server's limit of requests is used up",
                retry_after=wait,
            )
        if wait > 0:
            self._on_pause(wait, "this server's limit of requests is used up")
            self._clock.sleep(wait)

    def _asked(self, read: ReadRequest) -> HttpResponse:
        """The answer. Where the key is refused and there is another by now, it is asked again with that."""
        key = self._key.current()
        try:
            return self._exchange(read, key)
        except Refused as error:
            if error.status != UNAUTHORIZED:
                raise
            renewed = self._key.renewed(key)
            if renewed == key:
                raise
        return self._exchange(read, renewed)

    def _exchange(self, request: Request, key: str) -> HttpResponse:
        """Exactly one request. Returns a 2xx answer, or raises what the answer means."""
        if (pause := self._slow_until - self._clock.monotonic()) > 0:
            self._on_pause(pause, "the provider asked to wait")
            self._clock.sleep(pause)
        began = self._clock.monotonic()
        try:
            response = self._transport.exchange(self._request(request, key))
        except (NotSent, OutcomeUnknown) as error:
            failure = self._answers.no_answer(request, error)
            self._note(request, began, None, failure)
            raise failure from error
        if request.operation == _PACED and (wait := used_up(response.headers, self._clock.time())):
            self._welcome_at = self._clock.monotonic() + wait
        refusal = self._answers.error(request, response, key_from=self._key_from(key))
        self._note(request, began, response, refusal)
        if refusal is not None:
            raise refusal
        return response

    def _key_from(self, key: str) -> str:
        """Where the key that was sent came from, in words; never the key itself."""
        if not (key or self._other_headers):
            return f"no key was sent: set {VARIABLE}, or say --api-key-file FILE"
        return f"the key is that of {self._key.origin}" if key and self._key.origin else ""

    def _note(
        self, request: Request, began: float, response: HttpResponse | None, failure: ProviderError | None
    ) -> None:
        self._on_request(
            RequestRecord(
                operation=request.operation,
                method=request.method,
                path=request.path,
                status=None if response is None else response.status,
                duration=self._clock.monotonic() - began,
                request_id="" if response is None else self._answers.request_id(response),
                error="" if failure is None else str(failure),
            )
        )

    def _request(self, request: Request, key: str) -> HttpRequest:
        query, seconds, kind = self._query, 0.0, ""
        content: bytes | Iterable[bytes] = b""
        length = 0
        match request:
            case ReadRequest(params=params):
                query = {**query, **params}
            case WriteRequest(upload=upload) if upload is not None:
                kind, before, after = form_around({"purpose": "fine-tune", **self._fields}, upload.name)
                content = chain((before,), upload.pieces(), (after,))
                length = len(before) + upload.size + len(after)
                seconds = upload.size / _UPLOAD_BYTES_PER_SECOND
            case WriteRequest(body=body) if body is not None or self._fields:
                kind, content = json_body({**(body or {}), **self._fields})
                length = len(content)
        headers = {"Host": self._origin.netloc, **self._headers(key)}
        if request.method == WriteRequest.method:
            headers |= {"Content-Length": str(length)} | ({"Content-Type": kind} if kind else {})
        target = target_of(f"{self._base}{request.path}", query)
        return HttpRequest(request.method, self._origin, target, headers, content, seconds)
