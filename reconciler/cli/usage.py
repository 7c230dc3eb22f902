"""What is said of a command line that cannot be read, in this program's words, and how the command is used.

`command` and `group` add what may have been meant; `program` prints it. Imports nothing but click.
"""

import re

import click
from click.exceptions import NoArgsIsHelpError

# Click's sentences, and ours; what stands in no row is ours already.
_WORDS = (
    (re.compile(r"Got unexpected extra arguments? \((.*)\)", re.DOTALL), r"unexpected: \1"),
    (re.compile(r"Option '(\S+)' requires an argument"), r"\1 needs a value"),
    (re.compile(r"Option '(\S+)' requires (\d+) arguments"), r"\1 needs \2 values"),
    (re.compile(r"Option '(\S+)' does not take a value"), r"\1 takes no value"),
    (re.compile(r"Directory '(.*)' is a file", re.DOTALL), r"'\1' is a file; name a directory"),
    (re.compile(r"(.*) is not a valid integer range", re.DOTALL), r"\1 is no whole number"),
    (re.compile(r"(.*) is not a valid (?:integer|float range|float)", re.DOTALL), r"\1 is no number"),
    (re.compile(r"(.*) is not a valid boolean.*", re.DOTALL), r"\1 is neither yes nor no"),
)


def mistake(error: click.ClickException) -> str:
    """What is wrong, in a line: which flag or argument first."""
    if isinstance(error, click.NoSuchOption):
        return f"no such option '{error.option_name}'"
    if isinstance(error, click.MissingParameter):
        return f"missing argument {_named(error)}"
    words = error.message.rstrip(".")
    words = next((pattern.sub(ours, words) for pattern, ours in _WORDS if pattern.fullmatch(words)), words)
    words = words if words[1:2].isupper() else words[:1].lower() + words[1:]
    return f"{_named(error)}: {words}" if isinstance(error, click.BadParameter) and _named(error) else words


def said_of(error: click.ClickException) -> str:
    """The mistake, and how the command is used; the help page itself where nothing was asked for."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, NoArgsIsHelpError):
        return error.message
    said = f"error: {mistake(error)}"
    if context is None:
        return said
    usage = " ".join(context.get_usage().split()).removeprefix("Usage: ")
    return f"{said}\nusage: {usage}\nfor more: {context.command_path} --help"


def _named(error: click.BadParameter) -> str:
    """The variable or the flag that it is about, as a person would type it; "" where it is about none."""
    if isinstance(error.param_hint, str):
        return error.param_hint
    if isinstance(error.param, click.Option):
        return max(error.param.opts, key=len)
    return "" if error.param is None else error.param.make_metavar(error.ctx or click.get_current_context()).strip("[]")
