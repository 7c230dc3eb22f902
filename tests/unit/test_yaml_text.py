"""YAML with positions: the core schema of YAML 1.2, and everything else refused where it stands."""

import contextlib
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.source.yaml_text import _UNPRINTABLE, ParsedFile, read_documents, thorough
from reconciler.source.yaml_values import values_of
from tests.fakes.costs import cpu_seconds
from tests.fakes.strategies import MANIFEST, changed_bytes, trapped_streams, yaml_like

EXAMPLES = MANIFEST.parent.parent


def value(text: str) -> object:
    read = read_documents(text.encode())
    assert read.flaws == []
    (document,) = read.documents
    return document.value


def flaws(text: str | bytes) -> list[tuple[int, int, str]]:
    read = read_documents(text if isinstance(text, bytes) else text.encode())
    return [(flaw.line, flaw.column, flaw.message) for flaw in read.flaws]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-4", 0.0001),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-0.0", -0.0),
        ("3", 3),
        ("+3", 3),
        ("-3", -3),
        ("010", 10),
        ("0o10", 8),
        ("0xfF", 255),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("y", "y"),
        ("true", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("null", None),
        ("~", None),
        ("NULL", None),
        ("nULL", "nULL"),
        ("2026-08-21", "2026-08-21"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("0b11", "0b11"),
        ("1e", "1e"),
        ("=", "="),
        ('"1"', "1"),
        ("'null'", "null"),
        ("|\n  x\n  y\n", "x\ny\n"),
        (">-\n  x\n  y\n", "x y"),
        ("''", ""),
    ],
)
def test_scalars_of_the_core_schema(text: str, expected: object) -> None:
    found = value(f"a: {text}")
    assert found == {"a": expected}
    assert isinstance(found, dict)
    assert type(found["a"]) is type(expected)


def test_collections_and_positions() -> None:
    (document,) = read_documents(b"a:\n  b: [x, {c: 1}]\n  d:\n    - 2\n").documents
    assert document.value == {"a": {"b": ["x", {"c": 1}], "d": [2]}}
    assert document.position(("a", "b", 1, "c")) == (2, 11)
    assert document.position(("a", "d", 0)) == (4, 7)
    assert document.position(("a", "d", "no such")) == (3, 3), "what encloses it"
    assert document.position(()) == (1, 1)


def test_several_documents_and_empty_ones() -> None:
    read = read_documents(b"---\na: 1\n---\n# nothing\n---\nb: 2\n...\n")
    assert [d.value for d in read.documents] == [{"a": 1}, {"b": 2}]
    assert read_documents(b"").documents == []
    assert read_documents(b"# only a comment\n") == ParsedFile()


def test_a_byte_order_mark_is_no_character() -> None:
    assert read_documents(b"\xef\xbb\xbfa: 1").documents[0].value == {"a": 1}


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a: 1\na: 2", 2, 1, "the key a stands here again; first in line 1"),
        ("a: &x 1", 1, 4, "anchors are not supported"),
        ("a: &x 1\nb: *x", 2, 4, "aliases are not supported"),
        ("a: !!str 1", 1, 4, "tags are not supported"),
        ("a: !foo {}", 1, 4, "tags are not supported"),
        ("%TAG ! tag:x:\n---\na: 1", 1, 1, "tags are not supported"),
        ("<<: {a: 1}", 1, 1, "merge keys"),
        ("1: x", 1, 1, "a key must be text"),
        ("true: x", 1, 1, "a key must be text"),
        ("? [a]\n: x", 1, 3, "a key must be text"),
        ("? {a: b}\n: x", 1, 3, "a key must be text"),
        ("a: .nan", 1, 4, "not a finite number"),
        ("a: -.inf", 1, 4, "not a finite number"),
        ("a: 1e999", 1, 4, "not a finite number"),
        (f"a: {'9' * 5000}", 1, 4, "a number of more than 19 digits"),
        (f"a: 0x{'f' * 30}", 1, 4, "a number of more than 19 digits"),
        ("a: \x07", 1, 4, "the character \\x07 is not allowed"),
    ],
)
def test_flaws_are_told_where_they_stand(text: str, line: int, column: int, words: str) -> None:
    found = flaws(text)
    assert any((line, column) == (at, col) and words in message for at, col, message in found), found


TAB = "a tab indents this line: YAML is indented with spaces alone"
SPACE = "a space is missing after the colon of model"
SECOND = "a second colon in this line: put the value in quotes, or begin a new line"
MISALIGNED = "the indentation of this line fits no line above: align it"
NO_KEY = "a list item where a key belongs: indent it as the other items of its list"
NO_ITEM = "a key where a list item belongs: begin it with - , or indent it"
DASH = "a list begins in a line of its own: move this - below its key"
FOLLOWS = "something follows the end of the value: put the whole value in quotes (' within '…' is written '')"
BEGIN = "a value cannot begin with {}: put it in quotes"
UNFILLED = "{} is a template that was not filled in: put the value in its place"
NO_DOCUMENT = "this belongs to no document: align it with the lines above, or begin a new document with ---"
BOM = "a byte order mark stands in it (were files joined?): remove it"
JOINED = "a byte order mark amid a document (were files joined without ---?): remove it"


def conflict(marker: str) -> str:
    return f"a marker of a merge conflict ({marker}): resolve the conflict"


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        # Spaces and tabs.
        ("a: 1\nmodel:gpt\n", 2, 7, SPACE),
        ("model:gpt\na: 1\n", 1, 7, SPACE),
        ("spec:\n  model:gpt\n  b: 1\n", 2, 9, SPACE),
        ("spec:\n  b: 1\n\n  # why\n  model:gpt\n  c: 1\n", 5, 9, SPACE),
        ("- model:gpt\n  c: 1\n", 1, 9, SPACE),
        ("a:\n -b\n -c: 1\n", 2, 3, "a space is missing after the -"),
        ("\ta: 1\n", 1, 1, TAB),
        ("a: 1\n\tb: 2\n", 2, 1, TAB),
        ("a:\n\tb: 2\n", 2, 1, TAB),
        ("a:\n  b: 1\n  \tc: 2\n", 3, 3, TAB),
        ("a: |\n x\n\ty\n", 3, 1, TAB),
        # Colons.
        ("a: b: c\n", 1, 5, SECOND),
        ("a: 'b': c\n", 1, 7, SECOND),
        ("- a: b: c\n", 1, 7, SECOND),
        ("a: 1\nb\n", 2, 1, "a colon is missing after b"),
        ("a: 1\nb\nc: 2\n", 2, 1, "a colon is missing after b"),
        ("a\nb: 1\n", 1, 1, "a colon is missing after a"),
        # Indentation and lists.
        ("a: 1\n  b: 2\n", 2, 3, "this line is indented below a, which has a value already: align them"),
        ("a:\n  b: 1\n c: 2\n", 3, 2, MISALIGNED),
        ("a:\n    b: 1\n  c: 2\n", 3, 3, MISALIGNED),
        ("a:\n  - b: 1\n   c: 2\n", 3, 4, MISALIGNED),
        ("a: |\n  x\n y: 1\n", 3, 2, MISALIGNED),
        ("  a: 1\nb: 2\n", 2, 1, NO_DOCUMENT),
        ("a: 1\n...\nb: 2\n", 3, 1, NO_DOCUMENT),
        ("a: 1\n--- b: 2\n", 2, 6, "a document begins in the line below its ---"),
        ("a:\n  - 1\n - 2\n", 3, 2, NO_KEY),
        ("a: 1\n- 2\n", 2, 1, NO_KEY),
        ("- 1\na: 2\n", 2, 1, NO_ITEM),
        ("a: - b\n", 1, 4, DASH),
        ("a:\n- 1\n  - 2\n", 2, 3, "a list item below continues this text: align its -, or begin the text with |"),
        # Quotes and brackets.
        ("a: 'x\nb: 1\n", 1, 4, "this quote is never closed"),
        ('a: 1\nb: "x\nc: 1\n', 2, 4, "this quote is never closed"),
        ('a: "x\n---\nb: 1\n', 1, 4, "this quote is not closed before the next ---"),
        ("a: 'it's'\n", 1, 8, FOLLOWS),
        ('a: "x" y\n', 1, 8, FOLLOWS),
        ('a: "x\\d"\n', 1, 6, "\\d is no escape: write \\\\ for a backslash, or use single quotes"),
        ("a: [1, 2\nb: 1\n", 1, 4, "this [ is not closed, or a comma is missing before line 2"),
        ("a: {b: 1\nc: 2\n", 1, 4, "this { is not closed, or a comma is missing before line 2"),
        ("a: [1, 2", 1, 4, "this [ is not closed, or a comma is missing before line 2"),
        ("a: 1\nb: [\n", 2, 4, "this [ is not closed"),
        ("a: [1, 2}\n", 1, 9, "} stands here, and ] would be right"),
        ("a: {b: 1]\n", 1, 9, "] stands here, and } would be right"),
        ('{"a": 1 "b": 2}\n', 1, 12, "a comma is missing before the key that ends here"),
        ("{'a' 1}\n", 1, 6, "a comma or } is missing before this"),
        ("{a: b:}\n", 1, 6, "a colon within brackets needs a space after it, or quotes around its text"),
        ("a: ]\n", 1, 4, "] cannot stand here: put the value in quotes if it is text"),
        # Signs.
        *((f"a: {sign}x\n", 1, 4, BEGIN.format(sign)) for sign in "@`%"),
        *((f"a: {sign}\n", 1, 4, BEGIN.format(sign)) for sign in "*&"),
        ("a: **x**\n", 1, 4, BEGIN.format("*")),
        ("%x: 1\n", 1, 1, "a line cannot begin with %: put the key in quotes"),
        ("% x: 1\n", 1, 1, "a line cannot begin with %: put the key in quotes"),
        ("a: ? x\n", 1, 4, BEGIN.format("?")),
        ("a: |x\n  y\n", 1, 5, "the text after | or > begins in the next line"),
        # Templates.
        ("a: {{ X }}\n", 1, 4, UNFILLED.format("{{ X }}")),
        ("a: {{X}}-b\n", 1, 4, UNFILLED.format("{{X}}")),
        ("{{- if x }}\na: 1\n{{- end }}\n", 1, 1, UNFILLED.format("{{- if x }}")),
        ("a: {{\n", 1, 4, UNFILLED.format("{{")),
        ("a: 1\n{% if x %}\n", 2, 1, UNFILLED.format("{% if x %}")),
        ("{a: ${X}}\n", 1, 5, UNFILLED.format("${X}")),
        ("a: %X%\n", 1, 4, UNFILLED.format("%X%")),
        ("a: @X@\n", 1, 4, BEGIN.format("@")),
        # Conflicts and joined files.
        ("a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> x\n", 2, 1, conflict("<<<<<<<")),
        ("<<<<<<< HEAD\na: 1\n=======\n", 1, 1, conflict("<<<<<<<")),
        ("a: 1\n=======\n", 2, 1, conflict("=======")),
        ("a: 1\n>>>>>>> x\n", 2, 1, conflict(">>>>>>>")),
        ("a: |\n  x\n<<<<<<< HEAD\n", 3, 1, conflict("<<<<<<<")),
        ("a: 1\n\ufeffb: 2\n", 2, 1, JOINED),
        ("a: \ufeffb\n", 1, 4, BOM),
        ("a\ufeff: b\n", 1, 1, BOM),
        # Line ends.
        ("a: 1\r\nb: [\r\n", 2, 4, "this [ is not closed"),
        ("a: 1\rb: [\r", 2, 4, "this [ is not closed"),
        ("a: 1\x85b: [\x85", 2, 4, "this [ is not closed"),
        ("a: 1\r\nb: \x07\r\n", 2, 4, "the character \\x07 is not allowed in YAML: remove it"),
        ("a: 1\rb: \x07\r", 2, 4, "the character \\x07 is not allowed in YAML: remove it"),
        ("a: 1\nb: \x00\n", 2, 4, "the character \\x00 is not allowed in YAML: remove it"),
    ],
)
def test_what_is_no_yaml_is_told_in_our_words(text: str, line: int, column: int, message: str) -> None:
    assert flaws(text) == [(line, column, message)]


@pytest.mark.parametrize("text", ["\ufeffa: 1\n---\nb: 2\n", "a: 1\n---\n\ufeffb: 2\n", "a: 1\n\ufeff---\nb: 2\n"])
def test_files_that_were_joined_may_each_begin_with_a_byte_order_mark(text: str) -> None:
    read = read_documents(text.encode())
    assert read.flaws == []
    assert [document.value for document in read.documents] == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x85", "\u2028"])
def test_lines_may_end_in_any_way_that_yaml_knows(end: str) -> None:
    (document,) = read_documents(end.join(["a: 1", "b:", "  c: 2", ""]).encode()).documents
    assert document.value == {"a": 1, "b": {"c": 2}}
    assert document.position(("b", "c")) == (3, 3)


@pytest.mark.parametrize(
    "text",
    [
        "a: x - y\n",
        "a: |\n  x\n  - y\n",
        "a: 'x\n  - y'\n",
        "a: x\n  y\n",
        'a: "{{ x }}"\n',
        'a: "x\ufeff"\n',
        "a: '<<<<<<< x'\n",
    ],
)
def test_what_is_meant_is_read(text: str) -> None:
    assert flaws(text) == []


def test_bytes_that_are_no_utf_8() -> None:
    said = "not UTF-8: save the file as UTF-8"
    assert flaws(b"a: 1\nb: \xff") == [(2, 4, said)]
    assert flaws("a: 1\nb: \ud800".encode("utf-8", "surrogatepass")) == [(2, 4, said)]
    assert flaws("é: 1\rb: ".encode() + b"\xff") == [(2, 4, said)]
    for encoding in ("utf-16-le", "utf-16-be"):
        assert flaws("\ufeffa: 1\n".encode(encoding)) == [(1, 1, f"UTF-16, {said}")]
    assert read_documents(b"a: \xff").unreadable


def test_a_document_with_a_flaw_is_still_read_as_far_as_it_goes() -> None:
    read = read_documents(b"a: 1\na: 2\nb: 3\n")
    assert not read.unreadable
    assert read.documents[0].value == {"a": 2, "b": 3}


def test_two_keys_that_are_not_text_do_not_hide_each_other() -> None:
    assert len(flaws("1: x\n2: y")) == 2


# ── bombs ──


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 1000, "nested more than 50"),
        ("{a: " * 1000, "nested more than 50"),
        ("- " * 1000 + "x", "nested more than 50"),
        ("[" + "1," * 30_000 + "]", "more than 10000 values"),
        (
            "a: &a [x,x,x,x,x,x,x,x,x]\n"
            + "\n".join(f"{c}: &{c} [{','.join(['*' + p] * 9)}]" for p, c in zip("abcdefgh", "bcdefghi", strict=True)),
            "anchors",
        ),
        ("a: &a {x: 1}\nb: &b\n" + "".join("  <<: *a\n" for _ in range(40)), "merge keys"),
    ],
    ids=["lists", "maps", "dashes", "values", "billion laughs", "merge keys"],
)
def test_bombs_are_defused_in_no_time(text: str, words: str) -> None:
    tracemalloc.start()
    found = flaws(text)
    elapsed, (_, peak) = cpu_seconds(lambda: flaws(text), 2), tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert any(words in message for _, _, message in found), found
    assert elapsed < 2, "tracing costs a lot; without it this is some milliseconds"
    assert peak < 64 * 1024 * 1024


# ── hostile text ──


def test_every_prefix_of_a_valid_manifest_is_read_without_a_foreign_exception() -> None:
    content = MANIFEST.read_bytes()
    for end in range(len(content)):
        assert isinstance(read_documents(content[:end]), ParsedFile)


@given(yaml_like)
def test_anything_that_looks_like_yaml(text: str) -> None:
    assert isinstance(read_documents(text.encode()), ParsedFile)


@given(st.binary(max_size=60))
def test_any_bytes(content: bytes) -> None:
    assert isinstance(read_documents(content), ParsedFile)


@given(changed_bytes(MANIFEST.read_bytes()))
def test_a_valid_manifest_with_a_few_bytes_changed(content: bytes) -> None:
    assert isinstance(read_documents(content), ParsedFile)


# ── the quick reading, and the one that knows where everything stands ──

# fmt: off
LINES = [
    "a: 1\n", "b:\n", "c: [1, x, ~]\n", "  d: 'y'\n", '  - e: "z"\n', "    f: 0x1f\n", "---\n", "k: a\n  b\n", "# c\n",
    "  g: {h: true, i: }\n", "  - \n", "...\n", 'l: "\\ud800"\n', "m: |\n", "n: &x 1\n", "o: *x\n", "p: !!str 1\n", "1: 2\n",
]
FLAWED = [
    "a: 1\na: 2", "a: &x 1", "a: !!str 1", "<<: 1", "1: x", "a: x\n  - y", "a: 1e999", f"a: {'9' * 20}", "a: *x",
    "[" * 50, "[" + "1," * 10_000 + "]", "%TAG ! tag:x:\n---\na: 1", "? [a]\n: x", 'a: "\\ud800"', "\ufeffa: 1", "a: [",
]
# fmt: on
quick_yaml = st.lists(st.sampled_from(LINES), max_size=9).map("".join)


def assert_quick_is_thorough(text: str) -> None:
    """What the quick reading vouches for, the thorough one reads likewise, and finds nothing wrong with."""
    quick, read = values_of(text), thorough(text)
    if quick is None:
        return
    assert read.flaws == []
    assert not read.unreadable
    found = [(number, begun, repr(value)) for number, begun, value in quick if value is not None]
    assert found == [(d.number, d.position(()), repr(d.value)) for d in read.documents]


@given(yaml_like | quick_yaml)
def test_the_quick_reading_reads_what_the_thorough_one_does(text: str) -> None:
    assert_quick_is_thorough(text)


@given(trapped_streams)
def test_the_quick_reading_falls_into_no_trap(content: bytes) -> None:
    with contextlib.suppress(UnicodeDecodeError):
        assert_quick_is_thorough(content.decode())


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.yaml")), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_an_example_is_read_quickly_and_alike(path: Path) -> None:
    text = path.read_text()
    assert values_of(text) is not None
    assert_quick_is_thorough(text)


@pytest.mark.parametrize("text", FLAWED)
def test_the_quick_reading_vouches_for_nothing_that_is_wrong(text: str) -> None:
    assert values_of(text) is None


def test_positions_of_what_was_read_quickly_are_found_when_they_are_asked_for() -> None:
    first, second = read_documents(b"---\n# none\n---\na: 1\n---\n\n  b: {c: [2, 3]}\n").documents
    assert (first.number, first.position(("a",))) == (2, (4, 1))
    assert second.position(("b", "c", 1)) == (7, 14)
    assert second.position(("no such",)) == second.position(()) == (7, 3)


def test_each_character_that_yaml_does_not_print_is_refused_and_no_other() -> None:
    # https://yaml.org/spec/1.2.2/#51-character-set
    printable = {0x9, 0xA, 0xD, 0x85, *range(0x20, 0x7F), *range(0xA0, 0xD800), *range(0xE000, 0xFFFE)}
    printable |= set(range(0x10000, 0x110000))
    assert set(map(ord, _UNPRINTABLE.findall("".join(map(chr, range(0x110000)))))) == set(range(0x110000)) - printable
