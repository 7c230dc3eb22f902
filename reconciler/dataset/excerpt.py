"""The part of a line in which something is wrong: enough to see it, and not the line, which may hold a megabyte.

Pure. `checking` asks for it where it keeps an error; who shows it masks what may be a key.
"""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import NamedTuple

# Characters on either side; a terminal shows fewer.
_AROUND = 200
_CUT = "…"
_SPACE = re.compile(r"[ \t\r\n]*")
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_CLOSING = {"{": "}", "[": "]"}
_DECODER = json.JSONDecoder()


class Excerpt(NamedTuple):
    """Of one line; ``caret`` counts its characters from 0."""

    text: str = ""
    caret: int = 0


def excerpt_of(line: bytes, column: int, path: str) -> Excerpt:
    """Around a column, which counts from 1; where that is 0, around the value that ``path`` leads to."""
    text = line.removeprefix(BOM_UTF8).decode(errors="replace").rstrip("\r\n")
    if column:
        return _around(text, column - 1)
    try:
        return _around(text, _place_of(text, path)) if path else Excerpt()
    except RecursionError:  # nested as deep as Python goes: what is wrong is said, and not shown
        return Excerpt()


def _around(text: str, at: int) -> Excerpt:
    start, end = max(0, at - _AROUND), at + _AROUND
    before, after = _CUT if start else "", _CUT if end < len(text) else ""
    return Excerpt(f"{before}{text[start:end]}{after}", len(before) + at - start)


def _place_of(text: str, path: str) -> int:
    """Where a value of a line of JSON begins, or as much of the way to it as there is."""
    at = _after_space(text, 0)
    for index, key in _STEP.findall(path):
        step = int(index) if index else key
        found = next((start for name, start in _members(text, at) if name == step), None)
        if found is None:
            break
        at = found
    return at


def _members(text: str, at: int) -> Iterator[tuple[str | int, int]]:
    """Each value in the object or array that begins there: its key or index, and where it begins itself."""
    closing = _CLOSING.get(text[at])
    if closing is None:
        return
    at, count = _after_space(text, at + 1), 0
    while text[at] != closing:
        name: str | int = count
        if closing == "}":
            name, at = _DECODER.raw_decode(text, at)
            at = _after_space(text, _after_space(text, at) + 1)  # behind the colon
        yield name, at
        _, at = _DECODER.raw_decode(text, at)
        at, count = _after_space(text, at), count + 1
        if text[at] == ",":
            at = _after_space(text, at + 1)


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
