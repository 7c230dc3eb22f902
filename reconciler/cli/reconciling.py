"""`plan` and `apply`: show what would happen and why; make it happen.

In here a person's yes becomes a `Permission`. What it permits is decided in `gates`.
"""

import json
from dataclasses import replace
from typing import Any

import click

from reconciler.cli import options, terminal
from reconciler.cli.manifests import valid_source
from reconciler.cli.progress import ProgressLine
from reconciler.cli.wiring import RunContext, run_context
from reconciler.clock import Clock
from reconciler.core.change import Cancel, Wait
from reconciler.core.gates import Permission, approval_key
from reconciler.core.snapshot import Snapshot
from reconciler.core.status import Details, statuses
from reconciler.engine.apply import Listener, Patience, Result
from reconciler.engine.apply import apply as apply_fleet
from reconciler.engine.publish import timestamp
from reconciler.engine.steps import Decided, Pass
from reconciler.errors import ProviderError, ReconcilerError, StalePlan, UsageError
from reconciler.provider import Provider
from reconciler.render.report import status_table
from reconciler.render.review import Review, as_data, as_markdown, as_text, outcome_line

_CHANGES_PRESENT = 2

# What a cancel throws away is looked up for this many jobs; a longer list says status and age.
_STEP_LOOKUPS = 20


@click.command()
@options.directory_argument
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 where changes are present.")
@options.output("text", "json", "markdown")
@options.pruning
@options.connection
@options.writing
@click.pass_obj
def plan(clock: Clock, /, directory: str, form: str, *, detailed_exitcode: bool, **rest: Any) -> int:
    """Show what apply would do, and why. Sends and writes nothing."""
    settings = options.settings_of(directory, rest)
    snapshot = valid_source(settings)
    with run_context(settings, snapshot, writes=False, clock=clock) as context:
        seen = context.reconciler.observe(snapshot)
        # The question about a first run is asked by apply; a plan shows what it is about.
        decided = context.reconciler.decide(seen, snapshot, Permission(first_run=context.account.sandbox))
        review = _review(context, decided)
        terminal.echo({"json": _json, "markdown": as_markdown}.get(form, _colourful)(review))
        if detailed_exitcode and review.changes_present:
            return _CHANGES_PRESENT
        return 3 if decided.gated.refusals else 0


@click.command()
@options.directory_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--approve", metavar="DIGEST", help="Do exactly the plan of this digest, limits waived, or nothing.")
@click.option("--first-run", is_flag=True, help="Begin a fleet of which the provider has no job yet.")
@click.option("--wait", is_flag=True, help="Repeat until nothing is live or waiting.")
@click.option("--timeout", type=options.Duration(), help="With --wait: give up waiting (not the jobs) after this long.")
@options.output("text", "json")
@options.pruning
@options.connection
@options.writing
@click.pass_obj
def apply(  # noqa: PLR0913 - one parameter a flag of the command
    clock: Clock,
    /,
    directory: str,
    form: str,
    *,
    yes: bool,
    approve: str | None,
    first_run: bool,
    wait: bool,
    timeout: float | None,
    **rest: Any,
) -> int:
    """Create what is missing, cancel what was removed, write status back: once."""
    if timeout is not None and not wait:
        raise click.UsageError("--timeout goes with --wait")
    settings = options.settings_of(directory, rest)
    snapshot = valid_source(settings)
    with run_context(settings, snapshot, writes=True, clock=clock) as context:
        permission = Permission(first_run=first_run or context.account.sandbox)
        shown = False
        if approve is not None:
            permission = _approved(context, snapshot, permission, approve)
        elif not yes and not context.account.sandbox:
            if not options.terminal() or settings.stream:
                raise UsageError("nobody can be asked here: say --yes, or --approve DIGEST with the digest of a plan")
            permission, shown = _asked(context, snapshot, permission, wait=wait), True
        console = _Console(context, json_only=form == "json", shown=shown)
        patience = Patience(wait=wait, timeout=timeout, poll=1.0 if context.account.sandbox else 10.0)
        listener = Listener(console.announce, console.progress.waiting, console.progress.clear, console.passed)
        try:
            result = apply_fleet(context.reconciler, snapshot, permission, patience, listener)
        finally:
            console.progress.close()
        console.conclude(result)
        if result.failure:
            terminal.echo(f"error: {result.failure}", err=True)
        return result.exit_code


# ── a person's yes ──


def _preview(context: RunContext, snapshot: Snapshot, permission: Permission) -> Decided:
    return context.reconciler.decide(context.reconciler.observe(snapshot), snapshot, permission)


def _approved(context: RunContext, snapshot: Snapshot, permission: Permission, digest: str) -> Permission:
    """The permission that a digest gives, if the plan now is the plan it was made of."""
    decided = _preview(context, snapshot, permission)
    _compare(context, decided, digest)
    if decided.plan.writes and context.reconciler.watch.cold and not decided.seen.settled:
        # The plan must still be the same when the first write may be sent.
        with ProgressLine(context.log) as progress:
            seconds = max(0.0, context.reconciler.watch.settled_at - context.clock.monotonic())
            progress.waiting(seconds, f"the settle window: {context.reconciler.watch.cold}")
            context.clock.sleep(seconds)
        decided = _preview(context, snapshot, permission)
        _compare(context, decided, digest)
    return replace(_agreed(decided, permission), limits_waived=True)


def _compare(context: RunContext, decided: Decided, digest: str) -> None:
    now = decided.plan.digest(_target(context))
    if now != digest.strip():
        raise StalePlan(f"the approved plan is {digest}, the plan now is {now}; nothing was sent. Run plan again")


def _asked(context: RunContext, snapshot: Snapshot, permission: Permission, *, wait: bool) -> Permission:
    """Show the plan and ask; the yes is for what was shown."""
    first = _preview(context, snapshot, permission)
    begins = any(v.gate == "first_run" for v in first.gated.refusals)
    decided = _preview(context, snapshot, replace(permission, first_run=True)) if begins else first
    terminal.echo(_colourful(_review(context, decided)))
    agreed = _agreed(decided, replace(permission, first_run=True))
    later = wait and any(isinstance(c, Wait) for c in decided.plan.changes)
    if not decided.gated.plan.writes and not agreed.ahead and not later:
        return replace(permission, approved=frozenset())  # there is nothing to say yes to: nothing may be sent
    if begins:
        terminal.echo(
            f"\nThis provider shows no job of fleet {context.fleet.name} yet. A wrong key or project looks the same."
        )
    if not click.confirm("\nApply this plan?", default=False):
        raise ReconcilerError("nothing was sent")
    return agreed


def _agreed(decided: Decided, permission: Permission) -> Permission:
    """A yes to every write of this plan, those that wait and the jobs ahead of it included."""
    keys = frozenset(approval_key(c.write) for c in decided.plan.changes if c.write is not None)
    ahead = frozenset(end.job_id for end in decided.plan.ahead)
    return replace(permission, approved=keys, ahead=ahead)


# ── what is shown ──


def _target(context: RunContext) -> str:
    where = context.account
    return f"{context.fleet.name} {where.server} {where.organization} {where.project}"


def _review(context: RunContext, decided: Decided) -> Review:
    note = ""
    if context.reconciler.watch.cold and decided.gated.plan.writes and not decided.seen.settled:
        note = f"Apply waits one settle window before it writes: {context.reconciler.watch.cold}."
    return Review(
        fleet=context.fleet.name,
        provider=context.account.profile.name,
        base_url=context.account.server,
        host=context.account.host,
        organization=context.account.organization,
        digest=decided.plan.digest(_target(context)),
        plan=decided.gated.plan,
        verdicts=decided.gated.verdicts,
        world=decided.seen.world,
        now=context.clock.time(),
        steps=_steps(context.provider, decided),
        note=note,
    )


def _steps(provider: Provider, decided: Decided) -> dict[str, str]:
    """The last training step of each job that would be cancelled, where the provider tells it."""
    ending = [c.job_id for c in decided.gated.plan.changes if isinstance(c, Cancel)]
    steps: dict[str, str] = {}
    for job_id in ending[:_STEP_LOOKUPS]:
        try:
            events = provider.list_events(job_id, limit=20)
        except ProviderError:
            continue  # the review says status and age; a server without events says no more
        metrics = next((e.metrics for e in events if "step" in e.metrics), None)
        if metrics is not None:
            total = f" of {metrics['total_steps']:g}" if "total_steps" in metrics else ""
            steps[job_id] = f"step {metrics['step']:g}{total}"
    return steps


def _colourful(review: Review) -> str:
    return as_text(review, colours=terminal.colours())


def _json(review: Review) -> str:
    return json.dumps(as_data(review), indent=2)


class _Console:
    """What `apply` shows while it goes on: the plan, each write's outcome, and where things stand at the end."""

    def __init__(self, context: RunContext, *, json_only: bool, shown: bool) -> None:
        self._context = context
        self._json = json_only
        self._shown = shown
        self._first: Review | None = None
        self._put_off: set[str] = set()  # names whose create is waited with: logged once, not once a try
        self.progress = ProgressLine(context.log)

    def announce(self, decided: Decided) -> None:
        self._first = _review(self._context, decided)
        if not self._json and not self._shown:
            terminal.tell(_colourful(self._first))

    def passed(self, done: Pass) -> None:
        if not self._json:
            for outcome in done.outcomes:
                if outcome.put_off is not None and outcome.name in self._put_off:
                    continue
                (self._put_off.discard if outcome.put_off is None else self._put_off.add)(outcome.name)
                terminal.tell(outcome_line(outcome, colours=terminal.colours()))

    def conclude(self, result: Result) -> None:
        after = _review(self._context, result.last.after)
        if self._json:
            data = as_data(self._first or after, result.outcomes)
            data |= {"converged": after.converged, "requeue_after": after.requeue_after}
            data |= {"gates": as_data(after)["gates"], "failure": result.failure or None}
            terminal.tell(json.dumps(data, indent=2))
            return
        if result.outcomes or result.unsuccessful or result.timed_out:
            terminal.tell("")
            terminal.tell(_status_table(self._context, result))
        for verdict in result.last.after.gated.refusals:
            terminal.tell(f"Gate {verdict.gate} refuses: {verdict.message}.")
        if result.timed_out:
            terminal.tell("Timed out waiting; the jobs go on. `reconciler status` shows them.")


def _status_table(context: RunContext, result: Result) -> str:
    after = result.last.after
    now = timestamp(context.clock)
    report = statuses(after.seen.world, after.gated.plan, now=now, previous={}, details=Details())
    return status_table((s for s in report.values() if not s.past), now=context.clock.time())
