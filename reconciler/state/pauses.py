"""Which jobs were paused from here: recorded before the request is sent, until the job has been seen to go on.

`pausing` writes down each pause and each resume, `reconcile` that one is over. Table `pause`. Only a job that stands
here is ever resumed. Times are Unix seconds; a back-off only ever delays a try.
"""

import math
from collections.abc import Callable
from sqlite3 import Row

from reconciler.core.memory import OwnPause
from reconciler.core.schedule import Backoff
from reconciler.state.backoffs import lasts
from reconciler.state.rows import Rows, put

# After a lost answer, and after a refusal, as for a cancel.
_LOST, _REFUSED = Backoff(first=2, last=60), Backoff(first=60, last=3600)

# A pause whose answer was lost may take effect for so many seconds: longer than any settle window by default.
_LATEST = 300


# What the column `identity.pauses` says of a server that has paused a job; of one that had no way to, it has the time
# of that answer, as a negative number.
_ABLE = 1
# Seconds for which a server that had no way to pause a job is not asked again: it may learn it, and it may have been a
# gateway's answer.
_BELIEVED = 86_400


class Pauses:
    """The last pause or resume of each job, and whether this server can pause one."""

    def __init__(self, rows: Rows, now: Callable[[], float]) -> None:
        self._rows = rows
        self._now = now
        self._fresh: set[str] = set()  # jobs about which something was sent in this run

    def record(self, job_id: str, *, resumed: bool) -> bool:
        """Record a pause, or the resume of one, before it is sent; whether an earlier pause was recorded."""
        query = "SELECT tries, resumed FROM pause WHERE identity = :identity AND job_id = :job_id"
        before = next(iter(self._rows.read(query, job_id=job_id)), None)
        tries = before["tries"] + 1 if before is not None and bool(before["resumed"]) is resumed else 1
        row = {"job_id": job_id, "resumed": int(resumed), "tries": tries}
        self._rows.write(put("pause", [{**row, "next_at": math.ceil(self._now() + _LOST.wait(tries))}]))
        self._fresh.add(job_id)
        return before is not None

    def postpone(self, job_id: str) -> None:
        """It was refused, so it takes no effect later: the next try comes after 1, 2, 4 … 60 minutes."""
        query = "SELECT tries FROM pause WHERE identity = :identity AND job_id = :job_id"
        (before,) = self._rows.read(query, job_id=job_id)
        self._set(
            "counts = 0, next_at = :next_at", job_id, next_at=math.ceil(self._now() + _REFUSED.wait(before["tries"]))
        )

    def mark_confirmed(self, job_id: str) -> None:
        """The job was read back, and stands still as it was asked to."""
        self._set("confirmed = 1, tries = 0, next_at = 0", job_id)

    def drop(self, *job_ids: str) -> None:
        """These jobs go on, or were never paused from here: whoever pauses them from now on, it was not us."""
        statement = "DELETE FROM pause WHERE identity = :identity AND job_id = :job_id"
        self._rows.write((statement, [{"job_id": job_id} for job_id in job_ids]))

    def any_timed(self) -> bool:
        """Whether anything is recorded, of which the time may say something else."""
        return bool(self._rows.once(self._all)) or self._rows.once(self._ability) is not None

    def recorded(self, *, every_backoff: bool) -> dict[str, OwnPause]:
        """By job. One is waiting until its back-off ends where ``every_backoff``, else where this run sent it."""
        now = self._now()
        return {
            row["job_id"]: OwnPause(
                waiting=not row["confirmed"]
                and (lasts(row["next_at"], now) if every_backoff else row["job_id"] in self._fresh),
                under_way=_is_under_way(row, now),
            )
            for row in self._rows.once(self._all)
        }

    def able(self) -> bool | None:
        """Whether this server can pause a job, as it was seen last; None: nobody knows, or not any more."""
        seen = self._rows.once(self._ability)
        if seen is None or seen == _ABLE:
            return None if seen is None else True
        return False if abs(self._now() + seen) < _BELIEVED else None

    def record_ability(self, *, able: bool | None) -> None:
        """What was seen last: it paused a job, or has no way to; None: what was known of it is in doubt."""
        seen = {True: _ABLE, False: -int(self._now()), None: None}[able]
        self._rows.write(("UPDATE identity SET pauses = :seen WHERE id = :identity", [{"seen": seen}]))

    def forget_inability(self) -> tuple[str, ...]:
        """Let a server that could not pause be asked again; says so."""
        if self.able() is not False:
            return ()
        self.record_ability(able=None)
        return ("forgotten: that this server has no way to pause a job; the next pass asks it again",)

    def ends(self) -> list[int]:
        """When each back-off ends, or ended."""
        return [row["next_at"] for row in self._rows.once(self._all) if not row["confirmed"]]

    def _ability(self) -> int | None:
        rows = self._rows.read("SELECT pauses FROM identity WHERE id = :identity")
        return next((row["pauses"] for row in rows), None)

    def _all(self) -> list[Row]:
        return self._rows.read(
            "SELECT job_id, resumed, counts, confirmed, tries, next_at FROM pause WHERE identity = :identity"
        )

    def _set(self, columns: str, job_id: str, **values: object) -> None:
        statement = f"UPDATE pause SET {columns} WHERE identity = :identity AND job_id = :job_id"  # noqa: S608 - constants
        self._rows.write((statement, [{"job_id": job_id, **values}]))


def _is_under_way(row: Row, now: float) -> bool:
    """Whether a pause was sent a while ago, neither refused nor seen to have taken."""
    if row["resumed"] or row["confirmed"] or not row["counts"]:
        return False
    sent_at: float = row["next_at"] - _LOST.wait(row["tries"])
    return abs(now - sent_at) < _LATEST
