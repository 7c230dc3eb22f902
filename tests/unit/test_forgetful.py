"""One paid job a name, also at servers that return little of what they were sent. The server's ledger judges."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.core.body import derived_seed
from reconciler.core.change import Action
from reconciler.core.job import Marks
from reconciler.core.reason import Reason
from reconciler.engine.apply import Result
from reconciler.source.directory import read_directory
from tests.fakes.faulty import DROP, Reply, as_it_is, once, reply
from tests.fakes.fleets import FleetDirectory, apply_once, run_of
from tests.fakes.forgetful import (
    NOTHING,
    SEED_AND_MODEL,
    ForgetfulServer,
    Show,
    after_creating,
    shows,
    swallowing,
    with_metadata,
)


@pytest.fixture
def server() -> Iterator[ForgetfulServer]:
    with ForgetfulServer() as running:
        yield running


@pytest.fixture
def fleet(tmp_path: Path) -> FleetDirectory:
    return FleetDirectory(tmp_path / "fleet")


@pytest.fixture
def runner(fleet: FleetDirectory, server: ForgetfulServer, tmp_path: Path) -> Callable[[], Result]:
    """`apply --yes --first-run` on a runner that has never run before."""
    numbers = iter(range(100))
    return lambda: apply_once(fleet, server.base_url, state_dir=tmp_path / f"state{next(numbers)}")


Runner = Callable[[], Result]


def reasons(result: Result) -> dict[str, Reason]:
    return {change.name: change.reason for change in result.last.after.plan.changes}


def message(result: Result) -> str:
    (change,) = result.last.after.plan.changes
    return change.message


def dashed(suffix: str) -> str:
    return suffix.upper().replace("-", "_")


# How a server may show a job of which it keeps the seed; each with whatever else it makes of it.
GATEWAYS: dict[str, Show] = {
    "id, status, model and seed": SEED_AND_MODEL,
    "the seed alone": shows("seed"),
    "a dated model": shows("seed", model=lambda job: f"{job.body['model']}-2025-04-14"),
    "the model in another case": shows("seed", model=lambda job: job.body["model"].upper()),
    "the model behind a prefix": shows("seed", model=lambda job: f"openai/{job.body['model']}"),
    "a deployment for a model": shows("seed", "training_file", model=lambda _: "azure/my-deployment"),
    "another model altogether": shows("seed", "training_file", model=lambda _: "llama-3"),
    "the suffix under the API's name": shows("seed", "model", user_provided_suffix=lambda job: job.body["suffix"]),
    "the suffix as it was sent": shows("seed", "model", "suffix"),
    "the suffix in another spelling": shows("seed", suffix=lambda job: dashed(job.body["suffix"])),
    "an empty suffix": shows("seed", "model", suffix=lambda _: "", user_provided_suffix=lambda _: ""),
    "another suffix": shows("seed", "model", suffix=lambda _: "tenant-7"),
    "its own name of the file": shows("seed", "model", training_file=lambda _: "gs://bucket/1"),
    "empty metadata": shows("seed", metadata=lambda _: {}),
    "metadata that is null": shows("seed", metadata=lambda _: None),
    "metadata as a text": shows("seed", metadata=lambda _: "{}"),
    "prefixed keys": shows("seed", metadata=lambda j: {f"user_{k}": v for k, v in j.body["metadata"].items()}),
    "keys in another case": shows("seed", metadata=lambda j: {k.upper(): v for k, v in j.body["metadata"].items()}),
    "values of another type": shows(
        "seed", metadata=lambda j: {k: int(v) if v.isdecimal() else v for k, v in j.body["metadata"].items()}
    ),
    "values that were cut": shows("seed", metadata=lambda j: {k: v[:10] for k, v in j.body["metadata"].items()}),
    "names that were cut": shows(
        "seed", metadata=lambda j: {k: v[:3] if v == "fleet-1" else v for k, v in j.body["metadata"].items()}
    ),
    "half of the pairs": shows("seed", metadata=lambda j: dict(list(j.body["metadata"].items())[:2])),
    "nothing": NOTHING,
    "the model alone": shows("model"),
    "a seed that is always 0": shows("model", seed=lambda _: 0),
}


# A seed that a manifest sets may be anybody's: there, what comes back and says something else is believed.
CONTRADICTING = {"another model altogether", "another suffix", "names that were cut"}


@pytest.mark.parametrize("show", GATEWAYS.values(), ids=GATEWAYS)
def test_three_runners_without_state_make_one_job(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner, show: Show
) -> None:
    fleet.job("a", model="gpt-4.1", suffix="support-bot")
    server.read = show
    for _ in range(3):
        runner()
    assert [job.status for job in server.jobs] == ["running"]


@pytest.mark.parametrize("gateway", sorted(GATEWAYS.keys() - CONTRADICTING))
def test_so_do_they_where_the_manifest_sets_the_seed(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner, gateway: str
) -> None:
    fleet.job("a", model="gpt-4.1", suffix="support-bot", seed=7)
    server.read = GATEWAYS[gateway]
    runner()
    for result in (runner(), runner()):
        assert reasons(result) == {"a": Reason.NO_IDENTITY}
        assert "policy.adopt" in message(result), "and they say how to go on"
        assert result.exit_code == 1
    assert len(server.jobs) == 1


def test_its_job_is_adopted_by_a_runner_that_knows_the_seed(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner
) -> None:
    fleet.job("a", suffix="support-bot")
    runner()
    result = runner()
    assert (result.exit_code, reasons(result)) == (0, {"a": Reason.IN_PROGRESS})


@pytest.mark.parametrize("seed", [{}, {"seed": 7}], ids=["derived", "set"])
@pytest.mark.parametrize("how", ["created", "listed"])
def test_metadata_in_some_answers_only_makes_no_second_job(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner, how: str, seed: dict[str, int]
) -> None:
    fleet.job("a", suffix="support-bot", **seed)
    with_it = with_metadata(SEED_AND_MODEL)
    server.create, server.read = (with_it, SEED_AND_MODEL) if how == "created" else (SEED_AND_MODEL, with_it)
    for _ in range(3):
        runner()
    assert len(server.jobs) == 1


# ── answers that are lost ────────────────────────────────────────────────────────────────────

LOST = {
    "dropped": DROP,
    "500": reply({}, 500),
    "another shape": reply({"data": {"id": "ftjob-1"}}),
    "no id": reply({"status": "running"}),
    "html": Reply(200, b"<html>", {"content-type": "text/html"}),
}
PARTLY: dict[str, tuple[Show, Show]] = {
    "never": (SEED_AND_MODEL, SEED_AND_MODEL),
    "created": (with_metadata(SEED_AND_MODEL), SEED_AND_MODEL),
    "listed": (SEED_AND_MODEL, with_metadata(SEED_AND_MODEL)),
    "marks of a name that was cut": (GATEWAYS["names that were cut"], GATEWAYS["names that were cut"]),
}


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
@pytest.mark.parametrize("seed", [{}, {"seed": 7}], ids=["derived", "set"])
def test_a_lost_answer_makes_one_job_which_is_found_by_its_seed(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner, lost: Reply, seed: dict[str, int]
) -> None:
    fleet.job("a", suffix="support-bot", **seed)
    server.fault = after_creating(lost)
    assert reasons(apply_once(fleet, server.base_url)) == {"a": Reason.IN_PROGRESS}
    assert apply_once(fleet, server.base_url).exit_code == 0
    for _ in range(2):
        runner()
    assert len(server.jobs) == 1


@pytest.mark.parametrize("shapes", PARTLY.values(), ids=PARTLY)
def test_a_lost_answer_makes_one_job_wherever_metadata_comes_back(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner, shapes: tuple[Show, Show]
) -> None:
    fleet.job("a", suffix="support-bot")
    server.create, server.read = shapes
    server.fault = once(DROP, lambda request: request.creates)
    apply_once(fleet, server.base_url)
    apply_once(fleet, server.base_url)
    runner()
    assert len(server.jobs) == 1


@pytest.mark.parametrize("show", [SEED_AND_MODEL, NOTHING], ids=["seed", "id"])
def test_a_create_that_was_lost_is_not_sent_again_before_anything_was_seen_to_come_back(
    fleet: FleetDirectory, server: ForgetfulServer, show: Show
) -> None:
    fleet.job("a")
    server.read = show
    server.answer = swallowing(server, DROP)
    for _ in range(2):
        assert reasons(apply_once(fleet, server.base_url)) == {"a": Reason.CREATE_UNRESOLVED}
    assert len(server.creates()) == 1


@pytest.mark.parametrize("seed", [{}, {"seed": 7}], ids=["derived", "set"])
def test_a_create_that_was_lost_is_sent_again_where_the_seed_was_seen_to_come_back(
    fleet: FleetDirectory, server: ForgetfulServer, seed: dict[str, int]
) -> None:
    fleet.job("known")
    apply_once(fleet, server.base_url)
    fleet.job("a", suffix="support-bot", **seed)
    whole, server.answer = server.answer, swallowing(server, DROP)
    apply_once(fleet, server.base_url)
    server.answer = whole
    assert apply_once(fleet, server.base_url).exit_code == 0
    again = [job.body["metadata"]["reconciler_attempt"] for job in server.jobs if job.body.get("suffix")]
    assert again == ["1"]


def test_a_create_that_was_lost_is_not_sent_again_while_a_job_is_listed_that_might_be_its_own(
    fleet: FleetDirectory, server: ForgetfulServer
) -> None:
    fleet.job("known")
    apply_once(fleet, server.base_url)
    fleet.job("a", seed=7)
    server.answer = swallowing(server, DROP)
    apply_once(fleet, server.base_url)
    made = [server.make(seed=7, model="sandbox-slow", suffix=text) for text in ("x", "y")]
    server.read = shows("seed", "model", "suffix")
    result = apply_once(fleet, server.base_url)
    assert reasons(result)["a"] is Reason.CREATE_UNRESOLVED
    assert any(made[0].id in change.message for change in result.last.after.plan.changes)


def test_a_lost_create_whose_manifest_was_edited_meanwhile_is_found_by_its_seed(
    fleet: FleetDirectory, server: ForgetfulServer
) -> None:
    fleet.job("a", suffix="one")
    listed: list[Reply] = []
    server.fault = lambda request, answer: (
        DROP
        if request.creates
        else reply({"data": [], "has_more": False})
        if not listed and request.path.startswith("/v1/fine_tuning/jobs?")
        else answer
    )
    apply_once(fleet, server.base_url)
    assert len(server.jobs) == 1
    listed.append(DROP)
    server.fault = as_it_is
    fleet.job("a", suffix="two")
    result = apply_once(fleet, server.base_url)
    assert [(o.action, o.ok) for o in result.outcomes] == [(Action.CREATE, True)], "it is known now, and replaced"
    assert len(server.jobs) == 2
    with run_of(fleet, server.base_url) as opened:
        assert opened.ports.journal.memory().records.keys() == {"ftjob-1", "ftjob-2"}


# ── further attempts, further names, further jobs ────────────────────────────────────────────


def attempts(server: ForgetfulServer) -> list[str]:
    return [job.body["metadata"]["reconciler_attempt"] for job in server.jobs]


def test_a_retry_that_one_runner_made_is_known_to_the_next(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner
) -> None:
    fleet.job("a", policy={"retries": 3})
    for failed in range(4):
        runner()
        runner()
        assert len(server.jobs) == failed + 1
        server.jobs[failed].status = "failed"
    assert reasons(runner()) == {"a": Reason.FAILED}
    assert attempts(server) == ["1", "2", "3", "4"]


def test_an_attempt_beyond_the_retries_is_known_too(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner
) -> None:
    fleet.job("a", policy={"on_cancelled": "recreate"})
    for cancelled in range(5):
        runner()
        runner()
        assert len(server.jobs) == cancelled + 1
        server.jobs[cancelled].status = "cancelled"


def test_a_job_that_builds_on_another_is_known_too(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner
) -> None:
    fleet.job("base")
    fleet.job("next", model=None, model_from={"job": "base"})
    server.read = shows("seed", fine_tuned_model=lambda job: f"ft:{job.id}" if job.status == "succeeded" else None)
    runner()
    server.jobs[0].status = "succeeded"
    for _ in range(3):
        runner()
    assert [job.body["model"] for job in server.jobs] == ["sandbox-slow", "ft:ftjob-1"]


def test_where_the_seed_comes_back_every_name_gets_its_job(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner
) -> None:
    for name in ("a", "b", "c"):
        fleet.job(name)
    for _ in range(3):
        assert runner().exit_code == 0
    assert sorted(job.body["metadata"]["reconciler_job"] for job in server.jobs) == ["a", "b", "c"]


def test_where_only_the_id_comes_back_a_run_without_memory_makes_one_job_and_the_next_on_its_state_the_others(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner
) -> None:
    for name in ("a", "b", "c"):
        fleet.job(name)
    server.read = NOTHING
    first = apply_once(fleet, server.base_url)
    assert (first.exit_code, len(server.jobs)) == (1, 1)
    assert reasons(first) == {"a": Reason.IN_PROGRESS, "b": Reason.NO_IDENTITY, "c": Reason.NO_IDENTITY}
    assert reasons(runner()) == dict.fromkeys("abc", Reason.NO_IDENTITY)
    assert len(server.jobs) == 1
    assert apply_once(fleet, server.base_url).exit_code == 0
    assert len(server.jobs) == 3


def test_a_second_run_on_a_new_state_directory_knows_no_more_of_an_id_than_the_first(
    fleet: FleetDirectory, server: ForgetfulServer, tmp_path: Path
) -> None:
    fleet.job("a")
    server.read = NOTHING
    apply_once(fleet, server.base_url)
    for _ in range(2):
        result = apply_once(fleet, server.base_url, state_dir=tmp_path / "new")
        assert reasons(result) == {"a": Reason.NO_IDENTITY}
    assert len(server.jobs) == 1


def test_two_jobs_of_one_seed_are_kept_and_told(fleet: FleetDirectory, server: ForgetfulServer, runner: Runner) -> None:
    fleet.job("a")
    runner()
    server.make(**server.jobs[0].body)
    result = runner()
    assert [(c.action, c.reason, c.job_id) for c in result.last.after.plan.changes] == [
        (Action.KEEP, Reason.IN_PROGRESS, "ftjob-1"),
        (Action.HOLD, Reason.DUPLICATE, "ftjob-2"),
    ]
    assert [job.status for job in server.jobs] == ["running", "running"], "neither carries marks: neither is cancelled"


def test_a_job_known_by_its_seed_is_never_cancelled(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner
) -> None:
    fleet.job("a")
    fleet.job("keep")
    runner()
    fleet.remove("a")
    runner()
    fleet.job("keep", suffix="changed")
    runner()
    fleet.fleet(state="cancelled")
    runner()
    apply_once(fleet, server.base_url)
    assert {job.status for job in server.jobs} == {"running"}


def test_a_job_that_outlives_its_spec_is_told_as_long_as_it_runs(
    fleet: FleetDirectory, server: ForgetfulServer
) -> None:
    fleet.job("a")
    apply_once(fleet, server.base_url)
    fleet.job("a", suffix="v2")
    told: list[str] = []
    apply_once(fleet, server.base_url, announce=lambda d: told.extend(c.message for c in d.plan.changes if c.job_id))
    assert told == [
        "of an earlier spec, without this fleet's marks: it goes on when its successor exists; cancel it by hand then"
    ]
    for _ in range(2):
        after = apply_once(fleet, server.base_url).last.after
        first, second = after.plan.changes
        assert (first.reason, second.reason) == (Reason.IN_PROGRESS, Reason.SUPERSEDED)
        assert second.message.startswith("of an earlier spec; it is live and does not carry this fleet's marks")
        status = (fleet.root / ".reconciler" / "status" / "a.yaml").read_text()
        assert "reason: Superseded" in status


def test_a_seed_that_comes_back_with_another_suffix_is_no_identity(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner
) -> None:
    fleet.job("a", suffix="support-bot")
    revision = read_directory(fleet.root).desired["a"].revision
    server.read = shows("seed", "suffix")
    server.make(seed=derived_seed(Marks("fleet-1", "a", revision, 1)), suffix="somebody-else")
    result = runner()
    assert reasons(result) == {"a": Reason.NO_IDENTITY}
    assert "the suffix somebody-else" in message(result)
    assert len(server.jobs) == 1


def test_jobs_of_others_do_not_hold_up_a_fleet_where_seeds_come_back(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner
) -> None:
    fleet.job("a", seed=7, suffix="support-bot")
    server.read = shows("seed", "model", "suffix", "training_file")
    server.make(seed=7, model="another", training_file="file-2")
    server.make(seed=7, model="sandbox-slow", suffix="theirs")
    server.make(seed=8, model="sandbox-slow", suffix="support-bot")
    assert runner().exit_code == 0
    assert len(server.jobs) == 4


def test_a_job_that_only_looks_like_it_is_taken_once_a_person_names_it(
    fleet: FleetDirectory, server: ForgetfulServer, runner: Runner
) -> None:
    fleet.job("a", seed=7)
    runner()
    revision = read_directory(fleet.root).desired["a"].revision
    fleet.job("a", seed=7, policy={"adopt": {"job_id": server.jobs[0].id, "revision": revision}})
    result = runner()
    assert (result.exit_code, reasons(result)) == (0, {"a": Reason.IN_PROGRESS}), "as the message says"
    assert len(server.jobs) == 1
