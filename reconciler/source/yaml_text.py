"""Bytes → YAML documents with positions, in YAML 1.2's core schema and nothing beyond it.

`reading` calls `read_documents` for each manifest, `leftovers` for files that may be one. PyYAML (libyaml where it
is there) only splits the text into events; the values are built here, because its constructors follow YAML 1.1, lose
positions and let exceptions of any kind escape. Anchors, aliases, tags, merge keys and keys that are not text are
refused: what is written is what is meant. A text without a flaw is read by `yaml_values`; where everything stands is
found out when somebody asks, by reading it once more.
"""

import codecs
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml
from msgspec import Struct, field

from reconciler.core.placeholder import template_in
from reconciler.errors import YAML_ESCAPES, escaped
from reconciler.source.files import is_unicode
from reconciler.source.syntax import place, syntax_flaw
from reconciler.source.yaml_values import (
    DEPTH_LIMIT,
    DOCUMENTS_LIMIT,
    LOADER,
    NODES_LIMIT,
    NotFinite,
    plain,
    values_of,
)

_FLAWS_LIMIT = 100
_DIRECTIVES_LIMIT = 100  # libyaml compares each %TAG with all before it

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Files that were joined may each begin with a byte order mark: https://yaml.org/spec/1.2.2/#52-character-encodings
_JOINED = re.compile("^\ufeff+(?=---(?:\\s|$))|(?<=^---\n)\ufeff+", re.MULTILINE)
# A line that was meant as an item and continues the text above.
_SWALLOWED = re.compile(r"[\r\n]\s*- ")

Path = tuple[str | int, ...]
# What documents begin with.
_BEGINNINGS = frozenset({("apiVersion",), ("kind",)})
Position = tuple[int, int]  # line and column, from 1


class Document(Struct, frozen=True):
    """One document: its value, where it begins, and whether it holds a flaw.

    ``number`` says which of its file it is, from 1; ``find_positions`` where each key and each list item stands.
    """

    value: object
    begun: Position
    find_positions: Callable[[], Mapping[Path, Position]]
    flawed: bool = False
    number: int = 0

    def position(self, path: Path) -> Position:
        """Where ``path`` stands, or what encloses it."""
        if not path:
            return self.begun
        positions = self.find_positions()
        while path and path not in positions:
            path = path[:-1]
        return positions[path] if path else self.begun


class Flaw(Struct, frozen=True):
    """Something that a document may not hold. ``path`` leads to it."""

    line: int
    column: int
    path: Path
    message: str
    document: int = 0  # the number of the document that holds it; 0: the file does


class ParsedFile(Struct):
    """What a file was parsed to. ``unreadable`` says that its text could not be read to the end."""

    documents: list[Document] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)
    unreadable: bool = False


def read_documents(content: bytes) -> ParsedFile:
    """Every document of a file, and every flaw; a document with a flaw is among them as far as it goes."""
    parsed = ParsedFile()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        words = "UTF-16, not UTF-8" if content.startswith(_UTF_16) else "not UTF-8"
        return _unreadable(parsed, *place(before, len(before)), f"{words}: save the file as UTF-8")
    if "\ufeff" in text:
        text = _JOINED.sub("", text)
    odd = _UNPRINTABLE.search(text)
    if odd is not None:
        words = f"the character \\x{ord(odd[0]):02x} is not allowed in YAML: remove it"
        return _unreadable(parsed, *place(text, odd.start()), words)
    if text.count("%TAG") > _DIRECTIVES_LIMIT:
        return _unreadable(parsed, 1, 1, f"more than {_DIRECTIVES_LIMIT} %TAG directives")
    quick = values_of(text)
    if quick is not None:
        positions = _Positions(text)
        parsed.documents = [
            Document(value, begun, functools.partial(positions.of, number), number=number)
            for number, begun, value in quick
            if value is not None
        ]
        return parsed
    return thorough(text)


def thorough(text: str) -> ParsedFile:
    """As `read_documents`, of printable text, and with the position of everything at once."""
    parsed = ParsedFile()
    try:
        for document in _documents(text, parsed.flaws):
            if document.value is not None:
                parsed.documents.append(document)
    except yaml.MarkedYAMLError as error:
        return _unreadable(parsed, *syntax_flaw(text, error))
    except _Excess as error:
        return _unreadable(parsed, error.line, error.column, str(error))
    except (yaml.YAMLError, *YAML_ESCAPES) as error:
        return _unreadable(parsed, 1, 1, f"not YAML ({type(error).__name__})")
    return parsed


class _Positions(Struct):
    """Where everything in a text stands, found out when it is first asked for."""

    text: str
    _found: dict[int, Mapping[Path, Position]] = field(default_factory=dict)

    def of(self, number: int) -> Mapping[Path, Position]:
        """In the document of that number, from 1."""
        if not self._found:
            self._found = {one.number: one.find_positions() for one in _documents(self.text, [])}
        return self._found[number]


def _unreadable(parsed: ParsedFile, line: int, column: int, message: str) -> ParsedFile:
    parsed.flaws.append(Flaw(line, column, (), message))
    parsed.unreadable = True
    return parsed


class _Excess(Exception):
    """The document is larger or deeper than any manifest, or a template of one: reading it stops here."""

    def __init__(self, position: Position, message: str) -> None:
        super().__init__(message)
        self.line, self.column = position


class _Open(Struct):
    """A mapping or a list that is being filled; ``key`` is the mapping's key that awaits its value."""

    value: dict[str, object] | list[object]
    path: Path
    start: Position
    key: str | None = None


def _documents(text: str, flaws: list[Flaw]) -> Iterator[Document]:
    builder, count = _Builder(text, flaws, 0), 0
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.DocumentStartEvent):
            builder, count = _Builder(text, flaws, count + 1), count + 1
            if count > DOCUMENTS_LIMIT:
                raise _Excess(_position(event), f"more than {DOCUMENTS_LIMIT} documents in a file")
            if event.tags:
                builder.flaw(event, "tags are not supported")
        elif isinstance(event, yaml.DocumentEndEvent):
            yield builder.document(count)
        elif isinstance(event, yaml.CollectionEndEvent):
            builder.stack.pop()
        elif isinstance(event, yaml.NodeEvent):
            builder.node(event)


class _Builder:
    """Builds one document from its events, without recursion."""

    def __init__(self, text: str, flaws: list[Flaw], number: int) -> None:
        self._text = text
        self._number = number
        self.root: object = None
        self.positions: dict[Path, Position] = {}
        self.stack: list[_Open] = []
        self.flawed = False
        self._flaws = flaws
        self._nodes = 0
        self._joined = False  # a second document went on without its ---: what it says again is said

    def document(self, number: int) -> Document:
        """What was built."""
        places = self.positions
        return Document(self.root, places.get((), (1, 1)), lambda: places, self.flawed, number)

    def flaw(self, event: yaml.Event, message: str, path: Path | None = None) -> None:
        if len(self._flaws) >= _FLAWS_LIMIT:
            raise _Excess(_position(event), f"more than {_FLAWS_LIMIT} errors: the rest of the file is not read")
        line, column = _position(event)
        top = self.stack[-1] if self.stack else None
        here = () if top is None else (*top.path, top.key) if top.key is not None else top.path
        self.flawed = True
        self._flaws.append(Flaw(line, column, here if path is None else path, message, self._number))

    def node(self, event: Any) -> None:
        """Take one node: a scalar, an alias, or the start of a collection."""
        self._nodes += 1
        if self._nodes > NODES_LIMIT:
            raise _Excess(_position(event), f"a document of more than {NODES_LIMIT} values")
        if len(self.stack) >= DEPTH_LIMIT:
            raise _Excess(_position(event), f"nested more than {DEPTH_LIMIT} levels deep")
        if isinstance(event, yaml.AliasEvent):
            self.flaw(event, "aliases are not supported: write the value out")
            self._put(event, None)
            return
        if event.anchor is not None:
            self.flaw(event, "anchors are not supported: write the value out")
        if event.tag is not None:
            self.flaw(
                event,
                f"tags are not supported ({escaped(str(event.tag).replace('tag:yaml.org,2002:', '!!'))}): remove it",
            )
        if isinstance(event, yaml.ScalarEvent):
            self._put(event, self._scalar(event))
            return
        collection: dict[str, object] | list[object] = {} if isinstance(event, yaml.MappingStartEvent) else []
        path = self._put(event, collection)
        self.stack.append(_Open(collection, path, _position(event)))

    def _put(self, event: yaml.Event, value: object) -> Path:
        """Put a value where it belongs: as the document, a list's next item, a key, or a key's value."""
        if not self.stack:
            self.root = value
            self.positions[()] = _position(event)
            return ()
        top = self.stack[-1]
        if isinstance(top.value, list):
            path = (*top.path, len(top.value))
            top.value.append(value)
            self.positions[path] = _position(event)
            return path
        if top.key is None:
            top.key = self._key(event, value, top)
            return (*top.path, top.key)
        path, top.value[top.key], top.key = (*top.path, top.key), value, None
        return path

    def _key(self, event: yaml.Event, value: object, top: _Open) -> str:
        if not isinstance(value, str):
            self._no_template(event, top)
            self.flaw(event, "a key must be text: quote it", top.path)
            return f"\0{_position(event)}"  # cannot collide with a key of the file: NUL is refused
        path = (*top.path, value)
        if value == "<<":
            self.flaw(event, "merge keys (<<) are not supported: write the values out", path)
        if path in self.positions:
            self._again(event, path)
        else:
            self.positions[path] = _position(event)
        return value

    def _again(self, event: yaml.Event, path: Path) -> None:
        """A key that its mapping has already; of a document that begins amid another only its beginning counts."""
        line, _ = self.positions[path]
        if self._joined:
            return
        if path in _BEGINNINGS:
            self._joined = True
            self.flaw(event, "a second document begins here: put --- in the line above", path)
        else:
            self.flaw(event, f"the key {escaped(str(path[-1]))} stands here again; first in line {line}", path)

    def _no_template(self, event: yaml.Event, top: _Open) -> None:
        """Two braces, one after the other, are no mapping of mappings. Raises _Excess."""
        line, column = _position(event)
        if isinstance(event, yaml.MappingStartEvent) and event.flow_style and top.start == (line, column - 1):
            mark: Any = event.start_mark
            begun = mark.index - 1
            template = template_in(self._text[begun : begun + 200])
            shown = escaped(template) if template.startswith("{{") else "{{"
            message = f"{shown} is a template that was not filled in: put the value in its place"
            raise _Excess(top.start, message)

    def _scalar(self, event: Any) -> object:
        text: str = event.value
        if not is_unicode(text):
            self.flaw(event, "half of a surrogate pair is not a character")
            return ""
        if event.style not in (None, "") or not event.implicit[0]:
            return text
        if "\ufeff" in text:
            self.flaw(event, "a byte order mark stands in it (were files joined?): remove it")
        begun, ended = event.start_mark, event.end_mark
        if ended.line > begun.line and _SWALLOWED.search(self._text, begun.index, ended.index):
            self.flaw(event, "a list item below continues this text: align its -, or begin the text with |")
        try:
            return plain(text)
        except NotFinite as error:
            self.flaw(event, str(error))
            return 0


def _position(event: Any) -> Position:
    return event.start_mark.line + 1, event.start_mark.column + 1
