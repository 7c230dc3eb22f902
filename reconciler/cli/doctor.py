"""`doctor`: what a server can do, what that means for safety, and what a job is known again by.

It reads, and sends nothing that writes; what a pass has learned stands in the journal, and is shown with it.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from reconciler.cli import options, terminal
from reconciler.cli.manifests import readable_source
from reconciler.cli.output import print_document
from reconciler.cli.wiring import RunContext, run_context
from reconciler.clock import Clock
from reconciler.core.diagnosis import Diagnosis, Facts, advice, diagnose
from reconciler.core.job import Job
from reconciler.core.recognition import learned
from reconciler.errors import NoData, ProviderError
from reconciler.render.review import header
from reconciler.render.text import hanging, pad

_EVENTS = 1

_T = TypeVar("_T")


def doctor(clock: Clock, /, directory: str, form: str, **rest: Any) -> int:
    """`doctor`, as `commands` declares it."""
    settings = options.settings_of(directory, rest)
    snapshot = readable_source(settings)
    with run_context(settings, snapshot, writes=False, every_backoff=True, clock=clock) as context:
        facts = look(context)
        found = diagnose(facts)
        if form != "text":
            print_document(_data(context, found), form)
        else:
            terminal.echo("\n".join(_lines(context, found, terminal.width())))
        return 1 if "listing" in facts.errors else 0


def look(context: RunContext) -> Facts:
    """Every read that tells something: the listing, all of one job, and what else can be listed."""
    provider, errors = context.provider, dict[str, str]()
    jobs, pages = _listing(context, errors)
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
    memory = learned(context.journal.memory(), jobs, context.fleet.name)
    return Facts(memory=memory, jobs=jobs, pages=pages, shown=shown, answered=frozenset(answered), errors=errors)


def _listing(context: RunContext, errors: dict[str, str]) -> tuple[tuple[Job, ...], int]:
    jobs: dict[str, Job] = {}
    pages = 0
    try:
        for page in context.provider.job_pages():
            pages += 1
            jobs |= {job.id: job for job in page.jobs}
    except NoData:
        pass  # how some servers answer where there is none
    except ProviderError as error:
        errors["listing"] = str(error)
    return tuple(jobs.values()), pages


def _tried(name: str, read: Callable[[], _T], errors: dict[str, str]) -> _T | None:
    try:
        return read()
    except ProviderError as error:
        errors[name] = str(error)
        return None


def _data(context: RunContext, found: Diagnosis) -> dict[str, Any]:
    return {
        "fleet": context.fleet.name,
        "provider": context.account.profile.name,
        "base_url": context.account.server,
        "identity": found.identity or None,
        "means": found.means,
        "capabilities": [
            {"capability": f.capability, "can": f.can, "seen": f.seen, "means": f.means} for f in found.findings
        ],
        "missing": [f.capability for f in found.missing],
        "advice": list(advice(found)),
    }


def _lines(context: RunContext, found: Diagnosis, width: int | None) -> list[str]:
    lines = [header(context.fleet.name, context.account.host, context.account.organization), ""]
    names = max(len(f.capability) for f in found.findings)
    for f in found.findings:
        lead = f"  {pad(f.capability, names)}  {pad(f.can, len('unknown'))}  "
        lines += hanging(f"{f.seen}: {f.means}", lead, " " * len(lead), width)
    lines += ["", *hanging(f"Identity rests on {found.identity or 'nothing yet'}: {found.means}.", "", "  ", width)]
    for text in advice(found):
        lines += hanging(f"Advice: {text}.", "", "  ", width)
    return lines
