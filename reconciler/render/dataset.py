"""What training files hold, as `reconciler data` shows it: as text, and as data.

Pure.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from reconciler.core.estimate import Estimate, dollars
from reconciler.dataset.facts import Facts, Spread
from reconciler.dataset.finding import Report
from reconciler.dataset.measure import Measure
from reconciler.errors import escaped
from reconciler.render.cost import counted, estimate_data

_LABEL, _BAR = 12, 30
# Roles that are shown: a file with more of them has not those of the API.
_ROLES = 8


class Shown(Struct, frozen=True):
    """A file. ``duplicates``: how many examples repeat another, the line of one of them, and the line that it repeats.

    ``epochs``: as the API would choose them. ``estimate`` is None where no model is named.
    """

    path: str
    facts: Facts
    report: Report
    measure: Measure
    spread: Spread | None
    duplicates: tuple[int, int, int]
    epochs: int | None
    estimate: Estimate | None


class Overlap(Struct, frozen=True):
    """How many examples of a file stand in another one too, and the line of the first."""

    path: str
    other: str
    count: int
    line: int


def file_lines(shown: Shown, *, histogram: bool) -> Iterator[str]:
    """A file as lines; with a ``histogram`` of its tokens at a terminal."""
    facts, measure, spread = shown.facts, shown.measure, shown.spread
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in facts.kinds.most_common())
    yield f"{escaped(shown.path)}: {counted(shown.report.examples, 'example')}{f' ({kinds})' if kinds else ''}"
    if facts.roles:
        roles = facts.roles.most_common(_ROLES)
        yield _row("roles", ", ".join(f"{count:,} {escaped(role)[:40]}" for role, count in roles))
    if facts.tools or facts.images:
        yield _row("holds", f"{counted(facts.tools, 'example')} with tools, {counted(facts.images, 'image')}")
    if spread is not None:
        about = "about " if measure.about else ""
        yield _row("tokens", f"{about}{measure.tokens:,}, {_counted_by(facts)}")
        yield _row("an example", _each(spread))
        yield from _bars(spread) if histogram else ()
    if measure.cut:
        yield _row("cut", f"{counted(measure.cut, 'example')} longer than the model's context")
    count, line, first = shown.duplicates
    if count:
        yield _row("duplicates", f"{counted(count, 'example')} again; line {line} is the same as line {first}")
    if shown.epochs is not None:
        yield _row("epochs", f"{shown.epochs}, where a manifest says auto or nothing")
    if shown.estimate is not None:
        yield _row("cost", _cost(shown.estimate))


def _counted_by(facts: Facts) -> str:
    name = facts.counter.name
    return "estimated from bytes" if name == "bytes" else f"by {escaped(name)}"


def _each(spread: Spread) -> str:
    if spread.least == spread.most:
        return f"{spread.most:,} each"
    return f"{spread.least:,} to {spread.most:,}, median {spread.median:,}, 95 % of them up to {spread.p95:,}"


def _cost(estimate: Estimate) -> str:
    if estimate.usd is None:
        return escaped(estimate.why)
    about = "about " if estimate.about and estimate.usd else ""
    known = ", ".join(filter(None, (estimate.price, estimate.date, estimate.source)))
    return f"{about}{dollars(estimate.usd)} for {escaped(estimate.model or '')} ({escaped(known)})"


def overlap_line(overlap: Overlap) -> str:
    """What a file has in common with another."""
    where = f"{escaped(overlap.other)} too; the first is in line {overlap.line}"
    return f"{escaped(overlap.path)}: {counted(overlap.count, 'example')} in {where}"


def file_data(shown: Shown) -> dict[str, object]:
    """The same for a program."""
    facts, measure, spread = shown.facts, shown.measure, shown.spread
    count, line, first = shown.duplicates
    return {
        "path": shown.path,
        "size": shown.report.size,
        "examples": shown.report.examples,
        "kinds": {str(kind): number for kind, number in facts.kinds.items()},
        "roles": dict(facts.roles),
        "tools": facts.tools,
        "images": facts.images,
        "tokens": {
            "total": measure.tokens,
            "billed": measure.billed,
            "about": measure.about,
            "counted_by": facts.counter.name,
            "min": spread.least if spread else None,
            "median": spread.median if spread else None,
            "p95": spread.p95 if spread else None,
            "max": spread.most if spread else None,
            "cut": measure.cut,
        },
        "duplicates": {"count": count, "line": line or None, "first": first or None},
        "epochs": shown.epochs,
        "estimate": estimate_data(shown.estimate),
        "errors": shown.report.errors,
        "warnings": shown.report.warnings,
    }


def overlap_data(overlaps: Iterable[Overlap]) -> list[dict[str, object]]:
    """The same for a program."""
    return [{"path": o.path, "other": o.other, "examples": o.count, "line": o.line} for o in overlaps]


def _row(label: str, text: str) -> str:
    return f"  {label:<{_LABEL}}{text}"


def _bars(spread: Spread) -> Iterator[str]:
    most = max(count for _, _, count in spread.bars)
    width = len(f"{spread.bars[-1][1]:,}")
    for low, high, count in spread.bars:
        bar = "#" * max(round(count * _BAR / most), 1 if count else 0)
        yield f"{_row('', f'{low:>{width},} to {high:>{width},}  {bar:<{_BAR}}')} {count:,}"
