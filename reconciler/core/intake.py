"""Whether the provider takes new jobs of this fleet: one condition of all of it, beside those of each job.

Pure. `publish` writes it to the fleet's own status file and into the log, `telemetry` counts it, and `status` and
`describe` show it once. No text in here depends on the time.
"""

from collections.abc import Mapping

from msgspec import Struct

from reconciler.core.change import Create, Plan
from reconciler.core.memory import EVERY_CREATE
from reconciler.core.reason import Reason
from reconciler.core.world import World

_CLOSED = "the provider takes no new jobs: "


class Intake(Struct, frozen=True):
    """Why no new job is taken. ``last``: the job that was refused last. ``next_try`` is in Unix seconds.

    ``waiting`` are the names whose create waits for it; that of one of them is the next try. ``since`` is ISO 8601,
    UTC; None: not known.
    """

    message: str
    last: str
    next_try: int
    waiting: tuple[str, ...]
    since: str | None = None

    @property
    def words(self) -> str:
        return f"{_CLOSED}{self.message}{_whose(self.last)}"

    @property
    def report(self) -> dict[str, object]:
        """As plain data, with a condition as Kubernetes writes it."""
        condition = {
            "type": "Blocked",
            "status": "True",
            "reason": str(Reason.CREATE_REFUSED),
            "message": self.words,
            "last_transition_time": self.since,
        }
        return {
            "conditions": [condition],
            "last_refused": self.last,
            "next_try": self.next_try,
            "waiting": list(self.waiting),
        }


def intake(world: World, plan: Plan, *, before: Mapping[str, object], now: str | None) -> Intake | None:
    """None where every create may be sent, or none is wanted. ``before`` is the last report, as read back from disk.

    ``now`` is the time that a new condition gets; None: whoever only reads has not seen when it began.
    """
    refusal = world.memory.refusals.get(EVERY_CREATE[0])
    waiting = tuple(
        change.name
        for change in plan.changes
        if isinstance(change.write, Create) and (change.write is change or change.reason is Reason.CREATE_REFUSED)
    )
    if refusal is None or not waiting:
        return None
    return Intake(refusal.message, refusal.name, refusal.next_at, waiting, _since(before) or now)


def recorded_intake(report: Mapping[str, object]) -> Intake | None:
    """As a report on disk holds it; None where it holds none."""
    words, waiting, at = _condition(report).get("message"), report.get("waiting"), report.get("next_try")
    if not isinstance(words, str) or not isinstance(waiting, list) or not isinstance(at, int):
        return None
    last = str(report.get("last_refused", ""))
    message = words.removeprefix(_CLOSED).removesuffix(_whose(last))
    return Intake(message, last, at, tuple(map(str, waiting)), _since(report))


def _whose(last: str) -> str:
    return f" (last refused: {last})"


def _condition(report: Mapping[str, object]) -> Mapping[str, object]:
    conditions = report.get("conditions")
    first = conditions[0] if isinstance(conditions, list) and conditions else None
    return first if isinstance(first, Mapping) else {}


def _since(before: Mapping[str, object]) -> str | None:
    since = _condition(before).get("last_transition_time")
    return since if isinstance(since, str) else None
