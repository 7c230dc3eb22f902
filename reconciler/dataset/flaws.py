"""What is wrong with a line of JSON, and where: in words that say the way on.

`lines` asks about a line that both of its parsers refused. Slow and exact: one pass over the tokens of RFC 8259,
without recursion; what Python's parser lets through (NaN, doubled keys, halves of surrogate pairs, numbers that
become infinite) is a flaw too. Nothing here decides which lines are asked about.
"""

import json
import re

from msgspec import Struct, field

from reconciler.dataset.rules import DIGITS_LIMIT
from reconciler.errors import escaped

# Far beyond any example; Python's own parser gives up at about a thousand.
DEPTH_LIMIT = 500

_SPACE = re.compile(r"[ \t\r\n]*")
_TEXT_START = re.compile(r'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![\w.+-])")
_LITERAL = re.compile(r"(?:true|false|null)(?!\w)")
_WORD = re.compile(r"[-+.]?\w[\w.+-]*")
_HALF = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_HALVES = re.compile("[\ud800-\udfff]")
_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)")

_DUMPS = "write the file with json.dumps"
# What stands where JSON has something else, by how it begins; the first that fits.
_STRANGERS = (
    (r"-?(?:NaN|nan|Infinity|inf)\b", "{} is not JSON: write a finite number, or null"),
    (r"(?:True|False|None)\b", f"{{}} is Python, not JSON: {_DUMPS}"),
    (r"undefined\b", "{} is JavaScript, not JSON: write null, or leave the field out"),
    (r"'", f"single quotes are Python, not JSON: {_DUMPS}"),
    ("[\u2018-\u201f\u00ab\u00bb]", "a typographic quote ({}): write a straight one"),
    (r"//|/\*|#", "JSON has no comments: remove it"),
    ("\ufeff", "a byte order mark amid the file (were files joined?): remove it"),
    ("\x00", "a NUL byte: the file is binary, or was not written to its end"),
    (r"\.\.\.|…", "something was left out here ({}): write all of it"),
)
_LINE_ENDS = ("\x85", "\u2028", "\u2029")
_ESCAPED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


class JsonFlaw(Struct, frozen=True):
    """``position`` counts characters from 0; ``path`` leads to the value around it, as in ``messages[2].role``.

    ``open`` says that the text ended within a value.
    """

    position: int
    message: str
    path: str = ""
    open: bool = False


class _Container(Struct):
    keys: set[str] | None  # None: an array
    step: str = ""  # the key or the index of the value that is read
    count: int = 0


class _Found(Exception):
    def __init__(self, flaw: JsonFlaw) -> None:
        super().__init__(flaw.message)
        self.flaw = flaw


def flaw_of(text: str) -> JsonFlaw | None:
    """The first flaw of a line, or None where it is one JSON value."""
    try:
        _Walk(text).line()
    except _Found as found:
        return found.flaw
    return None


class _Walk(Struct):
    text: str
    at: int = 0
    stack: list[_Container] = field(default_factory=list)

    def line(self) -> None:
        """Walk over one value and what follows it."""
        self._value()
        while self.stack:
            self._next()
        gap = self.at
        self._skip()
        if self.at == len(self.text):
            return
        here = self.text[self.at]
        if here in _LINE_ENDS:
            self._fail(f"the lines end in U+{ord(here):04X}: end them in LF")
        if "\r" in self.text[gap : self.at]:
            self._fail("the lines end in CR alone: end them in LF (`tr '\\r' '\\n'`)", at=gap)
        if here == ",":
            self._fail("a comma after the example: lines are not joined by commas; remove it")
        if here in "{[":
            self._fail("a second value in this line: write one example a line")
        self._stranger("something follows the example ({}): write one example a line, and nothing else")

    def _next(self) -> None:
        """One step within the innermost container: its next member, or its end."""
        top = self.stack[-1]
        end = "]" if top.keys is None else "}"
        self._skip()
        if self._take(end):
            self.stack.pop()
            return
        if self.text.startswith(("]", "}"), self.at):
            self._fail(f"{self.text[self.at]} stands here, and {end} would be right")
        comma = self.at
        if top.count:
            if not self._take(","):
                self._stranger('a comma is missing before {}, or a quote within a text is not written \\"')
            self._skip()
            if self.text.startswith(("]", "}"), self.at):
                self._fail("a comma before the end: remove it", at=comma)
        self._member(top)

    def _member(self, top: _Container) -> None:
        if top.keys is None:
            top.step = str(top.count)
        else:
            self._key(top, top.keys)
        top.count += 1
        self._value()

    def _key(self, top: _Container, keys: set[str]) -> None:
        start = self.at
        if not self.text.startswith('"', start):
            top.step = ""
            self._stranger("a key in double quotes is missing: {} stands here")
        key = self._string()
        top.step = key
        if key in keys:
            self._fail(f"the key {escaped(key)} stands here again: leave one", at=start)
        keys.add(key)
        self._skip()
        if not self._take(":"):
            self._stranger("a colon is missing before {}")

    def _value(self) -> None:
        self._skip()
        opening = self.text[self.at : self.at + 1]
        if opening == '"':
            self._string()
        elif opening and opening in "{[":
            if len(self.stack) >= DEPTH_LIMIT:
                self._fail(f"nested more than {DEPTH_LIMIT} levels deep")
            self.stack.append(_Container(set() if opening == "{" else None))
            self.at += 1
        elif number := _NUMBER.match(self.text, self.at):
            self._finite(number[0])
            self.at = number.end()
        elif literal := _LITERAL.match(self.text, self.at):
            self.at = literal.end()
        else:
            self._stranger("a value is missing: {} stands here")

    def _finite(self, number: str) -> None:
        integer = number.lstrip("-").isdigit()
        if (integer and len(number) > DIGITS_LIMIT) or (not integer and float(number) in (float("inf"), -float("inf"))):
            self._fail("a number too large to be read as one: write a smaller one, or a text")

    def _string(self) -> str:
        start = self.at
        begun = _TEXT_START.match(self.text, start)
        end = begun.end() if begun else start
        stop = self.text[end : end + 1]
        if stop in ("", "\n"):
            self._fail("this text has no end: close its quotes (a line break in it is written \\n)", is_open=not stop)
        if stop == "\\":
            shown = escaped(self.text[end : end + 2])
            self._fail(f"{shown} is no escape of JSON: a backslash itself is written \\\\", at=end)
        if stop != '"':
            written = _ESCAPED.get(stop, f"\\u{ord(stop):04x}")
            self._fail(f"the control character \\x{ord(stop):02x} within a text: write {written}, or remove it", at=end)
        self.at = end + 1
        value: str = json.loads(self.text[start : self.at])
        if _HALVES.search(value):
            self._half(start)
        return value

    def _half(self, start: int) -> None:
        """Fail at the escape that is half of a surrogate pair."""
        while escape := _ESCAPE.search(self.text, start):
            pair = _PAIR.match(self.text, escape.start())
            if pair is None and _HALF.match(escape[0]):
                message = (
                    f"{escape[0]} is half of a surrogate pair and no character: write the other half, or remove it"
                )
                self._fail(message, at=escape.start())
            start = pair.end() if pair else escape.end()

    def _stranger(self, otherwise: str) -> None:
        """Fail with what is known of that which stands here."""
        if self.at >= len(self.text):
            where = "within an array" if self.stack and self.stack[-1].keys is None else "within an object"
            self._fail(f"the line ends {where}: write each example in one line", is_open=True)
        word = _WORD.match(self.text, self.at)
        shown = escaped(word[0][:40] if word else self.text[self.at])
        for pattern, message in _STRANGERS:
            if found := re.compile(pattern).match(self.text, self.at):
                self._fail(message.format(escaped(found[0])))
        if word and (word[0][0] in "+-." or word[0][0].isdigit()) and otherwise.startswith("a value"):
            self._fail(f"{shown} is not a number of JSON: write it in plain decimal digits")
        self._fail(otherwise.format(shown))

    def _fail(self, message: str, *, at: int | None = None, is_open: bool = False) -> None:
        steps = (f"[{c.step}]" if c.keys is None else f".{c.step}" for c in self.stack if c.step)
        path = escaped("".join(steps).removeprefix("."))
        raise _Found(JsonFlaw(self.at if at is None else at, message, path, is_open))

    def _skip(self) -> None:
        space = _SPACE.match(self.text, self.at)
        self.at = space.end() if space else self.at

    def _take(self, sign: str) -> bool:
        taken = self.text.startswith(sign, self.at)
        self.at += taken
        return taken
