"""The table of reasons: every row is complete, and its columns agree with each other."""

import pytest

from reconciler.core.reason import EndedBy, Reason, Trouble


@pytest.mark.parametrize("reason", Reason)
def test_a_row_agrees_with_itself(reason: Reason) -> None:
    if reason.trouble is not Trouble.NONE:
        assert not reason.as_declared, "trouble means that something is owed"
        assert reason.ended_by in {EndedBy.TIME, EndedBy.PERSON}, "somebody, or another pass, has to end it"
    if reason.ended_by is EndedBy.PROVIDER:
        assert reason.trouble is Trouble.NONE, "a job that goes on is no trouble"


def test_only_ends_that_a_manifest_or_an_operator_can_undo_are_taken_back() -> None:
    undone = {Reason.CANCEL_REQUESTED, Reason.REMOVED, Reason.METHOD_LOST, Reason.SUPERSEDED}
    assert {r for r in Reason if r.restorable} == undone


def test_a_person_may_approve_what_is_ahead_and_nobody_what_was_overtaken() -> None:
    assert Reason.AHEAD.ended_by is EndedBy.PERSON
    assert Reason.OVERTAKEN.ended_by is EndedBy.NOBODY


# The columns once more, by what follows from each: a change of one is a change of what a run waits for and reports.


@pytest.mark.parametrize(
    ("ended_by", "words"),
    [
        (
            EndedBy.TIME,
            """CreateUnresolved Pausing Removed Duplicate Retry Restored NotCreated CreateRefused CreateRejected Superseded
            Resuming""",
        ),
        (
            EndedBy.PROVIDER,
            "CannotPause Orphaned PruneDisabled InProgress Adopted WaitingForJob WaitingForPrevious WaitingForCapacity",
        ),
        (
            EndedBy.PERSON,
            """SourceInvalid Missing AdoptionRefused Suspended Paused CancelRequested MethodLost Failed Cancelled
            DependencyFailed NoIdentity Blocked Ahead""",
        ),
        (EndedBy.NOBODY, "Overtaken Succeeded"),
    ],
)
def test_what_must_happen_before_a_name_goes_on(ended_by: EndedBy, words: str) -> None:
    assert [str(r) for r in Reason if r.ended_by is ended_by] == words.split()


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (
            Trouble.OWN,
            "SourceInvalid CreateUnresolved Missing AdoptionRefused MethodLost CreateRefused CreateRejected NoIdentity",
        ),
        (Trouble.ELSEWHERE, "DependencyFailed Blocked"),
    ],
)
def test_what_is_shown_as_blocked_and_where_its_cause_lies(trouble: Trouble, words: str) -> None:
    assert [str(r) for r in Reason if r.trouble is trouble] == words.split()


def test_what_is_owed_nothing_is_as_declared() -> None:
    words = "Suspended Paused CancelRequested Orphaned PruneDisabled InProgress Adopted Succeeded Failed Cancelled"
    assert [str(r) for r in Reason if r.as_declared] == words.split()
