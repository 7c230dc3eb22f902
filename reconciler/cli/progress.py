"""What a person at a terminal sees while the program waits: one line, replaced as things move."""

import shutil
import sys
from types import TracebackType
from typing import Self, TextIO

from reconciler.errors import foreign


class Progress:
    """One line on stderr at a terminal; elsewhere one line for each new thing that is waited for."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
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
        text = f"waiting for {foreign(what)}"
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r\x1b[K{text[:width]}")
        elif text != self._shown:
            self._stream.write(f"{text}\n")
        self._shown = text
        self._stream.flush()

    def clear(self) -> None:
        """Make room for a line of output."""
        if self._live and self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def close(self) -> None:
        """Leave a clean line behind."""
        self.clear()
        self._shown = ""
