"""A fleet on one screen: a row a job, worst first, no wider than the reader's terminal.

Pure. `status` prints it, and `apply` at its end.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from reconciler.core.status import Progress, Status
from reconciler.errors import printable
from reconciler.render.status_line import Rank, StatusLine, status_line
from reconciler.render.text import age, clip, clip_name, columns, pad, paint, table

RANK_COLOURS: Mapping[Rank, str] = {Rank.TROUBLE: "red", Rank.WAITS: "yellow", Rank.RUNS: "cyan", Rank.DONE: "green"}
_HEADER = ("NAME", "STATUS", "DETAIL", "AGE")
_BESIDES = ("job", "synced", "succeeded", "blocked", "model")
_GAP = 2

# Narrower than this, a row says nothing.
_NARROWEST = 40
# Columns: a name is cut before a detail has fewer than the first, but never below the second.
_DETAIL, _SHORTEST_NAME = 30, 12
# Columns of a detail in `-o wide`, whose rows may be wider than any screen.
_WIDE_DETAIL = 60

_NOTHING_READ: Mapping[str, Progress] = MappingProxyType({})


def status_screen(
    statuses: Iterable[Status],
    *,
    now: float,
    width: int,
    progress: Mapping[str, Progress] = _NOTHING_READ,
    colours: bool = False,
) -> str:
    """Name, status, detail and age. ``progress`` is what was just read, by job id."""
    return "\n".join(_lines(_rows(statuses, now, progress), now, width, colours=colours))


def _lines(rows: Sequence[tuple[Status, StatusLine]], now: float, width: int, *, colours: bool) -> list[str]:
    """The header, and a line for each row."""
    width = max(width, _NARROWEST)
    names = [len(_HEADER[0]), *(len(status.name) for status, _ in rows)]
    words = [len(_HEADER[1]), *(columns(brief.word) for _, brief in rows)]
    ages = [len(_HEADER[3]), *(len(_age(status, now)) for status, _ in rows)]
    word, old = min(max(words), max(width // 5, len(_HEADER[1]))), max(ages)
    name = min(max(names), max(width - word - old - 3 * _GAP - _DETAIL, _SHORTEST_NAME))
    detail = width - name - word - old - 3 * _GAP
    longest = max([len(_HEADER[2]), *(columns(s.detail + s.tail) for _, s in rows)])
    sizes = (name, word, min(detail, longest), old)
    lines = [_line(_HEADER, sizes, "", colours=False)]
    for status, brief in rows:
        cells = (clip_name(status.name, name), clip(brief.word, word), _detail(brief, detail), _age(status, now))
        lines.append(_line(cells, sizes, RANK_COLOURS[brief.rank], colours=colours))
    return lines


def wide_table(
    statuses: Iterable[Status],
    *,
    now: float,
    width: int | None = None,
    progress: Mapping[str, Progress] = _NOTHING_READ,
    colours: bool = False,
) -> str:
    """Also the job's id, the conditions and the model: in columns, or below each row where the screen is too narrow."""
    rows = _rows(statuses, now, progress)
    cells = [
        (s.name, brief.word, _detail(brief, _WIDE_DETAIL), _age(s, now), *_besides(s).values()) for s, brief in rows
    ]
    text = table([(*_HEADER, *map(str.upper, _BESIDES)), *cells])
    if width is None or max(map(columns, text.split("\n"))) <= width:
        return text
    header, *lines = _lines(rows, now, width, colours=colours)
    below = (_packed(_besides(status), width) for status, _ in rows)
    return "\n".join([header, *(one for line, facts in zip(lines, below, strict=True) for one in (line, *facts))])


def _besides(status: Status) -> Mapping[str, str]:
    """What `-o wide` says more, in the order of its columns."""
    said = (status.job_id or "-", *_conditions(status), model_words(status) or "-")
    return dict(zip(_BESIDES, map(printable, said), strict=True))


def _packed(facts: Mapping[str, str], width: int) -> list[str]:
    """As many as fit on a line; a name or an id that needs a line of its own has one."""
    lines: list[str] = []
    for label, value in facts.items():
        fact = f"{label} {value}"
        if lines and columns(lines[-1]) + _GAP + columns(fact) <= width:
            lines[-1] += " " * _GAP + fact
        elif _GAP + columns(fact) <= width:
            lines.append(" " * _GAP + fact)
        else:
            lines += [" " * _GAP + label, value]
    return lines


def model_words(status: Status) -> str:
    """The model to use now, and whether it is of an earlier spec; "" where there is none."""
    if status.fine_tuned_model:
        return printable(status.fine_tuned_model)
    return f"{printable(str(status.latest_model['model']))} (earlier spec)" if status.latest_model else ""


def _rows(statuses: Iterable[Status], now: float, progress: Mapping[str, Progress]) -> list[tuple[Status, StatusLine]]:
    rows = [(s, status_line(s, now=now, progress=progress.get(s.job_id or ""))) for s in statuses]
    return sorted(rows, key=lambda row: (row[1].rank, row[0].name))


def _line(cells: Sequence[str], sizes: Sequence[int], colour: str, *, colours: bool) -> str:
    name, word, detail, old = (pad(cell, size) for cell, size in zip(cells, sizes, strict=True))
    shown = paint(word.rstrip(), colour, colours=colours) + " " * (len(word) - len(word.rstrip()))
    return (" " * _GAP).join((name, shown, detail, old)).rstrip()


def _detail(brief: StatusLine, width: int) -> str:
    """The detail, cut so that its tail stays, where a third of the width is left for the rest."""
    room = width - columns(brief.tail)
    return clip(brief.detail, room) + brief.tail if room > width // 3 else clip(brief.detail + brief.tail, width)


def _conditions(status: Status) -> tuple[str, str, str]:
    found = {c.type: c for c in status.conditions}
    synced, blocked = found["Synced"], found.get("Blocked")
    return (
        synced.status if synced.status == "True" else f"{synced.status} ({synced.reason})",
        found["Succeeded"].status,
        f"True ({blocked.reason})" if blocked else "-",
    )


def _age(status: Status, now: float) -> str:
    return age(now - status.created_at) if status.created_at else "-"
