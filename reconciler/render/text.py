"""How text is laid out: columns, ages, colour. Used by every other module in here."""

from collections.abc import Sequence

from reconciler.errors import printable

_COLOURS = {"green": "32", "red": "31", "yellow": "33", "cyan": "36"}
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


def plural(count: int, noun: str) -> str:
    """``1 job``, ``2 jobs``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Left-aligned columns, two spaces apart; what a server said is escaped."""
    clean = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*clean, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in clean)
    return "\n".join(line.rstrip() for line in lines)
