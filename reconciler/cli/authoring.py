"""`init`, `validate`, `schema`: what a person needs before any provider is asked."""

import re
import secrets
import shlex
import sys
from pathlib import Path
from typing import Any

from reconciler.cli import github, options, terminal
from reconciler.cli.invocation import program
from reconciler.cli.manifests import lines_for, read_source, seen_from_here
from reconciler.cli.output import print_document
from reconciler.cli.starter import starter_files
from reconciler.core.snapshot import Problem, Snapshot
from reconciler.errors import ReconcilerError, UsageError, escaped, plural, system_words
from reconciler.render.annotation import annotation
from reconciler.render.problems import as_data, problem_count
from reconciler.render.schema import manifest_schema
from reconciler.source.enclosing import enclosing_fleet, fleet_document

_LETTERS = "abcdefghijkmnpqrstuvwxyz"  # no l and o, as no 0 and 1: they are misread
_RANDOM_END = f"{_LETTERS}23456789"
_SHOWN = 10  # annotations of one kind that GitHub shows of a step
_NAME_MAX = 58  # a DNS label has 63 characters, 5 of which are the random end


def init(directory: Path) -> None:
    """`init`, as `commands` declares it."""
    above = enclosing_fleet(directory)
    if above is not None:
        raise UsageError(f"{escaped(str(above))} is a fleet, and a directory holds one with all below it")
    there = fleet_document(directory)
    if there is not None:
        terminal.echo(f"kept     {there}")
    try:
        for relative, content in starter_files(None if there else _fleet_name(directory)).items():
            path = directory / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with path.open("x", encoding="utf-8", newline="\n") as file:
                    file.write(content)
            except FileExistsError:
                terminal.echo(f"kept     {path}")
            else:
                terminal.echo(f"written  {path}")
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{error.filename} is no directory, and init makes none in its place") from error
    except OSError as error:
        raise ReconcilerError(f"{directory}: {system_words(error)}") from error
    terminal.echo(f"\nNext: {program()} plan {shlex.quote(str(directory))}")


@github.reporting_errors
def validate(directory: str, root: Path | None, files_root: Path | None, form: str) -> int:
    """`validate`, as `commands` declares it."""
    snapshot = read_source(directory, options.root_of(directory, root), files_root=files_root)
    if form in _FORMS:
        terminal.echo(_FORMS[form](snapshot))
    else:
        print_document(_data(snapshot), form)
    if form == "text":
        for warning in seen_from_here(snapshot, _warnings(snapshot)):
            terminal.remark(f"warning: {warning}")
    return 1 if snapshot.problems else 0


def schema(form: str) -> None:
    """`schema`, as `commands` declares it."""
    print_document(manifest_schema(), form)


def _fleet_name(directory: Path) -> str:
    """The directory's name as a DNS label, and a random end: two fleets must not share a name."""
    label = re.sub(r"[^a-z0-9]+", "-", directory.absolute().name.lower()).strip("-")[:_NAME_MAX].strip("-")
    # A letter comes first: `12e-3456` would be a number in YAML.
    end = [secrets.choice(_LETTERS), *(secrets.choice(_RANDOM_END) for _ in range(3))]
    return f"{label or 'fleet'}-{''.join(end)}"


def _text(snapshot: Snapshot) -> str:
    if snapshot.problems:
        problems = seen_from_here(snapshot, snapshot.problems)
        return "\n".join([*lines_for(problems, sys.stdout), problem_count(problems)])
    jobs = len(snapshot.desired)
    return f"{jobs} {'job' if jobs == 1 else 'jobs'} of fleet {snapshot.fleet.name if snapshot.fleet else '-'}: valid"


def _data(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "valid": not snapshot.problems,
        "fleet": snapshot.fleet.name if snapshot.fleet else None,
        "jobs": [{"name": d.name, "revision": d.revision, "path": d.path} for d in snapshot.desired.values()],
        "problems": as_data(seen_from_here(snapshot, snapshot.problems)),
        "warnings": as_data(seen_from_here(snapshot, _warnings(snapshot))),
    }


def _github(snapshot: Snapshot) -> str:
    """Workflow commands that GitHub shows beside the line: its paths start where a workflow runs."""
    errors = [_annotation("error", p) for p in seen_from_here(snapshot, snapshot.problems)]
    warnings = [_annotation("warning", p) for p in seen_from_here(snapshot, _warnings(snapshot))]
    return "\n".join([*errors, *warnings, *_notice(len(errors), len(warnings)), *([] if errors else [_text(snapshot)])])


def _warnings(snapshot: Snapshot) -> tuple[Problem, ...]:
    return (*snapshot.warnings, *snapshot.gaps, *snapshot.data_warnings)


def _notice(errors: int, warnings: int) -> list[str]:
    """How many there are: GitHub shows ten of each a step."""
    counts = [plural(n, word) for n, word in ((errors, "error"), (warnings, "warning")) if n]
    hidden = "; GitHub shows the first 10 of each kind, the log has them all" if max(errors, warnings) > _SHOWN else ""
    return [annotation("notice", f"{', '.join(counts)}{hidden}")] if counts else []


def _annotation(level: str, problem: Problem) -> str:
    position = {name: at for name, at in (("line", problem.line), ("col", problem.column)) if at}
    text = f"{problem.field}: {problem.message}" if problem.field else problem.message
    return annotation(level, text, file=github.path_in_repository(problem.path), **position)


_FORMS = {"text": _text, "github": _github}
