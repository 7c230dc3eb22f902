"""Everything that is not decided by the program: faults, delays, and what the world does.

`Chance` is drawn from a seed. `Plan` is one chosen list of faults over a world that is otherwise at
its worst allowed border; `explore` goes through all of them.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

T = TypeVar("T")

# A write is rare among the effects and where the money is: it goes wrong more often than a read.
_WRITES = 6.0
# A kind of effect that has a bad day. Even then some go well, or nothing would ever follow from one.
_FOCUS = 6.0
_WORST = 0.8

# What can go wrong at each kind of effect. A crash is before the effect, after it, or in the
# middle: `lost` is a server that commits and a client that never hears of it.
FAULTS: Mapping[str, tuple[str, ...]] = {
    "list": (
        "crash before",
        "not sent",
        "refused 401",
        "refused 403",
        "rate limited",
        "cut",
        "unreadable",
        "crash after",
    ),
    "create": (
        "crash before",
        "not sent",
        "refused 400",
        "refused 401",
        "refused 403",
        "refused 404",
        "refused 413",
        "refused 422",
        "rate limited",
        "unknown: lost",
        "unknown: late",
        "unknown: never",
        "crash: lost",
        "crash: late",
        "crash: never",
        "crash after",
    ),
    "retrieve": ("crash before", "not sent", "refused 404", "rate limited", "unreadable", "crash after"),
    "cancel": (
        "crash before",
        "not sent",
        "refused 400",
        "unknown: lost",
        "unknown: late",
        "unknown: never",
        "without effect",
        "crash: lost",
        "crash: late",
        "crash: never",
        "crash after",
    ),
    "pause": (
        "crash before",
        "not sent",
        "refused 400",
        "unknown: lost",
        "unknown: late",
        "unknown: never",
        "crash: lost",
        "crash: never",
        "crash after",
    ),
    "resume": (
        "crash before",
        "not sent",
        "refused 400",
        "unknown: lost",
        "unknown: never",
        "crash: lost",
        "crash: never",
        "crash after",
    ),
    "events": ("refused 404", "unreadable", "crash after"),
    "checkpoints": ("refused 404", "crash after"),
    "find file": ("not sent", "unreadable"),
    "file name": ("not sent", "unreadable", "rate limited", "crash after"),
    "file names": ("not sent", "rate limited", "crash after"),
    "upload": ("crash before", "refused 413", "unknown: lost", "unknown: never", "crash after"),
    "wait for file": ("refused 400", "crash after"),
    "journal": ("crash before", "disk full", "crash after"),
    "log": ("crash before", "crash after"),
    "status write": ("crash before", "disk full", "torn", "crash after"),
    "status replace": ("crash before", "crash after"),
    "status remove": ("crash before", "crash after"),
    "sleep": ("crash before", "crash after"),
    "clock": ("an hour forth", "an hour back", "a minute forth"),
}


class Source(Protocol):
    """Where decisions come from."""

    on: bool
    struck: "list[tuple[int, str, str]]"

    def fault(self, kind: str, process: str) -> str | None:
        """What goes wrong at this effect of a process; None: nothing."""
        ...

    def between(self, low: float, high: float) -> float:
        """A delay within an allowed range, borders included and likely."""
        ...


class Chance:
    """Decisions drawn from a seed. ``without`` are fault numbers that do not strike, to shrink a trace."""

    def __init__(self, seed: int, without: frozenset[int] = frozenset()) -> None:
        self.random = random.Random(seed)
        self.on = False
        self.rate = 0.0
        self.focus = ""  # a kind of effect that has a bad day
        self.crashes = 1.0  # how likely a crash is, beside other faults
        self.without = without
        self.offered = 0
        self.struck: list[tuple[int, str, str]] = []

    def fault(self, kind: str, process: str) -> str | None:
        if not self.on or self.random.random() >= self._likelihood(kind):
            return None
        options = FAULTS[kind]
        fault = options[int(self.random.random() * len(options))]
        if fault.startswith("crash") and self.random.random() >= self.crashes:
            return None
        return self.strike(kind, fault)

    def _likelihood(self, kind: str) -> float:
        often = _WRITES if kind in {"create", "cancel", "clock"} else 1.0
        return min(_WORST, self.rate * often * (_FOCUS if kind == self.focus else 1.0))

    def strike(self, kind: str, what: str) -> str | None:
        """Count it and let it happen, unless this replay goes without it."""
        number = self.offered
        self.offered += 1
        if number in self.without:
            return None
        self.struck.append((number, kind, what))
        return what

    def between(self, low: float, high: float) -> float:
        draw = self.random.random()
        if draw < 0.2:
            return low
        return high if draw > 0.8 else low + (high - low) * (draw - 0.2) / 0.6

    def happens(self, probability: float) -> bool:
        return self.random.random() < probability

    def pick(self, options: Sequence[T]) -> T:
        return options[int(self.random.random() * len(options))]


class Effect(NamedTuple):
    """What a fault can strike, and which process does it."""

    kind: str
    process: str


class Plan:
    """``faults`` by the number of the effect; every delay is as long as the assumptions allow."""

    def __init__(self, faults: Mapping[int, str]) -> None:
        self.faults = faults
        self.on = True
        self.effects: list[Effect] = []  # all so far: what `explore` branches on
        self.struck: list[tuple[int, str, str]] = []

    def fault(self, kind: str, process: str) -> str | None:
        if not self.on:
            return None
        number = len(self.effects)
        self.effects.append(Effect(kind, process))
        fault = self.faults.get(number)
        if fault is not None:
            self.struck.append((number, kind, fault))
        return fault

    def between(self, low: float, high: float) -> float:
        return high


def by_kind(struck: Sequence[tuple[int, str, str]]) -> Counter[str]:
    """Faults counted for the figures line."""
    return Counter(f"{kind}: {what}" for _, kind, what in struck)
