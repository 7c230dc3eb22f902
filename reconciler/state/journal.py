"""Durable memory: what was wanted, sent, seen and cancelled, for each provider identity.

SQLite, opened by `opening`. The modules of `engine` write to it, and `cli.probing` what a probe has shown. Every change
is on disk before the call returns (`synchronous=EXTRA`), because a POST follows. Where the provider returns our marks,
losing the whole file costs waiting, never a job: they are the record.

Tables `identity`, `intent` and `record` are the journal's own; the others belong to its parts. Times in here are
Unix seconds; they only ever delay, or are shown; they never prove anything.
"""

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator
from sqlite3 import Row
from types import TracebackType
from typing import Self

from msgspec.structs import replace

from reconciler.core.memory import Intent, Memory, Record
from reconciler.state.backoffs import Cancels, Refusals, lasts
from reconciler.state.events import Events
from reconciler.state.fence import Fence
from reconciler.state.pauses import Pauses
from reconciler.state.records import Records
from reconciler.state.rows import Rows, Statement, put
from reconciler.state.uploads import UploadRecords
from reconciler.state.wanted import Manifests, WantedForms

# What the provider has been seen to return, in the column `identity.echoes`: our marks, or else file and seed.
_MARKS_RETURNED = 1
_RETURNED = {(False, False): 0, (False, True): 2, (True, False): 3, (True, True): 4}
_LESS: dict[int | None, tuple[bool, bool]] = {number: less for less, number in _RETURNED.items()}


class Journal:
    """An open journal for one identity. Use `open_journal`; close it, or use it as a context.

    Each write is durable when its call returns. Whatever would write raises JournalError in one that was opened for
    reading only, StateReplaced where its file is another one by now, and JournalError where the disk fails; then
    nothing was written.
    """

    def __init__(self, fence: Fence, *, now: Callable[[], float]) -> None:
        """``now``: Unix seconds."""
        self.fence = fence
        rows = Rows(fence)
        self.records = Records(rows, fence.identity)
        self.wanted = WantedForms(rows)
        self.manifests = Manifests(rows)
        self.refusals = Refusals(rows, now)
        self.cancels = Cancels(rows, now)
        self.pauses = Pauses(rows, now)
        self.events = Events(rows)
        self.uploads = UploadRecords(rows)
        self._rows = rows
        self._now = now
        self._begun = fence.entry.begun or fence.entry.settled
        self.inherited = self._begun  # False for the whole of a run that began without memory
        self.settled = fence.entry.settled  # False: no run here has waited out a settle window yet
        self.moved = self.settled and not fence.sealed  # a copy: wait before the first write

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.fence.connection.close()

    def memory(self, *, every_backoff: bool = False) -> Memory:
        """What the decision may know. ``every_backoff``: also those that `apply` ignores once."""
        return self._rows.together(lambda: self._memory(every_backoff=every_backoff))

    def _memory(self, *, every_backoff: bool) -> Memory:
        lasting, timed = self._rows.once(self._lasting)
        if not timed:
            return lasting
        rejected = self.refusals.in_force(every_backoff=every_backoff)
        none_at_all = rejected.pop("", None)
        return replace(
            lasting,
            cancels=self.cancels.recorded(every_backoff=every_backoff),
            pauses=self.pauses.recorded(every_backoff=every_backoff),
            can_pause=self.pauses.able(),
            rejected=rejected,
            refused=none_at_all.message if none_at_all else "",
        )

    def _lasting(self) -> tuple[Memory, bool]:
        """The part of it that no clock changes; and whether there is another."""
        # Before the records: a create whose answer another run records between the two is seen twice, not missed.
        intents = self._rows.once(self._intents)
        records = self.records.by_id()
        last_seen = self.manifests.last_seen()
        shown = self._rows.once(self._shown)
        echoes = shown["echoes"] if shown else None
        files, seeds = _LESS.get(echoes, (False, False))
        memory = Memory(
            inherited=self.inherited,
            intents=intents,
            records=records,
            wanted=self._rows.once(self.wanted.forms),
            refusals=self.refusals.known(),
            echoes=None if echoes is None else echoes == _MARKS_RETURNED,
            files=files,
            seeds=seeds,
            gone=frozenset(name for name, manifest in last_seen.items() if not manifest.path),
            orphans={name: manifest.orphan for name, manifest in last_seen.items()},
            # Only a fleet of which nothing is known may be one that was renamed.
            neighbours={} if records else self._rows.once(self.records.neighbours),
            others=frozenset() if echoes == _MARKS_RETURNED else self._rows.once(self.records.others),
            elsewhere=self._rows.once(self.records.elsewhere),
            lacks=frozenset(shown["lacks"].split() if shown else ()),
        )
        return memory, any(part.any_timed() for part in (self.refusals, self.cancels, self.pauses))

    @property
    def number(self) -> int:
        """The same as long as nobody has written what a `Memory` holds: events that this run logged do not count."""
        return self.fence.latest_write() - self.events.written

    def next_try(self) -> float | None:
        """When (Unix time) the next back-off ends; None where none is under way."""
        now, ends = self._now(), self._rows.once(self._backoff_ends)
        return min((end for end in ends if lasts(end, now)), default=None)

    def _backoff_ends(self) -> tuple[int, ...]:
        return (*self.refusals.ends(), *self.cancels.outstanding().values(), *self.pauses.ends())

    def _intents(self) -> dict[str, Intent]:
        query = "SELECT name, revision, attempt, seed, filed, answer, token FROM intent WHERE identity = :identity"
        return {row["name"]: Intent(**{**dict(row), "filed": bool(row["filed"])}) for row in self._rows.read(query)}

    def _shown(self) -> Row | None:
        """What this server has been seen to do; None in a journal that nobody has made yet."""
        return next(iter(self._rows.read("SELECT echoes, lacks FROM identity WHERE id = :identity")), None)

    def mark_begun(self, listed: Iterable[Record] = ()) -> None:
        """A run without memory has found nothing to do: what it read, and saw ``listed``, is the next run's memory."""
        if not self._begun:
            self._rows.write(self.wanted.as_once_wanted(listed), _own("begun = 1"))
            self._begun = True

    def mark_settled(self, listed: Iterable[Record] = ()) -> None:
        """This machine has waited out the settle window: the next run here need not.

        ``listed`` are jobs that a run without memory saw; their specs count as once wanted here.
        """
        if self.moved or not self.settled:
            self._rows.write(self.wanted.as_once_wanted(listed), _own("settled = 1"))
            # From here on this very file is the journal, whatever it was a copy of.
            self.fence.renew_seal()

    def record_seen(self, listed: Iterable[Record], *, void: frozenset[str] = frozenset()) -> None:
        """Record each job of ours as it is now; a job that has ended confirms its recorded cancel.

        ``void`` are live jobs whose recorded cancel did not take.
        """
        before = self.records.by_id()
        recorded = {job_id for job_id, _ in self.cancels.pending()}
        changed: list[Record] = []
        confirmed: list[str] = []
        for job in listed:
            if not _same(before.get(job.job_id), job):
                changed.append(job)
            if not job.live and job.job_id in recorded:
                confirmed.append(job.job_id)
        self._rows.write(put("record", changed, _AS_SEEN_LAST))
        self.cancels.mark_void(*sorted(recorded & void))
        self.cancels.mark_confirmed(*confirmed)

    def record_intent(self, intent: Intent) -> str:
        """Record a create before its first byte leaves; the token by which this very one is known again."""
        token = os.urandom(8).hex()
        self._rows.write(put("intent", [dataclasses.asdict(dataclasses.replace(intent, token=token))]))
        return token

    def record_answer(self, name: str, answer: str) -> None:
        """The server was in trouble and said so (5xx): whether it created the job, its listing tells."""
        statement = "UPDATE intent SET answer = :answer WHERE identity = :identity AND name = :name"
        self._rows.write((statement, [{"name": name, "answer": answer}]))

    def drop_intent(self, name: str, *, created: bool | None = None) -> None:
        """The create was not sent or was refused; or (``created``) looking has told what became of it."""
        lost = self._intents().get(name)
        after: tuple[Statement, ...] = ()
        if created:
            after = self.refusals.over(name)
        elif created is False and lost is not None:
            after = self.refusals.unmade(lost)
        self._rows.write(_intent_dropped(name), *after)

    def record_job(self, job: Record) -> None:
        """A create was answered: the job is known from here on, its intent is over, and so are refusals."""
        made_here = replace(job, ended_before=False, stranger=False)
        self._rows.write(put("record", [made_here]), _intent_dropped(job.name), *self.refusals.over(job.name))

    def record_echo(self, *, echoes: bool, files: bool = False, seeds: bool = False) -> None:
        """Whether our marks came back, or else file or seed. Once seen it stays: one lost pair proves nothing."""
        shown = self._rows.once(self._shown)
        before = shown["echoes"] if shown else None
        had_files, had_seeds = _LESS.get(before, (False, False))
        less = _RETURNED[files or had_files, seeds or had_seeds]
        seen = _MARKS_RETURNED if echoes or before == _MARKS_RETURNED else less
        if seen != before:
            self._rows.write(_own("echoes = :echoes", echoes=seen))

    def record_route(self, what: str, *, there: bool) -> None:
        """Whether this server has a route at all, as it was seen last."""
        before = self.memory().lacks
        lacks = before - {what} if there else before | {what}
        if lacks != before:
            self._rows.write(_own("lacks = :lacks", lacks=" ".join(sorted(lacks))))

    def forget(self, name: str, missing: frozenset[str], *, intents: bool) -> tuple[str, ...]:
        """Drop what `reconciler forget` may drop of a name; says each thing that was dropped.

        ``missing``: job ids that the provider answers with 404. ``intents``: a create with an unknown
        outcome may be dropped too, because no listing of this provider will ever resolve it.
        """
        recorded = {job.job_id for job in self.records.by_id().values() if job.name == name}
        gone = sorted(recorded & missing)
        stuck = sorted(recorded & self.cancels.outstanding().keys() - missing)
        lost = self._intents().get(name) if intents else None
        statement = "DELETE FROM record WHERE identity = :identity AND job_id = :job_id"
        self._rows.write((statement, [{"job_id": job_id} for job_id in gone]))
        self.cancels.mark_given_up(*stuck)
        if lost is not None:
            self.drop_intent(name)
        return tuple(f"forgotten: {what}" for what in _forgotten(gone, stuck, lost))


# A job that is recorded keeps how this journal began with it; once it is no stranger it never becomes one.
_AS_SEEN_LAST = """
ON CONFLICT (identity, job_id) DO UPDATE SET name = excluded.name, revision = excluded.revision,
attempt = excluded.attempt, live = excluded.live, stranger = stranger AND excluded.stranger
"""


def _same(before: Record | None, now: Record) -> bool:
    """Whether a recorded job is as it was, in what `_AS_SEEN_LAST` would change."""
    return (
        before is not None
        and (before.name, before.revision, before.attempt, before.live)
        == (now.name, now.revision, now.attempt, now.live)
        and (now.stranger or not before.stranger)
    )


def _own(columns: str, **values: object) -> Statement:
    """A change of this identity's own row."""
    return f"UPDATE identity SET {columns} WHERE id = :identity", [values]  # noqa: S608 - constants


def _intent_dropped(name: str) -> Statement:
    return "DELETE FROM intent WHERE identity = :identity AND name = :name", [{"name": name}]


def _forgotten(gone: Iterable[str], stuck: Iterable[str], lost: Intent | None) -> Iterator[str]:
    yield from (f"the record of job {job_id}, which the provider no longer knows" for job_id in gone)
    yield from (
        f"the cancel of job {job_id}, which does not take; the job is left alone from here on" for job_id in stuck
    )
    if lost is not None:
        yield f"the unresolved create of attempt {lost.attempt}"
