"""Whole applies against the sandbox, and against a proxy that loses its answers. The ledger judges."""

import dataclasses
import itertools
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from reconciler.clock import SystemClock
from reconciler.core.change import Action
from reconciler.core.gates import Permission
from reconciler.core.memory import Intent
from reconciler.core.reason import Reason
from reconciler.engine.apply import Patience, apply
from reconciler.engine.reconcile import Reconciler
from reconciler.errors import JournalError, ProviderError
from reconciler.sandbox import EmbeddedSandbox
from reconciler.source.directory import read_directory
from reconciler.state.lock import Lock
from reconciler.state.opening import open_journal
from reconciler.state.schema import Identity
from tests.fakes.clocks import SkippingClock
from tests.fakes.daemons import DaemonHarness
from tests.fakes.faulty import DROP, HANG, Proxy, Reply, Request, as_it_is, once, reply
from tests.fakes.fleets import BEGIN, LOOPBACK, SILENT, FleetDirectory, apply_once, jobs_at, live, make_job, run_of


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[str]:
    with EmbeddedSandbox(tmp_path / "sandbox", speed=1000) as running:
        yield running.base_url


@pytest.fixture
def server(sandbox: str) -> Iterator[Proxy]:
    """What applies talk to: the sandbox, behind a proxy that records, and adds faults when it is told to."""
    with Proxy(sandbox) as proxy:
        yield proxy


@pytest.fixture
def fleet(tmp_path: Path) -> FleetDirectory:
    return FleetDirectory(tmp_path / "fleet")


def finish(name: str = "gpt-4o-mini") -> dict[str, str]:
    """A model whose jobs end by themselves."""
    return {"model": name}


# ── once, twice, and after a loss of memory ──────────────────────────────────────────────────


def test_a_fleet_becomes_jobs_and_the_second_apply_does_nothing(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    fleet.job("b", seed=7)
    server.requests.clear()
    first = apply_once(fleet, server.base_url)
    assert first.exit_code == 0
    assert [o.ok for o in first.outcomes] == [True, True]
    assert len(server.creates()) == 2
    assert len([r for r in server.posts() if r.path.endswith("/files")]) == 2, "a name of its own each, for the first"
    server.requests.clear()
    times = fleet.times()
    second = apply_once(fleet, server.base_url)
    assert (second.exit_code, second.outcomes) == (0, ())
    assert server.posts() == []
    assert fleet.times() == times
    assert [j["metadata"]["reconciler_job"] for j in live(jobs_at(server.base_url))] == ["a", "b"]


def test_losing_the_state_directory_creates_and_cancels_nothing(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    fleet.job("b", **finish())
    apply_once(fleet, server.base_url, patience=Patience(wait=False))
    shutil.rmtree(fleet.root / ".reconciler")
    server.requests.clear()
    again = apply_once(fleet, server.base_url)
    assert again.exit_code == 0
    assert server.posts() == []
    assert len(jobs_at(server.base_url)) == 2


def test_wait_goes_on_until_every_job_has_its_model(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("base", **finish())
    fleet.job("next", model=None, model_from={"job": "base"})
    result = apply_once(fleet, server.base_url, patience=Patience(wait=True, poll=0.01))
    assert result.exit_code == 0
    by_name = {j["metadata"]["reconciler_job"]: j for j in jobs_at(server.base_url)}
    assert {j["status"] for j in by_name.values()} == {"succeeded"}
    assert by_name["next"]["model"] == by_name["base"]["fine_tuned_model"]


def test_wait_times_out_and_the_jobs_go_on(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    result = apply_once(fleet, server.base_url, patience=Patience(wait=True, poll=10, timeout=60))
    assert (result.exit_code, result.timed_out) == (6, True)
    assert len(live(jobs_at(server.base_url))) == 1


def test_wait_tells_a_job_that_failed(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a", model="sandbox-fail-server")
    result = apply_once(fleet, server.base_url, patience=Patience(wait=True, poll=0.01))
    assert (result.exit_code, result.unsuccessful) == (5, ("a",))


def test_a_retry_is_made_where_the_manifest_allows_one(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a", model="sandbox-fail-server-once", policy={"retries": 1})
    result = apply_once(fleet, server.base_url, patience=Patience(wait=True, poll=0.01))
    assert [j["metadata"]["reconciler_attempt"] for j in jobs_at(server.base_url)] == ["1", "2"]
    assert [j["status"] for j in jobs_at(server.base_url)] == ["failed", "succeeded"]
    assert result.exit_code == 0


@pytest.mark.parametrize("edit", ["nothing", "a manifest", "a training file"])
def test_an_apply_that_waited_knows_whether_the_files_are_others_by_now(
    fleet: FleetDirectory, server: Proxy, edit: str
) -> None:
    edits = {"nothing": lambda: None, "a manifest": lambda: fleet.job("b"), "a training file": lambda: _more(fleet)}
    fleet.job("a", **finish())
    patience = Patience(wait=True, poll=0.01)
    result = apply_once(fleet, server.base_url, patience=patience, settle=0, passed=lambda _: edits[edit]())
    assert (result.exit_code, result.outdated) == (0, edit != "nothing")
    assert len(jobs_at(server.base_url)) == 1


def _more(fleet: FleetDirectory) -> None:
    fleet.data("train", 13)


# ── change, remove, restore ──────────────────────────────────────────────────────────────────


def test_a_change_makes_the_new_job_and_then_cancels_the_old_one(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    apply_once(fleet, server.base_url)
    fleet.job("a", seed=8)
    server.requests.clear()
    result = apply_once(fleet, server.base_url)
    writes = [r.path.rpartition("/")[2] for r in server.posts()]
    assert writes == ["jobs", "cancel"]
    assert [(o.action, o.reason) for o in result.outcomes] == [
        (Action.CREATE, Reason.NOT_CREATED),
        (Action.CANCEL, Reason.SUPERSEDED),
    ]
    assert [j["status"] == "cancelled" for j in jobs_at(server.base_url)] == [True, False]


def test_a_removed_manifest_cancels_exactly_its_job(fleet: FleetDirectory, server: Proxy) -> None:
    for name in ("a", "b", "c"):
        fleet.job(name)
    apply_once(fleet, server.base_url)
    fleet.remove("b")
    result = apply_once(fleet, server.base_url)
    assert result.exit_code == 0
    assert [j["metadata"]["reconciler_job"] for j in live(jobs_at(server.base_url))] == ["a", "c"]


def test_a_restored_manifest_is_trained_and_a_finished_one_is_kept(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    apply_once(fleet, server.base_url)
    fleet.remove("a")
    fleet.job("other", **finish())
    apply_once(fleet, server.base_url)
    fleet.job("a")
    result = apply_once(fleet, server.base_url)
    assert [(o.action, o.reason) for o in result.outcomes] == [(Action.CREATE, Reason.RESTORED)]
    assert [j["metadata"]["reconciler_attempt"] for j in jobs_at(server.base_url, job="a")] == ["1", "2"]


def test_going_back_to_a_spec_that_has_succeeded_costs_nothing(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a", **finish())
    apply_once(fleet, server.base_url, patience=Patience(wait=True, poll=0.01))
    fleet.job("a", seed=5)
    apply_once(fleet, server.base_url)
    fleet.job("a", **finish())
    result = apply_once(fleet, server.base_url)
    assert [(o.action, o.reason) for o in result.outcomes] == [(Action.CANCEL, Reason.SUPERSEDED)]
    assert [j["status"] for j in jobs_at(server.base_url)] == ["succeeded", "cancelled"]


def test_somebody_elses_cancel_is_respected(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    apply_once(fleet, server.base_url)
    LOOPBACK.post(f"{server.base_url}/fine_tuning/jobs/{jobs_at(server.base_url)[0]['id']}/cancel")
    result = apply_once(fleet, server.base_url)
    assert result.outcomes == ()
    assert result.last.after.plan.changes[0].reason is Reason.CANCELLED


# ── answers that are lost after the job was made ─────────────────────────────────────────────

LOST = {
    "dropped": DROP,
    "hanging": HANG,
    "cut": Reply(200, b'{"id": "ftjob-1", "status": "running"}', how="cut"),
    "500": reply({"error": {"message": "server had an error"}}, 500),
    "502": Reply(502, b"<html>Bad gateway</html>", {"content-type": "text/html"}),
    "html": Reply(200, b"<html>Sign in</html>", {"content-type": "text/html"}),
    "another job": reply(
        {
            "id": "ftjob-x",
            "metadata": {
                "reconciler_fleet": "x",
                "reconciler_job": "x",
                "reconciler_revision": "0" * 16,
                "reconciler_attempt": "1",
            },
        }
    ),
}


@pytest.mark.parametrize("answer", LOST.values(), ids=LOST.keys())
def test_a_lost_answer_makes_one_job(fleet: FleetDirectory, server: Proxy, answer: Reply) -> None:
    fleet.job("a")
    server.fault = once(answer, lambda r: r.creates)
    # Long enough for a loaded machine, except where nothing will ever come.
    result = apply_once(fleet, server.base_url, deadline=0.5 if answer is HANG else 10.0)
    assert len(server.creates()) == 1
    assert result.exit_code == 0, "it was found by its marks in the same apply"
    assert apply_once(fleet, server.base_url).exit_code == 0
    server.fault = as_it_is
    assert len(jobs_at(server.base_url)) == 1


@pytest.mark.parametrize("answer", [DROP, reply({}, 500)], ids=["dropped", "500"])
def test_answers_that_are_always_lost_make_one_job_a_name(fleet: FleetDirectory, server: Proxy, answer: Reply) -> None:
    fleet.job("a")
    fleet.job("b", seed=1)
    server.fault = lambda r, was: answer if r.creates else was
    apply_once(fleet, server.base_url)
    apply_once(fleet, server.base_url)
    assert len(server.creates()) == 2
    server.fault = as_it_is
    assert [j["metadata"]["reconciler_job"] for j in jobs_at(server.base_url)] == ["a", "b"]


def test_a_create_that_really_was_lost_is_sent_again_with_the_same_attempt(
    fleet: FleetDirectory, server: Proxy
) -> None:
    fleet.job("known")
    apply_once(fleet, server.base_url)  # the provider has been seen to return our marks
    fleet.job("a", seed=3)
    swallowed: list[Request] = []

    def swallow(request: Request) -> Reply:
        if request.creates and not swallowed:
            swallowed.append(request)
            return DROP
        return server.pass_on(request)

    server.requests.clear()
    server.answer = swallow
    result = apply_once(fleet, server.base_url)
    assert result.exit_code == 0
    assert [j["metadata"]["reconciler_attempt"] for j in jobs_at(server.base_url, job="a")] == ["1"]


def test_a_create_that_another_run_here_sent_meanwhile_is_looked_for_anew(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("known")
    apply_once(fleet, server.base_url)  # the provider has been seen to return our marks
    fleet.job("a", seed=3)
    snapshot = read_directory(fleet.root)
    clock = SkippingClock()
    with run_of(fleet, server.base_url, settle=30, clock=clock) as opened:
        sent = Intent("a", snapshot.desired["a"].revision, 1)
        opened.ports.journal.record_intent(sent)
        opened.reconciler.one_pass(snapshot, BEGIN)
        clock.sleep(20)
        opened.ports.journal.drop_intent("a")
        opened.ports.journal.record_intent(sent)
        clock.sleep(20)
        again = opened.reconciler.one_pass(snapshot, BEGIN)
        assert again.outcomes == (), "its own settle window is not over"
        clock.sleep(31)
        assert [o.ok for o in opened.reconciler.one_pass(snapshot, BEGIN).outcomes] == [True]


def test_where_marks_were_never_seen_a_lost_create_is_never_sent_again(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    server.requests.clear()
    server.answer = lambda r: DROP if r.creates else server.pass_on(r)
    result = apply_once(fleet, server.base_url)
    assert result.exit_code == 1
    assert result.last.after.plan.changes[0].reason is Reason.CREATE_UNRESOLVED
    server.answer = server.pass_on
    assert apply_once(fleet, server.base_url).exit_code == 1
    assert len(server.creates()) == 1
    assert jobs_at(server.base_url) == []


def test_two_creates_that_stay_unresolved_do_not_keep_an_apply_looking_for_ever(
    fleet: FleetDirectory, server: Proxy
) -> None:
    fleet.job("a")
    fleet.job("b", seed=1)
    server.answer = lambda r: DROP if r.creates else server.pass_on(r)
    clock = SkippingClock()

    class Enough(Exception):
        """It has slept more often than it can have reason to."""

    def sleep(seconds: float) -> None:
        if len(clock.slept) > 10:
            raise Enough
        SkippingClock.sleep(clock, seconds)

    clock.sleep = sleep  # type: ignore[method-assign]
    result = apply_once(fleet, server.base_url, clock=clock)
    assert result.exit_code == 1
    assert [c.reason for c in result.last.after.plan.changes] == [Reason.CREATE_UNRESOLVED] * 2


# ── refusals ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("refuse-403", Reason.CREATE_REFUSED),
        ("refuse-quota", Reason.CREATE_REFUSED),
        ("refuse-400", Reason.CREATE_REJECTED),
    ],
)
def test_a_replacement_that_is_refused_leaves_the_running_job(
    fleet: FleetDirectory, server: Proxy, script: str, reason: Reason
) -> None:
    fleet.job("a")
    apply_once(fleet, server.base_url)
    fleet.job("a", suffix=script)
    server.requests.clear()
    result = apply_once(fleet, server.base_url)
    assert len(server.creates()) == 1
    assert not [r for r in server.posts() if r.path.endswith("/cancel")]
    assert result.exit_code == 1
    assert result.last.after.plan.changes[0].reason is reason
    assert [j["status"] for j in live(jobs_at(server.base_url))] == ["running"]


def test_one_rejected_job_does_not_stop_the_others(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a", suffix="refuse-400")
    fleet.job("b")
    assert apply_once(fleet, server.base_url).exit_code == 1
    assert [j["metadata"]["reconciler_job"] for j in jobs_at(server.base_url)] == ["b"]


def test_a_provider_that_takes_no_jobs_is_asked_once(fleet: FleetDirectory, server: Proxy) -> None:
    for name in ("a", "b", "c"):
        fleet.job(name, suffix="refuse-403")
    server.requests.clear()
    assert apply_once(fleet, server.base_url).exit_code == 1
    assert len(server.creates()) == 1


def answers(server: Proxy, *replies: Reply, when: Callable[[Request], bool]) -> None:
    """What the next requests that match get, instead of what the server would do."""
    left = list(replies)
    server.answer = lambda r: left.pop(0) if left and when(r) else server.pass_on(r)


def limited(
    wait: str | None = None, *, code: str | None = "rate_limit_exceeded", status: int = 429, header: str = "retry-after"
) -> Reply:
    headers = {} if wait is None else {header: wait}
    return reply({"error": {"message": "slow down", "code": code}}, status, **headers)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (limited("7"), 7),
        (limited("7", code="slow_down"), 7),
        (limited("7", code=None), 7),
        (limited("2500", header="retry-after-ms"), 2.5),
        (limited(), 1),
        (Reply(429, b"<html>slow down</html>"), 1),
        (Reply(429, b""), 1),
    ],
    ids=["seconds", "slow_down", "no code", "ms", "no header", "HTML", "no body"],
)
def test_an_apply_that_is_told_to_wait_waits_and_goes_on(
    fleet: FleetDirectory, server: Proxy, answer: Reply, seconds: float
) -> None:
    for name in ("a", "b", "c"):
        fleet.job(name)
    clock = SkippingClock()
    answers(server, answer, answer, when=lambda r: r.creates)
    result = apply_once(fleet, server.base_url, settle=0, clock=clock)
    assert result.exit_code == 0
    assert len(jobs_at(server.base_url)) == 3
    assert len(server.creates()) == 5, "each try is sent once"
    assert len([s for s in clock.slept if 0.9 * seconds - 1 <= s <= seconds + 2]) >= 2
    assert [(o.name, o.ok) for o in result.outcomes] == [("a", True), ("b", True), ("c", True)]


def test_a_date_says_until_when_to_wait(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    clock = SkippingClock()
    answers(server, limited(at), when=lambda r: r.creates)
    assert apply_once(fleet, server.base_url, settle=0, clock=clock).exit_code == 0
    assert 70 < max(clock.slept) <= 91


@pytest.mark.parametrize("status", [429, 503, 529])
def test_an_upload_that_is_told_to_wait_is_sent_again(fleet: FleetDirectory, server: Proxy, status: int) -> None:
    fleet.job("a")
    clock = SkippingClock()
    answers(server, limited("9", status=status), when=lambda r: r.path.endswith("/files") and r.method == "POST")
    result = apply_once(fleet, server.base_url, settle=0, clock=clock)
    assert result.exit_code == 0
    assert len([r for r in server.posts() if r.path.endswith("/files")]) == 2
    assert any(8 < s <= 9 for s in clock.slept)
    assert len(jobs_at(server.base_url)) == 1


def test_a_long_wait_ends_an_apply_and_is_waited_for_with_wait(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a", **finish())
    answers(server, limited("300"), limited("300"), when=lambda r: r.creates)
    result = apply_once(fleet, server.base_url)
    assert result.exit_code == 1
    assert ["asks to wait 300 s" in o.message for o in result.outcomes] == [True]
    clock = SkippingClock()
    assert apply_once(fleet, server.base_url, patience=Patience(wait=True), settle=0, clock=clock).exit_code == 0
    assert max(clock.slept) > 290


def test_a_wait_that_the_time_limit_cuts_short_ends_there(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    clock = SkippingClock()
    answers(server, *[limited("300")] * 9, when=lambda r: r.creates)
    patience = Patience(wait=True, timeout=100.0)
    result = apply_once(fleet, server.base_url, patience=patience, settle=0, clock=clock)
    assert (result.timed_out, result.exit_code) == (True, 1)
    assert sum(clock.slept) < 120


def test_a_server_that_only_ever_says_wait_is_not_asked_for_ever(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    fleet.job("b")
    server.answer = lambda r: limited("30") if r.creates else server.pass_on(r)
    clock = SkippingClock()
    said: list[str] = []
    with run_of(fleet, server.base_url, settle=0, clock=clock) as opened:
        listener = replace(SILENT, waiting=lambda _, following: said.append(following.why))
        result = apply(opened.reconciler, read_directory(fleet.root), BEGIN, Patience(), listener)
    assert result.exit_code == 1
    assert 590 < sum(clock.slept) < 660
    assert len(server.creates()) < 25
    assert "the next create: the provider asks to wait 30 s" in said[-1]
    assert [(o.name, o.ok) for o in result.outcomes] == [("a", False)]


def test_a_file_that_is_not_ready_is_waited_for_and_then_rejected(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    not_ready = reply({"error": {"message": "file-1 is not ready yet, try again"}}, 400)
    answers(server, not_ready, not_ready, when=lambda r: r.creates)
    assert apply_once(fleet, server.base_url).exit_code == 0
    fleet.job("b")
    server.requests.clear()
    answers(server, *[not_ready] * 50, when=lambda r: r.creates)
    clock = SkippingClock()
    result = apply_once(fleet, server.base_url, patience=Patience(wait=True, timeout=500.0), settle=0, clock=clock)
    assert [c.reason for c in result.last.after.plan.changes] == [Reason.IN_PROGRESS, Reason.CREATE_REJECTED]
    assert 5 <= len(server.creates()) <= 9
    assert result.exit_code == 1


# ── what is not ours ─────────────────────────────────────────────────────────────────────────


def test_jobs_of_others_are_never_touched(fleet: FleetDirectory, server: Proxy) -> None:
    theirs = [
        make_job(server.base_url, suffix="a"),
        make_job(
            server.base_url,
            metadata=_marks("other", "a"),
        ),
        make_job(server.base_url, metadata={"reconciler_fleet": "fleet-1"}),
        make_job(server.base_url, metadata={"name": "a"}),
    ]
    fleet.job("a")
    apply_once(fleet, server.base_url)
    fleet.remove("a")
    fleet.job("b", seed=1)
    result = apply_once(fleet, server.base_url)
    assert result.last.after.plan.unmanaged == 4
    assert {j["id"] for j in live(jobs_at(server.base_url))} == {*theirs, jobs_at(server.base_url, job="b")[0]["id"]}


def drops_metadata(server: Proxy) -> Callable[[Request], Reply]:
    def drop(request: Request) -> Reply:
        if request.creates:
            body = {k: v for k, v in request.json.items() if k != "metadata"}
            request = dataclasses.replace(request, body=json.dumps(body).encode())
        return server.pass_on(request)

    return drop


@pytest.mark.parametrize("somebody_has_marks", [False, True])
def test_a_server_that_drops_metadata_gets_one_job_a_name(
    fleet: FleetDirectory, server: Proxy, *, somebody_has_marks: bool
) -> None:
    fleet.job("a")
    fleet.job("b", seed=2)
    if somebody_has_marks:  # who came by another way, that keeps them
        make_job(server.base_url, metadata=_marks("another-fleet", "a"))
    server.requests.clear()
    server.answer = drops_metadata(server)
    first = apply_once(fleet, server.base_url)
    again = apply_once(fleet, server.base_url, permission=Permission())
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert [c.reason for c in again.last.after.plan.changes] == [Reason.IN_PROGRESS, Reason.IN_PROGRESS]
    assert again.last.after.gated.refusals == ()
    assert len(jobs_at(server.base_url)) == 2 + somebody_has_marks


def test_marks_of_others_do_not_prove_that_ours_come_back(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    make_job(server.base_url, metadata=_marks("another-fleet", "a"))
    server.answer = drops_metadata(server)
    server.fault = once(DROP, lambda request: request.creates)
    apply_once(fleet, server.base_url)
    apply_once(fleet, server.base_url)
    assert len(jobs_at(server.base_url)) == 2


def _marks(fleet: str, name: str) -> dict[str, str]:
    return {
        "reconciler_fleet": fleet,
        "reconciler_job": name,
        "reconciler_revision": "0" * 16,
        "reconciler_attempt": "1",
    }


# ── two at once ──────────────────────────────────────────────────────────────────────────────


def test_two_applies_from_two_clones_leave_one_job_a_name(tmp_path: Path, server: Proxy) -> None:
    clones = [FleetDirectory(tmp_path / f"clone{i}") for i in range(2)]
    for clone in clones:
        clone.job("a")
    both_create = threading.Barrier(2)

    def meet(request: Request) -> Reply:
        if request.creates:
            both_create.wait(20)  # before either is made: neither can see the other's
        return server.pass_on(request)

    results: list[int] = []
    server.answer = meet
    runs = [
        threading.Thread(target=lambda c=clone: results.append(apply_once(c, server.base_url).exit_code))
        for clone in clones
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(server.creates()) == 2, "each believed to be alone"
    server.answer = server.pass_on
    made = jobs_at(server.base_url)
    assert results == [0, 0]
    assert len(made) == 2
    oldest = min(made, key=lambda j: (j["created_at"], j["id"]))
    assert [j["id"] for j in live(made)] == [oldest["id"]], "both keep the same one"


def test_two_applies_on_one_state_directory_take_turns(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    results: list[int] = []

    def run_one() -> None:
        result = apply_once(fleet, server.base_url, settle=0.05, clock=SystemClock())
        results.append(result.exit_code)

    runs = [threading.Thread(target=run_one) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert results == [0, 0]
    assert len(jobs_at(server.base_url)) == 1


def test_a_run_at_an_older_commit_does_not_undo_a_newer_one(tmp_path: Path, server: Proxy) -> None:
    old, new = FleetDirectory(tmp_path / "old"), FleetDirectory(tmp_path / "new")
    for clone in (old, new):
        clone.job("a")
        apply_once(clone, server.base_url)
    new.job("a", seed=1)
    new.job("b", seed=2)
    apply_once(new, server.base_url)
    alive = {j["id"] for j in live(jobs_at(server.base_url))}
    result = apply_once(old, server.base_url)
    assert result.outcomes == ()
    assert {j["id"] for j in live(jobs_at(server.base_url))} == alive
    told = {(c.name, c.reason) for c in result.last.after.plan.changes}
    assert told == {("a", Reason.CANCELLED), ("a", Reason.AHEAD), ("b", Reason.AHEAD)}
    old.job("a", seed=1)
    old.job("b", seed=2)
    caught_up = apply_once(old, server.base_url)
    assert (caught_up.outcomes, caught_up.exit_code) == ((), 0)


# ── evidence ─────────────────────────────────────────────────────────────────────────────────


def test_a_file_that_changes_between_reading_and_writing_stops_every_write(
    fleet: FleetDirectory, server: Proxy
) -> None:
    fleet.job("a")

    def edit(request: Request, answer: Reply) -> Reply:
        if request.method == "GET" and request.path.startswith("/v1/fine_tuning/jobs?"):
            fleet.data("train", 13)
        return answer

    server.fault = edit
    result = apply_once(fleet, server.base_url)
    assert server.posts() == []
    server.fault = as_it_is
    assert result.exit_code == 3
    assert [v.gate for v in result.last.after.gated.refusals] == ["evidence"]


def test_what_a_gate_refused_stays_refused_when_the_pass_looks_back(fleet: FleetDirectory) -> None:
    fleet.job("a")
    harness = DaemonHarness(fleet)
    harness.live(10)
    shutil.rmtree(fleet.root / ".reconciler")
    fleet.job("b", seed=1)
    journal = open_journal(harness.state, Identity(fleet.name, "http://memory/v1"), now=harness.clock.time)
    assert journal is not None
    with journal:
        reads = itertools.chain([True], itertools.repeat(False))
        ports = replace(harness.ports(journal, fleet.root), unchanged=lambda _: next(reads))
        done = Reconciler(ports, settle=0).one_pass(read_directory(fleet.root), BEGIN)
    assert [(c.name, c.action) for c in done.decided.plan.changes] == [("a", Action.ADOPT), ("b", Action.CREATE)]
    assert [v.gate for v in done.after.gated.refusals] == ["evidence"]


def test_a_directory_that_vanishes_during_the_listing_cancels_nothing(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    fleet.job("b")
    apply_once(fleet, server.base_url)
    fleet.remove("a")
    server.requests.clear()

    def vanish(request: Request, answer: Reply) -> Reply:
        for path in fleet.root.glob("*.yaml"):
            path.unlink()
        return answer

    server.fault = vanish
    assert apply_once(fleet, server.base_url).exit_code == 3
    assert server.posts() == []
    server.fault = as_it_is
    assert len(live(jobs_at(server.base_url))) == 2


@pytest.mark.parametrize(
    "fault", [reply({}, 500), reply({"data": "x"}), reply({}, 403), DROP], ids=["500", "odd", "403", "drop"]
)
def test_without_a_complete_listing_nothing_is_written(fleet: FleetDirectory, server: Proxy, fault: Reply) -> None:
    fleet.job("a")
    server.fault = lambda r, was: fault if r.method == "GET" else was
    with pytest.raises(ProviderError):
        apply_once(fleet, server.base_url)
    assert server.posts() == []


def test_a_fresh_look_that_says_no_stops_the_cancel(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    apply_once(fleet, server.base_url)
    job_id = jobs_at(server.base_url)[0]["id"]
    fleet.remove("a")
    fleet.job("b")
    server.requests.clear()
    stranger = reply({"id": job_id, "status": "running", "metadata": {}})
    server.fault = lambda r, was: stranger if r.path.endswith(job_id) else was
    result = apply_once(fleet, server.base_url)
    assert not [r for r in server.posts() if r.path.endswith("/cancel")]
    server.fault = as_it_is
    assert result.exit_code == 1
    assert any("does not carry this fleet's marks" in o.message for o in result.outcomes)


def stale(server: Proxy, *, times: int) -> Callable[[Request], Reply]:
    """From the first cancel on, so many listings are those of before it."""
    before: list[Reply] = []
    left = [0]

    def answer(request: Request) -> Reply:
        if request.path.endswith("/cancel"):
            left[0] = times
        lists = request.method == "GET" and request.path.partition("?")[0].endswith("/jobs")
        if lists and left[0]:
            left[0] -= 1
            return before[-1]
        reply_ = server.pass_on(request)
        if lists:
            before.append(reply_)
        return reply_

    return answer


def test_a_listing_that_lags_behind_a_cancel_is_not_asked_again_and_again(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    fleet.job("b")
    apply_once(fleet, server.base_url)
    fleet.remove("b")
    server.answer = stale(server, times=50)
    server.requests.clear()
    result = apply_once(fleet, server.base_url)
    assert result.exit_code == 0
    lists = [r for r in server.requests if r.method == "GET" and r.path.partition("?")[0].endswith("/jobs")]
    assert len(lists) == 2, "what was read back is believed"


def test_a_stale_listing_does_not_turn_our_cancel_into_somebody_elses(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    fleet.job("b")
    apply_once(fleet, server.base_url)
    fleet.remove("b")
    answer = stale(server, times=2)
    read_backs: list[Request] = []

    def unconfirmed(request: Request) -> Reply:
        """The cancel takes, and its job cannot be read back."""
        reads = request.method == "GET" and "/jobs/" in request.path
        if reads and not read_backs and any(r.path.endswith("/cancel") for r in server.posts()):
            read_backs.append(request)
            return reply({}, 404)
        return answer(request)

    server.answer = unconfirmed
    apply_once(fleet, server.base_url)
    apply_once(fleet, server.base_url)
    fleet.job("b")
    result = apply_once(fleet, server.base_url)
    assert [(o.action, o.reason) for o in result.outcomes] == [(Action.CREATE, Reason.RESTORED)]


def test_a_cancel_that_does_not_take_is_told_and_tried_once(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    fleet.job("b")
    apply_once(fleet, server.base_url)
    fleet.remove("a")
    server.requests.clear()
    server.answer = lambda r: (
        reply({"error": {"message": "not now"}}, 400) if r.path.endswith("/cancel") else server.pass_on(r)
    )
    result = apply_once(fleet, server.base_url)
    assert len([r for r in server.posts() if r.path.endswith("/cancel")]) == 1
    assert result.exit_code == 1
    assert any("is still" in o.message for o in result.outcomes)


def test_an_unwritable_journal_stops_before_the_post(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    server.requests.clear()
    snapshot = read_directory(fleet.root)
    with run_of(fleet, server.base_url) as opened:
        opened.ports.journal.close()
        with pytest.raises(JournalError):
            opened.reconciler.one_pass(snapshot, Permission(first_run=True))
    assert server.posts() == []


@pytest.mark.parametrize(("trouble", "words"), [("locked", "another reconciler"), ("full", "cannot be written")])
def test_what_was_done_is_told_whatever_goes_wrong_after(
    fleet: FleetDirectory, server: Proxy, trouble: str, words: str
) -> None:
    state = fleet.root / ".reconciler"
    rival = Lock(state)

    def spoil(_: object) -> None:
        if trouble == "locked":
            rival.acquire(timeout=0, clock=SkippingClock().monotonic, sleep=SkippingClock().sleep)
        else:
            shutil.rmtree(state / "status")
            (state / "status").touch()

    fleet.job("a")
    result = apply_once(fleet, server.base_url, settle=0, passed=spoil)
    rival.release()
    assert [(o.name, o.ok) for o in result.outcomes] == [("a", True)]
    assert words in result.failure
    assert result.exit_code == 1


# ── missing and forget ───────────────────────────────────────────────────────────────────────


def test_a_recorded_job_that_is_gone_is_held_until_it_is_forgotten(
    fleet: FleetDirectory, server: Proxy, tmp_path: Path
) -> None:
    fleet.job("a")
    fleet.job("b", seed=1)
    apply_once(fleet, server.base_url)
    gone = jobs_at(server.base_url, job="a")[0]["id"]

    def hide(request: Request, answer: Reply) -> Reply:
        if request.path.endswith(gone):
            return reply({"error": {"code": "fine_tune_not_found"}}, 404)
        if request.method == "GET" and "/jobs?" in request.path:
            listing = json.loads(answer.body)
            listing["data"] = [j for j in listing["data"] if j["id"] != gone]
            return reply(listing)
        return answer

    server.fault = hide
    server.requests.clear()
    result = apply_once(fleet, server.base_url)
    assert result.exit_code == 1
    assert result.last.after.plan.changes[0].reason is Reason.MISSING
    assert server.creates() == []
    with run_of(fleet, server.base_url) as opened:
        assert opened.reconciler.forget(read_directory(fleet.root), "a")
    assert apply_once(fleet, server.base_url).exit_code == 0
    assert len(server.creates()) == 1


# ── several runs and their memory ────────────────────────────────────────────────────────────


def test_each_lost_create_has_a_settle_window_of_its_own_also_in_another_run(
    fleet: FleetDirectory, server: Proxy, sandbox: str
) -> None:
    """Found by trying: a second POST of the same attempt was judged by the first one's window."""
    clock = SkippingClock()
    fleet.job("known")
    apply_once(fleet, server.base_url, clock=clock)
    fleet.job("x", seed=1)
    swallow, hidden = [True], set[str]()

    def answer(request: Request) -> Reply:
        if request.creates:
            if swallow:
                swallow.pop()
                return DROP
            server.pass_on(request)
            return DROP
        told = server.pass_on(request)
        if request.method == "GET" and "/fine_tuning/jobs?" in request.path:
            page = json.loads(told.body)
            page["data"] = [j for j in page["data"] if j["id"] not in hidden]
            return reply(page)
        return told

    server.answer = answer
    snapshot = read_directory(fleet.root)
    with run_of(fleet, server.base_url, clock=clock) as first, run_of(fleet, server.base_url, clock=clock) as second:
        assert first.reconciler.one_pass(snapshot, BEGIN).outcomes[0].unknown
        clock.sleep(1)
        assert second.reconciler.one_pass(snapshot, BEGIN).outcomes == ()
        clock.sleep(30)
        assert first.reconciler.one_pass(snapshot, BEGIN).outcomes[0].unknown, "sent again, and lost again"
        hidden |= {j["id"] for j in jobs_at(sandbox, job="x")}
        clock.sleep(1)
        assert second.reconciler.one_pass(snapshot, BEGIN).outcomes == (), "its window is not over"


def test_a_run_whose_earlier_ones_had_nothing_to_do_has_their_memory(tmp_path: Path, server: Proxy) -> None:
    """Found by trying: such a run was taken for one without memory, and retired a rival's job."""
    first, second = FleetDirectory(tmp_path / "first"), FleetDirectory(tmp_path / "second")
    second.job("x")
    apply_once(second, server.base_url)
    first.job("x")
    apply_once(first, server.base_url)
    second.job("y", seed=1)
    apply_once(second, server.base_url)
    result = apply_once(first, server.base_url)
    assert [(c.name, c.reason) for c in result.last.after.plan.changes] == [
        ("x", Reason.IN_PROGRESS),
        ("y", Reason.AHEAD),
    ]
    assert len(live(jobs_at(server.base_url))) == 2


def test_a_suspended_first_run_leaves_what_it_saw_to_the_next(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    fleet.job("old", seed=1)
    apply_once(fleet, server.base_url)
    shutil.rmtree(fleet.root / ".reconciler")
    fleet.remove("old")
    fleet.fleet(state="suspended")
    apply_once(fleet, server.base_url)
    fleet.fleet()
    result = apply_once(fleet, server.base_url)
    assert [(o.name, o.reason, o.ok) for o in result.outcomes] == [("old", Reason.REMOVED, True)]


def test_a_run_that_was_overtaken_on_its_own_state_directory_leaves_the_newer_spec_alone(
    tmp_path: Path, server: Proxy
) -> None:
    """Found by trying: what another process wrote into the shared journal passed for this one's own wish."""
    old, new, state = FleetDirectory(tmp_path / "old"), FleetDirectory(tmp_path / "new"), tmp_path / "state"
    old.job("a")
    new.job("a", seed=1)
    new.job("b", seed=2)
    told = read_directory(old.root)
    with run_of(old, server.base_url, settle=0, state_dir=state) as running:
        running.reconciler.one_pass(told, BEGIN)
        apply_once(new, server.base_url, settle=0, state_dir=state)
        alive = {j["id"] for j in live(jobs_at(server.base_url))}
        done = running.reconciler.one_pass(told, BEGIN)
    assert done.outcomes == ()
    assert {(c.name, c.reason) for c in done.after.plan.changes} == {("a", Reason.OVERTAKEN), ("b", Reason.OVERTAKEN)}
    assert {j["id"] for j in live(jobs_at(server.base_url))} == alive
    assert len(jobs_at(server.base_url)) == 3


def test_what_no_second_read_confirmed_was_never_wanted(fleet: FleetDirectory, server: Proxy) -> None:
    """Found by simulation: half of an edit, read once, passed for a wish, and a rival's job for its outdated work."""
    fleet.job("a")
    torn = read_directory(fleet.root)
    fleet.job("a", seed=1)
    with run_of(fleet, server.base_url, settle=0) as running:
        assert running.reconciler.one_pass(torn, BEGIN).outcomes == ()
        assert running.ports.journal.memory().wanted == {}
        whole = read_directory(fleet.root)
        assert [o.ok for o in running.reconciler.one_pass(whole, BEGIN).outcomes] == [True]
        assert set(running.ports.journal.memory().wanted) == {("a", whole.desired["a"].revision)}


def test_what_a_fresh_look_saw_ended_is_ended_whatever_the_listing_says(fleet: FleetDirectory, server: Proxy) -> None:
    """Found by trying: apply asked again and again, without a pause, while the listing was stale."""
    fleet.job("a")
    fleet.job("b", seed=1)
    apply_once(fleet, server.base_url)
    (job,) = jobs_at(server.base_url, job="a")
    stale = server.pass_on(Request("GET", "/v1/fine_tuning/jobs?limit=100", {}, b""))
    LOOPBACK.post(f"{server.base_url}/fine_tuning/jobs/{job['id']}/cancel")
    fleet.remove("a")
    listing = "/fine_tuning/jobs?limit=100"
    server.fault = lambda request, answer: stale if request.path.endswith(listing) else answer
    server.requests.clear()
    assert apply_once(fleet, server.base_url).exit_code == 0
    assert len(server.requests) < 10
    assert server.posts() == []


def test_one_job_that_cannot_be_read_holds_its_own_name_alone(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    fleet.job("b", seed=1)
    apply_once(fleet, server.base_url)
    (job,) = jobs_at(server.base_url, job="a")

    def hide(request: Request, answer: Reply) -> Reply:
        if request.path.endswith(f"/jobs/{job['id']}"):
            return reply({"error": {"message": "no"}}, 400)
        if "/fine_tuning/jobs?" in request.path:
            page = json.loads(answer.body)
            page["data"] = [j for j in page["data"] if j["id"] != job["id"]]
            return reply(page)
        return answer

    server.fault = hide
    fleet.job("c", seed=2)
    result = apply_once(fleet, server.base_url)
    assert {(c.name, c.reason) for c in result.last.after.plan.changes} == {
        ("a", Reason.MISSING),
        ("b", Reason.IN_PROGRESS),
        ("c", Reason.IN_PROGRESS),
    }
    assert result.exit_code == 1


def test_a_name_that_somebody_else_has_brought_back_is_not_removed_again(tmp_path: Path, server: Proxy) -> None:
    """Found by the simulation: a run a commit behind cancelled what the newer commit had just made."""
    old, new = FleetDirectory(tmp_path / "old"), FleetDirectory(tmp_path / "new")
    for clone in (old, new):
        clone.job("keep", seed=9)
        clone.job("a")
        apply_once(clone, server.base_url)
    for clone in (old, new):
        clone.remove("a")
        apply_once(clone, server.base_url)
    assert [j["metadata"]["reconciler_job"] for j in live(jobs_at(server.base_url))] == ["keep"]
    apply_once(old, server.base_url)
    new.job("a", seed=1)
    apply_once(new, server.base_url)
    again = apply_once(old, server.base_url)
    assert again.outcomes == ()
    assert ("a", Reason.AHEAD) in {(c.name, c.reason) for c in again.last.after.plan.changes}
    old.job("a", seed=1)
    assert apply_once(old, server.base_url).outcomes == ()
    old.remove("a")
    (outcome,) = apply_once(old, server.base_url).outcomes
    assert (outcome.name, outcome.reason, outcome.ok) == ("a", Reason.REMOVED, True)


def test_a_job_that_was_bound_is_reported_in_the_same_words_by_the_next_run(
    fleet: FleetDirectory, server: Proxy
) -> None:
    """Found by the simulation: the status said Adopted, and InProgress a pass later."""
    fleet.job("a")
    apply_once(fleet, server.base_url)
    shutil.rmtree(fleet.root / ".reconciler")
    apply_once(fleet, server.base_url)
    before = fleet.times()
    apply_once(fleet, server.base_url)
    assert fleet.times() == before


def test_a_provider_that_takes_its_time_to_cancel_has_cancelled_for_us(fleet: FleetDirectory, server: Proxy) -> None:
    """Found by trying: a job that was still live at the next pass counted as cancelled by somebody else."""
    fleet.job("a")
    fleet.job("keep", seed=1)
    apply_once(fleet, server.base_url)
    (job,) = jobs_at(server.base_url, job="a")
    looks = iter(range(6))

    def slowly(request: Request, answer: Reply) -> Reply:
        about = request.path.endswith(f"/jobs/{job['id']}") and next(looks, None) is not None
        return reply({**job, "status": "running"}) if about else answer

    fleet.remove("a")
    server.fault = slowly
    assert apply_once(fleet, server.base_url).exit_code in {0, 1}
    server.fault = as_it_is
    apply_once(fleet, server.base_url)
    fleet.job("a")
    result = apply_once(fleet, server.base_url)
    assert [(o.name, o.reason) for o in result.outcomes] == [("a", Reason.RESTORED)]


def test_a_cancel_that_was_refused_does_not_make_somebody_elses_ours(fleet: FleetDirectory, server: Proxy) -> None:
    """Found by the simulation: a job was trained again that a human had cancelled after our cancel was not sent."""
    fleet.job("a")
    fleet.job("keep", seed=1)
    apply_once(fleet, server.base_url)
    (job,) = jobs_at(server.base_url, job="a")
    fleet.remove("a")
    answer = server.answer
    server.answer = lambda request: reply({}, 403) if request.path.endswith("/cancel") else answer(request)
    assert apply_once(fleet, server.base_url).exit_code == 1
    server.answer = answer
    fleet.job("a")
    LOOPBACK.post(f"{server.base_url}/fine_tuning/jobs/{job['id']}/cancel")
    result = apply_once(fleet, server.base_url)
    assert result.outcomes == ()
    assert ("a", Reason.CANCELLED) in {(c.name, c.reason) for c in result.last.after.plan.changes}
