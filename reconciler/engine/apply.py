"""One `apply`: passes over one reading of the manifests until nothing more can be sent.

`cli` calls `apply` with a `Reconciler` and shows what comes of it. It waits where waiting is
part of the promise (a settle window before the first write of a run without memory, after a
lost answer, after the last create) and, with ``wait``, until nothing is live or waiting. It
decides nothing about jobs.
"""

from collections import Counter
from collections.abc import Callable, Iterable

from msgspec import Struct
from msgspec.structs import replace

from reconciler.clock import Clock
from reconciler.core.change import Action, Change, Hold
from reconciler.core.gates import Permission
from reconciler.core.reason import Trouble
from reconciler.core.schedule import Due, Next, under_way
from reconciler.core.snapshot import Snapshot
from reconciler.core.watch import PutOff
from reconciler.engine.act import Outcome
from reconciler.engine.reconcile import Reconciler
from reconciler.engine.steps import Decided, Pass
from reconciler.errors import ProviderError, ReconcilerError

# A create whose answer is lost twice in one run is looked for by the next one.
_LOST_ANSWERS_LIMIT = 2

# Seconds. A create that has to wait is waited for where the server asks for no more than the first, and as long as
# one goes through within the second; with ``wait`` for as long as it takes.
_PUT_OFF_LONGEST, _PUT_OFF_PATIENCE = 120.0, 600.0

# While waiting for jobs, a provider that cannot be read is asked again this many times.
_PATIENCE = 5


class Patience(Struct, frozen=True):
    """How long to go on. ``poll`` and ``timeout`` are seconds; without ``wait`` neither counts."""

    wait: bool = False
    poll: float = 10.0
    timeout: float | None = None


class Result(Struct, frozen=True):
    """What an apply came to.

    ``waited``: it was to wait for the jobs, so what became of them counts. ``failure`` says why it could not go on
    after its first pass. ``outdated``: it waited, and meanwhile the files became others than it had read.
    """

    outcomes: tuple[Outcome, ...]
    last: Pass
    waited: bool = False
    timed_out: bool = False
    failure: str = ""
    outdated: bool = False

    @property
    def exit_code(self) -> int:
        """The lowest that applies, as README lists them."""
        after = self.last.after
        if self.failure or self.undone or any(c.reason.trouble is Trouble.OWN for c in after.gated.plan.changes):
            return 1
        if after.gated.refusals:
            return 3
        return 5 if self.unsuccessful else 6 if self.timed_out else 0

    @property
    def unsuccessful(self) -> tuple[str, ...]:
        """The declared names whose job stands failed, or cancelled by somebody else; () where nobody waited for it."""
        changes = self.last.after.gated.plan.changes if self.waited else ()
        return tuple(c.name for c in changes if isinstance(c, Hold) and c.reason.unsuccessful)

    @property
    def undone(self) -> tuple[Change | Outcome, ...]:
        """Writes that should have happened and did not: still in the plan, or sent without effect."""
        after = self.last.after
        live = {job.id for job in after.seen.world.jobs if job.live}
        latest = {(o.name, o.action, o.job_id): o for o in self.outcomes}
        without_effect = (o for o in latest.values() if not o.ok and o.action is Action.CANCEL and o.job_id in live)
        return (*after.gated.plan.writes, *after.gated.plan.put_off, *without_effect)


class Listener(Struct, frozen=True):
    """What an apply calls while it goes on.

    ``announce`` gets the first decision, before anything is sent; ``wrote`` what came of each write, at once;
    ``waiting`` every wait (seconds, for what pass) before it begins, ``waited`` its end; ``passed`` every pass.
    """

    announce: Callable[[Decided], None]
    wrote: Callable[[Outcome], None]
    waiting: Callable[[float, Next], None]
    waited: Callable[[], None]
    passed: Callable[[Pass], None]


def apply(
    reconciler: Reconciler, snapshot: Snapshot, permission: Permission, patience: Patience, listener: Listener
) -> Result:
    """Repeat the pass until nothing more can be sent now, and one settle window after the last create.

    What goes wrong after the first pass ends it too; the result says so, and what had been done by then.

    Raises:
        ProviderError: the provider could not be listed completely, not even once.
        JournalError: the state directory cannot be trusted or written, or another run has it.
        ReconcilerError: the first pass could not write the status.
    """
    pauses = 0

    def pausing(seconds: float, following: Next) -> None:
        nonlocal pauses
        pauses += 1
        listener.waiting(seconds, following)

    result = _repeated(reconciler, snapshot, permission, patience, replace(listener, waiting=pausing))
    # Without a pause, this would only hash again what was just read.
    return replace(result, outdated=pauses > 0 and not reconciler.unchanged(snapshot))


def _repeated(
    reconciler: Reconciler, snapshot: Snapshot, permission: Permission, patience: Patience, listener: Listener
) -> Result:
    clock, announce = reconciler.clock, listener.announce
    end = None if patience.timeout is None else clock.monotonic() + patience.timeout
    outcomes: list[Outcome] = []
    failures = 0
    last: Pass | None = None
    while True:
        try:
            last = reconciler.one_pass(snapshot, permission, announce, listener.wrote)
        except ReconcilerError as error:
            failures += 1
            if last is None:
                raise
            if not (isinstance(error, ProviderError) and patience.wait and failures <= _PATIENCE):
                return Result(tuple(outcomes), last, patience.wait, failure=str(error))
            at = clock.monotonic() + patience.poll * failures
            following: Next | None = Next(at, Due.BACKOFF, f"the provider ({error})")
        else:
            failures, announce = 0, _silent
            listener.passed(last)
            outcomes = _merged(outcomes, last.outcomes)
            following = _next(reconciler, last, outcomes, patience)
        if following is None:
            return Result(tuple(outcomes), last, patience.wait)
        if end is not None and clock.monotonic() >= end:
            return Result(tuple(outcomes), last, patience.wait, timed_out=True)
        _pause(clock, following if end is None else replace(following, at=min(following.at, end)), listener)


def _next(reconciler: Reconciler, last: Pass, outcomes: list[Outcome], patience: Patience) -> Next | None:
    """The next pass; None where nothing more can come of one."""
    now = reconciler.clock.monotonic()
    passes = reconciler.next_passes(last)
    work = next((n for n in passes if n.due is Due.WORK), None)
    if work is not None:
        return work
    if max(Counter(o.name for o in outcomes if o.unknown).values(), default=0) >= _LOST_ANSWERS_LIMIT:
        return None
    later = patience.wait or _is_soon(reconciler.watch.next_create, now)
    waits_for = {Due.COLD, Due.LOOK, *([Due.LATER] if later and last.after.gated.plan.put_off else [])}
    following = [n for n in passes if n.due in waits_for]
    if following:
        return min(following, key=lambda n: n.at)
    busy = _busy(last.after) if patience.wait else ()
    return Next(now + patience.poll, Due.JOBS, ", ".join(busy)) if busy else None


def _is_soon(later: PutOff | None, now: float) -> bool:
    """Whether what the provider wants later is waited for without ``wait``."""
    if later is None:
        return False
    return later.until - now <= _PUT_OFF_LONGEST and now - later.since < _PUT_OFF_PATIENCE


def _busy(after: Decided) -> tuple[str, ...]:
    world = after.seen.world
    upstream = {name: desired.model_from for name, desired in world.desired.items() if desired.model_from}
    return under_way(after.gated.plan, {job.id: job for job in world.jobs if job.live}, upstream)


def _merged(before: list[Outcome], now: Iterable[Outcome]) -> list[Outcome]:
    """All outcomes; of a create that was put off and tried again, only the last."""
    fresh = tuple(now)
    again = {o.name for o in fresh if o.action is Action.CREATE}
    return [*(o for o in before if o.put_off is None or o.name not in again), *fresh]


def _silent(_: Decided) -> None:
    """The first decision was announced; the later ones follow from it."""


def _pause(clock: Clock, following: Next, listener: Listener) -> None:
    seconds = max(0.0, following.at - clock.monotonic())
    listener.waiting(seconds, following)
    clock.sleep(seconds)
    listener.waited()
