"""What a person may have meant: commands, flags, choices, names of jobs. Imports nothing heavy."""

from collections.abc import Iterable
from pathlib import Path

from reconciler.core.nearest import nearest
from reconciler.errors import ReconcilerError, escaped

# Names in one message; a fleet may have hundreds.
_SHOWN = 10


def meant(word: str, known: Iterable[str]) -> str:
    """``; did you mean WORD?`` where a known word is near, else nothing."""
    close = nearest(word, known)
    return f"; did you mean {escaped(close)}?" if close else ""


def some(names: Iterable[str]) -> str:
    """The first ten, and how many more there are."""
    listed = [escaped(name) for name in names]
    rest = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + rest


def no_such_job(name: str, known: Iterable[str]) -> ReconcilerError:
    """The error for a name that no job of the fleet has."""
    names = sorted(known)
    text = f"no job named {escaped(name)!r} in this fleet"
    if "/" in name or Path(name).is_dir():
        return ReconcilerError(f"{text}; the directory of the fleet is given as -d {escaped(name)}")
    hint = meant(name, names)
    if not names:
        return ReconcilerError(f"{text}, which has no jobs")
    return ReconcilerError(f"{text}{hint or ';'} known: {some(names)}")
