"""What the looks of a run have shown of an account, and when a few of its newest jobs tell the rest."""

from collections.abc import Iterable

import pytest

from reconciler.core.job import Job, Marks
from reconciler.core.looks import PASSES_BETWEEN, SECONDS_BETWEEN, Looks, is_newest_first, shared

SETTLE = 30.0


def jobs(*numbers: int, status: str = "succeeded") -> tuple[Job, ...]:
    """These jobs, each made at the moment of its number."""
    return tuple(Job(f"j{n}", status, created_at=n) for n in numbers)


def by_id(listed: Iterable[Job]) -> dict[str, Job]:
    return {job.id: job for job in listed}


LISTED = jobs(5, 4, 3, 2, 1)
OLD = Looks().after_complete(LISTED, 0.0, SETTLE).after_complete(LISTED, SETTLE, SETTLE)


def test_a_page_is_the_last_to_read_where_a_look_a_settle_window_later_has_walked_past_all_of_it() -> None:
    once = Looks().after_complete(LISTED, 0.0, SETTLE)
    assert not once.reaches(LISTED[:2])
    assert not once.after_complete(LISTED, SETTLE - 1.0, SETTLE).reaches(LISTED[:2])
    assert OLD.reaches(LISTED[:2])


def test_a_page_with_one_unknown_job_is_not_the_last_and_neither_is_an_empty_one() -> None:
    assert not OLD.reaches(jobs(6, 5))
    assert not OLD.reaches(())


def test_a_job_is_young_again_for_nobody_but_itself() -> None:
    known = OLD.after_incremental(by_id(jobs(6, 5)), 100.0, SETTLE)
    assert not known.reaches(jobs(6, 5))
    assert known.reaches(jobs(5, 4))
    assert known.after_incremental(by_id(jobs(6, 5)), 100.0 + SETTLE, SETTLE).reaches(jobs(6, 5))


def test_what_an_incremental_look_does_not_show_stays_known() -> None:
    known = OLD.after_incremental(by_id(jobs(6)), 100.0, SETTLE)
    assert set(known.jobs) == {"j1", "j2", "j3", "j4", "j5", "j6"}


def test_what_a_complete_look_does_not_show_is_gone() -> None:
    assert set(OLD.after_complete(LISTED[:3], 100.0, SETTLE).jobs) == {"j5", "j4", "j3"}


def test_the_version_is_the_same_as_long_as_none_has_changed() -> None:
    assert OLD.after_complete(jobs(5, 4, 3, 2, 1), 100.0, SETTLE).version == OLD.version
    assert OLD.after_incremental(by_id(jobs(5, 4)), 100.0, SETTLE).version == OLD.version
    assert OLD.after_incremental(by_id(jobs(5, status="running")), 100.0, SETTLE).version != OLD.version
    assert OLD.after_complete(jobs(5, 4, 3, 2), 100.0, SETTLE).version != OLD.version


def test_a_job_that_does_not_matter_changes_and_everything_is_as_it_was() -> None:
    changed = by_id(jobs(6, 5, status="running"))
    for matters, same in ((lambda _: False, True), (lambda job: job.id == "j5", False), (lambda job: job.live, False)):
        known = OLD.after_incremental(changed, 100.0, SETTLE, matters)
        assert (known.version == OLD.version) is same
        assert known.jobs["j5"].live
    live = OLD.after_incremental(changed, 100.0, SETTLE)
    assert live.after_incremental(by_id(jobs(5)), 100.0, SETTLE, lambda job: job.live).version != live.version
    assert OLD.after_complete(LISTED[1:], 100.0, SETTLE, lambda job: job.id == "j5").version != OLD.version
    assert OLD.after_complete(LISTED[1:], 100.0, SETTLE, lambda job: job.id == "j4").version == OLD.version


def test_a_job_that_is_shown_as_it_is_known_is_kept_once() -> None:
    again, changed = shared(jobs(5), OLD.jobs), shared(jobs(5, status="running"), OLD.jobs)
    assert again[0] is OLD.jobs["j5"]
    assert changed == jobs(5, status="running")
    assert shared(jobs(7, 6), OLD.jobs) == jobs(7, 6)


@pytest.mark.parametrize(
    ("listed", "in_order"),
    [
        pytest.param(LISTED, True, id="the newest first"),
        pytest.param(LISTED[::-1], False, id="the oldest first"),
        pytest.param(jobs(5, 3, 4, 2, 1), False, id="one out of order"),
        pytest.param(jobs(5, 4, 4), True, id="the last at one moment"),
        pytest.param(jobs(5, 5, 5), False, id="all at one moment"),
        pytest.param(jobs(5), False, id="only one"),
        pytest.param(jobs(5, 4, 0), False, id="one without a time"),
        pytest.param((), False, id="none"),
    ],
)
def test_only_a_listing_in_order_need_not_be_read_to_its_end(listed: tuple[Job, ...], *, in_order: bool) -> None:
    known = Looks().after_complete(listed, 0.0, SETTLE).after_complete(listed, SETTLE, SETTLE)
    assert known.reaches(listed[:2]) is in_order


def test_an_account_of_one_page_is_read_to_its_end_whatever_its_order() -> None:
    few, many = jobs(*range(1, 101)), jobs(*range(1, 102))
    assert Looks().after_complete(few, 0.0, SETTLE).tells(1)
    assert not Looks().after_complete(many, 0.0, SETTLE).tells(1)


def test_so_many_jobs_are_asked_for_one_by_one_as_there_are_pages_and_ten_anyway() -> None:
    many = Looks().after_complete(jobs(*range(2500, 0, -1)), 0.0, SETTLE)
    assert OLD.tells(10)
    assert not OLD.tells(11)
    assert many.tells(25)
    assert not many.tells(26)


def test_everything_is_looked_at_anew_after_so_many_passes_or_seconds() -> None:
    known = OLD.anew(100.0)
    assert not known.is_old(100.0 + SECONDS_BETWEEN - 1.0)
    assert known.is_old(100.0 + SECONDS_BETWEEN)
    for _ in range(PASSES_BETWEEN):
        assert not known.is_old(100.0)
        known = known.passed()
    assert known.is_old(100.0)
    assert not known.anew(100.0).is_old(100.0)
    assert Looks().is_old(0.0)


@pytest.mark.parametrize(
    ("marks", "echoes", "strange"),
    [
        (Marks("fleet-1", "a", "1" * 16, 1), True, True),
        (Marks("fleet-2", "a", "1" * 16, 1), True, False),
        (Marks("fleet-2", "a", "1" * 16, 1), False, False),
        (None, True, False),
        (None, False, True),  # where marks do not come back, any may be ours
    ],
)
def test_an_unknown_job_is_a_surprise_where_it_may_be_ours(marks: Marks | None, *, echoes: bool, strange: bool) -> None:
    new = Job("j6", "running", created_at=6, marks=marks)
    assert OLD.strangers({"j6": new}, "fleet-1", echoes=echoes) is strange
    assert not OLD.strangers(by_id(LISTED), "fleet-1", echoes=echoes)


def test_a_page_in_order_may_hold_jobs_of_one_moment() -> None:
    assert is_newest_first(jobs(5, 5, 4))
    assert is_newest_first(())
    assert not is_newest_first(jobs(4, 5))
