"""YAML with positions: the core schema of YAML 1.2, and everything else refused where it stands."""

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.source.documents import Read, read_documents
from tests.strategies import MANIFEST, changed_bytes, yaml_like


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
    assert read_documents(b"# only a comment\n") == Read()


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
        ("a: [1, 2", 2, 1, "did not find expected"),
        ("a: b: c", 1, 5, "mapping values are not allowed"),
        ("a: 'x", 1, 6, "end of stream"),
        ("\ta: 1", 1, 1, "cannot start any token"),
        ("a: \x07", 1, 4, "the character \\x07 is not allowed"),
    ],
)
def test_flaws_are_told_where_they_stand(text: str, line: int, column: int, words: str) -> None:
    found = flaws(text)
    assert any((line, column) == (at, col) and words in message for at, col, message in found), found


def test_bytes_that_are_no_utf_8() -> None:
    assert flaws(b"a: 1\nb: \xff") == [(2, 1, "not UTF-8")]
    assert flaws("a: 1\nb: \ud800".encode("utf-8", "surrogatepass")) == [(2, 1, "not UTF-8")]
    assert not read_documents(b"a: \xff").whole


def test_a_document_with_a_flaw_is_still_read_as_far_as_it_goes() -> None:
    read = read_documents(b"a: 1\na: 2\nb: 3\n")
    assert read.whole
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
    began = time.perf_counter()
    found = flaws(text)
    elapsed, (_, peak) = time.perf_counter() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert any(words in message for _, _, message in found), found
    assert elapsed < 2, "tracing costs a lot; without it this is some milliseconds"
    assert peak < 64 * 1024 * 1024


# ── hostile text ──


def test_every_prefix_of_a_valid_manifest_is_read_without_a_foreign_exception() -> None:
    content = MANIFEST.read_bytes()
    for end in range(len(content)):
        assert isinstance(read_documents(content[:end]), Read)


@settings(max_examples=1500)
@given(yaml_like)
def test_anything_that_looks_like_yaml(text: str) -> None:
    assert isinstance(read_documents(text.encode()), Read)


@settings(max_examples=500)
@given(st.binary(max_size=60))
def test_any_bytes(content: bytes) -> None:
    assert isinstance(read_documents(content), Read)


@settings(max_examples=500)
@given(changed_bytes(MANIFEST.read_bytes()))
def test_a_valid_manifest_with_a_few_bytes_changed(content: bytes) -> None:
    assert isinstance(read_documents(content), Read)
