"""What a server can do, as far as a look at it tells, and what that means for the two promises.

Pure. `doctor` fills `Reads` from requests that change nothing, and shows what `diagnose` makes of them. No decision
uses this: a pass asks `recognition` and the journal's memory, which this only puts into words.
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


class Capability(Struct, frozen=True):
    """What a server does, or does not: ``seen`` is what was found out, ``means`` what follows from it."""

    name: str
    can: Can
    seen: str
    means: str


# What follows from a capability that nothing has shown yet.
_LATER = "known once there is a job of this fleet"


class Reads(Struct, frozen=True):
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
    capabilities: tuple[Capability, ...]

    @property
    def missing(self) -> tuple[Capability, ...]:
        return tuple(one for one in self.capabilities if one.can is Can.NO)


def diagnose(reads: Reads) -> Diagnosis:
    """Put it into words."""
    identity, means = _identity(reads)
    return Diagnosis(identity, means, tuple(row(reads) for row in _ROWS))


def _identity(reads: Reads) -> tuple[str, str]:
    memory = reads.memory
    if memory.echoes:
        return "marks", "every promise holds here, also without the state directory"
    if memory.files:
        return "file", "jobs are known by their training file's name, and by their seed where it comes back"
    if memory.seeds:
        return "seed", "jobs are known by their seed: they are kept and never cancelled; keep the state directory"
    if memory.echoes is False:
        return "id", "jobs are known by their ids in the state directory alone: without it nothing is created here"
    return "", "no job of this fleet has been seen here: the first create shows it, and a lost one is not sent again"


def _listing(reads: Reads) -> Capability:
    if "listing" in reads.errors:
        return Capability(
            "listing", Can.NO, reads.errors["listing"], "nothing is created and nothing is cancelled here"
        )
    if not reads.jobs:
        return Capability("listing", Can.YES, "it is empty", "it is walked to its end before anything is written")
    order = "newest first" if is_newest_first(reads.jobs) else "in another order"
    seen = f"jobs: {_whose(reads)}, pages: {reads.pages}, {order}"
    return Capability("listing", Can.YES, seen, "it is walked to its end before anything is written")


def _whose(reads: Reads) -> str:
    """How many jobs there are, and of them those that are this fleet's, or another's."""
    ours = {job.id for job in reads.jobs if job.belongs_to(reads.fleet) or job.id in reads.memory.records}
    others = sum(job.id not in ours and (job.marks is not None or job.id in reads.memory.others) for job in reads.jobs)
    rest = len(reads.jobs) - len(ours) - others
    return f"{len(reads.jobs)} (this fleet's {len(ours)}, other fleets' {others}, unmanaged {rest})"


def _retrieve(reads: Reads) -> Capability:
    means = "a job is looked at once more before it is cancelled", "no job is cancelled here"
    return _asked(reads, "retrieve", reads.shown is not None, *means)


def _metadata(reads: Reads) -> Capability:
    means = "a job bears our marks, whoever asks", "a job is known by the next best that comes back"
    if reads.memory.echoes is not None:
        seen = "our marks came back" if reads.memory.echoes else "jobs of ours came back without their marks"
        return _capability("metadata", reads.memory.echoes, seen, *means)
    others = sum(job.marks is not None for job in reads.jobs)
    if others or (reads.shown or {}).get("metadata"):
        return Capability("metadata", Can.YES, "that of other jobs comes back", means[0])
    return Capability("metadata", Can.UNKNOWN, "no job with any is listed", _LATER)


def _filter(reads: Reads) -> Capability:
    means = "no safety rests on it: whose a job is, is matched here"
    if "filter" in reads.errors:
        return Capability("filter", Can.NO, reads.errors["filter"], means)
    if reads.filters is None:
        return Capability("filter", Can.UNKNOWN, "no job with marks is listed", means)
    seen = "jobs are found by their metadata" if reads.filters else "jobs are not found by their metadata"
    return _capability("filter", reads.filters, seen, means, means)


def _seed(reads: Reads) -> Capability:
    means = "a lost create can be found again by it", "it is no trace of a job"
    if reads.memory.seeds:
        return Capability("seed", Can.YES, "the one that was sent came back", means[0])
    return _of_jobs(reads, "seed", lambda job: bool(job.seed), *means)


def _suffix(reads: Reads) -> Capability:
    found = sum(bool(job.suffix) for job in reads.jobs)
    if not found:
        return Capability("suffix", Can.UNKNOWN, "no job shows one", _LATER)
    seen = f"{found} of {len(reads.jobs)} jobs show one"
    return Capability("suffix", Can.YES, seen, "it tells apart what has the same seed")


def _training_file(reads: Reads) -> Capability:
    means = "an adopted job is compared by it", "what an adopted job was trained on cannot be checked"
    return _of_jobs(reads, "training_file", lambda job: bool(job.training_file), *means)


def _file_name(reads: Reads) -> Capability:
    means = "a job is known by it where its marks do not come back", "a job cannot be known by its file"
    if reads.memory.files or any(job.file_name for job in reads.jobs):
        return Capability("file_name", Can.YES, "that of a job's training file comes back", means[0])
    asked = [job for job in reads.jobs if job.marks is None]
    if reads.memory.echoes or not asked:
        return Capability("file_name", Can.UNKNOWN, "not asked", "where marks come back it is not needed")
    return Capability("file_name", Can.NO, f"none of {len(asked)} jobs leads to one", means[1])


def _method(reads: Reads) -> Capability:
    means = "a job that is trained otherwise than asked is noticed", "a method that a gateway drops goes unnoticed"
    if reads.shown is None:
        return Capability("method", Can.UNKNOWN, "no job to look at", _LATER)
    method = reads.shown.get("method")
    kind = method.get("type") if isinstance(method, Mapping) else None
    return _capability("method", kind in METHODS, "shown" if kind in METHODS else "not shown", *means)


def _events(reads: Reads) -> Capability:
    means = "how far a job is, is read from them", "how far a job is cannot be told"
    return _asked(reads, "events", "events" in reads.answered, *means)


def _checkpoints(reads: Reads) -> Capability:
    return _asked(
        reads, "checkpoints", "checkpoints" in reads.answered, "they are shown", "none are shown; no safety lost"
    )


def _files(reads: Reads) -> Capability:
    means = (
        "a training file that is there is not uploaded again",
        "training files are uploaded again where it is needed",
    )
    return _asked(reads, "files", "files" in reads.answered, *means)


def _models(reads: Reads) -> Capability:
    means = "whether a model exists can be looked up", "whether a model exists cannot be looked up; no safety lost"
    return _asked(reads, "models", "models" in reads.answered, *means)


_ROWS: tuple[Callable[[Reads], Capability], ...] = (
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


def _capability(capability: str, can: bool, seen: str, if_so: str, if_not: str) -> Capability:
    return Capability(capability, Can.YES if can else Can.NO, seen, if_so if can else if_not)


def _asked(reads: Reads, capability: str, answered: bool, if_so: str, if_not: str) -> Capability:
    """What a read of its own has shown; without a job to ask about, nothing."""
    if capability in reads.errors:
        return Capability(capability, Can.NO, reads.errors[capability], if_not)
    if not answered and capability in reads.memory.lacks:
        return Capability(capability, Can.NO, "a pass has found none", if_not)
    if not answered:
        return Capability(capability, Can.UNKNOWN, "not asked", _LATER)
    return Capability(capability, Can.YES, "answered", if_so)


def _of_jobs(reads: Reads, capability: str, shows: Callable[[Job], bool], if_so: str, if_not: str) -> Capability:
    """What the listed jobs show of a field that every job has."""
    if not reads.jobs:
        return Capability(capability, Can.UNKNOWN, "no job is listed", _LATER)
    found = sum(map(shows, reads.jobs))
    return _capability(capability, found > 0, f"{found} of {len(reads.jobs)} jobs show it", if_so, if_not)


def advice(diagnosis: Diagnosis) -> Iterator[str]:
    """What a person can do about it."""
    if diagnosis.identity in {"seed", "id"}:
        yield "keep the state directory of this fleet, or reach the server by a route that keeps metadata"
    if any(f.name == "listing" for f in diagnosis.missing):
        yield "check the base URL, the key and the project; --assume says what a server of its own ways does not show"
