"""Part D of the decision table: live jobs of other revisions than the one that is wanted.

Pure. `plan` asks `retire` for each name, after it knows what became of its create; `gates` asks `kept_meanwhile`.
"""

from collections.abc import Iterator
from dataclasses import replace

from reconciler.core.change import Cancel, Change, Create, Hold, Keep, Wait
from reconciler.core.fields import OnChange
from reconciler.core.identity import Known
from reconciler.core.lines import cancelled, held_ahead, kept, may_retire, not_ours
from reconciler.core.reason import Reason
from reconciler.core.standing import Decision
from reconciler.core.world import Case

_KEPT_MEANWHILE = "of an earlier spec; kept until its successor exists"


def retire(case: Case, decision: Decision, create: Create | Wait | None) -> Iterator[Change]:
    """What becomes of them, once it is known what stands for the name and whether its create may be sent."""
    others = tuple(k for k in case.others if k.ours)
    ahead = tuple(k for k in others if not may_retire(case, k))
    yield from (held_ahead(case, k, "no manifest here ever had its spec") for k in ahead)
    retirable = tuple(k for k in others if k not in ahead)
    unmarked = tuple(k for k in case.others if not k.ours)
    if case.policy.on_change is OnChange.WAIT:
        for k in (*retirable, *unmarked):
            yield kept(case, Reason.IN_PROGRESS, "of an earlier spec; left to end (on_change: wait)", k)
        return
    yield from (_outlives(case, k, decision) for k in unmarked)
    message = "its spec was replaced"
    if decision.keeper is not None:
        yield from (cancelled(case, k, Reason.SUPERSEDED, message, decision.keeper) for k in retirable)
        return
    # Until the new revision lives, the youngest of the old ones is what this name has.
    youngest = others[-1] if others else None
    for k in retirable:
        if k is not youngest:
            yield cancelled(case, k, Reason.SUPERSEDED, message, youngest)
        elif create is not None:
            yield _following(cancelled(case, k, Reason.SUPERSEDED, "once the new job exists"), create)
        else:
            yield kept(case, Reason.IN_PROGRESS, _KEPT_MEANWHILE, k)


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
        return kept(case, Reason.IN_PROGRESS, f"{message}cancel it by hand then", known)
    hold = not_ours(case, known, Reason.SUPERSEDED)
    return replace(hold, message=f"of an earlier spec; {hold.message}")


def kept_meanwhile(follower: Cancel) -> Keep:
    """The cancel that follows a create, while that create may not be sent: its job goes on."""
    job_id, revision, attempt = follower.job_id, follower.revision, follower.attempt
    return Keep(follower.name, Reason.IN_PROGRESS, _KEPT_MEANWHILE, job_id, revision, attempt, write=follower)
