"""Statuses, events and checkpoints for a reader: one row a job, or everything of one job.

Pure. `status`, `events`, `checkpoints` and the end of an `apply` print what these return.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from reconciler.core.job import Checkpoint, Event
from reconciler.core.status import Status
from reconciler.errors import escaped
from reconciler.render.text import age, table


def status_table(statuses: Iterable[Status], *, now: float) -> str:
    """A row a job: name, job id, provider status, Synced, Succeeded, model, age."""
    rows = [("NAME", "JOB", "STATUS", "SYNCED", "SUCCEEDED", "MODEL", "AGE")]
    for status in statuses:
        conditions = {c.type: c for c in status.conditions}
        synced = conditions["Synced"]
        model = status.fine_tuned_model or _latest(status)
        rows.append(
            (
                status.name,
                status.job_id or "-",
                status.job_status or "-",
                synced.status if synced.status == "True" else f"{synced.status} ({synced.reason})",
                conditions["Succeeded"].status,
                model or "-",
                age(now - status.created_at) if status.created_at else "-",
            )
        )
    return table(rows)


def _latest(status: Status) -> str:
    return f"{status.latest_model['model']} (earlier spec)" if status.latest_model else ""


def status_detail(status: Status) -> str:
    """Everything known of one name."""
    facts = [
        ("name", status.name),
        ("revision", status.revision or "-"),
        ("job", status.job_id or "-"),
        ("status", status.job_status or "-"),
        ("model", status.fine_tuned_model or _latest(status) or "-"),
        ("trained tokens", "-" if status.trained_tokens is None else str(status.trained_tokens)),
    ]
    if status.error:
        facts.append(("error", ": ".join(part for part in status.error.values() if part)))
    parts = [table(facts), "", "Conditions"]
    parts.append(
        table(
            [("TYPE", "STATUS", "REASON", "SINCE", "MESSAGE")]
            + [(c.type, c.status, c.reason, c.last_transition_time or "-", c.message) for c in status.conditions]
        )
    )
    if status.history:
        parts += ["", "Jobs of this name", table([("JOB", "REVISION", "ATTEMPT", "STATUS", "MODEL"), *_past(status)])]
    if any(job["ended_reason"] is not None for job in status.history):
        parts += ["", "How they ended", table([("JOB", "ENDED", "BY", "REASON", "WHY"), *_ends(status)])]
    if status.checkpoints:
        parts += ["", "Checkpoints"]
        parts.append(table([("STEP", "MODEL")] + [(str(c["step"]), str(c["model"])) for c in status.checkpoints]))
    return "\n".join(parts)


def _past(status: Status) -> Iterable[tuple[str, ...]]:
    for job in status.history:
        keys = ("job_id", "revision", "attempt", "status", "fine_tuned_model")
        yield tuple("-" if job[key] is None else str(job[key]) for key in keys)


def _ends(status: Status) -> Iterable[tuple[str, ...]]:
    for job in status.history:
        if job["ended_reason"] is not None:
            at, by = job["ended_at"], job["ended_by"] or "not known here"
            yield (
                str(job["job_id"]),
                _time(at) if isinstance(at, int) else "-",
                str(by),
                str(job["ended_reason"]),
                str(job["ended_message"]),
            )


def event_line(event: Event) -> str:
    """One event: its time, level and message."""
    return f"{_time(event.created_at)}  {escaped(event.level):<5}  {escaped(event.message)}"


def event_data(event: Event) -> Mapping[str, object]:
    """An event of ``-o json``."""
    return {
        "id": event.id,
        "created_at": event.created_at,
        "level": event.level,
        "type": event.type,
        "message": event.message,
        "metrics": dict(event.metrics),
    }


def checkpoint_table(checkpoints: Iterable[Checkpoint]) -> str:
    """A row a checkpoint: step, model, losses."""
    rows = [("STEP", "MODEL", "TRAIN LOSS", "VALID LOSS")]
    rows += [
        (str(c.step), c.model or "-", _metric(c, "train_loss"), _metric(c, "full_valid_loss", "valid_loss"))
        for c in checkpoints
    ]
    return table(rows)


def checkpoint_data(checkpoint: Checkpoint) -> Mapping[str, object]:
    """A checkpoint of ``-o json``."""
    return {
        "id": checkpoint.id,
        "step": checkpoint.step,
        "model": checkpoint.model,
        "created_at": checkpoint.created_at,
        "metrics": dict(checkpoint.metrics),
    }


def _metric(checkpoint: Checkpoint, *names: str) -> str:
    value = next((checkpoint.metrics[n] for n in names if n in checkpoint.metrics), None)
    return "-" if value is None else f"{value:.4f}"


def _time(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):  # a server that counts milliseconds, or nonsense
        return str(seconds)
