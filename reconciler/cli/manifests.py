"""Where a command's manifests come from: a directory, or standard input; and what is said where they are wrong.

`validate`, `plan`, `apply` and the commands of `inspecting` ask here; the daemon reads on its own. No HTTP client is
imported.
"""

import os
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import click

from reconciler.cli import terminal
from reconciler.cli.invocation import program
from reconciler.core.snapshot import Problem, Snapshot
from reconciler.errors import SourceError, UsageError, escaped, plural
from reconciler.provider.profiles import rules_of
from reconciler.render import directories
from reconciler.render.problems import as_data, as_lines, located, problem_count
from reconciler.settings import Settings
from reconciler.source.data_checks import RulesOf
from reconciler.source.directory import read_directory, read_stream
from reconciler.source.known import FILE, Known

# A stream of 10,000 manifests is a few MB; whatever is far beyond that is not one.
_STREAM_LIMIT = 16 * 1024 * 1024
_WARNINGS_SHOWN = 5


def known_by(settings: Settings) -> Known:
    """What earlier runs on this state directory have read."""
    return Known(settings.state_directory / FILE)


def rules_for(settings: Settings) -> RulesOf:
    """What the server of this run accepts of training files, be it the fleet's or the operator's."""
    return lambda named: rules_of(settings.provider or named)


def read_source(  # noqa: PLR0913, PLR0917 - those of `read_directory`
    directory: str,
    root: Path | None = None,
    own: Iterable[Path] = (),
    known: Known | None = None,
    rules_of: RulesOf = rules_of,
    files_root: Path | None = None,
) -> Snapshot:
    """Read ``directory``, or standard input for ``-`` (paths then start at ``root``); the rest as in `read_directory`.

    Raises:
        UsageError: it is no directory, or one of several fleets.
        SourceError: standard input is too long to be a stream of manifests.
    """
    if directory == "-":
        content = sys.stdin.buffer.read(_STREAM_LIMIT + 1)
        if len(content) > _STREAM_LIMIT:
            raise SourceError([f"standard input: longer than {_STREAM_LIMIT} bytes"])
        return read_stream(content, root or Path(), known, rules_of, files_root)
    _check_directory(directory)
    snapshot = read_directory(Path(directory), own, known, rules_of, files_root)
    check_one_fleet(snapshot, where(Path(directory)))
    return snapshot


def check_one_fleet(snapshot: Snapshot, place: str) -> None:
    """Raises UsageError where ``place`` is no fleet and holds several: names them, and the command for one."""
    if snapshot.fleets_below:
        below = [(os.path.normpath(f"{place}/{path}"), name) for path, name in snapshot.fleets_below]
        raise UsageError(directories.several_fleets(place, below, command_for))


def valid_source(settings: Settings, known: Known | None = None) -> Snapshot:
    """The manifests, all of them valid; what is wrong with them is printed. ``known`` as in `read_directory`.

    Raises:
        UsageError: as `read_source` does.
        SourceError: with every problem of every file for programs; its words say how many they are.
    """
    snapshot = _read(settings, known or known_by(settings))
    _name_data_warnings(snapshot)
    if snapshot.problems or snapshot.fleet is None:
        raise _invalid(snapshot, f"{problem_count(snapshot.problems)}; nothing was sent")
    return snapshot


def readable_source(settings: Settings, known: Known | None = None) -> Snapshot:
    """The manifests as far as they can be read: what is known of the others can still be shown.

    Raises:
        UsageError: as `read_source` does.
        SourceError: not even the fleet is known.
    """
    snapshot = _read(settings, known or known_by(settings))
    if snapshot.fleet is None:
        raise _invalid(snapshot, "without its fleet document nothing can be known of a fleet")
    return snapshot


def seen_from_here(snapshot: Snapshot, problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems of a reading under paths that lead there from where the reader stands."""
    return located(problems, "" if snapshot.stream else where(snapshot.root))


def warnings_of(snapshot: Snapshot) -> tuple[Problem, ...]:
    """What is odd about training files, and which documents were left out; with paths as `seen_from_here` has them."""
    return seen_from_here(snapshot, (*snapshot.warnings, *snapshot.data_warnings))


def lines_for(problems: Iterable[Problem], stream: IO[str]) -> Iterable[str]:
    """A line for each problem; at a terminal with the line of the manifest below it."""
    return as_lines(problems, width=terminal.width_of(stream))


def where(directory: Path) -> str:
    """A directory as the reader would name it: relative where it lies below the working directory, else as it was.

    At the root, where services and containers start, everything lies below, and every path stays as it was.
    """
    try:
        here = Path.cwd()
        return (directory if here == here.parent else directory.relative_to(here)).as_posix()
    except (ValueError, OSError):  # OSError: the working directory is gone
        return directory.as_posix()


def command_for(directory: str) -> str:
    """The command that was typed, with another directory."""
    context = click.get_current_context(silent=True)
    if context is None:  # called by no command
        return f"{program()} validate {shlex.quote(directory)}"
    words = [program(), context.command.name or ""]
    for parameter in context.command.params:
        given = directory if parameter.name == "directory" else context.params.get(parameter.name or "")
        if isinstance(parameter, click.Argument) and given:
            words.append(shlex.quote(str(given)))
        elif parameter.name == "directory":
            words += ["-d", shlex.quote(directory)]
    return " ".join(words)


def _check_directory(directory: str) -> None:
    """Raises UsageError where there is none. Whatever else may be wrong with it, the reading says."""
    path = Path(directory)
    if not os.path.lexists(path):
        raise UsageError(directories.no_directory(directory, _siblings(path), command_for))
    if path.is_file():
        raise UsageError(directories.file_for_directory(directory, command_for))
    if path.exists() and not path.is_dir():
        raise UsageError(f"{escaped(directory)} is no directory")


def _siblings(path: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(path.parent) if entry.is_dir())
    except OSError:
        return []


def _read(settings: Settings, known: Known) -> Snapshot:
    own = (settings.state_directory, settings.sandbox_directory)
    rules = rules_for(settings)
    snapshot = read_source(
        "-" if settings.stream else str(settings.root), settings.root, own, known, rules, settings.files_root
    )
    terminal.manner.fleet = snapshot.fleet.name if snapshot.fleet else ""
    for warning in seen_from_here(snapshot, snapshot.warnings):
        terminal.remark(f"warning: {warning}")
    for line in lines_for(seen_from_here(snapshot, snapshot.problems), sys.stderr):
        terminal.echo(line, err=True)
    return snapshot


def _name_data_warnings(snapshot: Snapshot) -> None:
    """The first few: `validate` has them all."""
    warnings = seen_from_here(snapshot, snapshot.data_warnings)
    for warning in warnings[:_WARNINGS_SHOWN]:
        terminal.remark(f"warning: {warning}")
    if len(warnings) > _WARNINGS_SHOWN:
        more = plural(len(warnings) - _WARNINGS_SHOWN, "more warning")
        terminal.remark(f"{more} of training files: {program()} validate shows them")


def _invalid(snapshot: Snapshot, summary: str) -> SourceError:
    return SourceError([summary], as_data(seen_from_here(snapshot, snapshot.problems)))
