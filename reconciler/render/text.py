"""How text is laid out: columns, ages, colour. Used by every other module in here."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from textwrap import wrap
from unicodedata import combining, east_asian_width

from reconciler.errors import printable

# Makes the command of this name, about this job (or ""), as the reader would type it for the same directory.
Typed = Callable[[str, str], str]

_COLOURS = {"green": "32", "red": "31", "yellow": "33", "cyan": "36"}
# Where a sentence ends in a command to copy, by the program's name or its path.
_COMMAND = re.compile(r"(?:(?<=:)|(?<=did you mean)) (?='?\S*reconciler\b'? )")
# What is copied as it stands.
_QUOTED = re.compile(r"`[^`]+`")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def paint(text: str, colour: str, *, colours: bool) -> str:
    """``text`` in a colour, where the reader is a terminal that wants it."""
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if colours and colour else text


def age(seconds: float) -> str:
    """A duration as kubectl writes it: two units at most (``3h10m``)."""
    total = max(0, int(seconds))
    for unit, sign, part, part_sign in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "m"),
        (_MINUTE, "m", 1, "s"),
    ):
        if total >= unit:
            rest = total % unit // part
            return f"{total // unit}{sign}" + (f"{rest}{part_sign}" if rest else "")
    return f"{total}s"


def about(seconds: float) -> str:
    """A duration that is a guess: ``6m``, ``1h5m``. From a minute on it has no seconds."""
    grain = 1 if seconds < _MINUTE else _MINUTE if seconds < _HOUR else 5 * _MINUTE
    return age(max(1, round(seconds / grain)) * grain)


def moment(seconds: float, *, now: float) -> str:
    """A time of day, with its date where it is not within half a day of ``now``."""
    try:
        at = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):  # a server that counts milliseconds, or nonsense
        return str(seconds)
    return at.strftime("%H:%M UTC" if abs(now - seconds) < _DAY / 2 else "%Y-%m-%d %H:%M UTC")


def columns(text: str) -> int:
    """How many columns of a screen a text takes: Chinese, Japanese and Korean letters take two."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(sign) else 2 if east_asian_width(sign) in "WF" else 1 for sign in text)


def clip(text: str, width: int) -> str:
    """At most ``width`` columns of it; what is cut ends in "…"."""
    if columns(text) <= width:
        return text
    while text and columns(text) >= width:
        text = text[:-1]
    return f"{text.rstrip()}…" if width > 0 else ""


def clip_name(name: str, width: int) -> str:
    """At most ``width`` columns of a name: names of one family differ at their ends."""
    if len(name) <= width:
        return name
    end = width // 3
    return f"{name[: width - 1 - end]}…{name[len(name) - end :]}"


def pad(text: str, width: int) -> str:
    """With blanks up to ``width`` columns."""
    return text + " " * (width - columns(text))


def wrapped(text: str, width: int, indent: str = "", hang: str = "") -> list[str]:
    """Lines of at most ``width`` columns; a word is broken only where it alone is longer, a command in backticks never.

    ``hang`` is what every line but the first is indented beyond ``indent``. A command that is too long is left to the
    terminal to break: copied from there it is still one line.
    """
    shown = printable(text)
    whole = _QUOTED.sub(lambda command: command[0].replace(" ", "\xa0"), shown)
    fits = all(columns(command) + len(indent + hang) <= width for command in _QUOTED.findall(shown) if " " in command)
    lines = wrap(
        whole,
        width,
        initial_indent=indent,
        subsequent_indent=indent + hang,
        break_on_hyphens=False,
        break_long_words=fits,
    )
    return [line.replace("\xa0", " ") for line in lines]


def table(rows: Sequence[Sequence[str]]) -> str:
    """Left-aligned columns, two spaces apart; what a server said is escaped."""
    clean = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*clean, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in clean)
    return "\n".join(line.rstrip() for line in lines)


def hanging(text: str, lead: str, indent: str, width: int | None) -> list[str]:
    """``lead`` and ``text``, broken at words where that is needed; nothing is cut."""
    if width is None:
        return [f"{lead}{text}"]
    return wrap(
        text,
        width,
        initial_indent=lead,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    ) or [lead]


def sentence(text: str, width: int | None, indent: str = "  ") -> list[str]:
    """Lines that break at words; a command at the end, which is copied, is whole, on its own line where it must be."""
    if width is None or columns(text) <= width:
        return [text]
    said, *command = _COMMAND.split(text, maxsplit=1)
    lines = hanging(said, "", indent, width)
    if command and columns(lines[-1]) + 1 + columns(command[0]) <= width:
        lines[-1] += f" {command[0]}"
    elif command:
        lines.append(indent + command[0])
    return lines
