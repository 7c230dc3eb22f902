"""YAML as this program writes it: every reader of YAML, 1.1 or 1.2, reads what was meant.

`status_files` writes and reads reports with it, `cli.output` prints documents. Manifests are read in `source`.
"""

import re

import yaml

from reconciler.errors import YAML_ESCAPES

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# A text is quoted wherever some reader of YAML, 1.1 or 1.2, takes it for something else when it is not: `1e3`, `0o17`,
# `2026-01-01`, `~`, `<<` and their like begin with no letter, and these are the words.
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf", "infinity"})
# Line ends to YAML 1.1 alone: written as escapes they are the same to both.
_BREAKS = re.compile("[\x85\u2028\u2029]")


# libyaml's, where it is built in.
class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes what every reader of YAML reads as it was: quoted texts, no aliases."""

    def ignore_aliases(self, _data: object) -> bool:
        return True

    def text(self, text: str) -> yaml.ScalarNode:
        plain = text[:1].isalpha() and text.lower() not in _WORDS
        style = '"' if _BREAKS.search(text) else None if plain else "'"
        node: yaml.ScalarNode = self.represent_scalar("tag:yaml.org,2002:str", text, style=style)
        return node


_Dumper.add_representer(str, _Dumper.text)


def as_yaml(document: object, *, allow_unicode: bool = True) -> str:
    """``document`` as every reader of YAML, 1.1 or 1.2, reads it; without ``allow_unicode`` in ASCII."""
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=allow_unicode)
    return text


def from_yaml(content: bytes) -> object:
    """What such a document holds; None where it is none."""
    try:
        document: object = yaml.load(content, Loader=_LOADER)  # noqa: S506 - both are safe loaders
    except (yaml.YAMLError, *YAML_ESCAPES):
        return None
    return document
