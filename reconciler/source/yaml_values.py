"""YAML text → values, as fast as libyaml's events are taken; and what plain scalars mean in YAML 1.2's core schema.

`yaml_text` asks `values_of` for each text, and reads one that it does not vouch for again, with the position of
everything. What is read here keeps no position and knows no error: whatever a manifest may not hold ends the reading.
"""

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml
from yaml.events import (
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from reconciler.errors import YAML_ESCAPES, escaped
from reconciler.source.files import is_unicode

NODES_LIMIT = 10_000
DOCUMENTS_LIMIT = 20_000
DEPTH_LIMIT = 50
_DIGITS_LIMIT = 19

LOADER: Any = getattr(yaml, "CLoader", yaml.Loader)

# https://yaml.org/spec/1.2.2/#103-core-schema
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.nan|\.NaN|\.NAN")

_ENDS = frozenset({MappingEndEvent, SequenceEndEvent})
_AROUND = frozenset({DocumentEndEvent, StreamStartEvent, StreamEndEvent})
# Few texts are other than those of another manifest; longer ones are prose.
_REPEATED = 64


class NotFinite(ValueError):
    """A scalar that stands for no number that this program can hold; its message says why."""


class _Rare(Exception):
    """Something that is wrong, or so rare that the slower reading may look at it."""


def values_of(text: str) -> list[tuple[int, tuple[int, int], object]] | None:
    """Each document's number, its line and column, and its value; None where it is not read in here."""
    if "\ufeff" in text:
        return None
    try:
        return list(_values(text))
    except (_Rare, NotFinite, yaml.YAMLError, *YAML_ESCAPES):
        return None


def plain(text: str) -> object:
    """What a plain scalar stands for. Raises NotFinite."""
    return _known(text) if len(text) <= _REPEATED else _resolved(text)


def _resolved(text: str) -> object:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        if len(text) > _DIGITS_LIMIT:
            raise NotFinite(f"a number of more than {_DIGITS_LIMIT} digits")
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    number = _FLOAT.fullmatch(text)
    if _NOT_FINITE.fullmatch(text) or (number and abs(float(text)) == float("inf")):
        raise NotFinite(f"{escaped(text)} is not a finite number")
    return float(text) if number else text


_known = functools.lru_cache(maxsize=4096)(_resolved)


def _values(text: str) -> Iterator[tuple[int, tuple[int, int], object]]:
    number, next_event = 0, LOADER(text).get_event
    for event in iter(next_event, None):
        kind = type(event)
        if kind is DocumentStartEvent:
            number += 1
            if event.tags or number > DOCUMENTS_LIMIT:
                raise _Rare
            first = next_event()
            yield number, (first.start_mark.line + 1, first.start_mark.column + 1), _value(first, next_event)
        elif kind not in _AROUND:
            raise _Rare


def _value(event: Any, next_event: Callable[[], Any]) -> object:
    """Of one document, which begins with ``event``. ``above`` are the collections around the one being filled."""
    root: Any = _begun(event, 0)
    above: list[Any] = []
    top: Any = None if type(event) is ScalarEvent else root
    key: str | None = None
    nodes = 1
    while top is not None:
        event = next_event()
        kind = type(event)
        if kind in _ENDS:
            top = above.pop() if above else None
            continue
        value: Any = _scalar(event) if kind is ScalarEvent else _begun(event, len(above))
        nodes += 1
        if type(top) is list:
            top.append(value)
        elif key is None:
            key = _key(value, top)
            continue
        else:
            top[key], key = value, None
        if kind is not ScalarEvent:
            above.append(top)
            top = value
    if nodes > NODES_LIMIT:
        raise _Rare
    return root


def _begun(event: Any, depth: int) -> object:
    """A collection that holds nothing yet, or a scalar."""
    start = _STARTS.get(type(event))
    if start is None or event.anchor is not None or event.tag is not None or depth >= DEPTH_LIMIT - 2:
        raise _Rare
    return start(event)


def _scalar(event: Any) -> object:
    if event.anchor is not None or event.tag is not None:
        raise _Rare
    text: str = event.value
    if event.style:
        if not text.isascii() and not is_unicode(text):
            raise _Rare
        return text
    # A list item that was swallowed by the text above looks like this.
    if " " in text and event.end_mark.line > event.start_mark.line:
        raise _Rare
    return plain(text)


def _key(value: object, top: dict[str, object]) -> str:
    if not isinstance(value, str) or value == "<<" or value in top:
        raise _Rare
    return value


_STARTS: Mapping[type, Callable[[Any], object]] = {
    MappingStartEvent: lambda _: {},
    SequenceStartEvent: lambda _: [],
    ScalarEvent: _scalar,
}
