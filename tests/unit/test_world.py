"""One moment, and in it the case of each name."""

from reconciler.core.memory import Intent
from tests.fakes.builders import R1, R2, R3, desired, job, memory, record, world


def test_a_name_has_a_case_where_it_is_desired_has_jobs_or_is_held_up_by_something_remembered() -> None:
    w = world(
        [job("j1", "has-a-job"), job("j2", "another-fleets", fleet="x")],
        [desired("desired")],
        remembers=memory(
            records=[record("j3", "missing"), record("j4", "unseen"), record("j5", "only-recorded")],
            intents=[Intent("lost", R1, 1)],
            wanted=[("only-wanted", R1)],
        ),
        broken=frozenset({"broken"}),
        missing=frozenset({"j3"}),
        unseen=frozenset({"j4"}),
    )
    assert w.cases.keys() == {"desired", "has-a-job", "lost", "broken", "missing", "unseen"}


def test_a_case_has_what_is_recorded_of_its_name() -> None:
    records = [record("j1"), record("j2", "b"), record("j3", revision=R2)]
    cases = world([job("j1"), job("j2", "b")], remembers=memory(records=records, wanted=[("b", R3)])).cases
    assert cases["a"].records == (records[0], records[2])
    assert (cases["a"].once_wanted, cases["b"].once_wanted) == (False, True)
