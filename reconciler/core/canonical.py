"""Canonical JSON (RFC 8785): the one sequence of bytes that a value is hashed as.

Pure. `revision` calls `canonical` to compute revisions. Our own code, because a revision decides
whether a job is trained again and must therefore never change with a library's release; the
tests judge it by an independent implementation.
"""

import math
from collections.abc import Mapping
from json.encoder import encode_basestring as _quoted  # written in C: a text within quotes, as RFC 8785 has it

# Beyond these a JSON number, which is an IEEE 754 double, no longer names one integer (RFC 8785, 3.2.2.3).
_INTEGER_LIMIT = 2**53 - 1

# ECMAScript writes exponents outside of this range of decimal point positions (ECMA-262, Number::toString).
_POINT_MIN, _POINT_MAX = -6, 21

_WORDS = {None: "null", True: "true", False: "false"}


def canonical(value: object) -> bytes:
    """RFC 8785's form of a JSON value made of dicts, lists, tuples, strings, numbers, booleans and None.

    Raises:
        ValueError: it has no such form (NaN, an integer beyond 2^53 - 1, a lone surrogate, another type).
    """
    try:
        return _form(value).encode()
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except UnicodeEncodeError as error:
        raise ValueError("a text that is not valid Unicode") from error


def _form(value: object) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_form, value))}]"
    if isinstance(value, dict) or isinstance(value, Mapping):  # noqa: SIM101 - nearly always a dict, told at once
        return _object(value)
    raise ValueError(f"a {type(value).__name__} has no JSON form")


def _object(value: Mapping[str, object]) -> str:
    try:
        ascii_only = "".join(value).isascii()
    except TypeError as error:
        raise ValueError("a key that is not text") from error
    # Keys are ordered by their UTF-16 code units (RFC 8785, 3.2.3); those of ASCII by their characters.
    keys = sorted(value, key=None if ascii_only else _code_units)
    return f"{{{','.join([f'{_quoted(key)}:{_form(value[key])}' for key in keys])}}}"


def _code_units(key: str) -> bytes:
    return key.encode("utf-16-be")


def _number(value: float) -> str:
    if isinstance(value, int):
        if abs(value) > _INTEGER_LIMIT:
            raise ValueError("an integer beyond 2^53 - 1")
        return str(value)
    if not math.isfinite(value):
        raise ValueError("a number that is not finite")
    if value == 0:
        return "0"
    return ("-" if value < 0 else "") + _positive(abs(value))


def _positive(value: float) -> str:
    """ECMAScript's Number::toString: the shortest digits that read back as the same double."""
    mantissa, _, exponent = f"{value!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) - (len(whole + fraction) - len(digits)) + int(exponent or 0)
    digits = digits.rstrip("0")
    if not _POINT_MIN < point <= _POINT_MAX:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{digits[0]}{tail}e{point - 1:+d}"
    if point <= 0:
        return f"0.{'0' * -point}{digits}"
    if point >= len(digits):
        return digits.ljust(point, "0")
    return f"{digits[:point]}.{digits[point:]}"
