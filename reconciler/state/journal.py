"""Durable memory: what was wanted, sent, seen and cancelled, for each provider identity.

SQLite. `reconcile`, `act` and `follow` write to it. Every change is on disk before the call returns
(`synchronous=EXTRA`), because a POST follows. A journal that is not whole is never read as an
empty one: it raises `JournalError` and no write follows. Losing the whole file costs
waiting, never a job: the provider's marks are the record.

Times in here are Unix seconds; they only ever delay, they never prove anything.
"""

import contextlib
import json
import math
import secrets
import sqlite3
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from reconciler.core.desired import Desired
from reconciler.core.fields import OnRemove
from reconciler.core.memory import Intent, Memory, OwnCancel, Record, Rejection
from reconciler.core.schedule import Backoff
from reconciler.errors import JournalError, StateReplaced
from reconciler.state.failures import named
from reconciler.state.fence import file_of
from reconciler.state.seal import Seal

# What the provider has been seen to return, in the column `identity.echoes`; then from nothing known to the strongest.
_NOTHING_RETURNED, _MARKS_RETURNED, _SEEDS_RETURNED = 0, 1, 2
_STRONGER = (None, _NOTHING_RETURNED, _SEEDS_RETURNED, _MARKS_RETURNED)

# Row 14: the next try comes after 1, 2, 4 … 60 minutes.
_REFUSED = Backoff(first=60, last=3600)

# A cancel whose answer was lost, or that the server was too weak for, is sent again after 2, 4, 8 … 60 seconds: its job
# costs money meanwhile.
_LOST = Backoff(first=2, last=60)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose memory it is: nothing is shared between two of these."""

    fleet: str
    base_url: str
    organization: str = ""
    project: str = ""


def _lasts(next_at: float, now: float) -> bool:
    """Whether a back-off until ``next_at`` goes on; one that ends too far away is from a clock that has jumped."""
    return now < next_at <= now + 2 * _REFUSED.last


class Journal:
    """An open journal for one identity. Use `open_journal`; close it, or use it as a context.

    Whatever would write raises JournalError in one that was opened for reading only.
    """

    def __init__(  # noqa: PLR0913 - what it is made of, each once, in `open_journal` and in the simulation
        self,
        connection: sqlite3.Connection,
        path: Path,
        identity: Identity,
        *,
        seal: Seal,
        now: Callable[[], float],
        read_only: bool = False,
    ) -> None:
        """``path`` names it in messages."""
        self._db = connection
        self._path = path
        self._now = now
        self._seal = seal
        self._read_only = read_only
        self._base_url = identity.base_url
        self._opened = file_of(path)
        self._fresh_refusals: set[str] = set()  # names refused in this run: "once for each apply"
        self._fresh_cancels: set[str] = set()  # likewise jobs whose cancel was sent in this run
        self._counted: dict[str, int] = {}  # by job: whether a try before the one in this run counts
        key = (identity.fleet, identity.base_url, identity.organization, identity.project)
        where = "(fleet, base_url, organization, project) = (?, ?, ?, ?)"
        find = f"SELECT id, begun, settled, writes FROM identity WHERE {where}"  # noqa: S608 - constants
        row = connection.execute(find, key).fetchone()
        self._sealed = self._opened is not None and seal.whole(patient=not read_only)
        if row is None and not read_only:
            with connection:
                insert = "INSERT OR IGNORE INTO identity (fleet, base_url, organization, project) VALUES (?, ?, ?, ?)"
                connection.execute(insert, key)
            row = connection.execute(find, key).fetchone()
            if self._sealed:
                seal.renew()
        self._id: int = row[0] if row else 0
        begun, settled, writes = row[1:] if row else (0, 0, 0)
        self._writes: int = writes
        self._begun = bool(begun or settled)
        self.known = self._begun  # False for the whole of a run that began without memory
        self.settled = bool(settled)  # False: no run here has waited out a settle window yet
        self.moved = self.settled and not self._sealed  # a copy: wait before the first write

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    # ── reading ──

    def memory(self, *, every_backoff: bool = False) -> Memory:
        """What the decision may know. ``every_backoff``: also those that `apply` ignores once."""
        now = self._now()
        intents = self._read("SELECT name, revision, attempt, seed, token FROM intent WHERE identity = ?")
        records = self._read(
            "SELECT job_id, name, revision, attempt, live, ended_before, stranger FROM record WHERE identity = ? "
            "ORDER BY job_id"
        )
        wanted = self._read("SELECT name, revision, form FROM wanted WHERE identity = ?")
        cancels = self._read(
            "SELECT job_id, reason, counts, confirmed, next_at, given_up, sent_at FROM cancel WHERE identity = ?"
        )
        refusals = self._read("SELECT name, revision, message, next_at FROM refusal WHERE identity = ?")
        declared = self._read("SELECT name, path, orphan FROM manifest WHERE identity = ?")
        # Only a fleet of which nothing is known may be one that was renamed.
        neighbours = [] if records else self._neighbours()
        echoes = self._echoes()
        in_force = {
            name: Rejection(revision, message)
            for name, revision, message, next_at in refusals
            if (_lasts(next_at, now) if every_backoff else name in self._fresh_refusals)
        }
        return Memory(
            known=self.known,
            intents={row[0]: Intent(*row) for row in intents},
            records={
                job_id: Record(job_id, name, revision, attempt, bool(live), bool(before), bool(stranger))
                for job_id, name, revision, attempt, live, before, stranger in records
            },
            wanted={(name, revision): json.loads(form) if form else None for name, revision, form in wanted},
            cancels={
                job_id: OwnCancel(
                    reason,
                    counts=bool(counts),
                    waiting=not confirmed
                    and (_lasts(next_at, now) if every_backoff else job_id in self._fresh_cancels),
                    left=bool(given_up),
                    confirmed=bool(confirmed),
                    sent_at=sent_at,
                )
                for job_id, reason, counts, confirmed, next_at, given_up, sent_at in cancels
            },
            rejected={name: rejection for name, rejection in in_force.items() if name},
            refused=in_force[""].message if "" in in_force else "",
            echoes=None if echoes is None else echoes == _MARKS_RETURNED,
            seeds=echoes == _SEEDS_RETURNED,
            gone=frozenset(name for name, path, _ in declared if not path),
            orphans={name: bool(orphan) for name, _, orphan in declared},
            neighbours=dict(neighbours),
        )

    def _neighbours(self) -> list[Any]:
        return self._read(
            "SELECT fleet, COUNT(*) FROM identity JOIN record ON record.identity = id "
            "WHERE id != ? AND base_url = ? AND live GROUP BY fleet ORDER BY fleet",
            self._base_url,
        )

    def _echoes(self) -> int | None:
        return next((value for (value,) in self._read("SELECT echoes FROM identity WHERE id = ?")), None)

    # ── writing: each call is durable when it returns ──

    def want(
        self, desired: Mapping[str, Desired], origin: str = "", *, confirmed: Callable[[], bool] = lambda: True
    ) -> int | None:
        """Remember that ``origin`` asks for these now; the turn up to which this run knows what is wanted.

        None, and nothing is remembered, where it is something new and not ``confirmed``: half of an edit, read
        once, was never anybody's wish. A turn counts the times that a name was given another revision, by
        whichever run. ``origin`` tells one checkout from another.
        """
        told = self._read("SELECT name, revision, form IS NOT NULL, turn FROM wanted WHERE identity = ?")
        latest: dict[str, tuple[int, str]] = {}
        for name, revision, read, turn in told:
            if read:
                latest[name] = max(latest.get(name, (-1, "")), (turn, revision))
        turn = max((at for at, _ in latest.values()), default=0)
        new = [d for d in desired.values() if latest.get(d.name, (-1, ""))[1] != d.revision]
        if new and not confirmed():
            return None
        self._write(
            "INSERT OR REPLACE INTO wanted (identity, name, revision, form, turn, origin) VALUES (?, ?, ?, ?, ?, ?)",
            [(self._id, d.name, d.revision, json.dumps(d.form), turn + 1, origin) for d in new],
        )
        return turn + bool(new)

    def overtaken(self, turn: int, origin: str) -> frozenset[str]:
        """Names that a run over another checkout has given another revision since."""
        told = self._read("SELECT name FROM wanted WHERE identity = ? AND turn > ? AND origin != ?", turn, origin)
        return frozenset(name for (name,) in told)

    def begin(self, listed: Iterable[Record] = ()) -> None:
        """A run without memory has found nothing to do: what it read, and saw ``listed``, is the next run's memory."""
        if not self._begun:
            with self._transaction():
                self._count_as_wanted(listed)
                self._db.execute("UPDATE identity SET begun = 1 WHERE id = ?", (self._id,))
            self._begun = True

    def arrive(self, listed: Iterable[Record] = ()) -> None:
        """This machine has waited out the settle window: the next run here need not.

        ``listed`` are jobs that a run without memory saw; their specs count as once wanted here.
        """
        if self.moved or not self.settled:
            with self._transaction():
                self._count_as_wanted(listed)
                self._db.execute("UPDATE identity SET settled = 1 WHERE id = ?", (self._id,))
            # From here on this very file is the journal, whatever it was a copy of.
            self._renew_seal()

    def _count_as_wanted(self, listed: Iterable[Record]) -> None:
        rows = [(self._id, r.name, r.revision) for r in listed]
        self._db.executemany("INSERT OR IGNORE INTO wanted (identity, name, revision) VALUES (?, ?, ?)", rows)

    def pending_cancels(self) -> frozenset[tuple[str, int]]:
        """Cancels that were recorded and have not been seen to take, by job id and number of tries."""
        told = self._read("SELECT job_id, tries FROM cancel WHERE identity = ? AND confirmed = 0 AND counts = 1")
        return frozenset((job_id, tries) for job_id, tries in told)

    def observe(self, listed: Iterable[Record], *, void: frozenset[str] = frozenset()) -> None:
        """Record each job of ours as it is now; a job that has ended confirms its recorded cancel.

        ``void`` are live jobs whose recorded cancel did not take.
        """
        told = self._read("SELECT job_id, name, revision, attempt, live, stranger FROM record WHERE identity = ?")
        before = {row[0]: tuple(row[1:]) for row in told}
        known = list(listed)
        self._write(
            "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (identity, job_id) DO UPDATE SET "
            "name = excluded.name, revision = excluded.revision, attempt = excluded.attempt, live = excluded.live, "
            "stranger = stranger AND excluded.stranger",
            [
                (*key, r.attempt, r.live, r.ended_before, r.stranger)
                for r in known
                if (key := (self._id, r.job_id, r.name, r.revision))
                and not _same(before.get(r.job_id), (r.name, r.revision, r.attempt, int(r.live)), stranger=r.stranger)
            ],
        )
        recorded = {job_id for job_id, _ in self.pending_cancels()}
        statement = "UPDATE cancel SET counts = 0 WHERE identity = ? AND job_id = ?"
        self._write(statement, [(self._id, job_id) for job_id in sorted(recorded & void)])
        self._write(
            "UPDATE cancel SET confirmed = 1 WHERE identity = ? AND job_id = ?",
            [(self._id, r.job_id) for r in known if not r.live and r.job_id in recorded],
        )

    def intend(self, intent: Intent) -> None:
        """Record a create before its first byte leaves."""
        token = secrets.token_hex(8)
        row = (self._id, intent.name, intent.revision, intent.attempt, intent.seed, token)
        self._write("INSERT OR REPLACE INTO intent VALUES (?, ?, ?, ?, ?, ?)", [row])

    def drop_intent(self, name: str) -> None:
        """The create did not happen, or its job is known by now."""
        self._write("DELETE FROM intent WHERE identity = ? AND name = ?", [(self._id, name)])

    def bind(self, record: Record) -> None:
        """A create was answered: the job is known from here on, and its intent is settled."""
        row = (self._id, record.job_id, record.name, record.revision, record.attempt, record.live, False)
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?, ?, ?, 0)", row)
            self._db.execute("DELETE FROM intent WHERE identity = ? AND name = ?", (self._id, record.name))
            self._db.execute("DELETE FROM refusal WHERE identity = ? AND name IN (?, '')", (self._id, record.name))

    def learn_echo(self, *, echoes: bool, seeds: bool = False) -> None:
        """Whether our marks came back, or else the seed. Once seen it stays: one lost pair proves nothing."""
        known = self._echoes()
        seen = _MARKS_RETURNED if echoes else _SEEDS_RETURNED if seeds else _NOTHING_RETURNED
        if _STRONGER.index(seen) > _STRONGER.index(known):
            self._write("UPDATE identity SET echoes = ? WHERE id = ?", [(seen, self._id)])

    def refuse(self, name: str, revision: str, message: str, *, at_least: float = 0.0) -> None:
        """Row 14: a create was refused ("" as the name: every create is); the back-off grows.

        ``at_least``: seconds that the server asked for.
        """
        told = self._read("SELECT tries FROM refusal WHERE identity = ? AND name = ? AND revision = ?", name, revision)
        tries = (told[0][0] if told else 0) + 1
        row = (
            self._id,
            name,
            revision,
            message,
            tries,
            int(self._now() + max(_REFUSED.wait(tries), min(at_least, _REFUSED.last))),
        )
        self._write("INSERT OR REPLACE INTO refusal VALUES (?, ?, ?, ?, ?, ?)", [row])
        self._fresh_refusals.add(name)

    def record_cancel(self, job_id: str, reason: str) -> None:
        """Record a cancel before it is sent; it is tried again soon, unless `postpone_cancel` says otherwise."""
        told = self._read("SELECT tries, counts, slow FROM cancel WHERE identity = ? AND job_id = ?", job_id)
        before, self._counted[job_id], slow = told[0] if told else (0, 0, 0)
        now = self._now()
        row = (self._id, job_id, reason, before + 1, math.ceil(now + _LOST.wait(before + 1 - slow)), slow, int(now))
        self._write(
            "INSERT OR REPLACE INTO cancel (identity, job_id, reason, tries, next_at, slow, sent_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [row],
        )
        self._fresh_cancels.add(job_id)

    def postpone_cancel(self, job_id: str, *, at_least: float = 0.0, in_minutes: bool) -> None:
        """The next try comes no sooner than ``at_least`` seconds from now; ``in_minutes``: in 1, 2, 4 … 60 of them."""
        ((slow, next_at),) = self._read("SELECT slow, next_at FROM cancel WHERE identity = ? AND job_id = ?", job_id)
        slow += in_minutes
        wait = max(min(at_least, _REFUSED.last), _REFUSED.wait(slow) if in_minutes else 0)
        row = (slow, max(next_at, math.ceil(self._now() + wait)), self._id, job_id)
        self._write("UPDATE cancel SET slow = ?, next_at = ? WHERE identity = ? AND job_id = ?", [row])

    def confirm_cancel(self, job_id: str) -> None:
        """The job was read back and has ended by our cancel."""
        self._write("UPDATE cancel SET confirmed = 1 WHERE identity = ? AND job_id = ?", [(self._id, job_id)])

    def disown_cancel(self, job_id: str) -> None:
        """It was not sent, or was refused, so it ended nothing; but an earlier try may yet take effect."""
        statement = "UPDATE cancel SET counts = ? WHERE identity = ? AND job_id = ?"
        self._write(statement, [(self._counted[job_id], self._id, job_id)])

    def void_cancel(self, job_id: str) -> None:
        """The job had ended by itself: it was not cancelled by us."""
        statement = "UPDATE cancel SET counts = 0, confirmed = 1 WHERE identity = ? AND job_id = ?"
        self._write(statement, [(self._id, job_id)])

    def forget(self, name: str, missing: frozenset[str], *, intents: bool) -> tuple[str, ...]:
        """Drop what `reconciler forget` may drop of a name; says each thing that was dropped.

        ``missing``: job ids that the provider answers with 404. ``intents``: a create with an unknown
        outcome may be dropped too, because no listing of this provider will ever resolve it.
        """
        told = self._read("SELECT job_id FROM record WHERE identity = ? AND name = ?", name)
        records = {job_id for (job_id,) in told}
        gone = sorted(records & missing)
        told = self._read("SELECT job_id FROM cancel WHERE identity = ? AND confirmed = 0 AND given_up = 0")
        stuck = sorted(records & {job_id for (job_id,) in told} - set(gone))
        lost = self._read("SELECT attempt FROM intent WHERE identity = ? AND name = ?", name) if intents else []
        self._write("DELETE FROM record WHERE identity = ? AND job_id = ?", [(self._id, j) for j in gone])
        statement = "UPDATE cancel SET given_up = 1, counts = 0 WHERE identity = ? AND job_id = ?"
        self._write(statement, [(self._id, j) for j in stuck])
        if lost:
            self.drop_intent(name)
        return (
            *(f"forgotten: the record of job {j}, which the provider no longer knows" for j in gone),
            *(
                f"forgotten: the cancel of job {j}, which does not take; the job is left alone from here on"
                for j in stuck
            ),
            *(f"forgotten: the unresolved create of attempt {attempt}" for (attempt,) in lost),
        )

    # ── where names were last seen, what was told, what comes next ──

    def declared(self) -> dict[str, str]:
        """The file in which each name was last seen, valid; names that are gone are not among them."""
        return dict(self._read("SELECT name, path FROM manifest WHERE identity = ? AND path != ''"))

    def live_names(self) -> set[str]:
        """Names with recorded jobs that were live when last seen."""
        return {name for (name,) in self._read("SELECT name FROM record WHERE identity = ? AND live")}

    def declare(self, desired: Mapping[str, Desired], *, whole: bool, kept: Container[str] = ()) -> None:
        """Remember where each name stands; a ``whole`` reading also says which are gone, but for those ``kept``."""
        told = self._read("SELECT name, path, revision, orphan FROM manifest WHERE identity = ?")
        before = {row[0]: tuple(row[1:]) for row in told}
        new = [
            (self._id, d.name, d.path, d.revision, int(d.policy.on_remove is OnRemove.ORPHAN)) for d in desired.values()
        ]
        self._write(
            "INSERT OR REPLACE INTO manifest VALUES (?, ?, ?, ?, ?)",
            [row for row in new if before.get(row[1]) != row[2:]],
        )
        missing = [name for name, (path, *_) in before.items() if path and name not in desired] if whole else []
        gone = [name for name in missing if name not in kept]
        statement = "UPDATE manifest SET path = '' WHERE identity = ? AND name = ?"
        self._write(statement, [(self._id, name) for name in gone])

    def seen_events(self) -> dict[str, tuple[str, ...]]:
        """By followed job: the ids of its newest events that were logged, the newest first."""
        told = self._read("SELECT job_id, seen FROM event WHERE identity = ?")
        return {job_id: tuple(json.loads(seen)) for job_id, seen in told}

    def see_events(self, seen: Mapping[str, Sequence[str]], *, forget: Iterable[str] = ()) -> None:
        """These events of these jobs are in the log, and nothing more is to come of those to ``forget``."""
        rows = [(self._id, job_id, json.dumps(list(ids))) for job_id, ids in seen.items()]
        self._write("INSERT OR REPLACE INTO event VALUES (?, ?, ?)", rows)
        self._write("DELETE FROM event WHERE identity = ? AND job_id = ?", [(self._id, job_id) for job_id in forget])

    def next_try(self) -> float | None:
        """When (Unix time) the next back-off ends; None where none is under way."""
        ends = [
            *self._read("SELECT next_at FROM refusal WHERE identity = ?"),
            *self._read("SELECT next_at FROM cancel WHERE identity = ? AND confirmed = 0 AND given_up = 0"),
        ]
        now = self._now()
        return min((end for (end,) in ends if _lasts(end, now)), default=None)

    # ── SQLite ──

    def _read(self, query: str, *values: object) -> list[Any]:
        """Rows of one query whose first parameter is this identity."""
        with self._guard():
            return self._db.execute(query, (self._id, *values)).fetchall()

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        self._check_writable()
        if rows:
            with self._transaction():
                self._db.executemany(statement, rows)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """On disk, whole or not at all, when it ends."""
        self.check_place()
        with self._guard():
            sealed = self._sealed or self._seal.whole(patient=False)
            with self._db:
                number = self._next_write()
                yield
        self._writes = number
        if sealed:
            self._renew_seal()

    def _renew_seal(self) -> None:
        """What was written is on disk; a seal that cannot follow costs the next run a wait."""
        try:
            self._seal.renew()
        except OSError:
            self._sealed = False
        else:
            self._sealed = True

    def _next_write(self) -> int:
        """Each write has a number; one that was given before is in an older copy, put in the place of ours.

        The update comes first: from then on no other run writes until this transaction ends.
        """
        self._db.execute("UPDATE identity SET writes = writes + 1 WHERE id = ?", (self._id,))
        told = self._read("SELECT writes FROM identity WHERE id = ?")
        number: int = told[0][0] if told else 0
        if number <= self._writes:
            raise self._replaced()
        return number

    def _check_writable(self) -> None:
        if self._read_only:
            raise JournalError(f"{self._path}: this run was opened for reading only")

    def check_place(self) -> None:
        """The file must still be the one that was opened: a write into a deleted one would be lost.

        Raises:
            StateReplaced: it is not.
            JournalError: nobody can tell, or it was opened for reading only.
        """
        self._check_writable()
        with self._guard():
            now = file_of(self._path)
        if now != self._opened:
            raise self._replaced()

    def _replaced(self) -> StateReplaced:
        return StateReplaced(f"{self._path}: the state directory was replaced while it was in use; nothing was written")

    def _guard(self) -> AbstractContextManager[None]:
        return named(self._path)


def _same(before: tuple[object, ...] | None, now: tuple[object, ...], *, stranger: bool) -> bool:
    """Whether a recorded job is as it was; once it is no stranger it never becomes one."""
    return before is not None and before[:-1] == now and (stranger or not before[-1])
