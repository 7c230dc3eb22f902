"""`import`: jobs that exist already become manifests, and nothing trains because of it."""

import re
import shutil

import pytest
import yaml

from tests.fakes.faulty import Proxy
from tests.fakes.fleets import FleetDirectory, jobs_at, make_job
from tests.fakes.shell import Ran, Shell

THEIRS = {
    "reconciler_fleet": "other-1",
    "reconciler_job": "x",
    "reconciler_revision": "0" * 16,
    "reconciler_attempt": "1",
}


def plan(shell: Shell, fleet: FleetDirectory) -> Ran:
    return shell("plan", fleet.root, "-o", "json", "--detailed-exitcode")


@pytest.fixture
def five(server: Proxy) -> list[str]:
    """Five jobs that people made, and one of another fleet."""
    made = [
        make_job(server.base_url, suffix="Support Bot", metadata={"ticket": "ML-1"}),
        make_job(server.base_url, suffix="support-bot", seed=7),
        make_job(server.base_url, hyperparameters={"n_epochs": 2}),
        make_job(server.base_url, method={"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.2}}}),
        make_job(server.base_url, integrations=[{"type": "wandb", "wandb": {"project": "p"}}]),
    ]
    make_job(server.base_url, metadata=THEIRS)
    return made


def test_five_jobs_are_imported_and_nothing_trains(
    shell: Shell, fleet: FleetDirectory, server: Proxy, five: list[str]
) -> None:
    ran = shell("import", fleet.root, "--all", "-o", "json")
    assert ran.code == 0
    assert sorted(one["job_id"] for one in ran.json["written"]) == sorted(five)
    assert shell("validate", fleet.root).code == 0
    for state in ("none", "one", "lost"):
        planned = plan(shell, fleet)
        assert (planned.code, planned.json["changes_present"], planned.json["refused"]) == (0, False, 0), state
        assert sorted(change["job_id"] for change in planned.json["changes"]) == sorted(five)
        assert {change["revision"] for change in planned.json["changes"]} == {
            w["revision"] for w in ran.json["written"]
        }
        assert not any("warning" in change["message"] for change in planned.json["changes"])
        if state == "none":
            assert shell("apply", fleet.root, "--yes", "--settle", "0").code == 0
            assert plan(shell, fleet).json["converged"]
        if state == "one":
            shutil.rmtree(fleet.root / ".reconciler")
    assert len(jobs_at(server.base_url)) == 6
    assert shell("import", fleet.root).out == "every job at this provider is managed, by this fleet or by another\n"


def test_a_manifest_says_what_the_provider_shows(shell: Shell, fleet: FleetDirectory, five: list[str]) -> None:
    shell("import", fleet.root, five[0])
    document = yaml.safe_load((fleet.root / "support-bot.yaml").read_text())
    spec = document["spec"]
    assert document["metadata"] == {"name": "support-bot"}
    assert spec["policy"]["adopt"]["job_id"] == five[0]
    assert re.fullmatch("file-.*", spec["training_file"])
    assert (spec["suffix"], spec["metadata"], spec["method"]["type"]) == (
        "Support Bot",
        {"ticket": "ML-1"},
        "supervised",
    )
    assert spec["seed"] >= 0
    assert "hyperparameters" not in spec, "its method says them"


def test_without_ids_it_lists_and_writes_nothing(shell: Shell, fleet: FleetDirectory, five: list[str]) -> None:
    before = fleet.times()
    ran = shell("import", fleet.root)
    assert [line.split()[0] for line in ran.out.split("\n")[1:6]] == sorted(five, key=ran.out.index)
    assert "5 jobs without a manifest." in ran.out
    assert [one["job_id"] for one in shell("import", fleet.root, "-o", "json").json["unmanaged"]]
    assert fleet.times() == before


def test_no_file_is_overwritten_and_no_name_taken_twice(shell: Shell, fleet: FleetDirectory, five: list[str]) -> None:
    (fleet.root / "support-bot.yaml").write_text("# notes\n---\n")
    fleet.job("support-bot-2")
    ran = shell("import", fleet.root, *five[:2], "-o", "json")
    assert [one["name"] for one in ran.json["written"]] == ["support-bot-3", "support-bot-4"]
    assert (fleet.root / "support-bot.yaml").read_text() == "# notes\n---\n"


def test_what_cannot_be_imported_keeps_all_from_being_written(
    shell: Shell, fleet: FleetDirectory, server: Proxy, five: list[str]
) -> None:
    theirs = jobs_at(server.base_url, fleet="other-1")[0]["id"]
    shell("import", fleet.root, five[0])
    for job_id, why in (
        ("nope", "this provider shows no such job"),
        (theirs, "it belongs to fleet other-1"),
        (five[0], "it is the job of support-bot in this fleet"),
    ):
        before = fleet.times()
        ran = shell("import", fleet.root, five[1], job_id)
        assert ran.code == 1
        assert f"nothing was written: {job_id}: {why}" in ran.err
        assert fleet.times() == before


# ── what an adopted job stands for ───────────────────────────────────────────────────────────


def edit(fleet: FleetDirectory, old: str, new: str) -> None:
    path = fleet.root / "one.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture
def one(shell: Shell, fleet: FleetDirectory, server: Proxy) -> str:
    """A job that was imported, as `one`."""
    job_id = make_job(server.base_url, suffix="one", seed=7)
    assert shell("import", fleet.root, job_id).code == 0
    return job_id


def apply(shell: Shell, fleet: FleetDirectory) -> Ran:
    return shell("apply", fleet.root, "--yes", "--first-run", "--settle", "0", "-o", "json")


def test_a_wrong_revision_pays_nothing_however_often_it_is_applied(
    shell: Shell, fleet: FleetDirectory, server: Proxy, one: str
) -> None:
    right = yaml.safe_load((fleet.root / "one.yaml").read_text())["spec"]["policy"]["adopt"]["revision"]
    quoted = f"'{right}'" if right[0].isdigit() else right
    edit(fleet, quoted, "a" * 16)
    for _ in range(3):
        ran = apply(shell, fleet)
        (change,) = ran.json["changes"]
        assert (ran.code, change["reason"], change["job_id"]) == (1, "AdoptionRefused", one)
        assert f'write `revision: "{right}"`' in change["message"]
    assert len(jobs_at(server.base_url)) == 1
    edit(fleet, "a" * 16, f'"{right}"')
    assert apply(shell, fleet).code == 0
    assert len(jobs_at(server.base_url)) == 1


def test_an_edit_trains_anew_once_where_the_adoption_is_known_and_not_at_all_where_it_is_not(
    shell: Shell, fleet: FleetDirectory, server: Proxy, one: str
) -> None:
    edit(fleet, "seed: 7", "seed: 8")
    assert plan(shell, fleet).json["changes"][0]["reason"] == "AdoptionRefused"
    edit(fleet, "seed: 8", "seed: 7")
    assert apply(shell, fleet).code == 0
    edit(fleet, "seed: 7", "seed: 8")
    (change, kept) = plan(shell, fleet).json["changes"]
    assert (change["action"], kept["job_id"]) == ("create", one)
    assert [left["job_id"] for left in change["leaves_running"]] == [one]
    apply(shell, fleet)
    shutil.rmtree(fleet.root / ".reconciler")
    apply(shell, fleet)
    jobs = jobs_at(server.base_url)
    assert [(job["id"] == one, job["status"] == "cancelled") for job in jobs] == [(True, False), (False, False)]


def test_a_manifest_that_says_another_model_does_not_adopt_in_silence(
    shell: Shell, fleet: FleetDirectory, server: Proxy, one: str
) -> None:
    del one
    edit(fleet, "model: sandbox-slow", "model: gpt-4o-mini-2024-07-18")
    said = plan(shell, fleet).json["changes"][0]["message"]
    old = yaml.safe_load((fleet.root / "one.yaml").read_text())["spec"]["policy"]["adopt"]["revision"]
    (new,) = re.findall('write `revision: "([0-9a-f]{16})"`', said)
    (line,) = [x for x in (fleet.root / "one.yaml").read_text().split("\n") if old in x]
    edit(fleet, line, f'      revision: "{new}"')
    differs = "it is not what its manifest says: model sandbox-slow, its manifest gpt-4o-mini-2024-07-18"
    assert differs in plan(shell, fleet).json["changes"][0]["message"]
    assert apply(shell, fleet).code == 0
    assert differs in " ".join(shell("describe", "one", "-d", fleet.root).out.split())
    assert "it is not what its manifest says" in " ".join(shell("status", fleet.root).out.split())
    assert len(jobs_at(server.base_url)) == 1


def test_wrong_usage(shell: Shell, fleet: FleetDirectory) -> None:
    assert "for one job: " in shell("import", "ftjob-1").err
    assert shell("import", "-").code == 64
    assert shell("import", fleet.root, "x", "--all").code == 64
