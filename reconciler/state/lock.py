"""The locks of a state directory: passes take turns, and one daemon works there.

`wiring` holds the first ("pass") for each pass, `run` the second ("run") as long as it lives; a process that is
killed holds neither. `Locked` is raised only where somebody else holds one: a file system without locks is named at
once, by JournalError.
"""

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from reconciler.errors import JournalError, Locked, system_words

# flock(2) fails with the first two while another process holds the lock. On NFS, which makes a POSIX lock of it, it
# also fails with the third (fcntl(2)). Any other error means that there are no locks, however long one waits.
_HELD = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})

_ELSEWHERE = "Say --state-dir with a directory that can be written"

Flock = Callable[[int, int], None]


def lock_file(directory: Path, name: str = "pass") -> Path:
    """Where the lock of that name stands."""
    return directory / f"{name}.lock"


class Lock:
    """An exclusive lock of a state directory. Held until `release`, or until the process ends."""

    def __init__(self, directory: Path, name: str = "pass", *, flock: Flock = fcntl.flock) -> None:
        self._path = lock_file(directory, name)
        self._flock = flock
        self._handle: int | None = None

    def acquire(self, *, timeout: float, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        """Wait up to ``timeout`` seconds.

        Raises:
            Locked: somebody else holds it all that time.
            JournalError: the lock file cannot be made, or its file system has no locks.
        """
        end = clock() + timeout
        while (handle := self._try()) is None:
            if clock() >= end:
                raise Locked(
                    f"{self._path}: another reconciler works on this state directory "
                    f"(waited {timeout:g} s; --lock-timeout); nothing was written"
                )
            sleep(0.05)
        self._handle = handle

    def _try(self) -> int | None:
        """The lock, unless somebody else holds it, or took its file away meanwhile (`opening.journal_for`)."""
        handle = self._open()
        with contextlib.ExitStack() as not_held:
            not_held.callback(os.close, handle)
            if not _taken(self._path, handle, fcntl.LOCK_EX, self._flock) or not _stands(self._path, handle):
                return None
            not_held.pop_all()
        return handle

    def _open(self) -> int:
        try:
            # Not its parents: a fleet directory that is gone must not be made again, or no link can take its place.
            self._path.parent.mkdir(exist_ok=True)
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise JournalError(
                f"{self._path}: it cannot be made: {system_words(error)}; nothing was written. {_ELSEWHERE}"
            ) from error

    def release(self) -> None:
        """Let the next one in; harmless where it is not held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def check_locks(path: Path, flock: Flock = fcntl.flock) -> None:
    """Find out at once whether locks work where ``path`` stands; where there is no such file, nothing is known.

    SQLite cannot tell: it takes a file system without locks for a rival, and waits for it.

    Raises:
        JournalError: they do not.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError as error:
        raise JournalError(
            f"{path}: it cannot be opened: {system_words(error)}; nothing was written. {_ELSEWHERE}"
        ) from error
    try:
        _taken(path, handle, fcntl.LOCK_SH, flock)
    finally:
        os.close(handle)


def _stands(path: Path, handle: int) -> bool:
    """Whether the file that was opened is still the one that others open."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except OSError:
        return False


def _taken(path: Path, handle: int, kind: int, flock: Flock) -> bool:
    """Take the lock, unless somebody else holds it. Raises JournalError where that is not the reason."""
    while True:
        try:
            flock(handle, kind | fcntl.LOCK_NB)
        except InterruptedError:
            continue
        except OSError as error:
            if error.errno in _HELD:
                return False
            raise JournalError(
                f"{path}: this file system has no locks that work ({error.strerror}), so two runs could write at once; "
                "nothing was written. Say --state-dir with a directory on a local disk"
            ) from error
        return True
