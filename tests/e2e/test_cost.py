"""What jobs cost, as a person and a pipeline see it: estimates, prices of one's own, and a limit that holds."""

import json
from pathlib import Path

import pytest

from reconciler.core.estimate import exact_dollars
from tests.fakes.faulty import Proxy
from tests.fakes.fleets import FleetDirectory, jobs_at
from tests.fakes.shell import Shell

OWN = "date: 2026-01-05\nsource: our contract\nmodels: {sandbox-slow: {per_million_tokens: 1000}}\n"


@pytest.fixture
def fleet(tmp_path: Path) -> FleetDirectory:
    directory = FleetDirectory(tmp_path / "fleet")
    directory.fleet(provider="sandbox")
    directory.job("known", model="gpt-4o-mini")
    return directory


@pytest.fixture
def prices(tmp_path: Path) -> str:
    file = tmp_path / "prices.yaml"
    file.write_text(OWN)
    return f"--prices={file}"


def test_each_create_and_the_plan_say_what_they_cost(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("unknown", model="sandbox-slow")
    data = shell("plan", fleet.root, "-o", "json").json
    known, unknown = data["changes"]
    assert known["estimate"]["price_source"] == "https://openai.com/api/pricing/"
    assert known["estimate"]["usd"] == round(known["estimate"]["trained_tokens"] * 3 / 1_000_000, 4)
    assert (unknown["estimate"]["usd"], unknown["estimate"]["unknown"]) == (None, "no price known for sandbox-slow")
    assert data["estimate"]["unknown"] == 1
    text = shell("plan", fleet.root).out
    assert "epochs; no price known for sandbox-slow" in text
    assert "1 more job of unknown cost; the sandbox charges nothing" in text


def test_the_operators_prices_count_and_the_digest_stays(shell: Shell, fleet: FleetDirectory, prices: str) -> None:
    fleet.job("known", model="sandbox-slow")
    before = shell("plan", fleet.root, "-o", "json").json
    after = shell("plan", fleet.root, "-o", "json", prices).json
    assert (before["estimate"]["unknown"], after["estimate"]["unknown"]) == (1, 0)
    assert after["changes"][0]["estimate"]["price_source"] == "our contract"
    assert after["digest"] == before["digest"]


@pytest.mark.parametrize("flag", ["--prices", "--tokenizer"])
def test_a_file_of_the_operators_that_cannot_be_read_is_said_before_anything_is_sent(
    shell: Shell, fleet: FleetDirectory, flag: str
) -> None:
    ran = shell("apply", fleet.root, flag, "nowhere")
    assert (ran.code, f"{flag} nowhere: cannot be read" in ran.err) == (64, True)


def test_a_plan_over_the_limit_is_refused_until_it_is_approved(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.fleet(provider="sandbox", limits={"max_cost": 0.000001})
    planned = shell("plan", fleet.root, "-o", "json")
    assert planned.code == 3
    (verdict,) = [gate for gate in planned.json["gates"] if gate["gate"] == "max_cost"]
    assert (verdict["limit"], verdict["refused"]) == (0.000001, True)
    assert round(verdict["count"], 4) == planned.json["changes"][0]["estimate"]["usd"] > 0
    assert planned.json["changes"][0]["refused"] == "max_cost"
    ran = shell("apply", fleet.root)
    wanted = exact_dollars(verdict["count"])
    assert (ran.code, f"Gate max_cost refuses: new jobs for {wanted} wanted" in ran.out) == (3, True)
    assert "gate max_cost" in shell("status", fleet.root).out
    assert shell("apply", fleet.root, "--approve", planned.json["digest"]).code == 0
    assert shell("plan", fleet.root).code == 0


def test_a_price_that_nobody_knows_is_refused_under_a_limit(shell: Shell, fleet: FleetDirectory, prices: str) -> None:
    fleet.fleet(provider="sandbox", limits={"max_cost": 50})
    fleet.job("unknown", model="sandbox-slow")
    ran = shell("apply", fleet.root)
    assert ran.code == 3
    said = " ".join(ran.out.split())
    assert "what 1 new job will cost is not known (unknown: no price known for sandbox-slow)" in said
    assert "✓ known: created job" in f"{ran.out}{ran.err}"
    assert shell("apply", fleet.root, prices).code == 0


def test_what_was_counted_is_not_counted_again(shell: Shell, fleet: FleetDirectory) -> None:
    shell("apply", fleet.root)
    cache = (fleet.root / ".reconciler" / "manifests.cache").read_bytes().partition(b"\n")[2]
    assert [key.split()[0] for key in json.loads(cache) if key.startswith("measures ")] == ["measures"]
    times = fleet.times()
    fleet.job("again", model="gpt-4o-mini", seed=1)
    shell("plan", fleet.root)
    assert fleet.times().keys() - times.keys() == {"again.yaml"}, "a plan writes nothing"


def test_what_a_fleet_has_spent_is_added_up(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    fleet.fleet(provider="compatible")
    options = ["--settle", "0"]
    fleet.remove("known")
    fleet.job("a", model="gpt-4o-mini")
    shell("apply", fleet.root, "--yes", "--first-run", "--wait", *options)
    fleet.job("a", model="gpt-4o-mini", seed=7)
    fleet.job("b", model="sandbox-fail-server")
    assert shell("apply", fleet.root, "--yes", "--wait", *options).code == 5
    document = shell("status", fleet.root, "--all", "-o", "json").json
    trained = [j["trained_tokens"] for j in jobs_at(server.base_url) if j["trained_tokens"]]
    assert len(trained) == 2
    spent = document["spent"]
    assert (spent["jobs"], spent["trained_tokens"], spent["unknown"]) == (3, sum(trained), 1)
    assert spent["usd"] == round(sum(trained) * 3 / 1_000_000, 4)
    cost = document["costs"]["a"]
    assert cost["usd"] == round(trained[-1] * 3 / 1_000_000, 4)
    assert cost["estimate"]["usd"] is not None
    assert "spent: " in shell("status", fleet.root).out
    assert " estimated)" in shell("describe", "a", "-d", fleet.root).out
    data = shell("describe", "a", "-d", fleet.root, "-o", "json").json
    assert data["cost"] == cost
