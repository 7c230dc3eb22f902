"""The report: what is known of every name, as conditions that do not flap.

Pure. `publish` calls `statuses` at the end of a pass, `cli` for `status` and after an `apply`; `status_files` keeps the
result on disk. No text in here depends on the time: the same situation gives the same report, so that nothing is
written when nothing changed. Condition types are Kubernetes': *Synced* (we did our part), *Succeeded* (the model
exists; Unknown while it trains) and, only on trouble, *Blocked*.
"""

import sys
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct, field

from reconciler.core.change import Cancel, Change, Create, Hold, Pause, Plan, Resume, Wait
from reconciler.core.ending import By, End, end_of
from reconciler.core.job import Checkpoint, Job
from reconciler.core.lines import not_taken
from reconciler.core.memory import Refusal
from reconciler.core.reason import Reason, Trouble
from reconciler.core.recognition import NamedJob
from reconciler.core.spelling import utc_text
from reconciler.core.world import Case, World
from reconciler.errors import escaped

_Facts = tuple[str, str, str, str]  # type, status, reason, message
_Said = tuple[Reason, str]  # what a line of a plan comes to for whoever reads a status

# A job's whole past is at the provider; the report carries the recent part of it.
_HISTORY_LIMIT = 20


class Progress(Struct, frozen=True):
    """How far a job has come, as its newest event says; ``losses`` by the API's own names.

    ``pace``: seconds a step, where its events tell.
    """

    step: int
    total_steps: int | None
    losses: Mapping[str, float]
    pace: float | None = None


class Details(Struct, frozen=True):
    """What was read of jobs beside the listing, by job id."""

    checkpoints: Mapping[str, Sequence[Checkpoint]] = field(default_factory=dict)
    progress: Mapping[str, Progress] = field(default_factory=dict)


class Condition(Struct, frozen=True):
    """A Kubernetes condition. ``status`` is True, False or Unknown; the time is ISO 8601, UTC; None: not known."""

    type: str
    status: str
    reason: str
    message: str
    last_transition_time: str | None


class Status(Struct, frozen=True):
    """Everything known of one name. ``checkpoints`` and ``progress`` are None until the provider was asked.

    ``past``: no manifest names it, and nothing is left to do or to say but its history.
    ``refusal``: why its create waits, while the provider's no is the reason. ``differs``: what of its job is not as it
    was sent, as the message of *Synced* says it too.
    """

    name: str
    revision: str | None
    job_id: str | None
    job_status: str | None
    fine_tuned_model: str | None
    latest_model: Mapping[str, object] | None
    trained_tokens: int | None
    created_at: int | None
    estimated_finish: int | None
    progress: Mapping[str, object] | None
    checkpoints: Sequence[Mapping[str, object]] | None
    error: Mapping[str, str] | None
    conditions: tuple[Condition, ...]
    history: tuple[Mapping[str, object], ...]
    past: bool = False
    refusal: Refusal | None = None
    differs: tuple[str, ...] = ()


def statuses(  # noqa: PLR0913 - all that a report is made of
    world: World,
    plan: Plan,
    *,
    now: str | None,
    previous: Mapping[str, Mapping[str, object]],
    details: Details,
    names: Collection[str] | None = None,
) -> dict[str, Status]:
    """A status for each name that is desired, is acted on, or has jobs at the provider, also where they ended long ago.

    ``now`` is the time a condition that changes gets; None: whoever only reads has not seen when it did. ``previous``
    are the last reports, as read back from disk. ``details`` are those read in this pass. ``names``: of these alone.
    """
    cases = world.cases if names is None else {name: world.cases[name] for name in names}
    lines: dict[str, list[Change]] = {name: [] for name, case in cases.items() if case.desired or case.jobs}
    for change in plan.changes:
        if change.name in cases:
            lines.setdefault(change.name, []).append(change)
    return {
        name: _status(cases[name], changes, now, previous.get(name, {}), details)
        for name, changes in sorted(lines.items())
    }


def _status(
    case: Case,
    changes: Sequence[Change],
    now: str | None,
    before: Mapping[str, object],
    details: Details,
) -> Status:
    shown = _shown(case, changes)
    job = shown.job if shown else None
    past = case.desired is None and not changes
    said = [_said(change) if now is not None else _still_said(case, change, before) for change in changes]
    conditions = (_ARCHIVED if past else _synced(changes, said), _succeeded(job, said), *_blocked(said))
    return Status(
        name=case.name,
        revision=case.revision or (shown.revision if shown else None),
        job_id=job.id if job else None,
        job_status=job.status if job else None,
        fine_tuned_model=job.fine_tuned_model if job else None,
        latest_model=_latest_model(case),
        trained_tokens=job.trained_tokens if job else None,
        created_at=job.created_at if job else None,
        estimated_finish=job.estimated_finish if job and job.live else None,
        progress=_progress(job, before, details.progress),
        checkpoints=_checkpoints(job, before, details.checkpoints),
        error=_error(job),
        conditions=tuple(
            Condition(facts[0], facts[1], str(facts[2]), facts[3], _since(facts, job, before, now))
            for facts in conditions
        ),
        history=tuple(_past(case, n) for n in case.jobs[-_HISTORY_LIMIT:]),
        past=past,
        refusal=_refusal(case, said),
        differs=case.differing(shown) if shown else (),
    )


def _shown(case: Case, changes: Sequence[Change]) -> NamedJob | None:
    """The job this name stands on: the one its plan is about, else the latest of its revision."""
    ids = [c.job_id for c in changes if c.job_id and (case.desired is None or c.revision == case.revision)]
    by_id = {n.job.id: n for n in case.jobs}
    last = case.jobs[-1] if case.desired is None and case.jobs else case.latest
    return next((by_id[i] for i in ids if i in by_id), last)


_ARCHIVED: _Facts = ("Synced", "True", "Done", "its manifest is gone; nothing is left to do")


def _said(change: Change) -> _Said:
    return change.reason, change.message


def _still_said(case: Case, change: Change, before: Mapping[str, object]) -> _Said:
    """What did not go through is still reported until it was tried again, even after its back-off."""
    memory, recorded = case.world.memory, _recorded(before, "Synced")
    create = change.write if isinstance(change, Create) or change.reason is Reason.CREATE_REFUSED else None
    if isinstance(create, Create) and not memory.refused:
        own = memory.own_refusal(*create.key)
        if own is not None and recorded.get("reason") in {own.reason, None}:
            return own.reason, own.words
        # The provider took none; this one was held back with the others.
        if "" in memory.refusals and recorded.get("reason") == Reason.CREATE_REFUSED:
            return memory.held_back(*create.key)
    if isinstance(change, Cancel) and recorded.get("message") == not_taken(change.message):
        return change.reason, not_taken(change.message)
    return _said(change)


def _refusal(case: Case, said: Sequence[_Said]) -> Refusal | None:
    """The refusal that a status tells, with the next try of this name."""
    memory, reasons = case.world.memory, {reason for reason, _ in said}
    if Reason.CREATE_REJECTED in reasons and case.objected:
        return None  # an earlier no of the provider's is not why it waits: nothing is sent, however often it is tried
    key = (case.name, case.revision or "")
    own = memory.own_refusal(*key)
    tells = Reason.CREATE_REFUSED in reasons if own is None else own.reason in reasons
    return memory.last_refusal(*key) if tells else None


def _synced(changes: Sequence[Change], said: Sequence[_Said]) -> _Facts:
    """False as long as a line of the plan is still to be done; the first such line says why."""
    pending = next((told for change, told in zip(changes, said, strict=True) if _is_pending(change)), None)
    if pending is not None:
        return ("Synced", "False", *pending)
    if not said:
        return ("Synced", "True", "Done", "nothing is left to do")
    reason, message = said[0]
    return ("Synced", "Unknown" if reason is Reason.SUSPENDED else "True", reason, message)


def _is_pending(change: Change) -> bool:
    if isinstance(change, Create | Cancel | Pause | Resume | Wait):
        return True
    # A live job that its manifest wants cancelled: the cancel has not taken.
    to_end = change.reason is Reason.CANCEL_REQUESTED and change.job_id is not None
    return isinstance(change, Hold) and (to_end or not change.reason.as_declared)


def _succeeded(job: Job | None, said: Sequence[_Said]) -> _Facts:
    if job is None:
        reason = said[0][0] if said else Reason.NOT_CREATED
        return ("Succeeded", "Unknown", reason, "no job of this revision is known")
    if job.succeeded and any(reason is Reason.METHOD_LOST for reason, _ in said):
        return ("Succeeded", "False", Reason.METHOD_LOST, f"job {job.id} was trained by another method than was sent")
    if job.succeeded:
        return (
            "Succeeded",
            "True",
            Reason.SUCCEEDED,
            f"the model is {escaped(job.fine_tuned_model or 'not named yet')}",
        )
    if job.live:
        return ("Succeeded", "Unknown", Reason.IN_PROGRESS, f"the job is {escaped(job.status)}")
    if job.cancelled:
        return ("Succeeded", "False", Reason.CANCELLED, f"job {job.id} was cancelled")
    why = f": {job.error.words}" if job.error else ""
    return ("Succeeded", "False", Reason.FAILED, f"job {job.id} failed{escaped(why)}")


def _blocked(said: Sequence[_Said]) -> tuple[_Facts, ...]:
    trouble = next((told for told in said if told[0].trouble is not Trouble.NONE), None)
    return () if trouble is None else (("Blocked", "True", *trouble),)


def _since(facts: _Facts, job: Job | None, before: Mapping[str, object], now: str | None) -> str | None:
    """When this condition got its present status: it moves only when the status does.

    One that was recorded with another status changed under the eyes of a pass, one never recorded when its job did.
    """
    recorded = _recorded(before, facts[0])
    since = recorded.get("last_transition_time")
    if recorded.get("status") == facts[1] and since is not None:
        return str(since)
    if recorded and now is not None:
        return now
    return _changed_at(facts, job) or now


def _changed_at(facts: _Facts, job: Job | None) -> str | None:
    """What the job itself says about the time; None where it says nothing."""
    if job is None or facts[:2] in {("Synced", "False"), ("Synced", "Unknown"), ("Blocked", "True")}:
        return None
    ended = facts[0] == "Succeeded" and not job.live
    at = job.finished_at if ended else job.created_at
    return utc_text(at) if at else None


def _recorded(before: Mapping[str, object], kind: str) -> Mapping[str, object]:
    """The condition of that type in a report on disk; empty where there is none."""
    conditions = before.get("conditions")
    for condition in conditions if isinstance(conditions, Sequence) else ():
        if isinstance(condition, Mapping) and condition.get("type") == kind:
            return condition
    return {}


def _latest_model(case: Case) -> Mapping[str, object] | None:
    """The model to use now: the present revision's, else the last that this name produced."""
    earlier = (n for n in reversed(case.jobs) if n.job.succeeded and n.job.fine_tuned_model and not case.lost(n))
    best = case.producer or next(earlier, None)
    if best is None:
        return None
    return {
        "model": best.job.fine_tuned_model,
        "revision": best.revision,
        "current": best.revision == case.revision,
    }


def _checkpoints(
    job: Job | None, before: Mapping[str, object], read: Mapping[str, Sequence[Checkpoint]]
) -> Sequence[Mapping[str, object]] | None:
    if job is None:
        return None
    if job.id in read:
        return [{"step": c.step, "model": c.model, "metrics": dict(c.metrics)} for c in read[job.id]]
    kept = before.get("checkpoints")
    return kept if before.get("job_id") == job.id and isinstance(kept, list) else None


def _progress(
    job: Job | None, before: Mapping[str, object], read: Mapping[str, Progress]
) -> Mapping[str, object] | None:
    if job is None or job.succeeded:
        return None
    if job.id in read:
        progress = read[job.id]
        return {"step": progress.step, "total_steps": progress.total_steps, **progress.losses}
    kept = before.get("progress")
    return kept if before.get("job_id") == job.id and isinstance(kept, Mapping) else None


def _error(job: Job | None) -> Mapping[str, str] | None:
    if job is None or job.error is None or not job.failed:
        return None
    return {"code": job.error.code, "message": job.error.message, "param": job.error.param}


# Why, for a reader who did not want it: what each cancel of ours is for.
_CANCELLED_FOR: Mapping[str, str] = {
    Reason.CANCEL_REQUESTED: "its manifest, or the fleet's, says state: cancelled",
    Reason.REMOVED: "its manifest was gone from the directory",
    Reason.SUPERSEDED: "its manifest had another spec by then, and a job of that spec took its place",
    Reason.METHOD_LOST: "the server had made it with another method than was sent",
    Reason.DUPLICATE: "it was a second job of the same spec; the other one was kept",
}


def _past(case: Case, named: NamedJob) -> Mapping[str, object]:
    """One job of the history; what is not known of its end, or has not come yet, is None. Times are Unix seconds."""
    end = None if named.live else end_of(case.world.memory, named.job)
    return {
        "job_id": named.job.id,
        "revision": named.revision,
        "attempt": named.attempt,
        "status": named.job.status,
        "fine_tuned_model": named.job.fine_tuned_model,
        "ended_by": end.by.value if end and end.by else None,
        "ended_reason": sys.intern(str(end.reason)) if end else None,
        "ended_message": _why(named.job, end) if end else None,
        "ended_at": end.at if end else None,
    }


def _why(job: Job, end: End) -> str:
    """Who ended it and why, in a sentence."""
    if job.succeeded:
        return "it was trained to its end"
    if job.failed:
        return f"the provider reports: {escaped(job.error.words)}" if job.error else "the provider gives no reason"
    if end.by is By.RECONCILER:
        return f"cancelled by reconciler from this directory: {_CANCELLED_FOR.get(end.reason, end.reason)}"
    if end.by is By.OTHERS:
        return "cancelled by somebody else: a person, or a run with another state directory"
    return "cancelled; by whom is not known here: this state directory is younger"
