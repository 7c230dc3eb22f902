"""What is wrong with text that is no YAML, and where: the parser's complaint in words that say the way on.

`yaml_text` asks once a file, for the first thing that libyaml (or PyYAML's own parser) cannot read. The parser
stops where it understands nothing any more, often lines after the slip; this looks at the lines around for the slip.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.core.placeholder import template_in
from reconciler.errors import escaped

if TYPE_CHECKING:
    import yaml

# https://yaml.org/spec/1.2.2/#54-line-break-characters, and those of YAML 1.1, which the parser counts too.
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_CONFLICT = re.compile(r"(?:<{7}|={7}|>{7}|\|{7})(?:\s|$)")
_TAB = re.compile(r" *\t[ \t]*(?=\S)")
_NO_SPACE = re.compile(r"(?:\s|- )*([A-Za-z_][\w.-]*):(?=[^\s/:])(?!.*:\s)")
_NO_ITEM = re.compile(r"\s*-(?=[^\s-])")
_SECOND_COLON = re.compile(r":\s.*$")

Found = tuple[int, int, str]  # line and column, from 1, and what is wrong


def lines_of(text: str) -> list[str]:
    """Its lines, as the parser counts them."""
    return _BREAK.split(text)


def place(text: str, index: int) -> tuple[int, int]:
    """Line and column, from 1, of a character of ``text``."""
    line, start = 1, 0
    for found in _BREAK.finditer(text, 0, index):
        line, start = line + 1, found.end()
    return line, index - start + 1


class _Slip(Struct, frozen=True):
    """A parser's complaint among the lines.

    ``line`` and ``column``, from 0, are where it stopped, and ``begun`` where that which it was reading began.
    """

    lines: list[str]
    line: int
    column: int
    begun: tuple[int, int]
    problem: str

    @property
    def here(self) -> str:
        return self.text_of(self.line)

    @property
    def character(self) -> str:
        return self.here[self.column : self.column + 1]

    @property
    def indent(self) -> int:
        return len(self.here) - len(self.here.lstrip())

    def above(self) -> int:
        """The line before that says something."""
        said = (n for n in range(min(self.line, len(self.lines)) - 1, -1, -1) if self.text_of(n).strip())
        return next((n for n in said if not self.text_of(n).lstrip().startswith("#")), 0)

    def stopped(self, message: str) -> Found:
        return self.line + 1, self.column + 1, message

    def began(self, message: str) -> Found:
        return self.begun[0] + 1, self.begun[1] + 1, message

    def space_missing(self, line: int) -> Found | None:
        """Where a space is missing in a line: after a key's colon, or an item's -."""
        text = self.text_of(line)
        if found := _NO_SPACE.match(text):
            return line + 1, found.end() + 1, f"a space is missing after the colon of {escaped(found[1])}"
        if found := _NO_ITEM.match(text):
            return line + 1, found.end() + 1, "a space is missing after the -"
        return None

    def text_of(self, line: int) -> str:
        return self.lines[line] if line < len(self.lines) else ""


def syntax_flaw(text: str, error: "yaml.MarkedYAMLError") -> Found:
    """Where the slip stands, and what it is."""
    stopped = error.problem_mark or error.context_mark
    if stopped is None:
        return 1, 1, f"not YAML: {escaped(str(error.problem))}"
    begun = error.context_mark or stopped
    slip = _Slip(lines_of(text), stopped.line, stopped.column, (begun.line, begun.column), str(error.problem))
    for look_for in (_conflict, _tab, _byte_order_mark, _template, _no_break_space):
        if found := look_for(slip):
            return found
    for words, explain in _COMPLAINTS:
        if words in slip.problem:
            return explain(slip)
    context = f", {error.context}" if error.context else ""
    return slip.stopped(f"not YAML: {escaped(slip.problem + context)}")


def _conflict(slip: _Slip) -> Found | None:
    for number, line in enumerate(slip.lines[: slip.line + 2], start=1):
        if _CONFLICT.match(line):
            return number, 1, f"a marker of a merge conflict ({line[:7]}): resolve the conflict"
    return None


def _tab(slip: _Slip) -> Found | None:
    for number in (slip.line, slip.begun[0]):
        line = slip.text_of(number)
        if _TAB.match(line):
            return number + 1, line.index("\t") + 1, "a tab indents this line: YAML is indented with spaces alone"
    return None


def _byte_order_mark(slip: _Slip) -> Found | None:
    if not slip.here.startswith("\ufeff"):
        return None
    return slip.line + 1, 1, "a byte order mark amid a document (were files joined without ---?): remove it"


def _template(slip: _Slip) -> Found | None:
    template = template_in(slip.here)
    start = slip.here.find(template)
    if not template or "quoted" in slip.problem or not start <= slip.column <= start + len(template):
        return None
    words = f"{escaped(template)} is a template that was not filled in: put the value in its place"
    return slip.line + 1, start + 1, words


def _no_break_space(slip: _Slip) -> Found | None:
    for number in (slip.line, slip.begun[0], slip.above()):
        column = slip.text_of(number).find("\u00a0")
        if column >= 0 and "quoted" not in slip.problem:
            return number + 1, column + 1, "a no-break space (U+00A0) stands here: replace it by a space"
    return None


def _second_colon(slip: _Slip) -> Found:
    before = slip.here[: slip.column]
    if _SECOND_COLON.search(before):
        return slip.stopped("a second colon in this line: put the value in quotes, or begin a new line")
    if slip.here.startswith("---"):
        return slip.stopped("a document begins in the line below its ---")
    above = slip.above()
    found = slip.space_missing(above)
    if found:
        return found
    words = slip.text_of(above).strip()
    key = words.partition(":")[0].removeprefix("- ")
    if ":" not in words:
        column = len(slip.text_of(above)) - len(slip.text_of(above).lstrip()) + 1
        return above + 1, column, f"a colon is missing after {escaped(_first(words))}"
    message = f"this line is indented below {escaped(key)}, which has a value already: align them"
    return slip.line + 1, slip.indent + 1, message


def _no_colon(slip: _Slip) -> Found:
    found = slip.space_missing(slip.begun[0])
    if found:
        return found
    words = slip.text_of(slip.begun[0])[slip.begun[1] :].strip()
    return slip.began(f"a colon is missing after {escaped(_first(words))}")


def _first(words: str) -> str:
    """The word that was meant as a key; what follows it may be anything, even a secret."""
    return words.removeprefix("- ").partition(" ")[0]


def _no_key(slip: _Slip) -> Found:
    if slip.here[: slip.column].strip():
        return slip.stopped(
            "something follows the end of the value: put the whole value in quotes (' within '…' is written '')"
        )
    if slip.here[slip.column :].startswith(("- ", "-\t")) or slip.here[slip.column :] == "-":
        return slip.stopped("a list item where a key belongs: indent it as the other items of its list")
    return _misaligned(slip)


def _misaligned(slip: _Slip) -> Found:
    return slip.stopped("the indentation of this line fits no line above: align it")


def _no_item(slip: _Slip) -> Found:
    if slip.column == slip.begun[1]:
        return slip.stopped("a key where a list item belongs: begin it with - , or indent it")
    return _misaligned(slip)


def _in_brackets(slip: _Slip) -> Found:
    line, column = slip.begun
    opening = slip.text_of(line)[column : column + 1]
    closing = "]" if "']'" in slip.problem else "}"
    if slip.character and slip.character in "]}":
        return slip.stopped(f"{slip.character} stands here, and {closing} would be right")
    if line < slip.line:
        return slip.began(f"this {opening} is not closed, or a comma is missing before line {slip.line + 1}")
    if slip.character == ":":
        return slip.stopped("a comma is missing before the key that ends here")
    return slip.stopped(f"a comma or {closing} is missing before this")


def _no_value(slip: _Slip) -> Found:
    if slip.character:
        return slip.stopped(f"{escaped(slip.character)} cannot stand here: put the value in quotes if it is text")
    for number in range(min(slip.line, len(slip.lines) - 1), -1, -1):
        found = re.search(r"[\[{](?=[^\[\]{}]*$)", slip.text_of(number))
        if found:
            return number + 1, found.start() + 1, f"this {found[0]} is not closed"
    return slip.stopped("the text ends within a value")


def _no_token(slip: _Slip) -> Found:
    return slip.stopped(f"a value cannot begin with {escaped(slip.character)}: put it in quotes")


def _no_escape(slip: _Slip) -> Found:
    shown = escaped(slip.here[slip.column : slip.column + 2])
    return slip.stopped(f"{shown} is no escape: write \\\\ for a backslash, or use single quotes")


def _no_anchor(slip: _Slip) -> Found:
    line, column = slip.begun
    sign = slip.text_of(line)[column : column + 1]
    return slip.began(f"a value cannot begin with {sign}: put it in quotes")


def _said(message: str, *, began: bool = False) -> Callable[[_Slip], Found]:
    return lambda slip: slip.began(message) if began else slip.stopped(message)


_BLOCK = _said("the text after | or > begins in the next line")
_DIRECTIVE = _said("a line cannot begin with %: put the key in quotes", began=True)

# What the parser says, and what is then looked for; the first that fits.
_COMPLAINTS: tuple[tuple[str, Callable[[_Slip], Found]], ...] = (
    ("mapping values are not allowed", _second_colon),
    ("could not find expected ':'", _no_colon),
    ("found unexpected end of stream", _said("this quote is never closed", began=True)),
    ("found unexpected document indicator", _said("this quote is not closed before the next ---", began=True)),
    ("did not find expected key", _no_key),
    ("did not find expected '-' indicator", _no_item),
    ("expected <block end>", _misaligned),
    ("did not find expected ','", _in_brackets),
    ("expected ',' or", _in_brackets),
    ("did not find expected node content", _no_value),
    ("expected the node content", _no_value),
    ("block sequence entries are not allowed", _said("a list begins in a line of its own: move this - below its key")),
    ("sequence entries are not allowed", _said("a list begins in a line of its own: move this - below its key")),
    ("cannot start any token", _no_token),
    ("unknown escape character", _no_escape),
    ("alphabetic or numeric character", _no_anchor),
    ("found unexpected ':'", _said("a colon within brackets needs a space after it, or quotes around its text")),
    ("mapping keys are not allowed", _no_token),
    ("comment or line break", _BLOCK),
    ("comment or a line break", _BLOCK),
    ("chomping or indentation", _BLOCK),
    (
        "<document start>",
        _said("this belongs to no document: align it with the lines above, or begin a new document with ---"),
    ),
    ("non-alphabetical character", _DIRECTIVE),
    ("directive name", _DIRECTIVE),
)
