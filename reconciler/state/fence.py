"""The fence around a journal: a write goes into the very file that was opened, into no copy of it and over no rival's.

Every transaction of `rows` passes `Fence.transaction`. Four things hold it: the file's place (device and inode), a
number for each write, the seal beside the file (`seal`), and SQLite's own lock. What is written is not its concern.
"""

import contextlib
import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from reconciler.errors import JournalError, StateReplaced
from reconciler.state.failures import named
from reconciler.state.schema import Identity
from reconciler.state.seal import Seal

_ENTER = """
INSERT OR IGNORE INTO identity (fleet, base_url, organization, project)
VALUES (:fleet, :base_url, :organization, :project)
"""
_FIND = """
SELECT id, begun, settled, writes FROM identity
WHERE (fleet, base_url, organization, project) = (:fleet, :base_url, :organization, :project)
"""


class IdentityRow(Struct, frozen=True):
    """The row of table `identity` as it was when the journal was opened; of 0 there is none."""

    id: int = 0
    begun: bool = False
    settled: bool = False
    writes: int = 0


class Fence:
    """What stands before each write of one identity into an open journal."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path, identity: Identity, *, seal: Seal, read_only: bool = False
    ) -> None:
        """Find this identity's row, or make it; ``path`` is the journal's file, and names it in messages.

        Raises:
            sqlite3.Error, OSError: it cannot be read; whoever opens the journal names it (`named`).
        """
        self.connection = connection
        self.path = path
        self.identity = identity
        self._seal = seal
        self._read_only = read_only
        self._opened = file_of(path)
        entry = _entry(connection, identity)
        # Whether only runs that seal have written it: else it is a copy.
        self.sealed = self._opened is not None and seal.intact(look_again=not read_only)
        if entry is None and not read_only:
            with connection:
                connection.execute(_ENTER, asdict(identity))
            entry = _entry(connection, identity)
            if self.sealed:
                seal.renew()
        self.entry = entry or IdentityRow()
        self._writes = self.entry.writes

    @property
    def unused(self) -> bool:
        """Whether nothing was ever written down, for this identity or another one."""
        rows = self.connection.execute("SELECT writes OR begun OR settled FROM identity").fetchall()
        return rows == [(0,)]

    @property
    def writes(self) -> int:
        """The number of the last write that this run knows of."""
        return self._writes

    @property
    def has_written(self) -> bool:
        """Whether this run has written anything down: nothing is sent before that."""
        return self._writes != self.entry.writes

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """On disk, whole or not at all, when it ends.

        Raises:
            StateReplaced: the file is another one, or an older copy of it.
            JournalError: it was opened for reading only, or the disk fails. Locked: another program holds it.
        """
        self.check_place()
        with named(self.path):
            sealed = self.sealed or self._seal.intact(look_again=False)
            with self.connection:
                number = self._next_write()
                yield
        self._writes = number
        if sealed:
            self.renew_seal()

    def latest_write(self) -> int:
        """The number of the last write of this identity, whoever made it."""
        with named(self.path):
            row = self.connection.execute("SELECT writes FROM identity WHERE id = ?", (self.entry.id,)).fetchone()
        return row[0] if row else 0

    def renew_seal(self) -> None:
        """This very file is the journal from here on; a seal that cannot be written costs the next run a wait."""
        try:
            self._seal.renew()
        except OSError:
            self.sealed = False
        else:
            self.sealed = True

    def check_writable(self) -> None:
        """Raise JournalError where it was opened for reading only."""
        if self._read_only:
            raise JournalError(f"{self.path}: this run was opened for reading only")

    def check_place(self) -> None:
        """The file must still be the one that was opened: a write into a deleted one would be lost.

        Raises:
            StateReplaced: it is not.
            JournalError: nobody can tell, or it was opened for reading only.
        """
        self.check_writable()
        with named(self.path):
            now = file_of(self.path)
        if now != self._opened:
            raise self._replaced()

    def _next_write(self) -> int:
        """Each write has a number; one that was given before is in an older copy, put in the place of ours.

        The update comes first: from then on no other run writes until this transaction ends.
        """
        own = {"id": self.entry.id}
        self.connection.execute("UPDATE identity SET writes = writes + 1 WHERE id = :id", own)
        row = self.connection.execute("SELECT writes FROM identity WHERE id = :id", own).fetchone()
        number: int = row[0] if row else 0
        if number <= self._writes:
            raise self._replaced()
        return number

    def _replaced(self) -> StateReplaced:
        return StateReplaced(f"{self.path}: the state directory was replaced while it was in use; nothing was written")


def _entry(connection: sqlite3.Connection, identity: Identity) -> IdentityRow | None:
    cursor = connection.execute(_FIND, asdict(identity))
    cursor.row_factory = sqlite3.Row
    row = cursor.fetchone()
    return row and IdentityRow(row["id"], bool(row["begun"]), bool(row["settled"]), row["writes"])


def file_of(path: Path) -> tuple[int, int] | None:
    """Which file stands there now: device and inode; None where there is none. Raises OSError where nobody can tell."""
    try:
        stat = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ESTALE:  # NFS: it was deleted on the server
            return None
        raise
    return stat.st_dev, stat.st_ino
