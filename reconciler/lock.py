"""The locks of a state directory: passes take turns, and one daemon works there. Held until the process ends."""

import contextlib
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from reconciler.errors import JournalError, Locked


class Lock:
    """An exclusive lock of a state directory, released by the operating system when the process ends."""

    def __init__(self, directory: Path, name: str = "pass") -> None:
        self._path = directory / f"{name}.lock"
        self._handle: int | None = None

    def acquire(self, *, timeout: float, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        """Wait up to ``timeout`` seconds.

        Raises:
            Locked: somebody else holds it all that time.
            JournalError: the lock file cannot be made.
        """
        try:
            # Not its parents: a fleet directory that is gone must not be made again, or no link can take its place.
            self._path.parent.mkdir(exist_ok=True)
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise JournalError(f"{self._path}: {error}; nothing was written") from error
        end = clock() + timeout
        with contextlib.ExitStack() as not_held:
            not_held.callback(os.close, handle)
            while not _locked(handle):
                if clock() >= end:
                    raise Locked(
                        f"{self._path}: another reconciler works on this state directory "
                        f"(waited {timeout:g} s; --lock-timeout); nothing was written"
                    )
                sleep(0.05)
            not_held.pop_all()
        self._handle = handle

    def release(self) -> None:
        """Let the next one in; harmless where it is not held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _locked(handle: int) -> bool:
    """Take the lock, unless somebody else holds it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
