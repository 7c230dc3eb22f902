"""The names of a fleet's jobs, read from the manifests as they stand, for a shell that completes one.

Every press of a key waits for it: a manifest is parsed, not understood, and the models of manifests are not imported.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import yaml

from reconciler.errors import YAML_ESCAPES

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ENDINGS = (".yaml", ".yml", ".json")
# Bytes: a larger file is no manifest that a person wrote.
_LARGE = 1024 * 1024
# Files and directories: more than a fleet of any size that people complete names of.
_LOOKED_AT = 5000


def job_names(directory: str | Path) -> set[str]:
    """Every `metadata.name` of a `kind: FineTuningJob` below ``directory``; what cannot be read has none.

    None where it holds no fleet, or several: no command could tell whose job is meant. Of a whole disk no more than
    the first few thousand files are looked at.
    """
    found = [document for path in _manifests(directory) for document in _documents_in(path)]
    if sum(kind == "Fleet" for kind, _ in found) != 1:
        return set()
    return {name for kind, name in found if kind == "FineTuningJob" and name}


def _manifests(directory: str | Path) -> Iterator[Path]:
    looked_at = 0
    for place, below, files in os.walk(directory):
        below[:] = sorted(name for name in below if not name.startswith("."))
        looked_at += len(files) + 1
        if looked_at > _LOOKED_AT:
            return
        for file in files:
            if file.lower().endswith(_ENDINGS) and not file.startswith("."):
                yield Path(place, file)


def _documents_in(path: Path) -> Iterator[tuple[str, str]]:
    """The kind and the name of each document; "" for what it lacks."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGE:
            return
        for node in yaml.compose_all(path.read_bytes(), Loader=_LOADER):
            yield from _heads(node)
    except (OSError, yaml.YAMLError, *YAML_ESCAPES):
        return


def _heads(node: yaml.Node | None) -> Iterator[tuple[str, str]]:
    document = _fields(node)
    items = document.get("items")
    if isinstance(items, yaml.SequenceNode):
        for item in items.value:
            yield from _heads(item)
    yield _word(document.get("kind")), _word(_fields(document.get("metadata")).get("name"))


def _word(node: yaml.Node | None) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def _fields(node: yaml.Node | None) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
