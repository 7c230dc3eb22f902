"""One pass: list, remember, decide, act, report.

`apply` and `daemon` repeat `Reconciler.one_pass`. On the command line `plan` and `status` use `observe` and `decide`
alone, which write nothing, and `forget` the method of that name. A pass gets the whole desired map and the whole
listing, never an event. What to do is decided in `core`: in here is the order of it.
"""

import os
from collections.abc import Callable, Mapping
from types import MappingProxyType

from msgspec.structs import replace

from reconciler.core.change import Adopt, Cancel, Create, Pause, Plan, Resume, Write
from reconciler.core.estimate import Estimate
from reconciler.core.fields import State
from reconciler.core.gates import Permission, gate
from reconciler.core.job import Job
from reconciler.core.lookup import (
    gone_on,
    newly_ended,
    records_of,
    seen_at_first,
    stays_unresolved,
)
from reconciler.core.memory import EVERY_CREATE, Memory
from reconciler.core.plan import plan
from reconciler.core.reminders import Reminders
from reconciler.core.snapshot import Snapshot
from reconciler.core.status import Details, Progress
from reconciler.core.watch import Watch
from reconciler.core.world import World
from reconciler.engine.act import Outcome
from reconciler.engine.looking import Looking
from reconciler.engine.observe import look_up
from reconciler.engine.publish import (
    details_of,
    follow,
    log_adopted,
    log_end,
    log_pass,
    log_refusals,
    log_troubles,
    to_follow,
    troubles_of,
    write_statuses,
)
from reconciler.engine.rest import Rest, rest_after
from reconciler.engine.sending import send
from reconciler.engine.steps import Decided, Pass, Seen
from reconciler.log import Log


class Reconciler(Looking):
    """One run over one fleet: what its passes must remember of each other, and nothing else.

    It is made as `Looking` is.
    """

    # How far jobs are, by id, as whoever waits for them has last read: it is not read again for the report.
    progress: Mapping[str, Progress] = MappingProxyType({})
    _refusals = Reminders()  # what gates refuse
    _troubles = Reminders()  # what keeps names from going on
    _logged: frozenset[str] = frozenset()  # jobs whose end this run has logged

    def one_pass(
        self,
        snapshot: Snapshot,
        permission: Permission,
        announce: Callable[[Decided], None] = lambda _: None,
        wrote: Callable[[Outcome], None] = lambda _: None,
    ) -> Pass:
        """List, remember, decide, act, report.

        ``announce`` gets the decision before anything is sent, ``wrote`` what came of each write at once.

        Raises:
            ProviderError: there is no complete look at the provider; nothing was written.
            JournalError: the memory failed; no write followed.
        """
        ports = self._ports
        log = ports.log.bind(pass_id=os.urandom(4).hex())
        ports.journal.fence.check_place()
        with ports.pass_lock():
            began, written = ports.clock.monotonic(), ports.journal.fence.writes
            seen = self.see(snapshot, permission)
            if isinstance(seen, Seen):
                ended = newly_ended(seen.world, seen.resolved)
                self.log_ends(ended, seen.world.memory, log)
                seen = self.remember(seen, snapshot, log)
                done = self._work(seen, snapshot, permission, announce, wrote, log)
                read = Details(progress=self.progress)
                report = write_statuses(ports, log, done.after, ended.values(), read) if ports.follower is None else {}
                if ports.journal.fence.writes != written:  # a pass that changes nothing writes no file
                    ports.keep_known()
        if isinstance(seen, Rest):
            return self._stay(seen, permission, announce, began, log)
        if ports.follower is not None:
            # Outside of the lock: a job whose events are slow must not keep an `apply` waiting.
            read = details_of(follow(ports, to_follow(done.after.seen.world, ports.journal), log))
            with ports.pass_lock():
                report = write_statuses(ports, log, done.after, ended.values(), read)
        self._log(done, began, len(ended), log)
        done = replace(done, report=report)
        self._rest = rest_after(done, ports, self.watch, snapshot, self._looks.version)
        return done

    def _log(self, done: Pass, began: float, ends: int, log: Log) -> None:
        """What is refused, what keeps names from going on, and the pass itself."""
        now = self.clock.monotonic()
        self._refusals = log_refusals(done.after.gated, self._refusals, now, log)
        self._troubles = log_troubles(troubles_of(done.after), done.outcomes, self._troubles, now, log)
        log_pass(log, done.after, now - began, writes=len(done.outcomes), ends=ends)

    def _work(  # noqa: PLR0913, PLR0917 - those of `one_pass`
        self,
        seen: Seen,
        snapshot: Snapshot,
        permission: Permission,
        announce: Callable[[Decided], None],
        wrote: Callable[[Outcome], None],
        log: Log,
    ) -> Pass:
        """Decide, act, and look back."""
        permission = replace(permission, steady=permission.steady and self.checkout.is_recorded(snapshot))
        decided = self.decide(seen, snapshot, permission)
        announce(decided)
        log_adopted(decided.plan, decided.seen.world, log)
        if not decided.plan.writes:
            self._ports.journal.mark_begun(seen_at_first(seen.world))
        writes = decided.gated.plan.writes
        postponed = self.watch.cold if writes else ""
        outcomes = self._act(decided, snapshot, log, wrote) if writes and not postponed else ()
        return Pass(decided, outcomes, self._look_back(decided, outcomes), postponed)

    def _stay(
        self,
        rest: Rest,
        permission: Permission,
        announce: Callable[[Decided], None],
        began: float,
        log: Log,
    ) -> Pass:
        """Decide as the pass before did, since nothing has changed, and follow what is live."""
        ports = self._ports
        steady = permission.steady and self.checkout.is_recorded(rest.snapshot)
        decided = replace(rest.after, permission=replace(permission, steady=steady))
        announce(decided)
        followed = follow(ports, rest.followed, log)
        names = frozenset(rest.followed[one.job_id][0] for one in followed if one.tells)
        report = rest.report
        if names:
            with ports.pass_lock():
                report = {**report, **write_statuses(ports, log, decided, (), details_of(followed), names=names)}
        self._rest = replace(rest, report=report)
        now = ports.clock.monotonic()
        self._troubles = log_troubles(rest.troubles, (), self._troubles, now, log)
        log_pass(log, decided, now - began, writes=0, ends=0)
        return Pass(decided, (), decided, report=report)

    def decide(self, seen: Seen, snapshot: Snapshot, permission: Permission) -> Decided:
        """Plan, then gate; where something would be sent, the files must be the same in a second read."""
        wanted = plan(seen.world)
        all_valid = permission.all_valid and not snapshot.problems
        permission = replace(permission, all_valid=all_valid, estimates=self.estimates(wanted, seen.world))
        gated = gate(wanted, seen.world, permission)
        if gated.plan.writes and not self._ports.unchanged(snapshot):
            permission = replace(permission, steady=False)
            gated = gate(wanted, seen.world, permission)
        return Decided(seen, wanted, gated, permission)

    def estimates(self, wanted: Plan, world: World) -> Mapping[str, Estimate]:
        """What the creates of a plan will cost, by name; empty where the fleet sets no cost limit."""
        if world.fleet.limits.max_cost is None:
            return {}
        creates = [change.write for change in wanted.changes if isinstance(change.write, Create)]
        return {create.name: self._ports.estimate(create, world) for create in creates}

    def forget(self, snapshot: Snapshot, name: str) -> tuple[str, ...]:
        """Drop what holds a name up, as far as a fresh look allows it; says each thing that was dropped."""
        with self._ports.pass_lock():
            world = self.observe(snapshot).world
            listed = {job.id for job in world.jobs}
            recorded = [r.job_id for r in world.memory.records.values() if r.name == name and r.job_id not in listed]
            missing = look_up(self._ports.provider, recorded).missing
            stuck = name in world.cases and stays_unresolved(world.cases[name])
            journal, desired = self._ports.journal, snapshot.desired.get(name)
            to_pause = desired is not None and desired.policy.state is State.PAUSED
            dropped = journal.forget(name, missing, intents=stuck)
            return (*dropped, *(journal.pauses.forget_inability() if to_pause else ()))

    def log_ends(self, ended: Mapping[tuple[str, str], Job], memory: Memory, log: Log) -> None:
        """Log the ends that the journal does not know of yet, before it does: a kill between the two repeats a line.

        One that the journal then cannot take down is logged once a process.
        """
        for (name, job_id), job in ended.items():
            if job_id not in self._logged:
                self._logged |= {job_id}
                log_end(log.bind(job=name, job_id=job_id, status=job.status), job, memory)

    def remember(self, seen: Seen, snapshot: Snapshot, log: Log) -> Seen:
        """Bring the journal up to what was seen; with what that says about creates that are refused."""
        journal, world = self._ports.journal, seen.world
        self.checkout.record(snapshot, world, self._ports.unchanged)
        if world.memory.echoes is not None:
            journal.record_echo(echoes=world.memory.echoes, files=world.memory.files, seeds=world.memory.seeds)
        journal.record_seen(records_of(world), void=seen.void)
        journal.pauses.drop(*gone_on(world))
        for name, job_id in seen.resolved.items():
            journal.drop_intent(name, created=job_id is not None)
            log.info("create.resolved", job=name, job_id=job_id, created=job_id is not None)
        if self.watch.cold and seen.settled:
            journal.mark_settled(seen_at_first(world))
            self.watch = replace(self.watch, cold="")
        if not seen.resolved:
            return seen
        now = journal.memory(every_backoff=self._every_backoff)
        memory = replace(world.memory, refused=now.refused, rejected=now.rejected, refusals=now.refusals)
        return replace(seen, world=replace(world, memory=memory))

    def _act(
        self, decided: Decided, snapshot: Snapshot, log: Log, wrote: Callable[[Outcome], None]
    ) -> tuple[Outcome, ...]:
        """Send the gated plan's writes, and keep what came of each."""

        def note(write: Write, outcome: Outcome) -> None:
            self.watch = _with_outcome(self.watch, write, outcome, self.clock.monotonic())
            wrote(outcome)

        def may_wait(create: Create) -> bool:
            return self.watch.may_wait(create.key, self.clock.monotonic())

        ports = replace(self.marking(snapshot), log=log)
        return send(ports, decided, note, may_wait, method_assumed=self._method_assumed)

    def _look_back(self, decided: Decided, outcomes: tuple[Outcome, ...]) -> Decided:
        """The decision once more, over the world as these outcomes, and what was bound, left it."""
        bound = any(isinstance(change, Adopt) for change in decided.plan.changes)
        if not outcomes and not bound:
            return decided
        world = decided.seen.world
        jobs = {job.id: job for job in (*world.jobs, *(o.job for o in outcomes if o.job is not None))}
        looked_for = world.looked_for - {o.name for o in outcomes if o.unknown}
        memory = self.memory(jobs.values(), world.fleet)
        world = replace(world, jobs=tuple(jobs.values()), memory=memory, looked_for=looked_for)
        wanted = plan(world)
        gated = gate(wanted, world, replace(decided.permission, estimates=self.estimates(wanted, world)))
        return replace(decided, seen=replace(decided.seen, world=world), plan=wanted, gated=gated)


def _with_outcome(watch: Watch, write: Write, outcome: Outcome, at: float) -> Watch:
    """With what came of a write; the clocks that it starts begin ``at``, and again in a new process."""
    if isinstance(write, Cancel):
        return watch.read_back(outcome.job) if outcome.job is not None else watch
    if isinstance(write, Pause | Resume):
        return watch
    if outcome.token is not None:
        watch = watch.lost_answer(write.name, outcome.token, at)
    elif outcome.ok:
        watch = watch.created(at).went_through(write.key)
    if outcome.put_off is not None:
        watch = watch.was_put_off(EVERY_CREATE if outcome.stop else write.key, outcome.put_off, outcome.message, at)
    return watch
