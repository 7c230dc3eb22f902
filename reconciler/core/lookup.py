"""What a listing alone does not tell: which jobs deserve a look, and which lost creates it resolves.

Pure. `observe` and `reconcile` ask in here before anything is decided; `standing` asks for the job of a create whose
answer was lost. Nothing in here asks the provider.
"""

from collections.abc import Iterator, Mapping

from reconciler.core.adoption import borne_out
from reconciler.core.desired import Desired
from reconciler.core.fields import State
from reconciler.core.file_marks import on_another_file
from reconciler.core.job import Job, Marks
from reconciler.core.memory import Intent, Record
from reconciler.core.reason import Reason
from reconciler.core.recognition import NamedJob
from reconciler.core.world import Case, Moment, World


def lookups(world: World) -> tuple[str, ...]:
    """Job ids that deserve a GET: a listing ought to show them (row 3), or shows live what we cancelled or saw end."""
    cancels, records = world.memory.cancels, world.memory.records
    # A listing may lag behind a cancel; only a fresh look may say that it did not take.
    doubted = {job.id for job in world.jobs if job.live and job.id in cancels and not cancels[job.id].left}
    doubted |= {job.id for job in world.jobs if job.live and not job.paused and job.id in world.memory.pauses}
    ended = (job.id for job in world.jobs if job.live and (r := records.get(job.id)) is not None and not r.live)
    expected = {r.job_id for r in records.values() if must_exist(world, r)}
    expected |= {d.policy.adopt.job_id for d in world.desired.values() if d.policy.adopt}
    return tuple(sorted(expected.difference(job.id for job in world.jobs) | doubted.union(ended, _mute(world))))


def _mute(world: World) -> Iterator[str]:
    """Jobs that show no method in a listing, which may show less than a look at them alone: that one may tell.

    Such a look came before each cancel of ours, and need not come again.
    """
    cancels = world.memory.cancels.items()
    looked_at = {job_id for job_id, own in cancels if own.reason == Reason.METHOD_LOST and own.confirmed and own.counts}
    for case in world.cases.values():
        for n in case.jobs:
            if not n.job.training.method and n.job.id not in looked_at and case.lost(n):
                yield n.job.id


def resolved_intents(world: World) -> Mapping[str, str | None]:
    """Unresolved creates that this listing resolves: name → the job's id, or None for "did not happen"."""
    if not world.memory.intents:
        return {}
    found: dict[str, str | None] = {}
    for name in world.memory.intents:
        case = world.cases[name]
        job = job_of_intent(case)
        if job is not None:
            found[name] = job.job.id
        elif name in world.looked_for and not stays_unresolved(case):
            found[name] = None
    return found


def found_without_marks(world: World, resolved: Mapping[str, str | None]) -> Mapping[str, Record]:
    """The jobs of resolved creates that do not carry our marks, as they are remembered from here on: by their ids."""
    jobs = {job.id: job for job in world.jobs}
    found = ((world.memory.intents[name], jobs[job_id]) for name, job_id in resolved.items() if job_id is not None)
    adopters = {d.policy.adopt.job_id: d for d in world.desired.values() if d.policy.adopt}
    return {
        job.id: Record(job.id, intent.name, intent.revision, attempt, job.live)
        for intent, job in found
        if not world.owns(job) and (attempt := _attempt_of(intent, adopters.get(job.id))) is not None
    }


def _attempt_of(intent: Intent, adopter: Desired | None) -> int | None:
    """As which attempt its job is remembered; None where a person said that it is what the manifest wants now.

    A person who named it for the spec that was sent, and has changed the manifest since, is borne out by the intent.
    """
    if adopter is None:
        return intent.attempt
    return 0 if adopter.name == intent.name and adopter.revision != intent.revision else None


def must_exist(world: Moment, record: Record) -> bool:
    desired = world.desired.get(record.name)
    return record.live or (desired is not None and desired.revision == record.revision)


def suspects_of_intent(world: Moment, name: str) -> tuple[Job, ...]:
    """Jobs without marks that carry the seed of an unresolved create, where nothing better tells whose they are."""
    intent, records = world.memory.intents[name], world.memory.records
    if world.memory.echoes or intent.seed is None:
        return ()
    jobs = sorted(world.jobs, key=lambda j: j.age_key)
    strangers = (j for j in jobs if j.seed == intent.seed and j.id not in records and not world.owns(j))
    marks = Marks(world.fleet.name, intent.name, intent.revision, intent.attempt)
    exact = world.memory.files
    return tuple(j for j in strangers if not (intent.filed and on_another_file(j, marks, exact=exact)))


def stays_unresolved(case: Case) -> bool:
    """Whether no listing will ever tell what became of a lost create of this name: only a person can say (row 2)."""
    memory, intent = case.world.memory, case.world.memory.intents.get(case.name)
    if intent is None:
        return False
    return not memory.finds_job_of(intent, anonymous=case.anonymous) or bool(suspects_of_intent(case.world, case.name))


def job_of_intent(case: Case) -> NamedJob | None:
    """The job that an unresolved create made: by its marks, record or seed, or because a person said so."""
    intent = case.world.memory.intents[case.name]
    return next((n for n in case.jobs if n.revision == intent.revision and _made_by(n, intent)), None)


def _made_by(named: NamedJob, intent: Intent) -> bool:
    return named.adopted or named.attempt == intent.attempt


def gone_on(world: World) -> tuple[str, ...]:
    """Jobs that were paused from here and have been seen to go on, or to have ended, while nobody wants them paused.

    Not those whose pause may take effect yet: it would be nobody's.
    """
    wanted = {n.job.id for case in world.cases.values() if case.policy.state is State.PAUSED for n in case.live}
    own = world.memory.pauses
    jobs = {job.id: job for job in world.jobs if job.id in own}
    pauses = sorted(own.keys() & jobs.keys() - wanted)
    over = (job_id for job_id in pauses if not (jobs[job_id].live and own[job_id].under_way))
    return tuple(job_id for job_id in over if not jobs[job_id].paused)


def newly_ended(world: World, resolved: Mapping[str, str | None]) -> dict[tuple[str, str], Job]:
    """Jobs that have ended, by name and id, which the journal has as live or, made since its last look, not at all."""
    found = frozenset(resolved.values())
    return {
        (name, n.job.id): n.job
        for name, case in world.cases.items()
        for n in case.jobs
        if not n.live and (n.job.id in found or _was_live(world, n))
    }


def _was_live(world: World, named: NamedJob) -> bool:
    """Whether the journal has it as live; or, made since its last look or this run's first, not at all."""
    record = world.memory.records.get(named.job.id)
    if record is not None:
        return record.live
    came_since = world.memory.inherited or named.job.id not in world.seen_first
    return came_since and named.ours and not named.adopted


def records_of(world: World) -> Iterator[Record]:
    """Every job that stands for a name, as the journal is to know it."""
    gone, first, inherited = world.memory.gone, world.seen_first, world.memory.inherited
    for name, case in world.cases.items():
        for n in (n for n in case.jobs if borne_out(case, n)):
            ended_before = not inherited and not n.live and n.job.id in first
            stranger = case.desired is None and name in gone
            yield Record(n.job.id, name, n.revision, n.attempt, n.live, ended_before=ended_before, stranger=stranger)


def seen_at_first(world: World) -> Iterator[Record]:
    """What a run without memory may call its own: what a rival made since, somebody who knows more wanted."""
    if not world.memory.inherited:
        yield from (record for record in records_of(world) if record.job_id in world.seen_first)
