"""The commands by name: `reconciler --help`, their completion, and the answer to a name that is no command.

A command's module is imported when the command is called or explained, never to list it, because a `validate` in a
commit hook should not wait for an HTTP client (it and structlog cost 100 to 200 ms each to import).
"""

import importlib

import click

from reconciler.cli import terminal
from reconciler.cli.command import flags_of, manners
from reconciler.cli.names import COMMANDS, DECLARED_IN
from reconciler.cli.overview import page
from reconciler.cli.suggestions import meant_command, meant_flag
from reconciler.cli.usage import mistake
from reconciler.startup import lean_imports


def command_named(name: str) -> click.Command:
    """The command of that name, imported now. Raises KeyError where there is none."""
    listed = COMMANDS[name]
    with lean_imports():
        declared = importlib.import_module(f"reconciler.cli.commands.{DECLARED_IN[listed.section]}")
    found: click.Command = getattr(declared, listed.function or name)
    return found


class Commands(click.Group):
    """A group that imports a command when it is asked for, and hands it the flags that stood before its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the help page."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command."""
        del ctx
        return command_named(cmd_name) if cmd_name in COMMANDS else None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`help COMMAND` is what `COMMAND --help` is."""
        if args[:1] == ["help"] and not ctx.resilient_parsing:
            args = [*args[1:2], "--help"]
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            flags = (flag for parameter in self.get_params(ctx) for flag in parameter.opts)
            raise click.UsageError(f"{mistake(error)}{meant_flag(error.option_name, flags)}", ctx) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command, and its arguments: flags that stood before its name are read with those after it."""
        name, rest = args[0], args[1:]
        if name not in COMMANDS:
            if ctx.resilient_parsing:
                return None, None, rest
            raise click.UsageError(f"no such command {name!r}{meant_command(name, COMMANDS)}", ctx)
        flags = [] if ctx.resilient_parsing else flags_of(ctx, self.params)
        return name, self.get_command(ctx, name), [*flags, *rest]

    def get_help(self, ctx: click.Context) -> str:
        """The page, which is printed without click where nothing else is asked."""
        del ctx
        return page(terminal.width())


def global_flags() -> list[click.Option]:
    """The flags that may stand before the command's name. The group shows them, and the command reads them."""
    options = manners()
    for option in options:
        option.hidden = False
        option.callback = None
        option.expose_value = True
    return options
