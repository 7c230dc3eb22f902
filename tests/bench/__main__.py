"""`python -m tests.bench [--quick] [--only ROW]`: measure, print one table, keep it or hold it against another.

`--save FILE` and `--against FILE` compare two commits, `--markdown` prints the table of docs/speed.md, and `--check`
exits 1 where a ratio is beyond what any machine explains. A row that fails says so and does not stop the others.
"""

import argparse
import datetime as dt
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.rows import ROWS, Row, Skipped
from tests.bench.table import Line, as_markdown, as_text, compared, exceeded, loaded, saved
from tests.bench.workbench import FULL, QUICK, Workbench


def main() -> int:
    """Exit 0; 1 where a row failed, or is beyond what `--check` allows."""
    asked = _parser().parse_args()
    before = loaded(asked.against.read_text()) if asked.against else None
    chosen = [row for row in ROWS if not asked.only or row.name in asked.only]
    scale = QUICK if asked.quick else FULL
    about, lines = _about(quick=asked.quick), []
    with Workbench(scale, asked.latency / 1000, _progress) as bench:
        for line in _measured(bench, chosen):
            lines.append(line)
            if asked.save:  # after each row: a long run that is interrupted leaves what it has
                asked.save.write_text(saved(lines, about))
    print(" · ".join(about.values()), end="\n\n")
    print((as_markdown if asked.markdown else as_text)(lines))
    if before is not None:
        print(f"\nsince {asked.against}:", compared(lines, before), sep="\n")
    return _judged(lines, check=asked.check)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, three samples; costs are carried on")
    parser.add_argument("--only", action="append", metavar="ROW", choices=[row.name for row in ROWS], help="repeatable")
    parser.add_argument("--latency", type=float, default=0.0, metavar="MS", help="milliseconds before each answer")
    parser.add_argument("--markdown", action="store_true", help="print the table as docs/speed.md holds it")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep this run")
    parser.add_argument("--against", type=Path, metavar="FILE", help="compare with a run that was kept")
    parser.add_argument("--check", action="store_true", help="exit 1 where a ratio is far beyond its goal")
    return parser


def _measured(bench: Workbench, rows: list[Row]) -> Iterator[Line]:
    for row in rows:
        _progress(row.name)
        found, why = None, ""
        try:
            found = row.measure(bench)
        except Skipped as error:
            why = str(error)
        except (RuntimeError, OSError) as error:
            _progress(f"{row.name} failed: {error}")
            why = f"failed: {str(error).splitlines()[-1]}"
        yield Line(row.name, row.title, row.unit, row.goal, found, why)


def _judged(lines: list[Line], *, check: bool) -> int:
    beyond = exceeded(lines) if check else []
    for sentence in beyond:
        print(sentence, file=sys.stderr)
    return 1 if beyond or any(line.why.startswith("failed") for line in lines) else 0


def _about(*, quick: bool) -> dict[str, str]:
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "python": f"Python {platform.python_version()}",
        "machine": f"{os.cpu_count()} cores",
        "load": f"load {os.getloadavg()[0]:.1f}",
        "scale": "quick" if quick else "full",
    }


def _progress(text: str) -> None:
    print(f"… {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
