"""A fleet directory that is read again and again: parsed only when something changed.

`cli` makes one `DirectoryReader`, through which the daemon reads. What is unchanged by `stat` is not opened again;
that decides how often a directory is parsed and nothing else: before a write, `fingerprint` reads every byte. Where one
file changed, the bytes of the others are known.
"""

import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct, field

from reconciler.core.snapshot import Snapshot
from reconciler.source.data_checks import RulesOf, openai_rules
from reconciler.source.directory import read_directory
from reconciler.source.fingerprint import fingerprint
from reconciler.source.known import Known
from reconciler.source.sweep import Stamp, Sweep, sweep_of

# A file changed in the same tick of the clock as it was read keeps its times (as in git's "racy" index).
_RACY_SECONDS = 2.0


class DirectoryReader(Struct):
    """Reads ``root``. ``wall`` is Unix time, to compare with the files' own; the rest as in `read_directory`."""

    root: Path
    wall: Callable[[], float] = time.time
    own: tuple[Path, ...] = ()
    known: Known = field(default_factory=Known)
    rules_of: RulesOf = openai_rules
    files_root: Path | None = None
    _last: tuple[Sweep, Stamp, Snapshot] | None = None

    def read(self) -> Snapshot:
        """The directory as it is now, in one generation."""
        if self._last is not None:
            sweep, stamp, snapshot = self._last
            if sweep.stamp() == stamp:
                return snapshot
        snapshot = read_directory(self.root, self.own, self.known, self.rules_of, self.files_root)
        sweep = sweep_of(snapshot)
        stamp = sweep.stamp()
        self._last = (sweep, stamp, snapshot) if self._stands_for(sweep, stamp, snapshot) else None
        return snapshot

    def _stands_for(self, sweep: Sweep, stamp: Stamp, snapshot: Snapshot) -> bool:
        """Whether this stamp can only belong to these bytes: they were read again between two equal ones."""
        return (
            not snapshot.problems
            and stamp.newest < self.wall() - _RACY_SECONDS
            and fingerprint(snapshot) == snapshot.fingerprint
            and sweep.stamp() == stamp
        )
