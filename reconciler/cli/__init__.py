"""The command line: parse, build, call, exit. The only place that prints and exits.

Commands are imported when they are called, because a `validate` in a commit hook should not wait
for an HTTP client (httpx and structlog cost 150 to 200 ms each to import).
"""

import importlib
import io
import sys
from collections.abc import Mapping, Sequence

import click

from reconciler import __version__
from reconciler.cli import terminal
from reconciler.cli.interruption import INTERRUPTED, interruptible
from reconciler.clock import Clock, SystemClock
from reconciler.errors import ReconcilerError, UsageError, printable

_COMMANDS: Mapping[str, str] = {
    "init": "reconciler.cli.authoring",
    "validate": "reconciler.cli.authoring",
    "schema": "reconciler.cli.authoring",
    "plan": "reconciler.cli.reconciling",
    "apply": "reconciler.cli.reconciling",
    "run": "reconciler.cli.running",
    "status": "reconciler.cli.reading",
    "events": "reconciler.cli.reading",
    "checkpoints": "reconciler.cli.reading",
    "forget": "reconciler.cli.reading",
    "sandbox": "reconciler.cli.serving",
}


class _Commands(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        return command_named(cmd_name) if cmd_name in _COMMANDS else None


def command_named(name: str) -> click.Command:
    """The command of that name, imported now. Raises KeyError where there is none."""
    command: click.Command = getattr(importlib.import_module(_COMMANDS[name]), name)
    return command


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="reconciler")
def cli() -> None:
    """Keep fine-tuning jobs equal to YAML in Git."""


def main(arguments: Sequence[str] | None = None, *, clock: Clock | None = None) -> None:
    """Run one command and exit with its code (README, *Exit codes*)."""
    terminal.prepare()
    with interruptible():
        code = _run(arguments, clock or SystemClock())
        terminal.finish()
    sys.exit(code)


def _run(arguments: Sequence[str] | None, clock: Clock) -> int:
    try:
        code = cli.main(args=arguments, prog_name="reconciler", standalone_mode=False, obj=clock)
        sys.stdout.flush()
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        terminal.echo(shown.getvalue().rstrip("\n"), err=True)
        return UsageError.exit_code
    except (click.Abort, KeyboardInterrupt):
        terminal.echo(
            "interrupted; nothing more is sent. What was sent is recorded, and the next run looks for it", err=True
        )
        return INTERRUPTED
    except BrokenPipeError:
        terminal.drop(sys.stdout)
        return 1
    except ReconcilerError as error:
        terminal.echo("\n".join(printable(line) for line in f"error: {error}".split("\n")), err=True)
        return error.exit_code
    except OSError as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # click could not even end the line
            return INTERRUPTED
        terminal.drop(sys.stdout)  # perhaps it was the output that could not be written
        terminal.echo(printable(f"error: {error}"), err=True)
        return 1
    return code if isinstance(code, int) else 0
