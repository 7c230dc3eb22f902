"""The six operations and files over HTTP, for one account of one server.

`reconcile` and `act` call it through the `Provider` port. Reads are retried with jitter and obey
`Retry-After`; a write is sent once, whatever comes back. Every answer becomes a value of `job`
or an error of `errors`, and none of them holds the key.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote

import httpx

from reconciler import __version__
from reconciler.clock import Clock
from reconciler.core.job import (
    ATTEMPT_MARK,
    FLEET_MARK,
    JOB_MARK,
    ON_REMOVE_MARK,
    REVISION_MARK,
    TERMINAL,
    Checkpoint,
    Event,
    Job,
    check_id,
    id_of,
    object_of,
    parse_checkpoint,
    parse_event,
    parse_job,
    text_of,
)
from reconciler.core.spelling import status_word, whole
from reconciler.errors import (
    NoData,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    Refused,
    Unreadable,
    Untrusted,
    UsageError,
    foreign,
    scrub,
)
from reconciler.provider.complaint import complaint_of, fault_of, is_page, page_hint, redirect_hint, route_hint
from reconciler.provider.key import Key
from reconciler.provider.page import Page, parse_page
from reconciler.provider.port import is_lasting

# Seconds for everything about one request, from its first packet to the answer's last byte.
REQUEST_DEADLINE = 10.0
_UPLOAD_BYTES_PER_SECOND = 1_000_000

_PAGE = 100
_DEFAULT_PAGE = 20  # of a server that does not look at `limit`
# A listing that never ends is caught here at last: at 200,000 jobs, this much to read, or a quarter of an hour.
_PAGES_LIMIT = 2_000
_LISTING_BYTES = 256 * 1024 * 1024
_LISTING_SECONDS = 900.0
_TRIES = 4
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0
_RETRY_AFTER_LIMIT = 120.0  # seconds; a server that asks for more is told of, and not waited for

_FILE_POLL = 1.0
_FILE_PENDING = frozenset({"pending", "running", "processing", "importing", "queued", "validating", "uploading"})
_NOT_SHOWN = "not shown"
# How often a file is asked for. The last two may be all that a server ever says of a file.
_FILE_POLLS = dict.fromkeys(_FILE_PENDING, 120) | {"uploaded": 20, _NOT_SHOWN: 10}
_FILE_UNFIT = frozenset({"error", "failed", "deleted", "deleting", "canceled", "cancelled"})

# Only these statuses say that a write did not happen; after any other answer it may have.
_REFUSALS = frozenset({400, 401, 403, 404, 413, 422})
_UNAUTHORIZED = 401
_TOO_MANY = 429
_NOT_FOUND = 404
_SERVER_ERRORS = 500
# Answers of a server that has no such route at all.
_NO_ROUTE = frozenset({404, 405, 501})
# ... and of one that does not take our parameters.
_WRONG_QUESTION = frozenset({400, 422})
# Reads: the server's moment of weakness, worth asking again.
_PASSING = frozenset({408, 409, 425})
# ... and what no asking again changes: no such route, a redirect.
_LASTING_ANSWERS = frozenset({501, *range(300, 400)})

# Text that is compared, asked for or sent again: without the key in it, it would be another's. An answer that holds the
# key in one of these is refused; all other text is only shown, and is shown without the key.
_EXACT = frozenset(
    {
        *("id", "status", "model", "suffix", "user_provided_suffix", "training_file", "validation_file"),
        *("fine_tuned_model", "fine_tuned_model_checkpoint", "filename", "purpose"),
        *(FLEET_MARK, JOB_MARK, REVISION_MARK, ATTEMPT_MARK, ON_REMOVE_MARK),
    }
)
# Inside these the names are the server's own words, and are shown; every other name is the API's.
_METRICS = frozenset({"metrics", "data"})

# Between two slashes these lead elsewhere; `quote` leaves their dots as they are.
_DOTS = frozenset({".", ".."})
_SAFE_HEADER = re.compile(r"[\x21-\x7e]+")

_T = TypeVar("_T")


class Assumption(StrEnum):
    """What an operator may say of a server that cannot be seen from outside (``--assume``)."""

    EMPTY_LISTING = "empty-listing"  # an empty first page that says that more follow is the whole listing
    WHOLE_LISTING = "whole-listing"  # a page that repeats holds every job, however many it shows


@dataclass(frozen=True, slots=True)
class Assumed:
    """What the operator says of this server; ``words`` as `parse_job` has them."""

    that: frozenset[Assumption] = frozenset()
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go, who asks, and what is said of the server; seconds for each request.

    An ``api_key`` that is empty sends none.

    Raises:
        UsageError: a value cannot be a header (the message does not show it).
    """

    base_url: str
    api_key: Key = field(default_factory=lambda: Key(str), repr=False)
    organization: str = ""
    project: str = ""
    key_header: str = "Authorization"
    deadline: float = REQUEST_DEADLINE
    assumed: Assumed = field(default_factory=Assumed)

    def __post_init__(self) -> None:
        try:
            httpx.URL(self.base_url)
        except httpx.InvalidURL as error:
            raise UsageError("the base URL cannot be read as one") from error
        for what, value in (
            ("key", self.api_key.current()),
            ("organisation", self.organization),
            ("project", self.project),
        ):
            if value and not _SAFE_HEADER.fullmatch(value):
                raise UsageError(f"the {what} holds characters that no HTTP header may hold")

    def headers(self, key: str) -> dict[str, str]:
        """What every request carries."""
        shown = f"Bearer {key}" if self.key_header == "Authorization" else key
        told = {
            self.key_header: shown if key else "",
            "OpenAI-Organization": self.organization,
            "OpenAI-Project": self.project,
        }
        return {
            "User-Agent": f"finetune-reconciler/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            **{name: value for name, value in told.items() if value},
        }


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request as it went, for the log: ``duration`` in seconds, ``status`` None where none came."""

    operation: str
    method: str
    path: str
    status: int | None
    duration: float
    request_id: str
    error: str


@dataclass(frozen=True, slots=True)
class Read:
    """A GET. It changes nothing, so it may be sent again."""

    operation: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False  # a listing that what is written depends on
    method: ClassVar = "GET"


@dataclass(frozen=True, slots=True)
class Write:
    """A POST. It may have taken effect though its answer was lost, so it is sent once; no base class makes it a `Read`.

    Its content is ``body`` as JSON, or ``upload``: a file's name and bytes.
    """

    operation: str
    path: str
    body: Mapping[str, object] | None = None
    upload: tuple[str, bytes] | None = None
    method: ClassVar = "POST"


class OpenAIClient:
    """A `Provider` over HTTP. Safe to use from several threads."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        transport: httpx.BaseTransport,
        clock: Clock,
        random: Callable[[], float],
        on_request: Callable[[RequestRecord], None],
    ) -> None:
        """``random`` gives numbers from 0 to 1 for the jitter. The caller closes the transport."""
        self._clock = clock
        self._random = random
        self._on_request = on_request
        self._assumed = endpoint.assumed
        self._base_url = endpoint.base_url
        self._deadline = endpoint.deadline
        self._slow_until = clock.monotonic()  # a 429 slows every thread down, not only the one that met it
        self._last_words: set[str] = set()  # about files, of which this server never says more
        self._transport = transport
        self._key = endpoint.api_key
        self._headers = endpoint.headers
        self._http = httpx.Client(
            base_url=endpoint.base_url,
            transport=transport,
            follow_redirects=False,
            trust_env=False,
        )

    # ── the six operations ──

    def create_job(self, body: Mapping[str, object]) -> Job:
        """Send one POST; never again, whatever happens."""
        return self._write(Write("create", "/fine_tuning/jobs", body), self._job)

    def list_jobs(self) -> tuple[Job, ...]:
        """Every job of the account, page by page; complete, or it raises."""
        jobs = self._pages(Read("list", "/fine_tuning/jobs", whole=True), self._job, lambda job: job.id)
        # The later of two showings is the fresher one.
        return tuple({job.id: job for job in jobs}.values())

    def retrieve_job(self, job_id: str) -> Job:
        """One job as it is now."""
        job = self._read(Read("retrieve", f"/fine_tuning/jobs/{_step(job_id)}"), self._job)
        if job.id != job_id:
            raise Unreadable(f"asked for job {foreign(job_id)}, the server answered with {foreign(job.id)}")
        return job

    def cancel_job(self, job_id: str) -> None:
        """Send one POST."""
        self._send_once(Write("cancel", f"/fine_tuning/jobs/{_step(job_id)}/cancel"))

    def list_events(self, job_id: str, *, limit: int | None = None) -> tuple[Event, ...]:
        """The newest first; with ``limit`` no further page is read than is needed for as many."""
        read = Read("events", f"/fine_tuning/jobs/{_step(job_id)}/events")
        events = self._pages(read, parse_event, lambda event: event.id, enough=limit)
        return tuple({event.id: event for event in events}.values())

    def list_checkpoints(self, job_id: str) -> tuple[Checkpoint, ...]:
        """The highest step first."""
        read = Read("checkpoints", f"/fine_tuning/jobs/{_step(job_id)}/checkpoints")
        found = self._pages(read, parse_checkpoint, lambda checkpoint: checkpoint.id)
        return tuple({checkpoint.id: checkpoint for checkpoint in found}.values())

    def _job(self, answer: object) -> Job:
        return parse_job(answer, self._assumed.words)

    # ── files ──

    def find_file(self, name: str, size: int) -> str | None:
        """A usable training file of this name and size: the name holds a digest of its content.

        What a listing that does not exist, or cannot be walked to its end, does not show counts as absent: a second
        upload costs nothing.
        """
        read = Read("list_files", "/files", params={"purpose": "fine-tune"})
        try:
            for file in self._pages(read, _parse_file, lambda file: file.id):
                if file.holds(name, size) and file.status not in _FILE_UNFIT:
                    return file.id
        except (Refused, Unreadable) as error:
            if error.status is not None and error.status not in _NO_ROUTE | _WRONG_QUESTION:
                raise
        return None

    def upload_file(self, name: str, content: bytes) -> str:
        """Upload a training file. Sent once; one that is lost is found again by its name."""
        return self._write(Write("upload", "/files", upload=(name, content)), _parse_file).id

    def wait_for_file(self, file_id: str) -> None:
        """Ask until the server has taken the file in, for two minutes at most.

        A server that shows no single file, or never says more than `uploaded`, is asked for some seconds, once: what
        it makes of the file is told by the create.
        """
        read = Read("retrieve_file", f"/files/{_step(file_id)}")
        polls = 1
        while True:
            status = self._file_status(read)
            if status in _FILE_UNFIT:
                raise Refused(f"file {foreign(file_id)} cannot be used: the server says {foreign(status)}", status=400)
            if status not in _FILE_POLLS or status in self._last_words:
                return
            if polls >= _FILE_POLLS[status]:
                break
            self._clock.sleep(_FILE_POLL)
            polls += 1
        if status in _FILE_PENDING:
            raise Unreadable(f"file {foreign(file_id)} is still {foreign(status)} after {_FILE_POLL * polls:g} s")
        self._last_words.add(status)

    def _file_status(self, read: Read) -> str:
        """What the server says of one file; `_NOT_SHOWN` where it is not there, or not yet."""
        try:
            return self._read(read, _file_status_of)
        except (Refused, Unreadable) as error:
            if error.status not in _NO_ROUTE:
                raise
            return _NOT_SHOWN if error.status == _NOT_FOUND else ""

    # ── pages ──

    def _pages(
        self, read: Read, parse: Callable[[object], _T], id_of: Callable[[_T], str], *, enough: int | None = None
    ) -> Iterator[_T]:
        """Every item of a listing, in the server's order. Raises Unreadable where it cannot be complete."""
        seen: set[str] = set()
        began, left = self._clock.monotonic(), _LISTING_BYTES
        after, more = "", False
        size = min(enough or _PAGE, _PAGE)
        for _ in range(_PAGES_LIMIT):
            params = {**read.params, "limit": str(size)} | ({"after": after} if after else {})
            page, length = self._page(replace(read, params=params), parse)
            left -= length
            if left < 0:
                raise Unreadable(f"{read.path}: a listing of more than {_LISTING_BYTES} bytes")
            if self._clock.monotonic() - began > _LISTING_SECONDS:
                raise Unreadable(f"{read.path}: the listing has no end after {_LISTING_SECONDS:g} s")
            ids = {id_of(item) for item in page.items}
            if page.silent and page.has_more is None and more:
                raise Unreadable(f"{read.path}: a page without data, where more was to follow")
            # Without pages everything comes again, and what was made meanwhile beside it.
            again = bool(seen & ids) and (ids <= seen or (page.has_more is None and seen <= ids))
            if again:
                self._check_repeated(read, page, cut=len(seen | ids) in {size, _DEFAULT_PAGE})
            yield from page.items
            fresh, seen = ids - seen, seen | ids
            if not ids or again or page.has_more is False or (enough is not None and len(seen) >= enough):
                self._check_end(read, page, len(seen))
                return
            after, more = id_of(page.items[-1]), page.has_more is True
            if after not in fresh:
                raise Unreadable(f"{read.path}: the listing's cursor comes back, so it has no end")
        raise Unreadable(f"{read.path}: more than {_PAGES_LIMIT} pages")

    def _page(self, read: Read, parse: Callable[[object], _T]) -> tuple[Page[_T], int]:
        """One page, and its length in bytes.

        Raises:
            NoData: it is the first page of a whole listing, and empty only because there is no `data`.
            Unreadable: it is the first, empty, and says that more follow, twice.
        """
        page, length = self._read_sized(read, lambda answer: parse_page(answer, parse))
        if not read.whole or "after" in read.params:
            return page, length
        if page.empty_but_more:
            page, length = self._read_sized(read, lambda answer: parse_page(answer, parse))
        if page.empty_but_more and Assumption.EMPTY_LISTING not in self._assumed.that:
            raise Unreadable(
                f"{read.path}: the listing's first page is empty and says that more follow, so it is no listing"
                " (--assume empty-listing, if this server answers so where there are no jobs)"
            )
        if page.silent:
            raise NoData(f"{read.path}: the listing has no data")
        return page, length

    def _check_end(self, read: Read, page: Page[_T], found: int) -> None:
        """A listing without has_more may say in other ways that it goes on. Raises Unreadable then."""
        if not read.whole or page.has_more is not None:
            return
        if page.goes_on:
            raise Unreadable(
                f"{read.path}: the listing goes on by {foreign(page.goes_on)}, which is not this API's way"
            )
        if page.total is not None and page.total > found:
            raise Unreadable(f"{read.path}: the server says that it has {page.total} jobs, and shows {found}")

    def _check_repeated(self, read: Read, page: Page[_T], *, cut: bool) -> None:
        """A page that shows everything again ends the listing of a server that has no pages. Raises Unreadable else."""
        if page.has_more is not None:
            raise Unreadable(f"{read.path}: the server repeats a page, so the listing has no end")
        if cut and read.whole and Assumption.WHOLE_LISTING not in self._assumed.that:
            raise Unreadable(
                f"{read.path}: the server has no pages, and shows {len(page.items)} jobs, which may not be all"
                " (--assume whole-listing, if this server always shows every job)"
            )

    # ── one request ──

    def _send_once(self, write: Write) -> httpx.Response:
        """One POST, whatever comes back. Raises `OutcomeUnknown` where it may have taken effect."""
        key = self._key.current()
        try:
            return self._exchange(write, key)
        except Refused as error:
            if error.status == _UNAUTHORIZED:
                self._key.renewed()  # for the requests that follow
            raise

    def _write(self, write: Write, parse: Callable[[object], _T]) -> _T:
        """One POST, and what its answer holds."""
        return self._parsed(write, self._send_once(write), parse)

    def _read(self, read: Read, parse: Callable[[object], _T]) -> _T:
        return self._read_sized(read, parse)[0]

    def _read_sized(self, read: Read, parse: Callable[[object], _T]) -> tuple[_T, int]:
        """Ask until there is an answer, a few times at most; with its length in bytes."""
        tried = 1
        while True:
            try:
                response = self._asked(read)
                return self._parsed(read, response, parse), len(response.content)
            except (NotSent, RateLimited, Unreadable) as error:
                pause = self._pause(error, tried)
                if pause is None or tried == _TRIES:
                    raise
                if isinstance(error, RateLimited):
                    self._slow_until = max(self._slow_until, self._clock.monotonic() + pause)
            self._clock.sleep(pause)
            tried += 1

    def _asked(self, read: Read) -> httpx.Response:
        """The answer; where the key was refused and there is another by now, the answer to that one."""
        key = self._key.current()
        try:
            return self._exchange(read, key)
        except Refused as error:
            if error.status != _UNAUTHORIZED:
                raise
            renewed = self._key.renewed()
            if renewed == key:
                raise
        return self._exchange(read, renewed)

    def _pause(self, error: ProviderError, tried: int) -> float | None:
        """Seconds until the next try; None where there should be none."""
        if isinstance(error, Untrusted) or error.status in _LASTING_ANSWERS:
            return None
        if isinstance(error, RateLimited):
            if is_lasting(error):
                return None
            if error.retry_after is not None:
                # Everyone was told the same moment: a little later each.
                wait = error.retry_after + self._random()
                return wait if error.retry_after <= _RETRY_AFTER_LIMIT else None
        return self._random() * float(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**tried))

    def _exchange(self, request: Read | Write, key: str) -> httpx.Response:
        """Exactly one request. Returns a 2xx answer, or raises what the answer means."""
        if (pause := self._slow_until - self._clock.monotonic()) > 0:
            self._clock.sleep(pause)
        began = self._clock.monotonic()
        try:
            # Not through httpx's client: it would follow what a server says into redirects and cookies.
            response = self._transport.handle_request(self._request(request, key))
        except (NotSent, OutcomeUnknown) as error:
            text = f"{self._named(request)}: {self._clean(str(error))}"
            failure = type(error)(text) if isinstance(error, NotSent) else _unanswered(request, text)
            self._note(request, began, None, failure)
            raise failure from error
        refusal = self._judge(request, response)
        self._note(request, began, response, refusal)
        if refusal is not None:
            raise refusal
        return response

    def _note(
        self, request: Read | Write, began: float, response: httpx.Response | None, failure: ProviderError | None
    ) -> None:
        self._on_request(
            RequestRecord(
                operation=request.operation,
                method=request.method,
                path=request.path,
                status=None if response is None else response.status_code,
                duration=self._clock.monotonic() - began,
                request_id="" if response is None else self._request_id(response),
                error="" if failure is None else str(failure),
            )
        )

    def _request(self, request: Read | Write, key: str) -> httpx.Request:
        sent: dict[str, Any] = {}
        size = 0
        match request:
            case Read(params=params):
                sent = {"params": dict(params) or None}
            case Write(upload=(name, content)):
                size = len(content)
                sent = {
                    "files": {"file": (name, content, "application/jsonl")},
                    "data": {"purpose": "fine-tune"},
                }
            case Write(body=body):
                sent = {"json": body}
        return self._http.build_request(
            request.method,
            request.path,
            headers=self._headers(key),
            extensions={"deadline": self._deadline + size / _UPLOAD_BYTES_PER_SECOND},
            **sent,
        )

    def _judge(self, request: Read | Write, response: httpx.Response) -> ProviderError | None:
        """What an answer that is no success means."""
        status = response.status_code
        if response.is_success:
            return None
        code, said = map(self._shown, complaint_of(response.content, self._clean))
        code, said = "" if code == str(status) else code, "" if said == code else said
        hint = self._shown(self._hint(request, response))
        text = (
            f"{self._named(request)}: HTTP {status}{code and f' {code}'}{said and f': {said}'}{hint and f' ({hint})'}"
        )
        request_id = self._request_id(response)
        retry_after = self._retry_after(response.headers)
        if status == _TOO_MANY:
            return RateLimited(text, code=code, request_id=request_id, retry_after=retry_after)
        client_error = httpx.codes.is_client_error(status) and status not in _PASSING
        if status in _REFUSALS or (client_error and isinstance(request, Read)):
            return Refused(text, status=status, code=code, request_id=request_id)
        failure = _unanswered(request, text, status=status, code=code, request_id=request_id)
        failure.retry_after = retry_after
        return failure

    def _parsed(self, request: Read | Write, response: httpx.Response, parse: Callable[[object], _T]) -> _T:
        try:
            # Python reads NaN and Infinity, which are not JSON; as null they count as absent.
            return parse(self._keyless(json.loads(response.content, parse_constant=lambda _: None)))
        except (ValueError, RecursionError) as error:
            said = self._shown(fault_of(response.content, self._clean))
            broken = isinstance(error, json.JSONDecodeError | UnicodeDecodeError | RecursionError)
            why = said if broken else f"{self._shown(str(error))}{said and f': {said}'}"
            hint = f" ({page_hint(self._base_url)})" if is_page(response.content) else ""
            text = f"{self._named(request)}: HTTP {response.status_code}, {why}{hint}"
            raise _unanswered(
                request, text, status=response.status_code, request_id=self._request_id(response)
            ) from error

    def _retry_after(self, headers: httpx.Headers) -> float | None:
        """Seconds, from `retry-after-ms`, or `Retry-After` as a number or a date."""
        for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
            number = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*", headers.get(name, ""))
            if number:
                return float(number[1]) * unit
        try:
            at = parsedate_to_datetime(headers.get("retry-after", "")).timestamp()
        except (ValueError, OverflowError):
            return None
        return max(0.0, at - self._clock.time())

    def _hint(self, request: Read | Write, response: httpx.Response) -> str:
        """What an answer that is no success may mean, beside what it says."""
        status = response.status_code
        if httpx.codes.is_redirect(status):
            return redirect_hint(self._base_url, self._clean(response.headers.get("location", "")))
        if isinstance(request, Read) and request.whole and status in _NO_ROUTE:
            return route_hint(self._base_url)
        page = status < _SERVER_ERRORS and is_page(response.content)  # a gateway's own page names itself
        return page_hint(self._base_url) if page else ""

    def _named(self, request: Read | Write) -> str:
        """The request, as it may be told."""
        return f"{request.method} {foreign(self._clean(request.path))}"

    def _request_id(self, response: httpx.Response) -> str:
        return self._shown(response.headers.get("x-request-id") or response.headers.get("apim-request-id"))

    def _shown(self, text: object) -> str:
        """What a server said, as it may be told: without the key, which a cut could leave half of."""
        return foreign(self._clean(text)) if isinstance(text, str) else ""

    def _clean(self, text: str) -> str:
        return scrub(text, self._key.secrets)

    def _keyless(self, value: Any, field: str = "") -> Any:
        """The parsed answer without the key, which a server may echo anywhere. Raises ValueError as `_EXACT` says."""
        if isinstance(value, str):
            clean = self._clean(value)
            if clean == value or value in TERMINAL:  # a word of the API is no echo
                return value
            if field in _EXACT:
                raise ValueError(f"its {field} holds the API key")
            return clean
        if isinstance(value, Mapping):
            named = field in _METRICS
            return {self._clean(name) if named else name: self._keyless(item, name) for name, item in value.items()}
        return [self._keyless(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class _File:
    id: str
    name: str
    size: int | None
    purpose: str
    status: str

    def holds(self, name: str, size: int) -> bool:
        """Whether it is that training file, as far as the server says: the name alone tells the content."""
        return self.name == name and self.size in {None, size} and self.purpose in {"", "fine_tune"}


def _parse_file(answer: object) -> _File:
    """A file from the API's JSON. Raises ValueError where it has no id."""
    fields = object_of(answer, "file")
    return _File(
        id=id_of(fields, "file"),
        name=text_of(fields, "filename") or "",
        size=whole(fields.get("bytes")) or None,  # 0 is how some servers write that they do not know
        purpose=status_word(text_of(fields, "purpose") or ""),
        status=_file_status_of(fields),
    )


def _file_status_of(answer: object) -> str:
    return status_word(text_of(object_of(answer, "file"), "status") or "")


def _unanswered(
    request: Read | Write, text: str, *, status: int | None = None, code: str = "", request_id: str = ""
) -> OutcomeUnknown | Unreadable:
    """No answer, or one that says nothing: a write may have happened, a read has not."""
    kind = OutcomeUnknown if isinstance(request, Write) else Unreadable
    return kind(text, status=status, code=code, request_id=request_id)


def _step(identifier: str) -> str:
    """An id as one step of a path, percent-encoded. Raises Unreadable where it is none (CONTRACT 9)."""
    try:
        check_id(identifier, "path")
    except ValueError as error:
        raise Unreadable(f"the id {foreign(identifier)} cannot be used in a path: {error}") from error
    return "".join(
        part.replace(".", "%2E") if part in _DOTS else quote(part, safe="") for part in re.split(r"([/\\])", identifier)
    )
