"""A pause and a resume: recorded before they are sent, read back, and never of what somebody else has paused."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.engine.reconcile import Reconciler
from reconciler.errors import NotSent, OutcomeUnknown, ProviderError, Refused
from reconciler.provider.port import JobPage
from reconciler.source.directory import read_directory
from reconciler.state.opening import open_journal
from reconciler.state.schema import Identity
from reconciler.state.yaml_form import from_yaml
from tests.fakes.daemons import DaemonHarness
from tests.fakes.fleets import FleetDirectory


@pytest.fixture
def world(tmp_path: Path) -> DaemonHarness:
    return DaemonHarness(FleetDirectory(tmp_path / "fleet"))


@pytest.fixture
def running(world: DaemonHarness) -> DaemonHarness:
    """Job j1 of name a trains."""
    world.fleet.job("a", seed=1)
    world.live(20)
    assert world.provider.live("a") == ["j1"]
    return world


def says(world: DaemonHarness, state: str, **spec: Any) -> None:
    world.fleet.job("a", **{"seed": 1, **spec, "policy": {"state": state}})


def status(world: DaemonHarness) -> str:
    return world.provider.jobs["j1"].status


def told(world: DaemonHarness) -> tuple[str, str]:
    """Reason and message of *Synced*."""
    document: Any = from_yaml((world.state / "status" / "a.yaml").read_bytes())
    synced = document["status"]["conditions"][0]
    return synced["reason"], synced["message"]


def test_a_job_is_paused_and_goes_on_as_its_manifest_says_across_restarts(running: DaemonHarness) -> None:
    says(running, "paused")
    running.live(20)
    assert (status(running), told(running)[0]) == ("paused", "Paused")
    running.live(300)
    assert len(running.provider.times("pause")) == 1
    says(running, "active")
    running.live(20)
    assert (status(running), told(running)[0]) == ("running", "InProgress")
    running.live(300)
    assert (len(running.provider.times("pause")), len(running.provider.times("resume"))) == (1, 1)
    assert len(running.provider.times("create")) == 1


def test_no_job_is_made_and_none_ends_while_it_is_paused(running: DaemonHarness) -> None:
    says(running, "paused", suffix="another")
    running.live(100)
    assert (status(running), len(running.provider.jobs)) == ("paused", 1)
    running.provider.end("j1", "cancelled")
    running.live(100)
    assert len(running.provider.jobs) == 1
    assert told(running) == ("Paused", "state: paused; no job of it is live, none is created")


def test_what_somebody_else_has_paused_is_left_and_named(running: DaemonHarness) -> None:
    running.provider.jobs["j1"] = replace(running.provider.jobs["j1"], status="paused")
    running.live(100)
    assert told(running)[1].startswith("paused; it was not paused from here, so it is left so")
    says(running, "paused")
    running.live(100)
    says(running, "active")
    running.live(100)
    assert running.provider.times("pause") == running.provider.times("resume") == []
    assert status(running) == "paused"


def test_a_pause_that_went_by_itself_is_over(running: DaemonHarness) -> None:
    says(running, "paused")
    running.live(20)
    says(running, "active")
    running.provider.jobs["j1"] = replace(running.provider.jobs["j1"], status="running")
    running.live(100)
    running.provider.jobs["j1"] = replace(running.provider.jobs["j1"], status="paused")
    running.live(100)
    assert running.provider.times("resume") == [], "it was resumed, and paused again, by somebody else"


@pytest.mark.parametrize(
    ("error", "pauses"),
    [
        (OutcomeUnknown("reset"), [2, 4, 8]),
        (NotSent("no connection"), [60, 60, 60]),
        (Refused("not now", status=400), [60, 120, 240]),
    ],
    ids=["lost", "not sent", "refused"],
)
def test_a_pause_that_does_not_take_is_tried_again_later(
    running: DaemonHarness, error: ProviderError, pauses: list[int]
) -> None:
    says(running, "paused")
    running.fail_next("pause", *[error] * 3)
    running.live(1000)
    asked = running.provider.times("pause")
    assert [round(b - a) for a, b in pairwise(asked)] == pauses
    assert status(running) == "paused"


def test_a_resume_whose_answer_is_lost_is_sent_again(running: DaemonHarness) -> None:
    says(running, "paused")
    running.live(20)
    says(running, "active")
    running.fail_next("resume", OutcomeUnknown("reset"), Refused("busy", status=400))
    running.live(5)
    assert told(running)[0] == "Resuming"
    running.live(500)
    assert (status(running), len(running.provider.times("resume"))) == ("running", 3)


def test_a_fresh_look_that_shows_a_job_going_on_ends_our_pause_of_it(running: DaemonHarness) -> None:
    """Found by the simulation: listings lagged behind a resume that was killed, and a person's pause was undone."""
    says(running, "paused")
    running.live(20)
    listed = dict(running.provider.jobs)
    pages = running.provider.job_pages
    running.provider.job_pages = lambda: iter([JobPage(tuple(listed.values()), last=True)])  # type: ignore[method-assign] # it lags
    running.provider.resume_job("j1")
    says(running, "active")
    running.live(20)
    running.provider.job_pages = pages  # type: ignore[method-assign]
    running.provider.pause_job("j1")
    running.live(100)
    assert status(running) == "paused"


@pytest.mark.parametrize("error", [Refused("no route", status=404), OutcomeUnknown("no such method", status=501)])
def test_a_server_that_cannot_pause_is_asked_once(running: DaemonHarness, error: ProviderError) -> None:
    says(running, "paused")
    running.fail_next("pause", error)
    running.live(1000)
    running.live(1000)
    assert len(running.provider.times("pause")) == 1
    assert told(running)[0] == "CannotPause"
    assert "has no way to pause a job: it trains on" in told(running)[1]
    assert status(running) == "running"
    says(running, "active")
    running.provider.jobs["j1"] = replace(running.provider.jobs["j1"], status="paused")
    running.live(100)
    assert running.provider.times("resume") == []


@pytest.mark.parametrize(
    ("found", "message"),
    [({"status": "succeeded"}, "succeeded"), ({"status": "paused"}, "paused"), ({"marks": None}, "marks")],
)
def test_a_fresh_look_may_speak_against_it(running: DaemonHarness, found: dict[str, Any], message: str) -> None:
    says(running, "paused")
    looked = running.provider.retrieve_job
    running.provider.retrieve_job = lambda job_id: replace(looked(job_id), **found)  # type: ignore[method-assign] # meanwhile
    running.live(5)
    assert running.provider.times("pause") == []
    assert message in running.logged.getvalue()


def test_a_job_that_cannot_be_looked_at_is_not_paused(running: DaemonHarness) -> None:
    says(running, "paused")
    running.fail_next("retrieve", *[OutcomeUnknown("reset")] * 50)
    running.live(10)
    assert running.provider.times("pause") == []
    running.provider.trouble.clear()
    running.live(100)
    assert status(running) == "paused"


def test_a_pause_that_cannot_be_read_back_counts_as_sent(running: DaemonHarness) -> None:
    says(running, "paused")
    pause = running.provider.pause_job

    def paused(job_id: str) -> None:
        pause(job_id)
        running.fail_next("retrieve", OutcomeUnknown("reset"))

    running.provider.pause_job = paused  # type: ignore[method-assign] # then it cannot be read
    running.live(30)
    says(running, "active")
    running.live(30)
    assert (status(running), len(running.provider.times("resume"))) == ("running", 1)


def test_a_job_that_ends_while_it_is_paused_has_ended(running: DaemonHarness) -> None:
    says(running, "paused")
    running.provider.pause_job = lambda job_id: running.provider.end(job_id, "failed")  # type: ignore[method-assign] # a race
    running.live(60)
    assert told(running) == ("Paused", "state: paused; no job of it is live, none is created")


def test_a_pause_that_takes_late_is_ours_although_its_manifest_says_active_by_then(running: DaemonHarness) -> None:
    """Its answer was lost, and what the client gave up on may take effect a while later."""
    says(running, "paused")
    running.fail_next("pause", *[OutcomeUnknown("timed out")] * 9)
    running.live(5)
    assert running.provider.times("pause")
    says(running, "active")
    running.live(30)
    assert (status(running), running.provider.times("resume")) == ("running", [])
    running.provider.jobs["j1"] = replace(running.provider.jobs["j1"], status="paused")
    running.live(30)
    assert (status(running), len(running.provider.times("resume"))) == ("running", 1)


@pytest.mark.parametrize("seconds", [30, 1000])
def test_but_not_one_that_was_refused_or_for_ever(running: DaemonHarness, seconds: int) -> None:
    says(running, "paused")
    error = Refused("not now", status=400) if seconds == 30 else OutcomeUnknown("timed out")
    running.fail_next("pause", *[error] * 9)
    running.live(5)
    assert running.provider.times("pause")
    says(running, "active")
    running.live(seconds)
    running.provider.jobs["j1"] = replace(running.provider.jobs["j1"], status="paused")
    running.live(100)
    assert (status(running), running.provider.times("resume")) == ("paused", []), "somebody else's, by then"


def test_a_server_that_was_seen_to_pause_is_asked_again_whatever_a_gateway_says(running: DaemonHarness) -> None:
    for _ in range(2):
        says(running, "paused")
        running.live(200)
        assert status(running) == "paused"
        says(running, "active")
        running.live(20)
        running.fail_next("pause", Refused("no route", status=404))
    assert len(running.provider.times("pause")) == 3


_NO_ROUTE = Refused("no route", status=404)


@pytest.fixture
def unable(running: DaemonHarness) -> DaemonHarness:
    """The server has said that it has no way to pause a job."""
    says(running, "paused")
    running.fail_next("pause", _NO_ROUTE)
    running.live(20)
    assert told(running)[0] == "CannotPause"
    return running


def test_a_server_that_could_not_pause_is_asked_again_after_a_day(unable: DaemonHarness) -> None:
    unable.clock.now += 86_000
    unable.live(200)
    assert status(unable) == "running"
    unable.clock.now += 400
    unable.live(200)
    assert (status(unable), told(unable)[0]) == ("paused", "Paused")


def test_one_that_could_and_says_twice_that_it_has_no_route_cannot_any_more(running: DaemonHarness) -> None:
    says(running, "paused")
    running.live(20)
    says(running, "active")
    running.live(20)
    says(running, "paused")
    running.fail_next("pause", _NO_ROUTE, _NO_ROUTE)
    running.live(1000)
    assert (told(running)[0], status(running), len(running.provider.times("pause"))) == ("CannotPause", "running", 3)


def test_what_was_seen_first_after_a_doubt_counts(unable: DaemonHarness) -> None:
    """Asked again a day later it pauses, and one stray answer after that changes nothing."""
    unable.clock.now += 90_000
    unable.live(100)
    says(unable, "active")
    unable.live(20)
    says(unable, "paused")
    unable.fail_next("pause", _NO_ROUTE)
    unable.live(200)
    assert status(unable) == "paused"


def forgotten(world: DaemonHarness, name: str) -> tuple[str, ...]:
    with open_journal(world.state, Identity(world.fleet.name, "http://memory/v1"), now=world.clock.time) as journal:
        run = Reconciler(world.ports(journal, world.fleet.root), settle=0.0)
        return run.forget(read_directory(world.fleet.root), name)


def test_forget_lets_a_server_that_could_not_pause_be_asked_at_once(unable: DaemonHarness) -> None:
    unable.fleet.job("b", seed=2)
    assert forgotten(unable, "b") == ()
    (said,) = forgotten(unable, "a")
    assert said == "forgotten: that this server has no way to pause a job; the next pass asks it again"
    assert forgotten(unable, "a") == ()
    unable.live(20)
    assert status(unable) == "paused"


def test_one_whose_manifest_is_gone_stays_paused_says_so_and_goes_on_once_it_is_back(running: DaemonHarness) -> None:
    running.fleet.fleet(prune=False)
    says(running, "paused")
    running.live(20)
    running.fleet.remove("a")
    running.live(1000)
    assert (status(running), told(running)[0]) == ("paused", "PruneDisabled")
    assert "it was paused from here, and stays paused until somebody resumes it at the provider" in told(running)[1]
    says(running, "active")
    running.live(100)
    assert (status(running), len(running.provider.times("resume"))) == ("running", 1)
