"""`plan` and `apply`: show what would happen and why; make it happen.

A person's yes becomes a `Permission` here. What it permits is decided in `gates`.
"""

import re
from functools import partial
from typing import Any

import click
from msgspec import Struct
from msgspec.structs import replace

from reconciler.cli import github, options, terminal
from reconciler.cli.console import Console, digest_of, review_of, text_of
from reconciler.cli.interruption import explained, nothing_sent, still_training
from reconciler.cli.invocation import approving, typed
from reconciler.cli.manifests import known_by, valid_source, warnings_of
from reconciler.cli.output import print_document
from reconciler.cli.wiring import RunContext, run_context
from reconciler.collector import without_collector
from reconciler.core.change import Adopt, Change, Hold, Keep, Wait
from reconciler.core.gates import Permission, approval_key
from reconciler.core.reason import Reason
from reconciler.core.snapshot import Snapshot
from reconciler.engine.apply import Listener, Patience
from reconciler.engine.apply import apply as apply_fleet
from reconciler.engine.steps import Decided
from reconciler.errors import Declined, StalePlan, StateReplaced, UsageError, escaped
from reconciler.render.commands import decided_here
from reconciler.render.plan_data import plan_data
from reconciler.render.plan_markdown import plan_markdown
from reconciler.render.step_summary import step_outputs
from reconciler.render.text import Typed
from reconciler.settings import Settings

_CHANGES_PRESENT = 2
# How often an apply begins again, where its state directory is replaced before it has written anything.
_BEGINNINGS = 3
_DIGEST = re.compile("[0-9a-f]{16}")


@github.reporting_errors
@without_collector()  # it ends soon, and its process with it
def plan(ctx: click.Context, /, directory: str, form: str, *, detailed_exitcode: bool, **rest: Any) -> int:
    """`plan`, as `commands` declares it."""
    settings = options.settings_of(directory, rest)
    known = known_by(settings)
    snapshot = valid_source(settings, known)
    with run_context(settings, snapshot, writes=False, clock=ctx.obj, known=known) as context:
        seen = context.reconciler.observe(snapshot)
        # Only apply asks about a first run; a plan shows what the answer decides.
        decided = context.reconciler.decide(seen, snapshot, Permission(first_run=context.account.sandbox))
        shown = decided_here(decided, partial(typed, ctx, directory))
        review = review_of(context, shown, approving(ctx, directory), warnings=warnings_of(snapshot))
        if form in {"json", "yaml"}:
            print_document(plan_data(review), form)
        else:
            terminal.echo(plan_markdown(review) if form == "markdown" else text_of(review))
        github.report(lambda: plan_markdown(review), lambda: step_outputs(review))
        if detailed_exitcode and review.changes_present:
            return _CHANGES_PRESENT
        return 3 if decided.gated.refusals else 0


@github.reporting_errors
def apply(  # noqa: PLR0913 - one parameter a flag of the command
    ctx: click.Context,
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
    """`apply`, as `commands` declares it."""
    if timeout is not None and not wait:
        raise click.UsageError("--timeout goes with --wait")
    settings = options.settings_of(directory, rest)
    known = known_by(settings)
    snapshot = valid_source(settings, known)
    flags = _ApplyFlags(directory, form, yes, approve, first_run, wait, timeout)
    credentials, beginnings = None, 0
    while True:
        beginnings += 1
        opened = run_context(settings, snapshot, writes=True, clock=ctx.obj, known=known, credentials=credentials)
        with opened as context:
            try:
                with explained(nothing_sent):
                    code = _applied(ctx, context, settings, snapshot, flags)
            except StateReplaced as error:
                # Another first run may have taken away what it had made and did not need.
                if context.ports.journal.fence.has_written or beginnings == _BEGINNINGS:
                    raise StateReplaced(f"{error}. Run apply again") from error
                context.voice.say("the state directory was replaced meanwhile; nothing was sent, and it begins again")
                credentials = context.credentials
            else:
                # Imported here: `plan` makes no probe, and ends none.
                from reconciler.cli.probing import end_leftover  # noqa: PLC0415

                end_leftover(settings, snapshot, context)
                return code


class _ApplyFlags(Struct, frozen=True):
    """The flags of an `apply`, as they were given."""

    directory: str
    form: str
    yes: bool
    approve: str | None
    first_run: bool
    wait: bool
    timeout: float | None


def _applied(
    ctx: click.Context, context: RunContext, settings: Settings, snapshot: Snapshot, flags: _ApplyFlags
) -> int:
    """One apply over an open state directory; its exit code."""
    again, here = approving(ctx, flags.directory), partial(typed, ctx, flags.directory)
    permission = Permission(first_run=flags.first_run or context.account.sandbox)
    shown = False
    if flags.approve is not None:
        permission = _approved(context, snapshot, replace(permission, first_run=True), flags.approve)
    elif not flags.yes and not context.account.sandbox:
        if not options.can_ask() or settings.stream:
            raise UsageError("nobody can be asked here: say --yes, or --approve DIGEST with the digest of a plan")
        permission, shown = _asked(context, snapshot, permission, here, wait=flags.wait), True
    console = Console(context, again, here, form=flags.form, shown=shown, warnings=warnings_of(snapshot))
    patience = Patience(wait=flags.wait, timeout=flags.timeout, poll=1.0 if context.account.sandbox else 10.0)
    listener = Listener(console.announce, console.wrote, console.waiting, context.voice.go_on, console.passed)
    with explained(lambda: _ended(context, "" if settings.stream else here("status", ""))):
        result = apply_fleet(context.reconciler, snapshot, permission, patience, listener)
    console.conclude(result)
    return result.exit_code


def _preview(context: RunContext, snapshot: Snapshot, permission: Permission) -> Decided:
    return context.reconciler.decide(context.reconciler.observe(snapshot), snapshot, permission)


def _approved(context: RunContext, snapshot: Snapshot, permission: Permission, digest: str) -> Permission:
    """The permission that a digest gives: to do that plan, or nothing where it has been done.

    Raises:
        StalePlan: something else than that plan is left to do.
    """
    digest = digest.strip()
    if not _DIGEST.fullmatch(digest):
        raise UsageError(f"--approve takes the digest of a plan, 16 hex digits, not {escaped(digest)!r}")
    decided = _preview(context, snapshot, permission)
    if not _is_left(context, decided, digest):
        return replace(permission, approved=frozenset())
    if decided.plan.writes and context.reconciler.watch.cold and not decided.seen.settled:
        # The plan must still be the same when the first write may be sent.
        seconds = max(0.0, context.reconciler.watch.settled_at - context.ports.clock.monotonic())
        context.voice.waiting(seconds, f"the settle window: {context.reconciler.watch.cold}")
        context.ports.clock.sleep(seconds)
        context.voice.go_on()
        decided = _preview(context, snapshot, permission)
        if not _is_left(context, decided, digest):
            return replace(permission, approved=frozenset())
    return replace(_agreed(decided, permission), limits_waived=True)


def _is_left(context: RunContext, decided: Decided, digest: str) -> bool:
    """Whether the approved plan is what is left to do; False where nothing is. Raises StalePlan otherwise."""
    now = digest_of(context, decided)
    if now == digest:
        return True
    if not all(_is_over(change) for change in decided.plan.changes):
        raise StalePlan(f"the approved plan is {digest}, the plan now is {now}; nothing was sent. Run plan again")
    context.voice.say(f"nothing is left to do of the approved plan {digest}")
    return False


def _is_over(change: Change) -> bool:
    """Whether nothing more comes of a change: its job goes on, has succeeded or stands failed, or its base does."""
    if isinstance(change, Hold):
        return change.reason.unsuccessful
    return isinstance(change, Keep | Adopt) or change.reason is Reason.DEPENDENCY_FAILED


def _asked(context: RunContext, snapshot: Snapshot, permission: Permission, here: Typed, *, wait: bool) -> Permission:
    """Show the plan and ask; the yes is for what was shown."""
    first = _preview(context, snapshot, permission)
    begins = any(v.gate == "first_run" for v in first.gated.refusals)
    decided = _preview(context, snapshot, replace(permission, first_run=True)) if begins else first
    terminal.echo(text_of(review_of(context, decided_here(decided, here))))
    agreed = _agreed(decided, replace(permission, first_run=True))
    later = wait and any(isinstance(c, Wait) for c in decided.plan.changes)
    if not decided.gated.plan.writes and not agreed.ahead and not later:
        return replace(permission, approved=frozenset())  # there is nothing to say yes to: nothing may be sent
    if begins:
        warning = (
            f"This provider shows no job of fleet {context.fleet.name} yet. A wrong key or project looks the same."
        )
        terminal.echo(f"\n{terminal.fitted(warning)}")
    if not click.confirm("\nApply this plan?", default=False):
        raise Declined("Cancelled; nothing was sent.")
    return agreed


def _agreed(decided: Decided, permission: Permission) -> Permission:
    """A yes to every write of this plan, those that wait and the jobs ahead of it included."""
    keys = frozenset(approval_key(c.write) for c in decided.plan.changes if c.write is not None)
    ahead = frozenset(end.job_id for end in decided.plan.ahead)
    return replace(permission, approved=keys, ahead=ahead)


def _ended(context: RunContext, status: str) -> str:
    """What goes on at the provider although this ends."""
    context.voice.close()
    memory = context.ports.journal.memory()
    live = [(record.name, record.job_id) for record in memory.records.values() if record.live]
    watch = context.reconciler.watch
    sent = not watch.cold or context.ports.clock.monotonic() >= watch.settled_at
    return still_training(live, list(memory.intents), status, sent=sent)
