"""The writes of one gated plan: in their order, each with everything at hand that it needs.

`reconcile` calls `send` once a pass may write. Which writes there are, and in which order, is decided in `core`; how
each of them is sent is said in `cancelling`, `pausing` and `act`.
"""

from collections import deque
from collections.abc import Callable, Iterator

from reconciler.core.change import Cancel, Create, Pause, Resume, Write
from reconciler.engine.act import CreateTools, Outcome, create, needed
from reconciler.engine.cancelling import cancel
from reconciler.engine.pausing import pause_or_resume
from reconciler.engine.ports import Ports
from reconciler.engine.steps import Decided
from reconciler.engine.uploads import Needed, Uploads


def send(
    ports: Ports,
    decided: Decided,
    note: Callable[[Write, Outcome], None],
    may_wait: Callable[[Create], bool],
    *,
    method_assumed: bool,
) -> tuple[Outcome, ...]:
    """Send them one by one, and give ``note`` what came of each at once; ``may_wait`` as `CreateTools` has it.

    Raises:
        JournalError: the memory failed; no write followed.
    """
    fleet = decided.seen.world.fleet.name
    with Uploads.open(ports, lambda: _expected(ports, decided)) as uploads:
        tools = CreateTools(
            fleet, ports.provider, ports.journal, ports.log, uploads, may_wait, method_assumed=method_assumed
        )
        return _sent(ports, tools, decided, note)


def _expected(ports: Ports, decided: Decided) -> Iterator[Needed]:
    """The files of all creates of the plan."""
    world, memory = decided.seen.world, ports.journal.memory()
    for write in decided.gated.plan.writes:
        if isinstance(write, Create):
            yield from needed(world.fleet.name, write, world.desired[write.name], memory)


def _sent(
    ports: Ports, tools: CreateTools, decided: Decided, note: Callable[[Write, Outcome], None]
) -> tuple[Outcome, ...]:
    """Cancels first; no create more where none can succeed now."""
    world = decided.seen.world
    outcomes: list[Outcome] = []
    known = frozenset(job.id for job in world.jobs)
    writes = deque(decided.gated.plan.writes)
    while writes and not ports.stopping():
        write = writes.popleft()
        if isinstance(write, Cancel):
            outcome = cancel(tools, write)
        elif isinstance(write, Pause | Resume):
            outcome = pause_or_resume(tools, write)
        elif any(outcome.stop for outcome in outcomes):
            break
        else:
            outcome = create(tools, write, world.desired[write.name])
        outcomes.append(outcome)
        note(write, outcome)
        # An answer that names a job which was there before is not about this create; the next pass looks at it.
        if outcome.ends is not None and outcome.ends.job_id not in known:
            writes.appendleft(outcome.ends)
    return tuple(outcomes)
