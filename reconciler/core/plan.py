"""The decision: what to do about every name, and why.

Pure. `reconcile` calls `plan` with a `World` and acts on the `Plan`; `gates` may hold parts of it back. The rows of
the decision table (docs/decision-table.md) stand in `standing` (parts A and B), `admission` (C) and
`retirement` (D), in their order. None of them asks whether a limit allows a change, and none sees a clock, a file or
a socket.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from reconciler.core.admission import admit
from reconciler.core.change import Adopt, Cancel, Change, Create, Keep, Plan, Wait
from reconciler.core.lines import resumed, unproven
from reconciler.core.retirement import retire
from reconciler.core.standing import stand
from reconciler.core.world import World


def plan(world: World) -> Plan:
    """Decide every name once: parts A and B for each, then C over the wanted creates, then D."""
    cases = world.cases
    decisions = {name: stand(case) for name, case in cases.items()}
    permitted = admit(world, cases, decisions)
    changes: list[Change] = []
    for name in sorted(cases):
        decision = decisions[name]
        create = permitted.get(name)
        follows = () if decision.final else tuple(retire(cases[name], decision, create))
        if create is not None:
            changes.append(_replacing(create, follows))
        for change in (*decision.changes, *follows):
            resume = resumed(cases[name], change) if isinstance(change, Keep | Adopt) else None
            changes.extend([resume, change] if resume else [change])
        changes.extend(unproven(cases[name]))
    return Plan(tuple(changes), world.unmanaged)


def _replacing(create: Create | Wait, follows: Iterable[Change]) -> Create | Wait:
    """With the live jobs that it will retire."""
    replaced = tuple(c.job_id for c in follows if isinstance(c, Cancel) and c.follows)
    return replace(create, replaces=replaced) if isinstance(create, Create) else create
