"""A daemon with nothing to do: what it looks at then, what ends its rest, and what it never does without a whole look."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from reconciler.core.job import Job, Marks
from reconciler.core.looks import PASSES_BETWEEN
from reconciler.errors import Unreadable
from reconciler.state.opening import open_journal
from reconciler.state.schema import Identity
from tests.fakes.daemons import DaemonHarness
from tests.fakes.fleets import FleetDirectory

_ENDED = 6


@pytest.fixture
def resting(tmp_path: Path) -> DaemonHarness:
    """Six jobs of old and two live ones, three on a page; the daemon has nothing to do and has stopped."""
    # The files have not been changed for a while: what is read twice in a second counts as changing.
    world = DaemonHarness(FleetDirectory(tmp_path / "fleet"), wall=lambda: time.time() + 10.0)
    old = (Job(f"old{n}", "succeeded", created_at=n, marks=Marks("fleet-2", "x", "1" * 16, n)) for n in range(1, 7))
    world.provider.jobs = {job.id: job for job in old}
    world.provider.page_size = 3
    world.fleet.job("a", policy={"retries": 1})
    world.fleet.job("b", seed=2)
    world.live(100)
    assert len(world.provider.live()) == 2
    world.provider.calls.clear()
    return world


# Seconds after which a new daemon has rested for some passes, all of them incremental.
_AT_REST = 250.0


def looks(world: DaemonHarness, begin: float, end: float) -> list[str]:
    """Each look at the account in that time: how many pages it read, and which jobs one by one."""
    told = [(operation, about) for at, operation, about in world.provider.calls if begin <= at < end]
    found: list[str] = []
    for operation, about in told:
        if operation == "list":
            found.append("1")
        elif operation == "page":
            found[-1] = str(int(found[-1][0]) + 1) + found[-1][1:]
        elif operation in {"retrieve", "create", "cancel"}:
            found[-1] += f" {operation} {about}".rstrip()
    return found


def test_a_daemon_at_rest_reads_the_newest_page_and_what_is_live(resting: DaemonHarness) -> None:
    start = resting.clock.now
    resting.live(_AT_REST)
    assert looks(resting, start + 130, start + _AT_REST) == ["1 retrieve j7 retrieve j8"] * 2


def test_everything_is_looked_at_anew_after_ten_passes(resting: DaemonHarness) -> None:
    start = resting.clock.now
    resting.live(60.0 * 3 * PASSES_BETWEEN)
    pages = [look[0] for look in looks(resting, start, resting.clock.now)]
    assert pages[1:].index("3") <= PASSES_BETWEEN + 1
    assert 2 <= pages.count("3") <= 6


def test_jobs_of_others_are_read_with_the_newest_and_ask_for_nothing_more(resting: DaemonHarness) -> None:
    start = resting.clock.now
    theirs = Job("new", "running", created_at=99, marks=Marks("fleet-2", "a", "1" * 16, 1))
    resting.at(start + 200, lambda: resting.provider.jobs.update({theirs.id: theirs}))
    resting.live(_AT_REST)
    assert looks(resting, start + 200, start + _AT_REST) == ["2 retrieve j7 retrieve j8"]


def _ends(world: DaemonHarness) -> None:
    world.provider.end("j8", "succeeded")


def test_an_end_is_seen_by_asking_for_the_job_and_told_once(resting: DaemonHarness) -> None:
    resting.at(resting.clock.now + 200, lambda: _ends(resting))
    resting.live(400)
    (line,) = resting.lines("job.succeeded")
    assert line["job_id"] == "j8"
    assert "ft:j8" in (resting.state / "status" / "b.yaml").read_text()


def _fails(world: DaemonHarness) -> None:
    world.provider.end("j7", "failed")


def _same_again(world: DaemonHarness) -> None:
    world.provider.jobs["twin"] = replace(world.provider.jobs["j8"], id="twin", created_at=50)


@pytest.mark.parametrize(
    ("happens", "sent"),
    [pytest.param(_fails, "create", id="a retry"), pytest.param(_same_again, "cancel twin", id="a duplicate")],
)
def test_before_a_write_the_whole_listing_is_read_in_the_same_pass(
    resting: DaemonHarness, happens: Callable[[DaemonHarness], object], sent: str
) -> None:
    start = resting.clock.now
    resting.at(start + 200, lambda: happens(resting))
    resting.live(_AT_REST)
    before, last = [look for look in looks(resting, start + 200, start + _AT_REST) if look[0] != "1"][:2]
    writing = before if sent in before else last
    assert writing[0] == "3"
    assert sent in writing


def test_a_live_job_that_is_gone_is_missing_at_once(resting: DaemonHarness) -> None:
    start = resting.clock.now
    resting.at(start + 200, lambda: resting.provider.jobs.pop("j8"))
    resting.live(_AT_REST)
    assert "reason: Missing" in (resting.state / "status" / "b.yaml").read_text()


def test_a_live_job_that_cannot_be_read_is_looked_for_in_the_whole_listing(resting: DaemonHarness) -> None:
    start = resting.clock.now
    resting.at(start + 200, lambda: resting.fail_next("retrieve", Unreadable("no")))
    resting.live(_AT_REST)
    assert looks(resting, start + 200, start + _AT_REST) == ["1 retrieve j7", "3"]
    assert resting.lines("pass.failed") == []


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_status_file_that_somebody_touched_is_as_it_was_within_the_interval(resting: DaemonHarness, how: str) -> None:
    path = resting.state / "status" / "a.yaml"
    before = path.read_bytes()

    def touch() -> None:
        path.unlink()
        if how == "replaced":
            path.write_text("kind: Nonsense\n")

    resting.at(resting.clock.now + 200, touch)
    resting.live(_AT_REST + 20)
    assert path.read_bytes() == before


def test_progress_of_a_live_job_is_told_while_all_else_rests(resting: DaemonHarness) -> None:
    start = resting.clock.now
    path = resting.state / "status" / "b.yaml"
    others = (resting.state / "status" / "a.yaml").stat().st_mtime_ns
    resting.at(start + 200, lambda: resting.provider.tell("j8", "step", step=3, total_steps=9, train_loss=0.5))
    resting.live(_AT_REST)
    assert "step: 3" in path.read_text()
    assert (resting.state / "status" / "a.yaml").stat().st_mtime_ns == others
    assert looks(resting, start + 130, start + _AT_REST) == ["1 retrieve j7 retrieve j8"] * 2


def test_what_keeps_a_name_from_going_on_is_said_again_while_all_rests(resting: DaemonHarness) -> None:
    resting.fleet.job("c", training_file="file-1", method={"type": "dpo", "dpo": {}})  # which this server loses
    start = resting.clock.now
    resting.live(60.0 * PASSES_BETWEEN)
    assert looks(resting, start + 200, start + 500) == ["1 retrieve j7 retrieve j8"] * 5, "nothing is decided anew"
    assert [line.get("since", 0) // 60 for line in resting.lines("job.blocked")] == [1, 5], (
        "as the write itself has said it"
    )


def test_what_another_run_wrote_down_ends_the_rest(resting: DaemonHarness) -> None:
    """Whoever forgets a job here, or creates one, is heard at the next pass and not ten passes later."""
    start = resting.clock.now

    def somebody_writes() -> None:
        with contextlib.closing(
            open_journal(resting.state, Identity(resting.fleet.name, "http://memory/v1"), now=resting.clock.time)
        ) as journal:
            journal.refusals.record("a", "1" * 16, "no")

    resting.at(start + 200, somebody_writes)
    resting.live(_AT_REST)
    assert [look[0] for look in looks(resting, start + 200, start + _AT_REST)] == ["3"]


def test_a_name_whose_file_was_put_aside_is_cancelled_once_that_is_deleted_too(resting: DaemonHarness) -> None:
    start, manifest = resting.clock.now, resting.fleet.root / "b.yaml"
    aside = manifest.with_suffix(".yaml.bak")
    resting.at(start + 70, lambda: manifest.rename(aside))
    resting.at(start + 400, aside.unlink)
    resting.live(380)
    assert resting.provider.live("b")
    resting.live(160)
    assert not resting.provider.live("b")


def test_a_server_that_shows_the_oldest_first_is_listed_to_the_end(resting: DaemonHarness) -> None:
    start, provider = resting.clock.now, resting.provider
    provider.jobs = {job_id: replace(job, created_at=-n + 100) for n, (job_id, job) in enumerate(provider.jobs.items())}
    resting.live(_AT_REST)
    assert {look[0] for look in looks(resting, start, start + _AT_REST)} == {"3"}
