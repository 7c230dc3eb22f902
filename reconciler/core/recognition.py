"""Whose job is it? The jobs of a listing, by the name each stands for.

Pure. `World.cases` is built on `recognise`. A job is known by what a person said, by its marks, by what is remembered,
or, on a server that drops metadata, by its seed. Marks may also be those of its training file's name (`file_marks`).
Nothing in here says what to do with it.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from reconciler.core.body import alike, derived_seed, same_suffix
from reconciler.core.desired import Desired
from reconciler.core.documents import content_of
from reconciler.core.file_marks import marks_of_file, on_another_file
from reconciler.core.job import Job, Marks
from reconciler.core.memory import Memory, Record

# Attempts that are looked for beyond those that failures explain: one after each cancel that was taken back.
_FURTHER_ATTEMPTS = 10


class NamedJob(Struct, frozen=True, gc=False):
    """A job as the decision sees it: whose revision and attempt it stands for."""

    job: Job
    revision: str
    attempt: int
    ours: bool  # carries our fleet's marks: only such a job may be cancelled
    adopted: bool  # a manifest's `policy.adopt` names it

    @property
    def live(self) -> bool:
        return self.job.live


class Listing(Struct, frozen=True):
    """All that tells whose a job is. ``jobs`` is a complete listing, and what was looked up beside it."""

    fleet: str
    desired: Mapping[str, Desired]
    jobs: tuple[Job, ...]
    memory: Memory

    def owns(self, job: Job) -> bool:
        """Whether it carries this fleet's mark."""
        return job.belongs_to(self.fleet)

    def tells_nothing_of(self, job: Job) -> bool:
        """Whether it may be anybody's: a file's name says whose it is only where names have been seen to come back."""
        if job.id in self.memory.others:
            return False
        return job.marks is None and not (self.memory.files and job.file_name)


class Recognised(Struct, frozen=True):
    """The jobs of a listing by name, the oldest first.

    ``suspects`` carry no marks, and each might be a job of its name's present revision. ``anonymous``: jobs of unknown
    origin are listed with nothing to know them by but their ids, and no job shows more. ``unproven`` are live on a file
    of a spec that nobody here remembers, so that nobody can say whether their seed is the one that was sent.
    """

    by_name: Mapping[str, tuple[NamedJob, ...]]
    suspects: Mapping[str, tuple[Job, ...]]
    unproven: Mapping[str, tuple[NamedJob, ...]]
    anonymous: bool


def recognise(listing: Listing) -> Recognised:
    """Group the jobs by the name they stand for."""
    by_name, strangers = _attributed(listing)
    traces = _traces(listing, strangers)
    for name, one in _by_seed(strangers, traces):
        by_name[name].append(one)
    return Recognised(
        by_name={name: tuple(sorted(jobs, key=lambda n: n.job.age_key)) for name, jobs in by_name.items()},
        suspects={name: tuple(jobs) for name, jobs in _suspects(listing, strangers, traces).items()},
        unproven={name: tuple(jobs) for name, jobs in _unproven(listing, strangers).items()},
        anonymous=any(map(listing.tells_nothing_of, strangers)) and not any(job.seed for job in listing.jobs),
    )


def _attributed(listing: Listing) -> tuple[defaultdict[str, list[NamedJob]], tuple[Job, ...]]:
    """By name, the jobs that stand for it because somebody or something says so; and all the others."""
    adopters = {d.policy.adopt.job_id: d for d in listing.desired.values() if d.policy.adopt}
    by_name: defaultdict[str, list[NamedJob]] = defaultdict(list)
    strangers: list[Job] = []
    for job in sorted(listing.jobs, key=lambda j: j.age_key):
        record = listing.memory.records.get(job.id)
        adopter, ours = adopters.get(job.id), listing.owns(job)
        if adopter is not None and ours and is_of_another(job, adopter.name, listing.desired):
            adopter = None
        found = _stands_for(job, adopter, record, ours=ours)
        if found is None:
            strangers.append(job)
        else:
            name, one = found
            by_name[name].append(one)
    return by_name, tuple(strangers)


def is_of_another(job: Job, name: str, desired: Container[str]) -> bool:
    """Whether a job of this fleet bears the name of another manifest that is there, whose job would be made anew."""
    return job.marks is not None and job.marks.name != name and job.marks.name in desired


def _stands_for(job: Job, adopter: Desired | None, record: Record | None, *, ours: bool) -> tuple[str, NamedJob] | None:
    """The name a job counts for: a person said so, its marks say so, or the journal remembers it."""
    if adopter is not None and adopter.policy.adopt is not None:
        attempt = job.marks.attempt if ours and job.marks else 0
        return adopter.name, NamedJob(job, adopter.policy.adopt.revision, attempt, ours=ours, adopted=True)
    if ours and job.marks is not None:
        return job.marks.name, NamedJob(job, job.marks.revision, job.marks.attempt, ours=True, adopted=False)
    if record is not None:
        # A server that drops or mangles metadata: the job we made there is known by its id, and never cancelled.
        return record.name, NamedJob(job, record.revision, record.attempt, ours=False, adopted=False)
    return None


class _Trace(Struct, frozen=True):
    """A create of ours that a server which drops metadata shows by its seed. ``sent``: what else of it is known."""

    marks: Marks
    sent: Mapping[str, object]
    derived: bool = True  # the seed follows from the marks; False: the manifest sets it
    filed: bool = False  # its file bears its name, for all that is known
    exact: bool = False  # it does, and names have been seen to come back

    def concerns(self, job: Job) -> bool:
        """Whether that job may be its own, as far as its file tells."""
        return not (self.filed and on_another_file(job, self.marks, exact=self.exact))

    def fits(self, job: Job) -> bool:
        """Whether that job can be its own. A derived seed is proof enough, unless the suffix says otherwise."""
        return same_suffix(self.sent, job) if self.derived else job.marks is None and alike(self.sent, job)


def _traces(listing: Listing, strangers: Iterable[Job]) -> Mapping[int, _Trace]:
    """By seed: the creates whose job may be among ``strangers``.

    Those of the present revisions only where this provider does not return our marks: who copies one of our jobs by
    hand copies its seed. A lost create is looked for by its seed anywhere, since nobody has seen its job to copy it.
    """
    shown = Counter(job.seed for job in strangers)
    if not any(shown):
        return {}
    memory, fleet = listing.memory, listing.fleet
    wanted = () if memory.echoes else tuple(d for d in listing.desired.values() if _set_seed(d) is None)
    traces = {
        derived_seed(marks): _Trace(marks, d.body, filed=d.training is not None)
        for d in wanted
        for marks in _attempts(d, fleet, shown)
    }
    lost = Counter(intent.seed for intent in memory.intents.values())
    for intent in memory.intents.values():
        marks = Marks(fleet, intent.name, intent.revision, intent.attempt)
        derived = intent.seed == derived_seed(marks)
        # No create is sent while a listed job looks like its own (row 14). A single one that came since is ours.
        alone = not memory.echoes and lost[intent.seed] == shown[intent.seed] == 1
        if intent.seed is not None and (derived or alone):
            sent = _sent(listing, intent.name, intent.revision)
            traces[intent.seed] = _Trace(marks, sent, derived, filed=intent.filed, exact=memory.files)
    return traces


def _attempts(desired: Desired, fleet: str, shown: Mapping[int | None, int]) -> Iterator[Marks]:
    """Those of its present revision: so many, and as many again after each that a job shows."""
    attempt, last = 1, desired.policy.retries + _FURTHER_ATTEMPTS
    while attempt < last:
        marks = Marks(fleet, desired.name, desired.revision, attempt)
        yield marks
        attempt += 1
        if derived_seed(marks) in shown:
            last = max(last, attempt + _FURTHER_ATTEMPTS)


def _sent(listing: Listing, name: str, revision: str) -> Mapping[str, object]:
    """What its create said of suffix, model and training file, as far as this run knows."""
    desired = listing.desired.get(name)
    if desired is not None and desired.revision == revision:
        return desired.body
    return listing.memory.wanted.get((name, revision)) or {}


def _set_seed(desired: Desired) -> int | None:
    """The seed that its manifest sets."""
    seed = desired.body.get("seed")
    return seed if isinstance(seed, int) else None


def sent_seed(memory: Memory, fleet: str, record: Record) -> int:
    """The seed that was sent for a recorded job."""
    seed = (memory.wanted.get((record.name, record.revision)) or {}).get("seed")
    return seed if isinstance(seed, int) else derived_seed(Marks(fleet, record.name, record.revision, record.attempt))


def _by_seed(strangers: Iterable[Job], traces: Mapping[int, _Trace]) -> list[tuple[str, NamedJob]]:
    """The weaker trace: jobs as what their seed says that they are. Such a job is kept, and never cancelled."""
    found = ((job, traces.get(job.seed)) for job in strangers if job.seed is not None)
    return [
        (trace.marks.name, NamedJob(job, trace.marks.revision, trace.marks.attempt, ours=False, adopted=False))
        for job, trace in found
        if trace is not None and trace.concerns(job) and trace.fits(job)
    ]


def _suspects(listing: Listing, strangers: Iterable[Job], traces: Mapping[int, _Trace]) -> Mapping[str, list[Job]]:
    """By name: jobs of which nobody can say whether they are its own, where this provider does not return our marks.

    A seed that a manifest sets may have been set by others too; one that we derived comes back with another suffix.
    """
    suspects: defaultdict[str, list[Job]] = defaultdict(list)
    if listing.memory.echoes:
        return suspects
    by_seed: defaultdict[int | None, list[Job]] = defaultdict(list)
    for job in (j for j in strangers if j.marks is None):
        trace = None if job.seed is None else traces.get(job.seed)
        if trace is None or not trace.concerns(job):
            by_seed[job.seed].append(job)
        elif not trace.fits(job):
            suspects[trace.marks.name].append(job)
    for name, desired in listing.desired.items():
        seed = _set_seed(desired)
        if seed is not None:
            alike_ones = (job for job in by_seed[seed] if alike(desired.body, job))
            suspects[name] += (j for j in alike_ones if _may_be_file(j, desired, files=listing.memory.files))
    for name, job in _on_our_files(listing, strangers):
        suspects[name].append(job)
    return suspects


def _on_our_files(listing: Listing, strangers: Iterable[Job]) -> Iterator[tuple[str, Job]]:
    """Jobs without marks on the file of a present revision, each with its name: ours, or a person's on our file.

    Where seeds have been seen to come back as they were sent, another one is a person's.
    """
    exact = _returns_seeds(listing.memory, listing.jobs, listing.fleet)
    for job in strangers:
        marks = marks_of_file(job.file_name) if job.marks is None and job.file_name else None
        desired = listing.desired.get(marks.name) if marks is not None else None
        if marks is None or desired is None or (marks.fleet, marks.revision) != (listing.fleet, desired.revision):
            continue
        if not (exact and job.seed):
            yield desired.name, job


def _unproven(listing: Listing, strangers: Iterable[Job]) -> Mapping[str, list[NamedJob]]:
    """By name: they may be ours or a person's. Nothing follows from them but a line that says so."""
    found: defaultdict[str, list[NamedJob]] = defaultdict(list)
    memory = listing.memory
    for job in strangers:
        marks = marks_of_file(job.file_name) if job.live and job.marks is None and job.file_name else None
        if marks is None or marks.fleet != listing.fleet or memory.wanted.get((marks.name, marks.revision)):
            continue
        desired, intent = listing.desired.get(marks.name), memory.intents.get(marks.name)
        if marks.revision not in {desired and desired.revision, intent and intent.revision}:
            found[marks.name].append(NamedJob(job, marks.revision, marks.attempt, ours=False, adopted=False))
    return found


def _may_be_file(job: Job, desired: Desired, *, files: bool) -> bool:
    """Whether its training file can be the manifest's, where names have been seen to come back (``files``)."""
    known = files and job.file_name and desired.training is not None
    return not known or (
        desired.training is not None and content_of(job.file_name) == content_of(desired.training.upload_name)
    )


def learned(memory: Memory, listed: Iterable[Job], fleet: str) -> Memory:
    """With what these jobs say of how this provider lets a job be known again."""
    jobs = tuple(listed)
    echoes = _echoes(memory, jobs, fleet)
    files = memory.files or any(job.by_file and job.belongs_to(fleet) for job in jobs)
    return replace(
        memory, echoes=echoes, files=not echoes and files, seeds=not echoes and _returns_seeds(memory, jobs, fleet)
    )


def _echoes(memory: Memory, listed: Iterable[Job], fleet: str) -> bool | None:
    """Whether this provider returns our marks; once seen it stays: one lost pair proves nothing.

    Those of another fleet prove nothing either: its jobs may have been made by another way than ours.
    """
    if memory.echoes:
        return True
    ours = [job for job in listed if job.belongs_to(fleet)]
    if any(not job.by_file for job in ours):
        return True
    # Attempt 0 is an adopted job, which somebody else made without our marks.
    if ours or any(job.id in memory.records and memory.records[job.id].attempt > 0 for job in listed):
        return False
    return memory.echoes


def _returns_seeds(memory: Memory, listed: Iterable[Job], fleet: str) -> bool:
    """Whether this provider's listing shows a job of ours with the seed that was sent; once seen it stays."""
    if memory.seeds or any(job.by_file and job.seed and job.belongs_to(fleet) for job in listed):
        return True
    records = ((memory.records.get(job.id), job.seed) for job in listed)
    # 0 is what some servers show whatever was sent. Attempt 0 is an adopted job, which somebody else made.
    return any(r and r.attempt > 0 and seed and seed == sent_seed(memory, fleet, r) for r, seed in records)
