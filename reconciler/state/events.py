"""Which events of which jobs are in the log already: table `event`. `follow` reads and writes it."""

import json
from collections.abc import Iterable, Mapping, Sequence

from reconciler.state.rows import Rows, put


class Events:
    """The newest events of each job that a daemon follows."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.written = 0  # how often

    def logged(self) -> dict[str, tuple[str, ...]]:
        """By followed job: the ids of its newest events that were logged, the newest first."""
        return self._rows.once(self._read)

    def _read(self) -> dict[str, tuple[str, ...]]:
        rows = self._rows.read("SELECT job_id, seen FROM event WHERE identity = :identity")
        return {row["job_id"]: tuple(json.loads(row["seen"])) for row in rows}

    def record_logged(self, logged: Mapping[str, Sequence[str]], *, ended: Iterable[str] = ()) -> None:
        """These events, by job, are in the log; nothing more is to come of the jobs that ``ended``."""
        rows = [{"job_id": job_id, "seen": json.dumps(list(ids))} for job_id, ids in logged.items()]
        statement = "DELETE FROM event WHERE identity = :identity AND job_id = :job_id"
        self.written += self._rows.write(put("event", rows), (statement, [{"job_id": job_id} for job_id in ended]))
