"""Part D of the decision table: live jobs of other revisions than the one that is wanted.

Pure. `plan` asks `retire` for each name, after it knows what became of its create; `gates` asks `kept_meanwhile`.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from reconciler.core.change import Cancel, Change, Create, Hold, Keep, Wait
from reconciler.core.fields import OnChange
from reconciler.core.lines import cancelled, held_ahead, kept, made_wrong, may_retire, method_lost, not_ours
from reconciler.core.reason import Reason
from reconciler.core.recognition import NamedJob
from reconciler.core.standing import Decision
from reconciler.core.world import Case

_KEPT_MEANWHILE = "of an earlier spec; kept until its successor exists"


def retire(case: Case, decision: Decision, create: Create | Wait | None) -> Iterator[Change]:
    """What becomes of them, once it is known what stands for the name and whether its create may be sent."""
    if not case.others:
        return
    others = tuple(n for n in case.others if n.ours)
    ahead = tuple(n for n in others if not may_retire(case, n))
    yield from (held_ahead(case, n, "no manifest here ever had its spec") for n in ahead)
    wrong = tuple(n for n in case.others if n not in ahead and made_wrong(case, n))
    yield from (method_lost(case, n) for n in wrong)
    others = tuple(n for n in others if n not in wrong)
    retirable = tuple(n for n in others if n not in ahead)
    unmarked = tuple(n for n in case.others if not n.ours and n not in wrong)
    if case.policy.on_change is OnChange.WAIT:
        for n in (*retirable, *unmarked):
            yield kept(case, Reason.IN_PROGRESS, "of an earlier spec; left to end (on_change: wait)", n)
        return
    yield from (_outlives(case, n, decision) for n in unmarked)
    message = "its spec was replaced"
    if decision.keeper is not None and not decision.keeper.job.ending:
        yield from (cancelled(case, n, Reason.SUPERSEDED, message, decision.keeper) for n in retirable)
        return
    # Until the new revision is live, the newest old job is all that this name has.
    youngest = others[-1] if others else None
    for n in retirable:
        if n is not youngest:
            yield cancelled(case, n, Reason.SUPERSEDED, message, youngest)
        elif create is not None:
            yield _following(cancelled(case, n, Reason.SUPERSEDED, "once the new job exists"), create)
        else:
            yield kept(case, Reason.IN_PROGRESS, _KEPT_MEANWHILE, n)


def _following(cancel: Cancel | Hold, create: Create | Wait) -> Change:
    """The cancel that comes after a create; while that create has to wait, the job is kept."""
    if isinstance(cancel, Hold):
        return cancel
    cancel = replace(cancel, follows=True)
    return cancel if isinstance(create, Create) else kept_meanwhile(cancel)


def _outlives(case: Case, named: NamedJob, decision: Decision) -> Keep | Hold:
    """A live job of an earlier spec that nobody here ends: it goes on, and costs, and that is said."""
    if decision.keeper is None:
        message = "of an earlier spec, without this fleet's marks: it goes on when its successor exists; "
        return kept(case, Reason.IN_PROGRESS, f"{message}cancel it by hand then", named)
    hold = not_ours(case, named, Reason.SUPERSEDED)
    return replace(hold, message=f"of an earlier spec; {hold.message}")


def kept_meanwhile(follower: Cancel) -> Keep:
    """The cancel that follows a create, while that create may not be sent: its job goes on."""
    job_id, revision, attempt = follower.job_id, follower.revision, follower.attempt
    return Keep(follower.name, Reason.IN_PROGRESS, _KEPT_MEANWHILE, job_id, revision, attempt, write=follower)
