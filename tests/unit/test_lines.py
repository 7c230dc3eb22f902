"""A line of a plan about one job."""

import pytest
from msgspec.structs import replace

from reconciler.core.change import Cancel, Hold, Keep, Pause, Resume
from reconciler.core.desired import Desired
from reconciler.core.fields import OnChange, State
from reconciler.core.gates import Permission, gate
from reconciler.core.job import Job
from reconciler.core.lines import held_ahead
from reconciler.core.memory import OwnCancel, OwnPause
from reconciler.core.plan import plan
from reconciler.core.reason import Reason
from reconciler.core.training import Training
from tests.fakes.builders import R1, R2, asked_for_dpo, desired, job, memory, record, world
from tests.fakes.situations import BY_FILE, FROM_HERE, pauses


def test_a_job_that_is_ahead_is_held_and_its_end_is_what_a_person_may_approve() -> None:
    (case,) = world([job("j7", revision=R2, attempt=3)], []).cases.values()
    hold = held_ahead(case, case.jobs[0], "nobody here knows it")
    assert (hold.name, hold.reason, hold.job_id, hold.revision, hold.attempt) == ("a", Reason.AHEAD, "j7", R2, 3)
    assert hold.write == Cancel("a", Reason.AHEAD, hold.message, "j7", R2, 3)


def test_a_pause_and_a_resume_say_of_which_attempt_they_are() -> None:
    (pause,) = plan(world([job(attempt=3)], [desired(state=State.PAUSED)])).changes
    assert pause == Pause("a", Reason.PAUSING, pause.message, "j1", R1, 3)
    paused_here = world([job(status="paused", attempt=3)], [desired()], remembers=pauses(j1=OwnPause()))
    resume = plan(paused_here).changes[0]
    assert resume == Resume("a", Reason.RESUMING, resume.message, "j1", R1, 3)


def test_a_job_that_ended_while_it_was_paused_from_here_is_kept() -> None:
    ended = world([job(status="succeeded")], [desired()], remembers=pauses(j1=OwnPause()))
    (keep,) = plan(ended).changes
    assert isinstance(keep, Keep)
    assert keep.job_id == "j1"


def test_the_end_of_a_job_with_another_method_says_which_was_lost_and_how_that_is_known() -> None:
    (marked,) = plan(world([job()], [asked_for_dpo()])).changes
    assert isinstance(marked, Cancel)
    assert (marked.lost, marked.answered) == ("dpo", False)
    told = memory(records=[record()], cancels={"j1": OwnCancel("MethodLost", counts=False)}, seeds=True)
    (answered,) = plan(world([job(marked=False)], [asked_for_dpo()], remembers=told)).changes
    assert isinstance(answered, Cancel)
    assert (answered.lost, answered.answered) == ("dpo", True)


TOLD_BY_ITS_ANSWER = replace(
    memory(records=[record()], cancels={"j1": OwnCancel("MethodLost", counts=False)}, seeds=True),
    wanted={("a", R1): asked_for_dpo().form},
)


@pytest.mark.parametrize(
    ("wanted", "others"),
    [
        ([desired(revision=R2)], []),
        ([desired(revision=R2, on_change=OnChange.WAIT)], []),
        ([desired(revision=R2)], [job("j2", revision=R2)]),
        ([asked_for_dpo()], [job("j2", status="succeeded", training=Training("dpo"))]),
        ([asked_for_dpo(state=State.CANCELLED)], []),
        ([asked_for_dpo(state=State.PAUSED)], []),
        ([], []),
    ],
    ids=["changed", "changed and to wait", "replaced", "another stands", "to be cancelled", "to be paused", "removed"],
)
def test_a_job_that_the_answer_to_a_create_named_is_ended_for_its_method_whatever_its_manifest_says_now(
    wanted: list[Desired], others: list[Job]
) -> None:
    changes = plan(world([job(marked=False), *others], wanted, remembers=TOLD_BY_ITS_ANSWER)).changes
    (end,) = (change for change in changes if change.job_id == "j1")
    assert isinstance(end, Cancel)
    assert (end.reason, end.lost, end.answered) == (Reason.METHOD_LOST, "dpo", True)


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [([desired(revision=R2)], Reason.IN_PROGRESS), ([], Reason.ORPHANED)],
    ids=["changed", "removed"],
)
def test_one_that_no_answer_named_is_left_whatever_its_method(wanted: list[Desired], reason: Reason) -> None:
    told = replace(TOLD_BY_ITS_ANSWER, cancels={})
    changes = plan(world([job(marked=False)], wanted, remembers=told)).changes
    assert [(change.reason, type(change)) for change in changes if change.job_id == "j1"] == [
        (reason, Keep if wanted else Hold)
    ]


def test_a_wrong_job_whose_manifest_is_missed_for_a_doubtful_reason_goes_on_for_now() -> None:
    for seen in (
        world([job(marked=False)], [], remembers=TOLD_BY_ITS_ANSWER, gaps=("team: an empty directory",)),
        world([job(marked=False)], [], remembers=TOLD_BY_ITS_ANSWER, leftovers={"a": "a.yaml.bak"}),
    ):
        gated = gate(plan(seen), seen, Permission())
        assert [verdict.gate for verdict in gated.refusals] == ["removal_evidence"]
        assert gated.plan.writes == ()


def test_a_removed_one_is_left_where_a_person_said_so() -> None:
    left = replace(TOLD_BY_ITS_ANSWER, orphans={"a": True})
    (hold,) = plan(world([job(marked=False)], [], remembers=left)).changes
    assert (hold.reason, type(hold)) == (Reason.ORPHANED, Hold)


def test_a_job_on_a_file_of_an_unknown_spec_is_named_with_what_its_file_says() -> None:
    on_old = job(marked=False, seed=9, file_name=f"fleet-1.a.{R2}.4.jsonl")
    hold = plan(world([on_old], [FROM_HERE], remembers=BY_FILE)).changes[-1]
    assert hold == Hold("a", Reason.ORPHANED, hold.message, "j1", R2, 4)
