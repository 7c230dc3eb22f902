"""A training file's lines, each found to be one JSON object; and what a line, or a file, is instead.

`checking` passes the lines through `read_line`. A line is decoded once, by msgspec; only one that this refuses, or in
which a key may stand twice, is looked at again, by Python's parser; and only what that refuses too is walked through
(`flaws`), to say what is wrong and where. Whether the object is a good example is not asked here.
"""

import json
import re
from codecs import BOM_UTF8
from typing import Any, NamedTuple, NoReturn

import msgspec

from reconciler.dataset.finding import Finding, Severity
from reconciler.dataset.rules import DIGITS_LIMIT
from reconciler.errors import escaped

_ONE_A_LINE = "a training file is UTF-8 text with one JSON object a line"
_UTF_16 = "save it as UTF-8 (`iconv -f UTF-16 -t UTF-8`)"

# What other files begin with, and the way on. https://en.wikipedia.org/wiki/List_of_file_signatures
_SIGNATURES = (
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer, not the data: run `git lfs pull`"),
    (b"PK\x03\x04", f"a zip archive or an Excel workbook (xlsx): {_ONE_A_LINE}; unpack or export it"),
    (b"\xd0\xcf\x11\xe0", f"an Excel workbook (xls): {_ONE_A_LINE}; export it"),
    (b"\x1f\x8b", "compressed with gzip: unpack it (`gunzip`)"),
    (b"BZh", "compressed with bzip2: unpack it (`bunzip2`)"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it (`unzstd`)"),
    (b"\xfd7zXZ\0", "compressed with xz: unpack it (`unxz`)"),
    (b"\x04\x22\x4d\x18", "compressed with lz4: unpack it (`unlz4`)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"),
    (b"PAR1", f"a Parquet file: {_ONE_A_LINE}; convert it"),
    (b"ARROW1", f"an Arrow file: {_ONE_A_LINE}; convert it"),
    (b"Obj\x01", f"an Avro file: {_ONE_A_LINE}; convert it"),
    (b"SQLite format 3\0", f"a SQLite database: {_ONE_A_LINE}; export it"),
    (b"%PDF-", f"a PDF document: {_ONE_A_LINE}"),
    (b"\xff\xfe\0\0", f"UTF-32, not UTF-8: {_UTF_16.replace('16', '32')}"),
    (b"\0\0\xfe\xff", f"UTF-32, not UTF-8: {_UTF_16.replace('16', '32')}"),
    (b"\xff\xfe", f"UTF-16, not UTF-8: {_UTF_16}"),
    (b"\xfe\xff", f"UTF-16, not UTF-8: {_UTF_16}"),
    (b"{\0", f"UTF-16, not UTF-8: {_UTF_16.replace('16', '16LE')}"),
    (b"\0{", f"UTF-16, not UTF-8: {_UTF_16.replace('16', '16BE')}"),
)

# What the first line of other texts looks like, and the way on.
_ARRAY = "a JSON array"
_PRETTY = "pretty-printed JSON: write each example in one line (`jq -c .`)"
_TEXTS = (
    (r"\[", f"{_ARRAY}: {_ONE_A_LINE} (`jq -c '.[]'`)"),
    (r"<(?!<)", f"an HTML or XML page, perhaps of a download that failed: {_ONE_A_LINE}"),
    (r"(?:---|- |\w+:)(?:\s|$)", f"YAML: {_ONE_A_LINE}"),
    (r'"?\w[^{}]*[,;\t|]', f"CSV or another table: {_ONE_A_LINE}; convert it"),
)
_CONFLICT = re.compile(r"(?:<<<<<<<|=======|>>>>>>>|\|\|\|\|\|\|\|)(?:\s|$)")


class _Odd(ValueError):
    """Python's parser would read it; JSON has no such thing."""


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise _Odd
    return value


def _no_constant(_: str) -> NoReturn:
    raise _Odd


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), -float("inf")):
        raise _Odd
    return value


def _bounded(digits: str) -> int:
    if len(digits) > DIGITS_LIMIT:
        raise _Odd
    return int(digits)


# Made once: `json.loads` with hooks makes a parser for each line.
_PARSER = json.JSONDecoder(
    object_pairs_hook=_distinct, parse_constant=_no_constant, parse_float=_finite, parse_int=_bounded
)
_WRITER = json.JSONEncoder(ensure_ascii=False, check_circular=False)


# A line that holds more values than this would fill the memory; no example has a hundredth of them.
_VALUES_LIMIT = 200_000
_TEXTS_IN = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_LONG = 1024 * 1024
# Where a key stands apart from its colon, counting colons tells nothing.
_APART = re.compile(rb'"[ \t\r\n]+:')
_LARGEST = 10**DIGITS_LIMIT
_fast = msgspec.json.Decoder().decode

Example = dict[str, Any]


class LineFlaw(NamedTuple):
    """Why a line is no example. ``ends``: so is every other, and nothing more is said of the file."""

    finding: Finding
    ends: bool = False


def read_line(line: bytes, number: int, *, first: bool) -> Example | LineFlaw | None:
    """The object that a line of a file is, or why it is none; None where it is blank. ``first``: all before it were."""
    text = line
    if number == 1:
        for signature, words in _SIGNATURES:
            if line.startswith(signature):
                return LineFlaw(_finding(0, 0, "", words), ends=True)
        text = line.removeprefix(BOM_UTF8)  # Azure's documents ask for one
    if not text or text.isspace():
        return None
    value = _quick(text)
    return _looked_at(text, number, first=first) if value is None else value


def _finding(line: int, column: int, path: str, message: str) -> Finding:
    return Finding(line, column, path, message, Severity.FLAW)


def nothing_in_it() -> Finding:
    """What is said of a file without an example."""
    return _finding(0, 0, "", f"empty: it holds no example; {_ONE_A_LINE}")


def _quick(line: bytes) -> Example | None:
    """The object that a line is; None where somebody has to look closer."""
    if len(line) > _LONG and _is_crowded(line):
        return None
    try:
        value = _fast(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if type(value) is dict and is_each_once(line, count_keys(value)) else None


def is_each_once(line: bytes, keys: int) -> bool:
    """Whether a line whose value has so many keys holds none that stands twice; True is certain."""
    colons = line.count(b'":')
    # Within a text a quote is escaped; it is not where a text ends in a backslash.
    if colons != keys and (b'\\\\"' in line or colons - line.count(b'\\":') != keys):
        return False
    if line.count(b":") == colons or not (b" :" in line or b"\t:" in line or b"\r:" in line):
        return True
    return _APART.search(line) is None


def count_keys(value: Example) -> int:
    """How many keys there are, at any depth; -1 where a number is too large."""
    count, waiting = 0, [value]
    while waiting:
        container: Any = waiting.pop()
        if type(container) is dict:
            count += len(container)
            container = container.values()
        for item in container:
            kind = type(item)
            if kind is dict or kind is list:
                waiting.append(item)
            elif kind is int and not -_LARGEST < item < _LARGEST:
                return -1
    return count


def _is_crowded(line: bytes) -> bool:
    """Whether a long line holds more values than an example can; commas within its texts are none."""
    signs = line.count(b",") + line.count(b"[") + line.count(b"{")
    if signs <= _VALUES_LIMIT:
        return False
    bare = _TEXTS_IN.sub(b"", line)
    return bare.count(b",") + bare.count(b"[") + bare.count(b"{") > _VALUES_LIMIT


def _looked_at(line: bytes, number: int, *, first: bool) -> Example | LineFlaw:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        column = len(line[: error.start].decode()) + 1
        what = f"the byte 0x{line[error.start]:02x} is not UTF-8: save the file as UTF-8"
        return LineFlaw(_finding(number, column, "", what), ends=True)
    if len(line) > _LONG and _is_crowded(line):
        words = f"more than {_VALUES_LIMIT:,} values in one line: write one example a line"
        return LineFlaw(_finding(number, 1, "", words))
    try:
        value = _PARSER.decode(text)
        # Only an escape can hold half of a surrogate pair, and only such a text cannot be encoded.
        if "\\ud" in text or "\\uD" in text:
            _WRITER.encode(value).encode()
    except (ValueError, RecursionError):
        return _not_json(text, number, first=first)
    return value if isinstance(value, dict) else _not_an_object(text, value, number, first=first)


def _not_json(text: str, number: int, *, first: bool) -> LineFlaw:
    # Imported here: most readings find no mistake, and need not wait for what explains one.
    from reconciler.dataset.flaws import JsonFlaw, flaw_of  # noqa: PLC0415

    flaw = flaw_of(text) or JsonFlaw(0, "it cannot be read as JSON")
    position, words, ends = flaw.position, flaw.message, flaw.message.startswith("the lines end in")
    if _CONFLICT.match(text):
        position, words = 0, "a marker of a merge conflict: resolve it"
    elif flaw.open and text.lstrip()[:1] == "{":
        cut = "the file ends within an example: it was cut short, or is being written"
        words = _PRETTY if text.endswith("\n") else cut
        position, ends = len(text.rstrip()), True
    elif first and (suspect := _suspect(text)):
        position, words, ends = 0, suspect, True
    path = flaw.path if words == flaw.message else ""
    return LineFlaw(_finding(number, position + 1, path, words), ends)


def _not_an_object(text: str, value: object, number: int, *, first: bool) -> LineFlaw:
    words = _suspect(text) if first else ""
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        words = "JSON within a text: the example was encoded twice; write the object itself"
    column = len(text) - len(text.lstrip()) + 1
    shown = escaped(text.strip()[:40])
    words = words or f"not a JSON object: {shown}; {_ONE_A_LINE}"
    return LineFlaw(_finding(number, column, "", words), ends=words.startswith(_ARRAY))


def _suspect(text: str) -> str:
    """What a file is whose first line this is; "" where it is none of these."""
    begun = text.lstrip()
    return next((words for pattern, words in _TEXTS if re.match(pattern, begun)), "")
