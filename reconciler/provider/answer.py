"""What an answer means: a value, or the error that says what became of the request. The key is in none of them.

`sender` asks about every answer. A write is refused only by a status that says so; whatever else is no success
may have taken effect (`OutcomeUnknown`). A read has no effect, so what cannot be used is `Unreadable`.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypedDict, TypeVar

import msgspec
from msgspec.json import Decoder

from reconciler.clock import Clock
from reconciler.core.job import ATTEMPT_MARK, FLEET_MARK, JOB_MARK, ON_REMOVE_MARK, REVISION_MARK, TERMINAL
from reconciler.core.plain_job import PlainJob
from reconciler.errors import NotSent, OutcomeUnknown, ProviderError, RateLimited, Refused, Unreadable, escaped, scrub
from reconciler.provider.error_text import error_text_of, is_page, page_hint, redirect_hint, route_hint, why_unusable
from reconciler.provider.message import HttpResponse
from reconciler.provider.request import ReadRequest, Request
from reconciler.provider.retry import retry_after

# Only these statuses say that a write did not happen; after any other answer it may have.
_REFUSALS = frozenset({400, 401, 403, 404, 413, 422})
UNAUTHORIZED = 401
_TOO_MANY = 429
_SUCCESSES, _REDIRECTS, _CLIENT_ERRORS = range(200, 300), range(300, 400), range(400, 500)
_SERVER_ERRORS = 500
# Answers of a server that has no such route at all.
NO_ROUTE = frozenset({404, 405, 501})
# After one of these a read is worth sending again.
_PASSING = frozenset({408, 409, 425})

# Fields whose text is compared, asked for or sent again, so that nothing may be taken out of it. An answer that holds
# the key in one of them is refused. All other text is only shown, and is shown without the key.
_EXACT = frozenset(
    {
        *("id", "status", "model", "suffix", "user_provided_suffix", "training_file", "validation_file"),
        *("fine_tuned_model", "fine_tuned_model_checkpoint", "filename", "purpose"),
        *(FLEET_MARK, JOB_MARK, REVISION_MARK, ATTEMPT_MARK, ON_REMOVE_MARK),
    }
)
# Inside these the names are the server's own words, and are shown; every other name is the API's.
_METRICS = frozenset({"metrics", "data"})
# How JSON may escape a character of a key, and the characters that it may escape in a shorter way.
_ESCAPED = re.compile(rb"\\u00[2-7]")
_SHORT_ESCAPES = frozenset('"/\\')

_T = TypeVar("_T")


class Answers:
    """Reads the answers of one server."""

    def __init__(self, base_url: str, secrets: Iterable[str], clock: Clock) -> None:
        """``secrets`` may grow: they are read anew for each text."""
        self._base_url = base_url
        self._secrets = secrets
        self._clock = clock
        self._newest: tuple[object, Any] | None = None  # the first page of all jobs: from what it was read, and as what

    def no_answer(self, request: Request, error: NotSent | OutcomeUnknown) -> ProviderError:
        """What it means that no answer came."""
        text = f"{self._named(request)}: {self._clean(str(error))}"
        return type(error)(text) if isinstance(error, NotSent) else _unanswered(request, text)

    def error(self, request: Request, response: HttpResponse, *, key_from: str = "") -> ProviderError | None:
        """What an answer means; None for a success. ``key_from`` says in words where the key came from, for a 401."""
        status = response.status
        if status in _SUCCESSES:
            return None
        code, said = map(self._shown, error_text_of(response.content, self._clean))
        code, said = "" if code == str(status) else code, "" if said == code else said
        hints = (self._hint(request, response), key_from if status == UNAUTHORIZED else "")
        hint = "; ".join(self._shown(hint) for hint in hints if hint)
        text = (
            f"{self._named(request)}: HTTP {status}{code and f' {code}'}{said and f': {said}'}{hint and f' ({hint})'}"
        )
        request_id = self.request_id(response)
        wait = retry_after(response.headers, self._clock.time())
        if status == _TOO_MANY:
            return RateLimited(text, code=code, request_id=request_id, retry_after=wait)
        client_error = status in _CLIENT_ERRORS and status not in _PASSING
        if status in _REFUSALS or (client_error and isinstance(request, ReadRequest)):
            return Refused(text, status=status, code=code, request_id=request_id)
        failure = _unanswered(request, text, status=status, code=code, request_id=request_id)
        failure.retry_after = wait
        return failure

    def value(self, request: Request, response: HttpResponse, parse: Callable[[object], _T]) -> _T:
        """What a success holds, as ``parse`` reads its JSON. Raises as for no answer where it cannot be read.

        The first page of all jobs is mostly the same as last time: then the value is the one of last time.
        """
        if not (isinstance(request, ReadRequest) and request.all_jobs and "after" not in request.params):
            return self._read(request, response, parse)
        read_from = (request, tuple(self._secrets), response.content)
        if self._newest is None or self._newest[0] != read_from:
            self._newest = (read_from, self._read(request, response, parse))
        found: _T = self._newest[1]
        return found

    def _read(self, request: Request, response: HttpResponse, parse: Callable[[object], _T]) -> _T:
        try:
            jobs = isinstance(request, ReadRequest) and request.all_jobs
            return parse(self._json(response.content, jobs=jobs))
        except (ValueError, RecursionError) as error:
            said = self._shown(why_unusable(response.content, self._clean))
            broken = isinstance(error, json.JSONDecodeError | UnicodeDecodeError | RecursionError)
            why = said if broken else f"{self._shown(str(error))}{said and f': {said}'}"
            hint = f" ({page_hint(self._base_url)})" if is_page(response.content) else ""
            text = f"{self._named(request)}: HTTP {response.status}, {why}{hint}"
            raise _unanswered(request, text, status=response.status, request_id=self.request_id(response)) from error

    def request_id(self, response: HttpResponse) -> str:
        """The server's own name for the request; "" where it gives none."""
        return self._shown(response.headers.get("x-request-id") or response.headers.get("apim-request-id"))

    def _hint(self, request: Request, response: HttpResponse) -> str:
        """What an answer that is no success may mean, beside what it says."""
        status = response.status
        if status in _REDIRECTS:
            return redirect_hint(self._base_url, self._clean(response.headers.get("location", "")))
        if isinstance(request, ReadRequest) and request.all_jobs and status in NO_ROUTE:
            return route_hint(self._base_url)
        page = status < _SERVER_ERRORS and is_page(response.content)  # a gateway's own page names itself
        return page_hint(self._base_url) if page else ""

    def _named(self, request: Request) -> str:
        """The request, as a message may show it."""
        return f"{request.method} {escaped(self._clean(request.path))}"

    def _shown(self, text: object) -> str:
        """What a server said, as a message may show it. The key goes first, since a cut could leave half of it."""
        return escaped(self._clean(text)) if isinstance(text, str) else ""

    def _clean(self, text: str) -> str:
        return scrub(text, self._secrets)

    def _json(self, content: bytes, *, jobs: bool = False) -> Any:
        """The JSON of an answer, without the key; ``jobs``: of a page of plain jobs, only the fields that are read.

        Raises:
            ValueError, RecursionError: there is none.
        """
        if jobs and not self._may_hold_key(content):
            # What is no such page is read as any other answer.
            with suppress(ValueError, RecursionError):
                return _plain_jobs(content)
        try:
            value = msgspec.json.decode(content)
        except (ValueError, RecursionError):
            # Python's own decoder is slower and takes more: other encodings, halves of surrogate pairs, and NaN and
            # Infinity, which are not JSON; as null they count as absent. It also says what is wrong.
            return self._keyless(json.loads(content, parse_constant=lambda _: None))
        return self._keyless(value) if self._may_hold_key(content) else value

    def _may_hold_key(self, content: bytes) -> bool:
        """Whether the key can be in a JSON text in UTF-8, as it is or written otherwise."""
        escapes = b"\\" in content
        return (escapes and _ESCAPED.search(content) is not None) or any(
            not secret.isascii() or (escapes and not _SHORT_ESCAPES.isdisjoint(secret)) or secret.encode() in content
            for secret in self._secrets
        )

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


class _JobPage(TypedDict):
    """A page of jobs that says whether it is the last; of a page that does not, other fields count."""

    data: list[PlainJob]
    has_more: bool


_JOB_PAGE: Decoder[_JobPage] = Decoder(_JobPage)


def _plain_jobs(content: bytes) -> _JobPage:
    """A page of plain jobs, with the fields that are read. Raises ValueError or RecursionError for any other page."""
    if not content.isascii():
        content.decode()  # what is skipped is not looked at closely
    return _JOB_PAGE.decode(content)


def _unanswered(
    request: Request, text: str, *, status: int | None = None, code: str = "", request_id: str = ""
) -> OutcomeUnknown | Unreadable:
    """No answer, or one that says nothing: a write may have happened, a read has not."""
    kind = Unreadable if isinstance(request, ReadRequest) else OutcomeUnknown
    return kind(text, status=status, code=code, request_id=request_id)
