"""What a server can do, as far as a look at it tells, and what that means for the two promises.

Pure. `doctor` fills `Facts` from reads alone, and shows what `diagnose` makes of them. Nothing in here is decided by:
a pass asks `recognition` and the journal's memory, which this only puts into words.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum

from msgspec import Struct

from reconciler.core.job import Job
from reconciler.core.looks import is_newest_first
from reconciler.core.memory import Memory
from reconciler.core.training import METHODS


class Can(StrEnum):
    """Whether a server does something; ``UNKNOWN``: nothing that was seen tells."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Finding(Struct, frozen=True):
    """One capability: ``seen`` is what was found out, ``means`` what follows from it."""

    capability: str
    can: Can
    seen: str
    means: str


# What follows from a capability that nothing has shown yet.
_LATER = "known once there is a job of this fleet"


class Facts(Struct, frozen=True):
    """What reads have shown. ``errors`` says of each read that failed why, by the name of its capability.

    ``jobs`` are in the order of the server, ``pages`` how many it took. ``shown`` is all that it shows of the newest
    job, None where there is none. ``answered`` are the other reads that went through.
    ``filters``: whether the listing finds jobs by their metadata; None where no job could show it. ``fleet`` is whose
    jobs are counted as its own.
    """

    memory: Memory
    fleet: str = ""
    jobs: tuple[Job, ...] = ()
    pages: int = 0
    shown: Mapping[str, object] | None = None
    answered: frozenset[str] = frozenset()
    errors: Mapping[str, str] = {}
    filters: bool | None = None


class Diagnosis(Struct, frozen=True):
    """``identity``: what a job is known again by; "" while nothing has shown it. ``missing``: what that costs."""

    identity: str
    means: str
    findings: tuple[Finding, ...]

    @property
    def missing(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.can is Can.NO)


def diagnose(facts: Facts) -> Diagnosis:
    """Put it into words."""
    identity, means = _identity(facts)
    return Diagnosis(identity, means, tuple(row(facts) for row in _ROWS))


def _identity(facts: Facts) -> tuple[str, str]:
    memory = facts.memory
    if memory.echoes:
        return "marks", "every promise holds here, also without the state directory"
    if memory.files:
        return "file", "jobs are known by their training file's name, and by their seed where it comes back"
    if memory.seeds:
        return "seed", "jobs are known by their seed: they are kept and never cancelled; keep the state directory"
    if memory.echoes is False:
        return "id", "jobs are known by their ids in the state directory alone: without it nothing is created here"
    return "", "no job of this fleet has been seen here: the first create shows it, and a lost one is not sent again"


def _listing(facts: Facts) -> Finding:
    if "listing" in facts.errors:
        return Finding("listing", Can.NO, facts.errors["listing"], "nothing is created and nothing is cancelled here")
    if not facts.jobs:
        return Finding("listing", Can.YES, "it is empty", "it is walked to its end before anything is written")
    order = "newest first" if is_newest_first(facts.jobs) else "in another order"
    seen = f"jobs: {_whose(facts)}, pages: {facts.pages}, {order}"
    return Finding("listing", Can.YES, seen, "it is walked to its end before anything is written")


def _whose(facts: Facts) -> str:
    """How many jobs there are, and of them those that are this fleet's, or another's."""
    ours = {job.id for job in facts.jobs if job.belongs_to(facts.fleet) or job.id in facts.memory.records}
    others = sum(job.id not in ours and (job.marks is not None or job.id in facts.memory.others) for job in facts.jobs)
    rest = len(facts.jobs) - len(ours) - others
    return f"{len(facts.jobs)} (this fleet's {len(ours)}, other fleets' {others}, unmanaged {rest})"


def _retrieve(facts: Facts) -> Finding:
    means = "a job is looked at once more before it is cancelled", "no job is cancelled here"
    return _asked(facts, "retrieve", facts.shown is not None, *means)


def _metadata(facts: Facts) -> Finding:
    means = "a job bears our marks, whoever asks", "a job is known by the next best that comes back"
    if facts.memory.echoes is not None:
        seen = "our marks came back" if facts.memory.echoes else "jobs of ours came back without their marks"
        return _finding("metadata", facts.memory.echoes, seen, *means)
    others = sum(job.marks is not None for job in facts.jobs)
    if others or (facts.shown or {}).get("metadata"):
        return Finding("metadata", Can.YES, "that of other jobs comes back", means[0])
    return Finding("metadata", Can.UNKNOWN, "no job with any is listed", _LATER)


def _filter(facts: Facts) -> Finding:
    means = "no safety rests on it: whose a job is, is matched here"
    if "filter" in facts.errors:
        return Finding("filter", Can.NO, facts.errors["filter"], means)
    if facts.filters is None:
        return Finding("filter", Can.UNKNOWN, "no job with marks is listed", means)
    seen = "jobs are found by their metadata" if facts.filters else "jobs are not found by their metadata"
    return _finding("filter", facts.filters, seen, means, means)


def _seed(facts: Facts) -> Finding:
    means = "a lost create can be found again by it", "it is no trace of a job"
    if facts.memory.seeds:
        return Finding("seed", Can.YES, "the one that was sent came back", means[0])
    return _of_jobs(facts, "seed", lambda job: bool(job.seed), *means)


def _suffix(facts: Facts) -> Finding:
    found = sum(bool(job.suffix) for job in facts.jobs)
    if not found:
        return Finding("suffix", Can.UNKNOWN, "no job shows one", _LATER)
    seen = f"{found} of {len(facts.jobs)} jobs show one"
    return Finding("suffix", Can.YES, seen, "it tells apart what has the same seed")


def _training_file(facts: Facts) -> Finding:
    means = "an adopted job is compared by it", "what an adopted job was trained on cannot be checked"
    return _of_jobs(facts, "training_file", lambda job: bool(job.training_file), *means)


def _file_name(facts: Facts) -> Finding:
    means = "a job is known by it where its marks do not come back", "a job cannot be known by its file"
    if facts.memory.files or any(job.file_name for job in facts.jobs):
        return Finding("file_name", Can.YES, "that of a job's training file comes back", means[0])
    asked = [job for job in facts.jobs if job.marks is None]
    if facts.memory.echoes or not asked:
        return Finding("file_name", Can.UNKNOWN, "not asked", "where marks come back it is not needed")
    return Finding("file_name", Can.NO, f"none of {len(asked)} jobs leads to one", means[1])


def _method(facts: Facts) -> Finding:
    means = "a job that is trained otherwise than asked is noticed", "a method that a gateway drops goes unnoticed"
    if facts.shown is None:
        return Finding("method", Can.UNKNOWN, "no job to look at", _LATER)
    method = facts.shown.get("method")
    kind = method.get("type") if isinstance(method, Mapping) else None
    return _finding("method", kind in METHODS, "shown" if kind in METHODS else "not shown", *means)


def _events(facts: Facts) -> Finding:
    means = "how far a job is, is read from them", "how far a job is cannot be told"
    return _asked(facts, "events", "events" in facts.answered, *means)


def _checkpoints(facts: Facts) -> Finding:
    return _asked(
        facts, "checkpoints", "checkpoints" in facts.answered, "they are shown", "none are shown; no safety lost"
    )


def _files(facts: Facts) -> Finding:
    means = (
        "a training file that is there is not uploaded again",
        "training files are uploaded again where it is needed",
    )
    return _asked(facts, "files", "files" in facts.answered, *means)


def _models(facts: Facts) -> Finding:
    means = "whether a model exists can be looked up", "whether a model exists cannot be looked up; no safety lost"
    return _asked(facts, "models", "models" in facts.answered, *means)


_ROWS: tuple[Callable[[Facts], Finding], ...] = (
    _listing,
    _retrieve,
    _metadata,
    _filter,
    _seed,
    _suffix,
    _training_file,
    _file_name,
    _method,
    _events,
    _checkpoints,
    _files,
    _models,
)


def _finding(capability: str, can: bool, seen: str, if_so: str, if_not: str) -> Finding:
    return Finding(capability, Can.YES if can else Can.NO, seen, if_so if can else if_not)


def _asked(facts: Facts, capability: str, answered: bool, if_so: str, if_not: str) -> Finding:
    """What a read of its own has shown; without a job to ask about, nothing."""
    if capability in facts.errors:
        return Finding(capability, Can.NO, facts.errors[capability], if_not)
    if not answered and capability in facts.memory.lacks:
        return Finding(capability, Can.NO, "a pass has found none", if_not)
    if not answered:
        return Finding(capability, Can.UNKNOWN, "not asked", _LATER)
    return Finding(capability, Can.YES, "answered", if_so)


def _of_jobs(facts: Facts, capability: str, shows: Callable[[Job], bool], if_so: str, if_not: str) -> Finding:
    """What the listed jobs show of a field that every job has."""
    if not facts.jobs:
        return Finding(capability, Can.UNKNOWN, "no job is listed", _LATER)
    found = sum(map(shows, facts.jobs))
    return _finding(capability, found > 0, f"{found} of {len(facts.jobs)} jobs show it", if_so, if_not)


def advice(diagnosis: Diagnosis) -> Iterator[str]:
    """What a person can do about it."""
    if diagnosis.identity in {"seed", "id"}:
        yield "keep the state directory of this fleet, or reach the server by a route that keeps metadata"
    if any(f.capability == "listing" for f in diagnosis.missing):
        yield "check the base URL, the key and the project; --assume says what a server of its own ways does not show"
