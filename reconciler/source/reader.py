"""A fleet directory that is read again and again: parsed only when something changed, held where it is broken.

`daemon` reads through one `DirectoryReader`. What is unchanged by `stat` is not opened again; that
decides how often a directory is parsed and nothing else: before a write, `fingerprint` reads every byte.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.source.directory import Snapshot, fingerprint, read_directory
from reconciler.source.files import Unfit, real_path
from reconciler.source.tree import survey

# A file changed in the same tick of the clock as it was read keeps its times (as in git's "racy" index).
_RACY_SECONDS = 2.0

_Signature = tuple[tuple[str, int, int, int, int], ...]


@dataclass(slots=True)
class DirectoryReader:
    """Reads ``root``. ``wall`` is Unix time, to compare with the files' own; ``own`` as in `read_directory`."""

    root: Path
    wall: Callable[[], float] = time.time
    own: tuple[Path, ...] = ()
    _last: tuple[_Signature, Snapshot] | None = None

    def read(self) -> Snapshot:
        """The directory as it is now, in one generation."""
        if self._last is not None:
            known, snapshot = self._last
            if _signature(self.root, snapshot) == known:
                return snapshot
        snapshot = read_directory(self.root, self.own)
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


def held(snapshot: Snapshot, last_seen: Mapping[str, str]) -> frozenset[str]:
    """Every name that is broken, or may stand in what cannot be trusted now (row 1).

    ``last_seen`` is the file in which each name was last valid. A file that cannot be read to the end may
    hold any name it held before; one with an error only those that stand nowhere else now. Without a
    fleet document, every name is held.
    """
    suspect = {problem.path for problem in snapshot.problems}
    lost = {
        name
        for name, path in last_seen.items()
        if path in snapshot.unreadable or (name not in snapshot.desired and path in suspect)
    }
    if snapshot.fleet is None:
        lost |= snapshot.desired.keys() | last_seen.keys()
    return _and_downstream(snapshot, snapshot.broken | lost)


def _and_downstream(snapshot: Snapshot, lost: Iterable[str]) -> frozenset[str]:
    """With every job that is built, however indirectly, on the model of one of them."""
    built_on: dict[str, list[str]] = {}
    for desired in snapshot.desired.values():
        if desired.model_from is not None:
            built_on.setdefault(desired.model_from, []).append(desired.name)
    broken = set(lost)
    waiting = list(broken)
    while waiting:
        more = [name for name in built_on.get(waiting.pop(), ()) if name not in broken]
        broken.update(more)
        waiting += more
    return frozenset(broken)


def _signature(root: Path, snapshot: Snapshot) -> _Signature:
    """What `stat` says of every manifest and every training file, and which places are gaps."""
    real, tree = real_path(root), survey(root, snapshot.own)
    paths = [(name, real / name if isinstance(found, Unfit) else found) for name, found in tree.files]
    paths += [(f"{name}: {why}", real / name) for name, why in tree.gaps]
    training = {f.path for d in snapshot.desired.values() for f in (d.training, d.validation) if f is not None}
    paths += [(path, real / path) for path in sorted(training)]
    return tuple((name, *_times(path)) for name, path in paths)


def _times(path: Path) -> tuple[int, int, int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116 - a link counts as what it leads to
    except OSError:
        return (0, 0, 0, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
