"""`import`: jobs that exist already become manifests, and nothing trains because of it."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from reconciler.sandbox import EmbeddedSandbox
from tests.fakes.faulty import Proxy
from tests.fakes.fleets import FleetDirectory, jobs_at, make_job
from tests.fakes.shell import Ran, Shell

THEIRS = {
    "reconciler_fleet": "other-1",
    "reconciler_job": "x",
    "reconciler_revision": "0" * 16,
    "reconciler_attempt": "1",
}


@pytest.fixture
def fleet(tmp_path: Path) -> FleetDirectory:
    return FleetDirectory(tmp_path / "fleet")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell) -> Iterator[Proxy]:
    del shell  # it cleans the environment first
    with EmbeddedSandbox(tmp_path / "served", speed=1000) as sandbox, Proxy(sandbox.base_url) as proxy:
        monkeypatch.setenv("OPENAI_BASE_URL", proxy.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
        yield proxy


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


def test_wrong_usage(shell: Shell, fleet: FleetDirectory) -> None:
    assert shell("import", "-").code == 64
    assert shell("import", fleet.root, "x", "--all").code == 64
