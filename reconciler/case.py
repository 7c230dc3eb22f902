"""Whose job is it? Every job, record and manifest, grouped by the name it stands for.

Pure. `plan` decides over a `Case` for each name; `reconcile` asks here which recorded jobs a listing
ought to show and which lost creates it resolves. Nothing in here says what to do.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from reconciler.body import derived_seed
from reconciler.change import Reason
from reconciler.job import Job, Marks
from reconciler.manifest import Desired, Policy
from reconciler.world import Memory, Record, World


@dataclass(frozen=True, slots=True)
class Known:
    """A job as the decision sees it: whose revision and attempt it stands for."""

    job: Job
    revision: str
    attempt: int
    ours: bool  # carries our fleet's marks: only such a job may be cancelled
    adopted: bool  # a manifest's `policy.adopt` names it

    @property
    def live(self) -> bool:
        return self.job.live


class By(StrEnum):
    """Who ended a job, as history says it."""

    RECONCILER = "reconciler"  # by a cancel that this state directory recorded
    PROVIDER = "provider"  # it ran to its end, or broke
    OTHERS = "somebody else"  # a person, or a run with another state directory


@dataclass(frozen=True, slots=True)
class End:
    """How a job ended, as far as it is known here; ``by`` None: not known here. ``at`` is in Unix seconds."""

    by: By | None
    reason: str
    at: int | None


@dataclass(frozen=True, slots=True)
class Case:
    """One name and everything its row depends on; ``known`` holds the oldest first."""

    name: str
    world: World
    desired: Desired | None
    known: tuple[Known, ...]
    records: tuple[Record, ...] = ()  # what the journal holds of this name
    once_wanted: bool = False  # some revision of this name is among what `wanted_here` says

    @property
    def policy(self) -> Policy:
        """The manifest's policy; row 5 has taken the names without a manifest before anyone asks."""
        return self.desired.policy if self.desired else Policy()

    @property
    def revision(self) -> str | None:
        """The revision its manifest has now."""
        return self.desired.revision if self.desired else None

    @property
    def live(self) -> tuple[Known, ...]:
        return tuple(k for k in self.known if k.live)

    @property
    def current(self) -> tuple[Known, ...]:
        """The jobs that stand for the revision the manifest has now."""
        return tuple(k for k in self.known if k.revision == self.revision)

    @property
    def others(self) -> tuple[Known, ...]:
        """Live jobs of other revisions."""
        return tuple(k for k in self.live if k.revision != self.revision)

    @property
    def succeeded(self) -> tuple[Known, ...]:
        """Those of them that succeeded; the one to keep and to build on comes first: the adopted, else the oldest."""
        return tuple(sorted((k for k in self.current if k.job.succeeded), key=lambda k: not k.adopted))

    @property
    def producer(self) -> Known | None:
        """The job whose model is the present revision's."""
        return next((k for k in self.succeeded if k.job.fine_tuned_model), None)

    @property
    def latest(self) -> Known | None:
        """The latest attempt: of several, the succeeded, else the live, else the oldest.

        A duplicate that was cancelled to leave one says nothing of its revision, unless there is nothing else.
        """
        cancels = self.world.memory.cancels
        healed = {i for k in self.current if (i := k.job.id) in cancels and cancels[i].reason == Reason.DUPLICATE}
        counted = tuple(k for k in self.current if k.job.id not in healed or not k.job.cancelled) or self.current
        top = max((k.attempt for k in counted), default=None)
        ranked = sorted(counted, key=lambda k: (k.attempt != top, not k.job.succeeded, not k.live))
        return next(iter(ranked), None)


def lookups(world: World) -> tuple[str, ...]:
    """Job ids that deserve a GET: a complete listing ought to show them (row 3), or shows live what we cancelled."""
    listed = {job.id for job in world.jobs}
    cancels = world.memory.cancels
    # A listing may lag behind a cancel; only a fresh look may say that it did not take.
    doubted = {job.id for job in world.jobs if job.live and job.id in cancels and not cancels[job.id].left}
    expected = {r.job_id for r in world.memory.records.values() if must_exist(world, r)}
    expected |= {d.policy.adopt.job_id for d in world.desired.values() if d.policy.adopt}
    return tuple(sorted((expected - listed) | doubted))


def resolved_intents(world: World) -> Mapping[str, str | None]:
    """Unresolved creates that this listing resolves: name → the job's id, or None for "did not happen"."""
    if not world.memory.intents:
        return {}
    cases, _ = cases_of(world)
    found: dict[str, str | None] = {}
    for name in world.memory.intents:
        case = cases[name]
        job = job_of_intent(case)
        if job is not None:
            found[name] = job.job.id
        elif name in world.settled and world.memory.echoes:
            found[name] = None
    return found


def ended_by_us(memory: Memory, job: Job) -> bool:
    """Whether it ended by a cancel that this state directory recorded."""
    own = memory.cancels.get(job.id)
    return job.cancelled and own is not None and own.counts


def end_of(memory: Memory, job: Job) -> End:
    """Who ended it, and why; to be asked of a job that is not live."""
    if not job.cancelled:
        return End(By.PROVIDER, Reason.SUCCEEDED if job.succeeded else Reason.FAILED, job.finished_at)
    own = memory.cancels.get(job.id)
    if own is not None and own.counts:
        return End(By.RECONCILER, own.reason, job.finished_at or own.sent_at)
    record = memory.records.get(job.id)
    witnessed = own is not None or (not record.ended_before if record is not None else memory.known)
    return End(By.OTHERS if witnessed else None, Reason.CANCELLED, job.finished_at)


def must_exist(world: World, record: Record) -> bool:
    desired = world.desired.get(record.name)
    return record.live or (desired is not None and desired.revision == record.revision)


def cases_of(world: World) -> tuple[dict[str, Case], int]:
    """Group the jobs by the name they stand for; count the rest as unmanaged."""
    adopters = {d.policy.adopt.job_id: d for d in world.desired.values() if d.policy.adopt}
    seeds = _seeds(world)
    known: defaultdict[str, list[Known]] = defaultdict(list)
    unmanaged = 0
    for job in sorted(world.jobs, key=lambda j: j.age_key):
        ours = world.owns(job)
        unmanaged += not ours
        standing = _stands_for(job, adopters.get(job.id), world.memory.records.get(job.id), seeds, ours=ours)
        if standing is not None:
            known[standing[0]].append(standing[1])
    records: defaultdict[str, list[Record]] = defaultdict(list)
    for record in world.memory.records.values():
        records[record.name].append(record)
    missing = {r.name for r in world.memory.records.values() if r.job_id in world.missing | world.unseen}
    once_wanted = {name for name, revision in world.memory.wanted if wanted_here(world.memory, name, revision)}
    names = set(world.desired) | set(known) | set(world.memory.intents) | world.broken | missing
    cases = {
        name: Case(
            name,
            world,
            world.desired.get(name),
            tuple(known.get(name, ())),
            tuple(records.get(name, ())),
            once_wanted=name in once_wanted,
        )
        for name in names
    }
    return cases, unmanaged


def _seeds(world: World) -> Mapping[int, Desired]:
    """By the seed that is derived for attempt 1 of each desired job; none where this provider returns our marks.

    A seed that a manifest sets says nothing of whose job it is: others, gone by now perhaps, may have set it too.
    """
    if world.memory.echoes:
        return {}
    derived = (d for d in world.desired.values() if not isinstance(d.body.get("seed"), int))
    return {derived_seed(Marks(world.fleet.name, d.name, d.revision, 1)): d for d in derived}


def _by_seed(job: Job, seeds: Mapping[int, Desired]) -> tuple[str, Known] | None:
    """A job that came back without any marks, as what its seed, model and suffix say that it is.

    The weaker trace, on a server that drops metadata; such a job is kept and never cancelled.
    """
    desired = seeds.get(job.seed) if job.seed is not None else None
    if desired is None or job.suffix != desired.body.get("suffix"):
        return None
    model = desired.body.get("model")
    if isinstance(model, str) and not job.model.startswith(model):
        return None
    return desired.name, Known(job, desired.revision, 1, ours=False, adopted=False)


def _stands_for(
    job: Job, adopter: Desired | None, record: Record | None, seeds: Mapping[int, Desired], *, ours: bool
) -> tuple[str, Known] | None:
    """The name a job counts for: a person said so, its marks say so, the journal remembers it, or its seed says so."""
    if adopter is not None and adopter.policy.adopt is not None:
        attempt = job.marks.attempt if ours and job.marks else 0
        return adopter.name, Known(job, adopter.policy.adopt.revision, attempt, ours=ours, adopted=True)
    if ours and job.marks is not None:
        return job.marks.name, Known(job, job.marks.revision, job.marks.attempt, ours=True, adopted=False)
    if job.marks is None and record is None:
        return _by_seed(job, seeds)
    if job.marks is None and record is not None:
        # A server that drops metadata: the job we made there is known by its id, and never cancelled.
        return record.name, Known(job, record.revision, record.attempt, ours=False, adopted=False)
    return None


def job_of_intent(case: Case) -> Known | None:
    """The job that an unresolved create made: by its marks, or because a person said so."""
    intent = case.world.memory.intents[case.name]
    return next(
        (
            k
            for k in case.known
            if k.revision == intent.revision and (k.adopted or (k.ours and k.attempt == intent.attempt))
        ),
        None,
    )


def wanted_here(memory: Memory, name: str, revision: str) -> bool:
    """Whether this directory once asked for it; in a run without memory, only what this run has read itself."""
    key = (name, revision)
    return key in memory.wanted and (memory.known or memory.wanted[key] is not None)
