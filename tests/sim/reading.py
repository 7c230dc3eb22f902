"""How a process of the simulation reads a directory: as the real one does, but nothing is read or parsed twice for nothing.

What bytes declare, and what a whole directory reads as, depends on nothing else; a process of the operating system
plays thousands of schedules, and finds it once.
"""

import time
from collections.abc import Iterable
from pathlib import Path

from reconciler.core.snapshot import Snapshot
from reconciler.source.directory import read_directory
from reconciler.source.fingerprint import fingerprint
from reconciler.source.known import Declared, Known
from reconciler.source.reader import DirectoryReader
from tests.sim.checkout import Checkout, Wish, reads_slowly

# A long run meets few twice.
_KNOWN_LIMIT, _WHOLE_LIMIT = 20_000, 5_000


class _EveryReading(Known):
    """What any reading has found in some bytes is known to all."""

    def begin(self) -> None:
        if len(self._now) > _KNOWN_LIMIT:
            self._now = {}
        self._before = self._now


class _OwnLooks(Known):
    """The same of manifests alone: whoever reads slowly opens a training file once more, which may change meanwhile."""

    def find(self, digest: str, *, json: bool) -> Iterable[Declared] | None:
        return _known.find(digest, json=json)

    def learn(self, digest: str, declared: Iterable[Declared] | None, *, json: bool) -> None:
        _known.learn(digest, declared, json=json)


_known = _EveryReading()
# What a whole directory reads as, by its place and what it says.
_whole: dict[tuple[Path, Wish], Snapshot] = {}


def read(root: Path) -> Snapshot:
    """As an apply reads it."""
    return read_directory(root, known=_OwnLooks() if reads_slowly() else _known)


def reader(root: Path, *, slow: bool) -> DirectoryReader:
    """As a daemon reads it."""
    # Inodes tell saves apart; the machine's clock has not moved between two of them.
    return DirectoryReader(root, lambda: time.time() + 10.0, known=_OwnLooks() if slow else _known)


def read_whole(checkout: Checkout) -> Snapshot:
    """What stands there, where nothing is odd about it: who has read it before does not read it again."""
    if checkout.whole is None:
        key = (checkout.root, checkout.wish)
        if key not in _whole:
            if len(_whole) >= _WHOLE_LIMIT:
                _whole.clear()
            _whole[key] = read(checkout.root)
        checkout.whole = _whole[key]
    return checkout.whole


def fingerprint_now(checkout: Checkout, snapshot: Snapshot) -> str:
    """Of the directory as it is now, as whoever has ``snapshot`` reads it again."""
    if checkout.whole is None and not checkout.odd:
        checkout.whole = _whole.get((checkout.root, checkout.wish))
    return fingerprint(snapshot) if checkout.whole is None else checkout.whole.fingerprint
