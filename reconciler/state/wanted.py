"""What was asked for, and in which file: tables `wanted` and `manifest`.

`checkout` writes down each reading as far as it is trusted. A form that was once wanted is what a job may be
cancelled, or restored, for.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from sqlite3 import Row

from msgspec import Struct
from msgspec.json import decode
from msgspec.structs import asdict

from reconciler.core.desired import Desired
from reconciler.core.fields import OnRemove
from reconciler.core.memory import Record
from reconciler.state.rows import Rows, Statement, put

_Form = Mapping[str, object] | None


class Forms(Mapping[tuple[str, str], _Form]):
    """Forms by name and revision. Each name is kept once, since it may have many revisions."""

    __slots__ = ("_by_name",)

    def __init__(self, by_name: Mapping[str, Mapping[str, _Form]]) -> None:
        self._by_name = by_name

    def __getitem__(self, key: tuple[str, str]) -> _Form:
        name, revision = key
        return self._by_name[name][revision]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((name, revision) for name, revisions in self._by_name.items() for revision in revisions)

    def __len__(self) -> int:
        return sum(map(len, self._by_name.values()))


class WantedForms:
    """Every (name, revision) that was ever wanted here."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def forms(self) -> Forms:
        """By name and revision, the form that was hashed; None where it was never read here (`as_once_wanted`)."""
        by_name: defaultdict[str, dict[str, _Form]] = defaultdict(dict)

        def put_down(row: Row) -> None:
            form = decode(row["form"]) if row["form"] else None
            by_name[sys.intern(row["name"])][sys.intern(row["revision"])] = form

        self._rows.made("SELECT name, revision, form FROM wanted WHERE identity = :identity", put_down)
        return Forms(dict(by_name))

    def record(
        self,
        desired: Mapping[str, Desired],
        origin: str = "",
        *,
        confirmed: Callable[[], bool] = lambda: True,
        also: Sequence[Statement] = (),
    ) -> int | None:
        """Remember that ``origin`` asks for these now; the number of the last change that this run knows of.

        None, and nothing is recorded, where the reading holds something new that is not ``confirmed``: it may be half
        of an edit. Changes are the times that names were given another revision, by whichever
        run: they are counted in column `turn`. ``origin`` tells one checkout from another. ``also`` is written in any
        case, in the same transaction: each of them costs what a disk needs to be sure.
        """
        latest = self._rows.once(self._latest)
        last = max((at for at, _ in latest.values()), default=0)
        new = [d for d in desired.values() if latest.get(d.name, (-1, ""))[1] != d.revision]
        if new and not confirmed():
            self._rows.write(*also)
            return None
        rows = [
            {
                "name": d.name,
                "revision": d.revision,
                "form": json.dumps(d.form),
                "turn": last + 1,
                "origin": origin,
            }
            for d in new
        ]
        self._rows.write(put("wanted", rows), *also)
        return last + bool(new)

    def _latest(self) -> dict[str, tuple[int, str]]:
        """By name, the number of its last change and the revision that it was given then."""
        latest: dict[str, tuple[int, str]] = {}
        for row in self._rows.read(
            "SELECT name, revision, turn FROM wanted WHERE identity = :identity AND form IS NOT NULL"
        ):
            latest[row["name"]] = max(latest.get(row["name"], (-1, "")), (row["turn"], row["revision"]))
        return latest

    def overtaken(self, change_number: int, origin: str) -> frozenset[str]:
        """Names that a run over another checkout has given another revision since that change."""
        query = "SELECT name FROM wanted WHERE identity = :identity AND turn > :change_number AND origin != :origin"
        return frozenset(row["name"] for row in self._rows.read(query, change_number=change_number, origin=origin))

    @staticmethod
    def as_once_wanted(listed: Iterable[Record]) -> Statement:
        """The specs of these jobs as wanted at some time, where nothing more is known of them."""
        return put("wanted", list(listed), "ON CONFLICT DO NOTHING", ("name", "revision"))


class LastSeen(Struct, frozen=True):
    """A name's manifest when it was last seen, valid; ``path`` is "" since a complete reading did not have it."""

    path: str
    revision: str
    orphan: bool  # it read ``on_remove: orphan``


class Manifests:
    """Where each name stands, or stood before it was gone."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def last_seen(self) -> dict[str, LastSeen]:
        """By name, gone or not."""
        return self._rows.once(self._read)

    def _read(self) -> dict[str, LastSeen]:
        rows = self._rows.read("SELECT name, path, revision, orphan FROM manifest WHERE identity = :identity")
        return {row["name"]: LastSeen(row["path"], row["revision"], bool(row["orphan"])) for row in rows}

    def paths(self) -> dict[str, str]:
        """By name, the file in which it was last seen; names that are gone are not among them."""
        return {name: seen.path for name, seen in self.last_seen().items() if seen.path}

    def record(self, desired: Mapping[str, Desired], *, complete: bool, kept: Container[str] = ()) -> None:
        """Remember where each name stands; a ``complete`` reading also says which are gone, but for those ``kept``."""
        self._rows.write(*self.changes(desired, complete=complete, kept=kept))

    def changes(
        self, desired: Mapping[str, Desired], *, complete: bool, kept: Container[str] = ()
    ) -> tuple[Statement, Statement]:
        """What `record` would write."""
        before = self.last_seen()
        now = {d.name: LastSeen(d.path, d.revision, d.policy.on_remove is OnRemove.ORPHAN) for d in desired.values()}
        changed = [{"name": name, **asdict(seen)} for name, seen in now.items() if before.get(name) != seen]
        missing = [name for name, seen in before.items() if seen.path and name not in desired] if complete else []
        statement = "UPDATE manifest SET path = '' WHERE identity = :identity AND name = :name"
        return put("manifest", changed), (statement, [{"name": name} for name in missing if name not in kept])
