"""When a read is sent again: the wait that a server asks for, else a growing one with jitter.

Pure. `sender` asks for the pause, `answer` reads the header. A write is nothing to this module: it is sent once.
"""

import re
from collections.abc import Callable, Mapping

from reconciler.core.schedule import Backoff
from reconciler.errors import ProviderError, RateLimited, Untrusted
from reconciler.provider.port import is_lasting

TRIES = 4
_PAUSE = Backoff(first=1, last=8)
_RETRY_AFTER_LIMIT = 120.0  # seconds; where a server asks for more, the person hears of it at once

# What no asking again changes: no such route, a redirect.
_LASTING_ANSWERS = frozenset({501, *range(300, 400)})


def pause_before(error: ProviderError, tried: int, random: Callable[[], float]) -> float | None:
    """Seconds until the next try of a read after ``tried`` (1, 2, …); None where there should be none."""
    if isinstance(error, Untrusted) or error.status in _LASTING_ANSWERS:
        return None
    if isinstance(error, RateLimited):
        if is_lasting(error):
            return None
        if error.retry_after is not None:
            # Everyone got the same moment: a little later each.
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
