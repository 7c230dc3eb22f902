"""Clocks for tests: none of them ever sleeps."""

from reconciler.clock import SystemClock


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
