"""What a shell completes: commands, flags, directories, and the names of jobs, read from the manifests as they stand.

`group` asks here while a shell completes. Every key press waits for it: the module of a command (an HTTP client, the
models of manifests) is imported only where its flags are completed, and a manifest is parsed, not understood.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import click
import yaml
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from reconciler.cli.command import Argument
from reconciler.cli.group import COMMANDS, command_named
from reconciler.errors import YAML_ESCAPES

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ENDINGS = (".yaml", ".yml", ".json")
# Bytes: a larger file is no manifest that a person wrote.
_LARGE = 1024 * 1024
# Files and directories: more than a fleet of any size that people complete names of.
_LOOKED_AT = 5000
_DIRECTORY_FLAGS = ("-d", "--directory")


def completing(name: str, words: list[str]) -> click.Command:
    """What stands for the command of that name while the word after ``words`` is completed.

    The command itself, where a flag's value may be next; else one that knows its argument and `-d`.
    """
    others = [word for word in words if word.startswith("-") and word.partition("=")[0] not in _DIRECTORY_FLAGS]
    return command_named(name) if others else _StandIn(name, COMMANDS[name].takes)


class _StandIn(click.Command):
    """Completes as the command of that name does."""

    def __init__(self, name: str, takes: str) -> None:
        directory = click.Option([*_DIRECTORY_FLAGS], default=".", type=click.Path(file_okay=False))
        arguments: dict[str, list[click.Parameter]] = {
            "name": [Argument(["name"], shell_complete=complete_job), directory],
            "directory": [Argument(["directory"], default=".", shell_complete=complete_directory)],
        }
        super().__init__(name, params=arguments.get(takes, []))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Its flags are known to the command alone."""
        return command_named(str(self.name)).shell_complete(ctx, incomplete) if incomplete.startswith("-") else []


def complete_directory(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """A directory: the shell knows them."""
    return [CompletionItem(incomplete, type="dir")]


def complete_job(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of the jobs of the directory that was named so far."""
    said = ctx.get_parameter_source("directory") is ParameterSource.COMMANDLINE
    directory = Path(str(ctx.params["directory"]) if said else os.environ.get("RECONCILER_DIRECTORY") or ".")
    return [CompletionItem(name) for name in sorted(set(job_names(directory))) if name.startswith(incomplete)]


def job_names(directory: Path) -> Iterator[str]:
    """Every `metadata.name` of a `kind: FineTuningJob` below ``directory``; what cannot be read has none.

    Of a directory that is no fleet's, such as a whole disk, no more than the first few thousand files are looked at.
    """
    looked_at = 0
    for place, below, files in os.walk(directory):
        below[:] = sorted(name for name in below if not name.startswith("."))
        looked_at += len(files) + 1
        if looked_at > _LOOKED_AT:
            return
        for file in files:
            if file.lower().endswith(_ENDINGS) and not file.startswith("."):
                yield from _names_in(Path(place, file))


def _names_in(path: Path) -> Iterator[str]:
    try:
        if not path.is_file() or path.stat().st_size > _LARGE:
            return
        for node in yaml.compose_all(path.read_bytes(), Loader=_LOADER):
            yield from _named_by(node)
    except (OSError, yaml.YAMLError, *YAML_ESCAPES):
        return


def _named_by(node: yaml.Node | None) -> Iterator[str]:
    document = _fields(node)
    items = document.get("items")
    if isinstance(items, yaml.SequenceNode):
        for item in items.value:
            yield from _named_by(item)
    kind, name = document.get("kind"), _fields(document.get("metadata")).get("name")
    if isinstance(kind, yaml.ScalarNode) and kind.value == "FineTuningJob" and isinstance(name, yaml.ScalarNode):
        yield name.value


def _fields(node: yaml.Node | None) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
