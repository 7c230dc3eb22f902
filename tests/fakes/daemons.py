"""A daemon over real files and a real journal, with a provider in memory, on a clock that nobody waits for."""

import contextlib
import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from reconciler.core.desired import Fleet
from reconciler.core.documents import ProviderName
from reconciler.core.snapshot import Problem, Snapshot
from reconciler.engine.daemon import Daemon, DaemonListener, Pace
from reconciler.engine.follow import Follower, in_turn
from reconciler.engine.ports import Ports
from reconciler.engine.reconcile import Reconciler
from reconciler.errors import ProviderError
from reconciler.log import Log, configure
from reconciler.source.directory import read_directory
from reconciler.source.fingerprint import fingerprint
from reconciler.source.leftovers import leftovers_of
from reconciler.source.reader import DirectoryReader
from reconciler.source.training_files import uploaded_pieces
from reconciler.state.journal import Journal
from reconciler.state.opening import open_journal
from reconciler.state.schema import Identity
from reconciler.state.status_files import StatusFiles
from tests.fakes.clocks import ManualClock
from tests.fakes.fleets import FleetDirectory
from tests.fakes.provider import MemoryProvider


class ManualWakeups:
    """Where a simulated daemon sleeps until ``end``. ``deaf``: no file event ever arrives."""

    def __init__(self, clock: ManualClock, end: float, *, deaf: bool = False) -> None:
        self._clock = clock
        self._end = end
        self._deaf = deaf
        self.stopped = False

    @property
    def stopping(self) -> bool:
        return self.stopped or self._clock.now >= self._end

    def wait(self, seconds: float) -> None:
        until = min(self._end, self._clock.now + seconds)
        while self._clock.advance(until):
            if not self._deaf or self.stopped:
                return


@dataclass
class DaemonHarness:
    """A fleet on disk, a provider in memory, a clock; `live` lets a daemon live in it."""

    fleet: FleetDirectory
    clock: ManualClock = field(default_factory=ManualClock)
    logged: io.StringIO = field(default_factory=io.StringIO)
    settle: float = 0.0
    verbose: bool = False
    elsewhere: Path | None = None  # the state directory, where it is not in the fleet's
    wall: Callable[[], float] = time.time  # what the times of files are compared with
    before_reading: Callable[[], object] = lambda: None
    named: Callable[[Problem], str] = str
    provider: MemoryProvider = field(init=False)

    def __post_init__(self) -> None:
        self.provider = MemoryProvider(self.clock)

    @property
    def state(self) -> Path:
        return self.elsewhere or self.fleet.root / ".reconciler"

    def at(self, time: float, act: Callable[[], object]) -> None:
        """Let something happen."""
        self.clock.script.append((time, act))

    def live(
        self, seconds: float, *, deaf: bool = False, pace: Pace | None = None, listener: DaemonListener | None = None
    ) -> None:
        """A daemon's life of ``seconds``, from the opening of the journal to the stop."""
        wakeups = ManualWakeups(self.clock, self.clock.now + seconds, deaf=deaf)
        identity = Identity(self.fleet.name, "http://memory/v1")
        fleet = read_directory(self.fleet.root).fleet or Fleet(self.fleet.name, ProviderName.COMPATIBLE)
        journal = open_journal(self.state, identity, now=self.clock.time)
        log = configure(form="json", secrets=[], verbose=self.verbose, stream=self.logged)
        with journal:
            ports = replace(self.ports(journal, self.fleet.root, log), stopping=lambda: wakeups.stopping)
            Daemon(
                Reconciler(ports, settle=self.settle, every_backoff=True),
                self._reading(DirectoryReader(self.fleet.root, self.wall)),
                wakeups,
                log,
                fleet=fleet,
                pace=pace or Pace(),
                first_run=True,
                random=lambda: 0.5,
                listener=listener or DaemonListener(),
                named=self.named,
            ).run()

    def _reading(self, reader: DirectoryReader) -> Callable[[], Snapshot]:
        def read() -> Snapshot:
            self.before_reading()
            return reader.read()

        return read

    def ports(self, journal: Journal, root: Path, log: Log | None = None) -> Ports:
        """What a run over ``root`` at this provider touches."""
        return Ports(
            provider=self.provider,
            journal=journal,
            status_files=StatusFiles(root / ".reconciler" if root != self.fleet.root else self.state),
            clock=self.clock,
            log=log or configure(form="json", secrets=[], stream=io.StringIO()),
            pieces_of=lambda file: uploaded_pieces(root, file),
            unchanged=lambda read: fingerprint(read) == read.fingerprint,
            leftovers=leftovers_of,
            pass_lock=contextlib.nullcontext,
            follower=Follower(self.provider, journal, in_turn),
        )

    def lines(self, event: str) -> list[dict[str, Any]]:
        """What was logged under that name."""
        every = (json.loads(line) for line in self.logged.getvalue().splitlines())
        return [line for line in every if line["event"] == event]

    def fail_next(self, operation: str, *errors: ProviderError | Exception) -> None:
        """The next calls of an operation fail."""
        self.provider.trouble.setdefault(operation, []).extend(errors)
