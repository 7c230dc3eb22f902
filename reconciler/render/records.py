"""A job's events and checkpoints, as text and as data. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from reconciler.core.job import Checkpoint, Event
from reconciler.errors import escaped
from reconciler.render.text import table


def event_line(event: Event) -> str:
    """One event: its time, level and message."""
    return f"{time_words(event.created_at)}  {escaped(event.level):<5}  {escaped(event.message)}"


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


def time_words(seconds: int) -> str:
    """A time in UTC, to the second."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):  # a server that counts milliseconds, or nonsense
        return str(seconds)
