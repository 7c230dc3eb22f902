"""`import`: which jobs of a provider no manifest speaks of, and a manifest for each that is chosen.

It reads the provider, writes new files into the fleet's directory, and touches no job, no journal, and no file that is
there. That the next plan has nothing to train follows from what is written: each manifest adopts its job.
"""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from reconciler.cli import options, terminal
from reconciler.cli.invocation import program
from reconciler.cli.job_manifest import JobManifest, UnfitError, manifest_of, name_for
from reconciler.cli.manifests import valid_source, where
from reconciler.cli.output import print_document
from reconciler.cli.wiring import RunContext, run_context
from reconciler.clock import Clock
from reconciler.core.job import FLEET_MARK, Job
from reconciler.core.lookup import suspects_of_intent
from reconciler.core.spelling import utc_text
from reconciler.core.world import World
from reconciler.errors import ReconcilerError, UsageError, escaped, plural, system_words
from reconciler.render.text import age, table


class _Chosen(Struct, frozen=True):
    """A job to write a manifest for, and where."""

    job: Job
    manifest: JobManifest
    path: Path


def import_jobs(
    clock: Clock, /, directory: str, job_ids: tuple[str, ...], form: str, *, every: bool, **rest: Any
) -> None:
    """`import`, as `commands` declares it."""
    if directory == "-":
        raise UsageError("import writes into a directory, and - is standard input")
    if every and job_ids:
        raise UsageError("either job ids or --all")
    if not Path(directory).exists():
        raise UsageError(
            f"no such directory: {directory}; for one job: {program()} import DIR {shlex.quote(directory)}"
        )
    settings = options.settings_of(directory, rest)
    snapshot = valid_source(settings)
    with run_context(settings, snapshot, writes=False, every_backoff=True, clock=clock) as context:
        context.reconciler.ask_every_name()
        world = context.reconciler.observe(snapshot).world
        owners = owners_of(world)
        unmanaged = [job for job in sorted(world.jobs, key=lambda j: j.age_key) if job.id not in owners]
        wanted = [job for job in unmanaged if job.live or job.succeeded] if every else _named(job_ids, world, owners)
        chosen = _manifests(context, world, wanted, Path(directory)) if wanted else []
        for one in chosen:
            _write(one)
        if form != "text":
            print_document(_data(context, unmanaged, chosen), form)
        elif wanted:
            _say_written(chosen, directory)
        else:
            _say_unmanaged(unmanaged, directory, context.ports.clock.time(), every=every)


def owners_of(world: World) -> Mapping[str, str]:
    """Why a job may not be imported, by its id: whose it is."""
    found = {job.id: f"it belongs to fleet {job.marks.fleet}" for job in world.jobs if job.marks is not None}
    for name, case in world.cases.items():
        found |= {n.job.id: f"it is the job of {name} in this fleet" for n in case.jobs}
        suspects = [*case.suspects, *(suspects_of_intent(world, name) if name in world.memory.intents else ())]
        found |= {job.id: f"it may be the job of {name}: see `plan`, and name it in that manifest" for job in suspects}
    return found


def _named(job_ids: Iterable[str], world: World, owners: Mapping[str, str]) -> list[Job]:
    """Those jobs, each once. Raises ReconcilerError where one cannot be imported; then none is."""
    jobs = {job.id: job for job in world.jobs}
    named = list(dict.fromkeys(job_ids))
    faults = [
        f"{escaped(i)}: {owners.get(i, 'this provider shows no such job')}"
        for i in named
        if i in owners or i not in jobs
    ]
    if faults:
        raise ReconcilerError(f"nothing was written: {'; '.join(faults)}")
    return [jobs[job_id] for job_id in named]


def _manifests(context: RunContext, world: World, jobs: Sequence[Job], directory: Path) -> list[_Chosen]:
    """A manifest for each, before any is written. Raises ReconcilerError where one of them cannot have one."""
    taken = {*world.cases, *(name for name, _ in world.memory.wanted), *_stems(directory)}
    chosen: list[_Chosen] = []
    for job in jobs:
        name = name_for(job.suffix or job.model, taken)
        taken.add(name)
        answer = context.provider.job_as_shown(job.id)
        try:
            _check_unmarked(answer)
            chosen.append(_Chosen(job, manifest_of(answer, job.id, name), directory / f"{name}.yaml"))
        except UnfitError as error:
            raise ReconcilerError(f"nothing was written: job {escaped(job.id)} cannot be imported: {error}") from error
    return chosen


def _stems(directory: Path) -> Iterable[str]:
    return (path.stem.lower() for path in directory.iterdir())


def _check_unmarked(answer: Mapping[str, object]) -> None:
    """Raises UnfitError where the job bears a mark of a fleet, be it an incomplete one."""
    metadata = answer.get("metadata")
    fleet = metadata.get(FLEET_MARK) if isinstance(metadata, Mapping) else None
    if fleet is not None:
        raise UnfitError(f"it bears the mark of fleet {escaped(str(fleet))}")


def _write(one: _Chosen) -> None:
    try:
        with one.path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(one.manifest.text)
    except OSError as error:
        raise ReconcilerError(f"{one.path}: {system_words(error)}; what was written before it stays") from error


def _data(context: RunContext, unmanaged: Sequence[Job], chosen: Sequence[_Chosen]) -> dict[str, Any]:
    return {
        **context.whose,
        "unmanaged": [
            {
                "job_id": job.id,
                "model": job.model,
                "suffix": job.suffix,
                "status": job.status,
                "created_at": utc_text(job.created_at) if job.created_at else None,
            }
            for job in unmanaged
        ],
        "written": [
            {
                "name": one.manifest.name,
                "path": where(one.path),
                "job_id": one.job.id,
                "revision": one.manifest.revision,
                "left_out": list(one.manifest.left_out),
            }
            for one in chosen
        ],
    }


def _say_written(chosen: Sequence[_Chosen], directory: str) -> None:
    for one in chosen:
        terminal.echo(f"written  {one.path}  adopts {escaped(one.job.id)} ({escaped(one.job.status)})")
        for reason in one.manifest.left_out:
            terminal.echo(terminal.fitted(f"         left out {reason}"))
    terminal.echo(f"\nNext: {program()} plan {shlex.quote(directory)}")


def _say_unmanaged(unmanaged: Sequence[Job], directory: str, now: float, *, every: bool) -> None:
    if not unmanaged:
        terminal.echo("every job at this provider is managed, by this fleet or by another")
        return
    if every:
        terminal.echo("no job is live or has succeeded; name one by its id to import it all the same")
    rows = [("JOB", "MODEL", "SUFFIX", "STATUS", "AGE")]
    rows += [
        (job.id, job.model or "-", job.suffix or "-", job.status, age(now - job.created_at) if job.created_at else "-")
        for job in unmanaged
    ]
    terminal.echo(table(rows))
    terminal.echo(f"\n{plural(len(unmanaged), 'job')} without a manifest.")
    terminal.echo(f"To write manifests that adopt them: {program()} import {shlex.quote(directory)} JOB_ID…, or --all")
