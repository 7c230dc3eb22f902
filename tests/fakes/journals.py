"""Journals for tests: one identity, a clock that a test moves, and what a kill or a bad file system leaves."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

from reconciler.state.journal import Journal
from reconciler.state.opening import FILE, open_journal
from reconciler.state.schema import Identity

HERE = Identity("fleet-1", "https://api.example.com/v1")


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def opened(state: Path, time: Time | None = None, identity: Identity = HERE) -> Journal:
    return open_journal(state, identity, now=time or Time())


NO_LOCKS = [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, errno.EIO]


def failing(*numbers: int) -> Callable[[int, int], None]:
    """A flock(2) that fails with these, one after the other, and works at last."""
    left = list(numbers)

    def flock(handle: int, operation: int) -> None:
        if left:
            number = left.pop(0)
            raise OSError(number, os.strerror(number))

    return flock


def killed_within_a_transaction(state: Path, killed: Path) -> None:
    """Make ``killed`` what ``state`` would be had its writer been killed."""
    writer = sqlite3.connect(state / FILE)
    writer.execute("PRAGMA cache_size = 1")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE record SET name = 'torn'")
    writer.executemany(
        "INSERT INTO wanted (identity, name, revision) VALUES (9, ?, ?)", [(str(n), "x" * 500) for n in range(200)]
    )
    shutil.copytree(state, killed)
    writer.rollback()
    writer.close()
    assert (killed / f"{FILE}-journal").exists()
