"""Opening a journal: made where there is none, checked, brought to this version; taken away where it stayed unused.

`wiring` does it once a run. A damaged journal is never read as an empty one: it raises
`JournalError` and no write follows.
"""

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from reconciler.errors import JournalError
from reconciler.state.failures import WAY_ON, code_of, named
from reconciler.state.fence import Fence, file_of
from reconciler.state.journal import Journal
from reconciler.state.lock import Flock, Lock, check_locks, lock_file
from reconciler.state.schema import APPLICATION_ID, MIGRATIONS, SCHEMA, VERSION, Identity, empty, migrate
from reconciler.state.seal import Seal

FILE = "journal.sqlite3"


@contextlib.contextmanager
def journal_for(
    directory: Path, identity: Identity, *, now: Callable[[], float] = time.time, read_only: bool = False
) -> Iterator[Journal]:
    """As `open_journal`. What this run has made, and nothing was written into, is taken away at the end of the block.

    So a question that was answered with no, a plan that was stale and a provider that cannot be reached leave no file.
    What a pass that went through has seen stays: it is what later runs may not undo.
    """
    makes_directory = not os.path.lexists(directory)
    makes_journal = not read_only and not os.path.lexists(directory / FILE)
    with open_journal(directory, identity, now=now, read_only=read_only) as journal:
        try:
            yield journal
        finally:
            if makes_journal:
                # What cannot be taken away stays: nothing depends on it.
                with contextlib.suppress(OSError, sqlite3.Error, JournalError):
                    _remove_unused(directory, journal.fence, whole=makes_directory)


def _remove_unused(directory: Path, fence: Fence, *, whole: bool) -> None:
    lock = Lock(directory)
    lock.acquire(timeout=0.0, clock=time.monotonic, sleep=time.sleep)
    try:
        fence.check_place()
        if not fence.unused or lock_file(directory, "run").exists():
            return
        for file in (fence.path, Seal.file_beside(fence.path), lock_file(directory)):
            file.unlink(missing_ok=True)
        if whole:
            directory.rmdir()
    finally:
        lock.release()


def open_journal(
    directory: Path,
    identity: Identity,
    *,
    now: Callable[[], float] = time.time,
    read_only: bool = False,
    flock: Flock = fcntl.flock,
) -> Journal:
    """Open, or make, the journal of a state directory; ``read_only`` makes nothing, and an absent one is empty.

    Raises:
        JournalError: it is corrupt, of another program or version, or cannot be made; or its file system has no locks.
        Locked: another program holds it, and did not let go of it for 30 s.
    """
    path = directory / FILE
    with named(path):
        check_locks(lock_file(directory), flock)
        connection = _reader(path) if read_only else _writer(path, flock)
        try:
            verify(connection, path)
            connection = _migrated(connection, path, read_only=read_only)
            return Journal(Fence(connection, path, identity, seal=Seal(path), read_only=read_only), now=now)
        except BaseException:
            connection.close()
            raise


def _writer(path: Path, flock: Flock) -> sqlite3.Connection:
    """The journal, made where there is none."""
    while True:
        if file_of(path) is None:
            _make(path, flock)
        try:
            return _connect(path, read_only=False)
        except sqlite3.OperationalError:
            if file_of(path) is not None:
                raise
        # A rival has taken away what it made and did not need (`journal_for`), between the two.


def _make(path: Path, flock: Flock) -> None:
    """Make an empty journal under a temporary name, so that none is ever found half made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not named after the process: two containers on one volume are both process 1.
    temporary = path.with_name(f".{FILE}.{os.urandom(8).hex()}")
    try:
        temporary.touch()
        check_locks(temporary, flock)
        with contextlib.closing(_connect(temporary, read_only=False)) as connection:
            connection.executescript(SCHEMA)
        # A rival may have made it meanwhile: a link, unlike a rename, never replaces.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_directory(path.parent)


def _connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    mode = "ro" if read_only else "rw"
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=30, check_same_thread=False)
    try:
        # DELETE leaves one file behind and a reader touches none; EXTRA also syncs the
        # directory, without which a committed intent can be rolled back by a power cut.
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = EXTRA")
        # 256 KiB: what is read is kept as values, by who reads it. A long transaction takes what it needs, and never
        # writes half of itself meanwhile.
        connection.execute("PRAGMA cache_size = -256")
        connection.execute("PRAGMA cache_spill = OFF")
    except BaseException:
        connection.close()
        raise
    return connection


def _reader(path: Path) -> sqlite3.Connection:
    """What is there, unchanged; nothing where there is no journal yet."""
    if file_of(path) is None:
        return empty()
    try:
        return _connect(path, read_only=True)
    except sqlite3.OperationalError as error:
        # A writer was killed within a transaction: only a writer may roll that back. (One that lives is waited for
        # instead, and a copy of what it is writing would be torn.)
        if code_of(error) != sqlite3.SQLITE_READONLY:
            raise
        return _copied(path)


def _copied(path: Path) -> sqlite3.Connection:
    """A reader's copy of a journal whose writer was killed within a transaction, as it was before that.

    Only a writer may roll the file itself back, and the next one does.
    """
    contents: dict[str, bytes] = {}
    for name in (FILE, f"{FILE}-journal"):
        with contextlib.suppress(FileNotFoundError):  # the writer may finish meanwhile
            contents[name] = path.with_name(name).read_bytes()
    from tempfile import TemporaryDirectory  # noqa: PLC0415 - hardly ever needed, and 4 ms to import

    memory = sqlite3.connect(":memory:", check_same_thread=False)
    try:
        with TemporaryDirectory(prefix=".reconciler-") as scratch:
            for name, content in contents.items():
                (Path(scratch) / name).write_bytes(content)
            with contextlib.closing(_connect(Path(scratch) / FILE, read_only=False)) as copy:
                copy.backup(memory)
    except OSError as error:
        memory.close()
        raise JournalError(
            f"{path}: its last writer was killed, and it can only be read from a copy in a temporary directory, which "
            f"cannot be made ({error.strerror}). Set TMPDIR to a directory that can be written; apply needs none"
        ) from error
    return memory


def verify(connection: sqlite3.Connection, path: Path) -> None:
    """Raise JournalError unless it is an undamaged journal of this version, or of one that is still read."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise JournalError(f"{path}: this is not a journal of reconciler, or it is damaged; {WAY_ON}")
    if version != VERSION and version not in MIGRATIONS:
        raise JournalError(
            f"{path}: written by another version of reconciler (format {version}, this one reads {VERSION})"
        )
    (check,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if check != "ok":
        raise JournalError(f"{path}: the journal is damaged ({' '.join(check.split())}); {WAY_ON}")


def _migrated(connection: sqlite3.Connection, path: Path, *, read_only: bool) -> sqlite3.Connection:
    """A journal of an older version as one of this version; a reader gets a copy, and changes nothing."""
    if connection.execute("PRAGMA user_version").fetchone()[0] == VERSION:
        return connection
    if read_only:
        copy = sqlite3.connect(":memory:", check_same_thread=False)
        connection.backup(copy)
        connection.close()
        migrate(copy)
        return copy
    seal = Seal(path)
    sealed = seal.intact()
    migrate(connection)
    if sealed:
        seal.renew()
    return connection


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
