"""Virtual time, and processes that run real synchronous code inside greenlets.

A process gives way at its effects only, so that two of them interleave as the seed decides. A crash
is raised inside the process at an effect; from then on every effect of it raises again, because a
killed process has no `finally`.
"""

import heapq
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from greenlet import getcurrent, greenlet

from reconciler.errors import Locked, ReconcilerError, Stopped
from tests.sim.chance import Source

EPOCH = 1_750_000_000.0

_JUMPS = {"an hour forth": 3600.0, "an hour back": -3600.0, "a minute forth": 60.0}

# More effects than any honest run has: a process that goes on for ever is a finding.
_EFFECTS_LIMIT = 5000


class Crash(BaseException):
    """kill -9."""


class Process:
    """One run of the program, and what the world noticed of it."""

    def __init__(self, engine: "Engine", name: str, site: str) -> None:
        self.engine = engine
        self.name = name
        self.site = site
        self.started = engine.now
        self.dead = False
        self.ended: float | None = None
        self.result = ""  # "crashed", "exit N", or the error's name
        self.error: BaseException | None = None
        self.effects = 0
        # What it has read and seen, as oracles need it.
        self.version = -1  # of the directory, when it was read
        self.versions: set[int] = set()
        self.read_again: set[int] = set()  # what stood there when a second read began
        self.daemon = False
        self.wakeups: SimWakeups | None = None
        self.unchanged: tuple[float, int, bool] | None = (
            None  # its latest second read: begun when, of which version, its verdict
        )
        self.listed_at = -1.0  # when its latest look at the account began
        self.complete = False  # whether that one came to the end of the listing
        self.first_listing: tuple[float, frozenset[str]] | None = None
        self.looks: list[tuple[float, str, str]] = []  # GETs since its latest POST: when, job id, true status
        self.ends_told: set[tuple[str, str]] = set()  # job id and event of each end that it logged
        self.known_at_start = False
        self.generation = 0  # of its state directory
        self.found: object = None  # a copy of its state directory, as it found it

    def effect(self, kind: str, latency: float = 0.0) -> str | None:
        """An effect begins: crash before it, let others run for ``latency`` seconds, or say what goes wrong."""
        engine = self.engine
        if self.dead:
            raise Crash
        self.effects += 1
        if self.effects > _EFFECTS_LIMIT:
            raise RuntimeError(f"{self.name} goes on for ever")
        engine.set_clock()
        fault = engine.source.fault(kind, self.name)
        if fault == "crash before":
            self.crash(f"before {kind}")
        if latency:
            engine.pause(latency)
            if self.dead:
                raise Crash
        return fault

    def crash(self, where: str) -> None:
        self.dead = True
        self.engine.crashes += 1
        self.engine.say(f"{self.name} is killed {where}")
        raise Crash


class Engine:
    """The clock and the queue of what happens next."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.now = 0.0
        self.crashes = 0
        self.wall_offset = 0.0
        self.jumping = 0.0
        self.trace: list[str] | None = None
        self.foreign: list[tuple[Process, BaseException]] = []
        self.on_end: Callable[[Process], None] = lambda _: None
        self._queue: list[tuple[float, int, Callable[[], object]]] = []
        self._number = 0
        self._hub = getcurrent()
        self.until = float("inf")
        self._running: dict[greenlet, Process] = {}

    @property
    def current(self) -> Process | None:
        return self._running.get(getcurrent())

    def say(self, text: str) -> None:
        if self.trace is not None:
            self.trace.append(f"{self.now:9.2f}  {text}")

    def jump(self, process: Process) -> None:
        """Somebody may set the wall clock, just before this process's next effect."""
        how = self.source.fault("clock", process.name)
        if how is not None:
            self.jumping = _JUMPS[how]

    def set_clock(self) -> None:
        if self.jumping:
            self.wall_offset += self.jumping
            self.say(f"the wall clock jumps by {self.jumping:g} s")
            self.jumping = 0.0

    def at(self, time: float, act: Callable[[], object]) -> None:
        self._number += 1
        heapq.heappush(self._queue, (time, self._number, act))

    def pause(self, seconds: float) -> None:
        """Let others run until ``seconds`` have passed."""
        target = self.now + seconds
        me = getcurrent()
        if me is self._hub or (target <= self.until and (not self._queue or self._queue[0][0] > target)):
            self.now = target
            return
        self.at(target, me.switch)
        self._hub.switch()

    def give_way(self) -> None:
        """Let others run until something switches back."""
        self._hub.switch()

    def run(self, until: float = float("inf")) -> None:
        """Until nothing is left to happen, or until then."""
        queue, self.until = self._queue, until
        while queue and queue[0][0] <= until:
            time, _, act = heapq.heappop(queue)
            self.now = max(self.now, time)
            act()
        if until < float("inf"):
            self.now = max(self.now, until)

    def spawn(self, process: Process, main: Callable[[], str]) -> None:
        def body() -> None:
            try:
                process.result = main()
            except Crash:
                process.result = "crashed"
            except ReconcilerError as error:
                process.result, process.error = type(error).__name__, error
            except BaseException as error:  # noqa: BLE001 - a foreign exception is a finding
                process.result, process.error = "foreign", error
                self.foreign.append((process, error))
            process.ended = self.now
            process.dead = True
            self._running.pop(runner, None)
            self.say(f"{process.name} ends: {process.result}{f' ({process.error})' if process.error else ''}"[:300])
            self.on_end(process)

        runner = greenlet(body)
        self._running[runner] = process
        self.at(self.now, runner.switch)


class SimClock:
    """A process's clock: its monotonic zero is its own, its wall clock jumps.

    Not one of `tests.fakes.clocks`: a sleep here lets the other processes go on, and may be where this one is killed.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._engine = process.engine

    def time(self) -> float:
        return EPOCH + self._engine.now + self._engine.wall_offset

    def monotonic(self) -> float:
        return self._engine.now + 1000.0

    def sleep(self, seconds: float) -> None:
        fault = self._process.effect("sleep", max(0.0, seconds))
        if fault == "crash after":
            self._process.crash("after a sleep")
        if self._process.wakeups is not None and self._process.wakeups.stopping:
            raise Stopped("stopped while waiting")


class SimWakeups:
    """Where a daemon sleeps: hints wake it, where they are not lost, and a request to stop."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._engine = process.engine
        self._wake: Callable[[], None] | None = None
        self._hinted = False  # while it was awake
        self.stopping = False

    def wait(self, seconds: float) -> None:
        fault = self._process.effect("sleep")
        if not self.stopping and not self._hinted:
            self._sleep(seconds)
        self._hinted = False
        if self._process.dead or (fault == "crash after" and self._engine.source.on):
            self._process.crash("while it sleeps")

    def _sleep(self, seconds: float) -> None:
        me = getcurrent()

        def wake() -> None:
            if self._wake is wake:
                self._wake = None
                me.switch()

        self._wake = wake
        self._engine.at(self._engine.now + seconds, wake)
        self._engine.give_way()

    def hint(self) -> None:
        if self._wake is not None:
            self._engine.at(self._engine.now, self._wake)
        else:
            self._hinted = True

    def stop(self) -> None:
        self.stopping = True
        self.hint()


class SimLock:
    """The lock of a state directory: the operating system frees it when its holder dies."""

    def __init__(self, timeout: float = 30.0) -> None:
        self.holder: Process | None = None
        self._timeout = timeout

    @contextmanager
    def held_by(self, process: Process) -> Iterator[None]:
        end = process.engine.now + self._timeout
        while self.holder is not None and not self.holder.dead:
            if process.engine.now >= end:
                raise Locked("another reconciler works on this state directory")
            process.engine.pause(0.5)
        self.holder = process
        try:
            yield
        finally:
            if self.holder is process:
                self.holder = None
