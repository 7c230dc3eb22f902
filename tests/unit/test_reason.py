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


def test_only_ends_that_a_manifest_asked_for_are_taken_back() -> None:
    assert {r for r in Reason if r.restorable} == {Reason.CANCEL_REQUESTED, Reason.REMOVED, Reason.SUPERSEDED}


def test_a_person_may_approve_what_is_ahead_and_nobody_what_was_overtaken() -> None:
    assert Reason.AHEAD.ended_by is EndedBy.PERSON
    assert Reason.OVERTAKEN.ended_by is EndedBy.NOBODY
