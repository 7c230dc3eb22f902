"""Planted bugs: parts of the program, each wrong in one way.

Nothing in `reconciler/` knows of them. `test_bugs` shows that the simulation catches each.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from reconciler.core.change import Cancel, Change, Plan
from reconciler.core.desired import Fleet
from reconciler.core.estimate import Estimate
from reconciler.core.file_marks import marks_of_file
from reconciler.core.gates import Permission
from reconciler.core.job import TERMINAL, Job, Marks
from reconciler.core.memory import Intent, Memory, OwnCancel, OwnPause, Record
from reconciler.core.reason import Reason
from reconciler.core.snapshot import Snapshot
from reconciler.core.training import Training
from reconciler.core.world import World
from reconciler.engine.ports import Ports
from reconciler.engine.reconcile import Reconciler
from reconciler.engine.rest import Rest
from reconciler.engine.steps import Decided, Seen
from reconciler.errors import JournalError, OutcomeUnknown
from reconciler.source.directory import read_directory
from reconciler.state.fence import Fence
from reconciler.state.journal import Journal
from reconciler.state.opening import verify
from reconciler.state.pauses import Pauses
from reconciler.state.records import Records
from reconciler.state.status_files import FileOperations, StatusFiles
from tests.sim.disk import EMPTY, JsonStatusFiles
from tests.sim.engine import SimClock
from tests.sim.server import FLEET, SimProvider
from tests.sim.world import Program


class IntentAfterPost(Journal):
    """POST before intent: it is recorded with the answer only."""

    def record_intent(self, intent: Intent) -> str:
        self._later = intent
        return ""

    def record_job(self, job: Record) -> None:
        super().record_intent(self._later)
        super().record_job(job)


class IntentInACache(Journal):
    """Intent not fsynced: this process sees it, the disk does not."""

    def record_intent(self, intent: Intent) -> str:
        self.__dict__.setdefault("_cache", {})[intent.name] = intent
        return ""

    def drop_intent(self, name: str, *, created: bool | None = None) -> None:
        self.__dict__.setdefault("_cache", {}).pop(name, None)
        super().drop_intent(name, created=created)

    def record_job(self, job: Record) -> None:
        self.__dict__.setdefault("_cache", {}).pop(job.name, None)
        super().record_job(job)

    def memory(self, *, every_backoff: bool = False) -> Memory:
        memory = super().memory(every_backoff=every_backoff)
        return replace(memory, intents={**memory.intents, **self.__dict__.get("_cache", {})})


class LatePauses(Pauses):
    """A pause sent before it is recorded: it is written down once the job stands still."""

    def record(self, job_id: str, *, resumed: bool) -> bool:
        return super().record(job_id, resumed=resumed) if resumed else False

    def mark_confirmed(self, job_id: str) -> None:
        super().record(job_id, resumed=False)
        super().mark_confirmed(job_id)


class PauseAfterPost(Journal):
    """... and only then."""

    def __init__(self, fence: Fence, *, now: Callable[[], float]) -> None:
        super().__init__(fence, now=now)
        self.pauses = LatePauses(self._rows, now)


class SeesNoProbes(Records):
    """A killed probe left to itself: nobody is told that it has not ended."""

    def unfinished(self, fleet: str) -> tuple[frozenset[str], frozenset[str]]:
        return frozenset(), frozenset()


class LeavesProbes(Journal):
    """... and so it runs on."""

    def __init__(self, fence: Fence, *, now: Callable[[], float]) -> None:
        super().__init__(fence, now=now)
        self.records = SeesNoProbes(self._rows, fence.identity)


class TrustsOneAnswer(Reconciler):
    """A careful create sent beside another: back-offs of all creates are taken for over, and forgotten."""

    def memory(self, listed: Iterable[Job], fleet: Fleet) -> Memory:
        memory = super().memory(listed, fleet)
        return replace(memory, refusals={name: one for name, one in memory.refusals.items() if name})


class WallClock(SimClock):
    """Wall clock instead of monotonic."""

    def monotonic(self) -> float:
        return self.time()


class RepeatedPost(SimProvider):
    """5xx retried: a create whose answer is lost is sent again at once."""

    def create_job(self, body: Mapping[str, object]) -> Job:
        try:
            return super().create_job(body)
        except OutcomeUnknown:
            return super().create_job(body)


def read_whatever_is_there(root: Path) -> Snapshot:
    """Cancel on an empty directory: what cannot be read wants nothing, and the last fleet document still holds."""
    snapshot = read_directory(root)
    if snapshot.fleet is not None and not snapshot.problems:
        _fleets[root] = snapshot
    if snapshot.fleet is None and root in _fleets and not snapshot.desired:
        return replace(snapshot, fleet=_fleets[root].fleet, problems=(), broken=frozenset(), unreadable=frozenset())
    return snapshot


_fleets: dict[Path, Snapshot] = {}


def read_over_gaps(root: Path) -> Snapshot:
    """An empty subdirectory taken for a removal: what may be missing is not asked for."""
    nothing: dict[str, Any] = {"gaps": ()}
    return replace(read_directory(root), **nothing)


class EverybodysJobs(SimProvider):
    """No ownership check: another fleet's job of our names counts as ours."""

    def _adopted(self, job: Job) -> Job:
        if job.marks is not None:
            return replace(job, marks=replace(job.marks, fleet=FLEET))
        return replace(job, marks=Marks(FLEET, "a", "f" * 16, 1))

    def understood(self, jobs: tuple[Job, ...]) -> tuple[Job, ...]:
        return tuple(map(self._adopted, jobs))

    def retrieve_job(self, job_id: str) -> Job:
        return self._adopted(super().retrieve_job(job_id))


class PartOfAList(SimProvider):
    """Partial list trusted: pages that came before the error are the listing."""

    def cut(self, shown: tuple[Job, ...]) -> tuple[Job, ...]:
        return shown

    def _read_fault(self, kind: str, fault: str | None) -> None:
        super()._read_fault(kind, None if fault == "cut" else fault)


class WarmStart(Reconciler):
    """No cold-start wait."""

    def why_cold(self) -> str:
        return ""


class InPlace:
    """Files that are written where they stand, not beside it."""

    def __init__(self, files: FileOperations) -> None:
        self.reports, self.read, self.remove = files.reports, files.read, files.remove
        self.changed_at, self.place = files.changed_at, files.place
        self._files = files

    def write(self, path: Path, content: bytes) -> None:
        self._files.write(path.with_name(f"{path.stem.removeprefix('.')}.yaml"), content)

    def replace(self, old: Path, new: Path) -> None:
        """It is there already."""


def torn_status(state_directory: Path, files: FileOperations) -> StatusFiles:
    """Torn status: written in place."""
    return JsonStatusFiles(state_directory, InPlace(files))


class NoTerminalJobs(SimProvider):
    """Terminal taken for missing: jobs that have ended are not listed, and unknown."""

    def understood(self, jobs: tuple[Job, ...]) -> tuple[Job, ...]:
        return tuple(job for job in jobs if job.live)


class ForgetfulJournal(Journal):
    """... and a record whose job is not there is dropped."""

    def memory(self, *, every_backoff: bool = False) -> Memory:
        memory = super().memory(every_backoff=every_backoff)
        return replace(memory, records={})


_WORDS = frozenset({"validating_files", "queued", "running", "canceling"}) | TERMINAL


class WordsItKnows(SimProvider):
    """Unknown status taken for terminal."""

    def _known(self, job: Job) -> Job:
        return job if job.status in _WORDS else replace(job, status="failed")

    def understood(self, jobs: tuple[Job, ...]) -> tuple[Job, ...]:
        return tuple(map(self._known, jobs))

    def retrieve_job(self, job_id: str) -> Job:
        return self._known(super().retrieve_job(job_id))


class WantedEverything(Journal):
    """Retired a job it never wanted: whatever was seen counts as once wanted."""

    def memory(self, *, every_backoff: bool = False) -> Memory:
        memory = super().memory(every_backoff=every_backoff)
        seen: dict[tuple[str, str], Mapping[str, object] | None] = {
            (r.name, r.revision): {} for r in memory.records.values()
        }
        return replace(memory, wanted={**seen, **memory.wanted})


class EveryCancelIsOurs(Journal):
    """Restored a job that a human cancelled: whatever has ended counts as cancelled here."""

    def memory(self, *, every_backoff: bool = False) -> Memory:
        memory = super().memory(every_backoff=every_backoff)
        ended = {r.job_id: OwnCancel(Reason.SUPERSEDED) for r in memory.records.values() if not r.live}
        return replace(memory, cancels={**ended, **memory.cancels})


class EveryPauseIsOurs(Journal):
    """Resumed a job that somebody else paused: whatever stands still counts as paused here."""

    def memory(self, *, every_backoff: bool = False) -> Memory:
        memory = super().memory(every_backoff=every_backoff)
        live = {r.job_id: OwnPause() for r in memory.records.values() if r.live}
        return replace(memory, pauses={**live, **memory.pauses})


class _OtherPlan(Reconciler):
    """A run that changes its gated plan before it acts."""

    def decide(self, seen: Seen, snapshot: Snapshot, permission: Permission) -> Decided:
        decided = super().decide(seen, snapshot, permission)
        plan = decided.gated.plan
        changes = tuple(self.other(change, plan, seen) for change in plan.changes)
        return replace(decided, gated=replace(decided.gated, plan=replace(plan, changes=changes)))

    def other(self, change: Change, plan: Plan, seen: Seen) -> Change:
        return change


class KeepNewest(_OtherPlan):
    """Keep-newest for duplicates."""

    def other(self, change: Change, plan: Plan, seen: Seen) -> Change:
        if not isinstance(change, Cancel) or change.reason is not Reason.DUPLICATE or change.keeper is None:
            return change
        return replace(change, job_id=change.keeper, keeper=change.job_id)


class NoLookAtTheKeeper(_OtherPlan):
    """Healed a duplicate without looking at the keeper."""

    def other(self, change: Change, plan: Plan, seen: Seen) -> Change:
        return replace(change, keeper=None) if isinstance(change, Cancel) else change


class CancelFirst(_OtherPlan):
    """Cancelled before the replacement existed."""

    def other(self, change: Change, plan: Plan, seen: Seen) -> Change:
        return replace(change, follows=False) if isinstance(change, Cancel) else change


class SealedByAnybody(Journal):
    """A copy of a state directory is taken for the original."""

    def __init__(self, fence: Fence, *, now: Callable[[], float]) -> None:
        super().__init__(fence, now=now)
        self.moved = False


class NoFence(Fence):
    """... and written to whatever stands in its place."""

    def check_place(self) -> None: ...

    def _next_write(self) -> int:
        self._writes = -1
        return super()._next_write()


def empty_where_corrupt(connection: sqlite3.Connection, path: Path) -> None:
    """A corrupt journal is read as an empty one."""
    try:
        verify(connection, path)
    except (JournalError, sqlite3.DatabaseError):
        connection.deserialize(EMPTY)


class NewestPageOnly(Reconciler):
    """An incremental look that misses a job older than the newest page, and passes for a complete one."""

    def _look_again(self, rest: Rest, began: float) -> bool:
        provider, looks = self._ports.provider, self._looks.passed()
        shown = {job.id: job for job in next(provider.job_pages()).jobs}
        asked = {job_id: provider.retrieve_job(job_id) for job_id in rest.open}
        self._looks = looks.after_incremental({**shown, **asked}, began, self.watch.settle)
        return True


class SufficesAlways(Reconciler):
    """A write decided on an incremental look."""

    def suffices(self, seen: Seen) -> bool:
        return True


class WithoutASecondRead(Reconciler):
    """The files are not read again before a write."""

    def __init__(self, ports: Ports, **settings: Any) -> None:
        super().__init__(replace(ports, unchanged=lambda _: True), **settings)


class HurriedDaemon(_OtherPlan):
    """A removal is believed at once."""

    def decide(self, seen: Seen, snapshot: Snapshot, permission: Permission) -> Decided:
        return super().decide(seen, snapshot, replace(permission, gone=None))


class NoMarks(SimProvider):
    """Marks not sent."""

    def create_job(self, body: Mapping[str, object]) -> Job:
        return super().create_job({key: value for key, value in body.items() if key != "metadata"})


class AnybodysMarks(Reconciler):
    """Another fleet's marks prove that ours come back."""

    def memory(self, listed: Iterable[Job], fleet: Fleet) -> Memory:
        listed = tuple(listed)
        memory = super().memory(listed, fleet)
        return replace(memory, echoes=True) if any(job.marks for job in listed) else memory


class TakesItAsItIs(Reconciler):
    """A wrong job left running: what a server does not show is trained all the same."""

    def __init__(self, ports: Ports, **settings: Any) -> None:
        super().__init__(ports, **{**settings, "method_assumed": True})


_FEW = 4


class ComparesTheLive(SimProvider):
    """A job with a lost method made again at every pass: only live jobs are compared."""

    def _compared(self, job: Job) -> Job:
        # A few times are enough to be caught; without an end no process of it would have one.
        again = not job.live and job.marks is not None and job.marks.attempt < _FEW
        return replace(job, training=Training("dpo")) if again else job

    def understood(self, jobs: tuple[Job, ...]) -> tuple[Job, ...]:
        return tuple(map(self._compared, jobs))

    def retrieve_job(self, job_id: str) -> Job:
        return self._compared(super().retrieve_job(job_id))


class _OtherMarks(Reconciler):
    """A run that takes the marks of files otherwise."""

    def marking(self, snapshot: Snapshot) -> Ports:
        ports = super().marking(snapshot)
        provider: Any = ports.provider
        marked = provider._marked
        provider._marked = lambda jobs: tuple(map(self.other, marked(tuple(map(self.shown, jobs)))))
        return ports

    def shown(self, job: Job) -> Job:
        return job

    def other(self, job: Job) -> Job:
        return job


class AnySuffix(_OtherMarks):
    """Seed matched although the suffix says another."""

    def shown(self, job: Job) -> Job:
        return replace(job, suffix=None)


class AnyFleetsFile(_OtherMarks):
    """File name of another fleet taken for ours."""

    def other(self, job: Job) -> Job:
        return replace(job, marks=replace(job.marks, fleet=FLEET)) if job.marks and job.by_file else job


class AnySeed(_OtherMarks):
    """A job that a person started on our uploaded file taken for ours."""

    def other(self, job: Job) -> Job:
        return replace(job, marks=job.marks or marks_of_file(job.file_name))


class RecordedBeforeTold(Reconciler):
    """An end recorded before it is told: the log comes after the journal."""

    _untold: Callable[[], None] = staticmethod(lambda: None)

    def log_ends(self, *ends: Any) -> None:
        self._untold = partial(super().log_ends, *ends)

    def remember(self, *seen: Any) -> Seen:
        known = super().remember(*seen)
        self._untold()
        return known


class CostOfOne(Reconciler):
    """Cost counted for one create only."""

    def estimates(self, wanted: Plan, world: World) -> Mapping[str, Estimate]:
        found = super().estimates(wanted, world)
        one = next((name for name, estimate in found.items() if estimate.usd is not None), "")
        return {name: e if name == one or e.usd is None else replace(e, usd=0.0) for name, e in found.items()}


@dataclass(frozen=True)
class Bug:
    """A program that is wrong, the oracles that may catch it, and within how many seeds they must."""

    program: Program
    oracles: frozenset[str]
    seeds: int
    first: int = 0  # the seed to begin with: near the first that shows it, where that one is far or each takes long
    scenario: str = ""  # where all plans of two faults find it rather than chance
    fault: str = ""  # with which those plans begin, where it is known what must go wrong first


def _bug(*oracles: str, seeds: int = 1000, first: int = 0, scenario: str = "", fault: str = "", **parts: Any) -> Bug:
    return Bug(Program(**parts), frozenset(oracles), seeds, first, scenario, fault)


# A lost create may be sent again there.
_KNOWN, _LOST = "create where marks are known", "unknown: lost"

BUGS: Mapping[str, Bug] = {
    "POST before intent": _bug("S6", journal=IntentAfterPost),
    "a pause sent before it is recorded": _bug("S6", journal=PauseAfterPost),
    "a killed probe left to itself": _bug("probes", journal=LeavesProbes, scenario="probe"),
    "a careful create sent beside another": _bug("careful", reconciler=TrustsOneAnswer, first=100),
    "intent not fsynced": _bug("S6", journal=IntentInACache),
    "settle too short": _bug("S1", "S1b", settle=0.1, first=100),
    "wall clock instead of monotonic": _bug("S1", "S1b", clock=WallClock, scenario=_KNOWN, fault=_LOST),
    "5xx retried": _bug("S1", "S1b", provider=RepeatedPost, first=50),
    "cancel on an empty directory": _bug("S4", read=read_whatever_is_there, first=10),
    "an empty subdirectory taken for a removal": _bug("S4", read=read_over_gaps, scenario="subdirectory"),
    "no ownership check": _bug("S3", provider=EverybodysJobs, first=18),
    "partial list trusted": _bug("S1", "S1b", provider=PartOfAList, scenario=_KNOWN, fault=_LOST),
    "no lock": _bug("S1", locks=False, first=40),
    "no cold-start wait": _bug("S1", "S1b", reconciler=WarmStart, first=240),
    "torn status": _bug("S7", status_files=torn_status),
    "keep-newest for duplicates": _bug("S1b", reconciler=KeepNewest, first=220),
    "terminal taken for missing": _bug("S2", provider=NoTerminalJobs, journal=ForgetfulJournal),
    "unknown status taken for terminal": _bug("S1", "S2", provider=WordsItKnows),
    "retired a job it never wanted": _bug("S1c", journal=WantedEverything, first=180),
    "restored a job that a human cancelled": _bug("S2", journal=EveryCancelIsOurs),
    "resumed a job that somebody else paused": _bug("S3d", journal=EveryPauseIsOurs, first=15),
    "healed a duplicate without looking at the keeper": _bug("S2b", reconciler=NoLookAtTheKeeper),
    "cancelled before the replacement existed": _bug("S2b", reconciler=CancelFirst),
    "took a copy of a state directory for the original": _bug(
        "S1", "S1b", journal=SealedByAnybody, fence=NoFence, first=2835
    ),
    "a corrupt journal read as an empty one": _bug("S7", verify=empty_where_corrupt, first=35),
    "no second read before a write": _bug("S4", "S9", reconciler=WithoutASecondRead),
    "a removal believed at once": _bug("S4", reconciler=HurriedDaemon, first=10),
    "an incremental look that misses a job older than the newest page": _bug(
        "S2", reconciler=NewestPageOnly, scenario="a daemon at rest beside CI"
    ),
    "a write decided on an incremental look": _bug("S4", reconciler=SufficesAlways, scenario="a daemon at rest"),
    "marks not sent": _bug("S5", provider=NoMarks),
    "seed matched although the suffix says another": _bug("S3", reconciler=AnySuffix, first=418),
    "file name of another fleet taken for ours": _bug("S3", reconciler=AnyFleetsFile, first=30),
    "a job that a person started on our uploaded file taken for ours": _bug("S3", reconciler=AnySeed, first=20),
    "another fleet's marks taken for proof": _bug("S5", "S1", reconciler=AnybodysMarks, first=618),
    "a wrong job left running": _bug("S3c", reconciler=TakesItAsItIs),
    "a job with a lost method made again at every pass": _bug("S3c", provider=ComparesTheLive),
    "cost counted for one create only": _bug("max_cost", reconciler=CostOfOne, first=180),
    "an end recorded before it is told": _bug("L3b", reconciler=RecordedBeforeTold, scenario="end"),
}
