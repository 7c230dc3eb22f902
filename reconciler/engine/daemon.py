"""When to run a pass: for ever, at every change, at the interval, and when the last pass asked for one.

`cli` runs a `Daemon` until it is stopped or its fleet is another one. Passes never overlap and events
coalesce: an event and a timer both only mean "look". What a pass may believe is in `evidence`, what it
does in `reconcile`; in here is the clockwork, and the only broad `except` of the program.
"""

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from reconciler.core.desired import Fleet
from reconciler.core.evidence import Evidence
from reconciler.core.gates import Permission
from reconciler.core.reminders import Reminders
from reconciler.core.schedule import ASKED_LAST, Backoff, Due, Next
from reconciler.core.snapshot import Problem, Snapshot
from reconciler.engine.reconcile import Reconciler
from reconciler.engine.steps import Pass
from reconciler.engine.wakeups import Wakeups
from reconciler.errors import ProviderError, ReconcilerError, StateReplaced, Stopped
from reconciler.log import Log
from reconciler.provider.request import RequestRecord

# A failing pass is tried again after a random part of 1, 2, 4 … 300 seconds (full jitter).
_FAILING = Backoff(first=1, last=300)
# However long nothing is to be done, the loop turns this often: a sign of life, and a look at the files.
_HEARTBEAT = 30.0
# The interval varies by this share either way, so that many daemons do not ask in step.
_JITTER = 0.1


class Pace(Struct, frozen=True):
    """How often and how patiently; all in seconds. ``poll`` None: rely on file events and the interval."""

    interval: float = 60.0
    stability: float = 1.0
    absence: float = 10.0  # how long a name must be gone before its job is cancelled
    poll: float | None = None


class DaemonListener:
    """What a daemon calls as it goes on, as `Listener` is for an apply. Nothing happens here; `telemetry` counts."""

    def alive(self) -> None:
        """The loop turns."""

    def locked(self, *, held: bool) -> None:
        """This process holds the daemon's lock of its state directory, or holds it no longer."""

    def requested(self, request: RequestRecord) -> None:
        """One request to the provider is over."""

    def looked(self, snapshot: Snapshot) -> None:
        """The directory was read."""

    def passed(self, done: Pass, seconds: float) -> None:
        """A pass went through."""

    def failed(self, error: Exception, seconds: float) -> None:
        """A pass did not."""

    def rests(self, seconds: float) -> None:
        """The next pass is wanted after so long, or sooner where something changes."""


class Daemon:
    """Passes of one `Reconciler` over one fleet, until it is stopped or may not go on as it is."""

    def __init__(  # noqa: PLR0913 - what it is made of, each a port
        self,
        reconciler: Reconciler,
        read: Callable[[], Snapshot],
        wakeups: Wakeups,
        log: Log,
        *,
        fleet: Fleet,
        pace: Pace,
        first_run: bool,
        random: Callable[[], float],
        listener: DaemonListener,
        named: Callable[[Problem], str] = str,
        beside: Callable[[Snapshot], Iterable[Next]] = lambda _: (),
    ) -> None:
        """``random`` gives numbers from 0 to 1. ``first_run``: a fleet without a single job may be begun.

        ``beside`` is done after each pass that went through, and says when it wants the next.

        ``named``: a problem of the manifests as whoever reads the log finds it.
        """
        self._reconciler = reconciler
        self._fleet = fleet  # the one that memory and provider were opened for
        self._read = read
        self._wakeups = wakeups
        self._log = log
        self._pace = pace
        self._permission = Permission(first_run=first_run)
        self._random = random
        self._listener = listener
        self._named = named
        self._beside = beside
        self._clock = reconciler.clock
        self._evidence = Evidence()
        self._weighed: tuple[Snapshot, int] | None = None  # the last reading in it, and the number of the journal then
        self._acted_on: str | None = None  # the fingerprint of the last pass's reading
        self._due = self._clock.monotonic() + pace.interval  # when a pass is wanted although nothing changed
        self._failing = Reminders()
        self._complaints = Reminders()
        self._left_out: frozenset[str] = frozenset()
        self._oddities: frozenset[str] = frozenset()

    def run(self) -> None:
        """Go on until a stop is asked for, or the fleet's document says another fleet or provider.

        Raises:
            StateReplaced: the state directory is another one; open it again.
        """
        while not self._wakeups.stopping:
            self._listener.alive()
            began = self._clock.monotonic()
            try:
                if not self._look_and_pass(began):
                    return
            except Stopped:
                continue
            except StateReplaced:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the fleet must be looked after again: log, wait, go on
                self._failed(error, began)
            self._listener.rests(max(0.0, self._wanted_at() - self._clock.monotonic()))
            self._wakeups.wait(self._rest())

    def _look_and_pass(self, began: float) -> bool:
        """Look, and pass where one is wanted; False where the fleet's document says another fleet or provider."""
        snapshot = self._look()
        if _is_another(snapshot.fleet, self._fleet):
            return False
        if self._clock.monotonic() >= self._wanted_at():
            self._pass(snapshot, began)
        return True

    def _look(self) -> Snapshot:
        snapshot = self._read()
        now, checkout = self._clock.monotonic(), self._reconciler.checkout
        before, number = self._weighed, checkout.number
        again = before is not None and before[0] is snapshot
        same = again and before is not None and before[1] == number
        if not (same and self._evidence.stands(snapshot)):
            names_read, live = checkout.names_read, checkout.names_live
            self._evidence = self._evidence.after(snapshot, now, names_read=names_read, live=live)
        self._weighed = (snapshot, number)
        self._listener.looked(snapshot)
        self._complain(snapshot.problems)
        if not again:
            self._name_left_out(snapshot.warnings)
            self._name_oddities(snapshot.data_warnings)
        return snapshot

    def _name_left_out(self, warnings: Iterable[Problem]) -> None:
        """Name each document that is left out, once."""
        now = frozenset(self._named(warning) for warning in warnings)
        for warning in sorted(now - self._left_out):
            self._log.warning("source.left_out", document=warning)
        self._left_out = now

    def _name_oddities(self, warnings: Iterable[Problem]) -> None:
        """Name what is odd about each training file, once."""
        now = frozenset(self._named(warning) for warning in warnings)
        for warning in sorted(now - self._oddities):
            self._log.warning("data.warned", problem=warning)
        self._oddities = now

    def _complain(self, problems: Iterable[Problem]) -> None:
        """Name what is wrong at each change, and again as long as it lasts."""
        troubles = dict.fromkeys(sorted(self._named(problem) for problem in problems), "")
        self._complaints = self._complaints.met(troubles, self._clock.monotonic())
        log_problems(self._complaints, self._log)
        if self._complaints.over and not troubles:
            self._log.info("source.mended")

    def _wanted_at(self) -> float:
        """When the next pass is wanted: when it is due, or when a change has proved to be at rest."""
        if self._evidence.fingerprint == self._acted_on:
            return self._due
        return min(self._due, self._evidence.since + self._pace.stability)

    def _rest(self) -> float:
        """Seconds until the next look."""
        now = self._clock.monotonic()
        ends = [self._wanted_at(), now + _HEARTBEAT]
        if self._pace.poll is not None:
            ends.append(now + self._pace.poll)
        return max(0.0, min(ends) - now)

    def _pass(self, snapshot: Snapshot, began: float) -> None:
        """One pass, and when the next is due."""
        evidence, pace = self._evidence, self._pace
        permission = replace(
            self._permission,
            steady=evidence.steady(began, pace.stability),
            gone=evidence.gone_for(began, pace.absence),
        )
        start = self._clock.monotonic()
        if permission.steady:
            self._acted_on = evidence.fingerprint
        try:
            done = self._reconciler.one_pass(snapshot, permission)
        finally:
            self._evidence = evidence.recorded()
        if permission.steady and not done.decided.permission.steady:
            self._evidence = evidence.changed_meanwhile()
        now = self._clock.monotonic()
        self._failing = self._failing.met({}, now)
        if self._failing.over:
            self._log.info("pass.recovered", **self._failing.facts("pass"))
        self._due = now + self._next(done, now, self._beside(snapshot))
        self._listener.passed(done, now - start)

    def _next(self, done: Pass, now: float, beside: Iterable[Next]) -> float:
        """Seconds after which another pass is worth making."""
        passes = (*self._reconciler.next_passes(done), *beside)
        if any(n.due is Due.WORK for n in passes):
            return 0.0
        interval = self._pace.interval * (1 + _JITTER * (2 * self._random() - 1))
        passes = (Next(now + interval, Due.JOBS), *passes, *self._proof(done, now))
        return max(0.0, min(n.at for n in passes) - now)

    def _proof(self, done: Pass, now: float) -> Iterator[Next]:
        """The reading that proves what a gate waits for."""
        if all(verdict.gate not in {"evidence", "removal_evidence"} for verdict in done.after.gated.refusals):
            return
        proof = self._evidence.next_proof(now, self._pace.stability, self._pace.absence)
        if self._evidence.fingerprint is None:
            proof = now + self._pace.stability  # the proof begins anew: nobody knows yet what it is about
        if proof is not None:
            yield Next(proof, Due.PROOF)

    def _failed(self, error: Exception, start: float) -> None:
        now = self._clock.monotonic()
        self._failing = failing = self._failing.met({"pass": str(error)}, now)
        asked = min(error.retry_after or 0.0, ASKED_LAST) if isinstance(error, ProviderError) else 0.0
        wait = max(self._random() * _FAILING.wait(failing.lasting["pass"].times), asked)
        self._due = now + wait
        self._acted_on = self._evidence.fingerprint  # a change is worth a try at once; the same files are not
        tell = self._log.error if failing.said else self._log.debug
        tell(
            "pass.failed",
            error=str(error),
            kind=type(error).__name__,
            **failing.facts("pass"),
            retry_in=round(wait, 1),
            exc_info=not isinstance(error, ReconcilerError),
        )
        self._listener.failed(error, now - start)


def log_problems(complaints: Reminders, log: Log) -> None:
    """One line for each problem of the manifests that is to be said now."""
    for problem in complaints.said:
        log.error("source.invalid", problem=problem, **complaints.facts(problem))


def _is_another(now: Fleet | None, before: Fleet) -> bool:
    """Whether memory and provider must be opened anew: another name, provider or expectation."""
    return now is not None and (now.name, now.provider, now.expect) != (before.name, before.provider, before.expect)
