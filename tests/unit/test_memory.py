"""What is remembered of a refused create, and what its name says of it."""

import pytest
from msgspec.structs import replace

from reconciler.core.memory import Memory, Refusal
from reconciler.core.reason import Reason
from tests.fakes.builders import R1, R2, memory

BY_FILE = "this server drops metadata: a job is known by the name of its training file, and by its seed"
BY_SEED = "this server drops metadata: a job is known by its seed, and is never cancelled without a file's name"
BY_ID = "this server returns nothing that tells whose a job is: a job is known by its id, in this journal alone"
OWN = Refusal("a", R1, "bad suffix", 700)
LIMIT = Refusal("a", R1, "daily limit", 700, of_all=True)
LAST = Refusal("b", R1, "daily limit", 760, of_all=True)


def test_a_refusal_says_whether_it_was_of_one_job_or_of_all() -> None:
    assert (OWN.reason, OWN.words) == (Reason.CREATE_REJECTED, "the provider rejected this job: bad suffix")
    assert (LIMIT.reason, LIMIT.words) == (Reason.CREATE_REFUSED, "the provider takes no new jobs: daily limit")


def test_the_refusal_of_another_spec_is_not_its_own() -> None:
    remembered = memory(refusals={"a": OWN})
    assert remembered.own_refusal("a", R1) == OWN
    assert remembered.own_refusal("a", R2) is None
    assert remembered.own_refusal("b", R1) is None


def test_the_last_refusal_is_its_own_else_that_of_every_create_and_the_later_of_their_next_tries() -> None:
    assert memory().last_refusal("a", R1) is None
    assert memory(refusals={"a": OWN}).last_refusal("a", R1) == OWN
    assert memory(refusals={"": LAST}).last_refusal("a", R1) == LAST
    assert memory(refusals={"a": OWN, "": LAST}).last_refusal("a", R1) == replace(OWN, next_at=760)
    later = replace(OWN, next_at=900)
    assert memory(refusals={"a": later, "": LAST}).last_refusal("a", R1) == later
    assert memory(refusals={"a": LIMIT}).last_refusal("a", R1) == LIMIT
    assert memory(refusals={"a": LIMIT, "": LAST}).last_refusal("a", R1) == replace(LIMIT, next_at=760)


def test_a_create_that_is_held_back_says_its_own_refusal_else_whose_it_was() -> None:
    taken = "the provider takes no new jobs"
    assert memory(refusals={"a": OWN, "": LAST}).held_back("a", R1) == (OWN.reason, OWN.words)
    assert memory(refusals={"a": LIMIT, "": LAST}).held_back("a", R1) == (LIMIT.reason, LIMIT.words)
    for_all = Reason.CREATE_REFUSED
    assert memory(refusals={"": LAST}).held_back("a", R1) == (for_all, f"{taken} at the moment (last refused: b)")
    assert memory(refusals={"a": OWN, "": LAST}).held_back("b", R2) == (for_all, LAST.words), "of an earlier spec"
    assert memory().held_back("a", R1) == (for_all, f"{taken} at the moment")


@pytest.mark.parametrize(
    ("remembered", "said"),
    [
        (memory(), ""),
        (memory(echoes=True), ""),
        (memory(echoes=False, files=True, seeds=True), BY_FILE),
        (memory(echoes=False, seeds=True), BY_SEED),
        (memory(echoes=False), BY_ID),
    ],
)
def test_what_jobs_are_known_by_is_said_where_it_is_not_our_marks(remembered: Memory, said: str) -> None:
    assert remembered.identity == said
