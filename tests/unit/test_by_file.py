"""A server that drops metadata and returns the training file: all is as with marks. The server's ledger judges."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.change import Action
from reconciler.core.reason import Reason
from reconciler.engine.apply import Result
from reconciler.source.directory import read_directory
from tests.fakes.faulty import DROP, Reply, Request, as_it_is, once, reply
from tests.fakes.fleets import FleetDirectory, apply_once, run_of
from tests.fakes.forgetful import ForgetfulServer, Show, after_creating, shows, swallowing, with_metadata

FILE_AND_SEED = shows("model", "training_file", "seed")
FILE = shows("model", "training_file")
SHAPES: dict[str, Show] = {
    "file and seed": FILE_AND_SEED,
    "the file alone": FILE,
    "a seed that is always 0": shows("training_file", seed=lambda _: 0),
    "the seed as a text": shows("training_file", seed=lambda job: str(job.body["seed"])),
    "another model": shows("training_file", "seed", model=lambda _: "azure/my-deployment"),
}


@pytest.fixture
def server() -> Iterator[ForgetfulServer]:
    with ForgetfulServer(read=FILE_AND_SEED, keeps_names=True) as running:
        yield running


@pytest.fixture
def fleet(tmp_path: Path) -> FleetDirectory:
    return FleetDirectory(tmp_path / "fleet")


Runner = Callable[[], Result]


@pytest.fixture
def runner(fleet: FleetDirectory, server: ForgetfulServer, tmp_path: Path) -> Runner:
    """`apply --yes --first-run` on a runner that has never run before."""
    numbers = iter(range(100))
    return lambda: apply_once(fleet, server.base_url, state_dir=tmp_path / f"state{next(numbers)}")


def statuses(server: ForgetfulServer) -> list[str]:
    return [job.status for job in server.jobs]


def reasons(result: Result) -> dict[str, Reason]:
    return {change.name: change.reason for change in result.last.after.plan.changes}


every_shape = pytest.mark.parametrize("show", SHAPES.values(), ids=SHAPES)


@every_shape
def test_three_runners_without_state_make_each_job_once(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner, show: Show
) -> None:
    for name in ("a", "b"):
        fleet.job(name)
    server.read = show
    told: list[str] = []
    for _ in range(3):
        assert runner().exit_code == 0
    apply_once(fleet, server.base_url, announce=lambda d: told.extend(c.message for c in d.plan.changes))
    assert told == ["running already, recognised by its training file; no second one is made"] * 2
    assert statuses(server) == ["running", "running"]
    revision = read_directory(fleet.root).desired["a"].revision
    assert f"fleet-1.a.{revision}.1.jsonl" in server.files.values()


@every_shape
def test_a_runner_without_state_cancels_what_was_removed(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner, show: Show
) -> None:
    for name in ("a", "b"):
        fleet.job(name)
    server.read = show
    runner()
    fleet.remove("a")
    assert runner().exit_code == 0
    assert statuses(server) == ["cancelled", "running"]


def test_a_removed_job_that_was_to_be_left_is_left(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner
) -> None:
    fleet.job("a", policy={"on_remove": "orphan"})
    fleet.job("b")
    runner()
    fleet.remove("a")
    assert reasons(runner()) == {"a": Reason.ORPHANED, "b": Reason.IN_PROGRESS}
    assert statuses(server) == ["running", "running"]


@every_shape
def test_a_changed_spec_replaces_its_job_and_going_back_restores_it(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner, show: Show
) -> None:
    server.read = show
    fleet.job("a")
    runner()
    fleet.job("a", suffix="v2")
    runner()
    assert statuses(server) == ["cancelled", "running"]
    fleet.job("a")
    runner()
    assert statuses(server) == ["cancelled", "cancelled", "running"]
    assert [job.body["metadata"]["reconciler_attempt"] for job in server.jobs] == ["1", "1", "2"]


@every_shape
def test_the_first_answer_of_all_is_lost_and_its_job_is_found(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner, show: Show
) -> None:
    fleet.job("a")
    server.read = show
    server.fault = once(DROP, lambda request: request.creates)
    assert reasons(apply_once(fleet, server.base_url)) == {"a": Reason.IN_PROGRESS}
    assert runner().exit_code == 0
    assert statuses(server) == ["running"]


@every_shape
def test_a_create_that_never_happened_is_sent_again_once_a_file_was_seen_to_come_back(
    fleet: FleetDirectory, server: ForgetfulServer, show: Show
) -> None:
    server.read = show
    fleet.job("known")
    apply_once(fleet, server.base_url)
    fleet.job("a")
    whole, server.answer = server.answer, swallowing(server, DROP)
    apply_once(fleet, server.base_url)
    server.answer = whole
    assert apply_once(fleet, server.base_url).exit_code == 0
    assert len(server.jobs) == 2
    assert len([name for name in server.files.values() if ".a." in name]) == 1, "the file of that attempt is there"


def test_it_is_not_sent_again_before(fleet: FleetDirectory, server: ForgetfulServer) -> None:
    fleet.job("a")
    server.answer = swallowing(server, DROP)
    for _ in range(2):
        assert reasons(apply_once(fleet, server.base_url)) == {"a": Reason.CREATE_UNRESOLVED}
    assert len(server.creates()) == 1


def test_nor_where_the_manifest_names_the_file_by_id_and_no_seed_comes_back(
    fleet: FleetDirectory, server: ForgetfulServer
) -> None:
    server.read = FILE
    fleet.job("known")
    apply_once(fleet, server.base_url)
    fleet.job("a", training_file="file-1")
    server.answer = swallowing(server, DROP)
    for _ in range(2):
        assert reasons(apply_once(fleet, server.base_url))["a"] is Reason.CREATE_UNRESOLVED
    assert len(server.creates()) == 2


def test_a_job_whose_file_the_manifest_names_is_made_once_by_runners_without_state(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner
) -> None:
    server.read = FILE
    fleet.job("known")
    runner()
    fleet.job("a", training_file="file-1")
    for _ in range(2):
        assert reasons(runner())["a"] is Reason.NO_IDENTITY, "nothing that comes back would tell it from another"
    server.read = FILE_AND_SEED
    for _ in range(2):
        assert runner().exit_code == 0
    assert len(server.jobs) == 2


def test_a_gateway_that_repeats_a_create_leaves_one_job(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner
) -> None:
    def twice(request: Request, answer: Reply) -> Reply:
        if request.creates:
            server.make(**request.json)
        return answer

    fleet.job("a")
    server.fault = twice
    apply_once(fleet, server.base_url)
    assert statuses(server) == ["running", "cancelled"]


# ── what is not ours ─────────────────────────────────────────────────────────────────────────


BY_HAND = {"another seed": {"seed": 4711}, "no seed": {}, "a seed of 0": {"seed": 0}}


@pytest.mark.parametrize("more", BY_HAND.values(), ids=BY_HAND)
def test_a_job_that_a_person_started_on_our_file_is_never_touched(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner, more: dict[str, Any]
) -> None:
    fleet.job("a")
    fleet.job("b")
    runner()
    theirs = server.make(model="sandbox-slow", training_file="file-1", **more)
    runner()
    fleet.remove("a")
    for _ in range(2):
        runner()
    fleet.fleet(state="cancelled")
    apply_once(fleet, server.base_url)
    assert statuses(server) == ["cancelled", "cancelled", "running"]
    assert theirs.status == "running"


def test_where_no_seed_comes_back_a_second_job_on_our_file_may_be_a_persons_and_is_left(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner
) -> None:
    server.read = shows("training_file", created_at=lambda job: int(job.id.rpartition("-")[2]))
    fleet.job("a")
    fleet.job("b")
    runner()
    server.make(model="sandbox-slow", training_file="file-1")
    fleet.remove("a")
    for _ in range(2):
        runner()
    assert statuses(server) == ["cancelled", "running", "running"]


def test_nor_is_one_with_our_seed_and_a_suffix_of_its_own(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner
) -> None:
    server.read = shows("model", "training_file", "seed", "suffix")
    fleet.job("a", suffix="ours")
    runner()
    server.make(**{**server.jobs[0].body, "suffix": "theirs"})
    for _ in range(2):
        runner()
    assert statuses(server) == ["running", "running"]


def test_a_file_of_another_fleet_is_not_ours(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner, tmp_path: Path
) -> None:
    other = FleetDirectory(tmp_path / "other", name="fleet-10")
    for one in (other, fleet):
        one.job("a")
        one.job("b")
    apply_once(other, server.base_url)
    runner()
    assert len(server.jobs) == 4
    fleet.remove("a")
    runner()
    assert statuses(server) == ["running", "running", "cancelled", "running"]


def test_a_job_on_our_file_that_may_be_ours_holds_back_the_create(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner
) -> None:
    fleet.job("a")
    server.fault = after_creating(reply({"error": {"message": "no"}}, 400))
    runner()
    server.jobs.clear()
    server.make(model="sandbox-slow", training_file="file-1", seed=4711)
    server.fault = as_it_is
    result = runner()
    (change,) = result.last.after.plan.changes
    assert change.reason is Reason.NO_IDENTITY
    assert "trains on the file that was uploaded for this very job" in change.message
    assert len(server.jobs) == 1


# ── what it asks for ─────────────────────────────────────────────────────────────────────────


def asked(server: ForgetfulServer) -> list[str]:
    return [r.path for r in server.requests if r.method == "GET" and r.path.startswith("/v1/files")]


def test_where_marks_come_back_no_file_is_asked_for_and_uploads_go_by_content(
    fleet: FleetDirectory, server: ForgetfulServer
) -> None:
    server.read = with_metadata(FILE_AND_SEED)
    fleet.job("a")
    apply_once(fleet, server.base_url)
    server.make(model="m", training_file="file-9", metadata={})
    server.requests.clear()
    apply_once(fleet, server.base_url)
    assert asked(server) == []
    fleet.data("other", 13)
    fleet.job("b", training_file="data/other.jsonl")
    fleet.job("c")
    apply_once(fleet, server.base_url)
    assert [name.startswith("other-") for name in server.files.values()] == [False, True], "the bytes of c are there"
    assert server.jobs[-1].body["training_file"] == server.jobs[0].body["training_file"]


def test_a_file_is_asked_for_once_a_run(fleet: FleetDirectory, server: ForgetfulServer) -> None:
    fleet.job("a")
    apply_once(fleet, server.base_url)
    server.requests.clear()
    with run_of(fleet, server.base_url) as opened:
        snapshot = read_directory(fleet.root)
        for _ in range(3):
            opened.reconciler.observe(snapshot)
    assert asked(server) == ["/v1/files/file-1"]


@pytest.mark.parametrize("lists_files", [True, False])
def test_many_files_cost_a_bounded_number_of_requests(
    fleet: FleetDirectory, server: ForgetfulServer, *, lists_files: bool
) -> None:
    server.lists_files = lists_files
    for number in range(100):
        server.files[f"file-{number + 1}"] = f"theirs-{number}.jsonl"
        server.make(model="m", training_file=f"file-{number + 1}", seed=number + 1)
    with run_of(fleet, server.base_url) as opened:
        opened.reconciler.observe(read_directory(fleet.root))
    assert len(asked(server)) == (1 if lists_files else 21)


def test_a_file_that_cannot_be_read_holds_up_nothing_else(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner
) -> None:
    fleet.job("a")
    runner()
    server.fault = lambda request, answer: (
        reply({}, 500) if request.method == "GET" and request.path == "/v1/files/file-1" else answer
    )
    fleet.job("b")
    result = runner()
    assert result.exit_code == 0
    assert [(o.action, o.name) for o in result.outcomes] == [(Action.CREATE, "b")], "a is known by its seed"
    assert len(server.jobs) == 2


def test_a_deleted_file_takes_its_name_with_it_and_no_second_job_is_made(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner
) -> None:
    fleet.job("a")
    fleet.job("b")
    for show in (FILE_AND_SEED, FILE):
        server.read = show
        runner()
        server.files.pop("file-1", None)
        for _ in range(2):
            runner()
        assert len(server.jobs) == 2


def test_what_identity_rests_on_is_remembered(fleet: FleetDirectory, server: ForgetfulServer) -> None:
    fleet.job("a")
    apply_once(fleet, server.base_url)
    with run_of(fleet, server.base_url) as opened:
        memory = opened.ports.journal.memory()
    assert (memory.echoes, memory.files, memory.seeds) == (False, True, True)
    assert "the name of its training file" in memory.identity


# ── a seed of the manifest's own, once the state directory is lost ───────────────────────────


def test_a_seed_that_the_manifest_sets_is_known_of_its_present_spec(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner
) -> None:
    fleet.job("a", seed=7)
    for _ in range(3):
        assert reasons(runner()) == {"a": Reason.IN_PROGRESS}
    assert statuses(server) == ["running"]
    fleet.job("a", seed=7, policy={"state": "cancelled"})
    assert (runner().exit_code, statuses(server)) == (0, ["cancelled"])


@pytest.mark.parametrize("gone", [False, True])
def test_of_an_earlier_spec_nobody_knows_it_so_the_job_is_named_and_left(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner, gone: bool
) -> None:
    fleet.job("a", seed=7)
    fleet.job("b")
    runner()
    if gone:
        fleet.remove("a")
    else:
        fleet.job("a", seed=8)
    for _ in range(3):
        result = runner()
        changes = [c for c in result.last.after.plan.changes if c.name == "a"]
        assert [c.reason for c in changes] == [*([] if gone else [Reason.IN_PROGRESS]), Reason.ORPHANED]
        assert "nobody here remembers the seed" in changes[-1].message
    assert statuses(server) == ["running"] * (2 if gone else 3), "never a second one of a spec, and none is ended"


def test_where_the_state_directory_remembers_the_spec_it_is_retired_as_any_other(
    fleet: FleetDirectory, server: ForgetfulServer
) -> None:
    fleet.job("a", seed=7)
    apply_once(fleet, server.base_url)
    fleet.job("a", seed=8)
    apply_once(fleet, server.base_url)
    assert statuses(server) == ["cancelled", "running"]


def test_a_job_by_hand_on_a_file_of_an_earlier_spec_changes_nothing_of_the_name(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner
) -> None:
    fleet.job("a", seed=7)
    runner()
    server.jobs[0].status = "cancelled"
    server.make(model="sandbox-slow", training_file="file-1", seed=4711)
    fleet.job("a", seed=8)
    runner()
    assert reasons(runner())["a"] is Reason.ORPHANED
    assert statuses(server) == ["cancelled", "running", "running"]
