"""One kind of server, as a value: what it asks of a request, what it hands on, what it shows.

`modes` has one of each kind; `app` and its resources ask it at their edges. What a job *is* no mode changes: the store
keeps the same record in each of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from . import paging, refusals
from .errors import RefusalError
from .paging import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .job import Job
    from .store import File

Object = dict[str, object]
T = TypeVar("T")

# How many items a page of each list has by default, and at most.
_LIMITS = {"jobs": (20, 100), "events": (20, 100), "checkpoints": (10, 100), "files": (10_000, 10_000)}
# A server without pages shows everything: more than any test makes.
_EVERYTHING = 1_000_000


@dataclass(frozen=True, slots=True)
class Shape:
    """What is left of an object of the API, in the order of the fields. Without ``nulls``, nulls are left out."""

    only: frozenset[str] | None = None
    drops: frozenset[str] = frozenset()
    respells: Mapping[str, Callable[[Any], object]] = field(default_factory=dict)
    renames: Mapping[str, str] = field(default_factory=dict)
    nulls: bool = True

    def of(self, whole: Object) -> Object:
        kept = {k: v for k, v in whole.items() if k not in self.drops and (self.only is None or k in self.only)}
        spelt = {k: self.respells[k](v) if k in self.respells else v for k, v in kept.items()}
        named = {self.renames.get(k, k): v for k, v in spelt.items()}
        return named if self.nulls else {k: v for k, v in named.items() if v is not None}


@dataclass(frozen=True, slots=True)
class Mode:
    """One kind of server; the defaults are the API's own behaviour. Lists are named by what they list."""

    name: str
    base_path: str = "/v1"
    # What every request must show.
    credentials: tuple[str, ...] = ()  # one of these headers
    headers: tuple[str, ...] = ()
    query: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # a parameter, and the methods that need it
    body: tuple[str, ...] = ()  # fields of every body that does something
    # What becomes of a create.
    unsent: frozenset[str] = frozenset()  # fields that are dropped without a word
    extra: frozenset[str] = frozenset()  # fields beside those of the API
    suffix: tuple[int, int] = (0, 64)  # its shortest, 0 where there need be none, and its longest
    auto: bool = True  # whether "auto" is taken
    either: bool = False  # whether `method` and `hyperparameters` together are refused
    trains_anything: bool = False  # whether every JSON object is an example, of whatever is trained
    repeats: int = 1  # jobs that one create becomes where the script `repeated` asks for it
    model_name: Callable[[str, str, str | None], str] = lambda _model, _id, _suffix: ""  # "": as the API names it
    file_delay: float = 0.0  # seconds at speed 1 that an upload stays `pending`
    uploads: bool = True  # False: a training file is whatever name is given
    # What comes back.
    created: int = 200
    location: str = ""  # of what was created, with `{id}`
    job: Shape = Shape()
    born: Shape | None = None  # a job in the answer to its create, where it is another
    listed: Shape | None = None  # a job in a listing
    unreadable: Callable[[Object], bool] = lambda _job: False  # a job that it fails to show, but for in a listing
    file: Shape = Shape()
    unset_auto: int | None = None  # what stands for "auto" in an answer, instead of what was chosen
    finish_known: float = 0.0  # seconds after which a job is said to end, from its first answer on
    unpaged: frozenset[str] = frozenset()  # lists that show everything at once, whatever is asked
    silent: frozenset[str] = frozenset()  # lists that do not say whether more follow
    oldest_first: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()  # routes that are not there
    refusal: Callable[[RefusalError], Object | str] = refusals.openai

    def page(self, what: str, query: Mapping[str, str]) -> Page:
        if what in self.unpaged:
            return Page(_EVERYTHING)
        default, maximum = _LIMITS[what]
        return paging.parse(query, default=default, maximum=maximum)

    def cut(
        self, what: str, items: Sequence[T], query: Mapping[str, str], identify: Callable[[T], str]
    ) -> tuple[list[T], bool]:
        """What a page shows of a list that has the newest first, and whether more follow."""
        ordered = items[::-1] if what in self.oldest_first else items
        return paging.cut(ordered, self.page(what, query), identify)

    def listing(self, what: str, whole: Object) -> Object:
        return {"object": "list", "data": whole["data"]} if what in self.silent else whole

    def job_of(self, record: Job, whole: Object, shape: Shape | None = None) -> Object:
        """A job of the API as this server shows it, in an answer that has a ``shape`` of its own."""
        if self.unset_auto is not None:
            whole = {k: _unset(v, record.auto, self.unset_auto) if k in _NUMBERED else v for k, v in whole.items()}
        if self.finish_known and whole["estimated_finish"] is None:
            whole = {**whole, "estimated_finish": int(record.created + self.finish_known)}
        return {**(shape or self.job).of(whole), **record.extra}

    def single_job_of(self, record: Job, whole: Object, shape: Shape | None = None) -> Object:
        """The same in an answer that has one job. Raises RefusalError where this server fails to show it."""
        if self.unreadable(whole):
            raise RefusalError("1 validation error for a job", status=500, kind="internal_server_error")
        return self.job_of(record, whole, shape)

    def is_pending(self, file: File, now: float, speed: float) -> bool:
        """Whether an upload is still being taken in."""
        return now < file.created + self.file_delay / speed

    def check_request(self, method: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Raises RefusalError where a request does not show what every one must."""
        if self.credentials and not any(headers.get(name) for name in self.credentials):
            raise RefusalError(f"Missing header '{self.credentials[0]}'.", status=401, code="invalid_api_key")
        needed = [name for name, methods in self.query.items() if method in methods and not query.get(name)]
        for name in (*(name for name in self.headers if not headers.get(name)), *needed):
            raise RefusalError(f"Missing required parameter: '{name}'.", param=name)

    def taken(self, fields: Mapping[str, object]) -> Object:
        """What of a create is handed on. Raises RefusalError where this server takes none like it."""
        self.check_body(fields)
        if self.either and fields.get("method") and fields.get("hyperparameters"):
            raise RefusalError("Pass either 'method' or 'hyperparameters', not both.", param="hyperparameters")
        if not self.auto and (_has_auto(fields.get("method")) or _has_auto(fields.get("hyperparameters"))):
            raise RefusalError("Invalid 'hyperparameters': expected a number.", param="hyperparameters")
        return {name: value for name, value in fields.items() if name not in self.unsent and name not in self.body}

    def check_body(self, fields: Mapping[str, object]) -> None:
        for name in self.body:
            if not fields.get(name):
                raise RefusalError(f"Missing required parameter: '{name}'.", param=name)


_NUMBERED = ("hyperparameters", "method")


def _unset(value: object, names: tuple[str, ...], stand_in: int) -> object:
    """A value with ``stand_in`` under each of these names, at any depth."""
    if not isinstance(value, dict):
        return value
    return {k: stand_in if k in names else _unset(v, names, stand_in) for k, v in value.items()}


def _has_auto(value: object) -> bool:
    return any(map(_has_auto, value.values())) if isinstance(value, dict) else value == "auto"
