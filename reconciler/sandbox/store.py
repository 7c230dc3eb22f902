"""What the sandbox remembers, in one directory: jobs in SQLite, files beside it.

Owned by `server`, used by the resources. Several processes may open one directory
at the same time. Reading writes nothing to the disk. It decides nothing about a
job: the changes it saves are made by the functions it is handed.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from . import job as jobs
from . import paging
from .errors import SandboxError
from .scripts import MARK
from .training import Dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from .job import Job
    from .paging import Page

_VERSION = 1
# Long enough for any write of another process, short enough not to look like a hang.
_BUSY_SECONDS = 10.0

# The columns beside `record` are what queries need to find it.
_SCHEMA = (
    """CREATE TABLE jobs (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        created REAL NOT NULL,
        fine_tuned_model TEXT NOT NULL UNIQUE,
        metadata TEXT,
        twins TEXT NOT NULL,
        record TEXT NOT NULL
    )""",
    "CREATE INDEX jobs_by_age ON jobs (created, number)",
    "CREATE INDEX jobs_by_twins ON jobs (twins)",
    """CREATE TABLE files (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        created REAL NOT NULL,
        bytes INTEGER NOT NULL,
        filename TEXT NOT NULL,
        purpose TEXT NOT NULL,
        examples INTEGER NOT NULL,
        tokens INTEGER NOT NULL,
        problem TEXT
    )""",
    f"PRAGMA user_version = {_VERSION}",
)

# A job matches where there is no wanted pair that its metadata lacks.
_LIST_JOBS = """
    SELECT record FROM jobs
    WHERE (:created IS NULL OR (created, number) < (:created, :number))
      AND (NOT :unmarked OR metadata IS NULL)
      AND NOT EXISTS (
        SELECT 1 FROM json_each(:wanted) AS pair WHERE NOT EXISTS (
            SELECT 1 FROM json_each(jobs.metadata) AS own
            WHERE own.key = json_extract(pair.value, '$[0]') AND own.value = json_extract(pair.value, '$[1]')
        )
      )
    ORDER BY created DESC, number DESC LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class File:
    """An uploaded file; `filename` is only ever echoed, the content is stored under the id."""

    id: str
    created: float
    bytes: int
    filename: str
    purpose: str
    examples: int
    tokens: int
    problem: str | None

    @property
    def dataset(self) -> Dataset:
        return Dataset(self.examples, self.tokens, self.problem)


@dataclass(frozen=True, slots=True)
class JobFilter:
    """`pairs` must all be in a job's metadata; `unmarked` asks for jobs that have none."""

    pairs: tuple[tuple[str, str], ...] = ()
    unmarked: bool = False


def _unusable(directory: Path, error: Exception) -> SandboxError:
    why = getattr(error, "strerror", None) or error
    return SandboxError(f"cannot use the sandbox directory {directory}: {why}; --sandbox-dir names another")


class Store:
    """Open until `close`; safe to call from several threads."""

    def __init__(self, directory: Path) -> None:
        self._files = directory / "files"
        self._lock = threading.Lock()
        try:
            self._files.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                directory / "sandbox.db", timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise _unusable(directory, error) from error
        try:
            self._prepare()
        except (sqlite3.Error, SandboxError) as error:
            self._connection.close()
            raise _unusable(directory, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def add_job(self, draft: Job, settle: Callable[[Job, bool], Job]) -> Job:
        """Keep the job that `settle` makes of a draft; it gets whether the draft has an older twin.

        Twins have the same model, training file, mark and script; the question and the
        insertion are one transaction.
        """
        with self._writing():
            twins = _twins(draft)
            older = self._one("SELECT 1 FROM jobs WHERE twins = ? LIMIT 1", twins) is not None
            job = settle(draft, older)
            self._connection.execute(
                "INSERT INTO jobs (id, created, fine_tuned_model, metadata, twins, record) VALUES (?, ?, ?, ?, ?, ?)",
                (job.id, job.created, job.fine_tuned_model, _metadata(job.metadata), twins, jobs.dump(job)),
            )
        return job

    def change_job(self, job_id: str, change: Callable[[Job], Job]) -> Job | None:
        """Replace a job with what `change` makes of it; its errors pass through and change nothing."""
        with self._writing():
            row = self._one("SELECT record FROM jobs WHERE id = ?", job_id)
            if row is None:
                return None
            job = change(jobs.load(row[0]))
            self._connection.execute("UPDATE jobs SET record = ? WHERE id = ?", (jobs.dump(job), job_id))
        return job

    def job(self, job_id: str) -> Job | None:
        return self._job("SELECT record FROM jobs WHERE id = ?", job_id)

    def job_by_model(self, fine_tuned_model: str) -> Job | None:
        """The job that makes this model, whether or not it has succeeded."""
        return self._job("SELECT record FROM jobs WHERE fine_tuned_model = ?", fine_tuned_model)

    def jobs(self, page: Page, wanted: JobFilter) -> tuple[list[Job], bool]:
        """Newest first, and whether more follow; raise RefusalError on an unknown cursor."""
        with self._lock:
            cursor = None
            if page.after is not None:
                cursor = self._one("SELECT created, number FROM jobs WHERE id = ?", page.after)
                if cursor is None:
                    raise paging.unknown_cursor(page.after)
            created, number = cursor or (None, None)
            values = {
                "created": created,
                "number": number,
                "unmarked": wanted.unmarked,
                "wanted": json.dumps(wanted.pairs, ensure_ascii=False),
                # One more than asked, to know whether more follow.
                "limit": page.limit + 1,
            }
            rows = self._connection.execute(_LIST_JOBS, values).fetchall()
        return [jobs.load(row[0]) for row in rows[: page.limit]], len(rows) > page.limit

    def all_jobs(self) -> list[Job]:
        with self._lock:
            rows = self._connection.execute("SELECT record FROM jobs ORDER BY created, number").fetchall()
        return [jobs.load(row[0]) for row in rows]

    def add_file(self, file: File, content: BinaryIO) -> None:
        # The content comes first: a row always has its content, whatever happens in between.
        with self.path(file.id).open("xb") as target:
            shutil.copyfileobj(content, target)
        with self._writing():
            self._connection.execute(
                "INSERT INTO files (id, created, bytes, filename, purpose, examples, tokens, problem)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                astuple(file),
            )

    def file(self, file_id: str) -> File | None:
        with self._lock:
            row = self._one(
                "SELECT id, created, bytes, filename, purpose, examples, tokens, problem FROM files WHERE id = ?",
                file_id,
            )
        return None if row is None else File(*row)

    def files(self) -> list[File]:
        """Newest first."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT id, created, bytes, filename, purpose, examples, tokens, problem FROM files"
                " ORDER BY created DESC, number DESC"
            ).fetchall()
        return [File(*row) for row in rows]

    def remove_file(self, file_id: str) -> bool:
        """Forget a file; false if there was none. Jobs that trained on it stay."""
        with self._writing():
            removed = self._connection.execute("DELETE FROM files WHERE id = ?", (file_id,)).rowcount > 0
        if removed:
            self.path(file_id).unlink(missing_ok=True)
        return removed

    def path(self, file_id: str) -> Path:
        """Where the content is; only for ids that this store made."""
        return self._files / file_id

    def _prepare(self) -> None:
        # The sandbox outlives a crash of its process; a power cut may cost it its last jobs.
        self._connection.execute("PRAGMA synchronous = OFF")
        if self._version() == 0:
            self._connection.execute("PRAGMA journal_mode = DELETE")
            with self._writing():
                # Another process may have been faster.
                if self._version() == 0:
                    for statement in _SCHEMA:
                        self._connection.execute(statement)
        if self._version() != _VERSION:
            raise SandboxError(f"its database has version {self._version()}, this sandbox reads {_VERSION}")

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _one(self, query: str, value: str) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._connection.execute(query, (value,)).fetchone()
        return row

    def _job(self, query: str, value: str) -> Job | None:
        with self._lock:
            row = self._connection.execute(query, (value,)).fetchone()
        return None if row is None else jobs.load(row[0])


def _metadata(pairs: Mapping[str, str] | None) -> str | None:
    return json.dumps(pairs, ensure_ascii=False) if pairs else None


def _twins(job: Job) -> str:
    mark = (job.metadata or {}).get(MARK)
    # A job of the reconciler may have a file of its own for each attempt.
    return json.dumps([job.script, job.model, None if mark else job.training_file, mark])
