"""Numbers and times in the spellings of many servers: one value each, and nothing that cannot be true."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.spelling import is_object, mentions, number, unix_seconds, utc_text, whole_number
from tests.fakes.strategies import scalars

MOMENT = 1_692_661_014  # 2023-08-21T23:36:54Z


@pytest.mark.parametrize(
    ("told", "read"),
    [
        (7, 7),
        (7.5, 7.5),
        ("7", 7),
        (" -7 ", -7),
        ("+7", 7),
        ("7.50", 7.5),
        ("1e-4", 0.0001),
        (2**53 - 1, 2**53 - 1),
        ("9007199254740991", 2**53 - 1),
        (2**53, None),
        ("9007199254740992", None),
        ("9" * 5000, None),
        (10**400, None),
        ("1e99", None),
        (float("nan"), None),
        (float("inf"), None),
        ("NaN", None),
        ("Infinity", None),
        (True, None),
        (None, None),
        ("", None),
        ("seven", None),
        ("0x7", None),
        ("1_000", None),
        ("٣", None),
        ("7 8", None),
        ([7], None),
        ({"value": 7}, None),
    ],
)
def test_numbers(told: object, read: float | None) -> None:
    assert number(told) == read


@pytest.mark.parametrize(
    ("told", "read"),
    [
        (123, 123),
        (123.0, 123),
        ("123", 123),
        ("123.0", 123),
        ("1.23e2", 123),
        (0, 0),
        ("0", 0),
        (123.5, None),
        ("123.5", None),
        (-1, None),
        ("-1", None),
        (True, None),
        (float("nan"), None),
        (float("-inf"), None),
        (2**53 - 1, 2**53 - 1),
        (2**53, None),
    ],
)
def test_whole_numbers(told: object, read: int | None) -> None:
    assert whole_number(told) == read


@pytest.mark.parametrize(
    "told",
    [
        MOMENT,
        MOMENT + 0.9,
        str(MOMENT),
        f" {MOMENT}.5 ",
        "1.692661014e9",
        MOMENT * 1000,
        MOMENT * 1000 + 999,
        f"{MOMENT}123",
        MOMENT * 1000 + 0.5,
        MOMENT * 10**6 + 999_999,
        MOMENT * 10**9 + 999_999_999,
        str(MOMENT * 10**9 + 999_999_999),
        "2023-08-21T23:36:54Z",
        "2023-08-21t23:36:54z",
        "2023-08-21T23:36:54.999999999Z",
        "2023-08-21T23:36:54,9Z",
        "2023-08-22T01:36:54+02:00",
        "2023-08-22T01:36:54.123+0200",
        "2023-08-21T18:06:54-05:30",
        "2023-08-21T23:36:54",
        "2023-08-21 23:36:54",
        "2023-08-21 23:36:54 UTC",
        "2023-08-21 23:36:54.123456789 +0000 UTC",
        "2023-08-22 01:36:54 +0200 CEST",
        "20230821T233654Z",
        "Mon, 21 Aug 2023 23:36:54 GMT",
        "21 Aug 2023 23:36:54 +0000",
        "Mon, 21 Aug 2023 18:36:54 -0500",
    ],
)
def test_a_time_in_any_spelling_is_the_same_second(told: object) -> None:
    assert unix_seconds(told) == MOMENT


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("1", 1),
        (1.0, 1),
        (10**11 - 1, 10**11 - 1),
        (10**11, 10**8),
        (str(10**11), 10**8),
        (10**14, 10**8),
        (10**17, 10**8),
        ("9999-12-31T22:59:59-01:00", 253_402_300_799),
        ("9999-12-31T23:00:00-01:00", None),
        (f"{'2023-08-21 23:36:54':<59}+0000", MOMENT),
        (f"{'2023-08-21 23:36:54':<60}+0000", None),
    ],
)
def test_the_bounds_of_a_time(told: object, read: int | None) -> None:
    assert unix_seconds(told) == read


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_a_time_is_the_same_wherever_the_machine_stands(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as there:
        there.setenv("TZ", zone)
        time.tzset()
        assert unix_seconds("2023-08-21T23:36:54") == MOMENT
        assert utc_text(MOMENT) == "2023-08-21T23:36:54Z"
    time.tzset()


def test_a_date_alone_is_its_midnight() -> None:
    assert unix_seconds("2023-08-21") == datetime(2023, 8, 21, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "told",
    [
        0,
        "0",
        0.5,
        -1,
        "-1",
        -1000000000.0,
        True,
        None,
        "",
        " ",
        "soon",
        "NaN",
        float("nan"),
        float("inf"),
        10**20,
        10**400,
        "9" * 41,
        "1e99",
        "1e21",
        [MOMENT],
        {"seconds": MOMENT},
        "0001-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "2023-13-01",
        "2023-08-21T25:00:00Z",
        "9999-12-31T23:59:59-01:00",
        "Mon, 99 Aug 2023 23:36:54 GMT",
        "x" * 65,
        "2023-08-21T23:36:54 EST",
        "Mon, 21 Foo 2023 23:36:54 GMT",
        "1" * 100000,
    ],
)
def test_what_is_no_time_is_absent(told: object) -> None:
    assert unix_seconds(told) is None


SPELLINGS: list[Callable[[int], object]] = [
    lambda t: t,
    float,
    str,
    lambda t: t * 1000 + 999,
    lambda t: t * 10**6,
    lambda t: str(t * 10**9),
    lambda t: datetime.fromtimestamp(t, UTC).isoformat(),
    lambda t: f"{datetime.fromtimestamp(t, UTC):%a, %d %b %Y %H:%M:%S} GMT",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
@given(second=st.integers(10**8, 10**10))
def test_every_spelling_of_a_second_is_that_second(spelling: Callable[[int], object], second: int) -> None:
    """Else an older job could look younger than the one that is kept."""
    assert unix_seconds(spelling(second)) == second


@given(st.integers(-(10**20), 10**20) | st.integers(-2, 2) | st.sampled_from([2**53, 10**11, 253_402_300_800]))
def test_a_number_is_the_same_as_its_digits(one: int) -> None:
    for near in (one - 1, one, one + 1):
        assert whole_number(near) == whole_number(str(near))
        assert unix_seconds(near) == unix_seconds(str(near))


@given(scalars | st.text())
def test_whatever_a_server_writes_is_a_number_or_nothing(told: object) -> None:
    for read in (number, whole_number, unix_seconds):
        found = read(told)
        assert found is None or abs(found) < 2**53


@pytest.mark.parametrize(
    "text", ["spend_limit", "SpendLimit", "the Spend limit is reached", "a-SPEND-LIMIT", "spendlimits"]
)
def test_a_word_is_found_in_any_spelling(text: str) -> None:
    assert mentions(text, ("quota", "spend_limit"))
    assert mentions(text, ("spendlimit",))
    assert not mentions(text, ("quota", "limit_spend"))
    assert not mentions("", ("quota",))


def test_a_mapping_that_is_no_dict_is_an_object_too() -> None:
    assert is_object({})
    assert is_object(MappingProxyType({}))
    assert not is_object([("a", 1)])
