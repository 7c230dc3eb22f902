"""The options that commands share, and the `Settings` they add up to.

Each command decorates itself with those it takes. What a setting means is said in `settings`.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from reconciler.core.documents import ProviderName
from reconciler.core.job import WORD_MEANINGS, status_meaning
from reconciler.provider import Assumption
from reconciler.settings import LOCK_TIMEOUT_SECONDS, Settings

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
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


_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _all(*decorators: _Decorator) -> _Decorator:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def output(*forms: str) -> _Decorator:
    """``-o``; the first form is the default."""
    return click.option(
        "-o", "--output", "form", type=click.Choice(forms), default=forms[0], show_default=True, help="Output format."
    )


directory_argument = click.argument("directory", metavar="[DIR]", default=".")
directory_option = click.option(
    "-d", "--directory", metavar="DIR", default=".", show_default=True, help="The fleet directory, or - for stdin."
)
connection = _all(
    click.option("--provider", type=click.Choice([p.value for p in ProviderName]), help="Instead of the fleet's."),
    click.option("--base-url", metavar="URL", help="The API's base URL, ending in /v1 (OPENAI_BASE_URL)."),
    click.option(
        "--api-key-file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Read the key from a file (OPENAI_API_KEY).",
    ),
    click.option(
        "--status-word",
        metavar="WORD=MEANING",
        type=StatusWord(),
        multiple=True,
        help=f"What a status word of this server means ({', '.join(WORD_MEANINGS)}); may be repeated.",
    ),
    click.option(
        "--assume",
        type=click.Choice([assumption.value for assumption in Assumption]),
        multiple=True,
        help="What is true of this server although it does not show it; may be repeated.",
    ),
    click.option("--root", metavar="DIR", type=click.Path(path_type=Path), help="With -: where paths start."),
    click.option(
        "--state-dir",
        metavar="DIR",
        type=click.Path(path_type=Path),
        help="Journal, locks and status [DIR/.reconciler].",
    ),
    click.option(
        "--sandbox-dir", metavar="DIR", type=click.Path(path_type=Path), help="The sandbox's own data [DIR/.sandbox]."
    ),
    click.option(
        "--sandbox-speed",
        metavar="N",
        type=click.FloatRange(0, min_open=True),
        default=1.0,
        help="Jobs run N times faster.",
    ),
    click.option("--log-format", type=click.Choice(["auto", "text", "json"]), default="auto", show_default=True),
    click.option("-v", "--verbose", is_flag=True, help="Log every request."),
)
writing = _all(
    click.option("--settle", type=Duration(), help="The settle window [30s; 0 for the sandbox]."),
    click.option("--lock-timeout", type=Duration(), default=LOCK_TIMEOUT_SECONDS, help="Wait for another run [30s]."),
)
pruning = click.option("--prune", is_flag=True, help="With -: cancel jobs whose manifest is not in the stream.")


def settings_of(directory: str, options: dict[str, Any]) -> Settings:
    """The options of a command as `Settings`; a directory of ``-`` is standard input."""
    stream = directory == "-"
    root = options.pop("root", None)
    if root is not None and not stream:
        raise click.UsageError("--root goes with - (manifests from standard input)")
    prune = options.pop("prune", False)
    if prune and not stream:
        raise click.UsageError("--prune goes with - (manifests from standard input); a directory prunes by spec.prune")
    provider = options.pop("provider", None)
    return Settings(
        root=(root or Path()) if stream else Path(directory),
        stream=stream,
        provider=ProviderName(provider) if provider else None,
        prune=prune or not stream,
        **options,
    )


def terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()
