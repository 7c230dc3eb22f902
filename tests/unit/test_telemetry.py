"""What the endpoints of a daemon say: numbers that Prometheus reads, and when it is ready."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from reconciler.engine.telemetry import Telemetry
from reconciler.errors import JournalError, Refused, Unreadable
from reconciler.provider.request import RequestRecord
from reconciler.source.directory import read_directory
from tests.e2e.pages import blocks
from tests.fakes.clocks import ManualClock
from tests.fakes.daemons import DaemonHarness
from tests.fakes.fleets import FleetDirectory

DOCS = Path(__file__).parents[2] / "docs" / "daemon.md"
LOCKED_OUT = Refused("no such key: <b>sk-…</b>", status=401)


@pytest.fixture
def world(tmp_path: Path) -> DaemonHarness:
    return DaemonHarness(FleetDirectory(tmp_path / "fleet"))


def telemetry(clock: ManualClock, interval: float = 60.0) -> Telemetry:
    return Telemetry(clock, interval=interval, patience=1200.0)


def families(of: Telemetry) -> dict[str, Metric]:
    """What /metrics prints, as Prometheus reads it; a counter without its `_total`."""
    return {family.name: family for family in text_string_to_metric_families(generate_latest(of.registry).decode())}


def value(of: Telemetry, name: str, **labels: str) -> float | None:
    """One number; None where there is no such series."""
    found = [
        sample.value
        for family in families(of).values()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert len(found) < 2, "one series"
    return found[0] if found else None


def lived(world: DaemonHarness) -> Telemetry:
    """After a life in which a job was made, a gate refused, and a request was answered."""
    told = telemetry(world.clock)
    world.fleet.job("a")
    world.fleet.job("b", seed=2)
    world.at(world.clock.now + 50, lambda: world.fleet.remove("b"))
    world.live(55, listener=told)
    told.requested(RequestRecord("list", "GET", "/jobs", 200, 0.1, "req-1", ""))
    return told


def documented() -> Iterator[tuple[str, str, frozenset[str]]]:
    """Name, kind and labels of each row of the table."""
    for name, kind, labels in re.findall(
        r"^\| `(reconciler_\w+)` \| (\w+) \| (.*?) \|", DOCS.read_text(), re.MULTILINE
    ):
        yield name, kind, frozenset(re.findall(r"`(\w+)`", labels)) | {"fleet"}


def test_every_metric_is_documented_and_every_documented_one_is_there(world: DaemonHarness) -> None:
    printed = {
        (
            f"{name}_total" if family.type == "counter" else name,
            family.type,
            frozenset(label for sample in family.samples for label in sample.labels) - {"le"},
        )
        for name, family in families(lived(world)).items()
        if not name.startswith(("process_", "python_"))
    }
    assert printed == set(documented())


def test_the_alerts_of_the_page_are_about_metrics_and_labels_that_are_there() -> None:
    labels_of = {name: labels for name, _, labels in documented()}
    (alerts,) = (block.text for block in blocks(DOCS) if block.language == "promql")
    used = re.findall(r"(reconciler_\w+)(?:\{(.*?)\})?", alerts)
    assert {name for name, _ in used} == {
        "reconciler_last_successful_pass_timestamp_seconds",
        "reconciler_job_condition",
    }
    for name, matchers in used:
        assert set(re.findall(r'(\w+)="', matchers)) <= labels_of[name]


def test_the_names_follow_the_conventions_of_prometheus(world: DaemonHarness) -> None:
    found = families(lived(world))
    assert {"process_resident_memory_bytes", "python_info", "python_gc_collections"} <= found.keys()
    for name, family in found.items():
        assert name.startswith(("reconciler_", "process_", "python_"))
        assert family.documentation
        assert not re.search(r"_(minutes|hours|ms|millis|count|sum|bucket|total)$", name), (
            "base units, no reserved ends"
        )


def test_each_condition_of_a_declared_job_is_1_for_the_status_it_has(world: DaemonHarness) -> None:
    told = lived(world)

    def condition(job: str, kind: str) -> list[float | None]:
        of = {"job": job, "type": kind, "fleet": world.fleet.name}
        return [value(told, "reconciler_job_condition", status=word, **of) for word in ("true", "false", "unknown")]

    assert condition("a", "Synced") == [1, 0, 0]
    assert condition("a", "Succeeded") == [0, 0, 1]
    assert condition("a", "Blocked") == [None, None, None], "only on trouble"
    assert condition("b", "Blocked") == [1, 0, 0]
    assert value(told, "reconciler_blocked_changes", gate="removal_evidence") == 1


def test_a_name_that_is_past_has_no_series(world: DaemonHarness) -> None:
    told = lived(world)
    world.live(100, listener=told)
    assert value(told, "reconciler_job_condition", job="b", type="Synced", status="true") is None
    assert value(told, "reconciler_jobs", status="cancelled") == 1


def test_failures_in_a_row_and_the_times_of_passes_are_told(world: DaemonHarness) -> None:
    told = telemetry(world.clock)
    world.fleet.job("a")
    world.live(100, listener=told)
    success = value(told, "reconciler_last_successful_pass_timestamp_seconds")
    assert success is not None
    assert world.clock.time() - 66 < success <= world.clock.time()
    following = value(told, "reconciler_next_pass_timestamp_seconds")
    assert following == pytest.approx(success + 60, abs=0.1)
    world.fail_next("list", *[LOCKED_OUT] * 100)
    before = len(world.provider.times("list"))
    world.live(200, listener=told)
    assert value(told, "reconciler_last_successful_pass_timestamp_seconds") == success
    failures = value(told, "reconciler_consecutive_failures")
    assert failures == len(world.provider.times("list")) - before > 5
    assert failures == value(told, "reconciler_passes_total", result="error")
    world.provider.trouble.clear()
    world.live(400, listener=told)
    assert value(told, "reconciler_consecutive_failures") == 0


def test_the_series_of_a_former_fleet_are_dropped(world: DaemonHarness, tmp_path: Path) -> None:
    told = lived(world)
    other = FleetDirectory(tmp_path / "other", name="other-1a2b")
    told.looked(read_directory(other.root))
    text = generate_latest(told.registry).decode()
    assert world.fleet.name not in text
    assert value(told, "reconciler_passes_total", fleet="other-1a2b", result="success") == 0
    assert "[-]listing not yet" in ready(told)[1], "nothing was listed for this one"


def test_before_a_fleet_is_known_its_label_is_empty(tmp_path: Path) -> None:
    told = telemetry(ManualClock())
    (tmp_path / "a.yaml").write_text("kind: [")
    told.looked(read_directory(tmp_path))
    assert value(told, "reconciler_source_errors", fleet="") is not None
    assert families(told)["reconciler_build_info"].samples[0].labels["fleet"] == ""


def ready(of: Telemetry) -> tuple[int, list[str]]:
    """The answer of /readyz?verbose."""
    return _get(of, "/readyz?verbose")


def _get(of: Telemetry, path: str) -> tuple[int, list[str]]:
    with TestClient(of.app()) as client:
        answer = client.get(path)
        return answer.status_code, answer.text.splitlines()


def fail(of: Telemetry, clock: ManualClock, seconds: float, times: int, error: Exception) -> None:
    """So many failed passes, spread over so long."""
    for n in range(times):
        of.failed(error, 0.1)
        clock.now += seconds / (times - 1) if n < times - 1 else 0


@pytest.fixture
def served(world: DaemonHarness) -> Telemetry:
    told = lived(world)
    told.locked(held=True)
    assert ready(told) == (
        200,
        [f"[+]{name} ok" for name in ("listing", "source", "lock", "provider", "pass")] + ["ok"],
    )
    return told


@pytest.mark.parametrize(
    ("interval", "failed", "status", "why"),
    [
        (60.0, (179.0, 7), 200, "not yet three intervals"),
        (60.0, (180.0, 7), 503, "three intervals"),
        (60.0, (600.0, 2), 200, "two passes are no state, however long the server had asked to wait"),
        (60.0, (600.0, 3), 503, "three passes"),
        (0.1, (1.0, 2), 200, "two passes of a short interval"),
        (3600.0, (899.0, 9), 200, "of a long interval nobody waits for three"),
        (3600.0, (900.0, 9), 503, "but a quarter of an hour"),
    ],
)
def test_a_provider_that_fails_for_some_intervals_makes_it_unready(
    world: DaemonHarness, interval: float, failed: tuple[float, int], status: int, why: str
) -> None:
    told = telemetry(world.clock, interval)
    world.fleet.job("a")
    world.live(5, listener=told)
    told.locked(held=True)
    fail(told, world.clock, *failed, LOCKED_OUT)
    assert ready(told)[0] == status, why


def test_it_says_since_when_how_often_and_how_it_fails_in_its_own_words(
    served: Telemetry, world: DaemonHarness
) -> None:
    fail(served, world.clock, 600, 7, LOCKED_OUT)
    status, lines = ready(served)
    since = r"2027-01-15T08:0\d:\d\dZ"
    assert status == 503
    assert re.fullmatch(rf"\[-\]provider failing since {since} \(7 passes in a row: Refused 401\)", lines[3])
    assert (lines[4], lines[-1]) == ("[+]pass ok", "not ready")
    (shown,) = (block.text for block in blocks(DOCS) if block.language == "text")
    assert re.sub(since, "TIME", lines[3]) == re.sub(r"\d{4}-\S+Z", "TIME", shown.strip()), "as docs/daemon.md has it"
    assert _get(served, "/healthz") == (200, ["ok"]), "to restart it would help nobody"


def test_before_the_first_pass_went_through_nothing_is_said_to_be_well(world: DaemonHarness) -> None:
    told = telemetry(world.clock)
    told.looked(read_directory(world.fleet.root))
    told.locked(held=True)
    unready = ["[-]listing not yet", "[+]source ok", "[+]lock ok", "[-]provider not reached yet", "[-]pass not yet"]
    assert ready(told) == (503, [*unready, "not ready"])
    told.failed(LOCKED_OUT, 0.1)
    assert ready(told) == (503, [*unready, "not ready"]), "one failed pass is no state, and no success either"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (Unreadable("<html>"), "provider failing since .* Unreadable\\)"),
        (JournalError("disk full"), "pass failing since .* JournalError\\)"),
        (ZeroDivisionError("a bug"), "pass failing since .* ZeroDivisionError\\)"),
    ],
)
def test_what_fails_is_the_provider_or_the_pass(
    served: Telemetry, world: DaemonHarness, error: Exception, line: str
) -> None:
    fail(served, world.clock, 600, 7, error)
    (failing,) = [found for found in ready(served)[1] if found.startswith("[-]")]
    assert re.fullmatch(rf"\[-\]{line}", failing)


def test_it_is_ready_again_after_the_first_pass_that_goes_through(served: Telemetry, world: DaemonHarness) -> None:
    fail(served, world.clock, 600, 7, LOCKED_OUT)
    assert ready(served)[0] == 503
    world.live(5, listener=served)
    assert ready(served)[0] == 200


def test_a_loop_that_stands_still_is_not_healthy(served: Telemetry, world: DaemonHarness) -> None:
    world.clock.now += 1300
    assert _get(served, "/healthz")[0] == 503
    served.alive()
    assert _get(served, "/healthz") == (200, ["ok"])
