"""The jobs that are recorded: those of this identity, and how many others the same file remembers.

`journal` reads them here, and writes the table itself, since each write of it goes with others in one transaction.
"""

import sys
from sqlite3 import Row

from reconciler.core.memory import Elsewhere, Record
from reconciler.state.rows import Rows
from reconciler.state.schema import Identity


class Records:
    """Every job that was recorded for an identity, as it was last seen."""

    def __init__(self, rows: Rows, identity: Identity) -> None:
        self._rows = rows
        self._identity = identity
        self._last: dict[str, Record] = {}

    def live_names(self) -> set[str]:
        """Names with recorded jobs that were live when last seen."""
        return self._rows.once(self._read_live_names)

    def _read_live_names(self) -> set[str]:
        rows = self._rows.read("SELECT DISTINCT name FROM record WHERE identity = :identity AND live")
        return {row["name"] for row in rows}

    def by_id(self) -> dict[str, Record]:
        """This identity's; whoever gets them leaves them as they are."""
        return self._rows.once(self._read)

    def holds(self, job_id: str) -> bool:
        """Whether a job of this identity is recorded; costs the same however long its history is."""
        query = "SELECT 1 FROM record WHERE identity = :identity AND job_id = :job_id"
        return bool(self._rows.read(query, job_id=job_id))

    def _read(self) -> dict[str, Record]:
        records = self._rows.made(
            "SELECT job_id, name, revision, attempt, live, ended_before, stranger FROM record "
            "WHERE identity = :identity ORDER BY job_id",
            self._once,
        )
        self._last = by_id = {record.job_id: record for record in records}
        return by_id

    def _once(self, row: Row) -> Record:
        """An unchanged record is the same object, so that no history is in memory twice."""
        record = _record(row)
        before = self._last.get(record.job_id)
        return before if before is not None and before == record else record

    @property
    def alone(self) -> bool:
        """Whether this file remembers no other identity."""
        return self._rows.once(self._count_identities) < 2  # noqa: PLR2004 - itself

    def _count_identities(self) -> int:
        (row,) = self._rows.read("SELECT COUNT(*) AS identities FROM identity")
        count: int = row["identities"]
        return count

    def neighbours(self) -> dict[str, int]:
        """How many live jobs other fleets had at the same base URL, by fleet."""
        if self.alone:
            return {}
        rows = self._rows.read(
            "SELECT fleet, COUNT(*) AS jobs FROM identity JOIN record ON record.identity = id "
            "WHERE id != :identity AND base_url = :base_url AND live GROUP BY fleet ORDER BY fleet",
            base_url=self._identity.base_url,
        )
        return {row["fleet"]: row["jobs"] for row in rows}

    def others(self) -> frozenset[str]:
        """The ids of jobs of other fleets at this account: the probes of `doctor`, for one."""
        if self.alone:
            return frozenset()
        own = self._identity
        rows = self._rows.read(
            "SELECT job_id FROM identity JOIN record ON record.identity = id WHERE id != :identity "
            "AND base_url = :base_url AND organization = :organization AND project = :project",
            base_url=own.base_url,
            organization=own.organization,
            project=own.project,
        )
        return frozenset(row["job_id"] for row in rows)

    def unfinished(self, fleet: str) -> tuple[frozenset[str], frozenset[str]]:
        """What another fleet has here that is not known to have ended: ids of jobs, and tokens of lost creates."""
        if self.alone:
            return frozenset(), frozenset()
        own = self._identity
        rows = self._rows.read(
            "WITH other AS (SELECT id FROM identity WHERE fleet = :fleet AND base_url = :base_url "
            "AND organization = :organization AND project = :project) "
            "SELECT job_id AS one, 0 AS lost FROM other JOIN record ON record.identity = id WHERE live "
            "UNION SELECT token, 1 FROM other JOIN intent ON intent.identity = id",
            fleet=fleet,
            base_url=own.base_url,
            organization=own.organization,
            project=own.project,
        )
        live, lost = (frozenset(row["one"] for row in rows if row["lost"] == lost) for lost in (0, 1))
        return live, lost

    def elsewhere(self) -> tuple[Elsewhere, ...]:
        """This fleet's at other accounts."""
        if self.alone:
            return ()
        rows = self._rows.read(
            "SELECT base_url, organization, project, name, revision, job_id, live "
            "FROM identity JOIN record ON record.identity = id "
            "WHERE id != :identity AND fleet = :fleet AND base_url NOT LIKE 'sandbox%' ORDER BY name, job_id",
            fleet=self._identity.fleet,
        )
        return tuple(Elsewhere(**{**dict(row), "live": bool(row["live"])}) for row in rows)


def _record(row: Row) -> Record:
    """As in `parse_job`: a text that a job has as well is kept once."""
    return Record(
        sys.intern(row["job_id"]),
        sys.intern(row["name"]),
        sys.intern(row["revision"]),
        row["attempt"],
        live=bool(row["live"]),
        ended_before=bool(row["ended_before"]),
        stranger=bool(row["stranger"]),
    )
