"""What successive readings prove: the files are at rest, and a name has really gone.

Pure. `daemon` gives it every `Snapshot` it reads, and asks it before a pass what that pass may
believe (`docs/concepts.md`, Gates). All times are monotonic seconds; after a restart the proof begins anew.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.core.snapshot import Snapshot

_NOTHING: Mapping[str, float] = MappingProxyType({})


class Evidence(Struct, frozen=True):
    """The readings so far.

    ``since``: the end of the first reading that found what the last one found. ``declared``: the names of the
    last reading. ``names_read``: names that the state directory held as read, and not gone, by then; None before
    the first reading. ``gone``: when each name was first found gone, in complete readings only: those without
    a single error, of a directory without a gap.
    """

    fingerprint: str | None = None
    since: float = 0.0
    declared: frozenset[str] = frozenset()
    names_read: frozenset[str] | None = None
    gone: Mapping[str, float] = field(default_factory=lambda: _NOTHING)

    def after(
        self, snapshot: Snapshot, at: float, *, names_read: Iterable[str] = (), live: Iterable[str] = ()
    ) -> "Evidence":
        """With one more reading, which ended ``at``.

        ``names_read``: names that somebody on this state directory has read and not found gone since. ``live``: names
        with live jobs, whether or not anybody here ever read a manifest of theirs.
        """
        others, names = frozenset(names_read), frozenset(snapshot.desired)
        same = snapshot.fingerprint == self.fingerprint
        seen = replace(self, fingerprint=snapshot.fingerprint, since=self.since if same else at, names_read=others)
        if snapshot.problems or snapshot.gaps or snapshot.fleet is None:
            return replace(seen, declared=self.declared | names | self.gone.keys(), gone=_NOTHING)
        # What somebody has read since a pass recorded it as gone was not gone all the time; nor can anyone say, from
        # here on, whether it was read once or again and again, until a pass records it anew.
        back = frozenset() if self.names_read is None else others - self.names_read
        still = {name: since for name, since in self.gone.items() if name not in back}
        missing = (self.declared | self.gone.keys() | others).union(live) - names
        gone = {name: still.get(name, at) for name in missing}
        return replace(seen, declared=names, names_read=others - (back & missing), gone=gone)

    def stands(self, snapshot: Snapshot) -> bool:
        """Whether this very reading once more, and nothing new of any name beside it, would prove nothing more."""
        return snapshot.fingerprint == self.fingerprint and not self.gone

    def recorded(self) -> "Evidence":
        """Once a pass has written down what is gone: whoever reads one of these names again is noticed by that."""
        if self.names_read is not None and not self.gone:
            return self
        return replace(self, names_read=(self.names_read or frozenset()) - self.gone.keys())

    def changed_meanwhile(self) -> "Evidence":
        """Once a pass has found other files than its reading: what stood there in between nobody knows."""
        return replace(self, fingerprint=None, declared=self.declared | self.gone.keys(), gone=_NOTHING)

    def steady(self, at: float, stability: float) -> bool:
        """Whether a reading that began ``at`` and found the same again shows files at rest."""
        return self.fingerprint is not None and at - self.since >= stability

    def gone_for(self, at: float, absence: float) -> frozenset[str]:
        """Names that have been gone for so long that it may be believed."""
        return frozenset(name for name, since in self.gone.items() if at - since >= absence)

    def next_proof(self, at: float, stability: float, absence: float) -> float | None:
        """When (monotonic) one more reading will prove more than one does now; None where none will."""
        starts = [self.since + stability, *(since + absence for since in self.gone.values())]
        return min((start for start in starts if start > at), default=None)
