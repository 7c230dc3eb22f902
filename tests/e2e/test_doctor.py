"""`doctor`: it reads only, and says what a server of whatever ways can do."""

import pytest

from tests.fakes.faulty import Proxy, Reply, Request, reply
from tests.fakes.fleets import FleetDirectory, make_job
from tests.fakes.shell import Shell


def test_it_reads_only_and_names_what_identity_rests_on(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    make_job(server.base_url, suffix="x")
    asked: list[str] = []

    def noted(request: Request, answer: Reply) -> Reply:
        asked.append(request.method)
        return answer

    server.fault = noted
    before = fleet.times()
    told = shell("doctor", fleet.root, "-o", "json")
    assert (told.code, set(asked), fleet.times()) == (0, {"GET"}, before)
    assert (told.json["identity"], told.json["missing"]) == (None, [])
    fleet.job("a")
    shell("apply", fleet.root, "--yes", "--first-run", "--settle", "0")
    text = shell("doctor", fleet.root).out
    assert "Identity rests on marks: every promise holds here" in text
    assert max(map(len, text.splitlines())) <= 80


def test_what_a_server_has_not_is_missing_and_no_error(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    make_job(server.base_url)

    def without(request: Request, answer: Reply) -> Reply:
        gone = request.path.endswith("/checkpoints?limit=100") or request.path.partition("?")[0].endswith("/models")
        return reply({"error": {"message": "no such route"}}, 404) if gone else answer

    server.fault = without
    told = shell("doctor", fleet.root, "-o", "json")
    assert (told.code, told.json["missing"]) == (0, ["checkpoints", "models"])


def test_without_a_listing_it_fails_and_says_what_follows(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    server.fault = lambda _request, _answer: reply({"error": {"message": "no such route"}}, 404)
    told = shell("doctor", fleet.root)
    assert told.code == 1
    assert "nothing is created and nothing is cancelled here" in " ".join(told.out.split())
    assert "Advice: check the base URL" in told.out


@pytest.mark.parametrize(("mode", "identity"), [("openai", "marks"), ("azure", "file"), ("bare", "id")])
def test_the_sandbox_shows_what_another_servers_ways_mean_for_a_fleet(
    shell: Shell, fleet: FleetDirectory, mode: str, identity: str
) -> None:
    fleet.fleet(provider="sandbox")
    fleet.job("a", suffix="bot")
    fleet.data("train", 12)
    for _ in range(2):
        ran = shell("apply", fleet.root, "--sandbox-mode", mode, "-o", "json")
        assert (ran.code, ran.json["base_url"].partition("?")[0]) == (0, "sandbox")
    assert shell("doctor", fleet.root, "--sandbox-mode", mode, "-o", "json").json["identity"] == identity
    assert ran.json["changes"][0]["action"] == "keep"


def test_each_mode_of_the_sandbox_is_an_account_of_its_own(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.fleet(provider="sandbox")
    fleet.job("a")
    shell("apply", fleet.root)
    plan = shell("plan", fleet.root, "--sandbox-mode", "azure", "-o", "json").json
    assert plan["base_url"] == "sandbox?mode=azure"
    assert not any("elsewhere" in change["message"] or "trained at" in change["message"] for change in plan["changes"])
