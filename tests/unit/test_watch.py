"""What a run has seen of its provider so far, and when another look tells it more. One settle window is 30 seconds."""

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.core.change import Action
from reconciler.core.job import Job
from reconciler.core.memory import EVERY_CREATE, Intent
from reconciler.core.plan import plan
from reconciler.core.schedule import Due, Next
from reconciler.core.watch import LostCreate, PutOff, Watch, why_cold
from reconciler.core.world import World
from tests.fakes.builders import R1, desired, job, memory, record, world

A, B = ("a", R1), ("b", R1)
NEW = Watch(settle=30, started=100)
NO_WORLD = world([], [], remembers=memory())


def lost(sent: str = "t1", name: str = "a") -> Mapping[str, Intent]:
    """A create without an answer; sent again, it has another token."""
    return {name: Intent(name, R1, 1, token=sent)}


def unresolved(*names: str, settled: str = "") -> World:
    """What became of these creates is not known."""
    return world([], [], remembers=memory(intents=[Intent(n, R1, 1) for n in names]), looked_for=frozenset(settled))


def test_a_listing_shows_all_of_the_time_before_the_run_one_settle_window_after_it_began() -> None:
    assert NEW.settled_at == 130


# ── a listing ────────────────────────────────────────────────────────────────────────────────


def test_a_run_that_has_seen_nothing_says_so() -> None:
    assert NEW.seen_first is None
    assert NEW.cold == "", "why it would have to wait is for its caller to say"
    assert not any((NEW.lost, NEW.in_vain, NEW.doubted, NEW.void, NEW.ended, NEW.put_off))


@pytest.mark.parametrize(
    "waits",
    [
        {"cold": "why"},
        {"lost": {"a": LostCreate("t1", 140)}},
        {"doubted": {("j1", 1): 140.0}},
        {"void": frozenset({"j1"})},
        {"created_at": 0.0},
        {"put_off": {A: PutOff(1, 100, 160, "why")}, "looked_at": 159.0},
    ],
    ids=lambda waits: next(iter(waits)),
)
def test_a_run_that_waits_for_a_look_or_a_moment_is_not_idle(waits: Mapping[str, Any]) -> None:
    assert NEW.idle
    assert not replace(NEW, **waits).idle
    assert replace(NEW, put_off={A: PutOff(1, 100, 160, "why")}, looked_at=160.0).idle


@pytest.mark.parametrize("first", [[job("j1"), job("j2", status="failed")], []], ids=["two jobs", "no job"])
def test_what_was_seen_first_is_what_the_first_listing_showed(first: list[Job]) -> None:
    first_ids = {j.id for j in first}
    assert NEW.listed(first_ids, {}, 110).listed({"j3"}, {}, 120).seen_first == first_ids


def test_a_lost_create_is_looked_for_until_a_listing_that_begins_a_settle_window_after_it_was_first_missed() -> None:
    watch = NEW.listed(set(), lost(), 110).listed(set(), lost(), 125)
    assert watch.lost == {"a": LostCreate("t1", 140)}
    assert watch.looked_long_enough(139.9) == frozenset()
    assert watch.looked_long_enough(140) == {"a"}


def test_it_is_looked_for_anew_when_another_run_has_sent_it_again() -> None:
    watch = NEW.listed(set(), lost("t1"), 110).listed(set(), lost("t2"), 125)
    assert watch.lost == {"a": LostCreate("t2", 155)}


def test_it_is_looked_for_from_the_moment_its_answer_was_lost() -> None:
    watch = NEW.lost_answer("a", "t1", 105).listed(set(), lost("t1"), 125)
    assert watch.lost == {"a": LostCreate("t1", 135)}


def test_each_lost_create_has_a_settle_window_of_its_own() -> None:
    watch = NEW.listed(set(), lost(), 110).lost_answer("b", "t2", 120).listed(set(), {**lost(), **lost("t3", "c")}, 125)
    assert {name: one.until for name, one in watch.lost.items()} == {"a": 140, "b": 150, "c": 155}
    assert watch.looked_long_enough(150) == {"a", "b"}


def test_a_lost_create_that_is_resolved_is_looked_for_no_more() -> None:
    watch = NEW.listed(set(), {**lost(), **lost(name="b")}, 110).after(unresolved("b"), set(), 140)
    assert watch.lost == {"b": LostCreate("t1", 140)}


def test_in_vain_are_the_lost_creates_that_are_still_unresolved_after_their_settle_window() -> None:
    watch = NEW.listed(set(), {**lost(), **lost(name="b")}, 110)
    assert watch.after(unresolved("a", "b", settled="ac"), set(), 140).in_vain == {"a"}


# ── cancels that did not take ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "is_doubted"),
    [("running", True), ("cancelling", False), ("cancelled", False), ("succeeded", False)],
)
def test_a_recorded_cancel_is_doubted_while_its_job_goes_on(status: str, is_doubted: bool) -> None:
    watch = NEW.after(world([job("j1", status=status)]), {("j1", 1)}, 110)
    assert watch.doubted == ({("j1", 1): 140} if is_doubted else {})


def test_nobody_doubts_a_cancel_of_a_job_that_is_not_listed() -> None:
    assert NEW.after(world([job("j2")]), {("j1", 1)}, 110).doubted == {}


def test_a_job_that_nobody_cancelled_may_go_on() -> None:
    watch = NEW.after(world([job("j1")]), set(), 110).after(world([job("j1")]), set(), 200)
    assert not watch.doubted
    assert not watch.void


def test_a_doubted_cancel_is_void_a_settle_window_after_its_job_was_first_seen_to_go_on() -> None:
    going_on, pending = world([job("j1"), job("j2")]), {("j1", 1)}
    watch = NEW.after(going_on, pending, 110).after(going_on, pending, 139.9)
    assert watch.doubted == {("j1", 1): 140}
    assert not watch.void
    watch = watch.after(going_on, pending, 140)
    assert watch.void == {"j1"}
    assert not watch.doubted


def test_a_void_cancel_is_void_for_that_look_only() -> None:
    going_on = world([job("j1")])
    watch = NEW.after(going_on, {("j1", 1)}, 110).after(going_on, {("j1", 1)}, 140)
    assert watch.after(going_on, set(), 141).void == frozenset()


def test_a_cancel_that_is_sent_again_is_doubted_for_a_settle_window_of_its_own() -> None:
    going_on = world([job("j1")])
    watch = NEW.after(going_on, {("j1", 1)}, 110).after(going_on, {("j1", 2)}, 140)
    assert watch.doubted == {("j1", 2): 170}
    assert not watch.void


def test_a_cancel_whose_job_seemed_to_end_and_goes_on_after_all_is_doubted_anew() -> None:
    ending, going_on, pending = world([job("j1", status="cancelling")]), world([job("j1")]), {("j1", 1)}
    watch = NEW.after(going_on, pending, 110).after(ending, pending, 120).after(going_on, pending, 130)
    assert watch.doubted == {("j1", 1): 160}


# ── jobs that have ended ─────────────────────────────────────────────────────────────────────


def test_jobs_that_are_recorded_live_and_were_seen_ended_are_kept_in_mind() -> None:
    jobs = [job("j1", status="failed"), job("j2"), job("j3", status="succeeded"), job("j4", status="failed")]
    first = world(jobs, remembers=memory(records=[record("j1"), record("j2"), record("j4", live=False)]))
    later = world([job("j2", status="cancelled")], remembers=memory(records=[record("j2")]))
    watch = NEW.after(first, set(), 110)
    assert watch.ended == {"j1"}
    assert watch.after(later, set(), 120).ended == {"j1", "j2"}


def test_so_is_one_that_was_read_back_and_has_ended() -> None:
    watch = NEW.read_back(job("j1", status="cancelled")).read_back(job("j2", status="running"))
    assert watch.read_back(job("j3", status="succeeded")).ended == {"j1", "j3"}


# ── rivals ───────────────────────────────────────────────────────────────────────────────────


def test_a_create_is_looked_at_again_once_its_settle_window_is_over() -> None:
    watch = NEW.created(110)
    assert watch.created_at == 110
    assert watch.after(NO_WORLD, set(), 139.9).created_at == 110
    assert watch.after(NO_WORLD, set(), 140).created_at is None


def test_so_is_one_whose_answer_was_lost() -> None:
    assert NEW.lost_answer("a", "t1", 110).created_at == 110


def test_the_last_create_counts() -> None:
    assert NEW.created(110).created(120).after(NO_WORLD, set(), 140).created_at == 120


# ── creates that were told to wait ───────────────────────────────────────────────────────────


def put_off(create: tuple[str, str], tries: int, *, asked: float = 0.0, each: float = 0.0) -> list[float]:
    """Seconds that each of so many answers in a row puts it off, one every ``each`` seconds."""
    watch, waits = NEW, []
    for n in range(tries):
        at = 200 + n * each
        watch = watch.was_put_off(create, asked, "busy", at)
        waits.append(watch.put_off[create].until - at)
    return waits


def test_a_put_off_grows_and_ends_growing() -> None:
    assert put_off(EVERY_CREATE, 9) == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize(("asked", "waits"), [(0.2, 1), (1, 1), (7, 7), (120.5, 120.5), (3600, 3600), (86_400, 3600)])
def test_what_the_server_asks_for_counts_from_a_second_to_an_hour(asked: float, waits: float) -> None:
    assert put_off(EVERY_CREATE, 2, asked=asked) == [waits, waits]


def test_a_file_that_is_not_ready_puts_its_create_off_for_120_seconds_at_most() -> None:
    assert put_off(A, 1, asked=600) == [120]
    assert put_off(A, 5, asked=50, each=30) == [50, 50, 50, 30, 0]


def test_until_then_it_may_wait() -> None:
    watch = NEW.was_put_off(A, 0, "not ready", 200).was_put_off(A, 0, "not ready", 250)
    assert [watch.may_wait(A, at) for at in (250, 319.9, 320)] == [True, True, False]
    assert watch.may_wait(B, 320), "another one has not been put off yet"


def test_a_put_off_remembers_how_often_since_when_and_the_last_reason() -> None:
    watch = NEW.was_put_off(A, 0, "first", 200).was_put_off(B, 5, "other", 201).was_put_off(A, 0, "second", 203)
    assert watch.put_off == {A: PutOff(2, 200, 205, "second"), B: PutOff(1, 201, 206, "other")}


def test_a_create_that_went_through_ends_its_own_put_off_and_that_of_every_create() -> None:
    watch = NEW.was_put_off(A, 0, "a", 200).was_put_off(B, 0, "b", 200).was_put_off(EVERY_CREATE, 0, "all", 200)
    assert watch.went_through(A).put_off.keys() == {B}


def test_a_create_that_is_put_off_again_later_begins_anew() -> None:
    watch = NEW.was_put_off(A, 0, "busy", 200).was_put_off(A, 0, "busy", 201).went_through(A)
    assert watch.was_put_off(A, 0, "busy", 400).put_off[A] == PutOff(1, 400, 401, "busy")


def test_every_create_is_the_key_that_the_decision_table_reads() -> None:
    (change,) = plan(world([], [desired()], remembers=memory(echoes=True, put_off={EVERY_CREATE: "busy"}))).changes
    assert (change.action, change.message) == (Action.WAIT, "busy")


def test_put_off_now_is_what_the_last_decision_still_had_to_wait_for() -> None:
    watch = NEW.was_put_off(A, 10, "a", 200).was_put_off(B, 5, "b", 200)
    assert [sorted(watch.at(t).put_off_now) for t in (204.9, 205, 210)] == [[A, B], [A], []]


def test_the_next_create_is_the_one_that_waits_least() -> None:
    watch = NEW.was_put_off(A, 10, "a", 200).was_put_off(B, 5, "b", 200)
    assert [(n := watch.at(t).next_create) and n.why for t in (200, 205, 210)] == ["b", "a", None]


# ── when next ────────────────────────────────────────────────────────────────────────────────


def passes(
    watch: Watch, *, worked: bool = False, postponed: str = "", tried_again: float | None = None
) -> tuple[Next, ...]:
    return watch.next_passes(worked=worked, postponed=postponed, tried_again=tried_again, now=500)


def test_a_pass_that_leaves_nothing_open_needs_no_other() -> None:
    assert passes(NEW) == ()


def test_work_that_took_is_worth_another_pass_at_once() -> None:
    assert passes(NEW, worked=True) == (Next(500, Due.WORK),)


def test_a_run_that_may_not_write_yet_comes_again_when_its_settle_window_is_over() -> None:
    assert passes(NEW, postponed="it is new") == (Next(130, Due.COLD, "the settle window: it is new"),)


@pytest.mark.parametrize("at", [0, 560], ids=["long ago", "in a while"])
def test_a_back_off_is_worth_a_pass_when_it_ends(at: float) -> None:
    assert passes(NEW, tried_again=at) == (Next(at, Due.BACKOFF),)


def test_a_put_off_is_worth_a_pass_when_the_first_create_may_go() -> None:
    watch = NEW.was_put_off(A, 10, "a", 495).was_put_off(B, 5, "its file is not ready", 498).at(500)
    assert passes(watch) == (Next(503, Due.LATER, "the next create: its file is not ready"),)


def test_a_lost_create_is_worth_a_look_unless_looking_on_is_in_vain() -> None:
    watch = NEW.listed(set(), {**lost(), **lost(name="b")}, 110)
    why = "the settle window, to look for the job of {}, whose answer was lost"
    assert passes(watch) == (Next(140, Due.LOOK, why.format("a")), Next(140, Due.LOOK, why.format("b")))
    assert passes(watch.after(unresolved("a", "b", settled="a"), set(), 140)) == (Next(140, Due.LOOK, why.format("b")),)


def test_a_doubted_cancel_is_worth_a_look() -> None:
    watch = NEW.after(world([job("j1")]), {("j1", 1)}, 110)
    assert passes(watch) == (Next(140, Due.LOOK, "the settle window, to look for the cancel of job j1 to take effect"),)


def test_a_create_is_worth_a_look_for_jobs_of_rivals() -> None:
    why = "the settle window, to look for jobs that another run may have made at the same moment"
    assert passes(NEW.created(110)) == (Next(140, Due.LOOK, why),)


def test_everything_that_is_worth_a_pass_is_named() -> None:
    watch = (
        NEW.listed(set(), lost(), 110)
        .after(world([job("j1")], remembers=memory(intents=lost().values())), {("j1", 1)}, 111)
        .created(112)
        .was_put_off(B, 8, "busy", 495)
        .at(500)
    )
    assert [(n.at, n.due) for n in passes(watch, worked=True, postponed="it is new", tried_again=550)] == [
        (500, Due.WORK),
        (130, Due.COLD),
        (140, Due.LOOK),
        (141, Due.LOOK),
        (142, Due.LOOK),
        (503, Due.LATER),
        (550, Due.BACKOFF),
    ]


# ── before the first write ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("settled", "moved", "lost", "why"),
    [
        (True, False, False, ""),
        (False, False, False, "this state directory is new, and an earlier run may have just created jobs"),
        (False, True, True, "this state directory is new, and an earlier run may have just created jobs"),
        (True, True, False, "this state directory was last written elsewhere, or is a copy"),
        (True, True, True, "this state directory was last written elsewhere, or is a copy"),
        (True, False, True, "an earlier create has no known outcome"),
    ],
)
def test_a_run_waits_before_its_first_write_where_jobs_may_not_be_listed_yet(
    settled: bool, moved: bool, lost: bool, why: str
) -> None:
    assert why_cold(settled=settled, moved=moved, lost=lost) == why
