"""A server that drops `method` trains another job than was asked for: it ends, and is not made again by itself."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.change import Action
from reconciler.core.gates import Permission
from reconciler.core.reason import Reason
from reconciler.engine.apply import Result
from tests.fakes.faulty import DROP, once, reply
from tests.fakes.fleets import BEGIN, FleetDirectory, apply_once
from tests.fakes.forgetful import ForgetfulServer, Made, Show, after_creating, shows, with_metadata

MARKED = with_metadata(shows("model", "seed"))
UNMARKED = shows("model", "seed")
WHOLE = with_metadata(shows("model", "seed", "method"))
DPO = {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 3}}}


@pytest.fixture
def server() -> Iterator[ForgetfulServer]:
    with ForgetfulServer(read=MARKED) as running:
        yield running


@pytest.fixture
def fleet(tmp_path: Path) -> FleetDirectory:
    fleet = FleetDirectory(tmp_path / "fleet")
    fleet.job("a", training_file="file-1", method=DPO)
    return fleet


Run = Callable[..., Result]


@pytest.fixture
def run(fleet: FleetDirectory, server: ForgetfulServer) -> Run:
    """`apply --yes --first-run`."""
    return lambda **settings: apply_once(fleet, server.base_url, **settings)


def told(result: Result) -> dict[str, Reason]:
    return {change.name: change.reason for change in result.last.after.plan.changes}


def done(result: Result) -> list[tuple[Action, Reason, bool]]:
    return [(outcome.action, outcome.reason, outcome.ok) for outcome in result.outcomes]


def statuses(server: ForgetfulServer) -> list[str]:
    return [job.status for job in server.jobs]


MADE_AND_ENDED = [(Action.CREATE, Reason.NOT_CREATED, True), (Action.CANCEL, Reason.METHOD_LOST, True)]


@pytest.mark.parametrize(
    "read",
    [
        MARKED,
        UNMARKED,
        with_metadata(shows("seed", method=lambda _: {"type": "supervised", "supervised": {}})),
        with_metadata(shows("seed", method=lambda _: None)),
    ],
    ids=["left out", "left out with the metadata", "another one", "null"],
)
def test_it_is_ended_at_once_and_never_made_again(
    server: ForgetfulServer, run: Run, tmp_path: Path, read: Show
) -> None:
    server.read = read
    first = run()
    assert done(first) == MADE_AND_ENDED
    assert (told(first), first.exit_code) == ({"a": Reason.METHOD_LOST}, 1)
    (change,) = first.last.after.plan.changes
    assert "method dpo was sent" in change.message
    for state in ("fleet/.reconciler", "new", "newer"):
        again = run(state_dir=tmp_path / state)
        assert (told(again), again.outcomes, again.exit_code) == ({"a": Reason.METHOD_LOST}, (), 1)
    assert statuses(server) == ["cancelled"]


def test_one_that_shows_its_method_goes_on(server: ForgetfulServer, run: Run) -> None:
    server.read = WHOLE
    assert told(run()) == {"a": Reason.IN_PROGRESS}
    assert statuses(server) == ["running"]


def test_a_look_at_the_job_alone_counts_for_more_than_the_answer_and_the_listing(
    server: ForgetfulServer, run: Run, tmp_path: Path
) -> None:
    server.read, server.create = WHOLE, MARKED
    server.fault = lambda request, answer: (
        reply({"object": "list", "data": [MARKED(job) for job in server.jobs], "has_more": False})
        if request.method == "GET" and "/fine_tuning/jobs?" in request.path
        else answer
    )
    for state in ("one", "one", "other"):
        result = run(state_dir=tmp_path / state)
        assert (told(result), result.exit_code) == ({"a": Reason.IN_PROGRESS}, 0)
    assert statuses(server) == ["running"]


@pytest.mark.parametrize("read", [MARKED, UNMARKED], ids=["marked", "unmarked"])
def test_the_operator_may_say_that_it_is_trained_all_the_same(server: ForgetfulServer, run: Run, read: Show) -> None:
    server.read = read
    run()
    result = run(assume=("method",))
    assert done(result) == [(Action.CREATE, Reason.RESTORED, True)]
    assert result.exit_code == 0
    assert statuses(server) == ["cancelled", "running"]


def test_a_new_revision_goes_on(server: ForgetfulServer, fleet: FleetDirectory, run: Run) -> None:
    run()
    server.read = with_metadata(
        shows("seed", method=lambda job: job.body["method"] if job is server.jobs[-1] else None)
    )
    fleet.job("a", training_file="file-1", method=DPO, rerun=1)
    assert told(run()) == {"a": Reason.IN_PROGRESS}
    fleet.job("a", training_file="file-1", method=DPO)
    result = run()
    lost, kept = result.last.after.plan.changes
    assert (lost.reason, kept.reason) == (Reason.METHOD_LOST, Reason.IN_PROGRESS), "going back makes it no better"
    assert statuses(server) == ["cancelled", "running"]


def test_a_supervised_job_of_a_server_that_shows_no_method_is_what_was_asked_for(
    server: ForgetfulServer, fleet: FleetDirectory, run: Run
) -> None:
    fleet.job("a", training_file="file-1", method={"type": "supervised", "supervised": {}})
    assert told(run()) == {"a": Reason.IN_PROGRESS}


def test_one_whose_answer_was_lost_is_ended_when_it_is_found(server: ForgetfulServer, run: Run) -> None:
    server.make("succeeded", metadata={"reconciler_fleet": "fleet-1", "reconciler_job": "z",
                                       "reconciler_revision": "0" * 16, "reconciler_attempt": "1"})  # fmt: skip
    server.fault = after_creating(DROP)
    result = run()
    assert done(result)[-1] == (Action.CANCEL, Reason.METHOD_LOST, True)
    assert told(result)["a"] is Reason.METHOD_LOST
    assert statuses(server) == ["succeeded", "cancelled"]


@pytest.mark.parametrize("read", [MARKED, UNMARKED], ids=["marked", "unmarked"])
def test_a_look_that_fails_leaves_it_to_the_next_run(server: ForgetfulServer, run: Run, read: Show) -> None:
    server.read = read
    server.fault = lambda request, answer: (
        reply({"error": {"message": "not now"}}, 500)
        if request.method == "GET" and request.path.endswith("/ftjob-1")
        else answer
    )
    assert run().exit_code == 1
    assert statuses(server) == ["running"]
    server.fault = lambda _, answer: answer
    assert done(run()) == [(Action.CANCEL, Reason.METHOD_LOST, True)]
    assert statuses(server) == ["cancelled"]


@pytest.mark.parametrize("read", [MARKED, UNMARKED], ids=["marked", "unmarked"])
def test_one_that_a_slow_server_does_not_show_at_once_is_ended_by_the_same_run(
    server: ForgetfulServer, run: Run, read: Show
) -> None:
    server.read = read
    server.fault = once(
        reply({"error": {"message": "no such job"}}, 404),
        lambda request: request.method == "GET" and request.path.endswith("/ftjob-1"),
    )
    made, unsent, ended = run().outcomes
    assert (made.ok, unsent.ok, unsent.sent) == (True, False, False)
    assert (ended.action, ended.reason, ended.ok) == (Action.CANCEL, Reason.METHOD_LOST, True)
    assert statuses(server) == ["cancelled"]


def test_a_job_without_marks_that_only_looks_like_ours_is_left_to_a_person(
    server: ForgetfulServer, run: Run, tmp_path: Path
) -> None:
    server.read = WHOLE
    run()
    server.read = UNMARKED
    result = run(state_dir=tmp_path / "new")
    assert told(result) == {"a": Reason.METHOD_LOST}
    assert (result.outcomes, result.exit_code) == ((), 1)
    (change,) = result.last.after.plan.changes
    assert "cancel it by hand" in change.message
    assert statuses(server) == ["running"]


def test_an_answer_that_names_a_job_of_before_ends_nothing(server: ForgetfulServer, run: Run) -> None:
    server.read = shows("seed")
    theirs = server.make(model="m", seed=1)
    server.fault = after_creating(reply({"id": theirs.id, "status": "running"}))
    run()
    assert theirs.status == "running"


def test_what_answers_with_another_seed_and_without_marks_is_not_ours_to_end(server: ForgetfulServer, run: Run) -> None:
    server.read = shows(seed=lambda _: 5)
    result = run()
    assert result.exit_code == 1
    assert statuses(server) == ["running"]


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_one_that_ended_by_itself_is_not_the_job_either(
    server: ForgetfulServer, fleet: FleetDirectory, run: Run, status: str
) -> None:
    fleet.job("a", training_file="file-1", method=DPO, policy={"retries": 3})
    fleet.job("b", model=None, model_from={"job": "a"})

    def ended(job: Made) -> dict[str, Any]:
        return {**MARKED(job), "status": status, "fine_tuned_model": "ft:m" if status == "succeeded" else None}

    server.read = ended
    result = run()
    assert told(result) == {"a": Reason.METHOD_LOST, "b": Reason.DEPENDENCY_FAILED}
    assert len(server.jobs) == 1


def test_an_approval_of_the_create_covers_its_end(server: ForgetfulServer, run: Run) -> None:
    approved: list[frozenset[str]] = [frozenset()]
    refused = run(permission=Permission(first_run=True, approved=approved[0]))
    (create,) = (c.write for c in refused.last.after.gated.plan.changes)
    assert create is not None
    permission = Permission(first_run=True, approved=frozenset({f"create a {create.revision} 1"}))
    assert done(run(permission=permission)) == MADE_AND_ENDED


def test_a_cancel_that_does_not_take_is_tried_again_by_the_next_run(server: ForgetfulServer, run: Run) -> None:
    whole = server.answer
    server.answer = lambda request: reply({}, 409) if request.path.endswith("/cancel") else whole(request)
    assert run().exit_code == 1
    assert statuses(server) == ["running"]
    server.answer = whole
    run()
    assert statuses(server) == ["cancelled"]


def mismatches(logged: str) -> list[tuple[str, str]]:
    found = [json.loads(line) for line in logged.splitlines() if '"job.mismatched"' in line]
    return [(line["level"], line["why"]) for line in found]


@pytest.mark.parametrize("answer", ["comes", "is lost"])
def test_each_contradiction_is_logged_once(
    server: ForgetfulServer, fleet: FleetDirectory, run: Run, capsys: pytest.CaptureFixture[str], answer: str
) -> None:
    server.read = with_metadata(shows("seed", suffix=lambda _: "another"))
    fleet.job("b", training_file="file-1")
    if answer == "is lost":
        server.fault = after_creating(DROP)
    run()
    told = mismatches(capsys.readouterr().err)
    assert sorted(told) == [
        ("error", "another job than was asked for: method dpo was sent, and the server made it without one"),
        ("warning", "suffix: none was sent, the server shows another"),
    ]
    run()
    assert mismatches(capsys.readouterr().err) == []


@pytest.mark.parametrize("gateway", ["n_epochs", "suffix", "seed"])
def test_any_other_contradiction_is_a_warning(
    server: ForgetfulServer, fleet: FleetDirectory, run: Run, gateway: str
) -> None:
    changed: dict[str, Callable[[Made], Any]] = {
        "n_epochs": lambda _: {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 1}}},
        "suffix": lambda _: "another",
        "seed": lambda _: 9,
    }
    fleet.job("a", training_file="file-1", method=DPO, suffix="mine")
    field = "method" if gateway == "n_epochs" else gateway
    server.read = with_metadata(shows("method", "seed", "suffix", **{field: changed[gateway]}))
    for _ in range(2):
        result = run(permission=BEGIN)
        (change,) = result.last.after.plan.changes
        assert (change.reason, result.exit_code) == (Reason.IN_PROGRESS, 0)
        assert f"warning: it is not as it was asked for ({gateway}: " in change.message
    assert statuses(server) == ["running"]
