"""How this program was called, so that a message can name a command to copy."""

import shlex
import shutil
import sys

import click
from click.core import ParameterSource

from reconciler.core.credentials import is_secret_in_url

# Not carried over to another command: an approval stands for these, or they are said anew.
_OWN = frozenset({"yes", "approve", "first_run", "form", "detailed_exitcode", "directory"})
# Set in the environment, these say what a shell or a machine is like, not what is done: they are not written out.
_SURROUNDINGS = frozenset({"log_format", "sandbox_speed"})
# Only these make jobs, and need the speed of the next one.
_MAKES_JOBS = frozenset({"plan", "apply", "run"})

_HIDDEN = "[redacted]"  # as the log has it


def program() -> str:
    """The program as a shell finds it: by its name, else by the path that it was called by."""
    called = sys.argv[0]
    found = shutil.which("reconciler") is not None or not called.endswith("/reconciler")
    return "reconciler" if found else shlex.quote(called)


def approving(ctx: click.Context, directory: str) -> str:
    """The `apply` of the same directory with the same options; the caller adds the digest that it approves."""
    return typed(ctx, directory, "apply")


def typed(ctx: click.Context, directory: str, command: str, job: str = "") -> str:
    """Another command about the same directory, or one job in it, with those options of this one that it takes.

    What a ``RECONCILER_`` variable says is written out as its flag: the command may be run in another shell, or in CI.
    No secret is: a key is named by its file, and what is secret of a query is left for a person to fill in.
    """
    from reconciler.cli.group import command_named  # noqa: PLC0415 - it imports the commands, which call this

    accepted = {parameter.name for parameter in command_named(command).params}
    accepted -= set() if command in _MAKES_JOBS else {"sandbox_speed"}
    words = [program(), command, *([shlex.quote(job), "-d"] if job else []), shlex.quote(directory)]
    for parameter in ctx.command.params:
        name = parameter.name or ""
        source = ctx.get_parameter_source(name)
        inherited = source is ParameterSource.ENVIRONMENT and name not in _SURROUNDINGS
        given = isinstance(parameter, click.Option) and (source is ParameterSource.COMMANDLINE or inherited)
        if given and parameter.expose_value and name in accepted - _OWN:
            words += _option(parameter, ctx.params[name])
    return " ".join(words)


def _option(parameter: click.Parameter, value: object) -> list[str]:
    """The words of one option: a switch is its name alone, and what was given several times is written as often."""
    name = max(parameter.opts, key=len)
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return [name] if value else []
    values = value if parameter.multiple and isinstance(value, tuple) else (value,)
    return [word for one in values for word in (name, shlex.quote(_text(parameter, one)))]


def _text(parameter: click.Parameter, value: object) -> str:
    """The value in the words of its type: a duration has a unit, a pair an equals sign."""
    if isinstance(value, float):
        return f"{value:g}{'s' if parameter.type.name == 'duration' else ''}"
    if not isinstance(value, tuple):
        return str(value)
    name, given = map(str, value)
    hidden = parameter.name == "query" and is_secret_in_url(name)
    return f"{name}={_HIDDEN if hidden else given}"
