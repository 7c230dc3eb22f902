"""What is seen while the program waits: at a terminal one line, replaced as things move; elsewhere a log line.

`apply` shows its waits with it. The daemon logs, and draws nothing.
"""

import contextlib
import sys
from types import TracebackType
from typing import Self, TextIO

from structlog.typing import FilteringBoundLogger

from reconciler.cli import terminal
from reconciler.errors import escaped


class ProgressLine:
    """One line on stderr at a terminal; elsewhere a line in the log for each new thing that is waited for."""

    def __init__(self, log: FilteringBoundLogger, stream: TextIO | None = None) -> None:
        self._log = log
        self._stream = stream or sys.stderr
        self._live = terminal.obeys(self._stream)
        self._shown = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def waiting(self, seconds: float, what: str) -> None:
        """Say what is waited for; a wait of nothing is not worth a word."""
        if seconds <= 0:
            return
        if self._live:
            width = terminal.width() - 1
            self._draw(f"waiting for {escaped(what)}"[:width])
        elif what != self._shown:
            self._log.info("wait.started", waiting_for=escaped(what), seconds=round(seconds, 3))
        self._shown = what

    def clear(self) -> None:
        """Make room for a line of output."""
        if self._live and self._shown:
            self._draw("")

    def close(self) -> None:
        """Leave a clean line behind."""
        self.clear()
        self._shown = ""

    def _draw(self, line: str) -> None:
        """In the place of what stands there; a terminal that has gone away must not end the work."""
        with contextlib.suppress(OSError):
            self._stream.write(f"\r\x1b[K{line}")
            self._stream.flush()
