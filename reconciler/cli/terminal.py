r"""The streams a command speaks through. Nothing that is printed can end the work, whoever reads it.

`program` calls `prepare` once; every command prints through `echo`, `tell` while work goes on, or `remark`. What an
encoding cannot hold is escaped (`\u2713`), a stream that is closed leads nowhere, and a stderr that cannot be written
is lost alone. `manner` is how the person who called wants to be spoken to.
"""

import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import IO

import click
from msgspec import Struct

from reconciler.render.text import sentence

# Error handlers that raise for some text; whoever chose `replace` or `ignore` keeps it.
_RAISING = frozenset({"strict", "surrogateescape", "surrogatepass"})


class Manner(Struct):
    """How this process speaks, as its flags say (`options`), and whether it has said anything on stdout.

    ``fleet``: the name of the one that it speaks of, once that is known.
    ``still``: takes the lines that move off the screen (`live`), so that what is printed does not land in them.
    ``json_lines``: every line of stderr is a JSON object, as ``--log-format json`` promises.
    """

    color: str = "auto"
    quiet: bool = False
    verbose: bool = False
    printed: bool = False
    still: Callable[[], None] = lambda: None
    json_lines: bool = False
    fleet: str = ""


# One for the process, as its streams are: whoever prints asks here.
manner = Manner()


def prepare() -> None:
    """Open what is closed, let no text raise, and forget how an earlier command was to speak."""
    manner.color, manner.quiet, manner.verbose, manner.printed = "auto", False, False, False
    manner.json_lines, manner.fleet, manner.still = False, "", lambda: None
    # In the order of their numbers: what is opened takes the lowest that is free, and no journal may become "stderr".
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - stays open
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and stream.errors in _RAISING:
            stream.reconfigure(errors="backslashreplace")


def echo(text: str, *, err: bool = False) -> None:
    """Print a line; raises OSError where stdout cannot be written. What is said on stderr is lost then, no more.

    Named outright, because click writes UTF-8 past a stream that says ASCII.
    """
    manner.still()
    if not err:
        manner.printed = True
        click.echo(text, file=sys.stdout, color=colours() or None)
        return
    try:
        click.echo(
            _as_event(text) if manner.json_lines else fitted(text, sys.stderr),
            file=sys.stderr,
            color=colours(sys.stderr) or None,
        )
    except OSError:
        drop(sys.stderr)


def _as_event(text: str) -> str:
    """A line of stderr as an event of the log: ``error: …`` is one at that level."""
    level, found, words = text.partition(": ")
    known = bool(found) and level in {"error", "warning"}
    event = {
        "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "level": level if known else "info",
        "event": "command.failed" if known and level == "error" else "command.remarked",
        "message": words if known else text,
    }
    return json.dumps(event)


def remark(text: str) -> None:
    """Say what is no result and no error on stderr; ``-q`` leaves it out."""
    if not manner.quiet:
        echo(text, err=True)


def tell(text: str) -> None:
    """Print a result of work that goes on: a reader that has gone (`| head`), or a full disk, must not end it."""
    try:
        echo(text)
    except OSError:
        drop(sys.stdout)


def finish() -> None:
    """Push out what was said on stderr, or let it be lost: that is no reason for another exit code."""
    try:
        sys.stderr.flush()
    except OSError:
        drop(sys.stderr)


def obeys(stream: IO[str]) -> bool:
    """Whether it leads to a terminal that understands escape codes: one that does has a name (terminfo(5))."""
    return stream.isatty() and os.environ.get("TERM", "") not in {"", "dumb", "unknown"}


def colours(stream: IO[str] | None = None) -> bool:
    """Whether text for ``stream`` (None: stdout) has colours.

    In this order: ``--color`` says so; NO_COLOR (https://no-color.org) and FORCE_COLOR (https://force-color.org) do,
    where they are not empty; it is a terminal that understands them.
    """
    if manner.color != "auto":
        return manner.color == "always"
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or obeys(stream or sys.stdout)


def width_of(stream: IO[str]) -> int | None:
    """Columns that a line on ``stream`` may have; None where it leads to no terminal, be it a dumb one."""
    return width() if stream.isatty() else None


def fitted(text: str, stream: IO[str] | None = None) -> str:
    """Sentences whose lines break at words where ``stream`` (None: stdout) leads to a terminal."""
    columns = width_of(stream or sys.stdout)
    return "\n".join(part for line in text.split("\n") for part in sentence(line, columns))


def width() -> int:
    """Columns that a line may have: the terminal's, or what COLUMNS says, or 80 where nobody says anything."""
    return shutil.get_terminal_size().columns


def drop(stream: IO[str]) -> None:
    """Lead a stream that nobody reads any more to nowhere, with what it still holds."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
