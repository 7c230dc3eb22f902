"""What a person writes: the fleet and its jobs, strict; and each job's revision.

Pure. `source` validates parsed documents with `FleetDocument` and `FineTuningJobDocument` and
turns them into `Fleet` and `Desired`, which every decision reads. Nothing in here reads a file:
`source` says what a training file is made of.

**The revision** is the first 16 hex digits of SHA-256 over the RFC 8785 form of the object that
`form` builds: of ``model``, ``suffix``, ``seed``, ``method``, ``hyperparameters``, ``extra_body`` and
``rerun`` those that the manifest sets, as it sets them (null, an empty map and ``rerun: 0`` are unset);
``training_file`` and ``validation_file`` as the file id, or as ``sha256:`` and the 64 hex digits of the
local file's bytes with CRLF read as LF; ``model_from`` as ``{"job", "checkpoint", "revision"}`` with the
revision of that job. Nothing else changes it.
"""

import difflib
import functools
import hashlib
import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

from reconciler.core.canonical import canonical
from reconciler.core.methods import GRADER_TYPES, Hyperparameters, Integration, Method
from reconciler.core.placeholder import name_fault, path_fault
from reconciler.core.scalars import FilePath, Integer, Strict, Word, all_filled, integral, meant
from reconciler.errors import foreign

API_VERSION = "reconciler/v1"

# The API takes 16 pairs of metadata; six are kept for our marks (job.py).
_METADATA_PAIRS = 10
_OUR_PREFIX = "reconciler_"

# A file, and a document, with more errors than a person reads is told to hold more.
ERRORS_LIMIT = 100
ONE_MODEL = "exactly one of model and model_from is needed"


class State(StrEnum):
    """What is to be done with jobs: work, nothing, or end them."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CANCELLED = "cancelled"


class OnChange(StrEnum):
    """When the spec changes while a job is live."""

    REPLACE = "replace"
    WAIT = "wait"


class OnRemove(StrEnum):
    """When the manifest goes while a job is live."""

    CANCEL = "cancel"
    ORPHAN = "orphan"


class OnCancelled(StrEnum):
    """When somebody else cancelled the job."""

    HOLD = "hold"
    RECREATE = "recreate"


class ProviderName(StrEnum):
    """The kinds of server that are known."""

    OPENAI = "openai"
    AZURE = "azure"
    LITELLM = "litellm"
    COMPATIBLE = "compatible"
    SANDBOX = "sandbox"


# ── the documents ────────────────────────────────────────────────────────────────────────────

_NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
Name = Annotated[
    str,
    StringConstraints(pattern=_NAME),
    Field(description="A DNS label: lower-case letters, digits and -, at most 63 characters."),
]
# What `job.check_id` accepts of a server.
_JobId = Annotated[
    str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$"), meant(name_fault)
]
_Revision = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
_Percent = re.compile(r"(\d{1,3})%")


_CLUSTERS = "What a cluster adds; ignored."


class _ClusterMetadata(Strict):
    """What a cluster adds to what it prints: accepted in any shape, and read by nobody."""

    model_config = ConfigDict(alias_generator=to_camel)

    creation_timestamp: Any = None
    deletion_grace_period_seconds: Any = None
    deletion_timestamp: Any = None
    finalizers: Any = None
    generate_name: Any = None
    generation: Any = None
    managed_fields: Any = None
    owner_references: Any = None
    resource_version: Any = None
    self_link: Any = None
    uid: Any = None


class _Metadata(_ClusterMetadata):
    name: Name
    namespace: Word | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class _ExpectSpec(Strict):
    host: Word | None = None
    organization: Word | None = None
    project: Word | None = None


class _LimitsSpec(Strict):
    max_creates: Annotated[Integer, Field(ge=0)] = 20
    max_cancels: int | str = Field(default="30%", description="A number, or a share of the live jobs such as 30%.")
    max_active: Annotated[Integer, Field(ge=1)] | None = None

    @field_validator("max_cancels", mode="before")
    @classmethod
    def _count_or_share(cls, value: Any) -> Any:
        number = integral(value)
        if isinstance(number, int) and not isinstance(number, bool) and number >= 0:
            return number
        share = _Percent.fullmatch(value) if isinstance(value, str) else None
        if share is None or int(share[1]) > 100:  # noqa: PLR2004 - per cent
            raise ValueError("must be a number from 0, or a share such as 30%")
        return value


class _FleetSpec(Strict):
    provider: Annotated[ProviderName, Field(strict=False)]
    state: Annotated[State, Field(strict=False)] = State.ACTIVE
    prune: bool = True
    expect: _ExpectSpec | None = None
    limits: _LimitsSpec = _LimitsSpec()


class FleetDocument(Strict):
    """`kind: Fleet`: whose jobs these are, where, and how much may happen at once."""

    apiVersion: Literal["reconciler/v1"]  # noqa: N815 - Kubernetes' envelope
    kind: Literal["Fleet"]
    metadata: _Metadata
    spec: _FleetSpec
    status: Any = Field(default=None, description=_CLUSTERS)


class _ModelFrom(Strict):
    job: Name
    checkpoint: Literal["last"] = "last"


class _AdoptSpec(Strict):
    job_id: _JobId
    revision: _Revision


class _PolicySpec(Strict):
    state: Annotated[State, Field(strict=False)] = State.ACTIVE
    on_change: Annotated[OnChange, Field(strict=False)] = OnChange.REPLACE
    on_remove: Annotated[OnRemove, Field(strict=False)] = OnRemove.CANCEL
    on_cancelled: Annotated[OnCancelled, Field(strict=False)] = OnCancelled.HOLD
    retries: Annotated[Integer, Field(ge=0, le=10)] = 0
    adopt: _AdoptSpec | None = None


class Hashed(Enum):
    """How a field of the spec counts for the revision."""

    NO = "not at all"
    AS_WRITTEN = "as the manifest sets it"
    AS_NAMED = "as what it names: a file's bytes, another job's revision"


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a field of the spec. Each field declares its own; what is sent and hashed follows from it.

    ``sent``: it is a field of the API's create body, under the same name.
    """

    sent: bool
    hashed: Hashed


_SENT = Fate(sent=True, hashed=Hashed.NO)
_SENT_AND_HASHED = Fate(sent=True, hashed=Hashed.AS_WRITTEN)
_OURS = Fate(sent=False, hashed=Hashed.NO)
_OURS_AND_HASHED = Fate(sent=False, hashed=Hashed.AS_WRITTEN)


_PairText = Annotated[str, meant(path_fault)]


class _JobSpec(Strict):
    model: Annotated[Word | None, _SENT_AND_HASHED] = None
    training_file: Annotated[
        FilePath,
        Field(description="A path relative to this manifest, or a file id (file-…)."),
        Fate(sent=True, hashed=Hashed.AS_NAMED),
    ]
    validation_file: Annotated[FilePath | None, Fate(sent=True, hashed=Hashed.AS_NAMED)] = None
    suffix: Annotated[
        Annotated[str, StringConstraints(min_length=1, max_length=64), meant(name_fault)] | None, _SENT_AND_HASHED
    ] = None
    seed: Annotated[Annotated[Integer, Field(ge=0, le=2_147_483_647)] | None, _SENT_AND_HASHED] = None
    method: Annotated[Method | None, _SENT_AND_HASHED] = None
    hyperparameters: Annotated[Hyperparameters | None, _SENT_AND_HASHED] = None
    integrations: Annotated[list[Integration] | None, _SENT] = None
    metadata: Annotated[dict[_PairText, _PairText] | None, _SENT] = None
    model_from: Annotated[_ModelFrom | None, Fate(sent=False, hashed=Hashed.AS_NAMED)] = None
    # Its own fields are sent, after those of the spec (body.py).
    extra_body: Annotated[dict[str, Any] | None, _OURS_AND_HASHED] = None
    rerun: Annotated[Integer, Field(ge=0, le=1_000_000), _OURS_AND_HASHED] = 0
    policy: Annotated[_PolicySpec, _OURS] = _PolicySpec()

    @field_validator("metadata")
    @classmethod
    def _within_bounds(cls, pairs: dict[str, str] | None) -> dict[str, str] | None:
        for key, value in (pairs or {}).items():
            if key.startswith(_OUR_PREFIX):
                raise ValueError(f"{foreign(key)} starts with {_OUR_PREFIX}, which is kept for this program's marks")
            if not 1 <= len(key) <= 64 or len(value) > 512:  # noqa: PLR2004 - the API's own bounds
                raise ValueError(f"{foreign(key)}: a key has 1 to 64 characters, a value at most 512")
        if pairs and len(pairs) > _METADATA_PAIRS:
            raise ValueError(f"at most {_METADATA_PAIRS} pairs; the API's other 6 are kept for this program's marks")
        return pairs

    @field_validator("extra_body")
    @classmethod
    def _foreign_fields(cls, extra: dict[str, Any] | None) -> dict[str, Any] | None:
        known = sorted(set(extra or {}) & set(BODY_FIELDS))
        if known:
            raise ValueError(f"{known[0]} is a field of the API: write it as spec.{known[0]}")
        all_filled(extra)
        return extra

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.model is None) == (self.model_from is None):
            raise ValueError(ONE_MODEL)
        method = self.method
        if self.hyperparameters and method and not (method.type == "supervised" and method.supervised is None):
            raise ValueError("hyperparameters is the old form of method.supervised.hyperparameters: write one of them")
        return self


def fates_of(spec: type[BaseModel]) -> Mapping[str, Fate]:
    """The fate of each field. Raises TypeError for a field that declares none: it would be dropped without a word."""
    fates = {name: [m for m in info.metadata if isinstance(m, Fate)] for name, info in spec.model_fields.items()}
    for name, found in fates.items():
        if len(found) != 1:
            raise TypeError(f"{spec.__name__}.{name} must declare one Fate, not {len(found)}")
    return {name: found[0] for name, found in fates.items()}


_FATES = fates_of(_JobSpec)
# Fields of the API's create body: they are written as fields of the spec, never in extra_body.
BODY_FIELDS = tuple(name for name, fate in _FATES.items() if fate.sent)
_AS_WRITTEN = frozenset(name for name, fate in _FATES.items() if fate.hashed is Hashed.AS_WRITTEN)
_AS_NAMED = frozenset(name for name, fate in _FATES.items() if fate.hashed is Hashed.AS_NAMED)


class FineTuningJobDocument(Strict):
    """`kind: FineTuningJob`: one job, in the API's own field names, and what this program does with it."""

    apiVersion: Literal["reconciler/v1"]  # noqa: N815 - Kubernetes' envelope
    kind: Literal["FineTuningJob"]
    metadata: _Metadata
    spec: _JobSpec
    status: Any = Field(default=None, description=_CLUSTERS)


# ── what decisions read ──────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Expect:
    """Where a fleet may work; None where it does not say."""

    host: str | None = None
    organization: str | None = None
    project: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one pass may do."""

    max_creates: int = 20
    max_cancels: int | str = "30%"
    max_active: int | None = None

    def cancel_limit(self, live: int) -> int:
        """How many of ``live`` jobs may be ended in one pass: a share is rounded down, and at least 1."""
        if isinstance(self.max_cancels, int):
            return self.max_cancels
        return max(1, live * int(self.max_cancels.removesuffix("%")) // 100)


@dataclass(frozen=True, slots=True)
class Fleet:
    """Whose jobs these are."""

    name: str
    provider: ProviderName = ProviderName.SANDBOX
    state: State = State.ACTIVE
    prune: bool = True
    expect: Expect | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Adopt:
    """An existing job that stands for a revision."""

    job_id: str
    revision: str


@dataclass(frozen=True, slots=True)
class Policy:
    """What to do when things change."""

    state: State = State.ACTIVE
    on_change: OnChange = OnChange.REPLACE
    on_remove: OnRemove = OnRemove.CANCEL
    on_cancelled: OnCancelled = OnCancelled.HOLD
    retries: int = 0
    adopt: Adopt | None = None


@dataclass(frozen=True, slots=True)
class TrainingFile:
    """A local file by its content: ``path`` under the fleet directory, digest and size in bytes with LF."""

    path: str
    sha256: str
    size: int

    @property
    def upload_name(self) -> str:
        """The name under which the provider holds it: found again by anyone who has the same bytes."""
        stem = re.sub(r"[^A-Za-z0-9._-]", "_", PurePosixPath(self.path).stem)[:64]
        return f"{stem}-{self.sha256[:16]}.jsonl"


@dataclass(frozen=True, slots=True)
class Desired:
    """A job as its manifest wants it.

    ``form`` is what the revision hashes. ``body`` holds the fields of the create body that the
    manifest sets, without local files. ``path`` and ``line`` say where it stands.
    """

    name: str
    revision: str
    form: Mapping[str, object] = field(default_factory=dict)
    body: Mapping[str, object] = field(default_factory=dict)
    extra_body: Mapping[str, object] = field(default_factory=dict)
    training: TrainingFile | None = None
    validation: TrainingFile | None = None
    model_from: str | None = None
    policy: Policy = field(default_factory=Policy)
    path: str = ""
    line: int = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A valid document, where it stands, and its local files."""

    document: FineTuningJobDocument
    path: str
    line: int
    training: TrainingFile | None = None
    validation: TrainingFile | None = None

    @property
    def name(self) -> str:
        return self.document.metadata.name

    @property
    def adopts(self) -> str | None:
        """The existing job that it says is its own."""
        adopt = self.document.spec.policy.adopt
        return adopt.job_id if adopt else None

    @property
    def upstream(self) -> str | None:
        """The job whose model this one is built on."""
        source = self.document.spec.model_from
        return source.job if source else None


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a job among the others; ``path`` are the keys that lead to the field."""

    name: str
    path: tuple[str, ...]
    message: str


def fleet_of(document: FleetDocument) -> Fleet:
    """The fleet that a document describes."""
    spec = document.spec
    # Copied whole: a field that `Fleet` does not know is a TypeError, and never dropped.
    fields = dict(spec) | {
        "expect": Expect(**dict(spec.expect)) if spec.expect else None,
        "limits": Limits(**dict(spec.limits)),
    }
    return Fleet(document.metadata.name, **fields)


def is_file_id(value: str) -> bool:
    """Whether a training file is named by a provider's id; everything else is a path."""
    return re.fullmatch(r"file-[A-Za-z0-9_-]+", value) is not None


def desire(entries: Iterable[Entry], broken: frozenset[str] = frozenset()) -> tuple[dict[str, Desired], list[Fault]]:
    """Every job as its manifest wants it, and what is wrong between them.

    A job is left out when its ``model_from`` leads to a job that does not exist, to itself, or to
    one that is ``broken`` or left out.
    """
    by_name = {entry.name: entry for entry in entries}
    desired: dict[str, Desired] = {}
    faults: dict[str, Fault] = {}
    done: set[str] = set()
    adopters = Counter(entry.adopts for entry in by_name.values() if entry.adopts)
    for name in by_name:
        for step in reversed(_chain(by_name, name, done)):
            done.add(step)
            entry = by_name[step]
            if entry.adopts and adopters[entry.adopts] > 1:
                message = f"job {entry.adopts} is adopted more than once: it can stand for one name only"
                faults[step] = Fault(step, ("spec", "policy", "adopt", "job_id"), message)
                continue
            message = _fault(entry, desired, by_name, broken)
            if message:
                faults[step] = Fault(step, ("spec", "model_from", "job"), message)
                continue
            try:
                desired[step] = _desired(entry, desired)
            except ValueError as error:
                faults[step] = Fault(step, ("spec",), f"it has no canonical form: {error}")
    return desired, list(faults.values())


def form(entry: Entry, upstream_revision: str | None) -> dict[str, object]:
    """The object whose canonical form is hashed into the revision (see the module's docstring)."""
    spec = entry.document.spec
    hashed = _told(spec, set(_AS_WRITTEN))
    if hashed.get("rerun") == 0:
        del hashed["rerun"]
    source = spec.model_from
    named: dict[str, object] = {
        "training_file": _content(entry.training, spec.training_file),
        "validation_file": _content(entry.validation, spec.validation_file),
        "model_from": {**dict(source), "revision": upstream_revision} if source else None,
    }
    return hashed | {key: named[key] for key in _AS_NAMED if named[key] is not None}


def _content(file: TrainingFile | None, given: str | None) -> str | None:
    return f"sha256:{file.sha256}" if file else given


def _told(spec: _JobSpec, fields: set[str]) -> dict[str, object]:
    """What the manifest sets of ``fields``; maps that hold nothing are unset, except in foreign fields."""
    told = spec.model_dump(include=fields, exclude_unset=True)
    kept = {key: value if key == "extra_body" else _without_empty(value) for key, value in told.items()}
    return {key: value for key, value in kept.items() if value != {}}


def _without_empty(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    kept = {key: _without_empty(item) for key, item in value.items()}
    return {key: item for key, item in kept.items() if item is not None and item != {}}


def revision_of(hashed: Mapping[str, object]) -> str:
    """16 hex digits. Raises ValueError where there is no canonical form."""
    return hashlib.sha256(canonical(hashed)).hexdigest()[:16]


def _chain(by_name: Mapping[str, Entry], name: str, done: Container[str]) -> list[str]:
    """``name`` and the jobs it is built on, as far as they exist, do not repeat and are not ``done``."""
    chain: dict[str, None] = {}
    current: str | None = name
    while current is not None and current in by_name and current not in chain and current not in done:
        chain[current] = None
        current = by_name[current].upstream
    return list(chain)


def _fault(entry: Entry, desired: Mapping[str, Desired], by_name: Mapping[str, Entry], broken: frozenset[str]) -> str:
    upstream = entry.upstream
    if upstream is None or upstream in desired:
        return ""
    if upstream in broken:
        return f"job {upstream}, whose model it needs, has a broken manifest"
    if upstream not in by_name:
        return f"no job {upstream} in this fleet"
    return f"job {upstream}, whose model it needs, has no model: they wait for each other, or it is itself in error"


def _desired(entry: Entry, others: Mapping[str, Desired]) -> Desired:
    spec = entry.document.spec
    hashed = form(entry, others[entry.upstream].revision if entry.upstream else None)
    local = {key for key, file in (("training_file", entry.training), ("validation_file", entry.validation)) if file}
    policy = spec.policy
    return Desired(
        name=entry.name,
        revision=revision_of(hashed),
        form=hashed,
        body=_told(spec, set(BODY_FIELDS) - local),
        extra_body=spec.extra_body or {},
        training=entry.training,
        validation=entry.validation,
        model_from=entry.upstream,
        # Copied whole, as the fleet's fields are.
        policy=Policy(**dict(policy) | {"adopt": Adopt(**dict(policy.adopt)) if policy.adopt else None}),
        path=entry.path,
        line=entry.line,
    )


# ── errors in words ──────────────────────────────────────────────────────────────────────────


def problems_of(error: ValidationError) -> list[tuple[tuple[str | int, ...], str]]:
    """Each error as the keys that lead to it and a sentence; pydantic's own words stay in here."""
    found = error.errors()
    told = [(_path(one["loc"]), _sentence(one)) for one in found[:ERRORS_LIMIT]]
    return (
        [*told, ((), f"errors beyond the first {ERRORS_LIMIT}: {len(found) - ERRORS_LIMIT}")]
        if len(found) > ERRORS_LIMIT
        else told
    )


def _path(location: Sequence[str | int]) -> tuple[str | int, ...]:
    """The user's own keys: a grader's type is pydantic's tag, one step after `grader` or a name in `graders`."""
    path: list[str | int] = []
    for step in location:
        tag = step in GRADER_TYPES and (path[-1:] == ["grader"] or path[-2:-1] == ["graders"])
        if not tag and step != "[key]":
            path.append(step)
    return tuple(path)


_LENGTHS = frozenset({"string_too_short", "string_too_long"})


def _sentence(found: Any) -> str:
    kind, given = found["type"], found["input"]
    if kind == "extra_forbidden":
        return f"unknown field{_nearest(str(found['loc'][-1]))}"
    if kind == "missing":
        return "required, and not set"
    # Where a number or one of a few words is needed, a template is the reason and not its type.
    if isinstance(given, str) and kind not in _LENGTHS and (fault := name_fault(given)):
        return fault
    if kind == "union_tag_invalid":
        return f"its type must be one of {found['ctx']['expected_tags']}"
    if kind == "model_type":
        joined = re.match(r"([A-Za-z_]\w*):\S", given) if isinstance(given, str) else None
        return "must be a mapping of fields" + (
            f": a space is missing after the colon of {joined[1]}" if joined else ""
        )
    if kind == "value_error":
        return str(found["ctx"]["error"])
    words = re.sub(r"^\w+ should ", "must ", found["msg"])
    if kind == "string_pattern_mismatch" and found["ctx"]["pattern"] == _NAME:
        return f"a name is lower-case letters, digits and -, at most 63 characters, not {_shown(given)}"
    return f"{words}, not {_shown(given)}" if given != "" and isinstance(given, str | int | float | None) else words


def _shown(given: object) -> str:
    text = foreign("null" if given is None else str(given))
    return text if len(text) <= 60 else f"{text[:59]}…"  # noqa: PLR2004 - one line of a report


def _nearest(name: str) -> str:
    """The field that was meant, perhaps; of a name that is right elsewhere nothing is known."""
    known = _field_names()
    close = [] if name in known else difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


@functools.cache
def _field_names() -> list[str]:
    names: set[str] = set()
    models: list[type[BaseModel]] = [Strict]
    while models:
        model = models.pop()
        names |= model.model_fields.keys()
        models += model.__subclasses__()
    return sorted(names - _ClusterMetadata.model_fields.keys() - {"status"})
