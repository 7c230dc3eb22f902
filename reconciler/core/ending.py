"""How a job ended, as far as it is known here: who ended it, why, and when.

Pure. `standing` and `apply` ask whether an end was our own doing; `status` and `publish` say who ended a job. An end
that nobody here saw has no author: none is guessed.
"""

from enum import StrEnum

from msgspec import Struct

from reconciler.core.job import Job
from reconciler.core.memory import Memory
from reconciler.core.reason import Reason


class By(StrEnum):
    """Who ended a job, as history says it."""

    RECONCILER = "reconciler"  # by a cancel that this state directory recorded
    PROVIDER = "provider"  # it ran to its end, or broke
    OTHERS = "somebody else"  # a person, or a run with another state directory


class End(Struct, frozen=True):
    """How a job ended, as far as it is known here; ``by`` None: not known here. ``at`` is in Unix seconds."""

    by: By | None
    reason: str
    at: int | None


def ended_by_us(memory: Memory, job: Job) -> bool:
    """Whether it ended by a cancel that this state directory recorded."""
    own = memory.cancels.get(job.id)
    return job.cancelled and own is not None and own.counts


def end_of(memory: Memory, job: Job) -> End:
    """Who ended it, and why; to be asked of a job that is not live."""
    if not job.cancelled:
        return End(By.PROVIDER, Reason.SUCCEEDED if job.succeeded else Reason.FAILED, job.finished_at)
    own = memory.cancels.get(job.id)
    if own is not None and own.counts:
        return End(By.RECONCILER, own.reason, job.finished_at or own.sent_at)
    record = memory.records.get(job.id)
    witnessed = own is not None or (not record.ended_before if record is not None else memory.inherited)
    return End(By.OTHERS if witnessed else None, Reason.CANCELLED, job.finished_at)
