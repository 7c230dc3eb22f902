"""Where a command's manifests come from: a directory, or standard input.

`validate`, `plan`, `apply` and the commands of `reading` ask here; the daemon reads on its own. Imports no HTTP client.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from reconciler.cli import terminal
from reconciler.core.snapshot import Snapshot
from reconciler.errors import SourceError, printable
from reconciler.render.problems import as_data, located
from reconciler.settings import Settings
from reconciler.source import read_directory, read_stream

# A stream of 10,000 manifests is a few MB; whatever is far beyond that is not one.
_STREAM_LIMIT = 16 * 1024 * 1024


def read_source(directory: str, root: Path | None = None, own: Iterable[Path] = ()) -> Snapshot:
    """Read ``directory``, or standard input for ``-`` (paths then start at ``root``); ``own`` as in `read_directory`.

    Raises:
        SourceError: standard input is too long to be a stream of manifests.
    """
    if directory != "-":
        return read_directory(Path(directory), own)
    content = sys.stdin.buffer.read(_STREAM_LIMIT + 1)
    if len(content) > _STREAM_LIMIT:
        raise SourceError([f"standard input: longer than {_STREAM_LIMIT} bytes"])
    return read_stream(content, root or Path())


def valid_source(settings: Settings) -> Snapshot:
    """The manifests, all of them valid.

    Raises:
        SourceError: with every problem of every file.
    """
    snapshot = _read(settings)
    if snapshot.problems or snapshot.fleet is None:
        count = len(snapshot.problems)
        where = "standard input" if settings.stream else printable(str(settings.root))
        summary = f"{count} {'problem' if count == 1 else 'problems'} in the manifests of {where}; nothing was sent"
        raise SourceError([summary, *(str(problem) for problem in snapshot.problems)], _details(settings, snapshot))
    return snapshot


def readable_source(settings: Settings) -> Snapshot:
    """The manifests as far as they can be read: what is known of the others can still be shown.

    Raises:
        SourceError: not even the fleet is known.
    """
    snapshot = _read(settings)
    for problem in snapshot.problems:
        terminal.echo(str(problem), err=True)
    if snapshot.fleet is None:
        message = "without its fleet document nothing can be known of a fleet"
        raise SourceError([message], _details(settings, snapshot))
    return snapshot


def where(directory: Path) -> str:
    """A directory as seen from where the reader stands: what lies below is named from there, all else as it was."""
    try:
        return directory.relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):  # OSError: the working directory is gone
        return directory.as_posix()


def _details(settings: Settings, snapshot: Snapshot) -> Sequence[Mapping[str, object]]:
    return as_data(located(snapshot.problems, "" if settings.stream else where(settings.root)))


def _read(settings: Settings) -> Snapshot:
    own = (settings.state_directory, settings.sandbox_directory)
    snapshot = read_source("-" if settings.stream else str(settings.root), settings.root, own)
    for warning in snapshot.warnings:
        terminal.echo(f"warning: {warning}", err=True)
    return snapshot
