"""One pass: read, list, remember, decide, act, report.

`apply` and `daemon` repeat `Reconciler.one_pass`; `plan` and `status` on the command line use
`observe` and `decide` alone, which write nothing. A pass gets the whole desired map and the
whole listing, never an event. This module decides nothing: `plan` and `gates` do.
"""

import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from structlog.typing import FilteringBoundLogger

from reconciler.clock import Clock
from reconciler.core.change import Adopt, Cancel, Create, Plan
from reconciler.core.desired import Fleet
from reconciler.core.documents import TrainingFile
from reconciler.core.ending import By, end_of
from reconciler.core.gates import Gated, Permission, Verdict, gate
from reconciler.core.identity import Known, sent_seed
from reconciler.core.job import Checkpoint, Job
from reconciler.core.lookup import found_without_marks, lookups, resolved_intents
from reconciler.core.memory import Memory, Record
from reconciler.core.plan import plan
from reconciler.core.snapshot import Snapshot, held
from reconciler.core.status import Details, statuses
from reconciler.core.world import Case, World
from reconciler.engine.act import ENDING, Desk, Outcome, cancel, create
from reconciler.engine.follow import Followed, Follower
from reconciler.errors import (
    NoData,
    NotSent,
    ProviderError,
    RateLimited,
    SourceError,
    Unreadable,
    foreign,
)
from reconciler.provider import Provider
from reconciler.state.journal import Journal
from reconciler.state.status_files import StatusFiles

_NOT_FOUND = 404
_NOBODY_ASKED = Permission()

# A create that is told to wait, and not how long, is sent again after 1, 2, 4 … 60 seconds; however long a server
# asks for, it is asked again after an hour.
_PUT_OFF_FIRST, _PUT_OFF_LAST, _ASKED_LAST = 1.0, 60.0, 3600.0
# Seconds for which a file that was just uploaded may be "not ready"; after that its create is rejected like any other.
_NOT_READY_LAST = 120.0
_EVERY_CREATE = ("", "")


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything a run touches outside itself.

    ``unchanged`` reads manifests and training files again: are they still what the snapshot was made of?
    ``standing`` looks for files that may still hold names without a manifest (as `still_standing`). ``turn``
    is the lock that the passes on one state directory take in turn. ``follower`` is for a daemon, which
    reads the events of live jobs; ``stopping`` says whether nothing more should be sent.
    """

    provider: Provider
    journal: Journal
    status_files: StatusFiles
    clock: Clock
    log: FilteringBoundLogger
    training_bytes: Callable[[TrainingFile], bytes]
    unchanged: Callable[[Snapshot], bool]
    standing: Callable[[Snapshot, Mapping[str, str]], Mapping[str, str]]
    turn: Callable[[], AbstractContextManager[None]]
    follower: Follower | None = None
    stopping: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class Seen:
    """A complete look at the provider, and what it says about the creates whose answer was lost.

    ``void`` are jobs that are live although a cancel was recorded a settle window ago or longer.
    ``settled``: the listing began after this run's settle window.
    """

    world: World
    resolved: Mapping[str, str | None]
    void: frozenset[str]
    settled: bool


@dataclass(frozen=True, slots=True)
class Decided:
    """What to do about what was seen; ``plan`` is ungated, since an approval names its digest.

    ``permission`` is what the gates were asked with: what they were told stays true for the whole pass.
    """

    seen: Seen
    plan: Plan
    gated: Gated
    permission: Permission


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass decided, did, and left behind; ``postponed`` says why it did not write yet."""

    decided: Decided
    outcomes: tuple[Outcome, ...]
    after: Decided
    postponed: str = ""


@dataclass(frozen=True, slots=True)
class PutOff:
    """A create, or every create, that is wanted later: how often in a row, since and until when (monotonic)."""

    tries: int
    since: float
    until: float
    why: str


@dataclass(frozen=True, slots=True)
class _LookedUp:
    """What GETs beside the listing came to, by job id."""

    found: tuple[Job, ...]
    missing: frozenset[str]
    unseen: frozenset[str]


class Reconciler:
    """One run over one fleet: what its passes must remember of each other, and nothing else."""

    def __init__(self, ports: Ports, *, settle: float, prune: bool = True, patient: bool = False) -> None:
        """``settle``: the settle window in seconds. ``patient``: back-offs of earlier runs count."""
        self._ports = ports
        self._settle = settle
        self._prune = prune
        self._patient = patient
        self._name = uuid.uuid4().hex
        self._started = ports.clock.monotonic()
        self._cold = self._why_cold()
        self._seen_first: frozenset[str] | None = None
        # Unresolved creates by name: the intent's token, and when a listing will tell (monotonic).
        self._looked_for: dict[str, tuple[str, float]] = {}
        self._in_vain: frozenset[str] = frozenset()  # those of them that no further look will resolve by waiting
        # Recorded cancels whose job is still live, by job and try → when a look will say that it did not take.
        self._cancels_doubted: dict[tuple[str, int], float] = {}
        self._read_as_of: tuple[str, int] | None = None  # the fingerprint last read, and the turn it stands for
        self._fleet: Fleet | None = None  # as it was last read: what holds while its document is broken
        self._refusals: frozenset[Verdict] = frozenset()  # named in the log once, not once a pass
        self._told: set[str] = set()  # jobs whose end this run has logged
        self._ended: set[str] = set()  # jobs that this run saw ended: a listing that shows them live is doubted
        self._created_at: float | None = None  # this run's last create (monotonic), until looked at again
        self._put_off: dict[tuple[str, str], PutOff] = {}  # by name and revision
        self._put_off_now: dict[tuple[str, str], PutOff] = {}  # those of them that held at the last look

    @property
    def clock(self) -> Clock:
        """The clock that every time in here is read from."""
        return self._ports.clock

    @property
    def cold(self) -> str:
        """Why this run has to wait before its first write; "" where it need not (any more)."""
        return self._cold

    @property
    def next_look(self) -> tuple[float, str] | None:
        """When (monotonic) another pass will know more although nothing can be sent now, and what."""
        due = [
            (at, f"the job of {name}, whose answer was lost")
            for name, (_, at) in self._looked_for.items()
            if name not in self._in_vain
        ]
        due += [(at, f"the cancel of job {job_id} to take effect") for (job_id, _), at in self._cancels_doubted.items()]
        if self._created_at is not None:
            due.append((self._created_at + self._settle, "jobs that another run may have made at the same moment"))
        return min(due, default=None)

    @property
    def declared(self) -> frozenset[str]:
        """Names that a run on this state directory has read, and none since has read a whole directory without."""
        return frozenset(self._ports.journal.manifests.paths())

    @property
    def live_names(self) -> frozenset[str]:
        """Names with jobs that were live when a pass on this state directory last looked."""
        return frozenset(self._ports.journal.live_names())

    @property
    def next_try(self) -> float | None:
        """When (monotonic) the next back-off is over; None where none is under way."""
        at = self._ports.journal.next_try()
        clock = self._ports.clock
        ends = [] if at is None else [clock.monotonic() + max(0.0, at - clock.time())]
        return min([*ends, *(p.until for p in self._put_off_now.values())], default=None)

    @property
    def put_off(self) -> PutOff | None:
        """What the next create that was told to wait waits for; None where the last look found none."""
        return min(self._put_off_now.values(), key=lambda p: p.until, default=None)

    @property
    def settled_at(self) -> float:
        """From when on (monotonic) a listing shows all that happened before this run began."""
        return self._started + self._settle

    # ── the pass ──

    def one_pass(
        self,
        snapshot: Snapshot,
        permission: Permission,
        announce: Callable[[Decided], None] = lambda _: None,
    ) -> Pass:
        """Look, remember, decide, act, report. ``announce`` is told the decision before anything is sent.

        Raises:
            ProviderError: there is no complete listing; nothing was written.
            JournalError: the memory failed; no write followed.
        """
        log = self._ports.log.bind(pass_id=uuid.uuid4().hex[:8])
        self._ports.journal.fence.check_place()
        with self._ports.turn():
            began = self._ports.clock.monotonic()
            seen = self.observe(snapshot, permission)
            cases = seen.world.cases
            ended = _ended(seen, cases)
            self._tell(ended, seen.world.memory, log)
            self._remember(seen, cases, snapshot, log)
            permission = replace(permission, steady=permission.steady and self._is_as_read(snapshot))
            decided = self.decide(seen, snapshot, permission)
            announce(decided)
            for change in decided.plan.changes:
                if isinstance(change, Adopt):
                    log.info("job.adopted", job=change.name, job_id=change.job_id, revision=change.revision)
            postponed = self._cold if decided.gated.plan.writes else ""
            if not decided.plan.writes:
                self._ports.journal.mark_begun(self._seen_at_first(decided.seen.world))
            outcomes = () if postponed else self._act(decided, log)
            after = self._look_back(decided, outcomes)
            if self._ports.follower is None:
                self._report(after, ended.values(), (), log)
        if self._ports.follower is not None:
            # Outside of the turn: a job whose events are slow must not keep an `apply` waiting.
            followed = self._follow(after, log)
            with self._ports.turn():
                self._report(after, ended.values(), followed, log)
        duration = round(self._ports.clock.monotonic() - began, 3)
        self._close(after, outcomes, log.bind(duration=duration), ended=bool(ended))
        return Pass(decided, outcomes, after, postponed)

    def observe(self, snapshot: Snapshot, permission: Permission = _NOBODY_ASKED) -> Seen:
        """List completely, look up what ought to be there, and see what became of unresolved creates."""
        begun_at = self._ports.clock.monotonic()
        self._fleet = snapshot.fleet or self._fleet
        listed = self._listing(snapshot)
        if self._seen_first is None:
            self._seen_first = frozenset(job.id for job in listed)
        fleet = _known_fleet(self._fleet, snapshot)
        memory = self._memory(listed, fleet)
        for name, intent in memory.intents.items():
            # Another run on this state directory may have resolved one and sent the next.
            if self._looked_for.get(name, ("", 0.0))[0] != intent.token:
                self._looked_for[name] = (intent.token, begun_at + self._settle)
        world = World(
            fleet=fleet,
            desired=snapshot.desired,
            jobs=listed,
            memory=memory,
            overtaken=self._overtaken(snapshot),
            broken=self._held(snapshot),
            settled=frozenset(name for name, (_, at) in self._looked_for.items() if begun_at >= at),
            seen_first=self._seen_first,
            approved_ahead=permission.ahead,
            prune=self._prune,
            gaps=tuple(f"{gap.path}: {gap.message}" for gap in snapshot.gaps),
            standing=self._standing(snapshot, listed, fleet),
        )
        doubted = {job.id for job in listed if job.live and job.id in self._ended}
        looked = self._look_up(doubted.union(lookups(world)))
        jobs = {job.id: job for job in (*listed, *looked.found)}
        missing = looked.missing - jobs.keys()
        world = replace(world, jobs=tuple(jobs.values()), missing=missing, unseen=looked.unseen)
        resolved = resolved_intents(world)
        intents = {name: intent for name, intent in memory.intents.items() if name not in resolved}
        # A create of our own, found at last, is no stranger although its manifest is gone meanwhile.
        memory = replace(memory, intents=intents, gone=memory.gone - resolved.keys())
        if found := found_without_marks(world, resolved):
            # What they show of this provider is remembered with them, not by the next pass.
            memory = _with_identity(replace(memory, records={**memory.records, **found}), world.jobs, fleet)
        world = replace(world, memory=memory)
        if self._created_at is not None and begun_at >= self._created_at + self._settle:
            self._created_at = None
        self._ended |= {job.id for job in world.jobs if not job.live and job.id in memory.records}
        self._looked_for = {name: look for name, look in self._looked_for.items() if name in intents}
        self._in_vain = world.settled & intents.keys()
        return Seen(world, resolved, self._without_effect(world, begun_at), settled=begun_at >= self.settled_at)

    def decide(self, seen: Seen, snapshot: Snapshot, permission: Permission) -> Decided:
        """Plan, then gate; where something would be sent, the files must be the same in a second read."""
        wanted = plan(seen.world)
        permission = replace(permission, whole=permission.whole and not snapshot.problems)
        gated = gate(wanted, seen.world, permission)
        if gated.plan.writes and not self._ports.unchanged(snapshot):
            permission = replace(permission, steady=False)
            gated = gate(wanted, seen.world, permission)
        return Decided(seen, wanted, gated, permission)

    def forget(self, snapshot: Snapshot, name: str) -> tuple[str, ...]:
        """Drop what holds a name up, as far as a fresh look allows it; says each thing that was dropped."""
        with self._ports.turn():
            world = self.observe(snapshot).world
            listed = {job.id for job in world.jobs}
            recorded = [r.job_id for r in world.memory.records.values() if r.name == name and r.job_id not in listed]
            missing = self._look_up(recorded).missing
            return self._ports.journal.forget(name, missing, intents=world.memory.echoes is not True)

    # ── its steps ──

    def _listing(self, snapshot: Snapshot) -> tuple[Job, ...]:
        """Every job of the account. Raises Unreadable where it has no `data` although some job ought to be in it."""
        try:
            return self._ports.provider.list_jobs()
        except NoData as error:
            fleet = _known_fleet(self._fleet, snapshot)
            expected = lookups(World(fleet, snapshot.desired, (), self._ports.journal.memory()))
            if expected:
                raise Unreadable(f"{error}, although job {foreign(expected[0])} ought to be in it") from error
            return ()

    def _held(self, snapshot: Snapshot) -> frozenset[str]:
        """Names whose manifest cannot be trusted now, those among them that cannot even be read (row 1)."""
        return held(snapshot, self._ports.journal.manifests.paths())

    def _standing(self, snapshot: Snapshot, listed: Iterable[Job], fleet: Fleet) -> Mapping[str, str]:
        """Names without a manifest whose file may still stand there; a stream has no files."""
        last_seen = self._ports.journal.manifests.paths()
        live = {job.marks.name for job in listed if job.live and job.marks and job.belongs_to(fleet.name)}
        gone = (last_seen.keys() | live) - snapshot.desired.keys()
        if snapshot.stream or not gone:
            return {}
        return self._ports.standing(snapshot, {name: last_seen.get(name, "") for name in gone})

    def _why_cold(self) -> str:
        """Why this run must wait one settle window before its first write; "" where it need not."""
        journal = self._ports.journal
        if not journal.settled:
            return "this state directory is new, and an earlier run may have just created jobs"
        if journal.moved:
            return "this state directory was last written elsewhere, or is a copy"
        if journal.memory().intents:
            return "an earlier create has no known outcome"
        return ""

    def _memory(self, listed: Iterable[Job], fleet: Fleet) -> Memory:
        """The journal's memory, and what this very listing says about marks coming back."""
        memory = self._ports.journal.memory(every_backoff=self._patient)
        now = self._ports.clock.monotonic()
        self._put_off_now = {key: put_off for key, put_off in self._put_off.items() if now < put_off.until}
        put_off = {key: later.why for key, later in self._put_off_now.items()}
        return _with_identity(replace(memory, put_off=put_off), tuple(listed), fleet)

    def _overtaken(self, snapshot: Snapshot) -> frozenset[str]:
        """Names that a run over another checkout has wanted otherwise, here, since this reading was first made.

        (A run over the same one read it later, or sees at its write that the files are others.)
        """
        as_of = self._read_as_of
        if as_of is None or not self._is_as_read(snapshot):
            return frozenset()
        return self._ports.journal.wanted.overtaken(as_of[1], self._origin(snapshot))

    def _is_as_read(self, snapshot: Snapshot) -> bool:
        """Whether this reading is the one that the journal has remembered for this run."""
        return self._read_as_of is not None and self._read_as_of[0] == snapshot.fingerprint

    def _without_effect(self, world: World, begun_at: float) -> frozenset[str]:
        """Jobs whose recorded cancel did not take: live a settle window after it was first seen not to.

        A provider may take its time. The clock is this run's own: a wall clock proves nothing.
        """
        going_on = {job.id for job in world.jobs if job.live and job.status not in ENDING}
        pending = self._ports.journal.cancels.pending()
        doubted = {
            key: self._cancels_doubted.get(key, begun_at + self._settle) for key in pending if key[0] in going_on
        }
        self._cancels_doubted = {key: at for key, at in doubted.items() if begun_at < at}
        return frozenset(job_id for (job_id, _), at in doubted.items() if begun_at >= at)

    def _origin(self, snapshot: Snapshot) -> str:
        """Which checkout it is; every stream is one of its own. A path need not be text, and the journal holds text."""
        if snapshot.stream:
            return f"- {self._name}"
        return os.fsencode(snapshot.root.absolute()).decode(errors="backslashreplace")

    def _look_up(self, job_ids: Iterable[str]) -> _LookedUp:
        """GET each job that the listing may not tell truly. One that cannot be read holds its own name and no other."""
        found: list[Job] = []
        missing: set[str] = set()
        unseen: set[str] = set()
        for job_id in sorted(job_ids):
            try:
                found.append(self._ports.provider.retrieve_job(job_id))
            except (NotSent, RateLimited):
                raise  # the next one would fail alike
            except ProviderError as error:
                (missing if error.status == _NOT_FOUND else unseen).add(job_id)
        return _LookedUp(tuple(found), frozenset(missing), frozenset(unseen))

    def _tell(self, ended: Mapping[tuple[str, str], Job], memory: Memory, log: FilteringBoundLogger) -> None:
        """Log the ends that the journal does not know of yet, before it does: a kill between the two repeats a line.

        One that the journal then cannot take down is told once a process.
        """
        for (name, job_id), job in ended.items():
            if job_id not in self._told:
                self._told.add(job_id)
                _log_end(log.bind(job=name, job_id=job_id, status=job.status), job, memory)

    def _remember(self, seen: Seen, cases: Mapping[str, Case], snapshot: Snapshot, log: FilteringBoundLogger) -> None:
        """Bring the journal up to what was seen."""
        journal = self._ports.journal
        trusted = {name: d for name, d in snapshot.desired.items() if name not in seen.world.broken}
        if not self._is_as_read(snapshot):
            turn = journal.wanted.record(
                trusted, self._origin(snapshot), confirmed=lambda: self._ports.unchanged(snapshot)
            )
            self._read_as_of = None if turn is None else (snapshot.fingerprint, turn)
        whole = not snapshot.problems and not snapshot.gaps
        journal.manifests.record(trusted, whole=whole, kept=seen.world.standing)
        if seen.world.memory.echoes is not None:
            journal.record_echo(echoes=seen.world.memory.echoes, seeds=seen.world.memory.seeds)
        gone, first = seen.world.memory.gone, seen.world.seen_first
        records = [
            Record(
                k.job.id,
                name,
                k.revision,
                k.attempt,
                k.live,
                ended_before=not journal.known and not k.live and k.job.id in first,
                stranger=case.desired is None and name in gone,
            )
            for name, case in cases.items()
            for k in case.known
        ]
        journal.record_seen(records, void=seen.void)
        for name, job_id in seen.resolved.items():
            journal.drop_intent(name)
            log.info("create.resolved", job=name, job_id=job_id, created=job_id is not None)
        if self._cold and seen.settled:
            journal.mark_settled(self._seen_at_first(seen.world))
            self._cold = ""

    def _seen_at_first(self, world: World) -> Iterator[Record]:
        """What a run without memory may call its own: what a rival made since, somebody who knows more wanted.

        Nothing is grouped before somebody asks: the journal does once, not at every pass.
        """
        if self._ports.journal.known:
            return
        cases = world.cases
        yield from (
            Record(k.job.id, name, k.revision, k.attempt, k.live)
            for name, case in cases.items()
            for k in case.known
            if k.job.id in world.seen_first
        )

    def _act(self, decided: Decided, log: FilteringBoundLogger) -> tuple[Outcome, ...]:
        """Send the gated plan's writes, cancels first; stop creating where no create can succeed now."""
        ports, world = self._ports, decided.seen.world
        desk = Desk(world.fleet.name, ports.provider, self._ports.journal, log, ports.training_bytes, self._may_wait)
        outcomes: list[Outcome] = []
        stopped = False
        for change in decided.gated.plan.writes:
            if ports.stopping():
                break
            if isinstance(change, Cancel):
                outcomes.append(cancel(desk, change))
                self._note_cancel(outcomes[-1])
            elif not stopped:
                outcome = create(desk, change, world.desired[change.name])
                self._note_create(outcome)
                self._note_put_off(change, outcome)
                outcomes.append(outcome)
                stopped = outcome.stop
        return tuple(outcomes)

    def _note_cancel(self, outcome: Outcome) -> None:
        """A job that was read back and has ended is looked at again while listings still show it live."""
        if outcome.job is not None and not outcome.job.live:
            self._ended.add(outcome.job.id)

    def _note_create(self, outcome: Outcome) -> None:
        """Start the clocks that a create starts; each is monotonic and begins again in a new process."""
        now = self._ports.clock.monotonic()
        if outcome.unknown:
            token = self._ports.journal.memory().intents[outcome.name].token
            self._looked_for[outcome.name] = (token, now + self._settle)
        if outcome.unknown or outcome.ok:
            self._created_at = now

    def _may_wait(self, change: Create) -> bool:
        """Whether a create whose file is not ready yet may be put off once more."""
        first = self._put_off.get((change.name, change.revision))
        return first is None or self._ports.clock.monotonic() < first.since + _NOT_READY_LAST

    def _note_put_off(self, change: Create, outcome: Outcome) -> None:
        """Remember until when creates were told to wait; one that went through ends what it was told before."""
        own = (change.name, change.revision)
        if outcome.ok:
            self._put_off.pop(_EVERY_CREATE, None)
            self._put_off.pop(own, None)
        if outcome.put_off is None:
            return
        now, key = self._ports.clock.monotonic(), _EVERY_CREATE if outcome.stop else own
        before = self._put_off.get(key)
        tries, since = (before.tries + 1, before.since) if before else (1, now)
        grown = min(_PUT_OFF_FIRST * 2 ** min(tries - 1, 10), _PUT_OFF_LAST)
        asked = max(outcome.put_off, _PUT_OFF_FIRST) if outcome.put_off else grown
        until = now + min(asked, _ASKED_LAST)
        if not outcome.stop:
            until = min(until, since + _NOT_READY_LAST)
        self._put_off[key] = PutOff(tries, since, until, outcome.message)

    def _look_back(self, decided: Decided, outcomes: tuple[Outcome, ...]) -> Decided:
        """The decision once more, over the world as these outcomes, and what was bound, left it."""
        bound = any(isinstance(change, Adopt) for change in decided.plan.changes)
        if not outcomes and not bound:
            return decided
        world = decided.seen.world
        changed = {o.job.id: o.job for o in outcomes if o.job is not None}
        jobs = {job.id: job for job in world.jobs} | changed
        settled = world.settled - {o.name for o in outcomes if o.unknown}
        memory = self._memory(jobs.values(), world.fleet)
        world = replace(world, jobs=tuple(jobs.values()), memory=memory, settled=settled)
        wanted = plan(world)
        gated = gate(wanted, world, decided.permission)
        return replace(decided, seen=replace(decided.seen, world=world), plan=wanted, gated=gated)

    def _follow(self, after: Decided, log: FilteringBoundLogger) -> tuple[Followed, ...]:
        """What a daemon reads of live jobs beside the listing."""
        if self._ports.follower is None or self._ports.stopping():
            return ()
        cases = after.seen.world.cases
        jobs = {k.job.id: (name, k.job) for name, case in cases.items() for k in case.known}
        return self._ports.follower.follow(jobs, log)

    def _report(
        self, after: Decided, ended: Iterable[Job], followed: tuple[Followed, ...], log: FilteringBoundLogger
    ) -> None:
        """Write the status of every name whose status differs from the last one."""
        files = self._ports.status_files
        read = {one.job_id: one.checkpoints for one in followed if one.checkpoints is not None}
        unread = [job for job in ended if job.id not in read]
        report = statuses(
            after.seen.world,
            after.gated.plan,
            now=timestamp(self._ports.clock),
            previous=files.read(),
            details=Details(
                self._checkpoints(unread, log) | read,
                {one.job_id: one.progress for one in followed if one.progress is not None},
            ),
        )
        files.write(report)

    def _checkpoints(self, ended: Iterable[Job], log: FilteringBoundLogger) -> dict[str, tuple[Checkpoint, ...]]:
        """The checkpoints of jobs that have just ended; a server without them costs a line in the log."""
        read: dict[str, tuple[Checkpoint, ...]] = {}
        for job in ended:
            try:
                read[job.id] = self._ports.provider.list_checkpoints(job.id)
            except ProviderError as error:
                log.info("checkpoints.unavailable", job_id=job.id, error=str(error), http_status=error.status)
        return read

    def _close(self, after: Decided, outcomes: tuple[Outcome, ...], log: FilteringBoundLogger, *, ended: bool) -> None:
        refusals = frozenset(after.gated.refusals)
        for verdict in after.gated.refusals:
            if verdict not in self._refusals:
                log.warning(
                    "pass.blocked", gate=verdict.gate, limit=verdict.limit, count=verdict.count, why=verdict.message
                )
        self._refusals = refusals
        level = log.info if outcomes or ended else log.debug
        level("pass.completed", jobs=len(after.seen.world.jobs), writes=len(outcomes))


def timestamp(clock: Clock) -> str:
    """Now, in ISO 8601 and UTC, to the second."""
    return datetime.fromtimestamp(clock.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _known_fleet(fleet: Fleet | None, snapshot: Snapshot) -> Fleet:
    if fleet is None:
        raise SourceError([str(problem) for problem in snapshot.problems])
    return fleet


def _with_identity(memory: Memory, listed: Iterable[Job], fleet: Fleet) -> Memory:
    """With what these jobs say of how this provider lets a job be known again."""
    echoes = _echoes(memory, listed, fleet)
    return replace(memory, echoes=echoes, seeds=not echoes and _returns_seeds(memory, listed, fleet))


def _echoes(memory: Memory, listed: Iterable[Job], fleet: Fleet) -> bool | None:
    """Whether this provider returns our marks; once seen it stays: one lost pair proves nothing.

    Those of another fleet prove nothing either: its jobs may have been made by another way than ours.
    """
    if memory.echoes:
        return True
    if any(job.belongs_to(fleet.name) for job in listed):
        return True
    # Attempt 0 is an adopted job, which somebody else made without our marks.
    if any(job.id in memory.records and memory.records[job.id].attempt > 0 for job in listed):
        return False
    return memory.echoes


def _ended(seen: Seen, cases: Mapping[str, Case]) -> dict[tuple[str, str], Job]:
    """Jobs that have ended, by name and id, which the journal has as live or, made since its last look, not at all."""
    found = frozenset(seen.resolved.values())
    return {
        (name, k.job.id): k.job
        for name, case in cases.items()
        for k in case.known
        if not k.live and (k.job.id in found or _was_live(seen.world, k))
    }


def _was_live(world: World, known: Known) -> bool:
    """Whether the journal has it as live; or, made since its last look or this run's first, not at all."""
    record = world.memory.records.get(known.job.id)
    if record is not None:
        return record.live
    came_since = world.memory.known or known.job.id not in world.seen_first
    return came_since and known.ours and not known.adopted


def _returns_seeds(memory: Memory, listed: Iterable[Job], fleet: Fleet) -> bool:
    """Whether this provider's listing shows a job of ours with the seed that was sent; once seen it stays."""
    if memory.seeds:
        return True
    records = ((memory.records.get(job.id), job.seed) for job in listed)
    # 0 is what some servers show whatever was sent. Attempt 0 is an adopted job, which somebody else made.
    return any(r and r.attempt > 0 and seed and seed == sent_seed(memory, fleet.name, r) for r, seed in records)


def _log_end(log: FilteringBoundLogger, job: Job, memory: Memory) -> None:
    end, own = end_of(memory, job), memory.cancels.get(job.id)
    if job.succeeded:
        log.info("job.succeeded", fine_tuned_model=job.fine_tuned_model, trained_tokens=job.trained_tokens)
    elif job.failed:
        log.error("job.failed", error=job.error.message if job.error else "", code=job.error.code if job.error else "")
    elif end.by is By.RECONCILER:
        if own is None or not own.confirmed:  # else `act` has told it
            log.info("job.cancelled", reason=end.reason)
    else:
        log.warning("job.ended", ended_by=end.by or "not known here")
