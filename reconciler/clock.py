"""Time, as a port: what the real program and a simulated one agree on.

The shell gets one by constructor; the core gets times as values. Only `monotonic` may measure (a wall clock jumps);
`time` is for what people read, and for what outlives a process: the back-offs in the journal.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """The time of whoever waits or measures; all values are seconds."""

    def time(self) -> float:
        """Unix time."""
        ...

    def monotonic(self) -> float:
        """Never goes back; its zero means nothing."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return after ``seconds``; at once where they are not positive."""
        ...


class SystemClock:
    """The machine's own clock."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))
