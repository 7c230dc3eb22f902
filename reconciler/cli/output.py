"""Documents on stdout: the result of a command for a program to read, and what is printed there when it fails.

The commands call `print_document`; `program` calls `print_failure`, so that whoever reads stdout as JSON, YAML or a
comment finds one whole document there whatever happened. Imports no YAML before YAML is asked for.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from msgspec import Struct

from reconciler.cli import terminal
from reconciler.render.annotation import annotation
from reconciler.render.markdown import error_markdown, marker

_YES = frozenset({"1", "true", "t", "yes", "y", "on"})


def print_document(data: object, form: str, *, say: Callable[[str], None] = terminal.echo) -> None:
    """Print ``data`` as one document; ``form`` is ``json`` or ``yaml``."""
    say(_yaml(data) if form == "yaml" else json.dumps(data, indent=2))


def print_item(data: object, form: str) -> None:
    """Print one of many documents that come one after the other: a line of JSON, or a YAML document."""
    terminal.echo(f"---\n{_yaml(data)}" if form == "yaml" else json.dumps(data))


class Reader(Struct, frozen=True):
    """Who reads stdout: in which form, and whether item by item."""

    form: str = "text"
    follows: bool = False


def reader_of(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Reader:
    """The form that a command line asks for, also where the rest of it makes no sense."""
    form = environment.get("RECONCILER_OUTPUT", "text")
    follows = environment.get("RECONCILER_FOLLOW", "").lower() in _YES
    words = list(arguments)
    if "--" in words:
        words = words[: words.index("--")]
    for word, following in pairwise([*words, ""]):
        if word.startswith("--output="):
            form = word.partition("=")[2]
        elif word == "--output":
            form = following
        elif word.startswith("-") and not word.startswith("--") and "o" in word:
            form = word.partition("o")[2] or following  # -o json, -ojson, -qo json
        elif word == "--follow":
            follows = True
    if form == "markdown" and "plan" not in words:  # only `plan` writes it
        form = "text"
    return Reader(form, follows and "events" in words)


def logs_json(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a command line asks for a log in JSON, also where the rest of it makes no sense."""
    form = environment.get("RECONCILER_LOG_FORMAT", "")
    for word, following in pairwise([*arguments, ""]):
        if word == "--log-format" or word.startswith("--log-format="):
            form = word.partition("=")[2] or following
    return form == "json"


def print_failure(reader: Reader, error: BaseException, message: str) -> None:
    """Print what went wrong as the document that was asked for, unless one was begun before."""
    if reader.follows and reader.form in {"json", "yaml"}:
        print_item(failure(error, message), reader.form)
    elif not terminal.manner.printed and reader.form in _FAILURES:
        terminal.echo(_FAILURES[reader.form](error, message))


def failure(error: BaseException, message: str) -> dict[str, Any]:
    """An error as data (docs/configuration.md, *Output for programs*); ``problems`` says where in files it lies."""
    problems = [dict(problem) for problem in getattr(error, "details", ())]
    return {
        "error": message.partition("\n")[0] if problems else message,
        "problems": problems,
        "complete": False,
    }


def _json_failure(error: BaseException, message: str) -> str:
    return json.dumps(failure(error, message), indent=2)


def _yaml_failure(error: BaseException, message: str) -> str:
    return _yaml(failure(error, message))


def _markdown_failure(error: BaseException, message: str) -> str:
    text = "\n".join([message, *map(problem_line, getattr(error, "details", ()))])
    return f"{marker(terminal.manner.fleet)}\n{error_markdown('plan', text)}"


def problem_line(problem: Mapping[str, object]) -> str:
    """One of an error's ``details`` as a person reads it."""
    field = f"{problem['field']}: " if problem["field"] else ""
    return f"{problem['path']}:{problem['line']}:{problem['column']}: {field}{problem['message']}"


def _github_failure(_error: BaseException, message: str) -> str:
    return annotation("error", message)


_FAILURES: Mapping[str, Callable[[BaseException, str], str]] = {
    "json": _json_failure,
    "yaml": _yaml_failure,
    "markdown": _markdown_failure,
    "github": _github_failure,
}


def _yaml(data: object) -> str:
    # Imported here: only -o yaml pays for it.
    from reconciler.state.yaml_form import as_yaml  # noqa: PLC0415

    # The same data as JSON: enums are their words, tuples are lists. YAML has no way to write half a surrogate pair.
    plain = json.loads(json.dumps(data, ensure_ascii=False).encode(errors="replace"))
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    return as_yaml(plain, allow_unicode=unicode).rstrip("\n")
