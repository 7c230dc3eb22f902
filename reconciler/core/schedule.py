"""When the next try comes.

Pure: whoever waits reads the clock. `state.backoffs` writes down when a back-off ends.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """A wait in seconds that doubles from ``first`` with each try in a row, up to ``last``."""

    first: float
    last: float

    def wait(self, tries: int) -> float:
        """Seconds until the next try after ``tries`` (1, 2, …) that failed."""
        return min(self.first * 2.0 ** min(tries - 1, 10), self.last)
