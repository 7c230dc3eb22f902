"""`status`, `describe`, `events`, `checkpoints`, `forget`: what is known of the jobs, and what a journal may drop.

None of them sends a create or a cancel.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click
from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.cli import options, terminal
from reconciler.cli.interruption import explained, followed
from reconciler.cli.invocation import program, typed
from reconciler.cli.manifests import known_by, readable_source, where
from reconciler.cli.output import print_document, print_item
from reconciler.cli.suggestions import no_such_job
from reconciler.cli.wiring import RunContext, run_context
from reconciler.clock import Clock
from reconciler.core.estimate import Cost, Spent
from reconciler.core.gates import Permission
from reconciler.core.intake import Intake, intake, recorded_intake
from reconciler.core.job import Event, Job
from reconciler.core.snapshot import Snapshot
from reconciler.core.spelling import utc_text
from reconciler.core.status import Details, Progress, Status, statuses
from reconciler.engine.follow import over, progress_at
from reconciler.engine.steps import Decided
from reconciler.errors import ProviderError, ReconcilerError, UsageError, escaped, plural, printable
from reconciler.render.commands import statuses_here
from reconciler.render.cost import cost_data, spent_data, spent_line
from reconciler.render.describe import Description, description_data, description_text
from reconciler.render.records import checkpoint_data, checkpoint_table, event_data, event_lines
from reconciler.render.status_line import intake_words, is_live
from reconciler.render.status_screen import status_screen, wide_table
from reconciler.render.text import Typed, age, moment
from reconciler.state.status_files import as_item

_T = TypeVar("_T")

_FOLLOW_SECONDS = 2.0

# Live jobs that are asked how far they are, a few at once; the rest of a longer list shows what is on disk.
_PROGRESS_LOOKUPS = 50
_AT_ONCE = 8

# Of one job: enough to see how it is going.
_EVENTS = 20


class _View(Struct, frozen=True):
    """The fleet as it stands now; with ``error`` as the status files had it at ``as_of`` (Unix seconds)."""

    statuses: Mapping[str, Status]
    unmanaged: int | None = None
    progress: Mapping[str, Progress] = field(default_factory=dict)
    decided: Decided | None = None
    intake: Intake | None = None
    error: str = ""
    as_of: float = 0.0

    @property
    def code(self) -> int:
        return 1 if self.error else 0

    @property
    def incomplete(self) -> dict[str, object]:
        """What a document says besides, where the provider could not be read."""
        if not self.error:
            return {}
        return {"complete": False, "error": self.error, "as_of": utc_text(int(self.as_of))}

    @property
    def conditions(self) -> object:
        """Those of the whole fleet."""
        return self.intake.report["conditions"] if self.intake else []

    @property
    def identity(self) -> str:
        """What jobs are known by here; "" where it is our marks, or not known."""
        return self.decided.seen.world.memory.identity if self.decided else ""

    def warning(self, now: float) -> str:
        """The same for a person; "" where it could be read."""
        if not self.error:
            return ""
        since = f"as of {moment(self.as_of, now=now)} ({age(now - self.as_of)} ago)"
        return printable(f"{since}; the provider cannot be read: {self.error}")


def status(clock: Clock, /, directory: str, names: tuple[str, ...], form: str, *, every: bool, **rest: Any) -> int:
    """`status`, as `commands` declares it."""
    here = partial(typed, click.get_current_context(), directory)
    if names:
        raise UsageError(f"for one job: {here('describe', names[0])}")
    if directory != "-" and not Path(directory).exists():
        raise UsageError(f"no such directory: {directory}; for one job: {program()} describe {directory} -d DIR")
    settings = options.settings_of(directory, rest)
    known = known_by(settings)
    snapshot = readable_source(settings, known)
    with run_context(settings, snapshot, writes=False, every_backoff=True, clock=clock, known=known) as context:
        view = _view_of(context, snapshot)
        chosen = [s for s in view.statuses.values() if every or not s.past]
        view = _with_progress(context, view, chosen)
        shown = [view.statuses[s.name] for s in chosen]
        if form in {"json", "yaml"}:
            document = {
                "fleet": context.fleet.name,
                "items": [as_item(s) for s in shown],
                "costs": {s.name: cost_data(_cost(context, view, s)) for s in shown},
                "spent": spent_data(_spent(context, view, shown)),
                "unmanaged": view.unmanaged,
                "conditions": view.conditions,
                "next_try": view.intake.next_try if view.intake else None,
                **view.incomplete,
            }
            print_document(document, form)
        else:
            shown = list(statuses_here({s.name: s for s in shown}, here).values())
            terminal.echo(_screen(context, view, shown, form, here))
        return view.code


def _screen(context: RunContext, view: _View, shown: Sequence[Status], form: str, here: Typed) -> str:
    now = context.ports.clock.time()
    screen, colours = terminal.width_of(sys.stdout), terminal.colours()
    if not shown:
        rows = terminal.fitted(_nothing_declared(context.fleet.name, len(view.statuses), here))
    elif form == "wide":
        rows = wide_table(shown, now=now, width=screen, progress=view.progress, colours=colours and bool(screen))
    else:
        rows = status_screen(shown, now=now, width=terminal.width(), progress=view.progress, colours=colours)
    closed = terminal.fitted(intake_words(view.intake, now)) if view.intake else ""
    paid = _spent(context, view, shown) if any(s.trained_tokens for s in shown) else None
    spent = terminal.fitted(spent_line(paid)) if paid else ""
    parts = (terminal.fitted(view.warning(now)), closed, rows, spent, terminal.fitted(view.identity))
    return "\n".join(part for part in parts if part)


def _cost(context: RunContext, view: _View, status: Status) -> Cost | None:
    """Of the job that a status tells of; None where there is none, or the provider cannot be read."""
    if view.decided is None or status.job_id is None:
        return None
    # Imported here: a fleet without a job needs no prices.
    from reconciler.cli.spending import cost_of  # noqa: PLC0415

    return cost_of(context, view.decided.seen.world, status, view.progress)


def _spent(context: RunContext, view: _View, shown: Iterable[Status]) -> Spent | None:
    """On all jobs of the names that are shown; None where the provider cannot be read."""
    if view.decided is None:
        return None
    from reconciler.cli.spending import spent  # noqa: PLC0415 - as above

    return spent(context, view.decided.seen.world, [status.name for status in shown], view.progress)


def _nothing_declared(fleet: str, past: int, here: Typed) -> str:
    if past:
        gone = f"{plural(past, 'name')} whose manifest is gone"
        return f"fleet {fleet} declares no job; {gone}: {here('status', '')} --all"
    return f"fleet {fleet} declares no job; a manifest of kind: FineTuningJob beside its document adds one"


def describe(clock: Clock, /, name: str, directory: str, form: str, **rest: Any) -> int:
    """`describe`, as `commands` declares it."""
    settings = options.settings_of(directory, rest)
    known = known_by(settings)
    snapshot = readable_source(settings, known)
    with run_context(settings, snapshot, writes=False, every_backoff=True, clock=clock, known=known) as context:
        view = _view_of(context, snapshot)
        view, events = _looked_into(context, view, _one(view.statuses, name))
        now = context.ports.clock.time()
        found = view.statuses[name]
        here = partial(typed, click.get_current_context(), directory)
        shown = Description(
            fleet=context.fleet.name,
            status=found,
            now=now,
            typed=here,
            desired=snapshot.desired.get(name),
            progress=view.progress.get(found.job_id or ""),
            events=events,
            identity=view.identity,
            intake=view.intake,
            directory="" if snapshot.stream else where(snapshot.root),
            cost=_cost(context, view, found),
        )
        if form in {"json", "yaml"}:
            # An item has an error of its own: that of its job.
            incomplete = {"provider_error" if k == "error" else k: v for k, v in view.incomplete.items()}
            document = {**as_item(found), **description_data(shown), "provider_job": _as_shown(context, view, found)}
            print_document({**document, **incomplete}, form)
        else:
            shown = replace(shown, status=statuses_here({name: found}, here)[name])
            text = description_text(shown, width=terminal.width(), colours=terminal.colours())
            terminal.echo("\n\n".join(part for part in (terminal.fitted(view.warning(now)), text) if part))
        return view.code


def events(clock: Clock, /, name: str, directory: str, form: str, *, follow: bool, **rest: Any) -> None:
    """`events`, as `commands` declares it."""
    settings = options.settings_of(directory, rest)
    snapshot = readable_source(settings)
    here = partial(typed, click.get_current_context(), directory)
    with run_context(settings, snapshot, writes=False, every_backoff=True, clock=clock) as context:
        job_id = _job_id(context, snapshot, name)
        if not follow:
            _print_events(_newest_last(context, job_id), form)
            return
        looked: list[Job] = []
        with explained(lambda: followed(name, looked[-1] if looked else None, here)):
            for event in _followed(context, job_id, looked.append):
                _print_event(event, form)


def _print_events(found: Iterable[Event], form: str) -> None:
    if form != "text":
        print_document([event_data(event) for event in found], form)
        return
    for event in found:
        _print_event(event, form)


def _print_event(event: Event, form: str) -> None:
    if form == "text":
        terminal.echo("\n".join(event_lines(event, terminal.width_of(sys.stdout))))
    else:
        print_item(event_data(event), form)


def checkpoints(clock: Clock, /, name: str, directory: str, form: str, **rest: Any) -> None:
    """`checkpoints`, as `commands` declares it."""
    settings = options.settings_of(directory, rest)
    snapshot = readable_source(settings)
    with run_context(settings, snapshot, writes=False, every_backoff=True, clock=clock) as context:
        found = context.provider.list_checkpoints(_job_id(context, snapshot, name))
        if form != "text":
            print_document([checkpoint_data(c) for c in found], form)
        else:
            terminal.echo(checkpoint_table(found, terminal.width_of(sys.stdout)))


def forget(clock: Clock, /, name: str, directory: str, form: str, **rest: Any) -> None:
    """`forget`, as `commands` declares it."""
    settings = options.settings_of(directory, rest)
    snapshot = readable_source(settings)
    with run_context(settings, snapshot, writes=True, clock=clock) as context:
        dropped = context.reconciler.forget(snapshot, name)
        if not dropped and name not in snapshot.desired:
            _one(_view_of(context, snapshot).statuses, name)
        if form != "text":
            print_document({"name": name, "forgotten": dropped}, form)
            return
        for line in dropped or (f"nothing of {name} to forget",):
            terminal.echo(terminal.fitted(line))


def _view_of(context: RunContext, snapshot: Snapshot) -> _View:
    """The fleet as the provider shows it, or, where that cannot be read, as the status files last said. Writes nothing.

    Raises:
        ProviderError: it cannot be read, and there is no status file.
    """
    try:
        seen = context.reconciler.observe(snapshot)
    except ProviderError as error:
        recorded, as_of = context.ports.status_files.recorded()
        if not recorded:
            raise
        closed = recorded_intake(context.ports.status_files.read_fleet())
        return _View(recorded, intake=closed, error=f"{escaped(context.account.host)}: {error}", as_of=as_of)
    # As `plan` asks the gates: what they would refuse is blocked.
    decided = context.reconciler.decide(seen, snapshot, Permission(first_run=context.account.sandbox))
    closed = intake(seen.world, decided.gated.plan, before=context.ports.status_files.read_fleet(), now=None)
    view = _View({}, unmanaged=seen.world.unmanaged, decided=decided, intake=closed)
    return replace(view, statuses=_statuses(context, view, Details()))


def _statuses(context: RunContext, view: _View, details: Details) -> Mapping[str, Status]:
    """The one value that `status`, `describe` and the status files are made of, with what was read besides."""
    if view.decided is None:
        return view.statuses
    world, plan = view.decided.seen.world, view.decided.gated.plan
    return statuses(world, plan, now=None, previous=context.ports.status_files.read(), details=details)


def _with_progress(context: RunContext, view: _View, shown: Iterable[Status]) -> _View:
    """With how far the live jobs among them are, as their newest events say."""
    live = [s.job_id for s in shown if s.job_id is not None and is_live(s)]
    if view.error or not live:
        return view
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        progress = progress_at(context.provider, live[:_PROGRESS_LOOKUPS], over(pool))
    return replace(view, progress=progress, statuses=_statuses(context, view, Details(progress=progress)))


def _looked_into(context: RunContext, view: _View, found: Status) -> tuple[_View, Sequence[Event]]:
    """With the progress and the checkpoints of one job, and its newest events, the oldest first."""
    job_id = found.job_id
    if view.error or job_id is None:
        return view, ()
    view = _with_progress(context, view, [found])
    read = _read(context, "checkpoints", lambda: context.provider.list_checkpoints(job_id))
    checkpoints = {} if read is None else {job_id: read}
    details = Details(checkpoints=checkpoints, progress=view.progress)
    events = _read(context, "events", lambda: context.provider.list_events(job_id, limit=_EVENTS)) or ()
    return replace(view, statuses=_statuses(context, view, details)), events[_EVENTS - 1 :: -1]


def _as_shown(context: RunContext, view: _View, found: Status) -> Mapping[str, object] | None:
    """The job as its server shows it, whatever fields and words that has; None where it cannot be read."""
    job_id = found.job_id
    if view.error or job_id is None:
        return None
    shown = _read(context, "job", lambda: (context.provider.job_as_shown(job_id),))
    return shown[0] if shown else None


def _read(context: RunContext, what: str, read: Callable[[], tuple[_T, ...]]) -> tuple[_T, ...] | None:
    """None where the server has none, or cannot be read now: the rest is shown all the same."""
    try:
        return read()
    except ProviderError as error:
        context.ports.log.debug("details.unavailable", what=what, error=str(error), http_status=error.status)
        return None


def _one(found: Mapping[str, Status], name: str) -> Status:
    if name not in found:
        raise no_such_job(name, found)
    return found[name]


def _job_id(context: RunContext, snapshot: Snapshot, name: str) -> str:
    """The provider's id of the job of a name: that of its present revision, else the last one."""
    found = _one(_view_of(context, snapshot).statuses, name)
    past = [str(job["job_id"]) for job in found.history]
    job_id = found.job_id or (past[-1] if past else None)
    if job_id is None:
        raise ReconcilerError(f"{name} has no job at this provider yet")
    return job_id


def _newest_last(context: RunContext, job_id: str) -> Iterator[Event]:
    yield from reversed(context.provider.list_events(job_id))


def _followed(context: RunContext, job_id: str, looked: Callable[[Job], None]) -> Iterator[Event]:
    """Each event once, the oldest first, until the job has ended and all were yielded; ``looked`` gets it each time."""
    yielded: set[str] = set()
    while True:
        looked(job := context.provider.retrieve_job(job_id))
        for event in _newest_last(context, job_id):
            if event.id not in yielded:
                yielded.add(event.id)
                yield event
        if not job.live:
            return
        context.ports.clock.sleep(_FOLLOW_SECONDS)
