"""A write meets the very file that was opened, or none."""

import contextlib
import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.core.memory import Intent
from reconciler.errors import JournalError, StateReplaced
from reconciler.state.fence import Fence
from reconciler.state.journal import Journal
from reconciler.state.opening import FILE, open_journal
from reconciler.state.schema import Identity
from reconciler.state.seal import Seal
from tests.fakes.builders import R1, record
from tests.fakes.journals import HERE, Time, opened

WRITES: dict[str, Callable[[Journal], object]] = {
    "wanted.record": lambda journal: journal.wanted.record({}),
    "mark_begun": lambda journal: journal.mark_begun(),
    "mark_settled": lambda journal: journal.mark_settled(),
    "record_seen": lambda journal: journal.record_seen([]),
    "record_intent": lambda journal: journal.record_intent(Intent("a", R1, 1)),
    "drop_intent": lambda journal: journal.drop_intent("a"),
    "record_job": lambda journal: journal.record_job(record()),
    "record_echo": lambda journal: journal.record_echo(echoes=True),
    "refusals.record": lambda journal: journal.refusals.record("a", R1, "bad"),
    "cancels.record": lambda journal: journal.cancels.record("j1", "Removed"),
    "cancels.mark_confirmed": lambda journal: journal.cancels.mark_confirmed("j1"),
    "cancels.mark_unneeded": lambda journal: journal.cancels.mark_unneeded("j1"),
    "forget": lambda journal: journal.forget("a", frozenset(), intents=True),
    "manifests.record": lambda journal: journal.manifests.record({}, complete=True),
    "events.record_logged": lambda journal: journal.events.record_logged({}),
    "fence.check_place": lambda journal: journal.fence.check_place(),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
@pytest.mark.parametrize("made", [False, True], ids=["absent", "made"])
def test_a_journal_that_was_opened_for_reading_takes_no_write(
    state: Path, write: Callable[[Journal], object], made: bool
) -> None:
    if made:
        opened(state).close()
    with (
        open_journal(state, HERE, read_only=True) as journal,
        pytest.raises(JournalError, match="opened for reading only"),
    ):
        write(journal)


def test_a_seal_without_its_journal_troubles_no_reader(state: Path) -> None:
    with opened(state) as journal:
        journal.mark_settled()
    (state / FILE).unlink()
    with open_journal(state, HERE, read_only=True) as journal:
        assert not journal.settled


def test_a_journal_that_cannot_be_looked_at_is_not_taken_for_a_replaced_one(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(state) as journal:

        def broken(path: Path, **_: object) -> os.stat_result:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

        with monkeypatch.context() as patch:
            patch.setattr(Path, "stat", broken)
            with pytest.raises(JournalError, match="input/output error") as raised:
                journal.fence.check_place()
        assert not isinstance(raised.value, StateReplaced)


def test_two_runs_that_open_a_fleets_first_journal_at_once_both_go_on(state: Path) -> None:
    class WhileARivalOpens(Seal):
        def intact(self, *, look_again: bool = True) -> bool:
            opened(state).close()
            return super().intact(look_again=look_again)

    opened(state, identity=Identity("another", "x")).close()
    path = state / FILE
    with contextlib.closing(sqlite3.connect(path)) as connection:
        journal = Journal(Fence(connection, path, HERE, seal=WhileARivalOpens(path)), now=Time())
        journal.record_job(record("j1"))
    with opened(state) as other:
        assert "j1" in other.memory().records


def _in_place(copy: Path, state: Path) -> None:
    for file in copy.iterdir():
        shutil.copy2(file, state / file.name)


def _anew(copy: Path, state: Path) -> None:
    shutil.rmtree(state)
    shutil.copytree(copy, state)


def _the_journal_alone(copy: Path, state: Path) -> None:
    shutil.copy2(copy / FILE, state / FILE)


def _tick(path: Path) -> None:
    """Until the file system's clock has moved on: it may count no finer than 10 ms."""
    other = path.with_name("clock")
    other.touch()
    while other.stat().st_ctime_ns <= path.stat().st_ctime_ns:
        other.touch()


@pytest.mark.parametrize("restore", [_in_place, _anew, _the_journal_alone])
def test_a_copy_that_is_restored_where_it_was_made_knows_that_it_is_one(
    state: Path, tmp_path: Path, restore: Callable[[Path, Path], None]
) -> None:
    with opened(state) as journal:
        journal.mark_settled()
    shutil.copytree(state, tmp_path / "copy")
    with opened(state) as journal:
        assert not journal.moved
        journal.record_intent(Intent("a", R1, 1))
    _tick(state / FILE)
    restore(tmp_path / "copy", state)
    with opened(state) as journal:
        assert journal.moved
        journal.record_intent(Intent("a", R1, 1))
    with opened(state) as journal:
        assert journal.moved
        journal.mark_settled()
    with opened(state) as journal:
        assert not journal.moved


@pytest.mark.parametrize("restore", [_in_place, _anew, _the_journal_alone])
def test_a_copy_that_is_restored_under_a_run_is_not_written_to(
    state: Path, tmp_path: Path, restore: Callable[[Path, Path], None]
) -> None:
    with opened(state) as journal:
        journal.mark_settled()
        shutil.copytree(state, tmp_path / "copy")
        journal.record_intent(Intent("a", R1, 1))
        restore(tmp_path / "copy", state)
        before = (state / FILE).read_bytes()
        with pytest.raises(StateReplaced):
            journal.record_intent(Intent("b", R1, 1))
    assert (state / FILE).read_bytes() == before


def test_two_runs_keep_one_seal(state: Path) -> None:
    with opened(state) as first, opened(state) as second:
        first.mark_settled()
        second.record_intent(Intent("a", R1, 1))
        first.record_intent(Intent("b", R1, 1))
    with opened(state) as journal:
        assert not journal.moved


def test_a_write_that_failed_is_no_sign_of_a_copy(state: Path) -> None:
    with opened(state) as journal:
        journal.mark_settled()
        journal.fence.connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON intent BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
        with pytest.raises(JournalError, match="full"):
            journal.record_intent(Intent("a", R1, 1))
        journal.fence.connection.execute("DROP TRIGGER full")
        journal.record_intent(Intent("a", R1, 1))
        assert set(journal.memory().intents) == {"a"}


def test_two_runs_that_write_at_once_are_no_sign_of_a_copy(state: Path) -> None:
    with opened(state) as first, opened(state) as second:
        names = iter("bc")

        def between(statement: str) -> None:
            if statement.startswith("BEGIN"):
                first.fence.connection.set_trace_callback(None)
                for name in names:
                    second.record_intent(Intent(name, R1, 1))

        first.fence.connection.set_trace_callback(between)
        first.record_intent(Intent("a", R1, 1))
        second.record_intent(Intent("d", R1, 1))
        assert set(second.memory().intents) == set("abcd")


def test_the_memory_of_another_fleet_beside_it_breaks_no_seal(state: Path) -> None:
    with opened(state) as journal:
        journal.mark_settled()
    opened(state, identity=Identity("fleet-2", HERE.base_url)).close()
    with opened(state) as journal:
        assert not journal.moved


def test_a_copy_elsewhere_knows_that_it_is_one(state: Path, tmp_path: Path) -> None:
    with opened(state) as journal:
        journal.mark_settled()
    shutil.copytree(state, tmp_path / "copy")
    with opened(tmp_path / "copy") as journal:
        assert journal.inherited
        assert journal.moved
        journal.mark_settled()
    with opened(tmp_path / "copy") as journal:
        assert not journal.moved


def test_a_seal_that_cannot_be_written_undoes_nothing(state: Path) -> None:
    with opened(state) as journal:
        journal.mark_settled()
        seal = state / f"{FILE}.seal"
        seal.unlink()
        seal.mkdir()
        journal.record_intent(Intent("a", R1, 1))
        assert set(journal.memory().intents) == {"a"}
    seal.rmdir()
    with opened(state) as journal:
        assert journal.moved, "unsealed: it costs a wait"
