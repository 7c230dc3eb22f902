"""A site's state directory: what survives a crash, kept in RAM.

The journal is the real one over a SQLite database in memory. Each of its transactions is an effect:
lost whole or kept whole. Status files are the real ones over a dictionary that can be torn.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from reconciler.state.failures import named
from reconciler.state.fence import Fence
from reconciler.state.journal import Journal
from reconciler.state.schema import SCHEMA, Identity
from reconciler.state.seal import Seal
from reconciler.state.status_files import StatusFiles
from tests.sim.engine import Engine, SimClock

IDENTITY = Identity("fleet-1", "https://api.example.com/v1")
_PLACE = Path("/state")
_PAGE = 4096


class _Connection(sqlite3.Connection):
    """Every `with connection` is one durable transaction, or none."""

    engine: Engine
    commits: int = 0
    past: "Past"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        process = self.engine.current
        if kind is not None or process is None:
            super().__exit__(kind, error, trace)
            self.commits += kind is None
            return False
        try:
            fault = process.effect("journal")
        except BaseException:
            self.rollback()
            raise
        if fault == "disk full":
            self.rollback()
            self.engine.say(f"{process.name}: the disk under the journal is full")
            raise sqlite3.OperationalError("database or disk is full")
        self.commit()
        self.commits += 1
        self.look()
        self.engine.say(f"{process.name}   journal written")
        if fault == "crash after":
            process.crash("after a journal write")
        return False

    def look(self) -> None:
        """Note what it holds now, before it is overwritten."""
        self.past.once_live.update(job_id for (job_id,) in self.execute("SELECT job_id FROM record WHERE live"))
        for name, path in self.execute("SELECT name, path FROM manifest WHERE path != ''"):
            read = self.past.read_at.setdefault(name, [])
            if not read or read[-1][1] != path:
                read.append((self.engine.now, path))


@dataclass(frozen=True, slots=True)
class Past:
    """What a journal ever held: the jobs that it recorded as live, and since when it had read which name where."""

    once_live: set[str] = field(default_factory=set)
    read_at: dict[str, list[tuple[float, str]]] = field(default_factory=dict)

    def copy(self) -> "Past":
        return Past(set(self.once_live), {name: list(read) for name, read in self.read_at.items()})


def _template() -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA)
    return connection.serialize()


EMPTY = _template()

# Databases of worlds that have ended: the statements that they know need not be prepared again, which costs as much as
# all that one schedule does with them.
_idle: list[_Connection] = []


class SimSeal(Seal):
    """The seal beside a journal in memory."""

    def __init__(self, state: "StateDirectory") -> None:
        self._state = state

    def intact(self, *, look_again: bool = True) -> bool:
        return self._state.seal == self._state.mark()

    def renew(self) -> None:
        self._state.seal = self._state.mark()


Verify = Callable[[sqlite3.Connection, Path], None]


@dataclass(frozen=True, slots=True)
class Copy:
    """A state directory as it was: of which generation, when."""

    generation: int
    at: float
    journal: bytes
    status: Mapping[Path, bytes]
    seal: object
    corrupt: bool
    past: Past


class StateDirectory:
    """Journal and status files of one site; ``generation`` counts how often another one took its place."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine = engine
        self._path = path  # which file it is; what it holds is in memory
        self.generation = 0
        self.corrupt_since: dict[int, float] = {}  # by generation
        self._copied: dict[int, Copy] = {}  # what a generation was made of
        self._pasts: list[Past] = []  # by generation
        self._begin(EMPTY, {}, None, Past())

    def _begin(self, journal: bytes, status: Mapping[Path, bytes], seal: object, past: Past) -> None:
        # The one before stays open in whoever works with it.
        self.db = _idle.pop() if _idle else sqlite3.connect(":memory:", factory=_Connection)
        self.db.deserialize(journal)
        self.db.engine, self.db.past, self.db.commits = self._engine, past, 0
        self._sound = journal is EMPTY
        self._pasts.append(past)
        self.status = StatusDisk(self._engine, status)
        self.seal = seal
        temporary = self._path.with_name(f".{self._path.name}")
        temporary.touch()
        temporary.rename(self._path)

    def close(self, *, unused: bool) -> None:
        """The world ends. ``unused``: every process that worked with it has ended, so another world may have it."""
        if unused and not self.corrupt_since and not self.db.in_transaction:
            del self.db.engine, self.db.past
            _idle.append(self.db)
        else:
            self.db.close()

    def mark(self) -> object:
        """What no copy has: the file, and when it was last written."""
        return self.generation, self.db.commits

    def lose(self) -> None:
        """Somebody deletes it."""
        self.generation += 1
        self._begin(EMPTY, {}, None, Past())

    def copy(self) -> Copy:
        status = dict(self.status.files)
        image, past = self.db.serialize(), self.db.past.copy()
        return Copy(self.generation, self._engine.now, image, status, self.seal, self.corrupt_now, past)

    def restore(self, copy: Copy) -> None:
        """Somebody puts an older copy in its place."""
        self.generation += 1
        self._copied[self.generation] = copy
        if copy.corrupt:
            self.corrupt_since[self.generation] = self._engine.now
        self._begin(copy.journal, copy.status, copy.seal, copy.past.copy())

    def corrupt(self, number: int) -> None:
        """The disk loses a page of the journal, or its end; ``number`` chooses which."""
        image = bytearray(self.db.serialize())
        page = number % (len(image) // _PAGE)
        if number % 3:
            image[page * _PAGE : (page + 1) * _PAGE] = bytes(_PAGE)
        else:
            del image[max(1, page) * _PAGE :]
        self.db.deserialize(bytes(image))
        self._sound = False
        self.corrupt_since[self.generation] = self._engine.now

    @property
    def corrupt_now(self) -> bool:
        return self.generation in self.corrupt_since

    def remembers(self, generation: int, past: int, at: float) -> bool:
        """Whether what was written at ``at`` by a run of generation ``past`` is known in this one."""
        while generation != past:
            copy = self._copied.get(generation)
            if copy is None or at > copy.at:
                return False
            generation = copy.generation
        return True

    def files(self) -> tuple[bytes, int]:
        """The journal's bytes, and how often a status file was written: the same as before means untouched."""
        return self.db.serialize(), self.status.writes

    def open(
        self, clock: SimClock, kind: type[Journal], fence: type[Fence], verify: Verify, identity: Identity = IDENTITY
    ) -> Journal:
        with named(_PLACE):
            # What only SQLite has written to since it was found sound is not looked through again.
            if not self._sound:
                verify(self.db, _PLACE)
                self._sound = True
            return kind(fence(self.db, self._path, identity, seal=SimSeal(self)), now=clock.time)

    # What oracles read: the durable content, by queries of their own.

    def has_intent(self, name: str, revision: str, attempt: int) -> bool:
        rows = self.db.execute("SELECT revision, attempt FROM intent WHERE name = ?", (name,)).fetchall()
        return not self.db.in_transaction and (revision, attempt) in rows

    def intents(self) -> list[tuple[str, str, int]]:
        return self.db.execute("SELECT name, revision, attempt FROM intent").fetchall()

    def records(self) -> set[str]:
        return {job_id for (job_id,) in self.db.execute("SELECT job_id FROM record")}

    def live(self) -> list[str]:
        return [job_id for (job_id,) in self.db.execute("SELECT job_id FROM record WHERE live ORDER BY job_id")]

    @property
    def once_live(self) -> frozenset[str]:
        """The jobs that it ever recorded as live."""
        return frozenset(self.db.past.once_live)

    def last_read(self, generation: int, name: str, at: float) -> str:
        """Where a name was last read by then, as the journal of that generation had it; "" where it never was."""
        read = self._pasts[generation].read_at.get(name, ())
        return next((path for since, path in reversed(read) if since <= at), "")

    def cancels(self) -> set[str]:
        return {job_id for (job_id,) in self.db.execute("SELECT job_id FROM cancel")}

    def halted(self) -> bool:
        """Whether every create of the fleet was refused, and none made a job since."""
        query = "SELECT 1 FROM refusal JOIN identity ON identity = id WHERE name = '' AND fleet = ?"
        return bool(self.db.execute(query, (IDENTITY.fleet,)).fetchall())

    def paused(self) -> set[str]:
        return {job_id for (job_id,) in self.db.execute("SELECT job_id FROM pause")}

    def backoff(self, now: float) -> float:
        """Seconds until every back-off is over, also those that end late because the clock was set back."""
        ends = self.db.execute(
            "SELECT next_at FROM refusal UNION SELECT next_at FROM cancel WHERE confirmed = 0 "
            "UNION SELECT next_at FROM pause WHERE confirmed = 0"
        )
        return max((end - now for (end,) in ends if now < end <= now + 4 * 3600), default=0.0)


@lru_cache(maxsize=64)
def _is_report(path: Path, directory: Path) -> bool:
    return path.parent == directory and path.suffix == ".yaml"


class StatusDisk:
    """The directory of status files."""

    def __init__(self, engine: Engine, files: Mapping[Path, bytes]) -> None:
        self._engine = engine
        self.files = dict(files)
        self.writes = 0
        self.torn: list[str] = []
        self._whole = set(files.values())
        self._reports: list[Path] | None = None  # until one is made or removed

    def reports(self, directory: Path) -> Iterable[Path]:
        if self._reports is None:
            self._reports = [path for path in self.files if _is_report(path, directory)]
        return self._reports

    def place(self, directory: Path) -> object:
        return self.writes

    def read(self, path: Path) -> bytes:
        if path not in self.files:
            raise FileNotFoundError(path)
        return self.files[path]

    def changed_at(self, path: Path) -> float:
        """No pass asks for it."""
        raise NotImplementedError

    def write(self, path: Path, content: bytes) -> None:
        process = self._engine.current
        fault = process.effect("status write") if process else None
        self._whole.add(content)
        self._reports = None
        if fault in {"disk full", "torn"}:
            self.files[path] = content[: len(content) // 2]
            self._look(path)
            if fault == "torn" and process:
                process.crash("in the middle of writing a status file")
            raise OSError(28, "No space left on device")
        self.files[path] = content
        self._done(path, process, fault)

    def replace(self, old: Path, new: Path) -> None:
        process = self._engine.current
        fault = process.effect("status replace") if process else None
        self.files[new] = self.files.pop(old)
        self._reports = None
        self._done(new, process, fault)

    def remove(self, path: Path) -> None:
        process = self._engine.current
        fault = process.effect("status remove") if process else None
        del self.files[path]
        self._reports = None
        self._done(path, process, fault)

    def _done(self, path: Path, process: Any, fault: str | None) -> None:
        self.writes += 1
        self._look(path)
        if self._engine.trace is not None and path.suffix == ".yaml":
            self._engine.say(
                f"{process.name if process else '?'}   status of {path.stem} written: {self.files.get(path)!r}"[:2000]
            )
        if fault == "crash after":
            process.crash("after writing a status file")

    def _look(self, path: Path) -> None:
        """What a reader would find at this very instant."""
        content = self.files.get(path)
        if path.suffix == ".yaml" and content is not None and content not in self._whole:
            self.torn.append(path.name)

    def report(self, name: str) -> Mapping[str, Any]:
        content = self.files.get(_PLACE / "status" / f"{name}.yaml")
        if content not in self._whole:
            return {}
        told: Mapping[str, Any] = json.loads(content)["status"]
        return told


# What any process has written or parsed before; bounded, since a long run meets few twice.
_PARSED: dict[bytes, Mapping[str, Any]] = {}
_PARSED_LIMIT = 10_000


class JsonStatusFiles(StatusFiles):
    """The real ones, in the part of YAML that is JSON: it is read and written thirty times as fast."""

    def _text(self, name: str, report: Mapping[str, object], kind: str = "FineTuningJobStatus") -> bytes:
        text = json.dumps({"kind": kind, "metadata": {"name": name}, "status": report}).encode()
        if len(_PARSED) >= _PARSED_LIMIT:
            _PARSED.clear()
        _PARSED[text] = report
        return text

    def _report(self, content: bytes) -> Mapping[str, object]:
        found = _PARSED.get(content)
        if found is None:  # torn
            found = _PARSED[content] = super()._report(content)
        return found
