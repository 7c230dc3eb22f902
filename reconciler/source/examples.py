"""A training file's lines, each found to be one example; and what a file is instead that has none.

`training_files` passes every training and validation file through `checked_lines`. It reads the file once, line by
line, with one call of Python's parser a line; only a line that this refuses is looked at again (`json_text`), to say
what is wrong and where. Whether the examples are good ones is not asked here, and no byte is changed: what was checked
is what is hashed and uploaded.
"""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import Any, NoReturn

from reconciler.errors import escaped
from reconciler.source.files import Unfit

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
_PRETTY = "pretty-printed JSON: write each example in one line (`jq -c .`)"
_TEXTS = (
    (r"\[", f"a JSON array: {_ONE_A_LINE} (`jq -c '.[]'`)"),
    (r"<(?!<)", f"an HTML or XML page, perhaps of a download that failed: {_ONE_A_LINE}"),
    (r"(?:---|- |\w+:)(?:\s|$)", f"YAML: {_ONE_A_LINE}"),
    (r'"?\w[^{}]*[,;\t|]', f"CSV or another table: {_ONE_A_LINE}; convert it"),
)
_CONFLICT = re.compile(r"(?:<<<<<<<|=======|>>>>>>>|\|\|\|\|\|\|\|)(?:\s|$)")


# An integer of more digits than the largest double has is infinite to most readers of JSON.
DIGITS_LIMIT = 308


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


def checked_lines(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The same lines, each found to be a JSON object in UTF-8. Raises Unfit at the first that is not."""
    examples = 0
    for number, line in enumerate(lines, start=1):
        text = line
        if number == 1:
            for signature, words in _SIGNATURES:
                if line.startswith(signature):
                    raise Unfit(words)
            text = line.removeprefix(BOM_UTF8)  # Azure's documents ask for one
        if text.strip():
            _check(text, number, first=not examples)
            examples += 1
        yield line
    if not examples:
        raise Unfit(f"empty: it holds no example; {_ONE_A_LINE}")


def _check(line: bytes, number: int, *, first: bool) -> None:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        column = len(line[: error.start].decode()) + 1
        what = f"the byte 0x{line[error.start]:02x} is not UTF-8: save the file as UTF-8"
        raise Unfit(f"line {number}, column {column}: {what}") from error
    try:
        value = _PARSER.decode(text)
        # Only an escape can hold half of a surrogate pair, and only such a text cannot be encoded.
        if "\\ud" in text or "\\uD" in text:
            _WRITER.encode(value).encode()
    except (ValueError, RecursionError) as error:
        raise Unfit(_not_json(text, number, first=first)) from error
    if not isinstance(value, dict):
        raise Unfit(_not_an_object(text, value, number, first=first))


def _not_json(text: str, number: int, *, first: bool) -> str:
    # Imported here: most readings find no mistake, and need not wait for what explains one.
    from reconciler.source.json_text import JsonFlaw, flaw_of  # noqa: PLC0415

    flaw = flaw_of(text) or JsonFlaw(0, "it cannot be read as JSON")
    position, words = flaw.position, flaw.message
    if _CONFLICT.match(text):
        position, words = 0, "a marker of a merge conflict: resolve it"
    elif flaw.open and text.lstrip()[:1] == "{":
        cut = "the file ends within an example: it was cut short, or is being written"
        words = _PRETTY if text.endswith("\n") else cut
        position = len(text.rstrip())
    elif first and (suspect := _suspect(text)):
        position, words = 0, suspect
    where = f", in {flaw.path}" if flaw.path and words == flaw.message else ""
    return f"line {number}, column {position + 1}{where}: {words}"


def _not_an_object(text: str, value: object, number: int, *, first: bool) -> str:
    words = _suspect(text) if first else ""
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        words = "JSON within a text: the example was encoded twice; write the object itself"
    column = len(text) - len(text.lstrip()) + 1
    shown = escaped(text.strip()[:40])
    return f"line {number}, column {column}: {words or f'not a JSON object: {shown}; {_ONE_A_LINE}'}"


def _suspect(text: str) -> str:
    """What a file is whose first line this is; "" where it is none of these."""
    begun = text.lstrip()
    return next((words for pattern, words in _TEXTS if re.match(pattern, begun)), "")
