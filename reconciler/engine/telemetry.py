"""What a daemon tells the outside: metrics, health and readiness, over HTTP where `--listen` says so.

`cli` makes one `Telemetry` and serves it; `daemon` reports to it as a `DaemonListener`. docs/daemon.md lists the
metrics. Imported only with `--listen`.
"""

import threading
from collections import Counter as Count
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import uvicorn
from msgspec import Struct
from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    Metric,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from reconciler import __version__
from reconciler.clock import Clock
from reconciler.core.intake import intake
from reconciler.core.reason import Reason
from reconciler.core.snapshot import Snapshot
from reconciler.engine.daemon import DaemonListener
from reconciler.engine.steps import Pass
from reconciler.errors import ProviderError, UsageError, system_words
from reconciler.provider.request import RequestRecord

# Seconds: from a pass over nothing to one that waits for a slow server.
_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0)
_STOP_SECONDS = 5.0

# A pass may fail. So many in a row, over so many intervals, are a state that somebody should know of; nobody waits for
# three long intervals.
_FAILED_PASSES, _FAILED_INTERVALS, _FAILED_SECONDS = 3, 3, 900.0

# The words of Kubernetes, written as kube-state-metrics writes them.
_CONDITION_STATUSES = ("true", "false", "unknown")

_Key = TypeVar("_Key", bound=tuple[str, ...])


class _Failing(Struct, frozen=True):
    """Passes that failed in a row: since when (Unix and monotonic seconds), how many, and how the last one did."""

    since: float
    began: float
    times: int
    by_provider: bool
    words: str

    @property
    def sentence(self) -> str:
        since = datetime.fromtimestamp(self.since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"failing since {since} ({self.times} passes in a row: {self.words})"


class Telemetry(DaemonListener, Collector):
    """Counts. ``patience``: seconds without a sign of life after which it is not healthy; ``interval``: of passes.

    Every series carries the fleet's name, "" until one was read; those of a fleet that another one follows are dropped.
    """

    def __init__(self, clock: Clock, *, interval: float, patience: float) -> None:
        self._clock = clock
        self._patience = patience
        self._failed_seconds = min(_FAILED_INTERVALS * interval, _FAILED_SECONDS)
        self._alive_at = clock.monotonic()
        self._readable = False
        self._locked = False
        self._problems = 0
        self._next_at: float | None = None  # monotonic
        disable_created_metrics()  # type: ignore[no-untyped-call] # a *_created series beside each counter says nothing
        self.registry = CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        self._passes = counter("reconciler_passes", "Passes by result.", ["fleet", "result"])
        self._seconds = Histogram(
            "reconciler_pass_duration_seconds", "Length of a pass.", ["fleet"], buckets=_BUCKETS, registry=self.registry
        )
        self._requests = counter("reconciler_api_requests", "Requests to the provider.", ["fleet", "operation", "code"])
        self.registry.register(self)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._begin("")

    def _begin(self, fleet: str) -> None:
        """Another fleet: nothing that was counted is about it."""
        self._fleet = fleet
        self._last: Pass | None = None
        self._success: float | None = None  # Unix seconds
        self._failing: _Failing | None = None
        for metric in (self._passes, self._seconds, self._requests):
            metric.clear()
        for result in ("success", "error"):
            self._passes.labels(fleet, result)

    def alive(self) -> None:
        """The loop turns."""
        self._alive_at = self._clock.monotonic()

    def looked(self, snapshot: Snapshot) -> None:
        """The directory was read."""
        self._readable = snapshot.fleet is not None
        self._problems = len(snapshot.problems)
        if snapshot.fleet is not None and snapshot.fleet.name != self._fleet:
            self._begin(snapshot.fleet.name)

    def locked(self, *, held: bool) -> None:
        """This process holds the daemon's lock of its state directory, or holds it no longer."""
        self._locked = held

    def passed(self, done: Pass, seconds: float) -> None:
        """A pass went through."""
        self._last, self._failing, self._success = done, None, self._clock.time()
        self._passes.labels(self._fleet, "success").inc()
        self._seconds.labels(self._fleet).observe(seconds)

    def failed(self, error: Exception, seconds: float) -> None:
        """A pass did not."""
        provider = isinstance(error, ProviderError)
        status = error.status if isinstance(error, ProviderError) else None
        words = type(error).__name__ if status is None else f"{type(error).__name__} {status}"
        since, began, times = self._clock.time(), self._clock.monotonic(), 0
        if self._failing is not None:
            since, began, times = self._failing.since, self._failing.began, self._failing.times
        self._failing = _Failing(since, began, times + 1, provider, words)
        self._passes.labels(self._fleet, "error").inc()
        self._seconds.labels(self._fleet).observe(seconds)

    def rests(self, seconds: float) -> None:
        """The next pass is wanted after so long, or sooner where something changes."""
        self._next_at = self._clock.monotonic() + seconds

    def requested(self, request: RequestRecord) -> None:
        """One request to the provider is over."""
        code = "none" if request.status is None else str(request.status)
        self._requests.labels(self._fleet, request.operation, code).inc()

    def collect(self) -> Iterator[Metric]:
        """How things stand when Prometheus asks: of the last pass as a whole, never of half of one."""
        failing, next_at, success = self._failing, self._next_at, self._success
        yield self._gauge("build_info", "Always 1.", {(__version__,): 1}, "version")
        yield self._gauge("source_errors", "Errors in the manifests.", {(): self._problems})
        yield self._gauge("consecutive_failures", "Passes that failed in a row.", {(): failing.times if failing else 0})
        if success is not None:
            yield self._gauge("last_successful_pass_timestamp_seconds", "When a pass last went through.", {(): success})
        if next_at is not None:
            at = self._clock.time() + next_at - self._clock.monotonic()
            yield self._gauge("next_pass_timestamp_seconds", "When the next pass is due at the latest.", {(): at})
        if self._last is not None:
            yield from self._of_pass(self._last)

    def _of_pass(self, done: Pass) -> Iterator[Metric]:
        world, gated = done.after.seen.world, done.after.gated
        jobs = Count((_word(job.status),) for job in world.ours)
        yield self._gauge("jobs", "Jobs of this fleet by provider status.", jobs, "status")
        unresolved = sum(1 for change in gated.plan.changes if change.reason is Reason.CREATE_UNRESOLVED)
        yield self._gauge("unresolved_creates", "Creates whose outcome is unknown.", {(): unresolved})
        blocked = {(verdict.gate,): verdict.count if verdict.refused else 0 for verdict in gated.verdicts}
        yield self._gauge("blocked_changes", "Changes that a gate holds back.", blocked, "gate")
        closed = intake(world, gated.plan, before={}, now=None)
        waiting = {(): len(closed.waiting) if closed else 0}
        yield self._gauge("refused_creates", "Jobs that wait because the provider takes no new ones.", waiting)
        tried = {(): closed.next_try if closed else 0}
        yield self._gauge("next_create_timestamp_seconds", "When one of them is tried; 0 where none waits.", tried)
        conditions = {
            (name, condition.type, word): int(condition.status.lower() == word)
            for name, status in done.report.items()
            if not status.past
            for condition in status.conditions
            for word in _CONDITION_STATUSES
        }
        yield self._gauge("job_condition", "Conditions of each declared job.", conditions, "job", "type", "status")

    def _gauge(self, name: str, words: str, values: Mapping[_Key, float], *labels: str) -> GaugeMetricFamily:
        family = GaugeMetricFamily(f"reconciler_{name}", words, labels=("fleet", *labels))
        for key, value in values.items():
            family.add_metric((self._fleet, *key), value)
        return family

    @property
    def healthy(self) -> bool:
        """Whether the loop turned lately: a heartbeat, not just an open socket, and nothing about the provider."""
        return self._clock.monotonic() - self._alive_at <= self._patience

    @property
    def checks(self) -> dict[str, str]:
        """What readiness is made of: of each "", or why it is not; before a first pass little is known to be well."""
        lasting = self._failing if self._is_lasting(self._failing) else None
        passed = self._last is not None
        return {
            "listing": "" if passed else "not yet",
            "source": "" if self._readable else "not yet",
            "lock": "" if self._locked else "not yet",
            "provider": lasting.sentence if lasting and lasting.by_provider else "" if passed else "not reached yet",
            "pass": lasting.sentence if lasting and not lasting.by_provider else "" if passed else "not yet",
        }

    def _is_lasting(self, failing: _Failing | None) -> bool:
        if failing is None or failing.times < _FAILED_PASSES:
            return False
        return self._clock.monotonic() - failing.began >= self._failed_seconds

    def app(self) -> Starlette:
        """The three endpoints."""
        return Starlette(
            routes=[
                Route("/healthz", self._healthz),
                Route("/readyz", self._readyz),
                Route("/metrics", self._metrics),
            ]
        )

    def _healthz(self, _request: Request) -> Response:
        return PlainTextResponse("ok\n" if self.healthy else "no pass has begun lately\n", 200 if self.healthy else 503)

    def _readyz(self, request: Request) -> Response:
        checks = self.checks
        ready = not any(checks.values())
        lines = [f"[{'-' if why else '+'}]{name} {why or 'ok'}" for name, why in checks.items()]
        text = "\n".join(
            [*(lines if "verbose" in request.query_params or not ready else []), "ok" if ready else "not ready"]
        )
        return PlainTextResponse(f"{text}\n", 200 if ready else 503)

    def _metrics(self, _request: Request) -> Response:
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)


@contextmanager
def serving(telemetry: Telemetry, host: str, port: int, announce: Callable[[int], None]) -> Iterator[None]:
    """Serve the endpoints from a thread inside the block; ``announce`` gets the port.

    Raises:
        UsageError: the address cannot be listened on.
    """
    quiet = {"log_config": None, "access_log": False, "log_level": "critical", "lifespan": "off"}
    server = uvicorn.Server(uvicorn.Config(telemetry.app(), host=host, port=port, **quiet))  # type: ignore[arg-type]
    try:
        listener = server.config.bind_socket()
        listener.listen()  # whoever connects from here on is answered, if the thread needs a moment to start
    except (OSError, SystemExit) as error:
        why = system_words(error.__context__ or error)  # uvicorn turns an OSError into an exit
        raise UsageError(f"--listen: cannot listen on {host} port {port}: {why}") from error
    # In a thread uvicorn leaves the signals alone.
    thread = threading.Thread(target=server.run, args=([listener],), name="endpoints", daemon=True)
    thread.start()
    try:
        announce(listener.getsockname()[1])
        yield
    finally:
        server.should_exit = True
        thread.join(_STOP_SECONDS)
        listener.close()


def _word(status: str) -> str:
    """A status as a label: a server's invention must not make labels without end."""
    return status if len(status) <= 32 and status.replace("_", "").isalnum() else "other"  # noqa: PLR2004 - longest known: 16
