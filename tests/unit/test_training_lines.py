"""What a line of a training file may be; of every other it is said what is wrong, where in the line, and the way on."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.dataset.checking import check
from reconciler.dataset.flaws import DEPTH_LIMIT, flaw_of
from reconciler.dataset.lines import _PARSER
from reconciler.dataset.wanted import Wanted
from tests.fakes.strategies import json_values

ONE = "a training file is UTF-8 text with one JSON object a line"
NUMBER = "a number too large to be read as one: write a smaller one, or a text"
HALF = "is half of a surrogate pair and no character: write the other half, or remove it"
FINITE = "is not JSON: write a finite number, or null"
PYTHON = "is Python, not JSON: write the file with json.dumps"
DIGITS = "is not a number of JSON: write it in plain decimal digits"
PRETTY = "pretty-printed JSON: write each example in one line (`jq -c .`)"
ARRAY = f"line 1, column 1: a JSON array: {ONE} (`jq -c '.[]'`)"
TABLE = f"line 1, column 1: CSV or another table: {ONE}; convert it"
CUT = "the file ends within an example: it was cut short, or is being written"
CONFLICT = "a marker of a merge conflict: resolve it"
NUL = "a NUL byte: the file is binary, or was not written to its end"
BOM = "a byte order mark amid the file (were files joined?): remove it"


def told(content: bytes) -> str:
    """What is said of a file; "" where every line is an example."""
    report, _ = check(io.BytesIO(content), Wanted())
    if not report.findings:
        assert report.size == len(content)
        return ""
    flaw = report.findings[0]
    where = f", in {flaw.path}" if flaw.path else ""
    return f"line {flaw.line}, column {flaw.column}{where}: {flaw.message}" if flaw.line else flaw.message


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": 1}\n',
        b'{"a": 1}',
        b'\n\n{"a": 1}\n \n',
        b'\xef\xbb\xbf{"a": 1}\n',
        b'\xef\xbb\xbf\n{"a": 1}\n',
        b'{"a": 1}\r',
        b'{"a": "\\ud83d\\ude00 \\uD83D\\uDE00 \\\\ud800"}\n',
        b'{"a": "\\ud7ff\\ue000"}\n',
        '{"a": "x\u2028y\u0085\ufeff"}\n'.encode(),
        b'{"a": {"b": 1}, "c": {"b": 1}, "d": [{"b": 1}, {"b": 2}]}\n',
        b'{"a": -0, "b": 1.5e300, "c": 18446744073709551615, "d": 1e-999}\n',
        b'{"a": ' + b"[" * 400 + b"]" * 400 + b"}\n",
    ],
)
def test_lines_that_are_examples(content: bytes) -> None:
    assert told(content) == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        # What Python's parser would read.
        (b'{"a": NaN}\n', f"line 1, column 7, in a: NaN {FINITE}"),
        (b'{}\n{"a": [{"b": -Infinity}]}\n', f"line 2, column 14, in a[0].b: -Infinity {FINITE}"),
        (b'{"a": Infinity}\n', f"line 1, column 7, in a: Infinity {FINITE}"),
        (b'{"a": [1, nan]}\n', f"line 1, column 11, in a[1]: nan {FINITE}"),
        (b'{"a": 1e999}\n', f"line 1, column 7, in a: {NUMBER}"),
        (b'{"a": -1e999}\n', f"line 1, column 7, in a: {NUMBER}"),
        (b'{"a": 1' + b"0" * 308 + b"}\n", f"line 1, column 7, in a: {NUMBER}"),
        (b'{"a": 1' + b"0" * 5000 + b"}\n", f"line 1, column 7, in a: {NUMBER}"),
        (b'{"a": 1, "a": 2}\n', "line 1, column 10, in a: the key a stands here again: leave one"),
        (b'{"a": 1, "\\u0061": 2}\n', "line 1, column 10, in a: the key a stands here again: leave one"),
        (b'{"a": [{"b": {"c": 1, "c": 1}}]}\n', "line 1, column 23, in a[0].b.c: the key c stands here again: leave one"),
        (b'{"a": "x\\ud800y"}\n', f"line 1, column 9, in a: \\ud800 {HALF}"),
        (b'{"a": "\\\\ud800 \\uDC00"}\n', f"line 1, column 16, in a: \\uDC00 {HALF}"),
        (b'{"a": "\\ud83d\\ude00\\ud83d\\ud83d"}\n', f"line 1, column 20, in a: \\ud83d {HALF}"),
        (b'{"\\ud83d": 1}\n', f"line 1, column 3: \\ud83d {HALF}"),
        (b'{"a":' * 100_000, "levels deep"),
        (b'{"a":' * (DEPTH_LIMIT + 1), "levels deep"),
        # Python, JavaScript, word processors.
        (b"{'a': 1}\n", "line 1, column 2: single quotes are Python, not JSON: write the file with json.dumps"),
        (b'{"a": True}\n', f"line 1, column 7, in a: True {PYTHON}"),
        (b'{"a": None}\n', f"line 1, column 7, in a: None {PYTHON}"),
        (b'{"a": undefined}\n', "in a: undefined is JavaScript, not JSON: write null, or leave the field out"),
        (b'{"a": 1} // x\n', "line 1, column 10: JSON has no comments: remove it"),
        (b"# x\n{}\n", "line 1, column 1: JSON has no comments: remove it"),
        ('{"é": “x”}\n'.encode(), "line 1, column 7, in é: a typographic quote (“): write a straight one"),
        (b'{"a": ...}\n', "in a: something was left out here (...): write all of it"),
        (b"{a: 1}\n", "line 1, column 2: a key in double quotes is missing: a stands here"),
        # Commas, colons, brackets.
        (b'{"a": 1,}\n', "line 1, column 8, in a: a comma before the end: remove it"),
        (b'{"a": [1,2, ]}\n', "line 1, column 11, in a[1]: a comma before the end: remove it"),
        (b"{},\n{}\n", "line 1, column 3: a comma after the example: lines are not joined by commas; remove it"),
        (b"{,}\n", "line 1, column 2: a key in double quotes is missing: , stands here"),
        (b'{"a" 1}\n', "line 1, column 6, in a: a colon is missing before 1"),
        (b'{"a": }\n', "line 1, column 7, in a: a value is missing: } stands here"),
        (b'{"a": tru}\n', "line 1, column 7, in a: a value is missing: tru stands here"),
        (
            b'{"a": 1 "b": 2}\n',
            'line 1, column 9, in a: a comma is missing before ", or a quote within a text is not written \\"',
        ),
        (b'{"a": 1]\n', "line 1, column 8, in a: ] stands here, and } would be right"),
        (b'{"a": [1}\n', "line 1, column 9, in a[0]: } stands here, and ] would be right"),
        (b'{"a": 1}}\n', "something follows the example (}): write one example a line, and nothing else"),
        (b'{"a": 1}{"a": 2}\n', "line 1, column 9: a second value in this line: write one example a line"),
        *((f'{{"a": {n}}}\n'.encode(), f"line 1, column 7, in a: {n} {DIGITS}") for n in ("01", "+1", ".5", "0x1F", "1.")),
        # Within a text.
        (b'{"a": "x\ty"}\n', "line 1, column 9, in a: the control character \\x09 within a text: write \\t, or remove it"),
        (b'{"a": "\0"}\n', "in a: the control character \\x00 within a text: write \\u0000, or remove it"),
        (b'{"a": "C:\\dir"}\n', "line 1, column 10, in a: \\d is no escape of JSON: a backslash itself is written \\\\"),
        (b'{"a": "\\u12"}\n', "line 1, column 8, in a: \\u is no escape of JSON: a backslash itself is written \\\\"),
        (b'{"a": "x\n', "in a: this text has no end: close its quotes (a line break in it is written \\n)"),
        # Bytes and line ends.
        (b'{"\xc3\xa9": "\xff"}\n', "line 1, column 8: the byte 0xff is not UTF-8: save the file as UTF-8"),
        (b'{"a": "\xed\xa0\x80"}\n', "line 1, column 8: the byte 0xed is not UTF-8: save the file as UTF-8"),
        (b"{}\n\0\0\0\n", f"line 2, column 1: {NUL}"),
        (b"\0\0\0\0", f"line 1, column 1: {NUL}"),
        (b'{}\n\xef\xbb\xbf{"a": 2}\n', f"line 2, column 1: {BOM}"),
        (b"\xef\xbb\xbf\xef\xbb\xbf{}\n", f"line 1, column 1: {BOM}"),
        (b'{"a": 1}\r{"a": 2}\r', "line 1, column 9: the lines end in CR alone: end them in LF (`tr '\\r' '\\n'`)"),
        ('{"a": 1}\u2028{"a": 2}\n'.encode(), "line 1, column 9: the lines end in U+2028: end them in LF"),
        ('{"a": 1}\x85{"a": 2}\n'.encode(), "line 1, column 9: the lines end in U+0085: end them in LF"),
        # Other files.
        (b"", f"empty: it holds no example; {ONE}"),
        (b" \n\t\r\n", f"empty: it holds no example; {ONE}"),
        (b"\xef\xbb\xbf", f"empty: it holds no example; {ONE}"),
        (b'[{"a": 1}]\n', ARRAY),
        (b'[\n  {"a": 1},\n', ARRAY),
        (b"[" * 100_000, ARRAY),
        (b'{\n  "a": 1\n}\n', f"line 1, column 2: {PRETTY}"),
        (b'{}\n{"a": 1,\n "b": 2}\n', f"line 2, column 9: {PRETTY}"),
        (b'{"a": 1}\n{"a": [1', f"line 2, column 9: {CUT}"),
        (b'{"a": "x', f"line 1, column 9: {CUT}"),
        (b"prompt,completion\na,b\n", TABLE),
        (b'\xef\xbb\xbf"prompt";"completion"\n', TABLE),
        (b"prompt\tcompletion\n", TABLE),
        (b"messages:\n- a\n", f"line 1, column 1: YAML: {ONE}"),
        (b"<!DOCTYPE html>\n", f"line 1, column 1: an HTML or XML page, perhaps of a download that failed: {ONE}"),
        (b"<<<<<<< HEAD\n{}\n", f"line 1, column 1: {CONFLICT}"),
        (b"{}\n=======\n", f"line 2, column 1: {CONFLICT}"),
        (b"{}\n>>>>>>> x\n", f"line 2, column 1: {CONFLICT}"),
        (b"PK\x03\x04\x14\0", f"a zip archive or an Excel workbook (xlsx): {ONE}; unpack or export it"),
        (b"\x1f\x8b\x08\0", "compressed with gzip: unpack it (`gunzip`)"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it (`unzstd`)"),
        (b"BZh91AY", "compressed with bzip2: unpack it (`bunzip2`)"),
        (b"PAR1\x15", f"a Parquet file: {ONE}; convert it"),
        ('{"a": 1}\n'.encode("utf-16"), "UTF-16, not UTF-8: save it as UTF-8 (`iconv -f UTF-16 -t UTF-8`)"),
        ('{"a": 1}\n'.encode("utf-16-le"), "UTF-16, not UTF-8: save it as UTF-8 (`iconv -f UTF-16LE -t UTF-8`)"),
        ('{"a": 1}\n'.encode("utf-16-be"), "UTF-16, not UTF-8: save it as UTF-8 (`iconv -f UTF-16BE -t UTF-8`)"),
        (b"\xff\xfe\0\0{\0\0\0", "UTF-32, not UTF-8: save it as UTF-8 (`iconv -f UTF-32 -t UTF-8`)"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer, not the data: run `git lfs pull`"),
        # JSON, and no example.
        (b'"{\\"a\\": 1}"\n', "line 1, column 1: JSON within a text: the example was encoded twice; write the object itself"),
        (b"{}\n[1]\n", f"line 2, column 1: not a JSON object: [1]; {ONE}"),
        (b"  7\n", f"line 1, column 3: not a JSON object: 7; {ONE}"),
        (b"null\n", f"line 1, column 1: not a JSON object: null; {ONE}"),
        (b"hello world\n", "line 1, column 1: a value is missing: hello stands here"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_line_that_is_no_example(content: bytes, message: str) -> None:
    if message.startswith(("line", "empty")):
        assert told(content) == message
    else:
        assert told(content).endswith(message)


def test_a_long_path_and_a_long_word_are_cut() -> None:
    said = told(b'{"' + b"k" * 5000 + b'": [' + b"x" * 5000 + b"]}\n")
    assert len(said) < 400


# ── the slow look and the fast one agree ──

json_bits = st.lists(
    st.sampled_from(
        ['{"a": ', "}", "[", "]", ",", '"b": ', '"', "\\ud800", "\\ude00", "\\", "1", "1e999", "NaN", "-", ".5", "true"]
    )
    | st.sampled_from([" ", "\r", "\t", "\n", "\x00", "é", "\u2028", "\ufeff", "'", "None", "// x"]),
    max_size=12,
).map("".join)


@given(json_bits | json_values(["a", "b"]).map(json.dumps))
def test_a_line_has_a_flaw_where_it_is_refused_and_nowhere_else(text: str) -> None:
    try:
        json.dumps(_PARSER.decode(text), ensure_ascii=False).encode()
    except ValueError:
        flaw = flaw_of(text)
        assert flaw is not None
        assert 0 <= flaw.position <= len(text)
    else:
        assert flaw_of(text) is None


@given(json_bits.map(str.encode) | st.binary(max_size=40))
def test_whatever_a_file_holds_what_is_said_is_one_harmless_line(content: bytes) -> None:
    said = told(content)
    assert said.isprintable()
