"""Whose job is it? Every job, record and manifest, grouped by the name it stands for.

Pure. `plan` decides over a `Case` for each name; `reconcile` asks here which recorded jobs a listing
ought to show and which lost creates it resolves. Nothing in here says what to do.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from reconciler.core.body import alike, derived_seed, same_suffix
from reconciler.core.job import Job, Marks
from reconciler.core.manifest import Desired, Policy
from reconciler.core.reason import Reason
from reconciler.core.world import Intent, Memory, Record, World

# Attempts that are looked for beyond those that failures explain: one after each cancel that was taken back.
_FURTHER_ATTEMPTS = 10


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
    suspects: tuple[Job, ...] = ()  # without marks: each might be a job of its present revision
    anonymous: bool = False  # jobs of unknown origin are listed, and no job with anything to know it by but its id

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
        elif name in world.settled and world.memory.finds_lost_jobs and not suspects_of_intent(world, name):
            found[name] = None
    return found


def found_without_marks(world: World, resolved: Mapping[str, str | None]) -> Mapping[str, Record]:
    """The jobs of resolved creates that do not carry our marks, as they are remembered from here on: by their ids."""
    jobs = {job.id: job for job in world.jobs}
    found = ((world.memory.intents[name], jobs[job_id]) for name, job_id in resolved.items() if job_id is not None)
    return {
        job.id: Record(job.id, intent.name, intent.revision, intent.attempt, job.live)
        for intent, job in found
        if not world.owns(job)
        and not any(d.policy.adopt and d.policy.adopt.job_id == job.id for d in world.desired.values())
    }


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
    known: defaultdict[str, list[Known]] = defaultdict(list)
    standing, strangers = _standing(world)
    traces = _traces(world, strangers)
    suspects = _suspects(world, strangers, traces)
    for name, one in (*standing, *_by_seed(strangers, traces)):
        known[name].append(one)
    records: defaultdict[str, list[Record]] = defaultdict(list)
    for record in world.memory.records.values():
        records[record.name].append(record)
    missing = {r.name for r in world.memory.records.values() if r.job_id in world.missing | world.unseen}
    once_wanted = {name for name, revision in world.memory.wanted if wanted_here(world.memory, name, revision)}
    names = set(world.desired) | set(known) | set(world.memory.intents) | world.broken | missing
    anonymous = any(job.marks is None for job in strangers) and not any(job.seed for job in world.jobs)
    cases = {
        name: Case(
            name,
            world,
            world.desired.get(name),
            tuple(sorted(known.get(name, ()), key=lambda k: k.job.age_key)),
            tuple(records.get(name, ())),
            once_wanted=name in once_wanted,
            suspects=tuple(suspects.get(name, ())),
            anonymous=anonymous,
        )
        for name in names
    }
    return cases, sum(not world.owns(job) for job in world.jobs)


def _standing(world: World) -> tuple[list[tuple[str, Known]], tuple[Job, ...]]:
    """The jobs that stand for a name because somebody or something says so, with it; and all the others."""
    adopters = {d.policy.adopt.job_id: d for d in world.desired.values() if d.policy.adopt}
    standing: list[tuple[str, Known]] = []
    strangers: list[Job] = []
    for job in sorted(world.jobs, key=lambda j: j.age_key):
        record = world.memory.records.get(job.id)
        found = _stands_for(job, adopters.get(job.id), record, ours=world.owns(job))
        if found is None:
            strangers.append(job)
        else:
            standing.append(found)
    return standing, tuple(strangers)


def _stands_for(job: Job, adopter: Desired | None, record: Record | None, *, ours: bool) -> tuple[str, Known] | None:
    """The name a job counts for: a person said so, its marks say so, or the journal remembers it."""
    if adopter is not None and adopter.policy.adopt is not None:
        attempt = job.marks.attempt if ours and job.marks else 0
        return adopter.name, Known(job, adopter.policy.adopt.revision, attempt, ours=ours, adopted=True)
    if ours and job.marks is not None:
        return job.marks.name, Known(job, job.marks.revision, job.marks.attempt, ours=True, adopted=False)
    if record is not None:
        # A server that drops or mangles metadata: the job we made there is known by its id, and never cancelled.
        return record.name, Known(job, record.revision, record.attempt, ours=False, adopted=False)
    return None


# ── jobs without our marks ───────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Trace:
    """A create of ours that a server which drops metadata shows by its seed. ``sent``: what else of it is known."""

    name: str
    revision: str
    attempt: int
    sent: Mapping[str, object]
    derived: bool = True  # the seed follows from the marks; False: the manifest sets it

    def fits(self, job: Job) -> bool:
        """Whether that job can be its own. A derived seed is proof enough, unless the suffix says otherwise."""
        return same_suffix(self.sent, job) if self.derived else job.marks is None and alike(self.sent, job)


def _traces(world: World, strangers: Iterable[Job]) -> Mapping[int, _Trace]:
    """By seed: the creates whose job may be among ``strangers``.

    Those of the present revisions only where this provider does not return our marks: who copies one of our jobs by
    hand copies its seed. A lost create is looked for by its seed anywhere, since nobody has seen its job to copy it.
    """
    shown = Counter(job.seed for job in strangers)
    if not any(shown):
        return {}
    memory, fleet = world.memory, world.fleet.name
    wanted = () if memory.echoes else tuple(d for d in world.desired.values() if _set_seed(d) is None)
    traces = {
        derived_seed(Marks(fleet, d.name, d.revision, attempt)): _Trace(d.name, d.revision, attempt, d.body)
        for d in wanted
        for attempt in range(1, d.policy.retries + _FURTHER_ATTEMPTS)
    }
    lost = Counter(intent.seed for intent in memory.intents.values())
    for intent in memory.intents.values():
        derived = intent.seed == derived_seed(Marks(fleet, intent.name, intent.revision, intent.attempt))
        # No create is sent while a job is listed that looks like its own (row 14): one that has come since, alone, is.
        alone = not memory.echoes and lost[intent.seed] == shown[intent.seed] == 1
        if intent.seed is not None and (derived or alone):
            sent = _sent(world, intent.name, intent.revision)
            traces[intent.seed] = _Trace(intent.name, intent.revision, intent.attempt, sent, derived)
    return traces


def _sent(world: World, name: str, revision: str) -> Mapping[str, object]:
    """What its create said of suffix, model and training file, as far as this run knows."""
    desired = world.desired.get(name)
    if desired is not None and desired.revision == revision:
        return desired.body
    return world.memory.wanted.get((name, revision)) or {}


def _set_seed(desired: Desired) -> int | None:
    """The seed that its manifest sets."""
    seed = desired.body.get("seed")
    return seed if isinstance(seed, int) else None


def sent_seed(memory: Memory, fleet: str, record: Record) -> int:
    """The seed that was sent for a recorded job."""
    told = (memory.wanted.get((record.name, record.revision)) or {}).get("seed")
    return told if isinstance(told, int) else derived_seed(Marks(fleet, record.name, record.revision, record.attempt))


def _by_seed(strangers: Iterable[Job], traces: Mapping[int, _Trace]) -> list[tuple[str, Known]]:
    """The weaker trace: jobs as what their seed says that they are. Such a job is kept, and never cancelled."""
    found = ((job, traces.get(job.seed)) for job in strangers if job.seed is not None)
    return [
        (trace.name, Known(job, trace.revision, trace.attempt, ours=False, adopted=False))
        for job, trace in found
        if trace is not None and trace.fits(job)
    ]


def _suspects(world: World, strangers: Iterable[Job], traces: Mapping[int, _Trace]) -> Mapping[str, list[Job]]:
    """By name: jobs of which nobody can say whether they are its own, where this provider does not return our marks.

    A seed that a manifest sets may have been set by others too; one that we derived comes back with another suffix.
    """
    suspects: defaultdict[str, list[Job]] = defaultdict(list)
    if world.memory.echoes:
        return suspects
    by_seed: defaultdict[int | None, list[Job]] = defaultdict(list)
    for job in (j for j in strangers if j.marks is None):
        trace = None if job.seed is None else traces.get(job.seed)
        if trace is None:
            by_seed[job.seed].append(job)
        elif not trace.fits(job):
            suspects[trace.name].append(job)
    for name, desired in world.desired.items():
        seed = _set_seed(desired)
        if seed is not None:
            suspects[name] += (job for job in by_seed[seed] if alike(desired.body, job))
    return suspects


def suspects_of_intent(world: World, name: str) -> tuple[Job, ...]:
    """Jobs without marks that carry the seed of an unresolved create, where nothing better tells whose they are."""
    intent, records = world.memory.intents[name], world.memory.records
    if world.memory.echoes or intent.seed is None:
        return ()
    jobs = sorted(world.jobs, key=lambda j: j.age_key)
    return tuple(j for j in jobs if j.seed == intent.seed and j.id not in records and not world.owns(j))


def job_of_intent(case: Case) -> Known | None:
    """The job that an unresolved create made: by its marks, record or seed, or because a person said so."""
    intent = case.world.memory.intents[case.name]
    return next((k for k in case.known if k.revision == intent.revision and _made_by(k, intent)), None)


def _made_by(known: Known, intent: Intent) -> bool:
    return known.adopted or known.attempt == intent.attempt


def wanted_here(memory: Memory, name: str, revision: str) -> bool:
    """Whether this directory once asked for it; in a run without memory, only what this run has read itself."""
    key = (name, revision)
    return key in memory.wanted and (memory.known or memory.wanted[key] is not None)
