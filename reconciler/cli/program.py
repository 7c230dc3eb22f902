"""The program behind the command line: parse, call, and say how it ended. The only place that exits is `cli.main`.

`cli.main` imports it where more is asked than `overview` can answer. The commands are in `group`, which imports none of
them before it is called.
"""

import sys
from collections.abc import Sequence

import click

from reconciler import __version__
from reconciler.cli import terminal
from reconciler.cli.group import Commands, global_flags
from reconciler.cli.interruption import INTERRUPTED, interruptible, words_of
from reconciler.cli.names import VERSION
from reconciler.cli.output import logs_json, print_failure, reader_of
from reconciler.cli.usage import mistake, said_of
from reconciler.clock import Clock, SystemClock
from reconciler.errors import Declined, ReconcilerError, UsageError, printable, system_words
from reconciler.startup import allow_rich, postpone_rich

postpone_rich()  # before a command is imported, and with it the libraries that would import it


@click.command(
    cls=Commands,
    params=global_flags(),
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.version_option(__version__, *VERSION[:2], prog_name="reconciler", help=VERSION[2])
def cli(**_flags: object) -> None:
    """Keep fine-tuning jobs equal to YAML in Git."""


def run(arguments: Sequence[str], clock: Clock | None) -> int:
    """One command; its exit code (README, *Exit codes*)."""
    terminal.prepare()
    try:
        with interruptible():
            terminal.manner.json_lines = logs_json(arguments)
            code = _run(arguments, clock or SystemClock())
            terminal.finish()
    finally:
        allow_rich()  # the process may go on, and be another program's
    return code


def _run(arguments: Sequence[str], clock: Clock) -> int:
    try:
        code = cli.main(args=list(arguments), prog_name="reconciler", standalone_mode=False, obj=clock)
        sys.stdout.flush()
    except click.ClickException as error:
        return _failed(arguments, error, mistake(error), said_of(error), UsageError.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        words = words_of(error)
        return _failed(arguments, error, words, words, INTERRUPTED)
    except BrokenPipeError:
        terminal.drop(sys.stdout)
        return 1
    except Declined as error:
        return _failed(arguments, error, str(error), str(error), error.exit_code)
    except ReconcilerError as error:
        return _failed(arguments, error, str(error), f"error: {error}", error.exit_code)
    except OSError as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # click could not even end the line
            return INTERRUPTED
        message = f"{error.filename}: {system_words(error)}" if error.filename else system_words(error)
        code = _failed(arguments, error, message, f"error: {message}", 1)
    return code if isinstance(code, int) else 0


def _failed(arguments: Sequence[str], error: BaseException, message: str, words: str, code: int) -> int:
    """Say it to a person, and to the program that reads stdout, if it can still be written."""
    terminal.echo("\n".join(printable(line) for line in words.split("\n")), err=True)
    try:
        print_failure(reader_of(arguments), error, message)
        sys.stdout.flush()
    except OSError:
        terminal.drop(sys.stdout)
    return code
