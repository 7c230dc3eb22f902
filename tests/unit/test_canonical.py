"""Canonical JSON, judged by an independent implementation of RFC 8785."""

import json
import math
import re
import struct
from types import MappingProxyType

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.canonical import canonical

safe_integers = st.integers(-(2**53) + 1, 2**53 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | safe_integers | floats | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_the_judge_agrees(value: object) -> None:
    assert canonical(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@given(st.integers(0, 2**64 - 1))
def test_every_double_agrees(bits: int) -> None:
    (number,) = struct.unpack("<d", struct.pack("<Q", bits))
    if math.isfinite(number):
        assert canonical(number) == rfc8785.dumps(number)
        assert float(canonical(number)) == number


# The numbers of RFC 8785, appendix B.
@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740992.0, "9007199254740992"),
        (295147905179352830000.0, "295147905179352830000"),
        (1e21, "1e+21"),
        (9.999999999999997e22, "9.999999999999997e+22"),
        (0.000001, "0.000001"),
        (1e-7, "1e-7"),
        (1.5e300, "1.5e+300"),
        (333333333.33333329, "333333333.3333333"),
        (-0.0000033333333333333333, "-0.0000033333333333333333"),
        (3.0, "3"),
        (1e-4, "0.0001"),
    ],
)
def test_numbers_of_the_standard(number: float, text: str) -> None:
    assert canonical(number) == text.encode()


def test_keys_are_ordered_by_utf_16() -> None:
    told = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\xf6": 7}
    assert list(json.loads(canonical(told))) == ["\r", "1", "\x80", "\xf6", "\u20ac", "\U0001f600", "\ufb33"]


def test_tuples_are_lists_and_nothing_is_added() -> None:
    assert canonical({"b": (1, 2.5, None), "a": True}) == b'{"a":true,"b":[1,2.5,null]}'


def deep(levels: int) -> object:
    value: object = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (float("nan"), "a number that is not finite"),
        (float("inf"), "a number that is not finite"),
        (2**53, "an integer beyond 2^53 - 1"),
        (-(2**53), "an integer beyond 2^53 - 1"),
        ("\ud800", "a text that is not valid Unicode"),
        ({"\ud800": 1}, "a text that is not valid Unicode"),
        ({1: 2}, "a key that is not text"),
        ({1, 2}, "a set has no JSON form"),
        (b"x", "a bytes has no JSON form"),
        (deep(100_000), "nested too deeply"),
    ],
    ids=["nan", "inf", "big", "small", "surrogate", "surrogate key", "number key", "set", "bytes", "deep"],
)
def test_what_has_no_form_is_a_value_error(value: object, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(why)}$"):
        canonical(value)


def test_the_largest_integers_are_written_digit_by_digit() -> None:
    assert canonical([2**53 - 1, 1 - 2**53]) == b"[9007199254740991,-9007199254740991]"


def test_a_mapping_that_is_no_dict_is_an_object() -> None:
    assert canonical(MappingProxyType({"b": 1, "a": 2})) == b'{"a":2,"b":1}'
