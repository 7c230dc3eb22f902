"""One reading of a fleet: what it wants, what is wrong with it, and which names it says nothing about.

Pure. `source` makes them, `evidence` compares them, `reconcile` asks `broken_names` what a broken one leaves in doubt.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as of_dataclass
from pathlib import Path

from msgspec import Struct

from reconciler.core.desired import Desired, Fleet
from reconciler.errors import escaped

# More errors than a person reads: the others of a document, and of a file, are only counted.
ERRORS_LIMIT = 100


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One error, where a person finds it; line and column count from 1.

    Line 0 is the file or directory as a whole, column 0 the line as a whole. ``text`` is the line as it was read,
    where there is one, or a part of it, in which ``caret`` (from 0; else the column) is the place.
    """

    path: str
    line: int
    column: int
    field: str
    message: str
    text: str = of_dataclass(default="", compare=False)
    caret: int | None = of_dataclass(default=None, compare=False)

    def __str__(self) -> str:
        place = f":{self.line}" + (f":{self.column}" if self.column else "") if self.line else ""
        where = f"{escaped(self.path)}{place}"
        return f"{where}: {escaped(self.field)}: {self.message}" if self.field else f"{where}: {self.message}"


class Snapshot(Struct, frozen=True):
    """One reading of a fleet.

    ``broken`` are names whose manifest cannot be trusted, ``unreadable`` files that could not be read
    to the end. Without ``problems`` there is a ``fleet``. ``warnings`` are documents that were left out,
    ``data_warnings`` what is odd about training files.
    ``gaps`` are places whose emptiness does not prove that anything was deleted; ``holding`` are the files that
    hold documents of ours. ``fingerprint`` stands for every byte of it. ``own`` are this program's directories.
    ``files_root``: the operator lets training files stand below it, too.
    ``fleets_below`` are directories and the fleet of each, where the root holds several fleets and is none itself.
    """

    root: Path
    fleet: Fleet | None
    desired: Mapping[str, Desired]
    broken: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()
    unreadable: frozenset[str] = frozenset()
    fingerprint: str = ""
    stream: bool = False
    contents: str = ""  # a digest of the manifests' bytes: a stream cannot be read twice
    warnings: tuple[Problem, ...] = ()
    data_warnings: tuple[Problem, ...] = ()
    gaps: tuple[Problem, ...] = ()
    holding: frozenset[str] = frozenset()
    own: frozenset[Path] = frozenset()
    files_root: Path | None = None
    fleets_below: tuple[tuple[str, str], ...] = ()


def broken_names(snapshot: Snapshot, last_seen: Mapping[str, str]) -> frozenset[str]:
    """Every name that is broken, or may stand in what cannot be trusted now (row 1).

    ``last_seen`` is the file in which each name was last valid. A file that cannot be read to the end may
    hold any name it held before; one with an error only those that stand nowhere else now. Without a
    fleet document, every name is broken.
    """
    suspect = {problem.path for problem in snapshot.problems}
    in_doubt = {
        name
        for name, path in last_seen.items()
        if path in snapshot.unreadable or (name not in snapshot.desired and path in suspect)
    }
    if snapshot.fleet is None:
        in_doubt |= snapshot.desired.keys() | last_seen.keys()
    return _and_downstream(snapshot, snapshot.broken | in_doubt)


def _and_downstream(snapshot: Snapshot, in_doubt: Iterable[str]) -> frozenset[str]:
    """With every job that is built, however indirectly, on the model of one of them."""
    built_on: dict[str, list[str]] = {}
    for desired in snapshot.desired.values():
        if desired.model_from is not None:
            built_on.setdefault(desired.model_from, []).append(desired.name)
    broken = set(in_doubt)
    waiting = list(broken)
    while waiting:
        more = [name for name in built_on.get(waiting.pop(), ()) if name not in broken]
        broken.update(more)
        waiting += more
    return frozenset(broken)
