"""Durable memory: what it keeps, and for whom."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from reconciler.core.desired import Desired
from reconciler.core.memory import Elsewhere, Intent, OwnCancel, Rejection
from reconciler.state.journal import Journal
from reconciler.state.opening import FILE
from reconciler.state.schema import Identity
from tests.fakes.builders import R1, R2, record
from tests.fakes.journals import HERE, Time, opened


def wants(name: str = "a", revision: str = R1) -> dict[str, Desired]:
    return {name: Desired(name, revision, form={"model": "m"})}


def test_a_new_journal_knows_nothing(state: Path) -> None:
    with opened(state) as journal:
        memory = journal.memory()
    assert not memory.inherited
    assert (memory.intents, memory.records, memory.wanted, memory.cancels) == ({}, {}, {}, {})
    assert (memory.rejected, memory.refused, memory.echoes) == ({}, "", None)


def test_everything_is_there_after_a_restart(state: Path, time: Time) -> None:
    with opened(state, time) as journal:
        journal.wanted.record(wants())
        journal.record_intent(Intent("a", R1, 2, seed=9))
        journal.record_job(record("j1", "b"))
        journal.cancels.record("j1", "Removed")
        journal.refusals.record("c", R2, "bad")
        journal.refusals.record_of_all("x", R1, "quota")
        journal.record_echo(echoes=True)
        journal.record_seen([record("j2", "d", live=False, ended_before=True)])
        journal.mark_settled([record("j2", "d", live=False)])
    with opened(state, time) as journal:
        memory = journal.memory(every_backoff=True)
        assert journal.inherited
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
        journal.refusals.record_of_all("x", R1, "quota")
        journal.refusals.record("b", R1, "bad too")
        journal.record_intent(Intent("a", R1, 1))
        journal.record_job(record())
        memory = journal.memory()
    assert memory.intents == {}
    assert set(memory.rejected) == {"b"}
    assert memory.refused == ""


def test_a_recorded_intent_is_known_by_its_token(state: Path) -> None:
    with opened(state) as journal:
        first = journal.record_intent(Intent("a", R1, 1))
        assert journal.memory().intents["a"].token == first
        assert journal.record_intent(Intent("a", R1, 1)) != first, "the same create, sent again"


def test_a_create_that_another_run_records_meanwhile_is_not_missed(state: Path) -> None:
    with opened(state) as reader, opened(state) as other:
        other.record_intent(Intent("a", R1, 1))
        reads = iter(range(20))

        def between(statement: str) -> None:
            if statement.startswith("SELECT") and next(reads) == 1:
                other.record_job(record())

        reader.fence.connection.set_trace_callback(between)
        memory = reader.memory()
    assert memory.intents.keys() == {"a"}
    assert memory.records.keys() == {"j1"}


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
    assert not memory.inherited
    assert (memory.intents, memory.records, memory.wanted, memory.cancels, memory.rejected) == ({}, {}, {}, {}, {})
    assert memory.echoes is None


def test_a_run_that_began_without_memory_has_none_to_its_end(state: Path) -> None:
    with opened(state) as journal:
        journal.record_seen([record()])
        journal.mark_settled([record()])
        assert not journal.memory().inherited
    with opened(state) as journal:
        assert journal.memory().inherited


def test_live_jobs_of_a_fleet_that_was_renamed_are_known(state: Path) -> None:
    with opened(state) as journal:
        journal.record_seen([record("j1"), record("j2", "b"), record("j3", "c", live=False)])
        assert journal.memory().neighbours == {}
    elsewhere = Identity("fleet-1", "https://elsewhere/v1")
    with opened(state, identity=elsewhere) as journal:
        journal.record_seen([record("j9")])
    with opened(state, identity=replace(HERE, fleet="fleet-2")) as journal:
        assert journal.memory().neighbours == {"fleet-1": 2}


def test_jobs_of_other_fleets_at_this_account_are_known_until_marks_come_back(state: Path) -> None:
    with opened(state) as journal:
        journal.record_seen([record("j1")])
    for identity in (replace(HERE, fleet="fleet-2", project="another"), replace(HERE, fleet="fleet-2")):
        with opened(state, identity=identity) as journal:
            assert journal.memory().others == (frozenset() if identity.project else {"j1"})
            journal.record_echo(echoes=True)
            assert journal.memory().others == frozenset()


def test_jobs_of_the_fleet_at_other_accounts_are_known_but_for_the_sandboxs(state: Path) -> None:
    with opened(state) as journal:
        journal.record_seen([record("j1"), record("j2", "b", live=False)])
        assert journal.memory().elsewhere == ()
    for other in (replace(HERE, base_url="sandbox"), replace(HERE, fleet="fleet-2")):
        with opened(state, identity=other) as journal:
            journal.record_seen([record("j9")])
    with opened(state, identity=replace(HERE, project="proj")) as journal:
        there = Elsewhere(HERE.base_url, HERE.organization, HERE.project, "a", R1, "j1", live=True)
        assert journal.memory().elsewhere == (there, replace(there, name="b", job_id="j2", live=False))


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


def test_once_marks_came_back_it_stays_known(state: Path) -> None:
    with opened(state) as journal:
        journal.record_echo(echoes=False)
        assert journal.memory().echoes is False
        journal.record_echo(echoes=True)
        journal.record_echo(echoes=False)
        assert journal.memory().echoes is True


def test_the_seed_is_the_next_best_thing_that_comes_back(state: Path) -> None:
    with opened(state) as journal:
        for seen, known in [
            ({"echoes": False}, (False, False)),
            ({"echoes": False, "seeds": True}, (False, True)),
            ({"echoes": False}, (False, True)),
            ({"echoes": True}, (True, False)),
            ({"echoes": False, "seeds": True}, (True, False)),
        ]:
            journal.record_echo(**seen)
            memory = journal.memory()
            assert (memory.echoes, memory.seeds) == known, seen


def test_file_and_seed_are_remembered_beside_each_other_until_marks_come_back(state: Path) -> None:
    seen: list[tuple[dict[str, bool], tuple[bool, bool, bool]]] = [
        ({"files": True}, (False, True, False)),
        ({}, (False, True, False)),
        ({"seeds": True}, (False, True, True)),
        ({"files": True}, (False, True, True)),
        ({"echoes": True}, (True, False, False)),
        ({"files": True, "seeds": True}, (True, False, False)),
    ]
    for now, known in seen:
        with opened(state) as journal:
            journal.record_echo(**{"echoes": False, **now})
            memory = journal.memory()
            assert (memory.echoes, memory.files, memory.seeds) == known, now


def test_an_intent_keeps_whether_its_file_bears_its_name(state: Path) -> None:
    with opened(state) as journal:
        journal.record_intent(Intent("a", R1, 1, filed=True))
        journal.record_intent(Intent("b", R1, 1))
    with opened(state) as journal:
        assert [intent.filed for intent in journal.memory().intents.values()] == [True, False]


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


def test_what_another_run_writes_is_read_by_the_next_look(state: Path) -> None:
    with opened(state) as journal, opened(state) as rival:
        assert journal.memory().records == {}
        rival.record_job(record())
        assert journal.memory().records.keys() == {"j1"}
        assert journal.records.live_names() == {"a"}


def test_what_this_run_writes_is_read_by_the_next_look(state: Path) -> None:
    with opened(state) as journal:
        assert journal.memory().intents == {}
        journal.record_intent(Intent("a", R1, 1))
        assert journal.memory().intents.keys() == {"a"}
        journal.drop_intent("a")
        assert journal.memory().intents == {}


def test_what_was_undone_is_not_remembered(state: Path) -> None:
    def fails(journal: Journal) -> None:
        with journal.fence.transaction():
            journal.fence.connection.execute("UPDATE identity SET echoes = 1")
            assert journal.memory().echoes, "inside of it, it is so"
            raise ZeroDivisionError

    with opened(state) as journal:
        with pytest.raises(ZeroDivisionError):
            fails(journal)
        assert journal.memory().echoes is None


def test_a_journal_that_nobody_writes_to_is_not_read_again(state: Path) -> None:
    asked: list[str] = []
    with opened(state) as journal:
        journal.record_job(record())
        before = journal.memory()
        journal.fence.connection.set_trace_callback(asked.append)
        again = journal.memory()
    assert again == before
    assert set(asked) == {"PRAGMA data_version"}


def test_a_write_is_followed_by_reading_what_it_wrote_to_and_nothing_else(state: Path) -> None:
    asked: list[str] = []
    with opened(state) as journal:
        journal.record_job(record())
        journal.memory()
        journal.cancels.record("j1", "Removed")
        journal.fence.connection.set_trace_callback(asked.append)
        assert journal.memory().cancels.keys() == {"j1"}
    queries = set(asked) - {"PRAGMA data_version"}
    assert queries
    assert all("FROM cancel " in query for query in queries), queries


@pytest.mark.parametrize("moment", ["PRAGMA data_version", "BEGIN"])
def test_a_write_of_ours_hides_none_of_another_run(state: Path, moment: str) -> None:
    def meanwhile(statement: str) -> None:
        if statement.startswith(moment):
            rival.record_job(record())

    with opened(state) as journal, opened(state) as rival:
        assert journal.memory().records == {}
        journal.fence.connection.set_trace_callback(meanwhile)
        journal.record_intent(Intent("a", R1, 2))
        journal.fence.connection.set_trace_callback(None)
        assert journal.memory().records.keys() == {"j1"}


def test_a_create_recorded_between_two_looks_at_the_intents_is_not_missed(state: Path) -> None:
    def meanwhile(statement: str) -> None:
        if "FROM intent" in statement:
            rival.record_job(record())

    with opened(state) as journal, opened(state) as rival:
        rival.record_intent(Intent("a", R1, 1))
        assert journal.memory().intents.keys() == {"a"}
        journal.record_intent(Intent("b", R1, 1))
        journal.fence.connection.set_trace_callback(meanwhile)
        memory = journal.memory()
    assert "a" in memory.intents or "j1" in memory.records


def test_a_record_that_is_as_it_was_is_in_memory_once(state: Path) -> None:
    with opened(state) as journal:
        journal.record_seen([record("j1"), record("j2")])
        before = journal.memory().records
        journal.record_seen([record("j1"), record("j2", live=False)])
        after = journal.memory().records
    assert after["j1"] is before["j1"]
    assert (before["j2"].live, after["j2"].live) == (True, False)


def test_forms_are_by_name_and_revision_and_asking_for_another_leaves_them_alone(state: Path) -> None:
    with opened(state) as journal:
        journal.wanted.record(wants() | wants("b"))
        journal.wanted.record(wants(revision=R2))
        forms = journal.memory().wanted
    assert (forms.get(("a", "another")), forms.get(("another", R1))) == (None, None)
    assert set(forms) == {("a", R1), ("a", R2), ("b", R1)}
    assert len(forms) == 3
