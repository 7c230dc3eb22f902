"""A job's events and checkpoints, as text and as data. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from reconciler.core.job import Checkpoint, Event
from reconciler.errors import escaped, printable
from reconciler.render.text import columns, hanging, table


def event_lines(event: Event, width: int | None = None) -> list[str]:
    """One event: its time, level and message, which goes on below itself where the screen is ``width`` columns."""
    lead = f"{time_words(event.created_at)}  {escaped(event.level):<5}  "
    message = escaped(event.message)
    longest = max(map(columns, message.split()), default=0)
    below = " " * len(lead) if width is not None and len(lead) + longest <= width else "  "
    return hanging(message, lead, below, width)


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


def checkpoint_table(checkpoints: Iterable[Checkpoint], width: int | None = None) -> str:
    """A row a checkpoint: step, model, losses; on a screen too narrow for that, each model has a line of its own."""
    rows = [("STEP", "MODEL", "TRAIN LOSS", "VALID LOSS")]
    rows += [
        (str(c.step), c.model or "-", _metric(c, "train_loss"), _metric(c, "full_valid_loss", "valid_loss"))
        for c in checkpoints
    ]
    text = table(rows)
    if width is None or max(map(columns, text.split("\n"))) <= width:
        return text
    lines = table([(step, *losses) for step, _, *losses in rows]).split("\n")
    models = (printable(model) for _, model, *_ in rows)
    return "\n".join(line for pair in zip(lines, models, strict=True) for line in pair)


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
