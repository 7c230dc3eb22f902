"""A line of a plan about one job."""

from reconciler.core.change import Cancel
from reconciler.core.lines import held_ahead
from reconciler.core.reason import Reason
from tests.fakes.builders import R2, job, world


def test_a_job_that_is_ahead_is_held_and_its_end_is_what_a_person_may_approve() -> None:
    (case,) = world([job("j7", revision=R2, attempt=3)], []).cases.values()
    hold = held_ahead(case, case.jobs[0], "nobody here knows it")
    assert (hold.name, hold.reason, hold.job_id, hold.revision, hold.attempt) == ("a", Reason.AHEAD, "j7", R2, 3)
    assert hold.write == Cancel("a", Reason.AHEAD, hold.message, "j7", R2, 3)
