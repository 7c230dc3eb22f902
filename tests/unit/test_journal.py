"""Durable memory: what it keeps, for whom, and what it does when it cannot be trusted."""

import contextlib
import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.core.desired import Desired
from reconciler.core.memory import Intent, Memory, OwnCancel, Rejection
from reconciler.errors import JournalError, Locked, StateReplaced, Stopped
from reconciler.state.fence import Fence
from reconciler.state.journal import Journal
from reconciler.state.lock import Lock
from reconciler.state.opening import FILE, open_journal
from reconciler.state.schema import Identity
from reconciler.state.seal import Seal
from tests.fakes.builders import R1, R2, record

HERE = Identity("fleet-1", "https://api.example.com/v1")


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.state.seal._PAUSE", 0.0)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def opened(state: Path, time: Time | None = None, identity: Identity = HERE) -> Journal:
    return open_journal(state, identity, now=time or Time())


def wants(name: str = "a", revision: str = R1) -> dict[str, Desired]:
    return {name: Desired(name, revision, form={"model": "m"})}


def test_a_new_journal_knows_nothing(state: Path) -> None:
    with opened(state) as journal:
        memory = journal.memory()
    assert not memory.known
    assert (memory.intents, memory.records, memory.wanted, memory.cancels) == ({}, {}, {}, {})
    assert (memory.rejected, memory.refused, memory.echoes) == ({}, "", None)


def test_reading_makes_nothing(state: Path) -> None:
    with open_journal(state, HERE, read_only=True) as journal:
        assert (journal.known, journal.settled, journal.moved) == (False, False, False)
        assert journal.memory(every_backoff=True) == Memory()
        assert (journal.manifests.paths(), journal.live_names(), journal.cancels.pending()) == ({}, set(), frozenset())
        assert (journal.next_try(), journal.events.logged()) == (None, {})
    assert not state.exists()
    opened(state).close()
    before = {p: p.stat().st_mtime_ns for p in state.iterdir()}
    with open_journal(state, Identity("x", "y"), read_only=True) as other:
        assert not other.known
    assert {p: p.stat().st_mtime_ns for p in state.iterdir()} == before


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
    "manifests.record": lambda journal: journal.manifests.record({}, whole=True),
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


def test_everything_is_there_after_a_restart(state: Path, time: Time) -> None:
    with opened(state, time) as journal:
        journal.wanted.record(wants())
        journal.record_intent(Intent("a", R1, 2, seed=9))
        journal.record_job(record("j1", "b"))
        journal.cancels.record("j1", "Removed")
        journal.refusals.record("c", R2, "bad")
        journal.refusals.record("", "", "quota")
        journal.record_echo(echoes=True)
        journal.record_seen([record("j2", "d", live=False, ended_before=True)])
        journal.mark_settled([record("j2", "d", live=False)])
    with opened(state, time) as journal:
        memory = journal.memory(every_backoff=True)
        assert journal.known
        assert not journal.moved
    assert memory.intents == {"a": Intent("a", R1, 2, seed=9)}
    assert memory.records["j1"] == record("j1", "b")
    assert memory.records["j2"] == record("j2", "d", live=False, ended_before=True)
    assert memory.wanted == {("a", R1): {"model": "m"}, ("d", R1): None}
    assert memory.cancels == {"j1": OwnCancel("Removed", waiting=True, sent_at=1000)}
    assert memory.rejected == {"c": Rejection(R2, "bad")}
    assert (memory.refused, memory.echoes) == ("quota", True)


def test_a_bound_job_settles_its_intent_and_its_refusals(state: Path) -> None:
    with opened(state) as journal:
        journal.refusals.record("a", R1, "bad")
        journal.refusals.record("", "", "quota")
        journal.refusals.record("b", R1, "bad too")
        journal.record_intent(Intent("a", R1, 1))
        journal.record_job(record())
        memory = journal.memory()
    assert memory.intents == {}
    assert set(memory.rejected) == {"b"}
    assert memory.refused == ""


def test_an_intent_can_be_dropped(state: Path) -> None:
    with opened(state) as journal:
        journal.record_intent(Intent("a", R1, 1))
        journal.drop_intent("a")
        assert journal.memory().intents == {}


@pytest.mark.parametrize(
    "other",
    [
        Identity("fleet-2", HERE.base_url),
        Identity("fleet-1", "https://elsewhere/v1"),
        Identity("fleet-1", HERE.base_url, organization="o"),
        Identity("fleet-1", HERE.base_url, project="p"),
    ],
)
def test_identities_share_nothing(state: Path, other: Identity) -> None:
    with opened(state) as journal:
        journal.record_seen([record()])
        journal.mark_settled([record()])
        journal.wanted.record(wants())
        journal.record_intent(Intent("a", R1, 1))
        journal.cancels.record("j1", "Removed")
        journal.refusals.record("a", R1, "bad")
        journal.record_echo(echoes=True)
    with opened(state, identity=other) as journal:
        memory = journal.memory(every_backoff=True)
    assert not memory.known
    assert (memory.intents, memory.records, memory.wanted, memory.cancels, memory.rejected) == ({}, {}, {}, {}, {})
    assert memory.echoes is None


def test_a_run_that_began_without_memory_has_none_to_its_end(state: Path) -> None:
    with opened(state) as journal:
        journal.record_seen([record()])
        journal.mark_settled([record()])
        assert not journal.memory().known
    with opened(state) as journal:
        assert journal.memory().known


def test_a_refusal_counts_in_its_run_and_later_as_long_as_its_back_off(state: Path, time: Time) -> None:
    with opened(state, time) as journal:
        journal.refusals.record("a", R1, "bad")
        assert "a" in journal.memory().rejected
    with opened(state, time) as journal:
        assert journal.memory().rejected == {}, "once for each apply"
        assert "a" in journal.memory(every_backoff=True).rejected
        time.now += 59
        assert "a" in journal.memory(every_backoff=True).rejected
        time.now += 2
        assert journal.memory(every_backoff=True).rejected == {}
        journal.refusals.record("a", R1, "bad again")
    with opened(state, time) as journal:
        time.now += 119
        assert "a" in journal.memory(every_backoff=True).rejected
        journal.refusals.record("a", R2, "another spec begins anew")
    with opened(state, time) as journal:
        time.now += 61
        assert journal.memory(every_backoff=True).rejected == {}


def test_an_own_cancel_waits_until_it_is_confirmed(state: Path, time: Time) -> None:
    with opened(state, time) as journal:
        journal.record_job(record())
        journal.cancels.record("j1", "Removed")
        assert journal.memory().cancels["j1"].waiting
        journal.cancels.mark_confirmed("j1")
        assert journal.memory().cancels["j1"] == OwnCancel("Removed", confirmed=True, sent_at=1000)
        journal.cancels.mark_unneeded("j1")
        assert journal.memory().cancels["j1"] == OwnCancel("Removed", counts=False, confirmed=True, sent_at=1000)
    with opened(state, time) as journal:
        journal.cancels.record("j1", "Removed")
    with opened(state, time) as journal:
        assert not journal.memory().cancels["j1"].waiting, "once for each apply"
        assert journal.memory(every_backoff=True).cancels["j1"].waiting
        time.now += 3
        assert journal.memory(every_backoff=True).cancels["j1"].waiting, "the second try comes four seconds later"
        time.now += 2
        assert not journal.memory(every_backoff=True).cancels["j1"].waiting


def test_a_cancel_that_is_postponed_waits_in_minutes_and_what_the_server_asks(state: Path, time: Time) -> None:
    with opened(state, time) as journal:
        for minutes in (1, 2):
            journal.cancels.record("j1", "Removed")
            journal.cancels.postpone("j1", in_minutes=True)
            assert journal.next_try() == time.now + 60 * minutes
            time.now += 60 * minutes
        journal.cancels.record("j1", "Removed")
        assert journal.next_try() == time.now + 2, "what was refused before does not count as lost"
        journal.cancels.postpone("j1", at_least=90.0, in_minutes=False)
        assert journal.next_try() == time.now + 90
        journal.cancels.postpone("j1", at_least=1e12, in_minutes=False)
        assert journal.next_try() == time.now + 3600


def test_live_jobs_of_a_fleet_that_was_renamed_are_known(state: Path) -> None:
    with opened(state) as journal:
        journal.record_seen([record("j1"), record("j2", "b"), record("j3", "c", live=False)])
        assert journal.memory().neighbours == {}
    elsewhere = Identity("fleet-1", "https://elsewhere/v1")
    with opened(state, identity=elsewhere) as journal:
        journal.record_seen([record("j9")])
    with opened(state, identity=replace(HERE, fleet="fleet-2")) as journal:
        assert journal.memory().neighbours == {"fleet-1": 2}


def test_what_is_seen_changes_what_is_recorded(state: Path) -> None:
    with opened(state) as journal:
        journal.mark_settled()
    with opened(state) as journal:
        journal.record_seen([record("j1"), record("j2", "b", live=False)])
        assert journal.memory().records == {"j1": record("j1"), "j2": record("j2", "b", live=False)}
        journal.record_seen([record("j1", live=False)])
        assert journal.memory().records["j1"] == record("j1", live=False)


def test_a_run_without_memory_cannot_say_how_a_job_ended(state: Path) -> None:
    with opened(state) as journal:
        journal.record_seen([record("j1", live=False, ended_before=True), record("j2", "b")])
        journal.record_seen([record("j2", "b", live=False, ended_before=True)])
        records = journal.memory().records
    assert records["j1"].ended_before
    assert not records["j2"].ended_before


def test_a_cancel_that_did_not_take_does_not_count(state: Path) -> None:
    with opened(state) as journal:
        journal.record_job(record())
        journal.cancels.record("j1", "Removed")
        assert journal.cancels.pending() == {("j1", 1)}
        journal.record_seen([record()])
        assert journal.memory().cancels["j1"].counts, "a provider may take its time"
        journal.record_seen([record()], void=frozenset({"j1"}))
        assert not journal.memory().cancels["j1"].counts
        assert journal.cancels.pending() == frozenset()


def test_a_job_that_is_seen_ended_confirms_its_cancel(state: Path) -> None:
    with opened(state) as journal:
        journal.record_job(record())
        journal.cancels.record("j1", "Removed")
        journal.record_seen([record(live=False)])
        assert journal.memory().cancels["j1"] == OwnCancel("Removed", confirmed=True, sent_at=1000)


def test_once_marks_came_back_it_stays_known(state: Path) -> None:
    with opened(state) as journal:
        journal.record_echo(echoes=False)
        assert journal.memory().echoes is False
        journal.record_echo(echoes=True)
        journal.record_echo(echoes=False)
        assert journal.memory().echoes is True


def test_the_seed_is_the_next_best_thing_that_comes_back(state: Path) -> None:
    with opened(state) as journal:
        for told, known in [
            ({"echoes": False}, (False, False)),
            ({"echoes": False, "seeds": True}, (False, True)),
            ({"echoes": False}, (False, True)),
            ({"echoes": True}, (True, False)),
            ({"echoes": False, "seeds": True}, (True, False)),
        ]:
            journal.record_echo(**told)
            memory = journal.memory()
            assert (memory.echoes, memory.seeds) == known, told


def test_nothing_is_written_when_nothing_is_new(state: Path) -> None:
    with opened(state) as journal:
        journal.wanted.record(wants())
        journal.record_seen([record()])
        journal.record_echo(echoes=True)
        before = (state / FILE).stat().st_mtime_ns
        journal.wanted.record(wants())
        journal.record_seen([record()])
        journal.record_echo(echoes=True)
        assert (state / FILE).stat().st_mtime_ns == before


# ── forget ──


def test_forget_drops_what_the_provider_does_not_know(state: Path) -> None:
    with opened(state) as journal:
        journal.record_job(record("j1"))
        journal.record_job(record("j2", attempt=2))
        assert journal.forget("a", frozenset({"j1"}), intents=False) == (
            "forgotten: the record of job j1, which the provider no longer knows",
        )
        assert set(journal.memory().records) == {"j2"}


def test_forget_gives_up_a_cancel_that_does_not_take(state: Path) -> None:
    with opened(state) as journal:
        journal.record_job(record())
        journal.cancels.record("j1", "Removed")
        (said,) = journal.forget("a", frozenset(), intents=False)
        assert "left alone from here on" in said
        assert journal.memory().cancels["j1"].left
        assert journal.forget("a", frozenset(), intents=False) == ()


def test_forget_drops_an_intent_only_where_no_listing_will_tell(state: Path) -> None:
    with opened(state) as journal:
        journal.record_intent(Intent("a", R1, 3))
        assert journal.forget("a", frozenset(), intents=False) == ()
        assert journal.forget("b", frozenset(), intents=True) == ()
        assert journal.forget("a", frozenset(), intents=True) == ("forgotten: the unresolved create of attempt 3",)
        assert journal.memory().intents == {}


# ── a journal that cannot be trusted ──


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


def test_a_journal_that_cannot_be_looked_at_is_not_taken_for_a_replaced_one(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(state) as journal:

        def broken(path: Path, **_: object) -> os.stat_result:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

        with monkeypatch.context() as patch:
            patch.setattr(Path, "stat", broken)
            with pytest.raises(JournalError, match="Input/output error") as raised:
                journal.fence.check_place()
        assert not isinstance(raised.value, StateReplaced)


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
    told = journal.memory(every_backoff=True)
    assert told.known
    assert (told.echoes, told.intents) == (True, {"b": Intent("b", R2, 3, 7)})
    assert told.records == {"j1": record(attempt=2)}
    assert told.cancels == {"j1": OwnCancel("Removed", waiting=True), "j2": OwnCancel("Duplicate", confirmed=True)}
    assert told.rejected == {"c": Rejection(R2, "bad")}
    assert (journal.events.logged(), journal.manifests.paths()) == ({"j1": ("e1",)}, {"a": "a.yaml"})
    return told.wanted == {("a", R1): {"model": "m"}}


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


def test_two_runs_that_open_a_fleets_first_journal_at_once_both_go_on(state: Path) -> None:
    class WhileARivalOpens(Seal):
        def whole(self, *, patient: bool = True) -> bool:
            opened(state).close()
            return super().whole(patient=patient)

    opened(state, identity=Identity("another", "x")).close()
    path = state / FILE
    with contextlib.closing(sqlite3.connect(path)) as connection:
        journal = Journal(Fence(connection, path, HERE, seal=WhileARivalOpens(path)), now=Time())
        journal.record_job(record("j1"))
    with opened(state) as other:
        assert "j1" in other.memory().records


def test_a_journal_that_cannot_be_brought_to_this_version_stays_as_it_was(state: Path) -> None:
    of_version_1(state)
    with contextlib.closing(sqlite3.connect(state / FILE, isolation_level=None)) as rival:
        rival.execute("ALTER TABLE cancel ADD COLUMN sent_at INTEGER")
    before = (state / FILE).read_bytes()
    with pytest.raises(JournalError, match="duplicate column"):
        open_journal(state, HERE)
    assert (state / FILE).read_bytes() == before, "not half of it"


def test_a_state_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(JournalError):
        open_journal(tmp_path / "file" / "state", HERE)


def test_a_write_that_fails_is_told(state: Path) -> None:
    journal = opened(state)
    journal.close()
    with pytest.raises(JournalError):
        journal.record_intent(Intent("a", R1, 1))


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
        assert journal.known
        assert journal.moved
        journal.mark_settled()
    with opened(tmp_path / "copy") as journal:
        assert not journal.moved


def test_a_rival_that_makes_it_first_wins(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(state) as journal:
        journal.record_intent(Intent("a", R1, 1))
    monkeypatch.setattr(Path, "exists", lambda _: False)
    with opened(state) as journal:
        assert set(journal.memory().intents) == {"a"}
    monkeypatch.undo()
    assert [p.name for p in state.iterdir()] == [FILE]


# ── locks ──


def test_one_at_a_time(tmp_path: Path, time: Time) -> None:
    def sleep(seconds: float) -> None:
        time.now += seconds

    first, second = Lock(tmp_path), Lock(tmp_path)
    first.acquire(timeout=0, clock=time, sleep=sleep)
    with pytest.raises(Locked, match="waited 2 s; --lock-timeout"):
        second.acquire(timeout=2, clock=time, sleep=sleep)
    assert time.now >= 1002
    first.release()
    first.release()
    second.acquire(timeout=0, clock=time, sleep=sleep)
    second.release()


def test_a_lock_is_taken_as_soon_as_it_is_free(tmp_path: Path, time: Time) -> None:
    first, second = Lock(tmp_path), Lock(tmp_path)
    first.acquire(timeout=0, clock=time, sleep=lambda _: None)
    second.acquire(timeout=30, clock=time, sleep=lambda _: first.release())
    second.release()


NO_LOCKS = [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, errno.EIO]


def failing(*numbers: int) -> Callable[[int, int], None]:
    """A flock(2) that fails with these, one after the other, and works at last."""
    left = list(numbers)

    def flock(handle: int, operation: int) -> None:
        if left:
            number = left.pop(0)
            raise OSError(number, os.strerror(number))

    return flock


def never(_: float) -> None:
    raise AssertionError("nothing is waited for")


@pytest.mark.parametrize("number", NO_LOCKS, ids=lambda number: errno.errorcode[number])
def test_a_file_system_without_locks_is_named_at_once(tmp_path: Path, time: Time, number: int) -> None:
    lock = Lock(tmp_path, flock=failing(number))
    with pytest.raises(JournalError, match="no locks that work .*--state-dir") as raised:
        lock.acquire(timeout=30, clock=time, sleep=never)
    assert not isinstance(raised.value, Locked), "nobody holds it"


@pytest.mark.parametrize("number", [errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES])
def test_only_held_by_another_means_held_by_another(tmp_path: Path, time: Time, number: int) -> None:
    with pytest.raises(Locked):
        Lock(tmp_path, flock=failing(number)).acquire(timeout=0, clock=time, sleep=never)


def test_an_interrupted_lock_is_asked_for_again(tmp_path: Path, time: Time) -> None:
    lock = Lock(tmp_path, flock=failing(errno.EINTR, errno.EINTR))
    lock.acquire(timeout=0, clock=time, sleep=never)
    lock.release()


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


def test_a_lock_in_a_directory_that_cannot_be_written_says_the_way_on(tmp_path: Path, time: Time) -> None:
    (tmp_path / "pass.lock").mkdir()
    with pytest.raises(JournalError, match="Is a directory.*--state-dir"):
        Lock(tmp_path).acquire(timeout=30, clock=time, sleep=never)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc here")
def test_files_do_not_pile_up(tmp_path: Path, time: Time) -> None:
    def handles() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    before = handles()
    for _ in range(20):
        lock = Lock(tmp_path)
        lock.acquire(timeout=0, clock=time, sleep=lambda _: None)
        with pytest.raises(Locked):
            Lock(tmp_path).acquire(timeout=0, clock=time, sleep=lambda _: None)
        lock.release()
    assert handles() == before


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


def test_a_refused_cancel_is_disowned_unless_an_earlier_try_may_yet_take_effect(state: Path) -> None:
    with opened(state) as journal:
        journal.record_job(record())
        for _ in range(2):
            journal.cancels.record("j1", "Removed")
            journal.cancels.mark_failed("j1")
            assert not journal.memory().cancels["j1"].counts, "no try has left"
        journal.cancels.record("j1", "Removed")
    with opened(state) as journal:
        journal.cancels.record("j1", "Removed")
        journal.cancels.mark_failed("j1")
        assert journal.memory().cancels["j1"].counts, "the third try may have left"


def test_a_seal_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text("journal")
    Seal(path).renew()
    sealed = path.with_name(f"{FILE}.seal")
    told = sealed.read_text()
    sealed.write_text("")

    def another_run_goes_on(_: float) -> None:
        sealed.write_text(told)

    assert Seal(path, sleep=another_run_goes_on).whole()


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


def test_a_journal_that_cannot_be_made_leaves_nothing_behind(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.state.opening.SCHEMA", "no SQL")
    with pytest.raises(JournalError):
        opened(state)
    assert list(state.iterdir()) == []


def test_a_lock_that_is_not_got_holds_no_file_open(state: Path) -> None:
    state.mkdir(exist_ok=True)
    holder, waiter = Lock(state), Lock(state)
    holder.acquire(timeout=0, clock=lambda: 0.0, sleep=lambda _: None)

    def stop(_: float) -> None:
        raise Stopped("stopped while waiting")

    before = len(list(Path("/dev/fd").iterdir()))
    with pytest.raises(Stopped):
        waiter.acquire(timeout=60, clock=lambda: 0.0, sleep=stop)
    assert len(list(Path("/dev/fd").iterdir())) == before
    holder.release()
