"""What a daemon tells the outside: metrics, health and readiness, over HTTP where `--listen` says so.

`cli` makes one `Telemetry` and serves it; `daemon` reports to it as a `DaemonListener`. Metric names follow
controller-runtime where the thing is the same. Imported only with `--listen`.
"""

import threading
from collections import Counter as Count
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import uvicorn
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from reconciler import __version__
from reconciler.clock import Clock
from reconciler.core.reason import Reason
from reconciler.core.snapshot import Snapshot
from reconciler.engine.daemon import DaemonListener
from reconciler.engine.steps import Pass
from reconciler.errors import UsageError
from reconciler.provider import RequestRecord

# Seconds: from a pass over nothing to one that waits for a slow server.
_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0)
_STOP_SECONDS = 5.0


class Telemetry(DaemonListener):
    """Counts. ``patience``: seconds without a sign of life after which it is not healthy."""

    def __init__(self, clock: Clock, *, patience: float) -> None:
        self._clock = clock
        self._patience = patience
        self._alive_at = clock.monotonic()
        self._listed = False
        self._readable = False
        self._locked = False
        disable_created_metrics()  # type: ignore[no-untyped-call] # a *_created series beside each counter says nothing
        self.registry = CollectorRegistry()
        counter, gauge = partial(Counter, registry=self.registry), partial(Gauge, registry=self.registry)
        self._passes = counter("reconcile", "Passes by result.", ["result"])
        self._seconds = Histogram(
            "reconcile_time_seconds", "Length of a pass.", buckets=_BUCKETS, registry=self.registry
        )
        self._jobs = gauge("jobs", "Jobs of this fleet by provider status.", ["status"])
        self._unresolved = gauge("create_unresolved", "Creates whose outcome is unknown.")
        self._blocked = gauge("blocked", "Changes that a gate holds back.", ["gate"])
        self._problems = gauge("source_errors", "Errors in the manifests.")
        self._requests = counter("api_requests", "Requests to the provider.", ["operation", "code"])
        self._success = gauge("last_successful_pass_timestamp_seconds", "When a pass last went through.")
        gauge("build_info", "Always 1.", ["version"]).labels(__version__).set(1)
        for result in ("success", "error"):
            self._passes.labels(result)

    # ── what the daemon says ──

    def alive(self) -> None:
        """The loop turns."""
        self._alive_at = self._clock.monotonic()

    def looked(self, snapshot: Snapshot) -> None:
        """The directory was read."""
        self._readable = snapshot.fleet is not None
        self._problems.set(len(snapshot.problems))

    def locked(self, *, held: bool) -> None:
        """This process holds the daemon's lock of its state directory, or holds it no longer."""
        self._locked = held

    def passed(self, done: Pass, seconds: float) -> None:
        """A pass went through."""
        self._listed = True
        self._passes.labels("success").inc()
        self._seconds.observe(seconds)
        self._success.set(self._clock.time())
        world, gated = done.after.seen.world, done.after.gated
        self._jobs.clear()
        for status, count in Count(_word(job.status) for job in world.ours).items():
            self._jobs.labels(status).set(count)
        self._unresolved.set(sum(1 for c in gated.plan.changes if c.reason is Reason.CREATE_UNRESOLVED))
        for verdict in gated.verdicts:
            self._blocked.labels(verdict.gate).set(verdict.count if verdict.refused else 0)

    def failed(self, error: Exception, seconds: float) -> None:
        """A pass did not."""
        del error
        self._passes.labels("error").inc()
        self._seconds.observe(seconds)

    def requested(self, request: RequestRecord) -> None:
        """One request to the provider is over."""
        self._requests.labels(request.operation, "none" if request.status is None else str(request.status)).inc()

    # ── what others ask ──

    @property
    def healthy(self) -> bool:
        """Whether the loop turned lately: a heartbeat, not just an open socket."""
        return self._clock.monotonic() - self._alive_at <= self._patience

    @property
    def checks(self) -> dict[str, bool]:
        """What readiness is made of."""
        return {"listing": self._listed, "source": self._readable, "lock": self._locked}

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
        ready = all(checks.values())
        lines = [f"[{'+' if right else '-'}]{name} {'ok' if right else 'not yet'}" for name, right in checks.items()]
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
        why = error.__context__ or error  # uvicorn turns an OSError into an exit
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
