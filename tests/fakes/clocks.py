"""Clocks for tests: none of them ever sleeps.

Two, because real sockets take real time: beside them only a clock that goes on by itself can measure a deadline. The
simulation has one of its own, on which every sleep is an effect that a fault may strike.
"""

from collections.abc import Callable

from reconciler.clock import SystemClock

Script = list[tuple[float, Callable[[], object]]]


class SkippingClock(SystemClock):
    """The machine's clock, on which a sleep is over at once and still takes its time."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def time(self) -> float:
        return super().time() + sum(self.slept)

    def monotonic(self) -> float:
        return super().monotonic() + sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(max(0.0, seconds))


class ManualClock:
    """Stands still at ``now`` seconds until it is moved; a sleep moves it. ``epoch`` is the Unix time of its zero.

    ``script`` happens at its times (seconds on this clock), while somebody sleeps.
    """

    def __init__(self, now: float = 0.0, *, epoch: float = 1_800_000_000.0) -> None:
        self.now = now
        self.epoch = epoch
        self.script: Script = []

    def time(self) -> float:
        return self.epoch + self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.advance(self.now + max(0.0, seconds))

    def advance(self, until: float) -> bool:
        """Move to ``until``, or to the next thing in the script; whether that came first."""
        due = [entry for entry in self.script if entry[0] <= until]
        if not due:
            self.now = until
            return False
        at, act = min(due, key=lambda entry: entry[0])
        self.script.remove((at, act))
        self.now = max(self.now, at)
        act()
        return True
