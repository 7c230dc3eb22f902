"""What a row of readings proves: the files are at rest, and a name has really gone.

Pure. `daemon` gives it every `Snapshot` it reads, and asks it before a pass what that pass may
believe (README, *Gates*). All times are monotonic seconds; after a restart the proof begins anew.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from reconciler.source import Snapshot

_NOTHING: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Evidence:
    """The readings so far.

    ``since``: the end of the first reading that found what the last one found. ``whole_since``: the
    same for readings in which every manifest was valid, None where the last one was not. ``gone``:
    when each name that was declared before was first found gone, in whole readings only.
    """

    fingerprint: str | None = None
    since: float = 0.0
    whole_since: float | None = None
    declared: frozenset[str] = frozenset()
    gone: Mapping[str, float] = field(default_factory=lambda: _NOTHING)

    def after(self, snapshot: Snapshot, at: float, declared: Iterable[str] = ()) -> "Evidence":
        """With one more reading, which ended ``at``. ``declared``: names that others read here meanwhile."""
        same = snapshot.fingerprint == self.fingerprint
        seen = replace(self, fingerprint=snapshot.fingerprint, since=self.since if same else at)
        names = frozenset(snapshot.desired)
        if snapshot.problems or snapshot.fleet is None:
            return replace(seen, whole_since=None, declared=self.declared | names | self.gone.keys(), gone=_NOTHING)
        missing = (self.declared | self.gone.keys()).union(declared) - names
        return replace(
            seen,
            whole_since=at if self.whole_since is None else self.whole_since,
            declared=names,
            gone={name: self.gone.get(name, at) for name in missing},
        )

    def steady(self, at: float, stability: float) -> bool:
        """Whether a reading that began ``at`` and found the same again shows files at rest."""
        return self.fingerprint is not None and at - self.since >= stability

    def whole(self, at: float, absence: float) -> bool:
        """Whether every manifest has been valid for as long as a removal needs."""
        return self.whole_since is not None and at - self.whole_since >= absence

    def recent(self, at: float, absence: float) -> frozenset[str]:
        """Names that have not been gone long enough to believe it."""
        return frozenset(name for name, since in self.gone.items() if at - since < absence)

    def next_proof(self, at: float, stability: float, absence: float) -> float | None:
        """When (monotonic) one more reading will prove more than one does now; None where none will."""
        starts = [self.since + stability, *(since + absence for since in self.gone.values())]
        if self.whole_since is not None:
            starts.append(self.whole_since + absence)
        return min((start for start in starts if start > at), default=None)
