"""What is said of a directory that is not the fleet that was meant: which fleets there are, and what to type.

Pure. `cli` looks at the file system, and knows what was typed.
"""

from collections.abc import Callable, Iterable, Sequence

from reconciler.core.nearest import nearest
from reconciler.errors import escaped

# Fleets that are listed; the others are counted.
_SHOWN = 10

# The command that was typed, with another directory.
Command = Callable[[str], str]


def several_fleets(directory: str, below: Sequence[tuple[str, str]], command: Command) -> str:
    """``below``: each fleet's directory, from where the reader stands, and its name."""
    shown = below[:_SHOWN]
    width = max(len(path) for path, _ in shown)
    lines = [f"  {escaped(path):{width}}  {escaped(name) or '(no name)'}" for path, name in shown]
    more = [f"  and {len(below) - _SHOWN} more"] if len(below) > _SHOWN else []
    way_on = f"name one: {command(below[0][0])}"
    return "\n".join([f"{_named(directory)} is not a fleet, but holds {len(below)} of them; {way_on}", *lines, *more])


def no_directory(directory: str, siblings: Iterable[str], command: Command) -> str:
    """``siblings``: the directories that stand where this one was looked for."""
    path = directory.rstrip("/")
    name = path.rpartition("/")[2]
    message = f"no such directory: {escaped(directory)}"
    close = nearest(name, siblings)
    return f"{message}; did you mean {command(path.removesuffix(name) + close)}" if close else message


def file_for_directory(file: str, command: Command) -> str:
    """A file was given: where it stands is the directory."""
    return f"{escaped(file)} is a file; give its directory: {command(file.rpartition('/')[0] or '.')}"


def _named(directory: str) -> str:
    return "this directory" if directory in {"", "."} else escaped(directory)
