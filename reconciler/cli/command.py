"""How a command is declared: help in sections with examples, a variable for each flag, a hint for each mistake.

The modules of `commands` declare theirs with `command`, and take the types of their options from here and `options`.
`group` knows the commands by name. Imports nothing heavy but click.
"""

import re
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from reconciler.cli import terminal
from reconciler.cli.names import COLOR, QUIET, VERBOSE, YES
from reconciler.cli.suggestions import meant, meant_flag
from reconciler.cli.usage import mistake

PREFIX = "RECONCILER_"

# The sections of a help page, in order, and the flags of each; what is named nowhere is the command's own.
_OWN = "Options"
_SECTIONS: Mapping[str, frozenset[str]] = {
    _OWN: frozenset(),
    "Manifests": frozenset({"--directory", "--root", "--prune"}),
    "Connection": frozenset(
        {"--provider", "--base-url", "--api-key-file", "--token-command", "--entra", "--auth", "--query", "--header"}
        | {"--body", "--status-word", "--assume"}
    ),
    "Cost": frozenset({"--prices", "--tokenizer"}),
    "State": frozenset({"--state-dir", "--settle", "--lock-timeout"}),
    "Sandbox": frozenset({"--sandbox-dir", "--sandbox-speed", "--sandbox-mode"}),
    "Output": frozenset({"--output", "--quiet", "--verbose", "--color", "--log-format", "--help"}),
}
# Click puts a default that it is given in words into parentheses; here they go.
_COMPUTED = re.compile(r"\[default: \(([^)]*)\)")
# Columns. A wider flag has its explanation on the next line.
_FLAGS_WIDTH = 24
# Every command accepts these flags, so they may stand before its name. Its help shows those that change anything.
MANNERS = ("--quiet", "--verbose", "--color")


class Choice(click.Choice[str]):
    """One of a few words; a wrong one is answered with the nearest. The words stand in the option's help."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """What can be said instead."""
        del ctx
        return f"{value!r} is not one of {', '.join(self.choices)}{meant(str(value), self.choices)}"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """One word for all the choices, which would push the explanation off the line."""
        del ctx
        return str(param.name if param.name != "form" else "format").upper()


class Directory(click.Path):
    """A directory, as a `Path`. It may be one that is not there yet, unless ``exists``."""

    def __init__(self, *, exists: bool = False) -> None:
        super().__init__(exists=exists, file_okay=False, readable=False, path_type=Path)


class Argument(click.Argument):
    """An argument that the help page explains."""

    def __init__(self, *arguments: Any, explanation: str = "", **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.explanation = explanation

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        return super().type_cast_value(ctx, not_empty(ctx, self, value))


def not_empty(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Refuse "", which would mean the working directory and is most often a variable of a script that is not set."""
    given = value if isinstance(value, list | tuple) else (value,)
    if "" in given and not ctx.resilient_parsing:
        raise click.BadParameter("is empty; is a variable not set?", ctx=ctx, param=parameter)
    return value


class Command(click.Command):
    """A command that has sections and examples in its help, and an environment variable for each flag."""

    def __init__(
        self, *arguments: Any, examples: Sequence[str] = (), honours: Collection[str] = MANNERS, **settings: Any
    ) -> None:
        # Set for each command too: click makes the flag once, for whichever context comes first.
        settings.setdefault("context_settings", {"help_option_names": ["-h", "--help"]})
        super().__init__(*arguments, **settings)
        self.examples = tuple(examples)
        taken = {flag for parameter in self.params for flag in parameter.opts}
        for option in manners():
            if not taken & set(option.opts):
                option.hidden = not set(honours) & set(option.opts)
                self.params.append(option)
        for parameter in self.params:
            if isinstance(parameter, click.Option):
                parameter.envvar = variable(parameter)

    def get_help(self, ctx: click.Context) -> str:
        """The page."""
        return _with_spaces(super().get_help(ctx))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The arguments, then the flags by section."""
        arguments = [p for p in self.params if isinstance(p, Argument)]
        if arguments:
            with formatter.section("Arguments"):
                formatter.write_dl(
                    [(p.make_metavar(ctx).strip("[]"), p.explanation) for p in arguments], col_max=_FLAGS_WIDTH
                )
        sections: dict[str, list[tuple[str, str]]] = {name: [] for name in _SECTIONS}
        for parameter in self.get_params(ctx):
            record = record_of(ctx, parameter)
            if record is not None:
                sections[section_of(parameter)].append(record)
        write_sections(formatter, sections)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, and that every flag may come from the environment."""
        del ctx
        with formatter.section("Examples"):
            formatter.write("".join(f"  {example}\n" for example in self.examples))
        flags = {flag: p for p in self.params if isinstance(p, click.Option) and not p.hidden for flag in p.opts}
        flag = next((flag for flag in ("--state-dir", *flags) if flag in flags and flag.startswith("--")), None)
        if flag is not None:
            formatter.write_paragraph()
            formatter.write_text(f"Every flag can be set by the environment: {flag} by {variable(flags[flag])}.")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does. A mistake names the variable that it stands in, or what may have been meant."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.BadParameter as error:
            if error.param is not None and _from_environment(ctx, error.param):
                error.param_hint = variable(error.param)
            raise
        except click.UsageError as error:
            raise click.UsageError(f"{mistake(error)}{self._hint(ctx, error, given)}", ctx) from error

    def _hint(self, ctx: click.Context, error: click.UsageError, given: list[str]) -> str:
        """What may have been meant: a flag, or a directory and a name as another command takes them."""
        names = {parameter.name for parameter in self.params if isinstance(parameter, click.Argument)}
        if isinstance(error, click.NoSuchOption):
            positional = "directory" in names and error.option_name in {"-d", "--directory"}
            if positional:
                return f"; the directory comes without a flag: {ctx.command_path} DIR"
            if others := _commands_with(error.option_name, ctx):
                return f"; it is a flag of {', '.join(others)}"
            options = (p for p in self.get_params(ctx) if isinstance(p, click.Option) and not p.hidden)
            return meant_flag(error.option_name, [flag for option in options for flag in option.opts])
        if isinstance(error, click.BadOptionUsage):
            return ""
        values, extra, _ = self.make_parser(ctx).parse_args(list(given))
        if not extra:
            return ""
        words = [*(str(values[name]) for name in sorted(filter(None, names)) if values.get(name)), *extra]
        if names == {"name"} and len(words) == 2:  # noqa: PLR2004 - a directory and a name
            directory, name = words if _is_directory(words[0]) or not _is_directory(words[1]) else reversed(words)
            return f"; the directory is given as -d: {ctx.command_path} {shlex.quote(name)} -d {shlex.quote(directory)}"
        return "; it takes one directory" if names == {"directory"} else ""


def command(
    *examples: str, honours: Collection[str] = MANNERS, name: str | None = None
) -> Callable[[Callable[..., Any]], click.Command]:
    """Declare a command; each of the ``examples`` works in a directory that holds the fleet directory ``fleet``.

    ``honours``: those of the `MANNERS` that change anything here; the others are accepted, and not shown.
    ``name`` is given where it is not that of the function.
    """
    return click.command(name, cls=Command, examples=examples, honours=honours)


def manners() -> list[click.Option]:
    """The flags of every command, which say how it speaks; ``-y`` does nothing where nothing is asked."""
    switches = [
        click.Option([*flag[:2]], is_flag=True, expose_value=False, callback=_manner, help=flag[2])
        for flag in (QUIET, VERBOSE)
    ]
    color = click.Option(
        [COLOR[1]],
        type=Choice(["auto", "always", "never"]),
        metavar="WHEN",
        default="auto",
        expose_value=False,
        callback=_manner,
        help=COLOR[2],
    )
    return [click.Option([*YES[:2]], is_flag=True, hidden=True, expose_value=False, help=YES[2]), *switches, color]


def record_of(ctx: click.Context, parameter: click.Parameter) -> tuple[str, str] | None:
    """A flag and its explanation, which ends in the default; None where the flag is hidden."""
    record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
    if record is None:
        return None
    flag, words = record
    return flag, _COMPUTED.sub(r"[default: \1", words)


def section_of(parameter: click.Parameter) -> str:
    """The section of the help page that a flag stands in."""
    return next((name for name, flags in _SECTIONS.items() if flags & set(parameter.opts)), _OWN)


def write_sections(formatter: click.HelpFormatter, sections: Mapping[str, Sequence[tuple[str, str]]]) -> None:
    """Each section that has rows, all with the same columns."""
    for name, rows in sections.items():
        if rows:
            with formatter.section(name):
                width = max(min(len(term), _FLAGS_WIDTH) for every in sections.values() for term, _ in every)
                formatter.write_dl(
                    [(term.ljust(width), _unbroken(words)) for term, words in rows], col_max=_FLAGS_WIDTH
                )


def _commands_with(flag: str, ctx: click.Context) -> list[str]:
    """The commands of this program that take a flag; none where the command runs without its group."""
    group = ctx.find_root().command
    if not isinstance(group, click.Group):
        return []
    commands = {name: group.get_command(ctx, name) for name in group.list_commands(ctx)}
    return [name for name, command in commands.items() if command and any(flag in p.opts for p in command.params)]


def _unbroken(words: str) -> str:
    """With a default that stays on one line: its spaces are marked, and made spaces again by `_with_spaces`."""
    text, bracket, default = words.partition("  [")
    return text + bracket + default.replace(" ", "\xa0")


def _with_spaces(page: str) -> str:
    """The page as it is printed, without the marks of `_unbroken`."""
    return page.replace("\xa0", " ")


def variable(parameter: click.Parameter) -> str:
    """The environment variable of a flag: that of ``--state-dir`` is RECONCILER_STATE_DIR."""
    return PREFIX + max(parameter.opts, key=len).lstrip("-").replace("-", "_").upper()


def flags_of(ctx: click.Context, parameters: Sequence[click.Parameter]) -> Iterator[str]:
    """Those of ``parameters`` that were given on the command line, as they would be given again."""
    for parameter in parameters:
        name = str(parameter.name)
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            flag = max(parameter.opts, key=len)
            yield flag if ctx.params[name] is True else f"{flag}={ctx.params[name]}"


def _manner(_ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    setattr(terminal.manner, str(parameter.name), value)


def _from_environment(ctx: click.Context, parameter: click.Parameter) -> bool:
    return ctx.get_parameter_source(str(parameter.name)) is ParameterSource.ENVIRONMENT


def _is_directory(word: str) -> bool:
    return "/" in word or Path(word).is_dir()
