"""When another pass, or another try, is worth making, and what for.

Pure: whoever waits reads the clock. `watch`, `apply`, `daemon` and the review of a plan ask in here; `backoffs` writes
down when a back-off ends.
"""

from collections.abc import Container, Mapping
from enum import Enum

from msgspec import Struct

from reconciler.core.change import Adopt, Change, Keep, Plan, Wait
from reconciler.core.job import Job
from reconciler.core.reason import EndedBy, Reason

# Seconds. A server may ask for any wait, to the end of time; after this one it is asked again.
ASKED_LAST = 3600.0


class Backoff(Struct, frozen=True):
    """A wait in seconds that doubles from ``first`` with each try in a row, up to ``last``."""

    first: float
    last: float

    def wait(self, tries: int) -> float:
        """Seconds until the next try after ``tries`` (1, 2, …) that failed."""
        return min(self.first * 2.0 ** min(tries - 1, 10), self.last)


class Due(Enum):
    """What another pass is worth making for."""

    WORK = "what was done may have made more possible"
    COLD = "a run may not write before its settle window is over"
    LOOK = "a listing will show what became of a write"
    LATER = "the provider wants a create a moment later"
    BACKOFF = "what was refused is tried again"
    PROOF = "the files will have been at rest, or a name gone, for long enough"
    JOBS = "jobs are under way"


class Next(Struct, frozen=True):
    """A pass that is worth making: when (monotonic seconds), for what, and in words what is waited for."""

    at: float
    due: Due
    why: str = ""


def goes_on(change: Change, live: Container[str]) -> bool:
    """Whether another pass may find it otherwise although nobody does anything. ``live`` are ids of live jobs."""
    return change.reason.ended_by in {EndedBy.TIME, EndedBy.PROVIDER} or change.job_id in live


def waits_for_a_job(change: Change, plan: Plan, upstream: Mapping[str, str]) -> bool:
    """Whether a wait ends by itself: the job it waits for is under way, or has ended and names no model yet.

    ``upstream``: by name, the job whose model it is built on.
    """
    if not isinstance(change, Wait):
        return False
    if change.reason is not Reason.WAITING_FOR_JOB:
        return change.reason.ended_by is EndedBy.PROVIDER
    waited_for = [c for c in plan.changes if c.name == upstream[change.name]]
    return any(isinstance(c, Keep | Adopt) or waits_for_a_job(c, plan, upstream) for c in waited_for)


def under_way(plan: Plan, live: Mapping[str, Job], upstream: Mapping[str, str]) -> tuple[str, ...]:
    """What goes on at the provider, in words: live jobs, those that are being cancelled too, and creates that wait."""
    running = [
        f"{c.name} ({live[c.job_id].status})"
        for c in plan.changes
        if c.job_id is not None and c.job_id in live and (isinstance(c, Keep | Adopt) or live[c.job_id].ending)
    ]
    return (*running, *(f"{c.name} ({c.reason})" for c in plan.changes if waits_for_a_job(c, plan, upstream)))
