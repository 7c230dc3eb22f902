"""Part C of the decision table: may a wanted create be sent now?

Pure. `plan` asks `admit` once for all of them: a place that one takes, another cannot have.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct
from msgspec.structs import replace

from reconciler.core.body import derived_seed
from reconciler.core.change import Change, Create, Hold, Wait
from reconciler.core.fields import OnChange
from reconciler.core.file_marks import marks_of_file
from reconciler.core.job import Job, Marks
from reconciler.core.lines import makes_room, may_retire
from reconciler.core.memory import EVERY_CREATE, rejected_words
from reconciler.core.reason import NOT_SENT, EndedBy, Reason
from reconciler.core.standing import Decision
from reconciler.core.world import Case, World
from reconciler.errors import escaped


class Slot(Struct, frozen=True):
    """A wanted create, and what has been decided before it in this plan."""

    case: Case
    create: Create
    models: Mapping[str, str | None]
    stuck: AbstractSet[str]
    active: int
    unmarked: Mapping[int | None, Job]  # by seed, the jobs without marks of a server that returns them


def admit(world: World, cases: Mapping[str, Case], decisions: Mapping[str, Decision]) -> dict[str, Create | Wait]:
    """Let each wanted create go, or say what it waits for; a job comes after the one it builds on."""
    wanted = {name: d.wanted for name, d in decisions.items() if d.wanted is not None}
    if not wanted:
        return {}
    models = {name: maker.job.fine_tuned_model for name, case in cases.items() if (maker := case.producer)}
    # A job that stands for its name goes on, whatever holds up the end of another one.
    stuck = {n for n, d in decisions.items() if d.keeper is None and any(_is_stuck(c) for c in d.changes)}
    active = sum(1 for case in cases.values() for n in case.live)
    unmarked = {job.seed: job for job in world.jobs if job.marks is None} if world.memory.echoes else {}
    permitted: dict[str, Create | Wait] = {}
    for name in _upstream_first(world, wanted):
        slot = Slot(cases[name], wanted[name], models, stuck, active, unmarked)
        change = next((c for row in ADMISSION if (c := row(slot)) is not None), None) or _allowed(slot)
        if isinstance(change, Create):
            active += 1
        if change.reason is Reason.DEPENDENCY_FAILED:
            stuck.add(name)
        permitted[name] = change
    return permitted


def _is_stuck(change: Change) -> bool:
    """A hold that only a person ends."""
    return isinstance(change, Hold) and change.reason.ended_by is EndedBy.PERSON


def _upstream_first(world: World, names: Iterable[str]) -> Iterator[str]:
    """Names by (length of their model_from chain, name): deterministic, upstream before downstream."""

    def depth(name: str) -> int:
        seen = set[str]()
        current: str | None = name
        while current is not None and current in world.desired and current not in seen:
            seen.add(current)
            current = world.desired[current].model_from
        return len(seen)

    yield from sorted(names, key=lambda n: (depth(n), n))


def _wait(slot: Slot, reason: Reason, message: str) -> Wait:
    return Wait(slot.case.name, reason, message, slot.create)


def _upstream(slot: Slot) -> str | None:
    return slot.case.desired.model_from if slot.case.desired else None


def _allowed(slot: Slot) -> Create:
    upstream = _upstream(slot)
    return replace(slot.create, model=slot.models[upstream]) if upstream is not None else slot.create


def _row_13_upstream(slot: Slot) -> Wait | None:
    upstream = _upstream(slot)
    if upstream is None or slot.models.get(upstream) is not None:
        return None
    if upstream in slot.stuck:
        return _wait(slot, Reason.DEPENDENCY_FAILED, f"job {upstream}, whose model it builds on, is held; see there")
    return _wait(slot, Reason.WAITING_FOR_JOB, f"waits for the model of job {upstream}")


def _row_14_refused(slot: Slot) -> Wait | None:
    memory = slot.case.world.memory
    if memory.refused:
        return _wait(slot, *memory.held_back(*slot.create.key))
    rejection = memory.rejected.get(slot.case.name)
    if rejection is not None and rejection.revision == slot.create.revision:
        return _wait(slot, Reason.CREATE_REJECTED, rejected_words(rejection.message))
    later = memory.put_off.get(EVERY_CREATE) or memory.put_off.get(slot.create.key)
    # Nobody said no: it goes on being created, for its own reason, a moment later.
    return _wait(slot, slot.create.reason, later) if later else None


def _row_14_objection(slot: Slot) -> Wait | None:
    objection = slot.case.world.objections.get(slot.case.name)
    return _wait(slot, Reason.CREATE_REJECTED, f"{NOT_SENT}{objection}") if objection else None


def _row_14_no_identity(slot: Slot) -> Wait | None:
    case, memory = slot.case, slot.case.world.memory
    if memory.echoes:
        twin = _made_before_marks_came_back(slot)
        return _wait(slot, Reason.NO_IDENTITY, _looks_alike(twin)) if twin else None
    if case.suspects:
        return _wait(slot, Reason.NO_IDENTITY, _looks_alike(case.suspects[0]))
    # A file whose name cannot be read now may be that of this very job.
    unread = memory.files and case.anonymous
    # With the id alone, only what made jobs there before knows which are its own.
    remembers = memory.inherited and not unread and any(r.attempt for r in memory.records.values())
    by_file = memory.files and case.desired is not None and case.desired.training is not None and not case.anonymous
    if memory.seeds or by_file or remembers or not (memory.echoes is False or case.anonymous):
        return None
    return _wait(
        slot,
        Reason.NO_IDENTITY,
        "this provider returns neither metadata nor seed, nor a training file's name, so a run without memory cannot "
        "recognise a job of ours and might make it twice; go on with the state directory that made the jobs there, "
        "reach the server by a route that keeps metadata, or name existing jobs in policy.adopt",
    )


def _made_before_marks_came_back(slot: Slot) -> Job | None:
    """A job without marks that carries the seed of this very create."""
    create = slot.create
    return slot.unmarked.get(
        derived_seed(Marks(slot.case.world.fleet.name, create.name, create.revision, create.attempt))
    )


def _looks_alike(job: Job) -> str:
    if job.file_name and marks_of_file(job.file_name) is not None:
        return (
            f"job {job.id} ({escaped(job.status)}) trains on the file that was uploaded for this very job, and its "
            "seed does not say that it is the one; if it is, name it in policy.adopt; if not, raise rerun"
        )
    suffix = f" and the suffix {escaped(job.suffix)}" if job.suffix else ""
    return (
        f"job {job.id} ({escaped(job.status)}) may be this very job: it carries its seed{suffix}, and no marks "
        "that say whose it is; if it is the one, name it in policy.adopt; if not, set another seed, or raise rerun"
    )


def _row_15_previous(slot: Slot) -> Wait | None:
    others = slot.case.others
    ahead = next((n for n in others if n.ours and not may_retire(slot.case, n)), None)
    if ahead is not None:
        return _wait(slot, Reason.WAITING_FOR_PREVIOUS, f"job {ahead.job.id} is ahead of this directory and still live")
    policy = slot.case.policy
    if policy.on_change is OnChange.WAIT and others:
        return _wait(slot, Reason.WAITING_FOR_PREVIOUS, f"job {others[-1].job.id} may end first (on_change: wait)")
    return None


def _row_16_capacity(slot: Slot) -> Wait | None:
    limit = slot.case.world.fleet.limits.max_active
    if limit is None or slot.active - sum(makes_room(slot.case, n) for n in slot.case.others) < limit:
        return None
    return _wait(slot, Reason.WAITING_FOR_CAPACITY, f"as many jobs are live as max_active allows ({limit})")


ADMISSION: tuple[Callable[[Slot], Wait | None], ...] = (
    _row_13_upstream,
    _row_14_objection,
    _row_14_refused,
    _row_14_no_identity,
    _row_15_previous,
    _row_16_capacity,
)
