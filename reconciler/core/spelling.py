"""Numbers, times, status words and error codes in the spellings of many servers, read as one.

Pure. `job` and `provider` read answers through it, `standing` the error of a job, `body` a suffix. What
cannot be true, such as a NaN, a boolean, or a time before 1970, counts as absent; nothing in here
raises for a value.
"""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TypeGuard

# Beyond any time or count, and within what SQLite, YAML and a float can hold.
NUMBER_LIMIT = 2**53

_DECIMAL = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?")

# From here on a number counts milliseconds, microseconds, nanoseconds: as seconds each would lie
# beyond the year 5138, and as the next finer unit before the spring of 1973.
SECONDS_LIMIT = 10**11
_FINER = ((10**17, 10**9), (10**14, 10**6), (SECONDS_LIMIT, 10**3))
_YEAR_10000 = 253_402_300_800  # where the calendars of Python and of ISO 8601 end

# Go writes "2026-11-25 10:00:00.5 +0000 UTC"; ISO 8601 has neither the space nor the name.
_OFFSET_AND_NAME = re.compile(r"\s*([+-][0-9]{2}:?[0-9]{2})(?:\s+[A-Z]{1,5})?$")
_UTC_NAME = re.compile(r"\s*(?:UTC|GMT)$")
_MAIL_DATE = re.compile(
    r"(?:[A-Za-z]{3}, ?)?[0-9]{1,2} [A-Za-z]{3} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} (?:GMT|UTC|[+-][0-9]{4})"
)
_LONGEST_DATE = 64

# The API's own words, and what the servers in `docs/servers.md` say instead.
_LIVE = frozenset(
    {"validating_files", "queued", "running", "pending", "creating"}
    | {"paused", "pausing", "resuming", "canceling", "cancelling"}
)
_ENDED = {
    **dict.fromkeys(("succeeded", "success", "completed"), "succeeded"),
    **dict.fromkeys(("failed", "error"), "failed"),
    **dict.fromkeys(("cancelled", "canceled", "stopped"), "cancelled"),
}
STATUS_WORDS = {word: word for word in _LIVE} | _ENDED
# Words whose meaning the API itself fixes: nobody may say that they mean something else.
FIXED_WORDS = _LIVE | {"succeeded", "failed", "cancelled", "canceled"}


def is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    """Whether it is an object of JSON's."""
    return type(value) is dict or isinstance(value, Mapping)  # the first is quick, and nearly always so


def number(value: object) -> int | float | None:
    """A number, or a text that is one; None where it is neither, or beyond 2^53."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        text = value.strip()
        value = int(text) if text.lstrip("+-").isdecimal() else float(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < NUMBER_LIMIT else None  # false for NaN as well


def whole_number(value: object) -> int | None:
    """A whole number, 0 or more: 7, 7.0, "7" and "7.0" are the same one."""
    if value is None or (type(value) is int and 0 <= value < NUMBER_LIMIT):  # as nearly every server writes it
        return value
    found = number(value)
    return int(found) if found is not None and found >= 0 and found == int(found) else None


def unix_seconds(value: object) -> int | None:
    """A time in whole Unix seconds, from seconds, milliseconds, micro- or nanoseconds, or a date.

    A date without a zone is taken as UTC. 0 is how some servers write that there is none.
    """
    if value is None or (type(value) is int and 0 < value < SECONDS_LIMIT):  # as nearly every server writes it
        return value
    seconds = _from_number(value) if not isinstance(value, str) else _from_text(value.strip())
    return seconds if seconds is not None and 0 < seconds < _YEAR_10000 else None


def folded(text: str) -> str:
    """Its letters and digits in one case: what is left where servers differ in how they write a name."""
    plain = text.casefold()
    return plain if plain.isalnum() else "".join(filter(str.isalnum, plain))


def mentions(text: str, words: Iterable[str]) -> bool:
    """Whether an error's code or sentence holds one of ``words``: spend_limit is SpendLimit and "spend limit" too."""
    plain = folded(text)
    return any(folded(word) in plain for word in words)


def status_word(text: str) -> str:
    """How a status word is looked up: in another case, with spaces or dashes, it is the same word."""
    return re.sub(r"[\s-]+", "_", text.strip().lower())


def _from_text(text: str) -> int | None:
    if _DECIMAL.fullmatch(text):
        return _from_number(int(text) if text.isdecimal() else float(text))
    if len(text) > _LONGEST_DATE:
        return None
    moment = _iso_date(text) or _mail_date(text)
    if moment is None:
        return None
    return math.floor((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def utc_text(seconds: int) -> str | None:
    """A time in Unix seconds as ISO 8601, in UTC; None where no calendar holds it."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):  # a server that counts milliseconds, or nonsense
        return None


def _from_number(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 10**20:
        return None
    # Whole numbers stay whole: a float cannot hold nanoseconds.
    unit = next((unit for start, unit in _FINER if value >= start), 1)
    return int(value // unit)


def _iso_date(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(_UTC_NAME.sub("Z", _OFFSET_AND_NAME.sub(r"\1", text.upper())))
    except ValueError:
        return None


def _mail_date(text: str) -> datetime | None:
    """RFC 5322, as HTTP has it."""
    if not _MAIL_DATE.fullmatch(text):
        return None
    # Imported here: hardly a server writes times so, and the module brings the whole of `email` (15 ms).
    from email.utils import parsedate_to_datetime  # noqa: PLC0415

    try:
        return parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
