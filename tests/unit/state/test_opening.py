"""Opening a journal: what is made, what is trusted, and what stops everything."""

import errno
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.core.memory import Intent, Memory
from reconciler.errors import JournalError, Locked
from reconciler.state.journal import Journal
from reconciler.state.lock import Lock
from reconciler.state.opening import FILE, journal_for, open_journal
from reconciler.state.schema import Identity
from tests.fakes.builders import R1, record
from tests.fakes.journals import HERE, NO_LOCKS, Time, failing, killed_within_a_transaction, opened


def test_reading_makes_nothing(state: Path) -> None:
    with open_journal(state, HERE, read_only=True) as journal:
        assert (journal.inherited, journal.settled, journal.moved) == (False, False, False)
        assert journal.memory(every_backoff=True) == Memory()
        assert (journal.manifests.paths(), journal.records.live_names(), journal.cancels.pending()) == (
            {},
            set(),
            frozenset(),
        )
        assert (journal.next_try(), journal.events.logged()) == (None, {})
    assert not state.exists()
    opened(state).close()
    before = {p: p.stat().st_mtime_ns for p in state.iterdir()}
    with open_journal(state, Identity("x", "y"), read_only=True) as other:
        assert not other.inherited
    assert {p: p.stat().st_mtime_ns for p in state.iterdir()} == before


def test_a_journal_that_stayed_unused_is_taken_away_again(state: Path) -> None:
    with journal_for(state, HERE) as journal:
        assert state.exists()
        assert not journal.inherited
    assert not state.exists()
    state.mkdir()
    with pytest.raises(ZeroDivisionError), journal_for(state, HERE):
        _ = 1 / 0
    assert list(state.iterdir()) == [], "the directory was there before"


def test_what_was_written_down_or_is_used_by_others_stays(state: Path) -> None:
    def used(before: Callable[[Journal], object]) -> bool:
        with journal_for(state, HERE) as journal:
            before(journal)
        kept = (state / FILE).exists()
        shutil.rmtree(state, ignore_errors=True)
        return kept

    assert used(lambda journal: journal.mark_begun())
    assert used(lambda journal: journal.record_intent(Intent("a", R1, 1)))
    assert used(lambda _: open_journal(state, Identity("x", "y")).close())
    assert used(lambda _: (state / "run.lock").touch()), "a daemon"
    rival = Lock(state)
    assert used(lambda _: rival.acquire(timeout=0, clock=Time(), sleep=lambda _: None)), "a pass"
    rival.release()
    assert not used(lambda _: None)
    opened(state).close()
    assert used(lambda _: None), "it was there before"


@pytest.mark.parametrize(
    "content", [b"", b"not a database, but long enough to look like one" * 30], ids=["empty", "text"]
)
def test_what_is_no_journal_stops_everything(state: Path, content: bytes) -> None:
    state.mkdir()
    (state / FILE).write_bytes(content)
    with pytest.raises(JournalError, match="Move the file aside"):
        open_journal(state, HERE)
    assert (state / FILE).read_bytes() == content, "and it is left for a person to look at"


def test_a_journal_cut_short_or_scribbled_over_stops_everything(state: Path) -> None:
    with opened(state) as journal:
        for i in range(200):
            journal.record_job(record(f"j{i}", f"n{i}"))
    content = (state / FILE).read_bytes()
    (state / FILE).write_bytes(content[: len(content) // 2])
    with pytest.raises(JournalError):
        open_journal(state, HERE)
    (state / FILE).write_bytes(content[:5000] + b"\xff" * 4000 + content[9000:])
    with pytest.raises(JournalError):
        open_journal(state, HERE)


def test_a_reader_never_copies_what_a_writer_that_lives_is_writing(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(state).close()
    (state / f"{FILE}-journal").touch()  # its transaction is under way

    def held(path: Path, *, read_only: bool) -> sqlite3.Connection:
        assert path.parent == state, "a copy would be torn"
        error = sqlite3.OperationalError("database is locked")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise error

    monkeypatch.setattr("reconciler.state.opening._connect", held)
    with pytest.raises(Locked):
        open_journal(state, HERE, read_only=True)


def test_another_programs_database_and_another_version_are_refused(state: Path) -> None:
    state.mkdir()
    sqlite3.connect(state / FILE).execute("CREATE TABLE x (y)").connection.close()
    with pytest.raises(JournalError, match="not a journal of reconciler"):
        open_journal(state, HERE)
    (state / FILE).unlink()
    opened(state).close()
    connection = sqlite3.connect(state / FILE)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(JournalError, match="another version"):
        open_journal(state, HERE)


def test_a_state_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(JournalError):
        open_journal(tmp_path / "file" / "state", HERE)


def test_a_rival_that_makes_it_first_wins(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(state) as journal:
        journal.record_intent(Intent("a", R1, 1))
    monkeypatch.setattr(Path, "exists", lambda _: False)
    with opened(state) as journal:
        assert set(journal.memory().intents) == {"a"}
    monkeypatch.undo()
    assert [p.name for p in state.iterdir()] == [FILE]


@pytest.mark.parametrize("number", NO_LOCKS, ids=lambda number: errno.errorcode[number])
def test_no_journal_is_made_where_there_are_no_locks(state: Path, number: int) -> None:
    with pytest.raises(JournalError, match="no locks that work"):
        open_journal(state, HERE, flock=failing(number))
    assert list(state.iterdir()) == []


@pytest.mark.parametrize("read_only", [True, False])
def test_a_journal_that_was_moved_to_where_there_are_no_locks_is_not_waited_for(state: Path, read_only: bool) -> None:
    opened(state).close()
    (state / "pass.lock").touch()
    with pytest.raises(JournalError, match="no locks that work"):
        open_journal(state, HERE, read_only=read_only, flock=failing(errno.ENOLCK))


def test_a_reader_sees_the_journal_as_it_was_before_the_transaction_that_a_kill_cut_short(
    state: Path, tmp_path: Path
) -> None:
    with opened(state) as journal:
        journal.record_job(record("j1", "a"))
    killed = tmp_path / "killed"
    killed_within_a_transaction(state, killed)
    before = {path: path.read_bytes() for path in killed.iterdir()}
    with open_journal(killed, HERE, read_only=True) as read:
        assert [r.name for r in read.memory().records.values()] == ["a"]
    assert {path: path.read_bytes() for path in killed.iterdir()} == before, "a reader writes nothing"


def test_a_journal_that_cannot_be_made_leaves_nothing_behind(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.state.opening.SCHEMA", "no SQL")
    with pytest.raises(JournalError):
        opened(state)
    assert list(state.iterdir()) == []
