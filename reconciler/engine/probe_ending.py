"""The end of what a probe of `doctor` has left: it was killed, its answer was lost, or its cancel did not take.

`engine.probe` ends with it, an `apply` does it last, and a daemon a pass at a time beside its own. What is left stands
in the journal, under the fleet of probes: where nothing does, nobody is asked for it.
"""

from collections.abc import Callable
from functools import cache

from msgspec.structs import replace

from reconciler.core.fields import State
from reconciler.core.gates import Permission
from reconciler.core.memory import Memory
from reconciler.core.probe import fleet_of_probe
from reconciler.core.schedule import Due, Next
from reconciler.core.snapshot import Snapshot
from reconciler.engine.apply import Listener, Patience, apply
from reconciler.engine.reconcile import Reconciler
from reconciler.engine.steps import Pass
from reconciler.errors import ReconcilerError, StateReplaced, Stopped
from reconciler.log import Log
from reconciler.state.journal import Journal

# Nothing is made, so there is no first job to ask about; a probe ends whatever limits its fleet has.
_PERMITTED = Permission(first_run=True)
# Seconds after which a daemon looks again at a probe that has not ended, although nothing asks for it.
SECONDS_BETWEEN_ENDS = 300.0


def reading_of_probe(snapshot: Snapshot) -> Snapshot:
    """As if the document of its fleet of probes had been read, and no manifest."""
    fleet = None if snapshot.fleet is None else fleet_of_probe(snapshot.fleet)
    fingerprint = f"probe {snapshot.fingerprint}"
    return Snapshot(snapshot.root, fleet, {}, fingerprint=fingerprint)


def left_by_probes(journal: Journal, snapshot: Snapshot) -> frozenset[str]:
    """What probes have left at the account of this journal, and may be ended; asks nobody else."""
    fleet = snapshot.fleet
    if fleet is None or fleet.state is State.SUSPENDED:
        return frozenset()
    live, lost = journal.records.unfinished(fleet_of_probe(fleet).name)
    if not lost:
        return live
    shown = journal.memory()
    # At a server of which nothing tells whose a job is, no look will find that of a lost create.
    findable = shown.echoes is not False or shown.files or shown.seeds
    return live | lost if findable else live


def hand_on(shown: Memory, journal: Journal) -> None:
    """Tell a fleet what its probes have seen come back, and the reverse.

    That something does not come back, each must see itself.
    """
    if shown.echoes or shown.files or shown.seeds:
        journal.record_echo(echoes=bool(shown.echoes), files=shown.files, seeds=shown.seeds)


def end_probes(run: Reconciler, snapshot: Snapshot, listener: Listener) -> Pass:
    """Look for what earlier probes left, resolved or not, and cancel what is live and ours; the last pass of it."""
    return apply(run, _ending(run, snapshot), _PERMITTED, Patience(), listener).last


def live_probes(last: Pass) -> tuple[str, ...]:
    """The jobs of probes that are not ended yet."""
    return tuple(n.job.id for case in last.after.seen.world.cases.values() for n in case.live)


def ending_beside(
    journal: Journal, begin: Callable[[], Reconciler], log: Log
) -> Callable[[Snapshot], tuple[Next, ...]]:
    """What a daemon calls after each of its passes: a pass over what probes have left, where another one is due.

    ``journal`` is the daemon's own; ``begin`` makes the run over the fleet of probes, once there is anything left.
    """
    begun = cache(begin)
    left, next_one = frozenset[str](), Next(0.0, Due.LOOK)

    def end(snapshot: Snapshot) -> tuple[Next, ...]:
        nonlocal left, next_one
        before, left = left, left_by_probes(journal, snapshot)
        if not left:
            return ()
        try:
            run = begun()
            now = run.clock.monotonic()
            if left == before and now < next_one.at:
                return (next_one,)
            if left - before:
                log.warning("probe.left", left=sorted(left))
            done = run.one_pass(_ending(run, reading_of_probe(snapshot)), _PERMITTED)
        except (Stopped, StateReplaced):
            raise
        except ReconcilerError as error:
            log.warning("probe.not_ended", error=str(error))
            return ()  # the daemon's next pass tries again
        next_one = min(
            (Next(now + SECONDS_BETWEEN_ENDS, Due.LOOK), *run.next_passes(done)), key=lambda following: following.at
        )
        return (next_one,)

    return end


def _ending(run: Reconciler, snapshot: Snapshot) -> Snapshot:
    """The snapshot under another fingerprint, so that no decision made for the probe's own reading holds for it."""
    fleet = replace(run.checkout.fleet(snapshot), state=State.CANCELLED)
    return replace(snapshot, fleet=fleet, desired={}, fingerprint=f"{snapshot.fingerprint} ended")
