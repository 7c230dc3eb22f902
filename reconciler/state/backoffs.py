"""What is tried again later, and when: creates that were refused, cancels that have not taken.

`act` writes down each of them, `journal` that it is over. Tables `refusal` and `cancel`. Times are Unix seconds; a
back-off only ever delays a try, it never proves that one is right.
"""

import math
import re
from collections.abc import Callable, Sequence
from sqlite3 import Row

from reconciler.core.memory import Intent, OwnCancel, Refusal, Rejection
from reconciler.core.schedule import Backoff
from reconciler.state.rows import Rows, Statement, put

# Row 14: the next try comes after 1, 2, 4 … 60 minutes.
_REFUSED = Backoff(first=60, last=3600)

# A cancel whose answer was lost, or that the server was too weak for, is sent again after 2, 4, 8 … 60 seconds: its job
# costs money meanwhile.
_LOST = Backoff(first=2, last=60)


def lasts(next_at: float, now: float) -> bool:
    """Whether a back-off until ``next_at`` goes on; one that ends too far away is from a clock that has jumped."""
    return now < next_at <= now + 2 * _REFUSED.last


# So many creates in a row that came to nothing, each with one and the same 5xx, are a refusal of all: a gate that
# answers like a breakdown.
_IN_A_ROW = 3

# Prefix of the row that keeps what one job was told when every create was refused. It is shown, and holds nothing back.
_OF_ALL = "*"


class Refusals:
    """The last refused create of each name; that of the name "" is of every create.

    The row of "" holds in ``revision`` the name of the job that was refused last; what each was told stands in a row
    of its own, that of "*" and its name.
    """

    def __init__(self, rows: Rows, now: Callable[[], float]) -> None:
        self._rows = rows
        self._now = now
        self._fresh: set[str] = set()  # names refused in this run: "once for each apply"

    def record(self, name: str, revision: str, message: str, *, at_least: float = 0.0) -> None:
        """Row 14: this create was refused; its back-off grows. ``at_least``: seconds that the server asked for."""
        query = "SELECT tries FROM refusal WHERE identity = :identity AND name = :name AND revision = :revision"
        tries = self._tries(self._rows.read(query, name=name, revision=revision))
        row = self._row(name, revision, message, tries, at_least)
        self._rows.write(put("refusal", [row]), _not_the_last(name), _STREAK_OVER)
        self._fresh.add(name)

    def record_of_all(self, name: str, revision: str, message: str, *, at_least: float = 0.0) -> None:
        """Row 14: with this create every one was refused; the back-off of all of them grows."""
        self._rows.write(self._refused_all(name, revision, message, at_least), _STREAK_OVER)
        self._fresh.add("")

    def record_unsent(self, name: str, revision: str, message: str) -> None:
        """A create failed before it was sent. Where it was the one try for all, let another be tried next."""
        if self._of_all():
            row = {"name": f"{_OF_ALL}{name}", "revision": revision, "message": message, "tries": 0}
            self._rows.write(put("refusal", [{**row, "next_at": int(self._now())}]))

    def unmade(self, lost: Intent) -> tuple[Statement, ...]:
        """To be written when a create whose outcome was unknown turns out not to have happened.

        Each of several in a row with the same answer, or one that was to find out whether the provider takes jobs
        again, counts as a refusal of every create: tries come more slowly. It proves nothing about any create.
        """
        (before,) = self._rows.read("SELECT answer, times FROM streak WHERE identity = :identity") or (None,)
        alike = bool(lost.answer) and before is not None and _alike(before["answer"], lost.answer)
        times = before["times"] + 1 if before is not None and alike else 1
        streak = put("streak", [{"answer": lost.answer, "times": times}]) if lost.answer else _STREAK_OVER
        stands = self._of_all()
        under_way = bool(stands) and lasts(stands[0]["next_at"], self._now())  # it was sent before all were refused
        if under_way or (not stands and times < _IN_A_ROW):
            return (streak,)
        message = f"{lost.answer}; again and again, and no job came of it" if lost.answer else stands[0]["message"]
        if lost.answer:  # a try that nobody answered, as of a run that was killed, leaves this run its own
            self._fresh.add("")
        return streak, self._refused_all(lost.name, lost.revision, message)

    def _refused_all(self, name: str, revision: str, message: str, at_least: float = 0.0) -> Statement:
        row = self._row("", name, message, self._tries(self._of_all()), at_least)
        return put("refusal", [row, {**row, "name": f"{_OF_ALL}{name}", "revision": revision}])

    def _of_all(self) -> list[Row]:
        return self._rows.read("SELECT tries, message, next_at FROM refusal WHERE identity = :identity AND name = ''")

    def any_timed(self) -> bool:
        """Whether anything is recorded, of which the time may say something else."""
        return bool(self._rows.once(self._all))

    def known(self) -> dict[str, Refusal]:
        """The last of each name, and under "" the last of every create, whatever became of their back-offs."""
        last = {row["name"]: row for row in self._rows.once(self._all)}
        known = {name: Refusal(*row) for name, row in last.items() if name and not name.startswith(_OF_ALL)}
        for key, (_, revision, message, next_at) in last.items():
            if key.startswith(_OF_ALL):
                name = key.removeprefix(_OF_ALL)
                known[name] = Refusal(name, revision, message, next_at, of_all=True)
        if "" in last:
            _, name, message, next_at = last[""]
            known[""] = Refusal(name, "", message, next_at, of_all=True)
        return known

    def _all(self) -> list[Row]:
        return self._rows.read("SELECT name, revision, message, next_at FROM refusal WHERE identity = :identity")

    @staticmethod
    def _tries(before: Sequence[Row]) -> int:
        return (before[0]["tries"] if before else 0) + 1

    def _row(self, name: str, revision: str, message: str, tries: int, at_least: float) -> dict[str, object]:
        wait = max(_REFUSED.wait(tries), min(at_least, _REFUSED.last))
        next_at = int(self._now() + wait)
        return {"name": name, "revision": revision, "message": message, "tries": tries, "next_at": next_at}

    def in_force(self, *, every_backoff: bool) -> dict[str, Rejection]:
        """By name, those of this run; with ``every_backoff`` those of any run whose back-off lasts."""
        now = self._now()
        return {
            row["name"]: Rejection(row["revision"], row["message"])
            for row in self._rows.once(self._all)
            if not row["name"].startswith(_OF_ALL)
            and (lasts(row["next_at"], now) if every_backoff else row["name"] in self._fresh)
        }

    @staticmethod
    def over(name: str) -> tuple[Statement, ...]:
        """A create of this name made a job: the provider takes it, and so takes new jobs."""
        query = "DELETE FROM refusal WHERE identity = :identity AND name IN (:name, :of_all, '')"
        return (query, [{"name": name, "of_all": f"{_OF_ALL}{name}"}]), _STREAK_OVER

    def ends(self) -> list[int]:
        """When each back-off ends, or ended."""
        return [row["next_at"] for row in self._rows.once(self._all) if not row["name"].startswith(_OF_ALL)]


_STREAK_OVER: Statement = ("DELETE FROM streak WHERE identity = :identity", [{}])


# What differs between two answers that say the same: the id of a request, a time; but not the status.
_NUMBERED = re.compile(r"(?<!HTTP )\b\S*\d\S*")


def _alike(one: str, other: str) -> bool:
    return _NUMBERED.sub("", one) == _NUMBERED.sub("", other)


def _not_the_last(name: str) -> Statement:
    """What this job was told when every create was refused is not the last word any more."""
    return "DELETE FROM refusal WHERE identity = :identity AND name = :of_all", [{"of_all": f"{_OF_ALL}{name}"}]


class Cancels:
    """The last cancel of each job that was recorded here, and whether it ended the job."""

    def __init__(self, rows: Rows, now: Callable[[], float]) -> None:
        self._rows = rows
        self._now = now
        self._fresh: set[str] = set()  # jobs whose cancel was sent in this run
        self._counted: dict[str, int] = {}  # by job: whether a try before the one in this run counts

    def record(self, job_id: str, reason: str) -> None:
        """Record a cancel before it is sent; it is tried again soon, unless `postpone` says otherwise."""
        query = "SELECT tries, counts, slow FROM cancel WHERE identity = :identity AND job_id = :job_id"
        before = next(iter(self._rows.read(query, job_id=job_id)), {"tries": 0, "counts": 0, "slow": 0})
        self._counted[job_id] = before["counts"]
        tries, slow, now = before["tries"] + 1, before["slow"], self._now()
        row = {
            "job_id": job_id,
            "reason": reason,
            "tries": tries,
            "next_at": math.ceil(now + _LOST.wait(tries - slow)),
            "slow": slow,
            "sent_at": int(now),
        }
        self._rows.write(put("cancel", [row]))
        self._fresh.add(job_id)

    def postpone(self, job_id: str, *, at_least: float = 0.0, in_minutes: bool) -> None:
        """The next try comes no sooner than ``at_least`` seconds from now; ``in_minutes``: in 1, 2, 4 … 60 of them."""
        query = "SELECT slow, next_at FROM cancel WHERE identity = :identity AND job_id = :job_id"
        (before,) = self._rows.read(query, job_id=job_id)
        slow = before["slow"] + in_minutes
        wait = max(min(at_least, _REFUSED.last), _REFUSED.wait(slow) if in_minutes else 0)
        next_at = max(before["next_at"], math.ceil(self._now() + wait))
        self._set("slow = :slow, next_at = :next_at", [{"job_id": job_id, "slow": slow, "next_at": next_at}])

    def mark_confirmed(self, *job_ids: str) -> None:
        """These jobs have ended by our cancel."""
        self._set("confirmed = 1", [{"job_id": job_id} for job_id in job_ids])

    def mark_failed(self, job_id: str) -> None:
        """This try was not sent, or was refused, so it ended nothing; but an earlier one may yet take effect."""
        self._set("counts = :counts", [{"job_id": job_id, "counts": self._counted[job_id]}])

    def mark_unsent(self, job_id: str) -> None:
        """This try was not sent after all: it ended nothing, and the same run may try again."""
        self.mark_failed(job_id)
        self._fresh.discard(job_id)

    def mark_void(self, *job_ids: str) -> None:
        """These jobs are live although a cancel was recorded: it did not take."""
        self._set("counts = 0", [{"job_id": job_id} for job_id in job_ids])

    def mark_unneeded(self, job_id: str) -> None:
        """The job had ended by itself: it was not cancelled by us."""
        self._set("counts = 0, confirmed = 1", [{"job_id": job_id}])

    def mark_given_up(self, *job_ids: str) -> None:
        """A person said so: these jobs are left alone from here on."""
        self._set("given_up = 1, counts = 0", [{"job_id": job_id} for job_id in job_ids])

    def any_timed(self) -> bool:
        """Whether anything is recorded, of which the time may say something else."""
        return bool(self._rows.once(self._all))

    def recorded(self, *, every_backoff: bool) -> dict[str, OwnCancel]:
        """By job. One is waiting until its back-off ends where ``every_backoff``, else where this run sent it."""
        now = self._now()
        return {
            row["job_id"]: OwnCancel(
                row["reason"],
                counts=bool(row["counts"]),
                waiting=not row["confirmed"]
                and (lasts(row["next_at"], now) if every_backoff else row["job_id"] in self._fresh),
                left=bool(row["given_up"]),
                confirmed=bool(row["confirmed"]),
                sent_at=row["sent_at"],
            )
            for row in self._rows.once(self._all)
        }

    def _all(self) -> list[Row]:
        return self._rows.read(
            "SELECT job_id, reason, counts, confirmed, tries, next_at, given_up, sent_at FROM cancel "
            "WHERE identity = :identity"
        )

    def pending(self) -> frozenset[tuple[str, int]]:
        """Those that were recorded and have not been seen to take, by job id and number of tries."""
        rows = self._rows.once(self._all)
        return frozenset((row["job_id"], row["tries"]) for row in rows if row["counts"] and not row["confirmed"])

    def outstanding(self) -> dict[str, int]:
        """By job whose cancel is neither confirmed nor given up: when its back-off ends, or ended."""
        rows = self._rows.once(self._all)
        return {row["job_id"]: row["next_at"] for row in rows if not (row["confirmed"] or row["given_up"])}

    def _set(self, columns: str, rows: list[dict[str, object]]) -> None:
        self._rows.write((f"UPDATE cancel SET {columns} WHERE identity = :identity AND job_id = :job_id", rows))  # noqa: S608 - constants
