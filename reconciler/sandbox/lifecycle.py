"""The life of a job, as a pure function of its record and the time.

Status, events and checkpoints are derived anew on every read: nothing here is
stored, and nothing here reads a clock.

At speed 1 a job spends one second in `validating_files`, one in `queued` and two
an epoch in `running`, at most twenty. Pauses stop the clock of the job;
cancelling ends it. Which jobs fail, and when, is in `scripts` and `training`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .ids import derived

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .job import Job

TERMINAL = frozenset({"succeeded", "failed", "cancelled"})

# Seconds at speed 1; the first two are counted from the creation of the job.
_VALIDATED = 1.0
_STARTED = 2.0
_SECONDS_PER_EPOCH = 2.0
_LONGEST_RUN = 20.0
_ENDLESS_RUN = 24 * 3600.0

# The API keeps the checkpoints of the last three epochs.
_KEPT_CHECKPOINTS = 3
# Enough points for a curve, few enough for a page of the API.
_MAX_METRICS = 100


@dataclass(frozen=True, slots=True)
class Event:
    """`key` names the event within its job and makes its id stable."""

    key: str
    at: float
    message: str
    level: str = "info"
    data: Mapping[str, object] | None = None

    @property
    def type(self) -> str:
        return "metrics" if self.key.startswith("step-") else "message"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    step: int
    at: float
    model: str
    metrics: Mapping[str, int | float]


def status(job: Job, now: float) -> str:
    if job.cancelled is not None:
        return "cancelled"
    if _moment(job, _end(job)) <= now:
        return "failed" if job.failure else "succeeded"
    if job.pauses and job.pauses[-1].end is None:
        return "paused"
    if _moment(job, _STARTED) <= now:
        return "running"
    return "queued" if _moment(job, _VALIDATED) <= now else "validating_files"


def finished_at(job: Job, now: float) -> float | None:
    if status(job, now) not in TERMINAL:
        return None
    return job.cancelled if job.cancelled is not None else _moment(job, _end(job))


def estimated_finish(job: Job, now: float) -> float | None:
    """Known only while the job runs."""
    return _moment(job, _STARTED + _run(job)) if status(job, now) == "running" else None


def events(job: Job, now: float) -> list[Event]:
    """Everything that has happened up to `now`, newest first."""
    horizon = now if job.cancelled is None else min(now, job.cancelled)
    happened = [event for event in _planned(job) if event.at <= horizon]
    happened.extend(_interventions(job))
    # The sort is stable: events of one instant stay in the order they were planned in.
    happened.sort(key=lambda event: event.at)
    return happened[::-1]


def checkpoints(job: Job, now: float) -> list[Checkpoint]:
    """The kept checkpoints, highest step first. The last one of a finished job is the model itself."""
    horizon = min(now, _moment(job, _end(job)))
    if job.cancelled is not None:
        horizon = min(horizon, job.cancelled)
    reached = [epoch for epoch in range(1, job.epochs + 1) if _epoch_end(job, epoch) <= horizon]
    if job.failure and not job.failure.training:
        return []
    return [_checkpoint(job, epoch) for epoch in reached[: -_KEPT_CHECKPOINTS - 1 : -1]]


def metrics(job: Job, step: int) -> dict[str, int | float]:
    """Losses that fall along one curve, a little different for each seed."""
    total = job.steps_per_epoch * job.epochs
    start = 1.6 + (job.seed % 1000) / 1000
    loss = 0.2 + start * math.exp(-3 * step / total)
    points: dict[str, int | float] = {
        "step": step,
        "train_loss": round(loss, 6),
        "train_mean_token_accuracy": round(math.exp(-loss / 2), 6),
    }
    if job.validation_file is not None:
        points["valid_loss"] = round(loss * 1.08, 6)
        points["valid_mean_token_accuracy"] = round(math.exp(-loss * 1.08 / 2), 6)
    return points


def _moment(job: Job, offset: float) -> float:
    """When the job reaches an offset of its own clock; infinite if a pause without an end comes first."""
    moment = job.created + offset / job.speed
    for pause in job.pauses:
        if pause.start >= moment:
            break
        if pause.end is None:
            return math.inf
        moment += pause.end - pause.start
    return moment


def _run(job: Job) -> float:
    return _ENDLESS_RUN if job.endless else min(_SECONDS_PER_EPOCH * job.epochs, _LONGEST_RUN)


def _end(job: Job) -> float:
    if job.failure is None:
        return _STARTED + _run(job)
    return _STARTED + _run(job) / 2 if job.failure.training else _VALIDATED


def _epoch_end(job: Job, epoch: int) -> float:
    return _moment(job, _STARTED + _run(job) * epoch / job.epochs)


def _checkpoint(job: Job, epoch: int) -> Checkpoint:
    step = job.steps_per_epoch * epoch
    is_model = epoch == job.epochs
    name = job.fine_tuned_model if is_model else f"{job.fine_tuned_model}:ckpt-step-{step}"
    points = metrics(job, step)
    if "valid_loss" in points:
        points["full_valid_loss"] = points["valid_loss"]
        points["full_valid_mean_token_accuracy"] = points["valid_mean_token_accuracy"]
    return Checkpoint(step, _epoch_end(job, epoch), name, points)


def _planned(job: Job) -> Iterator[Event]:
    """What happens if nobody intervenes, oldest first."""
    yield Event("created", job.created, f"Created fine-tuning job: {job.id}")
    yield Event("validating", job.created, f"Validating training file: {job.training_file}")
    end = _moment(job, _end(job))
    if job.failure is None or job.failure.training:
        yield Event("queued", _moment(job, _VALIDATED), "Files validated, moving job to queued state")
        yield Event("started", _moment(job, _STARTED), "Fine-tuning job started")
        yield from (event for event in _training(job) if event.at <= end)
    if job.failure is not None:
        yield Event("failed", end, job.failure.message, level="error", data={"error_code": job.failure.code})
        return
    yield Event("model", end, f"New fine-tuned model created: {job.fine_tuned_model}")
    yield Event("succeeded", end, "The job has successfully completed")


def _training(job: Job) -> Iterator[Event]:
    total = job.steps_per_epoch * job.epochs
    stride = -(-total // _MAX_METRICS)
    measured = {*range(stride, total, stride), total}
    saved = set(range(job.steps_per_epoch, total, job.steps_per_epoch))
    for step in sorted(measured | saved):
        at = _moment(job, _STARTED + _run(job) * step / total)
        if step in measured:
            points = metrics(job, step)
            message = f"Step {step}/{total}: training loss={points['train_loss']:.2f}"
            yield Event(f"step-{step}", at, message, data={**points, "total_steps": total})
        if step in saved:
            yield Event(f"checkpoint-{step}", at, f"Checkpoint created at step {step}")


def _interventions(job: Job) -> Iterator[Event]:
    """What clients did to the job."""
    for number, pause in enumerate(job.pauses):
        yield Event(f"paused-{number}", pause.start, "Fine-tuning job paused")
        if pause.end is not None:
            yield Event(f"resumed-{number}", pause.end, "Fine-tuning job resumed")
    if job.cancelled is not None:
        yield Event("cancelled", job.cancelled, "Fine-tuning job cancelled")


def event_id(job: Job, event: Event) -> str:
    return "ftevent-" + derived(job.id, "event", event.key)


def checkpoint_id(job: Job, checkpoint: Checkpoint) -> str:
    return "ftckpt_" + derived(job.id, "checkpoint", str(checkpoint.step))
