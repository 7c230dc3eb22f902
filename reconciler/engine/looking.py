"""The looks of a run at its account: complete, incremental, and at single jobs; and what they show, as a `World`.

`reconcile` builds its passes on it. What a write rests on is always a complete look. Nothing in here writes.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from msgspec.structs import replace

from reconciler.clock import Clock
from reconciler.core.desired import Fleet
from reconciler.core.file_marks import Sent, told_apart
from reconciler.core.gates import Permission
from reconciler.core.job import Job
from reconciler.core.looks import Looks
from reconciler.core.lookup import found_without_marks, lookups, resolved_intents
from reconciler.core.memory import Memory
from reconciler.core.plan import plan
from reconciler.core.recognition import learned
from reconciler.core.schedule import Next
from reconciler.core.snapshot import Snapshot, broken_names
from reconciler.core.watch import Watch, why_cold
from reconciler.core.world import World
from reconciler.engine.checkout import Checkout
from reconciler.engine.identity import FileNames, MarkedProvider
from reconciler.engine.observe import leftovers, listing, look_up, newest
from reconciler.engine.ports import Ports
from reconciler.engine.rest import Rest
from reconciler.engine.steps import Pass, Seen

_NOBODY_ASKED = Permission()


class Looking:
    """What a run has seen of its account so far, and how it looks again."""

    def __init__(
        self,
        ports: Ports,
        *,
        settle: float,
        prune: bool = True,
        every_backoff: bool = False,
        method_assumed: bool = False,
    ) -> None:
        """``settle``: the settle window in seconds. ``every_backoff``: back-offs of earlier runs count.

        ``method_assumed``: as a `World` has it.
        """
        self._ports = ports
        self._method_assumed = method_assumed
        self._prune = prune
        self._every_backoff = every_backoff
        self.checkout = Checkout(ports.journal)
        self.watch = Watch(settle, started=ports.clock.monotonic(), cold=self.why_cold())
        self._looks = Looks()
        self._file_names = FileNames(ports.provider, ports.clock.monotonic, settle)
        self._rest: Rest | None = None

    @property
    def ports(self) -> Ports:
        """What it touches, for who does more within the lock of a pass than a pass does."""
        return self._ports

    @property
    def clock(self) -> Clock:
        """The clock that every time in here is read from."""
        return self._ports.clock

    def ask_every_name(self) -> None:
        """Ask for the name of every training file in one look, as who makes no second one must."""
        self._file_names.every = True

    def unchanged(self, snapshot: Snapshot) -> bool:
        """Whether manifests and training files, read again, are still what the snapshot was made of."""
        return self._ports.unchanged(snapshot)

    def observe(self, snapshot: Snapshot, permission: Permission = _NOBODY_ASKED) -> Seen:
        """List completely, look up what ought to be there, and see what became of unresolved creates."""
        began, fleet = self._ports.clock.monotonic(), self.checkout.fleet(snapshot)
        listed = listing(self.marking(snapshot), snapshot, fleet, self._looks.jobs)
        self._looks = self._looks.after_complete(listed, began, self.watch.settle).anew(began)
        return self._seen(snapshot, permission, listed, began)

    def see(self, snapshot: Snapshot, permission: Permission) -> Seen | Rest:
        """What this pass decides from; or, where nothing has changed since one that left nothing to do, that one.

        An incremental look shows that, or what has changed. What a write rests on is a complete look.
        """
        began = self._ports.clock.monotonic()
        rest = self._taken_rest(snapshot, permission, began)
        if rest is None:
            return self.observe(snapshot, permission)
        complete = self._look_again(rest, began)
        if self._looks.version == rest.version:
            return rest
        seen = self._seen(snapshot, permission, tuple(self._looks.jobs.values()), began, complete=complete)
        return seen if seen.complete or self.suffices(seen) else self.observe(snapshot, permission)

    def _taken_rest(self, snapshot: Snapshot, permission: Permission, at: float) -> Rest | None:
        """What the last pass left, where it still holds; else its world goes before another comes."""
        rest, self._rest = self._rest, None
        holds = rest is not None and not self._looks.is_old(at) and rest.holds(self._ports, snapshot, permission)
        return rest if holds else None

    def _look_again(self, rest: Rest, began: float) -> bool:
        """Look at what may have changed since; whether the look was complete."""
        looks, settle, fleet = self._looks.passed(), self.watch.settle, rest.world.fleet
        ports = self.marking(rest.snapshot)
        found = newest(ports.provider, looks, rest.open) if looks.tells(len(rest.open)) else None
        if found is None or (not found.whole and looks.strangers(found.jobs, fleet.name, echoes=rest.echoes)):
            listed = listing(ports, rest.snapshot, fleet, looks.jobs)
            self._looks = looks.after_complete(listed, began, settle, rest.matters)
            return True
        if found.whole:
            self._looks = looks.after_complete(tuple(found.jobs.values()), began, settle, rest.matters)
        else:
            self._looks = looks.after_incremental(found.jobs, began, settle, rest.matters)
        return found.whole

    def suffices(self, seen: Seen) -> bool:
        """Whether an incremental look was enough: it leaves nothing to send, and showed nothing that is in doubt."""
        return not (seen.asked or plan(seen.world).writes)

    def _seen(
        self,
        snapshot: Snapshot,
        permission: Permission,
        listed: tuple[Job, ...],
        began: float,
        *,
        complete: bool = True,
    ) -> Seen:
        """What there is to decide from, once the jobs are ``listed`` by a look that ``began`` then."""
        fleet, number = self.checkout.fleet(snapshot), self._ports.journal.number
        memory = self.memory(listed, fleet)
        last_seen = self._ports.journal.manifests.paths()
        self.watch = watch = self.watch.listed(self._looks.jobs.keys(), memory.intents, began)
        world = World(
            fleet=fleet,
            desired=snapshot.desired,
            jobs=listed,
            memory=memory,
            overtaken=self.checkout.overtaken(snapshot),
            broken=broken_names(snapshot, last_seen),
            looked_for=watch.looked_long_enough(began),
            seen_first=watch.seen_first or frozenset(),
            approved_ahead=permission.ahead,
            prune=self._prune,
            method_assumed=self._method_assumed,
            gaps=tuple(f"{gap.path}: {gap.message}" for gap in snapshot.gaps),
            leftovers=leftovers(self._ports, snapshot, listed, fleet, last_seen),
            objections={d.name: why for d in snapshot.desired.values() if (why := self._ports.objection(d))},
        )
        asked = self._doubted(world, watch)
        world = self._looked_up(world, asked, snapshot)
        resolved = resolved_intents(world)
        world = _with_resolved(world, resolved)
        self.watch = watch.after(world, self._ports.journal.cancels.pending(), began)
        settled = began >= watch.settled_at
        return Seen(world, resolved, self.watch.void, settled, complete=complete, number=number, asked=bool(asked))

    def next_passes(self, done: Pass) -> tuple[Next, ...]:
        """Everything another pass is worth making for, after this one."""
        at, now = self._ports.journal.next_try(), self.clock.monotonic()
        return self.watch.next_passes(
            worked=any(outcome.ok and outcome.sent for outcome in done.outcomes),
            postponed=done.postponed,
            tried_again=None if at is None else now + max(0.0, at - self.clock.time()),
            now=now,
        )

    def why_cold(self) -> str:
        """Why this run must wait one settle window before its first write; "" where it need not."""
        journal = self._ports.journal
        return why_cold(settled=journal.settled, moved=journal.moved, lost=bool(journal.memory().intents))

    def memory(self, listed: Iterable[Job], fleet: Fleet) -> Memory:
        """The journal's memory, what was put off, and what these jobs say about marks coming back."""
        memory = self._ports.journal.memory(every_backoff=self._every_backoff)
        self.watch = self.watch.at(self._ports.clock.monotonic())
        put_off = {create: later.why for create, later in self.watch.put_off_now.items()}
        return learned(replace(memory, put_off=put_off), listed, fleet.name)

    def marking(self, snapshot: Snapshot) -> Ports:
        """The ports, with a provider whose jobs carry the marks of their files where it drops metadata."""
        ports = self._ports
        sent = Sent(self.checkout.fleet(snapshot).name, snapshot.desired, ports.journal.memory())
        return replace(ports, provider=MarkedProvider(ports.provider, self._file_names, sent))

    def _doubted(self, world: World, watch: Watch) -> frozenset[str]:
        """The jobs that the listing may not show truly."""
        return frozenset(job.id for job in world.jobs if job.live and job.id in watch.ended).union(lookups(world))

    def _looked_up(self, world: World, job_ids: AbstractSet[str], snapshot: Snapshot) -> World:
        """With these jobs, read one by one; and jobs on one file told apart, where all of them are in sight."""
        if not job_ids:
            apart = told_apart(world.jobs, world.memory)
            return world if apart == world.jobs else replace(world, jobs=apart)
        looked = look_up(self.marking(snapshot).provider, job_ids)
        jobs = {job.id: job for job in (*world.jobs, *looked.found)}
        missing = looked.missing - jobs.keys()
        apart = told_apart(tuple(jobs.values()), world.memory)
        return replace(world, jobs=apart, missing=missing, unseen=looked.unseen)


def _with_resolved(world: World, resolved: Mapping[str, str | None]) -> World:
    """Once it is known what became of these creates."""
    if not resolved:
        return world
    memory = world.memory
    intents = {name: intent for name, intent in memory.intents.items() if name not in resolved}
    # A create of our own, found at last, is no stranger although its manifest is gone meanwhile.
    memory = replace(memory, intents=intents, gone=memory.gone - resolved.keys())
    if found := found_without_marks(world, resolved):
        # What they show of this provider is remembered with them, not by the next pass.
        memory = learned(replace(memory, records={**memory.records, **found}), world.jobs, world.fleet.name)
    return replace(world, memory=memory)
