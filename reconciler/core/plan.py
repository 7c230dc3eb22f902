"""The decision: what to do about every name, and why.

Pure. `reconcile` calls `plan` with a `World` and acts on the `Plan`; `gates` may hold parts of
it back. The rows of the decision table (README, *The decision table*) stand here in their
order: `STANDING` holds parts A and B, `PERMISSION` holds part C, `_retire` is part D. The
first row that returns something decides. This module never asks whether a limit allows a
change, and never sees a clock, a file or a socket.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from reconciler.core.change import Adopt, Cancel, Change, Create, Hold, Keep, Plan, Wait
from reconciler.core.ending import By, end_of, ended_by_us
from reconciler.core.fields import OnCancelled, OnChange, State
from reconciler.core.identity import Known
from reconciler.core.job import Job
from reconciler.core.lookup import job_of_intent, must_exist, suspects_of_intent
from reconciler.core.memory import Record
from reconciler.core.reason import EndedBy, Reason
from reconciler.core.spelling import mentions
from reconciler.core.world import Case, World
from reconciler.errors import foreign

# The cancels of ours after which going back to a revision trains it again (row 10).
_RESTORABLE = frozenset(reason for reason in Reason if reason.restorable)

# What trying again cannot cure: the request or the account must change first.
# Anything else may have been the server's bad day.
_INCURABLE = (
    "invalid",
    "unsupported",
    "not_found",
    "policy",
    "moderation",
    "unsafe",
    "quota",
    "billing",
    "spend_limit",
    "daily",
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a row of parts A and B says: finished changes, and perhaps a create that part C judges.

    ``keeper`` stands for the revision: it is live, or it succeeded. ``final`` ends the case:
    part D has nothing to add.
    """

    changes: tuple[Change, ...] = ()
    wanted: Create | None = None
    keeper: Known | None = None
    final: bool = False


def plan(world: World) -> Plan:
    """Decide every name once: parts A and B for each, then C over the wanted creates, then D."""
    cases = world.cases
    decisions = {name: _stand(case) for name, case in cases.items()}
    permitted = _permit(world, cases, decisions)
    changes: list[Change] = []
    for name in sorted(cases):
        decision = decisions[name]
        create = permitted.get(name)
        follows = () if decision.final else tuple(_retire(cases[name], decision, create))
        if create is not None:
            changes.append(_replacing(create, follows))
        changes.extend(decision.changes)
        changes.extend(follows)
    return Plan(tuple(changes), world.unmanaged)


def _replacing(create: Create | Wait, follows: Iterable[Change]) -> Create | Wait:
    """With the live jobs that it will retire."""
    replaced = tuple(c.job_id for c in follows if isinstance(c, Cancel) and c.follows)
    return replace(create, replaces=replaced) if isinstance(create, Create) else create


# ── Parts A and B: what stands for this name? ────────────────────────────────────────────────


def _stand(case: Case) -> Decision:
    """The first row of parts A and B that applies; row 12 always does."""
    return next(decision for row in STANDING if (decision := row(case)) is not None)


def _hold(case: Case, reason: Reason, message: str, known: Known | None = None) -> Decision:
    return Decision(changes=(_held(case, reason, message, known),), final=True)


def _held(case: Case, reason: Reason, message: str, known: Known | None = None) -> Hold:
    if known is None:
        return Hold(case.name, reason, message, job_id=None, revision=case.revision, attempt=None)
    return Hold(case.name, reason, message, known.job.id, known.revision, known.attempt)


def _kept(case: Case, reason: Reason, message: str, known: Known) -> Keep:
    return Keep(case.name, reason, message, known.job.id, known.revision, known.attempt)


def _row_1_source_invalid(case: Case) -> Decision | None:
    if case.name not in case.world.broken:
        return None
    message = "its manifest cannot be trusted now; nothing is touched until it is mended"
    return _hold(case, Reason.SOURCE_INVALID, message, case.live[-1] if case.live else None)


def _row_1_overtaken(case: Case) -> Decision | None:
    if case.name not in case.world.overtaken:
        return None
    message = "another run on this state directory has read a newer manifest of it; this run leaves it alone"
    return _hold(case, Reason.OVERTAKEN, message, case.live[-1] if case.live else None)


def _row_2_create_unresolved(case: Case) -> Decision | None:
    intent = case.world.memory.intents.get(case.name)
    if intent is None or job_of_intent(case) is not None:
        return None
    suspect = next(iter(suspects_of_intent(case.world, case.name)), None)
    if case.world.memory.finds_lost_jobs and suspect is None:
        if case.name in case.world.settled:
            return None
        return _hold(
            case,
            Reason.CREATE_UNRESOLVED,
            f"attempt {intent.attempt} of revision {intent.revision} was sent and its answer was lost; "
            "looking for the job until the settle window is over",
        )
    # No look resolves it, so it is told alike before and after the settle window.
    remedy = (
        f"job {suspect.id} carries its seed: if it is the one, name it in policy.adopt"
        if suspect
        else "find the job by hand and name it in policy.adopt, "
        f"or run `reconciler forget {case.name}` if there is none"
    )
    return _hold(
        case,
        Reason.CREATE_UNRESOLVED,
        f"attempt {intent.attempt} of revision {intent.revision} was sent and its answer was lost; "
        f"this provider has not been seen to return our marks, so it is never sent again; {remedy}",
    )


def _row_3_missing(case: Case) -> Decision | None:
    missing = case.world.missing
    unseen = next((r for r in case.records if r.job_id in case.world.unseen), None)
    if unseen is not None:
        message = f"job {unseen.job_id} is recorded here and cannot be read now; nothing is touched"
        return Decision(changes=(_about(case, unseen, message),), final=True)
    record = next((r for r in case.records if r.job_id in missing and must_exist(case.world, r)), None)
    adopt = case.desired.policy.adopt if case.desired else None
    if record is not None:
        message = (
            f"job {record.job_id} is recorded here and the provider no longer knows it (not listed, 404); nothing is "
            f"touched. Check the key and the project; if the job is really gone, run `reconciler forget {case.name}`"
        )
        return Decision(changes=(_about(case, record, message),), final=True)
    if adopt is not None and adopt.job_id in case.world.unseen:
        message = f"policy.adopt names job {adopt.job_id}, which cannot be read now; nothing is touched"
        return _hold(case, Reason.MISSING, message)
    if adopt is not None and adopt.job_id in missing:
        message = f"policy.adopt names job {adopt.job_id}, which this provider does not know; correct it or take it out"
        return _hold(case, Reason.MISSING, message)
    return None


def _about(case: Case, record: Record, message: str) -> Hold:
    """A hold for a recorded job that the provider does not show."""
    return Hold(case.name, Reason.MISSING, message, record.job_id, record.revision, record.attempt)


def _row_4_state(case: Case) -> Decision | None:
    states = {case.world.fleet.state} | ({case.desired.policy.state} if case.desired else set())
    if State.SUSPENDED in states and (case.desired or case.live):
        whose = "the fleet" if case.world.fleet.state is State.SUSPENDED else "the job"
        known = case.live[-1] if case.live else None
        return _hold(case, Reason.SUSPENDED, f"{whose} is suspended (state: suspended); nothing is touched", known)
    if State.CANCELLED not in states:
        return None
    if not case.live:
        return _nothing_live(case)
    whose = "the fleet" if case.world.fleet.state is State.CANCELLED else "the job"
    message = f"{whose} is to be cancelled (state: cancelled)"
    ends = (
        _cancel(case, k, Reason.CANCEL_REQUESTED, message) if k.ours else _not_ours(case, k, Reason.NO_IDENTITY)
        for k in case.live
    )
    return Decision(changes=tuple(ends), final=True)


def _not_ours(case: Case, known: Known, reason: Reason) -> Hold:
    """A live job that stands for this name and does not carry our marks: adopted, or of a server that drops them."""
    message = "it is live and does not carry this fleet's marks, so it is never cancelled from here; cancel it by hand"
    return _held(case, reason, message, known)


def _nothing_live(case: Case) -> Decision:
    if case.desired is None:
        return Decision()
    return _hold(case, Reason.CANCEL_REQUESTED, "state: cancelled; no job of it is live, none is created")


def _row_5_removed(case: Case) -> Decision | None:
    if case.desired is not None:
        return None
    return Decision(changes=tuple(_removed(case, k) for k in case.live), final=True)


def _removed(case: Case, known: Known) -> Change:
    if not known.ours:
        return _not_ours(case, known, Reason.ORPHANED)
    marks = known.job.marks
    # What its last manifest said counts; the mark is for those who never read it.
    if case.world.memory.orphans.get(case.name, marks is not None and marks.orphan):
        return _held(case, Reason.ORPHANED, "its manifest is gone; left to end (on_remove: orphan)", known)
    if not case.world.prune or not case.world.fleet.prune:
        return _held(case, Reason.PRUNE_DISABLED, "its manifest is gone; left to end (prune is off)", known)
    if not _may_retire(case, known, by_name=True):
        return _ahead(case, known, "no manifest here ever named it")
    return _cancel(case, known, Reason.REMOVED, "its manifest is gone")


def _row_6_duplicate(case: Case) -> Decision | None:
    live, succeeded = tuple(k for k in case.current if k.live), case.succeeded
    if not (len(live) > 1 or (live and succeeded)):
        return None
    # The oldest wins: a crash between POST and its answer leaves a second job
    # behind, and the first is the one that may already have trained.
    candidates = (*(k for k in (*succeeded, *live) if k.adopted), *succeeded, *live)
    keeper = candidates[0]
    surplus = tuple(k for k in live if k is not keeper)
    message = f"a second job of the same revision; {keeper.job.id} is kept"
    ends = (
        _cancel(case, k, Reason.DUPLICATE, message, keeper) if k.ours else _not_ours(case, k, Reason.DUPLICATE)
        for k in surplus
    )
    return Decision(changes=(_keep(case, keeper), *ends), keeper=keeper)


def _row_7_in_progress(case: Case) -> Decision | None:
    live = next((k for k in case.current if k.live), None)
    return None if live is None else Decision(changes=(_keep(case, live),), keeper=live)


def _row_8_succeeded(case: Case) -> Decision | None:
    if not case.succeeded:
        return None
    keeper = case.succeeded[0]
    return Decision(changes=(_keep(case, keeper),), keeper=keeper)


def _keep(case: Case, known: Known) -> Keep | Adopt:
    if known.job.succeeded:
        model = known.job.fine_tuned_model
        message = (
            f"its model exists: {foreign(model)}" if model else "it has succeeded; the provider names no model yet"
        )
        return _kept(case, Reason.SUCCEEDED, message, known)
    if known.job.id not in case.world.memory.records:
        # Neither named, marked nor recorded: its seed said so (`case`).
        trace = "marks" if known.ours else "seed"
        how = "named by policy.adopt" if known.adopted else f"recognised by its {trace}"
        message = f"{foreign(known.job.status)} already, {how}; no second one is made"
        return Adopt(case.name, Reason.ADOPTED, message, known.job.id, known.revision, known.attempt)
    return _kept(case, Reason.IN_PROGRESS, foreign(known.job.status), known)


def _row_9_failed(case: Case) -> Decision | None:
    latest = case.latest
    if latest is None or not latest.job.failed:
        return None
    policy = case.policy
    # Two jobs of one attempt, which two runs made at once, are one attempt.
    failures = len({k.attempt for k in case.current if k.job.failed})
    error = latest.job.error
    why = error.words if error else "the provider gives no reason"
    what = f"attempt {latest.attempt} failed ({foreign(why)})"
    if failures > policy.retries:
        advice = f"{what}; retries: {policy.retries} allows no further attempt. Change the spec, or raise rerun"
        return Decision(changes=(_held(case, Reason.FAILED, advice, latest),))
    if not _curable(latest.job):
        advice = f"{what}; trying again cannot cure this. Change the spec or its files"
        return Decision(changes=(_held(case, Reason.FAILED, advice, latest),))
    return _want(case, Reason.RETRY, f"{what}; trying again ({failures} of {policy.retries} retries)")


def _row_10_restored(case: Case) -> Decision | None:
    latest = case.latest
    if latest is None or not _cancelled_by_us(case, latest):
        return None
    return _want(case, Reason.RESTORED, f"job {latest.job.id} was cancelled here, and its spec is wanted again")


def _row_11_cancelled(case: Case) -> Decision | None:
    latest = case.latest
    if latest is None:
        return None
    what = f"job {latest.job.id} was cancelled {_by_whom(case, latest)}"
    if case.policy.on_cancelled is OnCancelled.RECREATE:
        return _want(case, Reason.CANCELLED, f"{what}; on_cancelled: recreate")
    advice = f"{what}; it stays so. Raise rerun to train it again"
    return Decision(changes=(_held(case, Reason.CANCELLED, advice, latest),))


def _by_whom(case: Case, known: Known) -> str:
    end = end_of(case.world.memory, known.job)
    if end.by is By.RECONCILER:
        return f"here ({end.reason})"
    return "by somebody else" if end.by else "(by whom is not known here)"


def _row_12_not_created(case: Case) -> Decision:
    return _want(case, Reason.NOT_CREATED, "no job of this revision exists")


STANDING: tuple[Callable[[Case], Decision | None], ...] = (
    _row_1_source_invalid,
    _row_1_overtaken,
    _row_2_create_unresolved,
    _row_3_missing,
    _row_4_state,
    _row_5_removed,
    _row_6_duplicate,
    _row_7_in_progress,
    _row_8_succeeded,
    _row_9_failed,
    _row_10_restored,
    _row_11_cancelled,
    _row_12_not_created,
)


def _curable(job: Job) -> bool:
    if job.error is None:
        return True
    return not (job.error.param in {"training_file", "validation_file"} or mentions(job.error.code, _INCURABLE))


def _cancelled_by_us(case: Case, latest: Known) -> bool:
    memory = case.world.memory
    own = memory.cancels.get(latest.job.id)
    if own is not None and ended_by_us(memory, latest.job) and own.reason in _RESTORABLE:
        return True
    record = memory.records.get(latest.job.id)
    seen_at_once = not memory.known and latest.job.id in case.world.seen_first
    unwitnessed = record.ended_before if record is not None else seen_at_once
    # Nobody wrote down who cancelled it. A younger job of another spec says that it
    # was replaced; a second attempt would say that this guess was made once already.
    replaced = any(k.revision != latest.revision and k.job.age_key > latest.job.age_key for k in case.known)
    return unwitnessed and own is None and latest.attempt == 1 and replaced


def _want(case: Case, cause: Reason, message: str) -> Decision:
    """A create that parts A and B ask for; its attempt follows the highest that anyone remembers."""
    if case.desired is None:
        return Decision()  # row 5 has taken the names that nobody wants; none of them is ever created
    seen = [k.attempt for k in case.current]
    seen += [r.attempt for r in case.records if r.revision == case.revision]
    attempt = max(seen, default=0) + 1
    return Decision(wanted=Create(case.name, cause, message, case.desired.revision, attempt))


# ── Part C: may a wanted create be sent now? ─────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Slot:
    """A wanted create, and what has been decided before it in this plan."""

    case: Case
    create: Create
    models: Mapping[str, str | None]
    stuck: AbstractSet[str]
    active: int


def _permit(world: World, cases: Mapping[str, Case], decisions: Mapping[str, Decision]) -> dict[str, Create | Wait]:
    """Let each wanted create go, or say what it waits for; a job comes after the one it builds on."""
    models = {name: known.job.fine_tuned_model for name, case in cases.items() if (known := case.producer)}
    # A job that stands for its name goes on, whatever holds up the end of another one.
    stuck = {n for n, d in decisions.items() if d.keeper is None and any(_is_stuck(c) for c in d.changes)}
    active = sum(1 for case in cases.values() for k in case.live)
    permitted: dict[str, Create | Wait] = {}
    wanted = {name: d.wanted for name, d in decisions.items() if d.wanted is not None}
    for name in _upstream_first(world, wanted):
        slot = Slot(cases[name], wanted[name], models, stuck, active)
        change = next((c for row in PERMISSION if (c := row(slot)) is not None), None) or _allowed(slot)
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
        return _wait(slot, Reason.CREATE_REFUSED, f"the provider takes no new jobs: {memory.refused}")
    rejection = memory.rejected.get(slot.case.name)
    if rejection is not None and rejection.revision == slot.create.revision:
        return _wait(slot, Reason.CREATE_REJECTED, f"the provider rejected this job: {rejection.message}")
    later = memory.put_off.get(("", "")) or memory.put_off.get((slot.case.name, slot.create.revision))
    # Nobody said no: it goes on being created, for its own reason, a moment later.
    return _wait(slot, slot.create.reason, later) if later else None


def _row_14_no_identity(slot: Slot) -> Wait | None:
    case, memory = slot.case, slot.case.world.memory
    if memory.echoes:
        return None
    if case.suspects:
        return _wait(slot, Reason.NO_IDENTITY, _looks_alike(case.suspects[0]))
    # With the id alone, only what made jobs there before knows which are its own.
    remembers = memory.known and any(r.attempt for r in memory.records.values())
    if memory.seeds or remembers or not (memory.echoes is False or case.anonymous):
        return None
    return _wait(
        slot,
        Reason.NO_IDENTITY,
        "this provider returns neither the metadata nor the seed that it is sent, so a run without memory cannot "
        "recognise a job of ours and might make it twice; go on with the state directory that made the jobs there, "
        "reach the server by a route that keeps metadata, or name existing jobs in policy.adopt",
    )


def _looks_alike(job: Job) -> str:
    suffix = f" and the suffix {foreign(job.suffix)}" if job.suffix else ""
    return (
        f"job {job.id} ({foreign(job.status)}) may be this very job: it carries its seed{suffix}, and no marks "
        "that say whose it is; if it is the one, name it in policy.adopt; if not, set another seed, or raise rerun"
    )


def _row_15_previous(slot: Slot) -> Wait | None:
    others = slot.case.others
    ahead = next((k for k in others if k.ours and not _may_retire(slot.case, k)), None)
    if ahead is not None:
        return _wait(slot, Reason.WAITING_FOR_PREVIOUS, f"job {ahead.job.id} is ahead of this directory and still live")
    policy = slot.case.policy
    if policy.on_change is OnChange.WAIT and others:
        return _wait(slot, Reason.WAITING_FOR_PREVIOUS, f"job {others[-1].job.id} may end first (on_change: wait)")
    return None


def _row_16_capacity(slot: Slot) -> Wait | None:
    limit = slot.case.world.fleet.limits.max_active
    if limit is None or slot.active - sum(_ends(slot.case, k) for k in slot.case.others) < limit:
        return None
    return _wait(slot, Reason.WAITING_FOR_CAPACITY, f"as many jobs are live as max_active allows ({limit})")


PERMISSION: tuple[Callable[[Slot], Wait | None], ...] = (
    _row_13_upstream,
    _row_14_refused,
    _row_14_no_identity,
    _row_15_previous,
    _row_16_capacity,
)


# ── Part D: live jobs of other revisions ─────────────────────────────────────────────────────


_KEPT_MEANWHILE = "of an earlier spec; kept until its successor exists"


def _retire(case: Case, decision: Decision, create: Create | Wait | None) -> Iterator[Change]:
    others = tuple(k for k in case.others if k.ours)
    ahead = tuple(k for k in others if not _may_retire(case, k))
    yield from (_ahead(case, k, "no manifest here ever had its spec") for k in ahead)
    retirable = tuple(k for k in others if k not in ahead)
    unmarked = tuple(k for k in case.others if not k.ours)
    if case.policy.on_change is OnChange.WAIT:
        for k in (*retirable, *unmarked):
            yield _kept(case, Reason.IN_PROGRESS, "of an earlier spec; left to end (on_change: wait)", k)
        return
    yield from (_outlives(case, k, decision) for k in unmarked)
    message = "its spec was replaced"
    if decision.keeper is not None:
        yield from (_cancel(case, k, Reason.SUPERSEDED, message, decision.keeper) for k in retirable)
        return
    # Until the new revision lives, the youngest of the old ones is what this name has.
    youngest = others[-1] if others else None
    for k in retirable:
        if k is not youngest:
            yield _cancel(case, k, Reason.SUPERSEDED, message, youngest)
        elif create is not None:
            yield _following(_cancel(case, k, Reason.SUPERSEDED, "once the new job exists"), create)
        else:
            yield _kept(case, Reason.IN_PROGRESS, _KEPT_MEANWHILE, k)


def _following(cancel: Cancel | Hold, create: Create | Wait) -> Change:
    """The cancel that comes after a create; while that create has to wait, the job is kept."""
    if isinstance(cancel, Hold):
        return cancel
    cancel = replace(cancel, follows=True)
    return cancel if isinstance(create, Create) else kept_meanwhile(cancel)


def _outlives(case: Case, known: Known, decision: Decision) -> Keep | Hold:
    """A live job of an earlier spec that nobody here ends: it goes on, and costs, and that is said."""
    if decision.keeper is None:
        message = "of an earlier spec, without this fleet's marks: it goes on when its successor exists; "
        return _kept(case, Reason.IN_PROGRESS, f"{message}cancel it by hand then", known)
    hold = _not_ours(case, known, Reason.SUPERSEDED)
    return replace(hold, message=f"of an earlier spec; {hold.message}")


def kept_meanwhile(follower: Cancel) -> Keep:
    """The cancel that follows a create, while that create may not be sent: its job goes on."""
    job_id, revision, attempt = follower.job_id, follower.revision, follower.attempt
    return Keep(follower.name, Reason.IN_PROGRESS, _KEPT_MEANWHILE, job_id, revision, attempt, write=follower)


def _may_retire(case: Case, known: Known, *, by_name: bool = False) -> bool:
    """Whether this run knows enough to retire a job: nobody undoes the work of somebody who knows more."""
    world = case.world
    if known.job.id in world.approved_ahead:
        return True
    if not world.memory.known and known.job.id in world.seen_first:
        return True
    if not by_name:
        return world.memory.wanted_here(case.name, known.revision)
    record = world.memory.records.get(known.job.id)
    # Made when the name had been gone from here before: whoever made it has a newer manifest of it.
    stranger = record.stranger if record is not None else case.name in world.memory.gone
    return case.once_wanted and not stranger


def _ahead(case: Case, known: Known, why: str) -> Hold:
    message = (
        f"live, ours, and {why}: somebody who knows more may have made it; left alone. A person can approve its end"
    )
    end = Cancel(case.name, Reason.AHEAD, message, known.job.id, known.revision, known.attempt)
    return replace(_held(case, Reason.AHEAD, message, known), write=end)


def _ends(case: Case, known: Known) -> bool:
    """Whether it makes room for its successor: nobody here ends what is not ours, or what `forget` gave up."""
    own = case.world.memory.cancels.get(known.job.id)
    return known.ours and not (own and own.left)


def _cancel(case: Case, known: Known, reason: Reason, message: str, keeper: Known | None = None) -> Cancel | Hold:
    own = case.world.memory.cancels.get(known.job.id)
    if own and own.left:
        return _held(case, reason, f"{message}; its cancel was given up by `forget`, so it is left", known)
    if own and own.waiting:
        text = f"{message}; a cancel was sent and has not taken effect; it is tried again after a while"
        return _held(case, reason, text, known)
    kept = keeper.job.id if keeper else None
    return Cancel(case.name, reason, message, known.job.id, known.revision, known.attempt, keeper=kept)
