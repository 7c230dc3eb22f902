"""Problems of manifests as lines and as data, under paths that can be clicked where the reader stands.

Pure. `cli` shows every problem and warning of a reading through this, so that all commands name a file alike.
"""

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from reconciler.core.snapshot import Problem
from reconciler.errors import plural, printable
from reconciler.render.text import sentence

_TAB = 4  # columns; wider ones push a manifest's text off the screen
_LEAST = 20  # columns of text around a caret, however narrow the terminal


def located(problems: Iterable[Problem], directory: str) -> tuple[Problem, ...]:
    """The problems of a fleet in ``directory``, which is named as seen from where the reader stands."""
    return tuple(replace(one, path=posixpath.normpath(posixpath.join(directory, one.path))) for one in problems)


def as_data(problems: Iterable[Problem]) -> tuple[dict[str, object], ...]:
    """For programs: ``[{path, line, column, field, message}]``. A problem of a whole file is in its line 1."""
    return tuple(
        {
            "path": one.path,
            "line": max(1, one.line),
            "column": max(1, one.column),
            "field": one.field,
            "message": one.message,
        }
        for one in problems
    )


def as_lines(problems: Iterable[Problem], *, width: int | None = None) -> Iterator[str]:
    """A line for each. With ``width``, the columns of the reader's screen, each has the manifest's line below it."""
    for problem in problems:
        yield from sentence(str(problem), width)
        if width is not None and problem.text.strip():
            yield from _excerpt(problem, width)


def problem_count(problems: Sequence[Problem]) -> str:
    """How many there are, and in how many files."""
    files = len({problem.path for problem in problems if problem.line})
    return plural(len(problems), "problem") + (f" in {plural(files, 'file')}" if files else "")


def _excerpt(problem: Problem, width: int) -> Iterator[str]:
    """The line, cut to fit, with a caret below the column; as rustc and ruff show it."""
    margin = f"{problem.line:>4} | "
    caret = problem.column - 1 if problem.caret is None else problem.caret
    before, after = _on_screen(problem.text[:caret]), _on_screen(problem.text[caret:])
    room = max(_LEAST, width - len(margin) - 1)
    if len(before) + len(after) > room and len(before) > room // 2:
        before = "…" + before[len(before) - room // 2 + 1 :]
    if len(before) + len(after) > room:
        after = after[: room - len(before) - 1] + "…"
    yield f"{margin}{before}{after}".rstrip()
    yield f"{' ' * (len(margin) - 2)}| {' ' * len(before)}^"


def _on_screen(text: str) -> str:
    """With each character one column wide: the caret stands where it belongs, and nothing steers the terminal."""
    return printable(text.replace("\t", " " * _TAB))
