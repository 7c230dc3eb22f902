"""The journal's file format, and that of the versions before."""

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from reconciler.core.memory import Intent, OwnCancel, Rejection
from reconciler.errors import JournalError
from reconciler.state.journal import Journal
from reconciler.state.opening import FILE, open_journal
from reconciler.state.seal import Seal
from tests.fakes.builders import R1, R2, record
from tests.fakes.journals import HERE, Time, opened

# As the first version made it.
VERSION_1 = """
PRAGMA application_id = 1718907498;
PRAGMA user_version = 1;
CREATE TABLE identity (
    id INTEGER PRIMARY KEY, fleet TEXT, base_url TEXT, organization TEXT, project TEXT,
    begun INTEGER NOT NULL DEFAULT 0, settled INTEGER NOT NULL DEFAULT 0, echoes INTEGER,
    writes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (fleet, base_url, organization, project));
CREATE TABLE wanted (
    identity INTEGER, name TEXT, revision TEXT, form TEXT, turn INTEGER NOT NULL DEFAULT 0,
    origin TEXT NOT NULL DEFAULT '', PRIMARY KEY (identity, name, revision));
CREATE TABLE intent (
    identity INTEGER, name TEXT, revision TEXT, attempt INTEGER, seed INTEGER,
    token TEXT, PRIMARY KEY (identity, name));
CREATE TABLE record (
    identity INTEGER, job_id TEXT, name TEXT, revision TEXT, attempt INTEGER, live INTEGER, ended_before INTEGER,
    stranger INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (identity, job_id));
CREATE TABLE cancel (
    identity INTEGER, job_id TEXT, reason TEXT, confirmed INTEGER DEFAULT 0, counts INTEGER DEFAULT 1,
    tries INTEGER DEFAULT 0, next_at INTEGER DEFAULT 0, given_up INTEGER DEFAULT 0, PRIMARY KEY (identity, job_id));
CREATE TABLE refusal (
    identity INTEGER, name TEXT, revision TEXT, message TEXT, tries INTEGER, next_at INTEGER,
    PRIMARY KEY (identity, name));
CREATE TABLE manifest (
    identity INTEGER, name TEXT, path TEXT, revision TEXT, orphan INTEGER, PRIMARY KEY (identity, name));
CREATE TABLE event (
    identity INTEGER, job_id TEXT, seen TEXT, PRIMARY KEY (identity, job_id));
INSERT INTO identity VALUES (1, 'fleet-1', 'https://api.example.com/v1', '', '', 1, 1, 1, 9);
INSERT INTO wanted VALUES (1, 'a', '1111111111111111', '{"model": "m"}', 1, '/fleet');
INSERT INTO intent VALUES (1, 'b', '2222222222222222', 3, 7, 'abc');
INSERT INTO record VALUES (1, 'j1', 'a', '1111111111111111', 2, 1, 0, 0);
INSERT INTO cancel VALUES (1, 'j1', 'Removed', 0, 1, 3, 1200, 0), (1, 'j2', 'Duplicate', 1, 1, 1, 60, 0);
INSERT INTO refusal VALUES (1, 'c', '2222222222222222', 'bad', 2, 1100);
INSERT INTO manifest VALUES (1, 'a', 'a.yaml', '1111111111111111', 0);
INSERT INTO event VALUES (1, 'j1', '["e1"]');
"""


def of_version_1(state: Path) -> None:
    """A state directory that the first version left behind, sealed."""
    state.mkdir()
    with contextlib.closing(sqlite3.connect(state / FILE)) as connection:
        connection.executescript(VERSION_1)
    Seal(state / FILE).renew()


def knows_all_of_version_1(journal: Journal) -> bool:
    memory = journal.memory(every_backoff=True)
    assert memory.inherited
    assert (memory.echoes, memory.intents) == (True, {"b": Intent("b", R2, 3, 7)})
    assert memory.records == {"j1": record(attempt=2)}
    assert memory.cancels == {"j1": OwnCancel("Removed", waiting=True), "j2": OwnCancel("Duplicate", confirmed=True)}
    assert memory.rejected == {"c": Rejection(R2, "bad")}
    assert (journal.events.logged(), journal.manifests.paths()) == ({"j1": ("e1",)}, {"a": "a.yaml"})
    return memory.wanted == {("a", R1): {"model": "m"}}


def test_a_journal_of_the_first_version_is_read_without_loss_and_goes_on(state: Path, time: Time) -> None:
    of_version_1(state)
    with opened(state, time) as journal:
        assert knows_all_of_version_1(journal)
        assert not journal.moved, "it is no copy, only older"
        journal.cancels.record("j1", "Removed")
        assert journal.next_try() == time.now + 16, "the fourth try"
    with opened(state, time) as journal:
        assert journal.memory().cancels["j1"].sent_at == 1000
        assert not journal.moved


def test_a_copy_of_a_journal_of_the_first_version_knows_that_it_is_one(state: Path, tmp_path: Path) -> None:
    of_version_1(state)
    shutil.copytree(state, tmp_path / "copy")
    with opened(tmp_path / "copy") as journal:
        assert journal.moved


def test_a_reader_of_the_first_versions_journal_changes_nothing(state: Path, time: Time) -> None:
    of_version_1(state)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in state.iterdir()}
    with open_journal(state, HERE, now=time, read_only=True) as journal:
        assert knows_all_of_version_1(journal)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in state.iterdir()} == before


def test_two_runs_that_open_the_first_versions_journal_both_go_on(state: Path) -> None:
    of_version_1(state)
    with opened(state) as one, opened(state) as other:
        one.record_job(record("j3"))
        assert "j3" in other.memory().records


def test_a_journal_that_cannot_be_brought_to_this_version_stays_as_it_was(state: Path) -> None:
    of_version_1(state)
    with contextlib.closing(sqlite3.connect(state / FILE, isolation_level=None)) as rival:
        rival.execute("ALTER TABLE cancel ADD COLUMN sent_at INTEGER")
    before = (state / FILE).read_bytes()
    with pytest.raises(JournalError, match="duplicate column"):
        open_journal(state, HERE)
    assert (state / FILE).read_bytes() == before, "not half of it"


def test_a_journal_that_was_brought_to_this_version_has_the_columns_of_a_new_one(state: Path, tmp_path: Path) -> None:
    def columns(directory: Path) -> dict[str, list[tuple[object, ...]]]:
        opened(directory).close()
        with contextlib.closing(sqlite3.connect(directory / FILE)) as file:
            tables = file.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            return {table: file.execute(f"PRAGMA table_info({table})").fetchall() for (table,) in tables}

    of_version_1(state)
    assert columns(state) == columns(tmp_path / "new")
