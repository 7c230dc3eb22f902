"""Which file a journal is: the one that was last written here, or a copy of it.

`fence` asks when a journal is opened, and renews the seal after each write; `opening` does both around a migration.
Nothing in here reads the journal itself.
"""

import socket
import time
from collections.abc import Callable
from pathlib import Path

# Another run seals a moment after it has written: how often, and after how many seconds, to look again.
_LOOKS = 100
_PAUSE = 0.01


class Seal:
    """Distinguishes a journal that was last written here from a copy of one: moved to this machine, or restored on it.

    Beside the journal stands on which host, which file it is, and when the file system last saw it change (ctime), as
    of our last write. Nobody can set that time, so no copy has it. The seal is not synced: losing it costs a wait.
    """

    def __init__(self, journal: Path, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._journal = journal
        self._path = self.file_beside(journal)
        self._sleep = sleep

    @staticmethod
    def file_beside(journal: Path) -> Path:
        """Where the seal of a journal stands."""
        return journal.with_name(f"{journal.name}.seal")

    def intact(self, *, look_again: bool = True) -> bool:
        """Whether only we have written the journal since it was sealed.

        ``look_again``: it ought to be, so another run may be between a write and its seal.

        Raises:
            OSError: one of the two files cannot be read, so nothing is known.
        """
        for _ in range(_LOOKS if look_again else 1):
            try:
                sealed = self._path.read_text(errors="replace")
            except FileNotFoundError:
                return False
            if sealed == self._now():
                return True
            self._sleep(_PAUSE)
        return False

    def renew(self) -> None:
        """The journal is as we have just written it. Raises OSError where that cannot be written down."""
        self._path.write_text(self._now())

    def _now(self) -> str:
        stat = self._journal.stat()
        return f"{socket.gethostname()} {stat.st_dev} {stat.st_ino} {stat.st_ctime_ns}\n"
