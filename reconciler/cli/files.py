"""`files`: the training files that the fleet uploaded, and what needs each; `--prune-unused` deletes the rest.

It asks as `apply` does. What is deleted, and what speaks against it, is decided in `core.file_uses`.
"""

import sys
from collections.abc import Sequence
from typing import Any

import click

from reconciler.cli import options, terminal
from reconciler.cli.interruption import explained
from reconciler.cli.manifests import readable_source, valid_source
from reconciler.cli.output import print_document
from reconciler.cli.wiring import RunContext, run_context
from reconciler.clock import Clock
from reconciler.core.fields import State
from reconciler.core.file_uses import FileUse
from reconciler.core.snapshot import Snapshot
from reconciler.core.spelling import utc_text
from reconciler.engine.prune import Deleted, look, prune
from reconciler.errors import Declined, GateRefused, UsageError, plural
from reconciler.render.file_uses import file_table, use_of


def files(clock: Clock, /, directory: str, form: str, *, prune_unused: bool, yes: bool, **rest: Any) -> int:
    """`files`, as `commands` declares it."""
    settings = options.settings_of(directory, rest)
    snapshot = valid_source(settings) if prune_unused else readable_source(settings)
    with run_context(settings, snapshot, writes=prune_unused, every_backoff=True, clock=clock) as context:
        if prune_unused:
            _check_may_prune(context, yes=yes, stream=settings.stream)
        uses = look(context.reconciler, context.provider, snapshot)
        if form == "text":
            terminal.echo(file_table(uses, context.fleet.name, width=terminal.width_of(sys.stdout)))
        deleted = _pruned(context, snapshot, uses, asks=not yes and not context.account.sandbox) if prune_unused else ()
        if form != "text":
            print_document(_data(context, uses, deleted), form)
        elif deleted:
            terminal.echo(f"\n{plural(sum(one.ok for one in deleted), 'file')} deleted.")
    return 0 if all(one.ok for one in deleted) else 1


def _check_may_prune(context: RunContext, *, yes: bool, stream: bool) -> None:
    """Raises GateRefused where the fleet is left alone, UsageError where nobody has agreed and nobody can be asked."""
    if context.fleet.state is State.SUSPENDED:
        raise GateRefused("the fleet says state: suspended; nothing is deleted")
    if not yes and not context.account.sandbox and (stream or not options.can_ask()):
        raise UsageError("nobody can be asked here: say --yes")


def _pruned(context: RunContext, snapshot: Snapshot, uses: Sequence[FileUse], *, asks: bool) -> tuple[Deleted, ...]:
    unused = [use for use in uses if use.unused]
    if not unused:
        return ()
    if asks and not click.confirm(f"\nDelete {plural(len(unused), 'file')} at the provider?", default=False):
        raise Declined("Cancelled; nothing was deleted.")
    agreed = frozenset(use.file.id for use in unused)
    deleted: list[Deleted] = []
    with explained(lambda: f"interrupted; {plural(len(deleted), 'file')} deleted, nothing more is sent"):
        for one in prune(context.reconciler, context.provider, snapshot, agreed):
            deleted.append(one)
            context.voice.say(f"{'✓' if one.ok else '✗'} {one.file.id}: {one.message}")
    return tuple(deleted)


def _data(context: RunContext, uses: Sequence[FileUse], deleted: Sequence[Deleted]) -> dict[str, Any]:
    return {
        **context.whose,
        "files": [
            {
                "id": use.file.id,
                "name": use.file.name,
                "size": use.file.size or None,
                "created_at": utc_text(use.file.created_at) if use.file.created_at else None,
                "use": use_of(use),
                "manifests": list(use.manifests),
                "jobs": list(use.jobs),
            }
            for use in uses
        ],
        "deleted": [{"id": one.file.id, "ok": one.ok, "message": one.message} for one in deleted],
    }
