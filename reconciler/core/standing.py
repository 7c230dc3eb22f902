"""Parts A and B of the decision table: what stands for a name?

Pure. `plan` asks `stand` for each name. The rows are in the order of docs/decision-table.md, and the first that returns
something decides; whether a create that they want may be sent now is said in `admission`.
"""

from collections.abc import Callable

from msgspec import Struct

from reconciler.core.adoption import adoption_warning, another_owner, refused_adoption
from reconciler.core.change import Adopt, Cancel, Change, Create, Hold, Keep
from reconciler.core.ending import By, end_of, ended_by_us
from reconciler.core.fields import OnCancelled, State
from reconciler.core.job import Job
from reconciler.core.lines import (
    cancelled,
    ended,
    forget_command,
    held,
    held_ahead,
    kept,
    left,
    made_wrong,
    may_retire,
    method_lost,
    not_ours,
    paused,
    strangers_pause,
)
from reconciler.core.lookup import job_of_intent, must_exist, stays_unresolved, suspects_of_intent
from reconciler.core.memory import Record
from reconciler.core.mismatch import lost_words
from reconciler.core.reason import Reason
from reconciler.core.recognition import NamedJob
from reconciler.core.spelling import mentions
from reconciler.core.world import Case
from reconciler.errors import escaped

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


class Decision(Struct, frozen=True):
    """What a row of parts A and B says: finished changes, and perhaps a create that part C judges.

    ``keeper`` stands for the revision: it is live, or it succeeded. ``final`` ends the case:
    part D has nothing to add.
    """

    changes: tuple[Change, ...] = ()
    wanted: Create | None = None
    keeper: NamedJob | None = None
    final: bool = False


def stand(case: Case) -> Decision:
    """The first row of parts A and B that applies; row 12 always does."""
    return next(decision for row in STANDING if (decision := row(case)) is not None)


def _hold(case: Case, reason: Reason, message: str, named: NamedJob | None = None) -> Decision:
    return Decision(changes=(held(case, reason, message, named),), final=True)


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
    if not stays_unresolved(case):
        if case.name in case.world.looked_for:
            return None
        return _hold(
            case,
            Reason.CREATE_UNRESOLVED,
            f"attempt {intent.attempt} of revision {intent.revision} was sent and its answer was lost; "
            "looking for the job until the settle window is over",
        )
    # No look resolves it, so the message is the same before and after the settle window.
    suspect = next(iter(suspects_of_intent(case.world, case.name)), None)
    remedy = (
        f"job {suspect.id} carries its seed: if it is the one, name it in policy.adopt"
        if suspect
        else f"find the job by hand and name it in policy.adopt, or run {forget_command(case.name)} if there is none"
    )
    return _hold(
        case,
        Reason.CREATE_UNRESOLVED,
        f"attempt {intent.attempt} of revision {intent.revision} was sent and its answer was lost; "
        f"this provider has not been seen to return our marks, so it is never sent again; {remedy}",
    )


def _row_3_missing(case: Case) -> Decision | None:
    missing = case.world.missing
    if not (missing or case.world.unseen):
        return None
    unseen = next((r for r in case.records if r.job_id in case.world.unseen), None)
    if unseen is not None:
        message = f"job {unseen.job_id} is recorded here and cannot be read now; nothing is touched"
        return Decision(changes=(_about(case, unseen, message),), final=True)
    record = next((r for r in case.records if r.job_id in missing and must_exist(case.world, r)), None)
    adopt = case.desired.policy.adopt if case.desired else None
    if record is not None:
        message = (
            f"job {record.job_id} is recorded here and the provider no longer knows it (not listed, 404); nothing is "
            f"touched. Check the key and the project; if the job is really gone, run {forget_command(case.name)}"
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
        named = case.live[-1] if case.live else None
        return _hold(case, Reason.SUSPENDED, f"{whose} is suspended (state: suspended); nothing is touched", named)
    if State.CANCELLED not in states:
        return None
    if not case.live:
        return _nothing_live(case)
    whose = "the fleet" if case.world.fleet.state is State.CANCELLED else "the job"
    message = f"{whose} is to be cancelled (state: cancelled)"
    ends = (ended(case, n, Reason.CANCEL_REQUESTED, message, unmarked=Reason.NO_IDENTITY) for n in case.live)
    return Decision(changes=tuple(ends), final=True)


def _nothing_live(case: Case) -> Decision:
    if case.desired is None:
        return Decision()
    return _hold(case, Reason.CANCEL_REQUESTED, "state: cancelled; no job of it is live, none is created")


def _row_4_paused(case: Case) -> Decision | None:
    if case.desired is None or case.policy.state is not State.PAUSED:
        return None
    if case.live:
        surplus = _row_6_duplicate(case)
        ends = tuple(change for change in surplus.changes if isinstance(change, Cancel)) if surplus else ()
        stay = (n for n in case.live if all(n.job.id != end.job_id for end in ends))
        return Decision(changes=(*ends, *(paused(case, n) for n in stay)), final=True)
    if case.succeeded:
        return None
    return _hold(case, Reason.PAUSED, "state: paused; no job of it is live, none is created")


def _row_5_removed(case: Case) -> Decision | None:
    if case.desired is not None:
        return None
    return Decision(changes=tuple(_removed(case, n) for n in case.live), final=True)


def _removed(case: Case, named: NamedJob) -> Change:
    wrong = made_wrong(case, named)
    if not named.ours and not wrong:
        return not_ours(case, named, Reason.ORPHANED)
    memory, marks = case.world.memory, named.job.marks
    marked = marks is not None and marks.orphan
    # What its last manifest said counts; the mark is for those who never read it, or not the one of this job.
    newer = marked and not memory.wanted_here(case.name, named.revision)
    if newer or memory.orphans.get(case.name, marked):
        return held(case, Reason.ORPHANED, f"its manifest is gone; {left(case, named, 'on_remove: orphan')}", named)
    if not case.world.prune or not case.world.fleet.prune:
        return held(case, Reason.PRUNE_DISABLED, f"its manifest is gone; {left(case, named, 'prune is off')}", named)
    if not may_retire(case, named, by_name=True):
        return held_ahead(case, named, "no manifest here ever named it")
    return method_lost(case, named) if wrong else cancelled(case, named, Reason.REMOVED, "its manifest is gone")


def _row_5_adoption_refused(case: Case) -> Decision | None:
    adopt = refused_adoption(case)
    if adopt is None:
        return None
    if owner := another_owner(case):
        message = (
            f"policy.adopt names job {adopt.job_id}, which bears the marks of job {owner}, and that has a manifest; "
            f"nothing is sent. Take policy.adopt out, or take the manifest of {owner} away in the same commit"
        )
        return _hold(case, Reason.ADOPTION_REFUSED, message)
    message = (
        f"policy.adopt says that job {adopt.job_id} stands for revision {adopt.revision}, and nothing known here says "
        f"that this manifest ever had it; nothing is sent. If it is the job of this manifest as it is now, write "
        f'`revision: "{case.revision}"`; to train anew, take policy.adopt out, and that job is left as it is'
    )
    return _hold(case, Reason.ADOPTION_REFUSED, message, next((n for n in case.jobs if n.adopted), None))


def _row_6_method_lost(case: Case) -> Decision | None:
    if len(case.good) == len(case.current):
        return None
    lost = tuple(n for n in case.current if n not in case.good)
    if case.succeeded or any(n.live for n in case.good):
        return None
    live = tuple(n for n in lost if n.live)
    if live:
        return Decision(changes=tuple(method_lost(case, n) for n in live))
    latest = lost[-1]
    message = (
        f"job {latest.job.id} is another one than was asked for: {lost_words(case.lost(latest), latest.job)}; none is "
        "made again by itself. Reach the server by a route that keeps method, then change the spec or raise rerun"
    )
    if not latest.job.training.method:
        message += "; if this server trains it although it does not show it, say --assume method"
    return Decision(changes=(held(case, Reason.METHOD_LOST, message, latest),))


def _row_6_duplicate(case: Case) -> Decision | None:
    if len(case.current) < 2:  # noqa: PLR2004 - a duplicate has another
        return None
    live, succeeded = tuple(n for n in case.current if n.live), case.succeeded
    good = tuple(n for n in case.good if n.live)
    if not (len(live) > 1 or (live and succeeded)):
        return None
    # The oldest wins: a crash between POST and its answer leaves a second job
    # behind, and the first is the one that may already have trained.
    candidates = (*(n for n in (*succeeded, *good) if n.adopted), *succeeded, *good)
    # One whose cancel is under way, whoever sent it, will not be there.
    keeper = min(candidates, key=lambda n: n.job.ending)
    surplus = tuple(n for n in live if n is not keeper)
    message = f"a second job of the same revision; {keeper.job.id} is kept"
    ends = (ended(case, n, Reason.DUPLICATE, message, unmarked=Reason.DUPLICATE, keeper=keeper) for n in surplus)
    return Decision(changes=(_keep(case, keeper), *ends), keeper=keeper)


def _row_7_in_progress(case: Case) -> Decision | None:
    live = next((n for n in case.current if n.live), None)
    return None if live is None else Decision(changes=(_keep(case, live),), keeper=live)


def _row_8_succeeded(case: Case) -> Decision | None:
    if not case.succeeded:
        return None
    keeper = case.succeeded[0]
    return Decision(changes=(_keep(case, keeper),), keeper=keeper)


def _keep(case: Case, named: NamedJob) -> Keep | Adopt:
    if named.job.succeeded:
        model = named.job.fine_tuned_model
        message = (
            f"its model exists: {escaped(model)}" if model else "it has succeeded; the provider names no model yet"
        )
        return kept(case, Reason.SUCCEEDED, f"{message}{_differing(case, named)}", named)
    if named.job.id not in case.world.memory.records:
        # Neither named, marked nor recorded: its seed said so (`recognition`).
        trace = "training file" if named.job.by_file else "marks" if named.ours else "seed"
        how = "named by policy.adopt" if named.adopted else f"recognised by its {trace}"
        message = f"{escaped(named.job.status)} already, {how}; no second one is made{_differing(case, named)}"
        return Adopt(case.name, Reason.ADOPTED, message, named.job.id, named.revision, named.attempt)
    said = f"{escaped(named.job.status)}{strangers_pause(case, named.job)}{_differing(case, named)}"
    return kept(case, Reason.IN_PROGRESS, said, named)


def _differing(case: Case, named: NamedJob) -> str:
    """What of the job is not as it was sent, or as the manifest says that adopts it; "" where nothing contradicts."""
    if named.adopted:
        return adoption_warning(case.desired, named.job) if case.desired else ""
    found = "; ".join(case.differing(named))
    return f"; warning: it is not as it was asked for ({found})" if found else ""


def _row_9_failed(case: Case) -> Decision | None:
    latest = case.latest
    if latest is None or not latest.job.failed:
        return None
    policy = case.policy
    # Two jobs of one attempt, which two runs made at once, are one attempt.
    failures = len({n.attempt for n in case.current if n.job.failed})
    error = latest.job.error
    why = error.words if error else "the provider gives no reason"
    what = f"attempt {latest.attempt} failed ({escaped(why)})"
    if failures > policy.retries:
        advice = f"{what}; retries: {policy.retries} allows no further attempt. Change the spec, or raise rerun"
        return Decision(changes=(held(case, Reason.FAILED, advice, latest),))
    if not _curable(latest.job):
        advice = f"{what}; trying again cannot cure this. Change the spec or its files"
        return Decision(changes=(held(case, Reason.FAILED, advice, latest),))
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
    return Decision(changes=(held(case, Reason.CANCELLED, advice, latest),))


def _by_whom(case: Case, named: NamedJob) -> str:
    end = end_of(case.world.memory, named.job)
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
    _row_4_paused,
    _row_5_removed,
    _row_5_adoption_refused,
    _row_6_method_lost,
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


def _cancelled_by_us(case: Case, latest: NamedJob) -> bool:
    memory = case.world.memory
    own = memory.cancels.get(latest.job.id)
    if own is not None and ended_by_us(memory, latest.job) and own.reason in _RESTORABLE:
        return True
    record = memory.records.get(latest.job.id)
    seen_at_once = not memory.inherited and latest.job.id in case.world.seen_first
    unwitnessed = record.ended_before if record is not None else seen_at_once
    # Nobody wrote down who cancelled it. A younger job of another spec says that it
    # was replaced; a second attempt would say that this guess was made once already.
    replaced = any(n.revision != latest.revision and n.job.age_key > latest.job.age_key for n in case.jobs)
    return unwitnessed and own is None and latest.attempt == 1 and replaced


def _want(case: Case, cause: Reason, message: str) -> Decision:
    """A create that parts A and B ask for; its attempt follows the highest that anyone remembers."""
    if case.desired is None:
        return Decision()  # row 5 has taken the names that nobody wants; none of them is ever created
    seen = [n.attempt for n in case.current]
    seen += [r.attempt for r in case.records if r.revision == case.revision]
    attempt = max(seen, default=0) + 1
    return Decision(wanted=Create(case.name, cause, message, case.desired.revision, attempt))
