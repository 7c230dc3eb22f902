"""The options that commands share, and the `Settings` they add up to.

Each command decorates itself with those it takes. What a setting means is said in `settings`.
"""

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.command import Argument, Choice, Directory, not_empty
from reconciler.cli.terminal import manner
from reconciler.core.documents import ProviderName
from reconciler.core.job import WORD_MEANINGS, status_meaning
from reconciler.provider.header import header_of
from reconciler.provider.profile import Assumption, Auth
from reconciler.settings import LOCK_TIMEOUT_SECONDS, SANDBOX_DIRECTORY, STATE_DIRECTORY, Settings

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from reconciler.cli.completion import Item

# Those of `sandbox.modes.MODES` that ask for no header or field of their own; a test compares.
EMBEDDED_MODES = ("openai", "openai-2024", "azure", "litellm", "nebius", "llmariner", "telnyx", "bare")

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_FIELD = re.compile(r"[A-Za-z0-9._~\[\]-]+")
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)")


class Duration(click.ParamType[float]):
    """``30s``, ``5m``, ``2h``; a bare 0 needs no unit."""

    name = "duration"

    def __init__(self, minimum: float = 0.0) -> None:
        self._minimum = minimum

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        if isinstance(value, int | float):
            return float(value)
        match = _DURATION.fullmatch(str(value).strip())
        if match is None and str(value).strip() != "0":
            self.fail(f"{value!r} is not a duration; write it as 30s, 5m or 2h", param, ctx)
        seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
        if seconds < self._minimum:
            self.fail(f"{value!r} is too short: at least {self._minimum * 1000:g}ms", param, ctx)
        return seconds


class StatusWord(click.ParamType[tuple[str, str]]):
    """``WORD=succeeded``: what a status word of this server means."""

    name = "word"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """The word as it is looked up, and its meaning."""
        try:
            return status_meaning(str(value))
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


class Pair(click.ParamType[tuple[str, str]]):
    """``NAME=VALUE``, as ``read`` takes it apart. Its errors do not show the value, which may be a secret."""

    def __init__(self, name: str, read: Callable[[str], tuple[str, str]]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """The name and the rest."""
        try:
            return self._read(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _field(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not _FIELD.fullmatch(name) or not value.isprintable():
        raise ValueError("write it as NAME=VALUE")
    return name, value


_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _complete_job(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Click asks here where a flag stands before the name; else `completion` has answered before click is imported."""
    from reconciler.cli.completion import job_items  # noqa: PLC0415 - only a shell that completes needs it

    return _as_items(job_items(str(ctx.params["directory"]), incomplete))


def _complete_directory(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    return _as_items([("dir", incomplete, "")])


def _as_items(items: "Iterable[Item]") -> "list[CompletionItem]":
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - only a shell that completes needs it

    return [CompletionItem(value, type=kind, help=explanation or None) for kind, value, explanation in items]


def _either(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def _all(*decorators: _Decorator) -> _Decorator:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def output(*more: str, text: bool = True) -> _Decorator:
    """``-o``: text, JSON and YAML, and what ``more`` names; without ``text`` the result is JSON."""
    forms = [*(["text"] if text else []), "json", "yaml", *more]
    words = f"{', '.join(forms[:-1])} or {forms[-1]}"
    return click.option("-o", "--output", "form", type=Choice(forms), default=forms[0], help=f"Print {words}.")


def _directory(explanation: str, **more: Any) -> _Decorator:
    """The argument ``[DIR]``, which is the working directory where it is left out."""
    return click.argument(
        "directory",
        metavar="[DIR]",
        default=".",
        cls=Argument,
        explanation=f"{explanation}  [default: .]",
        shell_complete=_complete_directory,
        **more,
    )


directory_argument = _directory("The fleet directory, or - for manifests from stdin.")
watched_directory_argument = _directory("The fleet directory.")
new_directory_argument = _directory("Where to write; it is made where it is not there.", type=Directory())
name_argument = click.argument(
    "name", cls=Argument, explanation="The job's name, as its manifest says.", shell_complete=_complete_job
)
directory_option = click.option(
    "-d",
    "--directory",
    metavar="DIR",
    default=".",
    help="The fleet directory, or - for manifests from stdin.",
    callback=not_empty,
    shell_complete=_complete_directory,
)
files_root = click.option(
    "--files-root", metavar="DIR", type=Directory(exists=True), help="Training files may stand below this one, too."
)
root = _all(
    click.option(
        "--root", metavar="DIR", type=Directory(exists=True), help="With -: where paths start.", show_default="."
    ),
    files_root,
)
connection = _all(
    click.option(
        "--provider",
        metavar="NAME",
        type=Choice([p.value for p in ProviderName]),
        help=f"Instead of the fleet's: {_either([p.value for p in ProviderName])}.",
    ),
    click.option("--base-url", metavar="URL", help="The API's base URL, ending in /v1; also OPENAI_BASE_URL."),
    click.option(
        "--api-key-file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Read the key from a file instead of OPENAI_API_KEY.",
    ),
    click.option(
        "--token-command",
        metavar="CMD",
        help="Run this for a token that expires; it prints text, or JSON with token and expiresOn.",
    ),
    click.option("--entra", is_flag=True, help="Take a token of Microsoft Entra; needs the extra azure."),
    click.option(
        "--auth",
        metavar="HOW",
        type=Choice([auth.value for auth in Auth]),
        help=f"Send the key as {_either([auth.value for auth in Auth])}.",
        show_default="bearer; azure api-key",
    ),
    click.option(
        "--query",
        metavar="NAME=VALUE",
        type=Pair("field", _field),
        multiple=True,
        help="Ask with this field in every request's query. May be repeated.",
    ),
    click.option(
        "--header",
        metavar="NAME=FROM",
        type=Pair("header", header_of),
        multiple=True,
        help="Send this header; its value comes from @FILE or $VARIABLE. May be repeated.",
    ),
    click.option(
        "--body",
        metavar="NAME=VALUE",
        type=Pair("field", _field),
        multiple=True,
        help="Send this field with every create. May be repeated.",
    ),
    click.option(
        "--status-word",
        metavar="WORD=MEANING",
        type=StatusWord(),
        multiple=True,
        help=f"What a status word of this server means: {_either(WORD_MEANINGS)}. May be repeated.",
    ),
    click.option(
        "--assume",
        metavar="FACT",
        type=Choice([assumption.value for assumption in Assumption]),
        multiple=True,
        help=f"What is true of this server although it does not show it: {_either([a.value for a in Assumption])}. "
        "May be repeated.",
    ),
    click.option(
        "--state-dir",
        metavar="DIR",
        type=Directory(),
        help="The journal, the locks and the status files.",
        show_default=f"DIR/{STATE_DIRECTORY}",
    ),
    click.option(
        "--sandbox-dir",
        metavar="DIR",
        type=Directory(),
        help="The sandbox's own data.",
        show_default=f"DIR/{SANDBOX_DIRECTORY}",
    ),
    click.option(
        "--sandbox-speed",
        metavar="N",
        type=click.FloatRange(0, min_open=True),
        default=1.0,
        show_default="1",
        help="Run the sandbox's jobs N times faster.",
    ),
    click.option(
        "--sandbox-mode",
        metavar="SERVER",
        type=Choice(EMBEDDED_MODES),
        default=EMBEDDED_MODES[0],
        help=f"Let the sandbox answer as this server does: {_either(EMBEDDED_MODES)}.",
    ),
    click.option(
        "--log-format",
        metavar="FORMAT",
        type=Choice(["auto", "text", "json"]),
        default="auto",
        help="Log as text or json; auto is text at a terminal.",
    ),
)
pricing = _all(
    click.option(
        "--prices",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="What training costs, by model or server; YAML or JSON.",
    ),
    click.option(
        "--tokenizer",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="The tokenizer.json of models that are not OpenAI's; needs the extra tokenizers.",
    ),
)
settle = click.option(
    "--settle",
    metavar="TIME",
    type=Duration(),
    help="How long a job may be missing from a listing: the settle window.",
    show_default="30s; sandbox 0",
)
lock_timeout = click.option(
    "--lock-timeout",
    metavar="TIME",
    type=Duration(),
    default=f"{LOCK_TIMEOUT_SECONDS:g}s",
    help="How long to wait for another run to end.",
)
pruning = click.option("--prune", is_flag=True, help="With -: cancel jobs whose manifest is not in the stream.")


def root_of(directory: str, root: Path | None) -> Path | None:
    """``--root`` as given. Raises UsageError where nothing is read from standard input."""
    if root is not None and directory != "-":
        raise click.UsageError("--root goes with - (manifests from standard input)")
    return root


def settings_of(directory: str, options: dict[str, Any]) -> Settings:
    """The options of a command as `Settings`; a directory of ``-`` is standard input."""
    stream = directory == "-"
    root = root_of(directory, options.pop("root", None))
    prune = options.pop("prune", False)
    if prune and not stream:
        raise click.UsageError("--prune goes with - (manifests from standard input); a directory prunes by spec.prune")
    provider = options.pop("provider", None)
    return Settings(
        root=(root or Path()) if stream else Path(directory),
        stream=stream,
        provider=ProviderName(provider) if provider else None,
        verbose=manner.verbose,
        quiet=manner.quiet,
        prune=prune or not stream,
        **options,
    )


def can_ask() -> bool:
    """Whether a person can be asked: stdin and stdout are both a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()
