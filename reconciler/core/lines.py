"""One line of a plan about one job: it is kept, held, paused, resumed, ended, or left because somebody knows more.

Pure. The rows in `standing` and `retirement` are written in these lines, and decide which of them applies;
`admission` asks what may be retired, and `plan` which pause is over.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from reconciler.core.change import Adopt, Cancel, Hold, Keep, Pause, Resume
from reconciler.core.job import Job
from reconciler.core.mismatch import lost_words
from reconciler.core.reason import Reason
from reconciler.core.recognition import NamedJob
from reconciler.core.world import Case


def forget_command(name: str) -> str:
    """What a person types to give up what is remembered of a name; where they stand is not known in here."""
    return f"`reconciler forget {name} -d DIR`"


def held(case: Case, reason: Reason, message: str, named: NamedJob | None = None) -> Hold:
    if named is None:
        return Hold(case.name, reason, message, job_id=None, revision=case.revision, attempt=None)
    return Hold(case.name, reason, message, named.job.id, named.revision, named.attempt)


def kept(case: Case, reason: Reason, message: str, named: NamedJob) -> Keep:
    return Keep(case.name, reason, message, named.job.id, named.revision, named.attempt)


def not_ours(case: Case, named: NamedJob, reason: Reason) -> Hold:
    """A live job that stands for this name and does not carry our marks: adopted, or of a server that drops them."""
    message = "it is live and does not carry this fleet's marks, so it is never cancelled from here; cancel it by hand"
    return held(case, reason, message, named)


def unproven(case: Case) -> Iterator[Hold]:
    """The live jobs that may be of an earlier spec of this name, or a person's: named, and left."""
    message = (
        "it trains on a file that was uploaded for an earlier spec, and nobody here remembers the seed of that spec: "
        "it may be a person's job, so it is left; cancel it by hand if it is not"
    )
    yield from (held(case, Reason.ORPHANED, message, n) for n in case.unproven)


def may_retire(case: Case, named: NamedJob, *, by_name: bool = False) -> bool:
    """Whether this run knows enough to retire a job: nobody undoes the work of somebody who knows more."""
    world = case.world
    if named.job.id in world.approved_ahead:
        return True
    if not world.memory.inherited and named.job.id in world.seen_first:
        return True
    if not by_name:
        return world.memory.wanted_here(case.name, named.revision)
    record = world.memory.records.get(named.job.id)
    # Made when the name had been gone from here before: whoever made it has a newer manifest of it.
    stranger = record.stranger if record is not None else case.name in world.memory.gone
    return case.once_wanted and not stranger


def held_ahead(case: Case, named: NamedJob, why: str) -> Hold:
    message = (
        f"live, ours, and {why}: somebody who knows more may have made it; left alone. A person can approve its end"
    )
    end = Cancel(case.name, Reason.AHEAD, message, named.job.id, named.revision, named.attempt)
    return replace(held(case, Reason.AHEAD, message, named), write=end)


def makes_room(case: Case, named: NamedJob) -> bool:
    """Whether it makes room for its successor: nobody here ends what is not ours, or what `forget` gave up."""
    own = case.world.memory.cancels.get(named.job.id)
    return named.ours and not (own and own.left)


def not_taken(message: str) -> str:
    """Why a job is to end, while a cancel of it was sent and it is live all the same."""
    return f"{message}; a cancel was sent and has not taken effect; it is tried again after a while"


def cancelled(
    case: Case, named: NamedJob, reason: Reason, message: str, keeper: NamedJob | None = None
) -> Cancel | Hold:
    own = case.world.memory.cancels.get(named.job.id)
    if own and own.left:
        return held(case, reason, f"{message}; its cancel was given up by `forget`, so it is left", named)
    if own and own.waiting:
        return held(case, reason, not_taken(message), named)
    kept = keeper.job.id if keeper else None
    return Cancel(case.name, reason, message, named.job.id, named.revision, named.attempt, keeper=kept)


def _answered(case: Case, named: NamedJob) -> bool:
    """Whether the answer to our own create named it: without marks, its end is recorded on no other ground."""
    own = case.world.memory.cancels.get(named.job.id)
    return named.job.marks is None and own is not None and own.reason == Reason.METHOD_LOST


def made_wrong(case: Case, named: NamedJob) -> bool:
    """Whether it is ours, by its marks or as the answer to our own create, and has another method than was sent."""
    return (named.ours or _answered(case, named)) and bool(case.lost(named))


def _assumed_elsewhere(case: Case, named: NamedJob) -> bool:
    """Whether somebody made it in spite of an earlier one: none is ever made again without `--assume method`."""
    earlier = (n for n in case.jobs if n.revision == named.revision and 0 < n.attempt < named.attempt)
    return not named.job.training.method and any(case.lost(n) for n in earlier)


def method_lost(case: Case, named: NamedJob) -> Cancel | Hold:
    """The end of a live job that has another method than was sent."""
    lost, answered = case.lost(named), _answered(case, named)
    if not named.ours and not answered:
        return not_ours(case, named, Reason.METHOD_LOST)
    if _assumed_elsewhere(case, named):
        message = (
            "it shows no method, and was made after another one that showed none had ended: somebody says that this "
            "server trains what it does not show, so it is left; say --assume method here, too, or cancel it by hand"
        )
        return held(case, Reason.METHOD_LOST, message, named)
    end = cancelled(case, named, Reason.METHOD_LOST, f"another job than was asked for: {lost_words(lost, named.job)}")
    return replace(end, lost=lost, answered=answered) if isinstance(end, Cancel) else end


def ended(  # noqa: PLR0913 - what is said of it, whosever it is
    case: Case, named: NamedJob, reason: Reason, message: str, *, unmarked: Reason, keeper: NamedJob | None = None
) -> Cancel | Hold:
    """The end of a live job that is not to go on; ``unmarked`` is why it matters where nobody here may end it."""
    if named.ours:
        return cancelled(case, named, reason, message, keeper)
    return method_lost(case, named) if made_wrong(case, named) else not_ours(case, named, unmarked)


def paused(case: Case, named: NamedJob) -> Pause | Cancel | Hold:
    """A live job that is to stand still; but one that was made with another method than was sent is ended."""
    memory, job = case.world.memory, named.job
    if case.lost(named):
        return method_lost(case, named)
    if job.status == "paused":
        return held(case, Reason.PAUSED, "it is paused, as its manifest says (state: paused)", named)
    if not named.ours:
        message = "it is live and does not carry this fleet's marks, so it is never paused from here; pause it by hand"
        return held(case, Reason.CANNOT_PAUSE, message, named)
    if memory.can_pause is False:
        message = (
            "this server has no way to pause a job: it trains on; `state: cancelled` would end it. It is asked again "
            f"after a day, or after {forget_command(case.name)}"
        )
        return held(case, Reason.CANNOT_PAUSE, message, named)
    if job.paused or _waits(case, named):
        return held(case, Reason.PAUSING, f"to be paused (state: paused); {_UNDER_WAY}", named)
    return Pause(case.name, Reason.PAUSING, "to be paused (state: paused)", job.id, named.revision, named.attempt)


def resumed(case: Case, kept: Keep | Adopt) -> Resume | Hold | None:
    """The end of a pause of ours, where its job is kept and is to go on; nobody else's pause is undone."""
    if kept.job_id not in case.world.memory.pauses:
        return None
    named = next((n for n in case.live if n.job.id == kept.job_id), None)
    if named is None or named.job.status != "paused":
        return None
    message = "it was paused from here, and is to go on"
    if _waits(case, named):
        return held(case, Reason.RESUMING, f"{message}; {_UNDER_WAY}", named)
    return Resume(case.name, Reason.RESUMING, message, named.job.id, named.revision, named.attempt)


# Why a job is not as it was asked to be a moment ago.
_UNDER_WAY = "that was sent and has not taken effect; it is sent again after a while"


def _waits(case: Case, named: NamedJob) -> bool:
    own = case.world.memory.pauses.get(named.job.id)
    return own is not None and own.waiting


def left(case: Case, named: NamedJob, why: str) -> str:
    """What becomes of a job that is nobody's here any more: it is not touched, so a paused one does not end."""
    if not named.job.paused:
        return f"left to end ({why})"
    if named.job.id not in case.world.memory.pauses:
        return f"left as it is ({why}): paused, and not from here; resume it where it was paused"
    return (
        f"left as it is ({why}): it was paused from here, and stays paused until somebody resumes it at the provider, "
        "or its manifest is back without `state: paused`"
    )


def strangers_pause(case: Case, job: Job) -> str:
    """What to say of a kept job that somebody else has paused; "" where nobody has."""
    if not job.paused or job.id in case.world.memory.pauses:
        return ""
    return "; it was not paused from here, so it is left so: resume it where it was paused"
