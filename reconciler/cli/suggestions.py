"""What a person may have meant: commands, flags, choices, names of jobs. Imports nothing heavy."""

from collections.abc import Iterable
from pathlib import Path

from reconciler.core.nearest import nearest
from reconciler.errors import ReconcilerError, escaped

# What other tools of this field call it.
_ELSEWHERE = {
    "check": "validate",
    "diff": "plan",
    "get": "status",
    "jobs": "status",
    "lint": "validate",
    "list": "status",
    "log": "events",
    "logs": "events",
    "ls": "status",
    "new": "init",
    "ps": "status",
    "show": "describe",
    "sync": "apply",
    "version": "--version",
    "watch": "run",
    "--auto-approve": "--yes",
}
_ENDS_A_JOB = "a job ends when its manifest is deleted, by the next apply"
_OTHERWISE = {
    "cancel": _ENDS_A_JOB,
    "delete": _ENDS_A_JOB,
    "destroy": _ENDS_A_JOB,
    "rm": _ENDS_A_JOB,
    "--dry-run": "plan shows what apply would do",
    "--force": "what a gate refuses is approved by its digest: apply --approve DIGEST",
}
# Names in one message; a fleet may have hundreds.
_SHOWN = 10


def meant(word: str, known: Iterable[str]) -> str:
    """``; did you mean WORD?`` where a known word is near, else nothing."""
    close = nearest(word, known)
    return f"; did you mean {escaped(close)}?" if close else ""


def meant_command(word: str, known: Iterable[str]) -> str:
    """The same for a command, which another tool may call by that name."""
    return _meant_elsewhere(word) or meant(word, known)


def meant_flag(word: str, known: Iterable[str]) -> str:
    """The same for a flag: its dashes make none like another."""
    flags = {flag.lstrip("-"): flag for flag in known}
    close = nearest(word.lstrip("-"), flags)
    return _meant_elsewhere(word) or (f"; did you mean {escaped(flags[close])}?" if close else "")


def _meant_elsewhere(word: str) -> str:
    if word in _OTHERWISE:
        return f"; {_OTHERWISE[word]}"
    return f"; did you mean {_ELSEWHERE[word]}?" if word in _ELSEWHERE else ""


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
