"""What one run has read of its manifests, and whether another run on the same state directory has read newer ones.

`reconcile` keeps one `Checkout` a run. It writes down what is wanted; what to do about it is decided in `core`.
"""

import os
from collections.abc import Callable

from reconciler.core.desired import Fleet
from reconciler.core.snapshot import Snapshot
from reconciler.core.world import World
from reconciler.errors import SourceError
from reconciler.state.journal import Journal


class Checkout:
    """The fleet as it was last read, and the last reading that the journal has written down for this run."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._stream = f"- {os.urandom(16).hex()}"
        self._fleet: Fleet | None = None
        self._recorded: tuple[str, int] | None = None  # a fingerprint, and what `WantedForms.record` returned

    @property
    def names_read(self) -> frozenset[str]:
        """Names that a run on this state directory has read, and none since has read a complete directory without."""
        return frozenset(self._journal.manifests.paths())

    @property
    def number(self) -> int:
        """The same as long as nothing is written down that the names here come from."""
        return self._journal.number

    @property
    def names_live(self) -> frozenset[str]:
        """Names with jobs that were live when a pass on this state directory last looked."""
        return frozenset(self._journal.records.live_names())

    def fleet(self, snapshot: Snapshot) -> Fleet:
        """What its document says, or said while it was valid. Raises SourceError where it never was."""
        self._fleet = snapshot.fleet or self._fleet
        if self._fleet is None:
            raise SourceError([str(problem) for problem in snapshot.problems])
        return self._fleet

    def is_recorded(self, snapshot: Snapshot) -> bool:
        """Whether this reading is the one that the journal has written down for this run."""
        return self._recorded is not None and self._recorded[0] == snapshot.fingerprint

    def record(self, snapshot: Snapshot, world: World, unchanged: Callable[[Snapshot], bool]) -> None:
        """Write down what the manifests want and where they stand, but for what cannot be trusted now."""
        trusted = {name: desired for name, desired in snapshot.desired.items() if name not in world.broken}
        complete = not snapshot.problems and not snapshot.gaps
        if self.is_recorded(snapshot):
            self._journal.manifests.record(trusted, complete=complete, kept=world.leftovers)
            return
        places = self._journal.manifests.changes(trusted, complete=complete, kept=world.leftovers)
        origin = self._origin(snapshot)
        change_number = self._journal.wanted.record(trusted, origin, confirmed=lambda: unchanged(snapshot), also=places)
        self._recorded = None if change_number is None else (snapshot.fingerprint, change_number)

    def overtaken(self, snapshot: Snapshot) -> frozenset[str]:
        """Names that a run over another checkout has wanted otherwise, here, since this reading was first made.

        (A run over the same one read it later, or sees at its write that the files are others.)
        """
        if self._recorded is None or not self.is_recorded(snapshot):
            return frozenset()
        return self._journal.wanted.overtaken(self._recorded[1], self._origin(snapshot))

    def _origin(self, snapshot: Snapshot) -> str:
        """Which checkout it is; every stream is one of its own. A path need not be text, and the journal holds text."""
        if snapshot.stream:
            return self._stream
        return os.fsencode(snapshot.root.absolute()).decode(errors="backslashreplace")
