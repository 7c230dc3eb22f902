"""What is tried again later: refused creates, and cancels that have not taken."""

from dataclasses import replace as replace_intent
from pathlib import Path

import pytest
from msgspec.structs import replace

from reconciler.core.memory import Intent, OwnCancel, Refusal
from reconciler.state.journal import Journal
from tests.fakes.builders import R1, R2, record
from tests.fakes.journals import Time, opened


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


def test_the_last_refusal_of_each_name_is_known_until_a_create_of_it_is_answered(state: Path, time: Time) -> None:
    bad = Refusal("a", R1, "bad", 1060)
    with opened(state, time) as journal:
        journal.refusals.record("a", R1, "bad")
        assert journal.memory().refusals == {"a": bad}
        journal.refusals.record_of_all("b", R2, "quota")
        quota = Refusal("b", R2, "quota", 1060, of_all=True)
        assert journal.memory().refusals == {"a": bad, "b": quota, "": replace(quota, revision="")}
        journal.refusals.record_of_all("a", R1, "spend")
        assert journal.memory().refusals["a"] == Refusal("a", R1, "spend", 1120, of_all=True)
        assert journal.memory().refusals["b"] == quota, "each keeps its own"
        assert journal.memory().refusals[""].name == "a"
        journal.refusals.record("a", R1, "bad again")
        assert journal.memory().refusals["a"] == Refusal("a", R1, "bad again", 1120)
    time.now += 9999
    with opened(state, time) as journal:
        assert journal.memory(every_backoff=True).rejected == {}
        assert set(journal.memory(every_backoff=True).refusals) == {"a", "b", ""}, "told after their back-offs"
        journal.record_job(record("j1", "b", R2))
        assert set(journal.memory().refusals) == {"a"}, "the provider takes jobs again"


def test_what_a_job_was_told_when_all_were_refused_holds_nothing_back(state: Path, time: Time) -> None:
    with opened(state, time) as journal:
        journal.refusals.record_of_all("a", R1, "quota")
        assert (journal.memory().refused, journal.memory().rejected) == ("quota", {})
        journal.record_job(record("j1", "b"))
        assert (journal.memory().refused, journal.memory().rejected) == ("", {})
        assert journal.next_try() is None


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


def test_a_cancel_that_was_not_sent_after_all_may_be_tried_again_by_the_same_run(state: Path) -> None:
    with opened(state) as journal:
        journal.record_job(record())
        journal.cancels.record("j1", "MethodLost")
        assert journal.memory().cancels["j1"].waiting, "once for each apply"
        journal.cancels.mark_unsent("j1")
        own = journal.memory().cancels["j1"]
        assert (own.waiting, own.counts) == (False, False)


def lost(name: str, answer: str = "POST /jobs: HTTP 500: no licence, request r-1") -> Intent:
    return Intent(name, R1, 1, answer=answer)


def unmade(journal: Journal, *intents: Intent) -> None:
    """These creates were sent, and a listing showed that they did not happen."""
    for intent in intents:
        journal.record_intent(replace_intent(intent, answer=""))
        if intent.answer:
            journal.record_answer(intent.name, intent.answer)
        journal.drop_intent(intent.name, created=False)


def test_the_same_5xx_three_times_in_a_row_counts_as_a_refusal_of_all(state: Path, time: Time) -> None:
    with opened(state, time) as journal:
        unmade(journal, lost("a"), lost("b", "POST /jobs: HTTP 500: no licence, request r-2"))
        assert journal.memory().refusals == {}
    with opened(state, time) as journal:
        unmade(journal, lost("c"))
        said = "POST /jobs: HTTP 500: no licence, request r-1; again and again, and no job came of it"
        assert journal.memory().refused == said
        assert journal.memory().refusals["c"] == Refusal("c", R1, said, 1060, of_all=True)
        unmade(journal, lost("a"))
        assert journal.next_try() == 1060, "it was sent before all were refused"
        time.now += 60
        unmade(journal, lost("a", ""))
        assert journal.next_try() == 1180, "whatever its answer, a try that came to nothing slows the next one down"
        assert journal.memory().refused == said, "that one said nothing"
        journal.drop_intent("a", created=True)
        assert journal.memory().refusals.keys() == {"c"}, "a job was made: the provider takes jobs"


def test_a_try_of_a_run_that_was_killed_leaves_the_next_apply_its_own(state: Path, time: Time) -> None:
    with opened(state, time) as journal:
        journal.refusals.record_of_all("a", R1, "no licence")
    time.now += 60
    with opened(state, time) as journal:
        unmade(journal, lost("a", ""))
        assert journal.memory().refused == "", "this run has not tried yet"
        assert journal.memory(every_backoff=True).refused == "no licence"
        journal.refusals.record_of_all("a", R1, "no licence")
        assert journal.memory().refused == "no licence"


@pytest.mark.parametrize("between", ["another answer", "no answer", "refused", "made"])
def test_what_comes_between_ends_the_row(state: Path, time: Time, between: str) -> None:
    with opened(state, time) as journal:
        unmade(journal, lost("a"), lost("a"))
        if between == "another answer":
            unmade(journal, lost("a", "POST /jobs: HTTP 503: no licence, request r-1"))
        elif between == "no answer":
            unmade(journal, lost("a", ""))
        elif between == "refused":
            journal.refusals.record("b", R1, "bad")
        else:
            journal.record_job(record("j1", "b"))
        unmade(journal, lost("a"), lost("a"))
        assert journal.memory().refused == ""
