"""What SQLite's and the disk's errors mean to a person: one JournalError with the file and the way on.

Whatever touches the journal's file does it inside of `named`.
"""

import errno
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from msgspec import Struct

from reconciler.errors import JournalError, Locked, system_words

WAY_ON = (
    "nothing was written. Move the file aside to go on without it: jobs are recognised by their marks, "
    "and the first write waits one settle window"
)
_ELSEWHERE = "nothing was written. Say --state-dir with a directory on a local disk that can be written"

# What SQLite's errors mean to a person (https://sqlite.org/rescode.html): a primary code's words. All other codes say
# what SQLite says, and no more: only what is damaged may be moved aside.
_MEANINGS: Mapping[int, str] = {
    sqlite3.SQLITE_CORRUPT: WAY_ON,
    sqlite3.SQLITE_NOTADB: WAY_ON,
    sqlite3.SQLITE_ERROR: WAY_ON,  # a table is not there: the file is no journal of this version
    sqlite3.SQLITE_FULL: "nothing was written. Make room there, or say --state-dir with a directory that has some",
    sqlite3.SQLITE_READONLY: _ELSEWHERE,
    sqlite3.SQLITE_PERM: _ELSEWHERE,
    sqlite3.SQLITE_CANTOPEN: _ELSEWHERE,
    sqlite3.SQLITE_IOERR: _ELSEWHERE,
}
_HELD = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


# A class of its own: a generator as context costs as much as the query inside of it.
class named(Struct, frozen=True):  # noqa: N801 - reads as what it is: `with named(path)`
    """SQLite's and the disk's errors, as one JournalError that names the file and the way on."""

    path: Path

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return
        if isinstance(error, sqlite3.Error):
            if code_of(error) in _HELD:
                message = f"{self.path}: another program holds the journal (waited 30 s); nothing was written"
                raise Locked(message) from error
            raise JournalError(
                f"{self.path}: {error}; {_MEANINGS.get(code_of(error), 'nothing was written')}"
            ) from error
        if isinstance(error, OSError):
            way_on = _MEANINGS[sqlite3.SQLITE_FULL] if error.errno in _FULL else _ELSEWHERE
            raise JournalError(f"{self.path}: {system_words(error)}; {way_on}") from error


def code_of(error: sqlite3.Error) -> int:
    """SQLite's primary code; 0 where the error is Python's own, as for a connection that is closed."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
