"""Following live jobs: their new events into the log, their progress into the report.

`publish` calls `Follower.follow` once a pass of a daemon. At the provider it only reads, in the journal it writes which
events are logged. A job whose events cannot be read is read again at a later pass, and delays nobody.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.core.job import Checkpoint, Event, Job
from reconciler.core.memory import CHECKPOINTS, EVENTS
from reconciler.core.reminders import Reminders
from reconciler.core.schedule import Backoff
from reconciler.core.status import Progress
from reconciler.errors import ProviderError, escaped
from reconciler.log import Log
from reconciler.provider.port import Provider
from reconciler.state.journal import Journal

if TYPE_CHECKING:
    from concurrent.futures import Executor

# One page of events that holds a known one tells all the new ones, if more than a page is remembered.
_PAGE = 100
_REMEMBERED = 2 * _PAGE

# Events that a look at one job reads: enough to find the last step, and how fast steps are.
_LOOK = 20

# Passes that leave out a job whose events could not be read.
_LEFT_OUT = Backoff(first=1, last=32)

# The answers of a server that has no such route: said once a server, as nothing there will change.
NO_ROUTE = frozenset({404, 405, 501})

# How servers spell the level of an event; any other word is information.
_ERRORS = frozenset({"error", "critical", "fatal"})
_WARNINGS = frozenset({"warn", "warning"})

_T = TypeVar("_T")
_R = TypeVar("_R")


class Fan(Protocol):
    """`map` over a bounded pool; the results in the order of the arguments."""

    def __call__(self, work: Callable[[_T], _R], items: Iterable[_T], /) -> Sequence[_R]:
        """Call ``work`` for every item."""
        ...


def in_turn(work: Callable[[_T], _R], items: Iterable[_T], /) -> Sequence[_R]:
    """The `Fan` without a pool."""
    return [work(item) for item in items]


def over(pool: "Executor") -> Fan:
    """The `Fan` over the threads of a pool."""

    def fan(work: Callable[[_T], _R], items: Iterable[_T], /) -> Sequence[_R]:
        return list(pool.map(work, items))

    return fan


class Followed(Struct, frozen=True):
    """What was read of one job; ``ids`` are its newest events, to be known at the next pass."""

    job_id: str
    fresh: tuple[Event, ...] = ()
    ids: tuple[str, ...] = ()
    progress: Progress | None = None
    checkpoints: tuple[Checkpoint, ...] | None = None
    error: ProviderError | None = None

    @property
    def routeless(self) -> bool:
        """Whether its server has no events, as far as this job tells."""
        return self.error is not None and self.error.status in NO_ROUTE

    @property
    def tells(self) -> bool:
        """Whether a status may say something else now."""
        return self.progress is not None or self.checkpoints is not None


class _Trouble(Struct):
    """A job whose events cannot be read: since when and how often, and how many passes are left out now."""

    reminders: Reminders = field(default_factory=Reminders)
    skip: int = 0


class Follower(Struct, frozen=True):
    """Follows jobs over ``fan``. One that cannot be read is asked again after 1, 2, 4 … 32 passes."""

    provider: Provider
    journal: Journal
    fan: Fan
    _troubles: dict[str, _Trouble] = field(default_factory=dict)

    def follow(self, jobs: Mapping[str, tuple[str, Job]], log: Log, now: float) -> tuple[Followed, ...]:
        """Read the events of every live job, and of each that has ended since, and log each new one once.

        ``jobs`` are name and job by id, ``now`` is monotonic seconds. An event is in the log before the journal says
        so: a crash between the two repeats it, and loses none. A job that has ended is followed until its last events
        were read.
        """
        seen = self.journal.events.logged()
        for job_id in self._troubles.keys() - jobs.keys():
            del self._troubles[job_id]
        followed = sorted(job_id for job_id, (_, job) in jobs.items() if job.live or job_id in seen)
        lacks = self.journal.memory().lacks
        if EVENTS in lacks:
            followed = followed[:1]  # one is asked for all of them, now and then: a server may learn it
        wanted = [job_id for job_id in followed if self._is_due(job_id)]
        kept = CHECKPOINTS not in lacks
        found = tuple(
            self.fan(lambda job_id: self._read(jobs[job_id][1], seen.get(job_id, ()), checkpoints=kept), wanted)
        )
        none_at_all = bool(found) and all(one.routeless for one in found)
        if none_at_all and EVENTS not in lacks:
            log.info(
                "events.unavailable", error=str(found[0].error), http_status=found[0].error and found[0].error.status
            )
        if found:
            self.journal.record_route(EVENTS, there=not none_at_all)
        for one in found:
            job_log = log.bind(job=jobs[one.job_id][0], job_id=one.job_id)
            self._note(one, job_log, now, quiet=none_at_all)
            for event in reversed(one.fresh):
                _level(event, job_log)("job.event", **_facts(event))
        over = {one.job_id for one in found if one.error is None and not jobs[one.job_id][1].live}
        self.journal.events.record_logged(
            {one.job_id: one.ids for one in found if one.ids != seen.get(one.job_id) and one.job_id not in over},
            ended=over | (seen.keys() - jobs.keys()),
        )
        return found

    def _is_due(self, job_id: str) -> bool:
        trouble = self._troubles.get(job_id)
        if trouble is None or trouble.skip == 0:
            return True
        trouble.skip -= 1
        return False

    def _note(self, one: Followed, log: Log, now: float, *, quiet: bool) -> None:
        """One bad job must not delay the others at every pass, nor fill the log."""
        if one.error is None:
            self._troubles.pop(one.job_id, None)
            return
        trouble = self._troubles.setdefault(one.job_id, _Trouble())
        trouble.reminders = reminders = trouble.reminders.met({"events": str(one.error)}, now)
        tries = reminders.lasting["events"].times
        if reminders.said and not quiet and (tries == 1 or not one.routeless):
            log.info(
                "events.unavailable", error=str(one.error), http_status=one.error.status, **reminders.facts("events")
            )
        trouble.skip = int(_LEFT_OUT.wait(tries))

    def _read(self, job: Job, seen: Sequence[str], *, checkpoints: bool) -> Followed:
        known = frozenset(seen)
        try:
            events = self._new_events(job.id, known)
            fresh = _fresh(events, known)
        except ProviderError as error:
            return Followed(job.id, ids=tuple(seen), error=error)
        ids = tuple(dict.fromkeys([*(event.id for event in events), *seen]))[:_REMEMBERED]
        told = self._checkpoints(job.id) if checkpoints and (fresh or not job.live) else None
        return Followed(job.id, fresh, ids, progress_of(fresh), told)

    def _checkpoints(self, job_id: str) -> tuple[Checkpoint, ...] | None:
        """None on a server that has none: events are worth telling all the same."""
        try:
            return self.provider.list_checkpoints(job_id)
        except ProviderError:
            return None

    def _new_events(self, job_id: str, known: frozenset[str]) -> tuple[Event, ...]:
        """The newest first, as far back as anything can be new."""
        page = self.provider.list_events(job_id, limit=_PAGE)
        if any(event.id in known for event in page) or (not known and len(page) < _PAGE):
            return page
        return self.provider.list_events(job_id)


def _fresh(events: Sequence[Event], known: frozenset[str]) -> tuple[Event, ...]:
    """The unknown among those (the newest first) that stand before the oldest known one."""
    oldest = max((at for at, event in enumerate(events) if event.id in known), default=len(events))
    return tuple(event for event in events[:oldest] if event.id not in known)


def progress_of(events: Sequence[Event]) -> Progress | None:
    """The latest step and losses that these events (the newest first) tell; None where they tell none."""
    measured = next((event.metrics for event in events if "step" in event.metrics), None)
    if measured is None:
        return None
    losses = {key: measured[key] for key in ("train_loss", "valid_loss") if key in measured}
    total = measured.get("total_steps")
    return Progress(int(measured["step"]), None if total is None else int(total), losses)


def progress_at(provider: Provider, job_ids: Iterable[str], fan: Fan) -> dict[str, Progress]:
    """How far each job has come, as its newest events say; for whoever looks once, as `status` does.

    A job whose events cannot be read, or tell no step, is left out.
    """

    def read(job_id: str) -> tuple[str, Progress | None]:
        try:
            events = provider.list_events(job_id, limit=_LOOK)
        except ProviderError:
            return job_id, None
        progress = progress_of(events)
        return job_id, progress and replace(progress, pace=_pace(events))

    return {job_id: progress for job_id, progress in fan(read, job_ids) if progress is not None}


def _pace(events: Sequence[Event]) -> float | None:
    """Seconds a step, between the first and the last of these events that tell a step."""
    steps = [(event.created_at, event.metrics["step"]) for event in events if "step" in event.metrics]
    (end, last), (start, first) = steps[0], steps[-1]
    return (end - start) / (last - first) if last > first and end > start else None


def _level(event: Event, log: Log) -> Callable[..., Any]:
    """How loud it is: what only repeats a step of training is for who debugs, the rest as the provider says."""
    word = event.level.casefold()
    if word in _ERRORS:
        return log.error
    if word in _WARNINGS:
        return log.warning
    repeats_a_step = event.type == "metrics" or "step" in event.metrics
    return log.debug if repeats_a_step else log.info


def _facts(event: Event) -> Mapping[str, object]:
    return {
        "event_id": event.id,
        "event_at": event.created_at,
        "event_level": event.level,
        "event_type": event.type,
        "message": escaped(event.message),
        **({"metrics": dict(event.metrics)} if event.metrics else {}),
    }
