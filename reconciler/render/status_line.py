"""One name in a line: the word for its status, how far its job is or what is wrong, and how urgent that is.

Pure. `status_screen` shows it as a row, `describe` at its top. What depends on the time is said here and nowhere
earlier: a status file must not change because time goes by.
"""

import re
from collections.abc import Mapping
from enum import IntEnum

from msgspec import Struct

from reconciler.core.adoption import DIFFERS
from reconciler.core.intake import Intake
from reconciler.core.job import TERMINAL
from reconciler.core.memory import Refusal
from reconciler.core.reason import Reason
from reconciler.core.status import Condition, Progress, Status
from reconciler.errors import escaped, plural, printable
from reconciler.render.progress import Reached, time_left
from reconciler.render.text import about, moment


class Rank(IntEnum):
    """What a reader has to see first."""

    TROUBLE = 0
    WAITS = 1
    RUNS = 2
    DONE = 3


class StatusLine(Struct, frozen=True):
    """One name in a row. ``tail`` is the end of ``detail`` that is never cut off."""

    word: str
    rank: Rank
    detail: str
    tail: str = ""


# Which request an error is about: of use in a log, not in a line.
_REQUEST = re.compile(r"^[A-Z]+ \S+: (?:HTTP \d+ )?")

# The word for a name that no job stands for.
_WORDS: Mapping[str, str] = {
    Reason.SOURCE_INVALID: "blocked",
    Reason.OVERTAKEN: "overtaken",
    Reason.CREATE_UNRESOLVED: "unresolved",
    Reason.MISSING: "missing",
    Reason.ADOPTION_REFUSED: "blocked",
    Reason.METHOD_LOST: "blocked",
    Reason.SUSPENDED: "suspended",
    Reason.PAUSED: "paused",
    Reason.CANCEL_REQUESTED: "cancelled",
    Reason.RETRY: "not created",
    Reason.RESTORED: "not created",
    Reason.CANCELLED: "not created",
    Reason.NOT_CREATED: "not created",
    Reason.DEPENDENCY_FAILED: "blocked",
    Reason.CREATE_REFUSED: "blocked",
    Reason.CREATE_REJECTED: "blocked",
    Reason.NO_IDENTITY: "blocked",
    Reason.BLOCKED: "blocked",
}


def status_line(status: Status, *, now: float, progress: Progress | None = None) -> StatusLine:
    """The line of one status. ``progress`` is what was just read of its job, with its pace."""
    conditions = {c.type: c for c in status.conditions}
    synced, blocked = conditions["Synced"], conditions.get("Blocked")
    word, rank = _word(status, synced, blocked), _rank(status, synced, blocked)
    if blocked is not None:
        return _trouble(status, blocked, word, now)
    if synced.status == "False":
        return StatusLine(word, rank, printable(synced.message))
    if differs := synced.message.partition(DIFFERS)[2]:
        return StatusLine(word, rank, printable(f"{DIFFERS}{differs}"))
    detail = ", ".join(progress_words(status, progress, now)) if is_live(status) else _ended(status, synced)
    if status.job_status == "paused":
        detail = "; ".join(filter(None, (printable(synced.message).removeprefix("paused").removeprefix("; "), detail)))
    return StatusLine(word, rank, "; ".join(part for part in (detail, *map(printable, status.differs)) if part) or "-")


def is_live(status: Status) -> bool:
    """Whether the job that it shows goes on."""
    return status.job_status is not None and status.job_status not in TERMINAL


def _word(status: Status, synced: Condition, blocked: Condition | None) -> str:
    if status.job_status is not None and (is_live(status) or (blocked is None and not _waits(synced))):
        return escaped(status.job_status)
    return _WORDS.get((blocked or synced).reason, "waiting" if synced.status == "False" else "-")


def _waits(synced: Condition) -> bool:
    return synced.reason in {Reason.WAITING_FOR_JOB, Reason.WAITING_FOR_PREVIOUS, Reason.WAITING_FOR_CAPACITY}


def _rank(status: Status, synced: Condition, blocked: Condition | None) -> Rank:
    if blocked is not None:
        return Rank.TROUBLE
    if synced.status == "False":
        return Rank.WAITS
    if is_live(status):
        return Rank.RUNS
    return Rank.TROUBLE if synced.reason in {Reason.FAILED, Reason.CANCELLED} else Rank.DONE


def _trouble(status: Status, blocked: Condition, word: str, now: float) -> StatusLine:
    refusal = status.refusal
    message = printable(blocked.message)
    if blocked.reason not in {Reason.CREATE_REFUSED, Reason.CREATE_REJECTED}:
        return StatusLine(word, Rank.TROUBLE, message)
    if refusal is None:  # from a status file, which does not say when it is tried again
        return StatusLine(word, Rank.TROUBLE, message)
    tail = f"; {next_try(refusal, now)}"
    own = refusal.name == status.name
    if own:
        message = _REQUEST.sub("", printable(refusal.message))
    message = message.removesuffix(".")  # a tail follows
    return StatusLine(word, Rank.TROUBLE, f"refused: {message}" if own else message, tail)


def next_try(refusal: Refusal, now: float) -> str:
    """When `run` sends a refused create again; `apply` does so at once."""
    return f"next try {moment(refusal.next_at, now=now)}" if now < refusal.next_at else "tried again next"


def intake_words(intake: Intake, now: float) -> str:
    """That the provider takes no new jobs, how many wait for it, and until when; said once for the whole fleet."""
    tried = f"next try {moment(intake.next_try, now=now)}" if now < intake.next_try else "tried again next"
    return printable(f"{intake.words.removesuffix('.')}; {plural(len(intake.waiting), 'job')} waiting; {tried}")


def progress_words(status: Status, progress: Progress | None, now: float) -> list[str]:
    """How far it is and how long it may still take; empty where nothing is known."""
    known = status.progress or {}
    step, total = known.get("step"), known.get("total_steps")
    words = []
    if isinstance(step, int):
        share = f" of {total} ({100 * step // total} %)" if isinstance(total, int) and total > 0 else ""
        words.append(f"step {step}{share}")
    loss = known.get("train_loss")
    if isinstance(loss, int | float):
        words.append(f"loss {loss:.3g}")
    left = _left(status, progress, now)
    return words + ([f"about {about(left)} left"] if left is not None else [])


def _left(status: Status, progress: Progress | None, now: float) -> float | None:
    reached = Reached(None, None, None)
    if progress is not None:
        reached = Reached(progress.step, progress.total_steps, progress.pace)
    return time_left(status.estimated_finish, reached, status.created_at, now)


def _ended(status: Status, synced: Condition) -> str:
    """What a job came to: its model, its error, or who ended it."""
    if status.job_status == "succeeded":
        return printable(status.fine_tuned_model or "the provider names no model yet")
    if status.job_status == "failed":
        error = status.error or {}
        return printable(error.get("message") or error.get("code") or "the provider gives no reason")
    past = next((job for job in status.history if job.get("job_id") == status.job_id), None)
    return printable(str(past["ended_message"])) if past and past.get("ended_message") else printable(synced.message)
