"""`doctor`: what a server can do, what that means for safety, and by what a job is recognised there.

It only reads, at the provider and here. It also shows what passes and probes have learned, which the journal holds.
With `--probe-create`, `probing` first makes one job and ends it.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from msgspec.structs import replace

from reconciler.cli import options, terminal
from reconciler.cli.manifests import readable_source
from reconciler.cli.output import print_document
from reconciler.cli.probing import probed, shown_by_probes
from reconciler.cli.wiring import RunContext, run_context
from reconciler.clock import Clock
from reconciler.core.diagnosis import Diagnosis, Reads, advice, diagnose
from reconciler.core.job import FLEET_MARK, Job
from reconciler.core.memory import Memory
from reconciler.core.recognition import learned
from reconciler.core.snapshot import Snapshot
from reconciler.engine.probe import Probed
from reconciler.errors import NoData, ProviderError, escaped, printable
from reconciler.provider.client import OpenAIClient
from reconciler.provider.port import Provider
from reconciler.render.review import header
from reconciler.render.text import hanging, pad

_EVENTS = 1
# No fleet can have this name.
_NOBODYS = "-"

_T = TypeVar("_T")


def doctor(clock: Clock, /, directory: str, form: str, *, probe_create: bool, yes: bool, **rest: Any) -> int:
    """`doctor`, as `commands` declares it."""
    settings = options.settings_of(directory, rest)
    snapshot = readable_source(settings)
    probe, held = probed(settings, snapshot, clock, yes=yes) if probe_create else (None, None)
    with run_context(settings, snapshot, writes=False, every_backoff=True, clock=clock, credentials=held) as context:
        shown_before = shown_by_probes(settings, context.fleet, context.account, clock)
        reads = reads_of(context, snapshot, shown_before)
        found = diagnose(reads)
        if form != "text":
            print_document(_data(context, found, probe), form)
        else:
            terminal.echo("\n".join(_lines(context, found, probe, terminal.width())))
        unfinished = probe is not None and (probe.job_id is None or bool(probe.live))
        return 1 if "listing" in reads.errors or unfinished else 0


def reads_of(context: RunContext, snapshot: Snapshot, shown_before: Memory) -> Reads:
    """Every read that tells something: the listing, all of one job, and what else can be listed."""
    provider, errors = context.provider, dict[str, str]()
    # The marks of a job are read here as a pass reads them.
    context.reconciler.ask_every_name()
    jobs, pages = _listing(context.reconciler.marking(snapshot).provider, errors)
    newest = max(jobs, key=lambda job: job.age_key, default=None)
    shown = _tried("retrieve", lambda: provider.job_as_shown(newest.id), errors) if newest is not None else None
    reads: dict[str, Callable[[], object]] = {}
    if not errors:
        reads = {"files": provider.ask_for_files, "models": provider.ask_for_models}
    if newest is not None:
        reads["events"] = lambda: provider.list_events(newest.id, limit=_EVENTS)
        reads["checkpoints"] = lambda: provider.list_checkpoints(newest.id)
    for name, read in reads.items():
        _tried(name, read, errors)
    answered = reads.keys() - errors.keys()
    filters = _tried("filter", lambda: _filters(context.provider, jobs), errors) if jobs else None
    memory = learned(context.ports.journal.memory(), jobs, context.fleet.name)
    if memory.echoes is None:  # what a probe has shown, as long as no job of the fleet's own has
        memory = replace(memory, echoes=shown_before.echoes, files=shown_before.files, seeds=shown_before.seeds)
    return Reads(
        memory=memory,
        jobs=jobs,
        pages=pages,
        shown=shown,
        answered=frozenset(answered),
        errors=errors,
        filters=filters,
        fleet=context.fleet.name,
    )


def _listing(provider: Provider, errors: dict[str, str]) -> tuple[tuple[Job, ...], int]:
    jobs: dict[str, Job] = {}
    pages = 0
    try:
        for page in provider.job_pages():
            pages += 1
            jobs |= {job.id: job for job in page.jobs}
    except NoData:
        pass  # how some servers answer where there is none
    except ProviderError as error:
        errors["listing"] = str(error)
    return tuple(jobs.values()), pages


def _filters(provider: OpenAIClient, jobs: Iterable[Job]) -> bool | None:
    """Whether this server's listing can be asked for the jobs of one fleet; None where no job here could show it."""
    if provider.jobs_with(FLEET_MARK, _NOBODYS):
        return False
    fleet = next((job.marks.fleet for job in jobs if job.marks is not None and not job.by_file), None)
    return None if fleet is None else bool(provider.jobs_with(FLEET_MARK, fleet))


def _tried(name: str, read: Callable[[], _T], errors: dict[str, str]) -> _T | None:
    try:
        return read()
    except ProviderError as error:
        errors[name] = str(error)
        return None


def _data(context: RunContext, found: Diagnosis, probe: Probed | None) -> dict[str, Any]:
    return {
        **context.whose,
        "identity": found.identity or None,
        "means": found.means,
        "capabilities": [
            {"capability": f.name, "can": f.can, "seen": f.seen, "means": f.means} for f in found.capabilities
        ],
        "missing": [f.name for f in found.missing],
        "advice": list(advice(found)),
        **({} if probe is None else {"probe": _probe_data(probe)}),
    }


def _probe_data(probe: Probed) -> dict[str, Any]:
    fields = [{"field": c.field, "sent": c.sent, "shown": c.shown or None, "same": c.same} for c in probe.compared]
    return {
        "job_id": probe.job_id,
        "made": probe.made,
        "live": list(probe.live),
        "message": probe.why or None,
        "compared": fields,
    }


def _probe_lines(probe: Probed, width: int | None) -> Iterator[str]:
    """What came of the one job that was made, and what came back of it."""
    if probe.job_id is None:
        yield from hanging(f"Probe: no job was made: {printable(probe.why)}", "", "  ", width)
        return
    made = "made and ended" if probe.made else "not made again: an earlier one is there"
    if probe.live:
        ids = ", ".join(map(escaped, probe.live))
        made = f"still live: {ids}; the same command tries to end it again, else cancel it by hand"
    yield from hanging(f"Probe: job {escaped(probe.job_id)}, {made}", "", "  ", width)
    names = max((len(c.field) for c in probe.compared), default=0)
    for c in probe.compared:
        lead = f"  {pad(c.field, names)}  "
        words = "came back as it was sent" if c.same else f"{c.sent} was sent, {escaped(c.shown)} came back"
        yield from hanging("did not come back" if c.same is None else words, lead, " " * len(lead), width)


def _lines(context: RunContext, found: Diagnosis, probe: Probed | None, width: int | None) -> list[str]:
    lines = [header(context.fleet.name, context.account.host, context.account.organization), ""]
    if probe is not None:
        lines += [*_probe_lines(probe, width), ""]
    names = max(len(f.name) for f in found.capabilities)
    for f in found.capabilities:
        lead = f"  {pad(f.name, names)}  {pad(f.can, len('unknown'))}  "
        lines += hanging(f"{f.seen}: {f.means}", lead, " " * len(lead), width)
    lines += ["", *hanging(f"Identity rests on {found.identity or 'nothing yet'}: {found.means}.", "", "  ", width)]
    for text in advice(found):
        lines += hanging(f"Advice: {text}.", "", "  ", width)
    return lines
