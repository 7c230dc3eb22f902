"""What a person reads of SQLite's and the disk's errors."""

import sqlite3
from pathlib import Path

import pytest

from reconciler.core.memory import Intent
from reconciler.errors import JournalError, Locked
from tests.fakes.builders import R1
from tests.fakes.journals import opened


class Broken:
    """A connection whose every statement fails with one of SQLite's codes."""

    def __init__(self, code: int, words: str) -> None:
        self._error = sqlite3.OperationalError(words)
        self._error.sqlite_errorcode = code

    def execute(self, *_: object) -> object:
        raise self._error

    def __enter__(self) -> None:
        raise self._error

    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None: ...


SQLITE_SAYS = {
    "disk full": (sqlite3.SQLITE_FULL, "database or disk is full", "Make room"),
    "read-only": (sqlite3.SQLITE_READONLY, "attempt to write a readonly database", "--state-dir"),
    "disk error": (sqlite3.SQLITE_IOERR | 10 << 8, "disk I/O error", "--state-dir"),
    "no table": (sqlite3.SQLITE_ERROR, "no such table: intent", "Move the file aside"),
}


@pytest.mark.parametrize(("code", "words", "way_on"), SQLITE_SAYS.values(), ids=SQLITE_SAYS.keys())
def test_each_trouble_of_the_journal_is_told_with_its_own_way_on(
    state: Path, code: int, words: str, way_on: str
) -> None:
    with opened(state) as journal:
        real, journal.fence.connection = journal.fence.connection, Broken(code, words)  # type: ignore[assignment]
        with pytest.raises(JournalError, match=f"{words}; nothing was written.*{way_on}") as raised:
            journal.record_intent(Intent("a", R1, 1))
        journal.fence.connection = real
    assert not isinstance(raised.value, Locked)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY | 1 << 8, sqlite3.SQLITE_LOCKED])
def test_a_journal_that_another_program_holds_is_neither_damaged_nor_replaced(state: Path, code: int) -> None:
    with opened(state) as journal:
        real, journal.fence.connection = journal.fence.connection, Broken(code, "database is locked")  # type: ignore[assignment]
        with pytest.raises(Locked, match="another program holds the journal"):
            journal.memory()
        journal.fence.connection = real


def test_an_error_of_our_own_is_no_reason_to_move_the_journal_aside(state: Path) -> None:
    journal = opened(state)
    journal.close()
    with pytest.raises(JournalError) as raised:
        journal.memory()
    assert "aside" not in str(raised.value)


def test_a_write_that_fails_is_told(state: Path) -> None:
    journal = opened(state)
    journal.close()
    with pytest.raises(JournalError):
        journal.record_intent(Intent("a", R1, 1))
