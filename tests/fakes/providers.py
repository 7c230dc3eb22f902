"""A provider in memory, and a daemon's world on a clock that a test moves."""

import contextlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from structlog.typing import FilteringBoundLogger

from reconciler.clock import Clock
from reconciler.core.desired import Fleet
from reconciler.core.documents import ProviderName
from reconciler.core.job import Checkpoint, Event, Job, marks_of
from reconciler.core.snapshot import Snapshot
from reconciler.engine.daemon import Daemon, Observer, Pace
from reconciler.engine.follow import Follower
from reconciler.engine.ports import Ports
from reconciler.engine.reconcile import Reconciler
from reconciler.errors import ProviderError, Refused
from reconciler.log import configure
from reconciler.source import DirectoryReader, fingerprint, read_directory, read_training_bytes, still_standing
from reconciler.state.journal import Journal
from reconciler.state.opening import open_journal
from reconciler.state.schema import Identity
from reconciler.state.status_files import StatusFiles
from tests.fakes.fan import one_by_one
from tests.fakes.fleets import FleetDirectory


class MemoryProvider:
    """Does what it is asked. ``trouble`` are errors for the next calls of an operation, by name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.jobs: dict[str, Job] = {}
        self.events: dict[str, list[Event]] = {}
        self.calls: list[tuple[float, str, str]] = []
        self.trouble: dict[str, list[Exception]] = {}

    def _called(self, operation: str, about: str = "") -> None:
        self.calls.append((self._clock.monotonic(), operation, about))
        if self.trouble.get(operation):
            raise self.trouble[operation].pop(0)

    def times(self, operation: str) -> list[float]:
        """When it was asked for."""
        return [at for at, named, _ in self.calls if named == operation]

    def create_job(self, body: Mapping[str, object]) -> Job:
        self._called("create")
        number = len(self.jobs) + 1
        marks = marks_of(body["metadata"])
        job = Job(f"j{number}", "running", created_at=number, marks=marks)
        self.jobs[job.id] = job
        return job

    def list_jobs(self) -> tuple[Job, ...]:
        self._called("list")
        return tuple(reversed(self.jobs.values()))

    def retrieve_job(self, job_id: str) -> Job:
        self._called("retrieve", job_id)
        if job_id not in self.jobs:
            raise Refused("no such job", status=404)
        return self.jobs[job_id]

    def cancel_job(self, job_id: str) -> None:
        self._called("cancel", job_id)
        self.end(job_id, "cancelled")

    def list_events(self, job_id: str, *, limit: int | None = None) -> tuple[Event, ...]:
        self._called("events", job_id)
        return tuple(reversed(self.events.get(job_id, [])))[:limit]

    def list_checkpoints(self, job_id: str) -> tuple[Checkpoint, ...]:
        self._called("checkpoints", job_id)
        return ()

    def find_file(self, name: str, size: int) -> str | None:
        return "file-1"

    def upload_file(self, name: str, content: bytes) -> str:
        raise AssertionError("every file is there already")

    def wait_for_file(self, file_id: str) -> None:
        """It is ready."""

    def end(self, job_id: str, status: str) -> None:
        """Whoever it is, a job ends."""
        model = f"ft:{job_id}" if status == "succeeded" else None
        self.jobs[job_id] = replace(self.jobs[job_id], status=status, fine_tuned_model=model)

    def tell(self, job_id: str, *texts: str, **metrics: float) -> None:
        """Something happens to a job."""
        told = self.events.setdefault(job_id, [])
        told += [Event(f"e{job_id}-{len(told) + i}", 0, "info", "message", t, metrics) for i, t in enumerate(texts)]

    def live(self, name: str = "") -> list[str]:
        """Ids of the jobs that have not ended."""
        return [j.id for j in self.jobs.values() if j.live and (not name or (j.marks and j.marks.name == name))]


class Time:
    """A clock on which nobody waits; ``script`` happens at its times (monotonic seconds)."""

    def __init__(self) -> None:
        self.now = 0.0
        self.script: list[tuple[float, Callable[[], object]]] = []

    def time(self) -> float:
        return 1_800_000_000.0 + self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.advance(self.now + max(0.0, seconds))

    def advance(self, until: float) -> bool:
        """Move to ``until``, or to the next thing in the script; whether that came first."""
        due = [entry for entry in self.script if entry[0] <= until]
        if not due:
            self.now = until
            return False
        at, act = min(due, key=lambda entry: entry[0])
        self.script.remove((at, act))
        self.now = max(self.now, at)
        act()
        return True


class Bed:
    """Where a simulated daemon sleeps until ``end``. ``deaf``: no file event ever arrives."""

    def __init__(self, clock: Time, end: float, *, deaf: bool = False) -> None:
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
class World:
    """A fleet on disk, a provider in memory, a clock; `live` lets a daemon live in it."""

    fleet: FleetDirectory
    clock: Time = field(default_factory=Time)
    logged: io.StringIO = field(default_factory=io.StringIO)
    settle: float = 0.0
    elsewhere: Path | None = None  # the state directory, where it is not in the fleet's
    before_reading: Callable[[], object] = lambda: None
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
        self, seconds: float, *, deaf: bool = False, pace: Pace | None = None, observer: Observer | None = None
    ) -> None:
        """A daemon's life of ``seconds``, from the opening of the journal to the stop."""
        bed = Bed(self.clock, self.clock.now + seconds, deaf=deaf)
        identity = Identity(self.fleet.name, "http://memory/v1")
        fleet = read_directory(self.fleet.root).fleet or Fleet(self.fleet.name, ProviderName.COMPATIBLE)
        journal = open_journal(self.state, identity, now=self.clock.time)
        log = configure(form="json", secrets=[], stream=self.logged)
        with journal:
            ports = replace(self.ports(journal, self.fleet.root, log), stopping=lambda: bed.stopping)
            Daemon(
                Reconciler(ports, settle=self.settle, patient=True),
                self._reading(DirectoryReader(self.fleet.root)),
                bed,
                log,
                fleet=fleet,
                pace=pace or Pace(),
                first_run=True,
                random=lambda: 0.5,
                observer=observer or Observer(),
            ).run()

    def _reading(self, reader: DirectoryReader) -> Callable[[], Snapshot]:
        def read() -> Snapshot:
            self.before_reading()
            return reader.read()

        return read

    def ports(self, journal: Journal, root: Path, log: FilteringBoundLogger | None = None) -> Ports:
        """What a run over ``root`` at this provider touches."""
        return Ports(
            provider=self.provider,
            journal=journal,
            status_files=StatusFiles(root / ".reconciler" if root != self.fleet.root else self.state),
            clock=self.clock,
            log=log or configure(form="json", secrets=[], stream=io.StringIO()),
            training_bytes=lambda file: read_training_bytes(root, file),
            unchanged=lambda read: fingerprint(read) == read.fingerprint,
            standing=still_standing,
            turn=contextlib.nullcontext,
            follower=Follower(self.provider, journal, one_by_one),
        )

    def lines(self, event: str) -> list[dict[str, Any]]:
        """What was logged under that name."""
        every = (json.loads(line) for line in self.logged.getvalue().splitlines())
        return [line for line in every if line["event"] == event]

    def fail_next(self, operation: str, *errors: ProviderError | Exception) -> None:
        """The next calls of an operation fail."""
        self.provider.trouble.setdefault(operation, []).extend(errors)
