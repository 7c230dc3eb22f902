"""The whole simulated world: one server, one or two sites, and everything that happened there."""

import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from reconciler.core.change import Create
from reconciler.core.estimate import Estimate
from reconciler.core.fields import State
from reconciler.core.gates import Permission
from reconciler.core.probe import CONTENT, model_to_probe, probe_of
from reconciler.core.snapshot import Snapshot
from reconciler.core.world import World
from reconciler.engine.act import Outcome
from reconciler.engine.apply import Listener, Patience, apply
from reconciler.engine.daemon import Daemon, DaemonListener, Pace
from reconciler.engine.follow import Follower, in_turn
from reconciler.engine.ports import Ports
from reconciler.engine.probe import probe
from reconciler.engine.probe_ending import end_probes, ending_beside, hand_on, left_by_probes, reading_of_probe
from reconciler.engine.reconcile import Reconciler
from reconciler.errors import Locked, ReconcilerError, SourceError, StateReplaced
from reconciler.source.fingerprint import fingerprint
from reconciler.source.leftovers import leftovers_of
from reconciler.source.training_files import uploaded_pieces
from reconciler.state.fence import Fence
from reconciler.state.journal import Journal
from reconciler.state.opening import verify
from reconciler.state.schema import Identity
from reconciler.state.status_files import FileOperations, StatusFiles
from tests.sim.chance import Source
from tests.sim.checkout import Checkout, Wish, slowly, usd_of
from tests.sim.disk import IDENTITY, JsonStatusFiles, StateDirectory, StatusDisk, Verify
from tests.sim.engine import EPOCH, Engine, Process, SimClock, SimLock, SimWakeups
from tests.sim.reading import fingerprint_now, read, read_whole, reader
from tests.sim.server import PROBES, Post, Server, SimProvider

_RAM = Path("/dev/shm")

_PROBES = Identity(PROBES, IDENTITY.base_url)

# L1: a round at each site is a pass of each; one more for each site that has to learn of the others' work.
_ROUNDS = 2


@dataclass(frozen=True)
class Program:
    """The parts of the program that a planted bug may replace; as they stand here it is the real one."""

    reconciler: type[Reconciler] = Reconciler
    journal: type[Journal] = Journal
    fence: type[Fence] = Fence
    verify: Verify = verify
    provider: type[SimProvider] = SimProvider
    clock: type[SimClock] = SimClock
    status_files: Callable[[Path, FileOperations], StatusFiles] = JsonStatusFiles
    read: Callable[[Path], Snapshot] = read
    locks: bool = True
    settle: float = 1.0  # what the settle window is multiplied with


REAL = Program()


# Lines that tell a job's end. Each is an effect: it is written whole or not at all, and its writer may be killed there.
ENDS = frozenset({"job.succeeded", "job.failed", "job.ended", "job.cancelled"})


class Log:
    """A process's log: which ends it told, and in the trace every line."""

    def __init__(self, process: Process, facts: dict[str, Any] | None = None) -> None:
        self._process = process
        self._facts = facts or {}

    def bind(self, **facts: Any) -> "Log":
        return Log(self._process, self._facts | facts)

    def _line(self, event: str, **facts: Any) -> None:
        process, facts = self._process, self._facts | facts
        fault = process.effect("log") if event in ENDS else None
        if process.engine.trace is not None:
            told = {k: v for k, v in facts.items() if k not in {"pass_id", "duration"} and v not in ("", None)}
            process.engine.say(f"{process.name}   {event} {' '.join(f'{k}={v}' for k, v in told.items())}"[:240])
        if event in ENDS:
            process.ends_told.add((facts["job_id"], event))
        if fault == "crash after":
            process.crash(f"after it logged {event}")

    debug = info = warning = error = _line


class _Watcher(DaemonListener):
    """A daemon goes on after any exception; here one that is not its own is a finding."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def failed(self, error: Exception, seconds: float) -> None:
        self._process.engine.say(f"{self._process.name}: its pass fails: {error}"[:200])
        if not isinstance(error, ReconcilerError):
            self._process.engine.foreign.append((self._process, error))


@dataclass
class Site:
    """A directory and its state directory: where runs take place."""

    world: "SimWorld"
    name: str
    checkout: Checkout
    state: StateDirectory
    lock: SimLock = field(default_factory=SimLock)
    processes: list[Process] = field(default_factory=list)
    probes: list[Process] = field(default_factory=list)  # of `doctor --probe-create`
    daemon: Process | None = None

    @property
    def running(self) -> bool:
        return any(not p.dead for p in (*self.processes, *self.probes))

    def open(self, process: Process, clock: SimClock) -> Journal:
        """The journal, for one run."""
        process.generation, process.found = self.state.generation, self.state.copy()
        program = self.world.program
        journal = self.state.open(clock, program.journal, program.fence, program.verify)
        process.known_at_start = journal.inherited
        return journal

    def open_of_probes(self, clock: SimClock) -> Journal:
        """The same, as the fleet of probes has it."""
        program = self.world.program
        return self.state.open(clock, program.journal, program.fence, program.verify, _PROBES)


class SimWorld:
    """Server, sites and history. ``close`` removes its files."""

    def __init__(
        self,
        source: Source,
        *,
        settle: float = 30.0,
        lag: float = 5.0,
        late: float = 5.0,
        echoes: bool = True,
        returns_files: bool = False,
        sites: int = 1,
        program: Program = REAL,
        trace: bool = False,
    ) -> None:
        self.engine = Engine(source)
        if trace:
            self.engine.trace = []
        self.program = program
        self.settle = settle
        self.slow = False  # whether a directory is read so slowly that it may change meanwhile
        self.server = Server(self.engine, lag=lag, late=late, echoes=echoes, returns_files=returns_files)
        self._root = _fresh_root()
        self._numbers = itertools.count(1)
        self.sites = [self._site(f"site-{'AB'[i]}") for i in range(sites)]
        self.engine.on_end = self._ended
        self.calm_at: float | None = None
        self.unfindable: list[str] = []  # S5, as seen at each end of a process
        # By site and job: recorded by a process that died before it sent it.
        self.unsent_pauses: set[tuple[str, str]] = set()
        self.found: list[tuple[str, str]] = []  # what was wrong at a moment that is over at the end
        self.restarted: set[str] = set()

    def _site(self, name: str) -> Site:
        root = self._root / name
        root.mkdir(parents=True, exist_ok=True)
        state = StateDirectory(self.engine, root.with_name(f"{name}-journal"))
        return Site(self, name, Checkout(self.engine, root, name), state)

    def close(self) -> None:
        for site in self.sites:
            site.checkout.close()
            site.state.close(unused=all(process.ended is not None for process in site.processes))

    # ── running the program ──

    def start(self, site: Site, patience: Patience | None = None) -> Process:
        """Start one `apply` at a site, now."""
        process = Process(self.engine, f"apply-{next(self._numbers)}@{site.name}", site.name)
        site.processes.append(process)
        self.engine.spawn(process, lambda: self._apply(site, process, patience or Patience()))
        return process

    def _apply(self, site: Site, process: Process, patience: Patience) -> str:
        """What `reconciler apply --yes --first-run` does, in its order."""
        program = self.program
        snapshot = self._read(site, process)
        self.engine.say(f"{process.name} starts{' and finds problems' if snapshot.problems else ''}")
        if snapshot.problems or snapshot.fleet is None:
            raise SourceError([str(problem) for problem in snapshot.problems])
        clock = program.clock(process)
        journal = site.open(process, clock)
        run = program.reconciler(self._ports(site, process, clock, journal), settle=self.settle * program.settle)
        listener = self._listener(process)
        result = apply(run, snapshot, Permission(first_run=True), patience, listener)
        if left_by_probes(journal, snapshot):
            end_probes(self._run_of_probes(site, process, clock, journal), reading_of_probe(snapshot), listener)
        return f"exit {result.exit_code}"

    def _listener(self, process: Process) -> Listener:
        waits = lambda seconds, n: self.engine.say(f"{process.name} waits {seconds:.1f} s for {n.why}"[:200])  # noqa: E731
        return Listener(lambda _: None, lambda _: None, waits, lambda: None, lambda _: None)

    def start_probe(self, site: Site) -> Process:
        """Start one `doctor --probe-create` at a site, now."""
        process = Process(self.engine, f"doctor-{next(self._numbers)}@{site.name}", site.name)
        site.probes.append(process)
        self.engine.spawn(process, lambda: self._probe(site, process))
        return process

    def _probe(self, site: Site, process: Process) -> str:
        """What `reconciler doctor --probe-create --yes` does, in its order."""
        snapshot = self._read(site, process)
        self.engine.say(f"{process.name} starts")
        like = model_to_probe(snapshot.desired)
        if snapshot.fleet is None or like is None or snapshot.fleet.state is not State.ACTIVE:
            return "nothing to probe"
        wanted = probe_of(like, lambda _: "")
        assert wanted is not None
        clock = self.program.clock(process)
        fleets = site.open(process, clock)
        ports = self._ports_of_probes(site, process, clock, fleets)
        process.known_at_start = ports.journal.inherited
        own = replace(reading_of_probe(snapshot), desired={wanted.name: wanted})
        found = probe(ports, self.settle * self.program.settle, own, self._listener(process))
        hand_on(found.memory, fleets)
        return f"{found.job_id or 'no job'}, {len(found.live)} live"

    def _run_of_probes(
        self, site: Site, process: Process, clock: SimClock, fleets: Journal, *, every_backoff: bool = False
    ) -> Reconciler:
        ports = self._ports_of_probes(site, process, clock, fleets)
        return self.program.reconciler(ports, settle=self.settle * self.program.settle, every_backoff=every_backoff)

    def _ports_of_probes(self, site: Site, process: Process, clock: SimClock, fleets: Journal) -> Ports:
        """As `cli.probing` makes them; ``fleets`` is the journal of the fleet itself."""
        ports = self._ports(site, process, clock, site.open_of_probes(clock))
        hand_on(fleets.memory(), ports.journal)
        provider: Any = ports.provider
        provider.fleet = PROBES
        return replace(
            ports,
            status_files=StatusFiles(Path("/nowhere"), StatusDisk(self.engine, {})),
            pieces_of=lambda _: (CONTENT,),
            unchanged=lambda _: True,
            leftovers=lambda _snapshot, _names: {},
        )

    def _read(self, site: Site, process: Process, read: Callable[[], Snapshot] | None = None) -> Snapshot:
        """What a process reads of its directory, and which version that is."""
        checkout = site.checkout
        begun = checkout.version
        read = read or (lambda: self.program.read(checkout.root))
        if self.slow:
            snapshot = slowly(self._between_files(process), read)
        else:
            one_by_one = checkout.odd or self.program.read is not REAL.read
            snapshot = read() if one_by_one else read_whole(checkout)
        process.version = checkout.read_as(begun, snapshot) if checkout.version > begun else begun
        process.versions.add(process.version)
        return snapshot

    def _between_files(self, process: Process) -> Callable[[], None]:
        def pause() -> None:
            self.engine.pause(self.engine.source.between(0.0, 0.3))
            if process.dead:
                process.crash("while it reads")

        return pause

    def start_daemon(self, site: Site, pace: Pace) -> Process:
        """Start one `run` at a site, now."""
        process = Process(self.engine, f"run-{next(self._numbers)}@{site.name}", site.name)
        process.daemon = True
        process.wakeups = SimWakeups(process)
        site.processes.append(process)
        self.engine.spawn(process, lambda: self._daemon(site, process, pace))
        return process

    def _daemon(self, site: Site, process: Process, pace: Pace) -> str:
        """What `reconciler run --first-run` does, in its order; one over a new state directory is another process here."""
        program = self.program
        wakeups = process.wakeups
        assert wakeups is not None
        self.engine.say(f"{process.name} starts")
        if site.daemon is not None and not site.daemon.dead:
            raise Locked("another `reconciler run` works here")
        site.daemon = process
        files = reader(site.checkout.root, slow=self.slow)

        def read_now() -> Snapshot:
            return self._read(site, process, files.read)

        while (fleet := read_now().fleet) is None:
            wakeups.wait(5.0)
            if wakeups.stopping:
                return "stopped"
        clock = program.clock(process)
        journal = site.open(process, clock)
        ports = self._ports(site, process, clock, journal)
        ports = replace(ports, follower=Follower(ports.provider, journal, in_turn), stopping=lambda: wakeups.stopping)
        run = program.reconciler(ports, settle=self.settle * program.settle, every_backoff=True)
        daemon = Daemon(
            run,
            read_now,
            wakeups,
            ports.log,
            fleet=fleet,
            pace=pace,
            first_run=True,
            random=lambda: 0.5,
            listener=_Watcher(process),
            beside=ending_beside(
                journal, lambda: self._run_of_probes(site, process, clock, journal, every_backoff=True), ports.log
            ),
        )
        try:
            daemon.run()
        except StateReplaced:
            self.engine.at(self.engine.now + 1.0, lambda: self.start_daemon(site, pace))
            return "opens its state directory anew"
        return "stopped"

    def _ports(self, site: Site, process: Process, clock: SimClock, journal: Journal) -> Ports:
        program, state, root = self.program, site.state, site.checkout.root

        def witness(post: Post) -> None:
            """Write down what the journal held when it arrived."""
            if post.kind in {"pause", "resume"}:
                post.intent_durable = post.job_id in state.paused()
            if post.marks is not None:
                post.intent_durable = state.has_intent(post.marks.name, post.marks.revision, post.marks.attempt)
                post.recorded, post.halted = frozenset(state.cancels()), state.halted()

        log: Any = Log(process)
        return Ports(
            provider=program.provider(process, self.server, witness),
            journal=journal,
            status_files=program.status_files(Path("/state"), state.status),
            clock=clock,
            log=log,
            pieces_of=lambda file: uploaded_pieces(root, file),
            unchanged=lambda snapshot: self._unchanged(site.checkout, process, snapshot),
            leftovers=leftovers_of,
            estimate=_estimate,
            pass_lock=(lambda: site.lock.held_by(process)) if program.locks else contextlib.nullcontext,
        )

    def _unchanged(self, checkout: Checkout, process: Process, snapshot: Snapshot) -> bool:
        """The second read, as the process makes it, and which version of the directory it was a read of."""
        begun, begun_at = checkout.version, self.engine.now
        if self.slow:
            now = slowly(self._between_files(process), lambda: fingerprint(snapshot))
        else:
            now = fingerprint_now(checkout, snapshot)
        same = now == snapshot.fingerprint
        if same and checkout.version > begun:
            begun = checkout.read_as(begun, snapshot)
        if (
            same
            and begun != process.version
            and checkout.versions[begun].wish != checkout.versions[process.version].wish
        ):
            process.version = checkout.read_as(begun, snapshot)  # a mixture of two versions came to be a third
        process.read_again.add(begun)
        process.unchanged = (begun_at, begun, same)
        return same

    # ── the last phases of every run ──

    def calm(self) -> None:
        """The faults have stopped."""
        self.server.flush()
        self.calm_at = self.engine.now
        self.engine.say("── the faults stop ──")

    def round(self) -> None:
        """An apply at each site, one after the other."""
        for site in self.sites:
            self.start(site)
            self.engine.run()

    def rest(self) -> None:
        """No job moves any more: rounds until one has nothing to send, and one in which nothing may be written."""
        self.server.freeze()
        # A wrong job that a lagging server shows to nobody yet is ended a round after the one that made it.
        for _ in range(_ROUNDS + len(self.sites) + self.server.get_lags):
            # What waits for a back-off is told otherwise once it is over.
            self.engine.now += max(self.settle, self.backoff(self.sites))
            sent = len(self.server.posts)
            self.round()
            # What a run without memory has learned may change what the next one says.
            quiet = len(self.server.posts) == sent and not self.backoff(self.sites)
            if quiet and all(site.processes[-1].known_at_start for site in self.sites):
                break
        self.engine.now += self.settle
        self.watch_quiet("a round of applies", self.round)

    def backoff(self, sites: Iterable[Site]) -> float:
        """Seconds until the last of those that their journals hold is over."""
        now = EPOCH + self.engine.now + self.engine.wall_offset
        return max(site.state.backoff(now) for site in sites)

    def watch_quiet(self, what: str, act: Callable[[], None]) -> None:
        """S8: nothing may be written while ``act`` goes on."""
        self.engine.say(f"── quiet: {what} ──")
        posts, files = len(self.server.posts), [part for site in self.sites for part in site.state.files()]
        act()
        after = [part for site in self.sites for part in site.state.files()]
        changed = sum(now != before for now, before in zip(after, files, strict=True))
        if len(self.server.posts) > posts or changed:
            self.found.append(("S8", f"{what} saw {len(self.server.posts) - posts} POSTs and {changed} file writes"))

    def _ended(self, process: Process) -> None:
        """S5 at every end of a process, killed or not: is each job of ours known or findable?"""
        sent = {(post.writer.site, post.job_id) for post in self.server.posts if post.kind == "pause"}
        state = next(site.state for site in self.sites if site.name == process.site)
        paused = set[str]() if state.corrupt_now else state.paused()
        self.unsent_pauses |= {(process.site, job_id) for job_id in paused} - sent
        if self.server.identifies:
            return
        held = {job for site in self.sites for job in site.state.records()}
        named = {intent for site in self.sites for intent in site.state.intents()}
        for job in self.server.jobs.values():
            marks = job.marks
            # What its owner has deleted at the provider costs nothing more, and no listing shows it.
            if job.post is None or marks is None or job.id in held or job.gone_at is not None:
                continue
            site = next(s for s in self.sites if s.name == job.post.writer.site)
            if (
                site.state.remembers(site.state.generation, job.post.generation, job.committed)
                and (marks.name, marks.revision, marks.attempt) not in named
            ):
                self.unfindable.append(job.id)


def _estimate(create: Create, seen: World) -> Estimate:
    form: Mapping[str, Any] = seen.desired[create.name].form
    usd = usd_of(form.get("seed"), form.get("rerun", 0))
    return Estimate(usd=usd, why="" if usd is not None else "no price known")


_roots: list[Path] = []


def _fresh_root() -> Path:
    """One directory a process of the operating system, in RAM where there is some."""
    if not _roots:
        _roots.append(Path(tempfile.mkdtemp(prefix="reconciler-sim-", dir=_RAM if _RAM.is_dir() else None)))
    return _roots[0]


@contextlib.contextmanager
def scratch() -> Iterator[None]:
    """Remove this process's directory at the end."""
    try:
        yield
    finally:
        while _roots:
            shutil.rmtree(_roots.pop(), ignore_errors=True)


__all__ = ["REAL", "Outcome", "Program", "SimWorld", "Site", "Wish", "scratch"]
