"""`doctor --probe-create`: one job that may cost money, asked for, made once, read, and ended whatever happens."""

import re
from typing import Any

import pytest

from tests.e2e.test_run import running
from tests.fakes.commands import at_a_terminal
from tests.fakes.faulty import DROP, Proxy, Reply, Request, once, reply
from tests.fakes.fleets import FleetDirectory, jobs_at, live, make_job
from tests.fakes.shell import Ran, Shell

PROBE = ("--probe-create", "--yes", "--settle", "1s", "-o", "json")


@pytest.fixture
def wanted(fleet: FleetDirectory) -> FleetDirectory:
    fleet.job("a")
    return fleet


def probe(shell: Shell, fleet: FleetDirectory) -> Ran:
    return shell("doctor", fleet.root, *PROBE)


def of_probes(server: Proxy) -> list[dict[str, Any]]:
    return [job for job in jobs_at(server.base_url) if (job["metadata"] or {}).get("reconciler_job") == "probe"]


def test_nobody_pays_for_what_nobody_was_asked(shell: Shell, wanted: FleetDirectory, server: Proxy) -> None:
    before = wanted.times()
    ran = shell("doctor", wanted.root, "--probe-create")
    assert (ran.code, server.requests) == (64, [])
    assert "say --yes" in ran.err
    assert (shell("doctor", wanted.root, "--yes").code, server.creates()) == (0, [])
    assert wanted.times() == before


def test_the_question_names_what_it_may_cost_and_no_is_no(wanted: FleetDirectory, server: Proxy) -> None:
    command = ["doctor", str(wanted.root), "--probe-create", "--settle", "0", "--base-url", server.base_url]
    ended, seen = at_a_terminal(command, b"n\n")
    words = " ".join(seen.split())
    assert "may cost money: sandbox-slow, 10 examples, 1 epoch, fewer than 1000 tokens at a price" in words
    assert (ended, "nothing was sent" in words, server.creates()) == (1, True, [])
    wanted.job("a", model="gpt-4.1-mini-2025-04-14")
    assert "tokens at $" in " ".join(at_a_terminal(command, b"n\n")[1].split())


def test_a_fleet_that_is_suspended_is_sent_nothing(shell: Shell, wanted: FleetDirectory, server: Proxy) -> None:
    wanted.fleet(state="suspended")
    assert (probe(shell, wanted).code, server.requests) == (3, [])


def test_without_a_model_there_is_nothing_to_probe(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    ran = probe(shell, fleet)
    assert (ran.code, "no manifest here names a model" in ran.err + ran.out, server.creates()) == (64, True, [])


def test_it_touches_no_other_job_and_no_pass_touches_it(shell: Shell, wanted: FleetDirectory, server: Proxy) -> None:
    wanted.job("b")
    shell("apply", wanted.root, "--yes", "--first-run", "--settle", "0")
    theirs = make_job(server.base_url)
    before = {job["id"] for job in live(jobs_at(server.base_url))}
    assert probe(shell, wanted).code == 0
    assert {job["id"] for job in live(jobs_at(server.base_url))} == before
    (made,) = of_probes(server)
    assert re.fullmatch("doctor-[0-9a-f]{12}", str(made["metadata"]["reconciler_fleet"]))
    assert sorted(path for path in wanted.times() if "status" in path) == [
        ".reconciler/status/a.yaml",
        ".reconciler/status/b.yaml",
    ]
    wanted.remove("b")
    ran = shell("apply", wanted.root, "--yes", "--settle", "0", "-o", "json")
    assert [o["name"] for o in ran.json["outcomes"]] == ["b"]
    listed = shell("import", wanted.root, "-o", "json").json["unmanaged"]
    assert [job["job_id"] for job in listed] == [theirs]


def test_a_second_probe_makes_a_second_job_once_the_first_has_ended(
    shell: Shell, wanted: FleetDirectory, server: Proxy
) -> None:
    for _ in range(2):
        found = probe(shell, wanted).json["probe"]
        assert (found["made"], found["live"]) == (True, [])
    attempts = [job["metadata"]["reconciler_attempt"] for job in of_probes(server)]
    assert (attempts, live(of_probes(server))) == (["1", "2"], [])


def cancels(request: Request) -> bool:
    return request.path.partition("?")[0].endswith("/cancel")


def test_a_probe_whose_answer_is_lost_is_found_read_and_ended(
    shell: Shell, wanted: FleetDirectory, server: Proxy
) -> None:
    server.fault = once(DROP, lambda request: request.creates)
    found = probe(shell, wanted).json
    assert (len(server.creates()), found["probe"]["live"], found["identity"]) == (1, [], "marks")
    assert [job["status"] for job in of_probes(server)] == ["cancelled"]


def fleet_of(job: dict[str, Any]) -> str:
    return str(job["metadata"]["reconciler_fleet"])


def unheard(server: Proxy) -> None:
    """No cancel arrives; each is answered with a server's weakness."""
    answer = server.answer

    def deaf(request: Request) -> Reply:
        return reply({"error": {"message": "no"}}, 500) if cancels(request) else answer(request)

    server.answer = deaf


@pytest.mark.parametrize("command", ["doctor", "apply", "run"])
def test_what_could_not_be_ended_is_told_and_ended_by_the_next(
    shell: Shell, wanted: FleetDirectory, server: Proxy, command: str
) -> None:
    answer = server.answer
    unheard(server)
    ran = probe(shell, wanted)
    (job,) = of_probes(server)
    assert (ran.code, ran.json["probe"]["live"]) == (1, [job["id"]])
    server.answer = answer
    if command == "doctor":
        again = probe(shell, wanted)
        assert (again.code, again.json["probe"]["made"], again.json["probe"]["job_id"]) == (0, False, job["id"])
    elif command == "run":
        with running(wanted) as daemon:
            told = daemon.until("probe.left")
            ended = daemon.until("job.cancelled")
        assert (told["left"], ended["job_id"], ended["fleet"]) == ([job["id"]], job["id"], fleet_of(job))
    else:
        ran = shell("apply", wanted.root, "--yes", "--first-run", "--settle", "0")
        assert "an earlier probe of `doctor` has not ended" in ran.err
        assert [one["metadata"]["reconciler_job"] for one in live(jobs_at(server.base_url))] == ["a"]
    assert [one["status"] for one in of_probes(server)] == ["cancelled"]


@pytest.mark.parametrize(("listed", "seed"), [(True, None), (False, 7)])
def test_an_answer_that_names_somebody_elses_job_ends_nothing(
    shell: Shell, wanted: FleetDirectory, server: Proxy, *, listed: bool, seed: int | None
) -> None:
    """A gateway that answers from its cache names one that was there before, or one of another seed."""
    theirs = make_job(server.base_url, suffix="probe")
    answer, (job,) = server.answer, jobs_at(server.base_url)
    made_here = len(server.creates())

    def stale(request: Request) -> Reply:
        if request.creates:
            return reply({"id": theirs, "status": "running", "seed": seed})
        lists = request.method == "GET" and request.path.partition("?")[0].endswith("/fine_tuning/jobs")
        hidden = lists and not listed and len(server.creates()) == made_here
        return reply({"object": "list", "data": [], "has_more": False}) if hidden else answer(request)

    server.answer = stale
    found = probe(shell, wanted).json["probe"]
    assert found["live"] == [theirs]
    server.answer = answer
    assert [(job["id"], job["status"]) for job in jobs_at(server.base_url)] == [(theirs, job["status"])]


def test_a_lost_create_is_settled_by_what_the_jobs_of_the_fleet_have_shown(
    shell: Shell, wanted: FleetDirectory, server: Proxy
) -> None:
    for _ in range(2):  # the first makes a job, the second sees its marks
        shell("apply", wanted.root, "--yes", "--first-run", "--settle", "0")
    answer = server.answer
    server.answer = lambda request: reply({"error": {"message": "no"}}, 500) if request.creates else answer(request)
    assert probe(shell, wanted).code == 1
    server.answer = answer
    assert "an earlier probe" not in shell("apply", wanted.root, "--yes", "--settle", "0").err
    assert of_probes(server) == []
