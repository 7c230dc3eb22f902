"""`status`, `events`, `checkpoints`, `forget`: what is known of a fleet's jobs, and what a journal may drop of one.

None of them sends a create or a cancel.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from reconciler.cli import options, terminal
from reconciler.cli.command import command
from reconciler.cli.manifests import readable_source
from reconciler.cli.output import print_document, print_item
from reconciler.cli.suggestions import no_such_job
from reconciler.cli.wiring import RunContext, run_context
from reconciler.clock import Clock
from reconciler.core.gates import Permission
from reconciler.core.job import Checkpoint, Event
from reconciler.core.snapshot import Snapshot
from reconciler.core.status import Details, Status, statuses
from reconciler.engine.publish import timestamp
from reconciler.engine.steps import Seen
from reconciler.errors import ProviderError, ReconcilerError, UsageError
from reconciler.render.report import (
    checkpoint_data,
    checkpoint_table,
    event_data,
    event_line,
    status_detail,
    status_table,
)
from reconciler.state.status_files import as_item

_FOLLOW_SECONDS = 2.0


@command("reconciler status fleet", "reconciler status fleet tone -o yaml", "reconciler status fleet --all")
@options.directory_argument
@click.argument("name", required=False)
@click.option("--all", "every", is_flag=True, help="Show names whose manifest is gone too.")
@options.output()
@options.connection
@click.pass_obj
def status(clock: Clock, /, directory: str, name: str | None, form: str, *, every: bool, **rest: Any) -> None:
    """Show how the jobs stand, a row each.

    With NAME everything known of that job, also where its manifest is gone.
    """
    if name is None and directory != "-" and not Path(directory).exists():
        raise UsageError(f"no such directory: {directory}; for one job say: reconciler status DIR {directory}")
    settings = options.settings_of(directory, rest)
    snapshot = readable_source(settings)
    with run_context(settings, snapshot, writes=False, every_backoff=True, clock=clock) as context:
        seen = context.reconciler.observe(snapshot)
        found = _statuses(context, snapshot, seen, name)
        if name is not None:
            found = [_one(found, name)]
        elif not every:
            found = [s for s in found if not s.past]
        if form != "text":
            document = {
                "fleet": context.fleet.name,
                "items": [as_item(s) for s in found],
                "unmanaged": seen.world.unmanaged,
            }
            print_document(document, form)
        elif name is not None:
            terminal.echo(status_detail(found[0]))
        else:
            terminal.echo(status_table(found, now=context.clock.time()))


@command("reconciler events tone -d fleet", "reconciler events tone -d fleet --follow -o json")
@options.name_argument
@options.directory_option
@click.option("--follow", is_flag=True, help="Go on until the job has ended; json is then one object a line.")
@options.output()
@options.connection
@click.pass_obj
def events(clock: Clock, /, name: str, directory: str, form: str, *, follow: bool, **rest: Any) -> None:
    """Show the provider's events of a job, the oldest first."""
    settings = options.settings_of(directory, rest)
    snapshot = readable_source(settings)
    with run_context(settings, snapshot, writes=False, every_backoff=True, clock=clock) as context:
        job_id = _job_id(context, snapshot, name)
        found = _events(context, job_id, follow=follow)
        if form != "text" and not follow:
            print_document([event_data(event) for event in found], form)
            return
        for event in found:
            if form == "text":
                terminal.echo(event_line(event))
            else:
                print_item(event_data(event), form)


@command("reconciler checkpoints tone -d fleet")
@options.name_argument
@options.directory_option
@options.output()
@options.connection
@click.pass_obj
def checkpoints(clock: Clock, /, name: str, directory: str, form: str, **rest: Any) -> None:
    """Show the provider's checkpoints of a job."""
    settings = options.settings_of(directory, rest)
    snapshot = readable_source(settings)
    with run_context(settings, snapshot, writes=False, every_backoff=True, clock=clock) as context:
        found = context.provider.list_checkpoints(_job_id(context, snapshot, name))
        if form != "text":
            print_document([checkpoint_data(c) for c in found], form)
        else:
            terminal.echo(checkpoint_table(found))


@command("reconciler forget tone -d fleet")
@options.name_argument
@options.directory_option
@options.output()
@options.connection
@options.writing
@click.pass_obj
def forget(clock: Clock, /, name: str, directory: str, form: str, **rest: Any) -> None:
    """Drop what holds up a job: a lost record, a stuck cancel.

    A lost record is of a job that the provider no longer knows; a stuck cancel is one that does not take.
    """
    settings = options.settings_of(directory, rest)
    snapshot = readable_source(settings)
    with run_context(settings, snapshot, writes=True, clock=clock) as context:
        dropped = context.reconciler.forget(snapshot, name)
        if not dropped and name not in snapshot.desired:
            _one(_statuses(context, snapshot, context.reconciler.observe(snapshot)), name)
        if form != "text":
            print_document({"name": name, "forgotten": dropped}, form)
            return
        for line in dropped or (f"nothing of {name} to forget",):
            terminal.echo(line)


def _statuses(context: RunContext, snapshot: Snapshot, seen: Seen, name: str | None = None) -> list[Status]:
    decided = context.reconciler.decide(seen, snapshot, Permission(first_run=True))
    previous = context.status_files.read()
    now = timestamp(context.clock)
    report = statuses(seen.world, decided.gated.plan, now=now, previous=previous, details=Details())
    if name in report and report[name].job_id is not None:
        read = _checkpoints(context, str(report[name].job_id))
        report = statuses(seen.world, decided.gated.plan, now=now, previous=previous, details=Details(checkpoints=read))
    return list(report.values())


def _checkpoints(context: RunContext, job_id: str) -> dict[str, tuple[Checkpoint, ...]]:
    try:
        return {job_id: context.provider.list_checkpoints(job_id)}
    except ProviderError as error:
        context.log.warning("checkpoints.unavailable", job_id=job_id, error=str(error), http_status=error.status)
        return {}


def _one(found: list[Status], name: str) -> Status:
    match = next((s for s in found if s.name == name), None)
    if match is None:
        raise no_such_job(name, (s.name for s in found))
    return match


def _job_id(context: RunContext, snapshot: Snapshot, name: str) -> str:
    """The provider's id of a name's job: of its present revision, else the last there was."""
    known = _one(_statuses(context, snapshot, context.reconciler.observe(snapshot)), name)
    past = [str(job["job_id"]) for job in known.history]
    job_id = known.job_id or (past[-1] if past else None)
    if job_id is None:
        raise ReconcilerError(f"{name} has no job at this provider yet")
    return job_id


def _events(context: RunContext, job_id: str, *, follow: bool) -> Iterator[Event]:
    """Each event once, the oldest first; with ``follow`` until the job has ended and all were yielded."""
    yielded: set[str] = set()
    while True:
        live = follow and context.provider.retrieve_job(job_id).live
        for event in reversed(context.provider.list_events(job_id)):
            if event.id not in yielded:
                yielded.add(event.id)
                yield event
        if not live:
            return
        context.clock.sleep(_FOLLOW_SECONDS)
