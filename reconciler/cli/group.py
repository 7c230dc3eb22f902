"""The commands by name: `reconciler --help`, their completion, and what is answered to a name that is none.

A command's module is imported when the command is called or explained, never to list it, because a `validate` in a
commit hook should not wait for an HTTP client (httpx and structlog cost 150 to 200 ms each to import).
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from reconciler.cli.command import flags_of, manners, record_of, shown, write_sections
from reconciler.cli.suggestions import meant

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_WRITE, _ACT, _LOOK, _SERVE = "Write and check", "Plan and apply", "Look", "Serve"
_EXAMPLES = ("reconciler init fleet", "reconciler plan fleet", "reconciler apply fleet --wait")


@dataclass(frozen=True, slots=True)
class Listed:
    """A command as the list of commands shows it; ``summary`` is the first sentence of its help."""

    section: str
    module: str
    summary: str
    takes: str = "directory"  # its argument, for completion: a directory, the name of a job, or nothing


COMMANDS: Mapping[str, Listed] = {
    "init": Listed(_WRITE, "authoring", "Write a fleet, an example job and its data."),
    "validate": Listed(_WRITE, "authoring", "Check manifests and training files, offline."),
    "schema": Listed(_WRITE, "authoring", "Print the JSON Schema of the manifests, for editors.", ""),
    "plan": Listed(_ACT, "reconciling", "Show what apply would do, and why."),
    "apply": Listed(_ACT, "reconciling", "Create what is missing, cancel what was removed: once."),
    "forget": Listed(_ACT, "reading", "Drop what holds up a job: a lost record, a stuck cancel.", "name"),
    "status": Listed(_LOOK, "reading", "Show how the jobs stand, a row each."),
    "describe": Listed(_LOOK, "reading", "Show everything of one job, and what happens next.", "name"),
    "events": Listed(_LOOK, "reading", "Show the provider's events of a job, the oldest first.", "name"),
    "checkpoints": Listed(_LOOK, "reading", "Show the provider's checkpoints of a job.", "name"),
    "run": Listed(_SERVE, "running", "Keep the fleet as declared, for ever: watch, resync, retry."),
    "sandbox": Listed(_SERVE, "serving", "Serve a local provider that trains nothing.", ""),
}


def command_named(name: str) -> click.Command:
    """The command of that name, imported now. Raises KeyError where there is none."""
    found: click.Command = getattr(importlib.import_module(f"reconciler.cli.{COMMANDS[name].module}"), name)
    return found


class Commands(click.Group):
    """A group whose commands are imported when they are asked for, and whose flags are theirs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the help page."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or what stands for it while a shell completes its arguments."""
        del ctx
        return command_named(cmd_name) if cmd_name in COMMANDS else None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`help COMMAND` is what `COMMAND --help` is."""
        if args[:1] == ["help"] and not ctx.resilient_parsing:
            args = [*args[1:2], "--help"]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command, and its arguments: flags that stood before its name are read with those after it."""
        name, rest = args[0], args[1:]
        if name not in COMMANDS:
            if ctx.resilient_parsing:
                return None, None, rest
            raise click.UsageError(f"No such command {name!r}{meant(name, COMMANDS)}", ctx)
        if ctx.resilient_parsing:
            from reconciler.cli.completion import completing  # noqa: PLC0415 - only a shell that completes needs it

            return name, completing(name, rest), rest
        return name, self.get_command(ctx, name), [*flags_of(ctx, self.params), *rest]

    def get_help(self, ctx: click.Context) -> str:
        """The page."""
        return shown(super().get_help(ctx))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """By section, each with its whole summary."""
        del ctx
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, listed in COMMANDS.items():
            sections.setdefault(listed.section, []).append((name, listed.summary))
        write_sections(formatter, sections)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands first: they are what is looked for here."""
        self.format_commands(ctx, formatter)
        records = [record_of(ctx, parameter) for parameter in self.get_params(ctx)]
        write_sections(formatter, {"Options": [record for record in records if record is not None]})

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """How to begin."""
        del ctx
        with formatter.section("Examples"):
            formatter.write("".join(f"  {example}\n" for example in _EXAMPLES))
        formatter.write_paragraph()
        formatter.write_text("`reconciler COMMAND --help` explains a command.")

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Names of commands from the table, flags as click completes them."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - only a shell that completes needs it

        found = [CompletionItem(n, help=c.summary) for n, c in COMMANDS.items() if n.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]


def global_flags() -> list[click.Option]:
    """The flags that may stand before the command's name, shown, and read where the command's own are."""
    options = manners()
    for option in options:
        option.hidden = False
        option.callback = None
        option.expose_value = True
    return options
