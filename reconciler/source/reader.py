"""A fleet directory that is read again and again: parsed only when something changed.

`cli` makes one `DirectoryReader`, through which the daemon reads. What is unchanged by `stat` is not opened again;
that decides how often a directory is parsed and nothing else: before a write, `fingerprint` reads every byte. Where one
file changed, the bytes of the others are known.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct, field

from reconciler.core.snapshot import Snapshot
from reconciler.source.directory import read_directory
from reconciler.source.files import Unfit, real_path
from reconciler.source.fingerprint import fingerprint
from reconciler.source.known import Known
from reconciler.source.tree import survey

# A file changed in the same tick of the clock as it was read keeps its times (as in git's "racy" index).
_RACY_SECONDS = 2.0

_Signature = tuple[tuple[str, int, int, int, int], ...]


class DirectoryReader(Struct):
    """Reads ``root``. ``wall`` is Unix time, to compare with the files' own; ``own`` as in `read_directory`."""

    root: Path
    wall: Callable[[], float] = time.time
    own: tuple[Path, ...] = ()
    known: Known = field(default_factory=Known)
    _last: tuple[_Signature, Snapshot] | None = None

    def read(self) -> Snapshot:
        """The directory as it is now, in one generation."""
        if self._last is not None:
            signature, snapshot = self._last
            if _signature(self.root, snapshot) == signature:
                return snapshot
        snapshot = read_directory(self.root, self.own, self.known)
        signature = _signature(self.root, snapshot)
        self._last = (signature, snapshot) if self._stands_for(signature, snapshot) else None
        return snapshot

    def _stands_for(self, signature: _Signature, snapshot: Snapshot) -> bool:
        """Whether this signature can only belong to these bytes: they were read again between two equal ones."""
        newest = max((changed for *_, changed in signature), default=0) / 1e9
        return (
            not snapshot.problems
            and newest < self.wall() - _RACY_SECONDS
            and fingerprint(snapshot) == snapshot.fingerprint
            and _signature(self.root, snapshot) == signature
        )


def _signature(root: Path, snapshot: Snapshot) -> _Signature:
    """What `stat` says of every manifest and every training file, and which places are gaps."""
    real, tree = real_path(root), survey(root, snapshot.own)
    paths = [(name, str(real / name) if isinstance(found, Unfit) else found) for name, found in tree.files]
    paths += [(f"{name}: {why}", str(real / name)) for name, why in tree.gaps]
    training = {file.path for desired in snapshot.desired.values() for file in desired.local_files}
    paths += [(path, f"{real}/{path}") for path in sorted(training)]
    return tuple((name, *_times(path)) for name, path in paths)


def _times(path: str) -> tuple[int, int, int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116 - a link counts as what it leads to
    except OSError:
        return (0, 0, 0, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
