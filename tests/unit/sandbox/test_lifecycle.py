from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest

from reconciler.sandbox import lifecycle
from reconciler.sandbox.job import Failure, Job, Pause, dump, load

from .builders import START, a_job

FAILS_IN_TRAINING = Failure("server_error", "The server had an error.", training=True)
FAILS_IN_VALIDATION = Failure("invalid_n_examples", "Too few examples.", "training_file")


@pytest.mark.parametrize(
    ("offset", "status"),
    [
        (-5.0, "validating_files"),  # a clock that went back
        (0.0, "validating_files"),
        (0.99, "validating_files"),
        (1.0, "queued"),
        (2.0, "running"),
        (7.99, "running"),
        (8.0, "succeeded"),
        (1e9, "succeeded"),
    ],
)
def test_job_of_three_epochs_passes_through_every_status_in_order(offset: float, status: str) -> None:
    assert lifecycle.status(a_job(), START + offset) == status


def test_speed_divides_every_duration() -> None:
    job = a_job(speed=4.0)
    statuses = [lifecycle.status(job, START + offset) for offset in (0.2, 0.25, 0.5, 2.0)]
    assert statuses == ["validating_files", "queued", "running", "succeeded"]


def test_longest_run_takes_twenty_seconds() -> None:
    job = a_job(n_epochs=50)
    assert lifecycle.status(job, START + 21.9) == "running"
    assert lifecycle.status(job, START + 22) == "succeeded"


def test_endless_job_still_runs_after_hours() -> None:
    assert lifecycle.status(a_job(endless=True), START + 23 * 3600) == "running"


@pytest.mark.parametrize(("failure", "at"), [(FAILS_IN_VALIDATION, 1.0), (FAILS_IN_TRAINING, 5.0)])
def test_failing_job_fails_at_its_moment_with_an_error_event(failure: Failure, at: float) -> None:
    job = a_job(failure=failure)
    assert lifecycle.status(job, START + at - 0.01) != "failed"
    assert lifecycle.status(job, START + at) == "failed"
    assert lifecycle.finished_at(job, START + 100) == START + at
    last = lifecycle.events(job, START + 100)[0]
    assert (last.level, last.message, last.at) == ("error", failure.message, START + at)


def test_job_that_fails_in_validation_never_trains() -> None:
    job = a_job(failure=FAILS_IN_VALIDATION)
    assert {event.key for event in lifecycle.events(job, START + 100)} == {"created", "validating", "failed"}
    assert lifecycle.checkpoints(job, START + 100) == []


def _steps(job: Job) -> list[int]:
    """The steps that were measured, newest first."""
    events = lifecycle.events(job, START + 100)
    return [int(str(event.data["step"])) for event in events if event.type == "metrics" and event.data]


def test_job_that_fails_in_training_keeps_what_it_had_reached() -> None:
    job = a_job(failure=FAILS_IN_TRAINING)
    assert [saved.step for saved in lifecycle.checkpoints(job, START + 100)] == [12]
    steps = _steps(job)
    assert max(steps) == 18


def test_losses_fall_from_step_to_step() -> None:
    job = a_job(count=5000, batch_size=2, validation_file="file-valid")
    metrics = [event.data for event in lifecycle.events(job, START + 100)[::-1] if event.type == "metrics"]
    for name in ("train_loss", "valid_loss"):
        losses = [float(str(point[name])) for point in metrics if point]
        assert len(losses) >= 50
        assert all(before > after for before, after in pairwise(losses))


@pytest.mark.parametrize("count", [10, 100, 101, 9999, 1_000_000])
def test_metrics_are_about_a_hundred_at_most_and_end_with_the_last_step(count: int) -> None:
    job = a_job(count=count)
    steps = _steps(job)
    assert len(steps) <= 101
    assert steps[0] == 3 * count


def test_validation_loss_needs_a_validation_file() -> None:
    assert "valid_loss" not in lifecycle.metrics(a_job(), 1)
    assert "valid_loss" in lifecycle.metrics(a_job(validation_file="file-valid"), 1)


@pytest.mark.parametrize(("n_epochs", "steps"), [(1, [12]), (3, [36, 24, 12]), (5, [60, 48, 36])])
def test_last_three_epochs_leave_checkpoints(n_epochs: int, steps: list[int]) -> None:
    saved = lifecycle.checkpoints(a_job(n_epochs=n_epochs), START + 100)
    assert [checkpoint.step for checkpoint in saved] == steps


def test_checkpoints_appear_while_the_job_runs() -> None:
    assert [saved.step for saved in lifecycle.checkpoints(a_job(), START + 6.5)] == [24, 12]


def test_events_are_only_ever_added_at_the_front() -> None:
    job = a_job()
    previous: list[lifecycle.Event] = []
    for tenth in range(100):
        events = lifecycle.events(job, START + tenth / 10)
        assert events[len(events) - len(previous) :] == previous
        previous = events
    assert len({lifecycle.event_id(job, event) for event in previous}) == len(previous) > 40


def test_pause_freezes_the_job_and_resume_continues_it() -> None:
    job = a_job(pauses=(Pause(START + 3),))
    assert lifecycle.status(job, START + 1000) == "paused"
    assert lifecycle.estimated_finish(job, START + 1000) is None
    resumed = replace(job, pauses=(Pause(START + 3, START + 103),))
    assert lifecycle.status(resumed, START + 107.9) == "running"
    assert lifecycle.estimated_finish(resumed, START + 107.9) == START + 108
    assert lifecycle.finished_at(resumed, START + 108) == START + 108


def test_pause_moves_no_event_that_has_happened() -> None:
    before = lifecycle.events(a_job(), START + 3)
    paused = lifecycle.events(a_job(pauses=(Pause(START + 3),)), START + 1000)
    assert paused[1:] == before
    assert paused[0].message == "Fine-tuning job paused"


def test_cancelling_ends_the_events() -> None:
    events = lifecycle.events(a_job(cancelled=START + 4), START + 1000)
    assert events[0].message == "Fine-tuning job cancelled"
    assert events[1:] == lifecycle.events(a_job(), START + 4)


def test_model_trained_again_keeps_its_first_base() -> None:
    job = a_job(model="ft:davinci-002:sandbox:old:abcdefgh:ckpt-step-3", suffix=None)
    assert job.fine_tuned_model.startswith("ft:davinci-002:sandbox::")


def test_record_survives_its_text_form() -> None:
    job = a_job(
        failure=FAILS_IN_TRAINING, pauses=(Pause(START + math.pi), Pause(1, 2)), integrations=({"type": "wandb"},)
    )
    assert load(dump(job)) == job
