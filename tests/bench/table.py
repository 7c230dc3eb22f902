"""The table of a bench: what a row is, what was measured of it, and how both are shown, kept and compared.

Pure. `rows` lists the rows, `__main__` measures and prints. A score is what a row is judged by: a ratio, or a figure of
its own.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

_UNITS = {"s": (1.0, "s"), "ms": (1000.0, "ms"), "B": (1.0, "B"), "/s": (1.0, "/s")}


@dataclass(frozen=True, slots=True)
class Goal:
    """``check`` is what no commit may exceed on any machine; None for what depends on the machine too much."""

    at_least: float
    aim: float
    check: float | None = None
    more: bool = False  # whether more is better

    def met_by(self, score: float, bound: float) -> bool:
        """Whether a score keeps to a bound."""
        return score >= bound if self.more else score <= bound

    @property
    def sign(self) -> str:
        return "≥" if self.more else "≤"


@dataclass(frozen=True, slots=True)
class Measured:
    """``ours`` and ``other`` in the row's unit: seconds, bytes, or a rate. Without ``other`` ours is the score."""

    ours: float
    other: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One row as it was measured; without ``measured`` it was skipped, and ``why`` says so."""

    name: str
    title: str
    unit: str
    goal: Goal
    measured: Measured | None
    why: str = ""

    @property
    def score(self) -> float | None:
        """What the row is judged by."""
        found = self.measured
        if found is None:
            return None
        if found.other is None:
            return found.ours * _UNITS[self.unit][0]
        # Where more is better, the other's cost is counted in ours.
        over, under = (found.other, found.ours) if self.goal.more else (found.ours, found.other)
        return over / under if under else None


_HEADS = ("row", "ours", "floor or peer", "ratio", "at least", "aim", "")


def cells(line: Line) -> tuple[str, ...]:
    """A line of the table, as texts."""
    found, score, goal = line.measured, line.score, line.goal
    alone = found is None or found.other is None
    bounds = [f"{goal.sign} {_bound(bound, line, ratio=not _own_unit(line))}" for bound in (goal.at_least, goal.aim)]
    if found is None or score is None:
        return (line.title, "–", "–", "–", *bounds, f"skipped: {line.why}")
    other = "–" if found.other is None else _figure(found.other, line.unit)
    ratio = "–" if alone else f"{_number(score)} ×"
    return (line.title, _figure(found.ours, line.unit), other, ratio, *bounds, _verdict(goal, score))


def as_text(lines: Iterable[Line]) -> str:
    """For a terminal, with what has to be known of a row below it."""
    lines = list(lines)
    table = [_HEADS, *map(cells, lines)]
    widths = [max(len(row[column]) for row in table) for column in range(len(_HEADS))]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    notes = [f"{line.name}: {line.measured.note}" for line in lines if line.measured and line.measured.note]
    return "\n".join([*shown, *([""] if notes else []), *notes])


def as_markdown(lines: Iterable[Line]) -> str:
    """For docs/speed.md, each row with the command that measures it."""
    lines = list(lines)
    heads = (*_HEADS[:-1], "met", "`python -m tests.bench …`")
    rows = [heads, tuple("---" for _ in heads), *((*cells(line), f"`--only {line.name}`") for line in lines)]
    notes = [f"* {line.title}: {line.measured.note}." for line in lines if line.measured and line.measured.note]
    return "\n".join([*(f"| {' | '.join(row)} |" for row in rows), *([""] if notes else []), *notes])


def exceeded(lines: Iterable[Line]) -> list[str]:
    """A sentence for each row that is beyond what `--check` allows."""
    return [
        f"{line.name}: {line.title} is {_bound(score, line, ratio=not _own_unit(line))}, "
        f"and may be {'no less' if line.goal.more else 'no more'} than "
        f"{_bound(check, line, ratio=not _own_unit(line))}"
        for line in lines
        if (score := line.score) is not None
        and (check := line.goal.check) is not None
        and not line.goal.met_by(score, check)
    ]


def compared(lines: Iterable[Line], before: Mapping[str, Measured]) -> str:
    """What became of each row since: its own figures, so that a floor that moved is not taken for a gain."""
    rows = [("row", "before", "now", "before / now")]
    for line in lines:
        now, then = line.measured, before.get(line.name)
        if now is None or then is None:
            continue
        gain = then.ours / now.ours if line.unit != "/s" else now.ours / then.ours
        rows.append((line.title, _figure(then.ours, line.unit), _figure(now.ours, line.unit), f"{_number(gain)} ×"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def saved(lines: Iterable[Line], about: Mapping[str, str]) -> str:
    """A run, as JSON that `loaded` reads."""
    rows = {line.name: asdict(line.measured) for line in lines if line.measured is not None}
    return json.dumps({"about": dict(about), "rows": rows}, indent=2) + "\n"


def loaded(text: str) -> dict[str, Measured]:
    """The rows of a run that was saved. Raises ValueError where it is none."""
    try:
        return {name: Measured(**row) for name, row in json.loads(text)["rows"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not a run that --save wrote") from error


def _own_unit(line: Line) -> bool:
    """Whether the row is judged by a figure, not by a ratio."""
    return line.unit != "s"


def _verdict(goal: Goal, score: float) -> str:
    if goal.met_by(score, goal.aim):
        return "aim"
    return "yes" if goal.met_by(score, goal.at_least) else "no"


def _bound(value: float, line: Line, *, ratio: bool) -> str:
    return f"{_number(value)} ×" if ratio else f"{_number(value)} {_UNITS[line.unit][1]}"


def _figure(value: float, unit: str) -> str:
    if unit == "s" and value < 1:
        unit = "ms"
    factor, word = _UNITS[unit]
    return f"{_number(value * factor)} {word}"


def _number(value: float) -> str:
    """Three digits that count, the whole ones all."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"
