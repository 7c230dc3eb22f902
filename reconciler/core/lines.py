"""One line of a plan about one job: it is kept, held, ended, or left alone because somebody knows more.

Pure. The rows in `standing` and `retirement` are written in these lines. Which of them applies, they decide.
"""

from dataclasses import replace

from reconciler.core.change import Cancel, Hold, Keep
from reconciler.core.identity import Known
from reconciler.core.reason import Reason
from reconciler.core.world import Case


def held(case: Case, reason: Reason, message: str, known: Known | None = None) -> Hold:
    if known is None:
        return Hold(case.name, reason, message, job_id=None, revision=case.revision, attempt=None)
    return Hold(case.name, reason, message, known.job.id, known.revision, known.attempt)


def kept(case: Case, reason: Reason, message: str, known: Known) -> Keep:
    return Keep(case.name, reason, message, known.job.id, known.revision, known.attempt)


def not_ours(case: Case, known: Known, reason: Reason) -> Hold:
    """A live job that stands for this name and does not carry our marks: adopted, or of a server that drops them."""
    message = "it is live and does not carry this fleet's marks, so it is never cancelled from here; cancel it by hand"
    return held(case, reason, message, known)


def may_retire(case: Case, known: Known, *, by_name: bool = False) -> bool:
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


def held_ahead(case: Case, known: Known, why: str) -> Hold:
    message = (
        f"live, ours, and {why}: somebody who knows more may have made it; left alone. A person can approve its end"
    )
    end = Cancel(case.name, Reason.AHEAD, message, known.job.id, known.revision, known.attempt)
    return replace(held(case, Reason.AHEAD, message, known), write=end)


def makes_room(case: Case, known: Known) -> bool:
    """Whether it makes room for its successor: nobody here ends what is not ours, or what `forget` gave up."""
    own = case.world.memory.cancels.get(known.job.id)
    return known.ours and not (own and own.left)


def cancelled(case: Case, known: Known, reason: Reason, message: str, keeper: Known | None = None) -> Cancel | Hold:
    own = case.world.memory.cancels.get(known.job.id)
    if own and own.left:
        return held(case, reason, f"{message}; its cancel was given up by `forget`, so it is left", known)
    if own and own.waiting:
        text = f"{message}; a cancel was sent and has not taken effect; it is tried again after a while"
        return held(case, reason, text, known)
    kept = keeper.job.id if keeper else None
    return Cancel(case.name, reason, message, known.job.id, known.revision, known.attempt, keeper=kept)
