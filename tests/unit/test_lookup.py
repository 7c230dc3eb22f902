"""Which jobs deserve a look, which lost creates a listing resolves, and what is written down of it."""

import dataclasses

import pytest
from msgspec.structs import replace

from reconciler.core.fields import State
from reconciler.core.job import Job
from reconciler.core.lookup import (
    found_without_marks,
    gone_on,
    lookups,
    newly_ended,
    records_of,
    resolved_intents,
    seen_at_first,
    stays_unresolved,
    suspects_of_intent,
)
from reconciler.core.memory import Intent, Memory, OwnCancel, OwnPause, Record
from reconciler.core.plan import plan
from reconciler.core.reason import Reason
from reconciler.core.training import Training
from reconciler.core.world import World
from tests.fakes.builders import R1, R2, R3, asked_for_dpo, desired, job, memory, record, world
from tests.fakes.situations import KNOWS_NOTHING, LOST, NOBODY_KNOWS

FILED = dataclasses.replace(LOST, filed=True)


def test_lookups_are_recorded_jobs_that_must_exist_and_adopted_ones() -> None:
    told = [record("live"), record("mine", live=False), record("past", revision=R2, live=False), record("shown")]
    w = world([job("shown")], [desired(adopt=("ad", R3))], remembers=memory(records=told))
    assert lookups(w) == ("ad", "live", "mine")


def test_a_listed_job_that_we_cancelled_is_looked_at_again_unless_a_person_gave_its_cancel_up() -> None:
    told = memory(cancels={"j1": "Removed", "j2": OwnCancel("Removed", left=True), "j3": "Removed"})
    jobs = [job("j1"), job("j2"), job("j3", status="cancelled"), job("j4")]
    assert lookups(world(jobs, [desired()], remembers=told)) == ("j1",)


def test_a_listed_job_that_is_recorded_as_ended_is_looked_at_again() -> None:
    told = memory(records=[record("j1", live=False), record("j2"), record("j3", revision=R2, live=False)])
    jobs = [job("j1"), job("j2"), job("j3", status="failed", revision=R2), job("j4")]
    assert lookups(world(jobs, [desired()], remembers=told)) == ("j1",)


def test_a_job_that_was_paused_here_and_is_listed_as_going_on_is_looked_at_again() -> None:
    told = memory(pauses={"j1": OwnPause(), "j2": OwnPause(), "j3": OwnPause()})
    jobs = [job("j1"), job("j2", status="paused"), job("j3", status="failed"), job("j4")]
    assert lookups(world(jobs, [desired()], remembers=told)) == ("j1",)


def test_a_pause_of_ours_is_over_when_its_job_goes_on_and_nobody_wants_it_paused() -> None:
    told = memory(echoes=True, pauses=dict.fromkeys(("j1", "j2", "j3", "j4", "j5"), OwnPause()))
    jobs = [job("j1"), job("j2", "b", status="paused"), job("j3", "b", status="failed"), job("j4", "c")]
    wants = [desired(), desired("b"), desired("c", state=State.PAUSED)]
    assert gone_on(world(jobs, wants, remembers=told)) == ("j1", "j3"), "of j5 nothing is known"


def test_a_job_that_shows_no_method_is_looked_at_before_it_is_called_another_one() -> None:
    shown = Training("supervised")
    jobs = [job("j1"), job("j2", status="cancelled"), job("j3", training=shown), job("j4", "b"), job("j5", "c")]
    wants = [asked_for_dpo(), desired("b"), asked_for_dpo("c", adopt=("j5", R1))]
    assert lookups(world(jobs, wants)) == ("j1", "j2")
    assert lookups(world(jobs, wants, method_assumed=True)) == ()
    ended = memory(cancels={"j2": OwnCancel("MethodLost", confirmed=True)})
    assert lookups(world(jobs, wants, remembers=ended)) == ("j1",), "its cancel was sent after such a look"
    unneeded = memory(cancels={"j2": OwnCancel("MethodLost", confirmed=True, counts=False)})
    assert lookups(world(jobs, wants, remembers=unneeded)) == ("j1", "j2")


@pytest.mark.parametrize(
    ("situation", "remembers", "jobs", "stays"),
    [
        ("nothing is lost", memory(), [], False),
        ("the provider returns marks", memory(intents=[LOST], echoes=True), [], False),
        ("it drops them and returns seeds", memory(intents=[LOST], echoes=False, seeds=True), [], False),
        ("it returns neither", memory(intents=[LOST], echoes=False), [], True),
        ("it returns files, and this one bears its name", memory(intents=[FILED], echoes=False, files=True), [], False),
        ("it returns files, and this one has another", memory(intents=[LOST], echoes=False, files=True), [], True),
        ("nothing is known of its files", memory(intents=[FILED], echoes=False), [], True),
        ("nothing tells of one job", memory(intents=[FILED], echoes=False, files=True), [job(marked=False)], True),
        (
            "of that one its file tells",
            memory(intents=[FILED], echoes=False, files=True),
            [job(marked=False, file_name="theirs.jsonl")],
            False,
        ),
        (
            "a job on another file carries the seed",
            memory(intents=[FILED], echoes=False, files=True),
            [job(marked=False, seed=FILED.seed, file_name=f"fleet-1.a.{R1}.2.jsonl")],
            False,
        ),
        (
            "a job on its file carries the seed, and another suffix",
            memory(intents=[FILED], echoes=False, files=True),
            [job(marked=False, seed=FILED.seed, file_name=f"fleet-1.a.{R1}.1.jsonl")],
            True,
        ),
        ("nothing is known of it", memory(intents=[LOST]), [], True),
        (
            "a job without marks carries the seed",
            memory(intents=[LOST], echoes=False, seeds=True),
            [job("j1", marked=False, seed=LOST.seed), job("j2", marked=False, seed=LOST.seed)],
            True,
        ),
    ],
)
def test_only_where_no_listing_tells_may_a_person_drop_a_lost_create(
    situation: str, remembers: Memory, jobs: list[Job], *, stays: bool
) -> None:
    assert stays_unresolved(world(jobs, [desired()], remembers=remembers).cases["a"]) is stays, situation


def test_intents_resolve_by_marks_by_a_person_or_by_time() -> None:
    lost = memory(intents=[LOST], echoes=True)
    assert resolved_intents(world([], [desired()], remembers=lost)) == {}
    assert resolved_intents(world([job()], [desired()], remembers=lost)) == {"a": "j1"}
    assert resolved_intents(world([job(attempt=2)], [desired()], remembers=lost)) == {}
    assert resolved_intents(world([], [], remembers=lost, looked_for=frozenset("a"))) == {"a": None}
    unseen = memory(intents=[LOST])
    assert resolved_intents(world([], [], remembers=unseen, looked_for=frozenset("a"))) == {}


# ── jobs of lost creates without our marks ───────────────────────────────────────────────────


def found(jobs: list[Job], resolved: dict[str, str | None], *, adopt: tuple[str, str] | None = None) -> list[Record]:
    lost = memory(intents=[Intent("a", R2, 3), Intent("b", R1, 1)])
    w = world(jobs, [desired("c", adopt=adopt), desired("d")], remembers=lost)
    records = found_without_marks(w, resolved)
    assert all(job_id == r.job_id for job_id, r in records.items())
    return list(records.values())


@pytest.mark.parametrize(("status", "live"), [("running", True), ("failed", False)])
def test_the_job_of_a_lost_create_is_remembered_as_what_was_sent(status: str, live: bool) -> None:
    unmarked = job("j9", marked=False, status=status)
    assert found([job("j8"), unmarked], {"a": "j9"}) == [Record("j9", "a", R2, 3, live=live)]


def test_it_is_not_where_it_carries_our_marks_or_did_not_happen() -> None:
    both = [job("j8"), job("j9", marked=False)]
    assert found(both, {"a": "j8", "b": None}) == []
    assert found(both, {"a": None, "b": "j9"}) == [Record("j9", "b", R1, 1, live=True)]


def test_it_is_not_where_a_person_named_it_and_so_says_what_it_is() -> None:
    both = [job("j8", marked=False), job("j9", marked=False)]
    assert found(both, {"a": "j8", "b": "j9"}, adopt=("j9", R1)) == [Record("j8", "a", R2, 3, live=True)]


@pytest.mark.parametrize(
    ("name", "revision", "borne_out"),
    [("a", R3, True), ("a", R2, False), ("b", R3, False)],
    ids=["changed since", "as it was sent", "another name"],
)
def test_it_bears_out_what_a_person_said_of_it_before_the_manifest_changed(
    name: str, revision: str, borne_out: bool
) -> None:
    lost = memory(intents=[Intent("a", R2, 3)])
    w = world([job("j9", marked=False)], [desired(name, revision, adopt=("j9", R2))], remembers=lost)
    told = [Record("j9", "a", R2, 0, live=True)] if borne_out else []
    assert list(found_without_marks(w, {"a": "j9"}).values()) == told


def test_an_adoption_that_is_refused_is_not_written_down() -> None:
    """What is written down bears it out from then on."""
    refused = world([job("j9", marked=False)], [desired(revision=R2, adopt=("j9", R1))])
    assert list(records_of(refused)) == []
    assert plan(refused).changes[0].reason is Reason.ADOPTION_REFUSED
    accepted = world([job("j9", marked=False)], [desired(adopt=("j9", R1))])
    assert list(records_of(accepted)) == [Record("j9", "a", R1, 0, live=True)]


# ── jobs that have ended since ───────────────────────────────────────────────────────────────

ENDED = job("j1", status="succeeded")
WAS_LIVE, HAD_ENDED = memory(records=[record()]), memory(records=[record(live=False)])


@pytest.mark.parametrize(
    ("remembers", "seen_first", "is_new"),
    [
        pytest.param(WAS_LIVE, "", True, id="recorded as live"),
        pytest.param(HAD_ENDED, "", False, id="recorded as ended"),
        pytest.param(KNOWS_NOTHING, "", True, id="made and ended since the journal's last look"),
        pytest.param(KNOWS_NOTHING, "j1", True, id="... although it was in this run's first listing"),
        pytest.param(NOBODY_KNOWS, "", True, id="without memory: made and ended since the first listing"),
        pytest.param(NOBODY_KNOWS, "j1", False, id="without memory: nobody knows how long ago it ended"),
    ],
)
def test_a_job_has_newly_ended_where_the_journal_has_it_as_live_or_has_never_seen_it(
    remembers: Memory, seen_first: str, is_new: bool
) -> None:
    w = world([ENDED], [desired()], remembers=remembers, seen_first=frozenset({seen_first} - {""}))
    assert newly_ended(w, {}) == ({("a", "j1"): ENDED} if is_new else {})


def test_a_job_that_is_live_has_not_ended() -> None:
    assert newly_ended(world([job()], [desired()], remembers=WAS_LIVE), {"a": "j1"}) == {}


def test_the_job_of_a_lost_create_may_have_ended_before_it_was_found() -> None:
    w = world([ENDED, replace(ENDED, id="j2")], [desired()], remembers=HAD_ENDED, seen_first=frozenset({"j1"}))
    assert newly_ended(w, {"a": "j1"}).keys() == {("a", "j1"), ("a", "j2")}


def test_a_job_of_others_that_nobody_recorded_has_not_ended_newly() -> None:
    adopted = [job("j1", status="failed"), job("j2", marked=False, status="failed")]
    assert newly_ended(world(adopted[:1], [desired(adopt=("j1", R1))], remembers=KNOWS_NOTHING), {}) == {}
    assert newly_ended(world(adopted[1:], [desired(adopt=("j2", R1))], remembers=KNOWS_NOTHING), {}) == {}


# ── what the journal is to know ──────────────────────────────────────────────────────────────


def records(w: World) -> list[Record]:
    return sorted(records_of(w), key=lambda r: r.job_id)


def test_every_job_that_stands_for_a_name_is_recorded() -> None:
    jobs = [job("j1", attempt=2), job("j2", "b", R2, status="failed"), job("j3", fleet="another")]
    assert records(world(jobs, [desired()])) == [
        Record("j1", "a", R1, 2, live=True),
        Record("j2", "b", R2, 1, live=False),
    ]


@pytest.mark.parametrize(
    ("remembers", "status", "seen_first", "ended_before"),
    [
        (NOBODY_KNOWS, "failed", "j1", True),
        (NOBODY_KNOWS, "failed", "j2", False),
        (NOBODY_KNOWS, "running", "j1", False),
        (KNOWS_NOTHING, "failed", "j1", False),
    ],
    ids=["had ended at first", "came since", "live", "with memory"],
)
def test_a_run_without_memory_remembers_what_had_ended_before_it(
    remembers: Memory, status: str, seen_first: str, ended_before: bool
) -> None:
    w = world([job(status=status)], [desired()], remembers=remembers, seen_first=frozenset({seen_first}))
    assert [r.ended_before for r in records(w)] == [ended_before]


@pytest.mark.parametrize(("wanted", "gone", "stranger"), [("", "a", True), ("a", "a", False), ("", "b", False)])
def test_a_job_of_a_name_that_was_gone_before_is_a_stranger(wanted: str, gone: str, stranger: bool) -> None:
    w = world([job()], [desired(name) for name in wanted], remembers=memory(gone=frozenset(gone)))
    assert [r.stranger for r in records(w)] == [stranger]


def test_a_run_without_memory_may_call_its_own_what_it_saw_at_first() -> None:
    w = world([job("j1"), job("j2")], [desired()], remembers=NOBODY_KNOWS, seen_first=frozenset({"j2", "j3"}))
    assert list(seen_at_first(w)) == [Record("j2", "a", R1, 1, live=True)]
    assert list(seen_at_first(replace(w, memory=KNOWS_NOTHING))) == []


@pytest.mark.parametrize("files", [True, False])
def test_a_job_on_a_file_of_another_name_is_no_suspect_where_names_come_back(files: bool) -> None:
    stranger = job(marked=False, seed=FILED.seed, file_name="train.jsonl")
    w = world([stranger], [desired()], remembers=memory(intents=[FILED], files=files, echoes=False))
    assert bool(suspects_of_intent(w, "a")) is not files
