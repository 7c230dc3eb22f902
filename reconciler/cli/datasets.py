"""`data`: what training files hold and what they would cost, without a fleet.

Each file is read once, line by line, whatever its size; what is wrong with it is said as `validate` says it.
"""

import sys
from collections.abc import Iterable, Iterator
from itertools import combinations, islice
from pathlib import Path

from msgspec import Struct

from reconciler.cli import terminal
from reconciler.cli.manifests import lines_for
from reconciler.cli.output import print_document
from reconciler.cli.pricing import prices_for, tokenizer_for
from reconciler.core.credentials import masked
from reconciler.core.snapshot import Problem
from reconciler.dataset import cost
from reconciler.dataset.bases import context_of
from reconciler.dataset.checking import check
from reconciler.dataset.epochs import auto_epochs
from reconciler.dataset.facts import Facts, spread_of
from reconciler.dataset.finding import Finding, Severity
from reconciler.dataset.formats import Format, wanted_format
from reconciler.dataset.prices import Prices
from reconciler.dataset.repeats import Repeats
from reconciler.dataset.tokens import Counter, counter_of, encoding
from reconciler.dataset.wanted import Wanted
from reconciler.errors import SourceError, escaped
from reconciler.render.dataset import Overlap, Shown, file_data, file_lines, overlap_data, overlap_line
from reconciler.render.problems import as_data, problem_count
from reconciler.source.files import Below, Unfit, training_lines

# Lines that tell the format of a file, where no flag says it.
_LOOKED_AT = 20
# The encoding of OpenAI's present models, where no model is named.
_USUAL = "o200k_base"


class _Asked(Struct, frozen=True):
    """What is asked of each file."""

    model: str | None
    method: str | None
    counter: Counter
    prices: Prices

    @property
    def context(self) -> int | None:
        return context_of(self.model)

    def format(self, path: Path) -> Format:
        """The format that the flags ask for, else the one that the file has."""
        if self.method or self.model:
            return wanted_format(self.method or "", self.model or "")
        facts = Facts(Counter("nothing", len, exact=False))
        for line in islice(_lines(path), _LOOKED_AT):
            facts.take(line)
        return facts.kind or Format.CHAT


class _Looked(Struct, frozen=True):
    """A file that was looked at, and what there is to compare it with others by."""

    shown: Shown
    repeats: Repeats

    def problems(self, *, warnings: bool) -> list[Problem]:
        found = (f for f in self.shown.report.findings if (f.severity is Severity.WARNING) is warnings)
        return [_problem(self.shown.path, finding) for finding in found]


def data(  # noqa: PLR0913 - one parameter a flag of the command
    files: tuple[Path, ...],
    *,
    model: str | None,
    method: str | None,
    form: str,
    prices: Path | None,
    tokenizer: Path | None,
) -> int:
    """`data`, as `commands` declares it."""
    own = tokenizer_for(tokenizer)
    counter = counter_of(model, own) if model or own else encoding(_USUAL) or counter_of(None)
    asked = _Asked(model, method, counter, prices_for(prices))
    looked = [_looked_at(path, asked) for path in files]
    problems, warnings = ([p for one in looked for p in one.problems(warnings=w)] for w in (False, True))
    overlaps = list(_overlaps(looked))
    if form == "text":
        terminal.echo("\n".join(_text(looked, overlaps, problems, warnings)))
        return 1 if problems else 0
    document = {
        "model": model,
        "method": method,
        "files": [file_data(one.shown) for one in looked],
        "overlaps": overlap_data(overlaps),
        "problems": as_data(problems),
        "warnings": as_data(warnings),
    }
    print_document(document, form)
    return 1 if problems else 0


def _text(
    looked: Iterable[_Looked], overlaps: Iterable[Overlap], problems: list[Problem], warnings: list[Problem]
) -> Iterator[str]:
    histogram = terminal.width_of(sys.stdout) is not None
    for one in looked:
        yield from file_lines(one.shown, histogram=histogram)
    yield from map(terminal.fitted, map(overlap_line, overlaps))
    yield from (terminal.fitted(f"warning: {warning}") for warning in warnings)
    if problems:
        yield from ("", *lines_for(problems, sys.stdout), problem_count(problems))


def _looked_at(path: Path, asked: _Asked) -> _Looked:
    """Raises SourceError where it cannot be read."""
    facts = Facts(asked.counter)
    wanted = Wanted(asked.format(path), context=asked.context, training=None)
    report, repeats = check(_taken(_lines(path), facts), wanted)
    measure = facts.measure(asked.context)
    job = cost.Planned(asked.model, {"method": {"type": asked.method}} if asked.method else {}, str(path))
    shown = Shown(
        path=str(path),
        facts=facts,
        report=report,
        measure=measure,
        spread=spread_of(facts.tokens),
        duplicates=repeats.doubled(),
        epochs=None if asked.method == "reinforcement" else auto_epochs(measure.examples),
        estimate=cost.estimate(job, measure, asked.prices.find(asked.model)) if asked.model else None,
    )
    return _Looked(shown, repeats)


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, wherever it stands. Raises SourceError."""
    if str(path) == "-" or path.is_fifo():
        raise SourceError(
            [f"{escaped(str(path))}: a stream can be read once only, and this is read twice: name a file"]
        )
    try:
        yield from training_lines(str(path.absolute()), Below.of(Path("/")))
    except Unfit as unfit:
        raise SourceError([f"{escaped(str(path))}: {unfit}"]) from unfit


def _taken(lines: Iterable[bytes], facts: Facts) -> Iterator[bytes]:
    for line in lines:
        facts.take(line)
        yield line


def _overlaps(looked: Iterable[_Looked]) -> Iterator[Overlap]:
    for one, other in combinations(looked, 2):
        count, line = other.repeats.shared_with(one.repeats)
        if count:
            yield Overlap(other.shown.path, one.shown.path, count, line)


def _problem(path: str, finding: Finding) -> Problem:
    text, caret = masked(finding.text), finding.caret
    return Problem(path, finding.line, finding.column, finding.path, finding.message, text, caret)
