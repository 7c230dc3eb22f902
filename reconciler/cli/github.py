"""GitHub Actions, where this runs in one: the summary and the outputs of a step, and where its paths begin.

`plan`, `apply` and `validate` hand over what they print. Nothing is written outside of GitHub Actions, and a file that
cannot be written costs a warning. Imports no HTTP client.
"""

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reconciler.cli import terminal
from reconciler.cli.output import problem_line
from reconciler.errors import ReconcilerError, printable, system_words
from reconciler.render.markdown import error_markdown

# GitHub throws away the whole summary of a step that is longer.
_SUMMARY_LIMIT = 1024 * 1024


def report(summary: Callable[[], str], outputs: Callable[[], Mapping[str, str]]) -> None:
    """Add to the summary of this step, and set its outputs; made where there is such a step."""
    _append("GITHUB_STEP_SUMMARY", summary, limit=_SUMMARY_LIMIT)
    _append("GITHUB_OUTPUT", lambda: "\n".join(f"{name}={value}" for name, value in outputs().items()))


def reporting_errors(command: Callable[..., int]) -> Callable[..., int]:
    """A command whose errors GitHub shows too, in the step's summary.

    A step that fails has no outputs: whoever reads them finds nothing that could be taken for a plan.
    """

    @functools.wraps(command)
    def wrapped(*args: Any, **options: Any) -> int:
        try:
            return command(*args, **options)
        except ReconcilerError as error:
            text = "\n".join([str(error), *map(problem_line, getattr(error, "details", ()))])
            _append("GITHUB_STEP_SUMMARY", lambda: error_markdown(command.__name__, text), limit=_SUMMARY_LIMIT)
            raise

    return wrapped


def path_in_repository(path: str) -> str:
    """A path as GitHub names it, from the root of the checkout, wherever in it the command stands."""
    workspace = os.environ.get("GITHUB_WORKSPACE")
    if not workspace:
        return path
    # Both as they are and with their links followed: a runner's workspace may be a link.
    for place in (os.path.abspath, os.path.realpath):
        start, here = place(workspace), place(path)
        if here.startswith(f"{start}{os.sep}"):
            return os.path.relpath(here, start)
    return path


def _append(variable: str, text: Callable[[], str], *, limit: int | None = None) -> None:
    name = os.environ.get(variable)
    if not name or os.environ.get("GITHUB_ACTIONS") != "true":
        return
    content = f"{text()}\n".encode(errors="backslashreplace")
    try:
        with Path(name).open("ab") as file:
            if limit is not None and file.tell() + len(content) > limit:
                terminal.echo(f"warning: {variable} is full: nothing was added to it", err=True)
                return
            file.write(content)
    except OSError as error:
        reason = system_words(error) or type(error).__name__
        terminal.echo(printable(f"warning: {variable} cannot be written: {reason}"), err=True)
