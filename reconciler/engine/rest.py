"""A pass that left nothing to do: as long as all that it was decided from is the same, so is what it decided.

`reconcile` makes a `Rest` at the end of such a pass and asks it at the next one. Only what sends and records nothing is
ever decided so; whatever is not certain to be the same is looked at and decided anew.
"""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from reconciler.core.change import Adopt
from reconciler.core.gates import Permission
from reconciler.core.job import Job
from reconciler.core.snapshot import Snapshot
from reconciler.core.status import Status
from reconciler.core.watch import Watch
from reconciler.core.world import World
from reconciler.engine.ports import Ports
from reconciler.engine.publish import Troubles, to_follow, troubles_of
from reconciler.engine.steps import Decided, Pass
from reconciler.state.journal import Journal


class Rest(Struct, frozen=True):
    """What such a pass was decided from, and what it came to.

    ``number`` is the journal's, ``version`` that of the account's jobs, as `Looks` counts them. ``open`` are the ids of
    jobs that may still move; ``followed`` those whose events are read, with their names; ``adopted`` those that a
    manifest says to adopt.
    """

    snapshot: Snapshot
    permission: Permission
    number: int
    version: int
    after: Decided
    report: Mapping[str, Status]
    troubles: Troubles
    open: tuple[str, ...]
    followed: Mapping[str, tuple[str, Job]]
    adopted: frozenset[str]

    @property
    def world(self) -> World:
        return self.after.seen.world

    @property
    def echoes(self) -> bool:
        """Whether this provider returns our marks."""
        return bool(self.world.memory.echoes)

    def matters(self, job: Job) -> bool:
        """Whether anything here can depend on it. What else there is, others' jobs, is only counted."""
        memory = self.world.memory
        return not self.echoes or self.world.owns(job) or job.id in memory.records or job.id in self.adopted

    def holds(self, ports: Ports, snapshot: Snapshot, permission: Permission) -> bool:
        """Whether everything on this side is as it was; what a look shows of the jobs is another question."""
        return (
            snapshot is self.snapshot
            and _read_only(permission) == self.permission
            and ports.journal.number == self.number
            and ports.journal.next_try() is None
            and ports.status_files.untouched()
        )


def rest_after(done: Pass, ports: Ports, watch: Watch, snapshot: Snapshot, version: int) -> Rest | None:
    """What this pass leaves; None where anything is still to be done, waited for or looked at."""
    after, journal = done.after, ports.journal
    seen, world = after.seen, after.seen.world
    wanted = after.plan.writes or after.gated.refusals or any(isinstance(c, Adopt) for c in after.plan.changes)
    if done.outcomes or done.postponed or wanted or seen.asked or world.leftovers or world.memory.intents:
        return None
    if not watch.idle or journal.next_try() is not None or _cancels_live(journal, world):
        return None
    if journal.number != seen.number:  # what this pass wrote down is looked at anew
        return None
    return Rest(
        snapshot=snapshot,
        permission=_read_only(after.permission),
        number=seen.number,
        version=version,
        after=after,
        report=done.report,
        troubles=troubles_of(after),
        open=_open(world),
        followed=to_follow(world, journal),
        adopted=frozenset(d.policy.adopt.job_id for d in world.desired.values() if d.policy.adopt),
    )


def _read_only(permission: Permission) -> Permission:
    """Without what only a write asks for."""
    return replace(permission, steady=True, gone=None)


def _cancels_live(journal: Journal, world: World) -> bool:
    """Whether a recorded cancel has yet to take."""
    outstanding = journal.cancels.outstanding()
    return bool(journal.cancels.pending()) or any(job.live and job.id in outstanding for job in world.jobs)


def _open(world: World) -> tuple[str, ...]:
    """The jobs that stand for a name and may still move: live, or succeeded and awaited without a model as yet."""
    awaited = {desired.model_from for desired in world.desired.values()}
    return tuple(
        n.job.id
        for name, case in world.cases.items()
        for n in case.jobs
        if n.live or (name in awaited and n.job.succeeded and not n.job.fine_tuned_model)
    )
