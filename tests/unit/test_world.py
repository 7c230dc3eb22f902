"""One moment, and in it the case of each name."""

import gc

from reconciler.core.desired import Policy
from reconciler.core.memory import Intent
from reconciler.core.reason import Reason
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


def test_ours_are_the_jobs_with_our_marks_live_or_not() -> None:
    jobs = (job("j1"), job("j2", fleet="x"), job("j3", marked=False), job("j4", status="failed"))
    w = world(jobs, [desired(adopt=("j3", R1))])
    assert (w.ours, w.unmanaged) == ((jobs[0], jobs[3]), 2)


def test_a_duplicate_whose_cancel_has_not_taken_effect_is_the_latest_attempt_still() -> None:
    jobs = [job("j1", status="failed"), job("j2", attempt=2)]
    case = world(jobs, [desired()], remembers=memory(cancels={"j2": Reason.DUPLICATE})).cases["a"]
    assert case.latest is not None
    assert case.latest.job.id == "j2"


def test_a_create_that_is_sent_again_is_the_same_create() -> None:
    assert Intent("a", R1, 1, token="first") == Intent("a", R1, 1, token="second")


def test_names_have_one_order_whatever_the_hash_seed_is() -> None:
    names = [f"n{number}" for number in range(30)]
    w = world([job(f"j{name}", name=name) for name in reversed(names)], [desired(name) for name in reversed(names)])
    assert list(w.cases) == sorted(names)


def test_a_job_differs_only_from_what_is_known_to_have_been_sent() -> None:
    asked = world([job(seed=8)], [desired()]).cases["a"]
    assert len(asked.differing(asked.jobs[0])) == 1
    adopted = world([job(seed=8)], [desired(adopt=("j1", R1))]).cases["a"]
    assert adopted.differing(adopted.jobs[0]) == ()
    unknown = world([job(revision=R2, seed=8)], [desired()], remembers=memory(echoes=True)).cases["a"]
    assert unknown.differing(unknown.jobs[0]) == ()


def test_a_world_is_gone_with_whoever_held_it() -> None:
    gc.collect()
    assert world([job("j1"), job("j2", "b")], [desired()]).cases.keys() == {"a", "b"}
    assert gc.collect() == 0, "a history of jobs is not kept until somebody looks for circles"


def test_a_job_whose_manifest_is_gone_has_the_policy_of_one_that_says_none() -> None:
    cases = world([job(), job("j2", "gone")], [desired(retries=3)]).cases
    assert (cases["a"].policy, cases["gone"].policy) == (Policy(retries=3), Policy())
