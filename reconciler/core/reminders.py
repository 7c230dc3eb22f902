"""What lasts is said again: at once, after 1 minute, after 5, then every hour, with its age and how often it was met.

Pure: `daemon`, `publish`, `wakeups`, `provider.key` and `cli.running` say which troubles they have just met, and when;
`Reminders` answers which of them are to be said now, and which are over. Nothing in here knows what a trouble is.
"""

from collections.abc import Mapping

from msgspec import Struct, field
from msgspec.structs import replace

# Ages in seconds at which a trouble is said again; after the last of them at every full hour.
_EARLY = (60.0, 300.0)
_HOUR = 3600.0
# A server may put another number into each of its errors: what was said before is not remembered without end.
_TEXTS_LIMIT = 20


class Lasting(Struct, frozen=True):
    """One trouble from its first meeting on; ``age`` is in seconds, and so is the ``due`` age of its next saying."""

    began: float
    age: float
    times: int
    due: float
    texts: tuple[str, ...]

    @property
    def facts(self) -> Mapping[str, float]:
        """For the log: seconds since it began, and how often it was met; nothing at the first meeting."""
        return {"since": round(self.age), "times": self.times} if self.age else {}


class Reminders(Struct, frozen=True):
    """The troubles that go on, by key. ``said`` are to be said now, ``over`` have just ended."""

    lasting: Mapping[str, Lasting] = field(default_factory=dict)
    said: tuple[str, ...] = ()
    over: Mapping[str, Lasting] = field(default_factory=dict)

    def met(self, troubles: Mapping[str, str], now: float) -> "Reminders":
        """These and no others go on at ``now``, in monotonic seconds: by key, what is to be said of each.

        A text that was not said of it yet is said at once; a known one when the age of the trouble asks for it.
        """
        if not troubles and self == _NONE:
            return self
        lasting = {key: _met(self.lasting.get(key), text, now) for key, text in troubles.items()}
        return Reminders(
            lasting,
            said=tuple(key for key, found in lasting.items() if self._is_due(key, troubles[key], found.age)),
            over={
                key: replace(found, age=now - found.began) for key, found in self.lasting.items() if key not in lasting
            },
        )

    def facts(self, key: str) -> Mapping[str, float]:
        """For the log, of one that goes on or has just ended."""
        return (self.lasting.get(key) or self.over[key]).facts

    def _is_due(self, key: str, text: str, age: float) -> bool:
        before = self.lasting.get(key)
        return before is None or text not in before.texts or age >= before.due


_NONE = Reminders()


def _met(before: Lasting | None, text: str, now: float) -> Lasting:
    if before is None:
        return Lasting(now, 0.0, 1, _EARLY[0], (text,))
    age = now - before.began
    due = _next(age) if age >= before.due else before.due
    others = tuple(other for other in before.texts if other != text)
    return Lasting(before.began, age, before.times + 1, due, (*others, text)[-_TEXTS_LIMIT:])


def _next(age: float) -> float:
    """The first age after this one at which it is said again."""
    return next((early for early in _EARLY if age < early), (age // _HOUR + 1) * _HOUR)
