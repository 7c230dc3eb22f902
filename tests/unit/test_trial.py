"""One careful try for the whole fleet, once every create was refused and that back-off is over."""

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from reconciler.core.change import Create, Keep, Plan
from reconciler.core.gates import Permission, gate
from reconciler.core.memory import Memory, Refusal
from reconciler.core.plan import plan
from reconciler.core.reason import Reason
from reconciler.core.world import World
from reconciler.errors import Refused, Unreadable
from tests.fakes.builders import R1, R2, R3, desired, fleet, job, memory, world
from tests.fakes.daemons import DaemonHarness
from tests.fakes.fleets import FleetDirectory
from tests.fakes.situations import LOST


def tried_alone(w: World) -> Plan:
    """The plan that may run."""
    return gate(plan(w), w, Permission(first_run=True)).plan


OF_ALL = Refusal("a", R1, "HTTP 403: no quota", 60, of_all=True)


def halted(**more: Any) -> Memory:
    """Every create was refused, and that back-off is over; job a was refused last."""
    return memory(echoes=True, refusals={"a": OF_ALL, "": replace(OF_ALL, revision="")}, **more)


def test_what_was_refused_to_all_is_tried_again_with_one_create() -> None:
    w = world([], [desired("a"), desired("b"), desired("c")], remembers=halted())
    assert [c.name for c in tried_alone(w).writes] == ["b"]
    refused, tried, waits = tried_alone(w).changes
    assert [c.name for c in (refused, tried, waits)] == ["a", "b", "c"]
    assert isinstance(tried, Create), "the one that was not tried lately"
    assert {c.reason for c in (refused, waits)} == {Reason.CREATE_REFUSED}
    assert refused.message == "the provider takes no new jobs: HTTP 403: no quota; job b is tried first, alone"
    assert "no quota" not in waits.message, "that was said to another job"


def test_a_sentence_of_the_server_ends_in_one_mark() -> None:
    remembers = memory(
        echoes=True,
        refusals={"a": replace(OF_ALL, message="HTTP 429: check your plan."), "": replace(OF_ALL, revision="")},
    )
    refused = tried_alone(world([], [desired("a"), desired("b")], remembers=remembers)).changes[0]
    assert refused.message.endswith("HTTP 429: check your plan; job b is tried first, alone")


def test_a_create_that_ends_a_running_job_is_not_the_one_that_is_tried() -> None:
    """A gate may refuse it for ever, and with it whether the provider takes jobs again."""
    w = world([job(name="b", revision=R2)], [desired("a"), desired("b")], remembers=halted())
    assert [c.name for c in tried_alone(w).writes] == ["a"]


def test_nothing_is_tried_while_the_answer_to_the_last_try_is_lost() -> None:
    wants = [desired("a"), desired("b")]
    lost = world([], wants, remembers=halted(intents=[LOST]))
    assert tried_alone(lost).writes == ()
    assert [c.reason for c in tried_alone(lost).changes] == [Reason.CREATE_UNRESOLVED, Reason.CREATE_REFUSED]
    found = replace(lost, jobs=(job("j1", "a"),))
    assert [c.name for c in tried_alone(found).writes] == [], "its job is bound first; then the provider takes jobs"
    for_ever = replace(lost, memory=replace(lost.memory, echoes=False))
    assert [c.reason for c in tried_alone(for_ever).changes] == [Reason.CREATE_UNRESOLVED, Reason.NO_IDENTITY]
    seeds = replace(lost, memory=replace(lost.memory, echoes=None))
    assert [c.name for c in tried_alone(seeds).writes] == ["b"], "no look will ever tell of a: a person must"


def test_a_create_that_a_gate_refuses_is_not_the_one_that_is_tried() -> None:
    """Found by the simulation: a gate held one job for ever, and with it every other."""
    jobs = [job(f"j{n}", name, revision=R2) for n, name in enumerate("bc")]
    known = halted(wanted=[("b", R2), ("c", R2)])
    limited = world(jobs, [desired("a"), desired("b"), desired("c")], remembers=known, of=fleet(max_cancels=1))
    assert [c.name for c in tried_alone(limited).writes] == ["a"]
    assert {c.reason for c in tried_alone(limited).changes if c.name in "bc" and not isinstance(c, Keep)} == {
        Reason.BLOCKED
    }


def test_who_waits_for_the_try_keeps_its_earlier_job() -> None:
    jobs = [job("j1", "b", revision=R2), job("j2", "b", revision=R3, created=200)]
    known = halted(wanted=[("b", R2), ("b", R3)])
    changes = tried_alone(world(jobs, [desired("a"), desired("b")], remembers=known)).changes
    assert [(c.job_id, c.action, c.reason) for c in changes if c.name == "b"] == [
        (None, "wait", Reason.CREATE_REFUSED),
        ("j1", "cancel", Reason.SUPERSEDED),
        ("j2", "keep", Reason.IN_PROGRESS),
    ]


def test_a_job_whose_file_cannot_be_uploaded_does_not_keep_all_others_waiting(tmp_path: Path) -> None:
    at = DaemonHarness(FleetDirectory(tmp_path / "fleet"))
    for number, name in enumerate("ab"):
        at.fleet.data(name, 12 + number)
        at.fleet.job(name, training_file=f"data/{name}.jsonl")
    at.provider.find_files = lambda wanted: {one: one[0] for one in wanted}  # type: ignore[method-assign] # each its own

    def wait_for(file_id: str) -> None:
        if ".a." in file_id or file_id.startswith("a-"):
            raise Unreadable("still in trouble with it", status=500)

    at.fail_next("create", *[Refused("no quota", status=403)] * 2)
    at.live(100)
    assert len(at.provider.times("create")) == 2
    at.provider.wait_for_file = wait_for  # type: ignore[method-assign] # from then on
    for _ in range(3):
        at.live(200)
    assert at.provider.live("b")
    assert not at.provider.live("a")
