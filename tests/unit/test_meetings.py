"""Where two features meet: what one of them knows must not be lost on the other. The server's ledger judges."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.core.body import derived_seed
from reconciler.core.fields import OnCancelled, State
from reconciler.core.job import Job, Marks
from reconciler.core.plan import plan
from reconciler.source.directory import read_directory
from tests.fakes.builders import FLEET, R1, desired, job, memory, world
from tests.fakes.faulty import Reply, Request, reply
from tests.fakes.fleets import FleetDirectory, apply_once
from tests.fakes.forgetful import ForgetfulServer, Made, Show, shows, with_metadata

MARKED = with_metadata(shows("model", "seed"))
DPO = {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 3}}}


@pytest.fixture
def fleet(tmp_path: Path) -> FleetDirectory:
    return FleetDirectory(tmp_path / "fleet")


@pytest.fixture
def server() -> Iterator[ForgetfulServer]:
    with ForgetfulServer(read=MARKED, keeps_names=True) as running:
        yield running


def statuses(server: ForgetfulServer) -> list[str]:
    return [job.status for job in server.jobs]


def test_a_successor_that_is_being_cancelled_ends_nothing(
    fleet: FleetDirectory, server: ForgetfulServer, tmp_path: Path
) -> None:
    fleet.job("a")
    apply_once(fleet, server.base_url)
    fleet.job("a", suffix="v2")
    whole, server.answer = server.answer, lambda r: reply({}, 409) if r.path.endswith("/cancel") else whole(r)
    apply_once(fleet, server.base_url)  # the new one is made, the cancel of the old one does not take
    server.answer = whole
    server.jobs[1].status = "canceling"  # a person has asked for the end of the new one
    apply_once(fleet, server.base_url)
    server.jobs[1].status = "cancelled"
    assert statuses(server) == ["running", "cancelled"]


def test_nor_does_an_older_one_that_is_being_cancelled(fleet: FleetDirectory, server: ForgetfulServer) -> None:
    fleet.job("a")
    apply_once(fleet, server.base_url)
    server.make(**server.jobs[0].body)  # a gateway sent it twice
    server.jobs[0].status = "canceling"  # a person ends one of them
    apply_once(fleet, server.base_url)
    assert server.jobs[1].status == "running"


def test_a_mark_that_says_orphan_outlives_an_older_journal(
    fleet: FleetDirectory, server: ForgetfulServer, tmp_path: Path
) -> None:
    fleet.job("a")
    fleet.job("b")
    apply_once(fleet, server.base_url, state_dir=tmp_path / "state")
    shutil.copytree(tmp_path / "state", tmp_path / "copy")
    fleet.job("a", suffix="v2", policy={"on_remove": "orphan"})
    apply_once(fleet, server.base_url, state_dir=tmp_path / "state")
    fleet.remove("a")
    apply_once(fleet, server.base_url, state_dir=tmp_path / "copy")
    assert statuses(server) == ["cancelled", "running", "running"]


def test_a_directory_that_skipped_the_commit_which_says_orphan(server: ForgetfulServer, tmp_path: Path) -> None:
    one, two = FleetDirectory(tmp_path / "one"), FleetDirectory(tmp_path / "two")
    for directory in (one, two):
        directory.job("a")
        directory.job("b")
        apply_once(directory, server.base_url)
    one.job("a", suffix="v2", policy={"on_remove": "orphan"})
    apply_once(one, server.base_url)
    two.remove("a")
    apply_once(two, server.base_url)
    assert statuses(server) == ["cancelled", "running", "running"]


@pytest.mark.parametrize(
    "dropped", [shows("model", "training_file", "seed"), shows("model", "seed")], ids=["file", "seed"]
)
def test_a_server_that_learns_to_return_metadata_and_a_lost_state_directory(
    fleet: FleetDirectory, tmp_path: Path, dropped: Show
) -> None:
    before = {"ftjob-1"}  # made before the gateway's upgrade

    def read(made: Made) -> dict[str, Any]:
        return dropped(made) if made.id in before else with_metadata(dropped)(made)

    with ForgetfulServer(read=read, keeps_names=True) as server:
        for name in ("a", "b"):
            fleet.job(name)
            apply_once(fleet, server.base_url, state_dir=tmp_path / "one")
        apply_once(fleet, server.base_url, state_dir=tmp_path / "two")
        assert statuses(server) == ["running", "running"]


@pytest.mark.parametrize("method", [DPO, None], ids=["dpo", "supervised"])
@pytest.mark.parametrize(
    "read", [shows("model", "training_file", "seed"), shows("model", "seed")], ids=["file", "seed"]
)
def test_an_answer_that_names_the_job_made_just_before(
    fleet: FleetDirectory, read: Show, method: dict[str, Any] | None
) -> None:
    with ForgetfulServer(read=read, keeps_names=True) as server:
        fleet.job("0")
        apply_once(fleet, server.base_url)
        fleet.job("a", suffix="v")
        fleet.job("b", suffix="x", method=method)
        creates: list[int] = []

        def fault(request: Request, answer: Reply) -> Reply:
            if request.creates:
                creates.append(1)
                if len(creates) == 2:
                    return reply(read(server.jobs[1]))
            return answer

        server.fault = fault
        apply_once(fleet, server.base_url)
        apply_once(fleet, server.base_url)
        of_a = [made.status for made in server.jobs if made.body["metadata"]["reconciler_job"] == "a"]
        assert of_a == ["running"]


def test_a_files_name_that_cannot_be_read_for_a_moment(fleet: FleetDirectory, tmp_path: Path) -> None:
    with ForgetfulServer(read=shows("model", "training_file"), keeps_names=True) as server:
        fleet.job("a")
        apply_once(fleet, server.base_url, state_dir=tmp_path / "state")
        shutil.copytree(tmp_path / "state", tmp_path / "copy")
        fleet.job("b")
        apply_once(fleet, server.base_url, state_dir=tmp_path / "state")
        ill = [True]

        def fault(request: Request, answer: Reply) -> Reply:
            ill[0] &= not request.path.startswith("/v1/files?")  # over when the uploads begin
            bad = ill[0] and request.method == "GET" and "/files/" in request.path
            return reply({"error": {"message": "not now"}}, 500) if bad else answer

        server.fault = fault
        apply_once(fleet, server.base_url, state_dir=tmp_path / "copy")
        assert statuses(server) == ["running", "running"]


def test_a_twelfth_attempt_and_a_lost_journal() -> None:
    def at(attempt: int, status: str) -> Job:
        seed = derived_seed(Marks(FLEET, "a", R1, attempt))
        return job(f"j{attempt:02}", status=status, created=attempt, marked=False, seed=seed)

    jobs = [*(at(attempt, "cancelled") for attempt in range(1, 12)), at(12, "running")]
    wants = [desired(on_cancelled=OnCancelled.RECREATE)]
    assert plan(world(jobs, wants, remembers=memory(inherited=False))).writes == ()


def test_a_wrong_job_ends_whatever_max_cancels_allows(fleet: FleetDirectory, server: ForgetfulServer) -> None:
    fleet.fleet(limits={"max_cancels": 1})
    for name in "bcd":
        fleet.job(name)
    fleet.job("a", method=DPO)
    ill = [True]
    server.fault = lambda r, answer: (
        reply({}, 500) if ill[0] and r.method == "GET" and r.path.endswith("/ftjob-1") else answer
    )
    apply_once(fleet, server.base_url)
    ill[0] = False
    fleet.remove("a")
    fleet.remove("b")
    apply_once(fleet, server.base_url)
    assert statuses(server)[0] == "cancelled"


def test_of_two_that_are_to_be_paused_one_ends() -> None:
    w = world([job("j1", created=1), job("j2", created=2)], [desired(state=State.PAUSED)])
    w = replace(w, memory=replace(w.memory, can_pause=False))
    assert [c.job_id for c in plan(w).writes] == ["j2"]


def test_a_run_without_assume_leaves_what_one_with_it_has_made(fleet: FleetDirectory, server: ForgetfulServer) -> None:
    fleet.job("a", method=DPO)
    for assume in ((), ("method",), (), ()):
        apply_once(fleet, server.base_url, assume=assume)
    assert statuses(server) == ["cancelled", "running"]


def test_a_job_named_in_adopt_that_bears_the_marks_of_another_declared_name(
    fleet: FleetDirectory, server: ForgetfulServer
) -> None:
    fleet.job("b")
    apply_once(fleet, server.base_url)
    fleet.job("a", suffix="v2")
    revision = read_directory(fleet.root).desired["a"].revision
    fleet.job("a", suffix="v2", policy={"adopt": {"job_id": "ftjob-1", "revision": revision}})
    apply_once(fleet, server.base_url)
    assert statuses(server) == ["running"]
