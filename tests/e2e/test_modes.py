"""One life of a fleet at every kind of server: the sandbox in each of its modes, over HTTP; its ledger judges.

`tests.fakes.modes.SERVERS` says how each is reached, and what identity can rest on there. Where it is marks or the training file's name,
everything holds. Where it is the seed or the job id alone, there is never a second job either, and what else is lost
stands in the last part (docs/servers.md has it as a table).
"""

import dataclasses
import json
import re
from collections.abc import Callable

import pytest

from reconciler.sandbox import MODES
from reconciler.sandbox.mode import Mode
from tests.e2e.pages import ROOT
from tests.fakes.faulty import DROP, Proxy, Reply, Request, once, reply
from tests.fakes.fleets import FleetDirectory
from tests.fakes.modes import SERVERS, Place


def at(*identities: str, where: Callable[[Mode], bool] = lambda _: True) -> pytest.MarkDecorator:
    """Once in each mode of these identities."""
    names = [name for name, server in SERVERS.items() if server.identity in identities and where(MODES[name])]
    return pytest.mark.parametrize("place", names, indirect=True)


WHOLE = ("marks", "file")


def losing_a_create(place: Place) -> Proxy:
    """The first create is done, and its answer never arrives."""
    return Proxy(place.base_url, once(DROP, lambda request: request.creates))


def test_every_mode_has_its_row_here_and_in_the_documentation() -> None:
    assert SERVERS.keys() == MODES.keys()
    page = (ROOT / "docs" / "servers.md").read_text()
    rows = re.findall(r"\| (marks|file name|seed|id) \| `([a-z0-9-]+)` \|", page)
    assert {mode: identity.split()[0] for identity, mode in rows} == {m: s.identity for m, s in SERVERS.items()}


# ── marks, or the training file's name: everything holds ─────────────────────────────────────


@at(*WHOLE)
def test_a_changed_spec_replaces_its_job(place: Place) -> None:
    place.want()
    place.apply()
    place.want(rerun=1)
    assert (place.apply().code, place.jobs) == (0, ["cancelled", "live"])
    assert place.plan() == ["keep InProgress"]


@at(*WHOLE)
def test_a_removed_job_is_cancelled_and_no_other(place: Place) -> None:
    place.want()
    place.apply()
    place.twin(seed=1, metadata=None)  # a colleague trains on the file that we uploaded
    place.fleet.remove("a")
    assert (place.apply().code, place.jobs) == (0, ["cancelled", "live"])


@at(*WHOLE)
def test_a_job_that_comes_back_is_made_again(place: Place) -> None:
    place.want()
    place.want("b")
    place.apply()
    place.fleet.remove("a")
    place.apply()
    place.want()
    assert (place.apply().code, sorted(place.jobs)) == (0, ["cancelled", "live", "live"])


@at(*WHOLE)
def test_a_run_without_state_removes_what_its_manifests_do_not_name(place: Place) -> None:
    place.want()
    place.want("b")
    place.apply_elsewhere()
    place.fleet.remove("a")
    assert (place.apply_elsewhere().code, sorted(place.jobs)) == (0, ["cancelled", "live"])


@at(*WHOLE, where=lambda mode: "pause" not in mode.missing)
def test_a_job_is_paused_and_goes_on(place: Place) -> None:
    place.want()
    place.apply()
    place.want(policy={"state": "paused"})
    assert place.plan() == ["pause Pausing"]
    assert place.apply().code == 0
    (item,) = place("status", "-o", "json").json["items"]
    assert (item["job_status"], item["conditions"][0]["reason"]) == ("paused", "Paused")
    assert place.plan() == ["hold Paused"]
    place.want()
    assert place.plan() == ["keep InProgress", "resume Resuming"]
    assert (place.apply().code, place.jobs, place.plan()) == (0, ["live"], ["keep InProgress"])


@at(*WHOLE, where=lambda mode: "pause" in mode.missing)
def test_a_server_that_cannot_pause_a_job_is_asked_once(place: Place) -> None:
    place.want()
    place.apply()
    place.want(policy={"state": "paused"})
    with Proxy(place.base_url) as proxy:
        codes = [place.apply(via=proxy).code for _ in range(2)]
        asked = [request for request in proxy.posts() if "/pause" in request.path]
        assert (codes, len(asked), place.plan(via=proxy)) == ([0, 0], 1, ["hold CannotPause"])
    assert place.jobs == ["live"]


@at(*WHOLE)
def test_of_two_the_older_is_kept(place: Place) -> None:
    place.want()
    place.apply()
    place.twin()
    assert (place.apply().code, place.jobs) == (0, ["live", "cancelled"])


@at("marks", "file", "seed", "id")
def test_one_job_is_made_and_then_nothing_is_left_to_do(place: Place) -> None:
    place.want()
    assert (place.apply().code, place.jobs) == (0, ["live"])
    assert place.plan() == ["keep InProgress"]
    assert (place.apply().code, place.jobs) == (0, ["live"])


@at("marks", "file", "seed")
def test_a_job_whose_answer_was_lost_is_found(place: Place) -> None:
    place.want()
    with losing_a_create(place) as proxy:
        assert place.apply(via=proxy).code == 0
        assert place.plan(via=proxy) == ["keep InProgress"]
        assert len(proxy.creates()) == 1
    assert place.jobs == ["live"]


@at("marks", "file", "seed")
def test_three_runs_without_state_make_one_job(place: Place) -> None:
    place.want()
    codes = [place.apply_elsewhere().code for _ in range(3)]
    assert (codes, place.jobs) == ([0, 0, 0], ["live"])


@at("marks", "file", "seed", "id")
def test_a_job_is_waited_for(place: Place) -> None:
    place.want(model="gpt-4o-mini")
    assert (place.apply("--wait").code, place.jobs) == (0, ["succeeded"])
    (item,) = place("status", "-o", "json").json["items"]
    assert item["job_status"] == "succeeded"
    assert (place.apply().code, place.jobs) == (0, ["succeeded"])


@at("marks", "file", "seed")
def test_an_existing_job_is_imported_and_none_is_made(place: Place) -> None:
    place.make_by_hand("ftjob-by-hand")
    assert place("import", "ftjob-by-hand").code == 0
    assert place("plan", "--detailed-exitcode").code == 0
    assert (place.apply().code, place.apply_elsewhere().code, place.jobs) == (0, 0, ["live"])


# ── gateways that do not hand on what they are asked ─────────────────────────────────────────

DPO = {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 2}}}
PAIR = {
    "input": {"messages": [{"role": "user", "content": "q"}]},
    "preferred_output": [{"role": "assistant", "content": "yes"}],
    "non_preferred_output": [{"role": "assistant", "content": "no"}],
}


def want_pairs(place: Place) -> None:
    (place.fleet.root / "data" / "pairs.jsonl").write_text(f"{json.dumps(PAIR)}\n" * 12)
    place.want(training_file="data/pairs.jsonl", method=DPO)


@pytest.mark.parametrize("place", ["openai-2024"], indirect=True)
def test_a_job_whose_method_was_lost_is_ended_and_not_made_again(place: Place) -> None:
    want_pairs(place)
    for _ in range(2):
        place.apply()
    assert (place.plan(), place.jobs) == (["hold MethodLost"], ["cancelled"])


@pytest.mark.parametrize("place", ["litellm-native"], indirect=True)
def test_a_spec_whose_method_would_be_lost_is_not_sent(place: Place) -> None:
    want_pairs(place)
    assert (place.apply().code, place.plan(), place.jobs) == (1, ["wait CreateRejected"], [])


@at("file", where=lambda mode: mode.repeats > 1)
def test_of_the_jobs_that_a_gateway_made_of_one_create_one_is_left(place: Place) -> None:
    place.want(model="sandbox-repeated")
    place.apply()
    assert sorted(place.jobs) == ["cancelled", "cancelled", "live"]


# ── the seed, or the id alone: never a second job, and nothing is ended that only these speak for ──


@at("seed", "id")
def test_a_job_of_an_earlier_spec_is_named_and_left(place: Place) -> None:
    place.want()
    place.apply()
    place.want(rerun=1)
    assert (place.apply().code, place.jobs) == (0, ["live", "live"])
    assert place.plan() == ["hold Superseded", "keep InProgress"]


@at("seed", "id")
def test_a_removed_job_is_named_and_left_and_still_there_when_it_comes_back(place: Place) -> None:
    place.want()
    place.apply()
    place.fleet.remove("a")
    assert (place.apply().code, place.plan(), place.jobs) == (0, ["hold Orphaned"], ["live"])
    place.want()
    assert (place.apply().code, place.plan(), place.jobs) == (0, ["keep InProgress"], ["live"])


@at("seed", "id")
def test_a_name_whose_manifest_is_gone_is_known_to_the_journal_alone(place: Place) -> None:
    place.want()
    place.apply()
    place.fleet.remove("a")
    assert place.plan("--state-dir", place.fleet.root.parent / "elsewhere") == []
    assert place.plan() == ["hold Orphaned"]


@at("seed")
def test_of_two_with_one_seed_none_is_ended(place: Place) -> None:
    place.want()
    place.apply()
    place.twin()
    assert (place.apply().code, place.jobs) == (0, ["live", "live"])
    assert place.plan() == ["hold Duplicate", "keep InProgress"]


@at("id")
def test_a_second_job_of_a_rival_cannot_be_told_from_anybodys(place: Place) -> None:
    place.want()
    place.apply()
    place.twin()
    assert (place.apply().code, place.plan(), place.jobs) == (0, ["keep InProgress"], ["live", "live"])


@at("id")
def test_a_run_without_state_makes_no_second_job_and_says_how_to_go_on(place: Place) -> None:
    place.want()
    place.apply()
    for _ in range(2):
        ran = place.apply_elsewhere()
        assert (ran.code, "NoIdentity" in ran.out, "policy.adopt" in ran.out) == (1, True, True)
    assert place.jobs == ["live"]
    assert place.apply().code == 0, "the state directory that made it goes on"


@at("id")
def test_a_create_whose_answer_was_lost_is_never_sent_again(place: Place) -> None:
    place.want()
    with losing_a_create(place) as proxy:
        for _ in range(2):
            assert place.apply(via=proxy).code == 1
        assert place.plan(via=proxy) == ["hold CreateUnresolved"]
        assert len(proxy.creates()) == 1
    assert place.jobs == ["live"]


# ── what is known of a server is one memory, and whose a job is is read in one way ──


@at("marks", "file", "seed", "id")
def test_doctor_shows_what_a_pass_has_learned(place: Place) -> None:
    place.want()
    place.apply()
    assert place("doctor", "-o", "json").json["identity"] == place.server.identity
    if place.server.identity in WHOLE:  # and what anybody can see there
        elsewhere = ("--state-dir", place.fleet.root.parent / "elsewhere")
        assert place("doctor", "-o", "json", *elsewhere).json["identity"] == place.server.identity


@at(*WHOLE)
def test_jobs_of_this_fleet_and_of_another_are_imported_by_nobody(place: Place) -> None:
    place.want()
    place.apply()
    place.twin(seed=1, metadata=None)  # a colleague trains on the file that we uploaded
    other = FleetDirectory(place.fleet.root.parent / "other", name="fleet-2")
    other.job("a", **{"suffix": "bot", **place.server.spec})
    dataclasses.replace(place, fleet=other).apply()
    elsewhere = ("--state-dir", place.fleet.root.parent / "elsewhere")
    for where in ((), elsewhere):
        listed = place("import", "-o", "json", *where).json["unmanaged"]
        assert [job["job_id"] for job in listed] == ["ftjob-twin"]
    ours = place.ledger.all_jobs()[0].id
    assert place("import", ours, *elsewhere).code == 1


@pytest.mark.parametrize("place", ["openai-2024"], indirect=True)
def test_whose_a_job_is_is_asked_of_every_file_before_it_is_imported(place: Place) -> None:
    place.fleet.fleet(limits={"max_creates": 30})
    for number in range(24):
        place.want(f"a{number}")
    place.apply()

    def unlisted(request: Request, answer: Reply) -> Reply:
        lists = request.path.partition("?")[0].endswith("/files") and request.method == "GET"
        return reply({"error": {"message": "no such route"}}, 404) if lists else answer

    for number in range(24):
        place.fleet.remove(f"a{number}")
    with Proxy(place.base_url, unlisted) as proxy:
        elsewhere = ("--state-dir", place.fleet.root.parent / "elsewhere")
        assert place("import", "-o", "json", *elsewhere, via=proxy).json["unmanaged"] == []


# ── the one job that doctor makes ──


@at("marks", "file", "seed", where=lambda mode: mode.uploads)
def test_a_probe_is_made_once_read_and_ended_and_the_fleet_learns_from_it(place: Place) -> None:
    place.want()
    ran = place("doctor", "--probe-create", "--yes", "-o", "json")
    assert (ran.code, set(place.jobs)) == (0, {"cancelled"}), ran.out + ran.err
    found = ran.json
    assert (found["identity"], found["probe"]["made"], found["probe"]["live"]) == (place.server.identity, True, [])
    returned = {row["field"] for row in found["probe"]["compared"] if row["same"]}
    assert {"marks": "metadata", "file": "file name", "seed": "seed"}[place.server.identity] in returned
    # The API of 2024 leaves out method, and with it what it does not know.
    assert {row["field"] for row in found["probe"]["compared"] if row["same"] is False} <= {"n_epochs"}
    assert place("doctor", "-o", "json").json["identity"] == place.server.identity
    made = len(place.jobs)
    assert (place.apply().code, place.jobs[made:]) == (0, ["live"]), "to the fleet it is another fleet's"


@at("id", where=lambda mode: mode.uploads)
def test_a_probe_shows_that_nothing_comes_back_and_keeps_no_create_from_being_sent(place: Place) -> None:
    place.want()
    found = place("doctor", "--probe-create", "--yes", "-o", "json").json
    assert (found["identity"], found["probe"]["live"], place.jobs) == ("id", [], ["cancelled"])
    assert not any(row["same"] for row in found["probe"]["compared"])
    assert place("doctor", "-o", "json").json["identity"] == "id"
    assert (place.apply().code, place.jobs) == (0, ["cancelled", "live"])
