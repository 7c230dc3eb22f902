"""When a read is sent again, and when the next create may be: what a server asks for, else a growing wait with jitter.

Pure. `sender` asks for the pause, `answer` reads the header. A write is never sent again: it is only sent later.
"""

import re
from collections.abc import Callable, Mapping

from reconciler.core.schedule import Backoff
from reconciler.errors import ProviderError, RateLimited, Untrusted
from reconciler.provider.port import is_lasting

TRIES = 4
_PAUSE = Backoff(first=1, last=8)
_RETRY_AFTER_LIMIT = 120.0  # seconds; where a server asks for more, the person hears of it at once

# Statuses that asking again does not change: no such route, a redirect.
_LASTING_ANSWERS = frozenset({501, *range(300, 400)})


def pause_before(error: ProviderError, tried: int, random: Callable[[], float]) -> float | None:
    """Seconds until the next try of a read after ``tried`` (1, 2, …); None where there should be none."""
    if isinstance(error, Untrusted) or error.status in _LASTING_ANSWERS:
        return None
    if isinstance(error, RateLimited):
        if is_lasting(error):
            return None
        if error.retry_after is not None:
            # All clients were given the same moment: each asks a little later.
            wait = error.retry_after + random()
            return wait if error.retry_after <= _RETRY_AFTER_LIMIT else None
    return random() * _PAUSE.wait(tried)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """The seconds asked for in `retry-after-ms`, or `Retry-After` as a number or a date. ``now`` is Unix time."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        number = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*", headers.get(name, ""))
        if number:
            return float(number[1]) * unit
    if not headers.get("retry-after"):
        return None
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - only a date brings the whole of `email` (15 ms)

    try:
        at = parsedate_to_datetime(headers["retry-after"]).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, at - now)


# How many requests like this one are left, and when there are as many as at first again: OpenAI's headers and Azure's,
# the IETF's draft, and what gateways make of them.
_LIMITS = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("ratelimit-remaining", "ratelimit-reset"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
)
_SPAN = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9}(?:\.\d{1,9})?)s)?(?:(\d{1,9}(?:\.\d{1,9})?)ms)?")
_SECONDS_OF = (3600.0, 60.0, 1.0, 0.001)
# No limit of requests is for longer than an hour: what is beyond is a date.
_LONGEST_SPAN = 3600.0
# A time may have been rounded down: this share of it more, a second at most.
_ROUNDED, _ROUNDED_MOST = 0.03, 1.0


def used_up(headers: Mapping[str, str], now: float) -> float:
    """Seconds until another request like this one is welcome; 0 where one is now, or nothing is said.

    A limit that is used up is full again at its reset, be it a bucket that fills or a window that ends. To wait for
    that, and then send at once, wastes none of it. ``now`` is Unix time.
    """
    for remaining, reset in _LIMITS:
        if re.fullmatch(r"\s*0+\s*", headers.get(remaining, "")):
            seconds = _span(headers.get(reset, "").strip(), now)
            if seconds is not None and 0 < seconds <= _LONGEST_SPAN:
                return seconds + min(_ROUNDED * seconds, _ROUNDED_MOST)
    return 0.0


def _span(text: str, now: float) -> float | None:
    """Seconds, as in `1m30s`, `20ms`, `7` or the Unix time of the end; None where it is none of these."""
    if re.fullmatch(r"\d{1,12}(?:\.\d{1,9})?", text):
        seconds = float(text)
        return seconds - now if seconds > _LONGEST_SPAN else seconds
    found = _SPAN.fullmatch(text) if text else None
    if found is None:
        return None
    return sum(float(part) * unit for part, unit in zip(found.groups(), _SECONDS_OF, strict=True) if part)
