"""What decisions read: the fleet and its jobs as values, made of valid documents; and the graph between the jobs.

Pure. `source` calls `fleet_of` and `desire` once a reading, and every decision reads what they return. What is wrong
with one document alone is refused before (`documents`); nothing here reads a file.
"""

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

from msgspec import Struct, field

from reconciler.core.documents import Entry, ProviderName, TrainingFile
from reconciler.core.fields import (
    BODY_FIELDS,
    FILES,
    DataChecks,
    OnCancelled,
    OnChange,
    OnRemove,
    State,
    is_digest,
    provided,
)
from reconciler.core.nearest import nearest
from reconciler.core.revision import form, revision_of


class Expect(Struct, frozen=True):
    """Where a fleet may work; None where it does not say."""

    host: str | None = None
    organization: str | None = None
    project: str | None = None


class Limits(Struct, frozen=True):
    """How much one pass may do."""

    max_creates: int = 20
    max_cancels: int | str = "30%"
    max_active: int | None = None
    max_cost: float | None = None  # US dollars

    def cancel_limit(self, live: int) -> int:
        """How many of ``live`` jobs may be ended in one pass: a share is rounded down, and at least 1."""
        if isinstance(self.max_cancels, int):
            return self.max_cancels
        return max(1, live * int(self.max_cancels.removesuffix("%")) // 100)


class Fleet(Struct, frozen=True):
    """Whose jobs these are."""

    name: str
    provider: ProviderName = ProviderName.SANDBOX
    state: State = State.ACTIVE
    prune: bool = True
    data_checks: DataChecks = DataChecks.ERROR
    expect: Expect | None = None
    limits: Limits = field(default_factory=Limits)


class Adoption(Struct, frozen=True):
    """An existing job that stands for a revision."""

    job_id: str
    revision: str


class Policy(Struct, frozen=True):
    """What to do when things change."""

    state: State = State.ACTIVE
    on_change: OnChange = OnChange.REPLACE
    on_remove: OnRemove = OnRemove.CANCEL
    on_cancelled: OnCancelled = OnCancelled.HOLD
    retries: int = 0
    adopt: Adoption | None = None


class Desired(Struct, frozen=True):
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

    @property
    def by_digest(self) -> Mapping[str, str]:
        """The fields that name a file of the provider's by its bytes, as `sha256:` and 64 hex digits."""
        local = self.local_fields
        return {key: str(self.form[key]) for key in FILES if key not in local and is_digest(self.form.get(key))}

    @property
    def local_fields(self) -> Mapping[str, TrainingFile]:
        """The fields that name local files."""
        given = zip(FILES, (self.training, self.validation), strict=True)
        return {key: file for key, file in given if file is not None}

    @property
    def local_files(self) -> tuple[TrainingFile, ...]:
        """The local files that it is trained and validated with."""
        return tuple(self.local_fields.values())


class GraphFault(Struct, frozen=True):
    """What is wrong with a job among the others; ``path`` are the keys that lead to the field.

    Without a message it is only what another job's error entails.
    """

    name: str
    path: tuple[str, ...]
    message: str


def fleet_of(name: str, spec: Mapping[str, Any]) -> Fleet:
    """The fleet that a document describes, of what its ``spec`` sets."""
    # Every field is copied: one that `Fleet` does not have is a TypeError, and never dropped.
    fields = {field: _FLEET.get(field, _as_it_is)(value) for field, value in spec.items()}
    return Fleet(name, **fields)


def policy_of(spec: Mapping[str, Any]) -> Policy:
    """The policy of a job, of what its ``policy`` sets; every field is copied, as the fleet's are."""
    return Policy(**{field: _POLICY.get(field, _as_it_is)(value) for field, value in spec.items()})


def _as_it_is(value: Any) -> Any:
    return value


# What a field is made into that is neither text nor a number; None is what sets nothing.
_FLEET: Mapping[str, Callable[[Any], Any]] = {
    "provider": ProviderName,
    "state": State,
    "data_checks": DataChecks,
    "expect": lambda fields: Expect(**fields),
    "limits": lambda fields: Limits(**fields),
}
_POLICY: Mapping[str, Callable[[Any], Any]] = {
    "state": State,
    "on_change": OnChange,
    "on_remove": OnRemove,
    "on_cancelled": OnCancelled,
    "adopt": lambda fields: Adoption(**fields),
}
_NO_POLICY = Policy()


def desire(
    entries: Iterable[Entry], broken: frozenset[str] = frozenset()
) -> tuple[dict[str, Desired], list[GraphFault]]:
    """Every job as its manifest wants it, and what is wrong between them.

    A job is left out when its ``model_from`` leads to a job that does not exist, to itself, or to
    one that is ``broken`` or left out.
    """
    by_name = {entry.name: entry for entry in entries}
    desired: dict[str, Desired] = {}
    faults: dict[str, GraphFault] = {}
    done: set[str] = set()
    adopters: dict[str, list[str]] = {}
    for entry in by_name.values():
        if entry.adopts:
            adopters.setdefault(entry.adopts, []).append(entry.name)
    for name in by_name:
        for step in reversed(_chain(by_name, name, done)):
            done.add(step)
            entry = by_name[step]
            if entry.adopts and len(adopters[entry.adopts]) > 1:
                message = _adopted_twice(step, entry.adopts, adopters[entry.adopts][0])
                faults[step] = GraphFault(step, ("spec", "policy", "adopt", "job_id"), message)
                continue
            if entry.upstream is not None and entry.upstream not in desired:
                message = _graph_fault(entry, by_name, broken, faults)
                faults[step] = GraphFault(step, ("spec", "model_from", "job"), message)
                continue
            try:
                desired[step] = _desired(entry, desired)
            except ValueError as error:
                faults[step] = GraphFault(step, ("spec",), f"it has no canonical form: {error}")
    return desired, list(faults.values())


def _chain(by_name: Mapping[str, Entry], name: str, done: Container[str]) -> list[str]:
    """``name`` and the jobs it is built on, as far as they exist, do not repeat and are not ``done``."""
    chain: dict[str, None] = {}
    current: str | None = name
    while current is not None and current in by_name and current not in chain and current not in done:
        chain[current] = None
        current = by_name[current].upstream
    return list(chain)


# A hint compares a name with all the others; a few show what is wrong.
_HINTS = 20


def _adopted_twice(name: str, job_id: str, first: str) -> str:
    return "" if name == first else f"job {job_id} is adopted by {first} already: it can stand for one name only"


def _graph_fault(
    entry: Entry, by_name: Mapping[str, Entry], broken: Container[str], faults: Mapping[str, GraphFault]
) -> str:
    """Why the job that ``entry`` is built on has no model; "" where that job's own error says it."""
    upstream = str(entry.upstream)
    if upstream in broken or upstream in faults:
        return ""
    if upstream not in by_name:
        names = (name for name in by_name if name != entry.name) if len(faults) < _HINTS else ()
        close = nearest(upstream, names)
        return f"no job {upstream} in this fleet" + (f"; did you mean {close}?" if close else "")
    if upstream == entry.name:
        return "a job cannot be built on its own model"
    circle = " → ".join([entry.name, *_chain(by_name, upstream, {entry.name}), entry.name])
    return f"these jobs wait for each other's model: {circle}"


def _desired(entry: Entry, others: Mapping[str, Desired]) -> Desired:
    spec = entry.spec
    hashed = form(entry, others[entry.upstream].revision if entry.upstream else None)
    # What is no id stands in the body only when its file is there.
    files = {
        key: file_id for key in FILES if key in spec and (file_id := provided(spec[key])) and not is_digest(file_id)
    }
    return Desired(
        name=entry.name,
        revision=entry.revision or revision_of(hashed),
        form=hashed,
        body={
            key: files.get(key, spec[key]) for key in BODY_FIELDS if key in spec and (key not in FILES or key in files)
        },
        extra_body=spec.get("extra_body", {}),
        training=entry.training,
        validation=entry.validation,
        model_from=entry.upstream,
        policy=policy_of(spec["policy"]) if "policy" in spec else _NO_POLICY,
        path=entry.path,
        line=entry.line,
    )
