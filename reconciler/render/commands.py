"""The commands that a decision or a status names, as its reader would type them.

Pure. `core` does not know where its messages are read, so it writes DIR for the directory; a status file and a log keep
that. `cli` passes everything that it shows a person through here.
"""

import re
from collections.abc import Mapping

from msgspec.structs import replace

from reconciler.core.change import Change, Plan
from reconciler.core.status import Status
from reconciler.engine.apply import Result
from reconciler.engine.steps import Decided
from reconciler.render.text import Typed

# As `core.lines.forget_command` writes it.
_ANYWHERE = re.compile(r"`reconciler (?P<command>\w+) (?P<job>\S+) -d DIR`")


def typed_here(text: str, typed: Typed) -> str:
    """``text`` with the reader's own directory in its commands, in the place of DIR."""
    return _ANYWHERE.sub(lambda found: f"`{typed(found['command'], found['job'])}`", text)


def decided_here(decided: Decided, typed: Typed) -> Decided:
    """The decision with the commands in its messages as `typed_here` has them."""
    verdicts = tuple(replace(v, message=typed_here(v.message, typed)) for v in decided.gated.verdicts)
    gated = replace(decided.gated, plan=_plan_here(decided.gated.plan, typed), verdicts=verdicts)
    return replace(decided, plan=_plan_here(decided.plan, typed), gated=gated)


def result_here(result: Result, typed: Typed) -> Result:
    """How an apply ended, likewise."""
    last = result.last
    report = statuses_here(last.report, typed)
    return replace(result, last=replace(last, after=decided_here(last.after, typed), report=report))


def statuses_here(statuses: Mapping[str, Status], typed: Typed) -> Mapping[str, Status]:
    """Statuses, likewise."""
    return {name: _status_here(status, typed) for name, status in statuses.items()}


def _plan_here(plan: Plan, typed: Typed) -> Plan:
    return replace(plan, changes=tuple(_change_here(change, typed) for change in plan.changes))


def _change_here(change: Change, typed: Typed) -> Change:
    message = typed_here(change.message, typed)
    return change if message == change.message else replace(change, message=message)


def _status_here(status: Status, typed: Typed) -> Status:
    conditions = tuple(replace(c, message=typed_here(c.message, typed)) for c in status.conditions)
    return status if conditions == status.conditions else replace(status, conditions=conditions)
