"""The decision table: a case for each branch, for each pair of rows that can meet, and properties over worlds."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from msgspec.structs import replace

from reconciler.core.change import Action, Cancel, Create, Hold, Pause, Resume, Write
from reconciler.core.fields import OnCancelled, OnChange, State
from reconciler.core.job import Job, JobError
from reconciler.core.memory import Intent, Memory, OwnCancel, OwnPause, Rejection
from reconciler.core.plan import plan
from reconciler.core.reason import Reason
from reconciler.core.standing import STANDING, Decision
from reconciler.core.status import Details, statuses
from reconciler.core.world import World
from tests.fakes.builders import CURABLE, FLEET, R1, R2, R3, asked_for_dpo, desired, fleet, job, memory, record, world
from tests.fakes.situations import (
    CANCEL,
    CREATE,
    HOLD,
    LOST,
    SENT,
    TABLE,
    Line,
    old,
    own,
    unmarked,
)
from tests.fakes.worlds import worlds


def lines(w: World) -> list[Line]:
    return [(c.action, c.reason, c.job_id) for c in plan(w).changes]


def creating(*, attempt: int = 1, reason: Reason = Reason.NOT_CREATED) -> list[tuple[Action, Reason, int]]:
    return [(CREATE, reason, attempt)]


def creates(w: World) -> list[tuple[Action, Reason, int]]:
    return [(c.action, c.reason, c.attempt or 0) for c in plan(w).changes if c.action is CREATE]


# Rows that can meet in one situation: the earlier one decides.
broken_and_lost = memory(intents=[LOST], records=[record("j7")], echoes=True)
PAIRS: list[tuple[str, World, Reason]] = [
    ("1 before 2", world([], [desired()], remembers=broken_and_lost, broken=frozenset("a")), Reason.SOURCE_INVALID),
    (
        "1 before 3",
        world([], [desired()], remembers=memory(records=[record()]), missing=frozenset({"j1"}), broken=frozenset("a")),
        Reason.SOURCE_INVALID,
    ),
    ("1 before 4", world([job()], [], of=fleet(state=State.CANCELLED), broken=frozenset("a")), Reason.SOURCE_INVALID),
    ("1 before 5", world([job()], [], broken=frozenset("a")), Reason.SOURCE_INVALID),
    ("1 before 6", world([job("j1"), job("j2")], [desired()], broken=frozenset("a")), Reason.SOURCE_INVALID),
    (
        "2 before 3",
        world([], [desired()], remembers=broken_and_lost, missing=frozenset({"j7"})),
        Reason.CREATE_UNRESOLVED,
    ),
    (
        "2 before 4",
        world([], [desired()], remembers=broken_and_lost, of=fleet(state=State.CANCELLED)),
        Reason.CREATE_UNRESOLVED,
    ),
    ("2 before 5", world([], [], remembers=broken_and_lost), Reason.CREATE_UNRESOLVED),
    (
        "2 before 6, for another revision of the name",
        world([job("j1"), job("j2")], [desired()], remembers=memory(intents=[Intent("a", R2, 1)], echoes=True)),
        Reason.CREATE_UNRESOLVED,
    ),
    (
        "2 before 9",
        world(
            [job(status="failed")], [desired(retries=1)], remembers=memory(intents=[Intent("a", R1, 2)], echoes=True)
        ),
        Reason.CREATE_UNRESOLVED,
    ),
    (
        "3 before 4",
        world([], [desired(state=State.SUSPENDED)], remembers=memory(records=[record()]), missing=frozenset({"j1"})),
        Reason.MISSING,
    ),
    ("3 before 5", world([], [], remembers=memory(records=[record()]), missing=frozenset({"j1"})), Reason.MISSING),
    (
        "3 before 7",
        world([job("j2")], [desired()], remembers=memory(records=[record("j1")]), missing=frozenset({"j1"})),
        Reason.MISSING,
    ),
    (
        "4 before 5: what is to end ends, whatever it is said to stand for",
        world([job(revision=R2)], [desired("a", R2, adopt=("j1", R1), state=State.CANCELLED)]),
        Reason.CANCEL_REQUESTED,
    ),
    (
        "3 before 12: a terminal job that is gone is not a job that never was",
        world([], [desired()], remembers=memory(records=[record(live=False)]), missing=frozenset({"j1"})),
        Reason.MISSING,
    ),
    (
        "4 suspended before cancelled",
        world([job()], [desired(state=State.CANCELLED)], of=fleet(state=State.SUSPENDED)),
        Reason.SUSPENDED,
    ),
    ("4 before 5", world([job()], [], of=fleet(state=State.SUSPENDED)), Reason.SUSPENDED),
    ("4 before 6", world([job("j1"), job("j2")], [desired(state=State.SUSPENDED)]), Reason.SUSPENDED),
    ("4 before D", world([job(revision=R2)], [desired(state=State.SUSPENDED)]), Reason.SUSPENDED),
    ("5 before 6", world([job("j1"), job("j2")], []), Reason.REMOVED),
    ("5 before D", world([job("j1"), job("j2", revision=R2)], []), Reason.REMOVED),
    (
        "5 before 6, for a method that was lost",
        world([job()], [asked_for_dpo(state=State.SUSPENDED)]),
        Reason.SUSPENDED,
    ),
    (
        "6 before 10, for a method that was lost",
        world([old], [asked_for_dpo()], remembers=own(old, j1="Removed")),
        Reason.METHOD_LOST,
    ),
    ("6 before 8", world([job("j1"), job("j2", status="succeeded")], [desired()]), Reason.SUCCEEDED),
    ("7 before 9", world([job("j1", attempt=2), job("j2", status="failed")], [desired()]), Reason.IN_PROGRESS),
    ("7 before 11", world([job("j1", attempt=2), job("j2", status="cancelled")], [desired()]), Reason.IN_PROGRESS),
    (
        "8 before 9",
        world([job("j1", status="succeeded"), job("j2", attempt=2, status="failed")], [desired()]),
        Reason.SUCCEEDED,
    ),
    (
        "8 before 10",
        world(
            [job("j1", status="succeeded"), job("j2", attempt=2, status="cancelled")],
            [desired()],
            remembers=own(job("j2"), j2="Removed"),
        ),
        Reason.SUCCEEDED,
    ),
    (
        "8 before 11",
        world([job("j1", status="succeeded"), job("j2", attempt=2, status="cancelled")], [desired()]),
        Reason.SUCCEEDED,
    ),
    (
        "9 before 10: the latest attempt decides",
        world(
            [job("j1", status="cancelled"), job("j2", attempt=2, status="failed")],
            [desired()],
            remembers=own(old, j1="Removed"),
        ),
        Reason.FAILED,
    ),
    (
        "10 before 11",
        world([old], [desired(on_cancelled=OnCancelled.RECREATE)], remembers=own(old, j1="Superseded")),
        Reason.RESTORED,
    ),
    (
        "11 after 9: the latest attempt decides",
        world([job("j1", status="failed"), job("j2", attempt=2, status="cancelled")], [desired(retries=3)]),
        Reason.CANCELLED,
    ),
    (
        "13 before 14",
        world([], [desired("a", model_from="up"), desired("up")], remembers=memory(refused="quota")),
        Reason.WAITING_FOR_JOB,
    ),
    (
        "14 before 15",
        world([job(revision=R2)], [desired(on_change=OnChange.WAIT)], remembers=memory(refused="no")),
        Reason.CREATE_REFUSED,
    ),
    (
        "15 before 16",
        world([job(revision=R2)], [desired(on_change=OnChange.WAIT)], of=fleet(max_active=1)),
        Reason.WAITING_FOR_PREVIOUS,
    ),
    (
        "14: a spec that is not sent to this server",
        replace(world([], [desired()]), objections={"a": "it drops method"}),
        Reason.CREATE_REJECTED,
    ),
    (
        "13 before 14: a spec that is not sent to this server",
        replace(world([], [desired("a", model_from="up"), desired("up")]), objections={"a": "it drops method"}),
        Reason.WAITING_FOR_JOB,
    ),
    (
        "14: the provider's refusal is told before this job's own",
        world([], [desired()], remembers=memory(refused="no", rejected={"a": Rejection(R1, "bad")})),
        Reason.CREATE_REFUSED,
    ),
]


def test_a_job_that_stands_is_kept_although_its_spec_is_not_sent_to_this_server() -> None:
    kept = replace(world([job()], [desired()]), objections={"a": "it drops method"})
    assert [(c.action, c.reason) for c in plan(kept).changes] == [(Action.KEEP, Reason.IN_PROGRESS)]
    [change] = plan(replace(world([], [desired()]), objections={"a": "it drops method"})).changes
    assert change.message == "not sent: it drops method"


@pytest.mark.parametrize(("w", "expected"), [pytest.param(w, e, id=i) for i, w, e in TABLE])
def test_each_branch(w: World, expected: list[Line]) -> None:
    assert lines(w) == expected
    assert {change.name for change in plan(w).changes} <= w.cases.keys()


@pytest.mark.parametrize(("w", "reason"), [pytest.param(w, r, id=i) for i, w, r in PAIRS])
def test_the_earlier_row_decides(w: World, reason: Reason) -> None:
    assert plan(w).changes[0].reason is reason


# What a person reads of a situation of the table, line by line.
LOOKING = "attempt 1 of revision 1111111111111111 was sent and its answer was lost; "
NEVER_AGAIN = f"{LOOKING}this provider has not been seen to return our marks, so it is never sent again; "
NOT_SHOWN = "job j1 is recorded here and the provider no longer knows it (not listed, 404); nothing is touched. Check the key and the project; if the job is really gone, run `reconciler forget a -d DIR`"
NOT_OURS = "it is live and does not carry this fleet's marks, so it is never cancelled from here; cancel it by hand"
MADE_ELSEWHERE = "somebody who knows more may have made it; left alone. A person can approve its end"
NEVER_NAMED = f"live, ours, and no manifest here ever named it: {MADE_ELSEWHERE}"
NEVER_ASKED = f"live, ours, and no manifest here ever had its spec: {MADE_ELSEWHERE}"
NEW, GONE, REPLACED = "no job of this revision exists", "its manifest is gone", "its spec was replaced"
LOOKS_ALIKE = "job {} (running) may be this very job: it carries its seed{}, and no marks that say whose it is; if it is the one, name it in policy.adopt; if not, set another seed, or raise rerun"
KEPT = "of an earlier spec; kept until its successor exists"
SAID: dict[str, list[str]] = {
    "1 broken manifest": ["its manifest cannot be trusted now; nothing is touched until it is mended"],
    "overtaken by another run on this state directory": [
        "another run on this state directory has read a newer manifest of it; this run leaves it alone"
    ],
    "2 unknown outcome": [f"{LOOKING}looking for the job until the settle window is over"],
    "2 looked for in vain, marks never seen": [
        f"{NEVER_AGAIN}find the job by hand and name it in policy.adopt, or run `reconciler forget a -d DIR` if there is none"
    ],
    "2 found by its marks": ["running already, recognised by its marks; no second one is made"],
    "2 a person named it": ["running already, named by policy.adopt; no second one is made"],
    "3 recorded job of r is gone": [NOT_SHOWN],
    "3 adopted job unknown": [
        "policy.adopt names job j9, which this provider does not know; correct it or take it out"
    ],
    "3 an adopted job that cannot be read": ["policy.adopt names job j9, which cannot be read now; nothing is touched"],
    "3 a recorded job that cannot be read": ["job j1 is recorded here and cannot be read now; nothing is touched"],
    "5 adopted for a revision that the manifest never had": [
        'policy.adopt says that job j9 stands for revision 1111111111111111, and nothing known here says that this manifest ever had it; nothing is sent. If it is the job of this manifest as it is now, write `revision: "2222222222222222"`; to train anew, take policy.adopt out, and that job is left as it is'
    ],
    "4 job suspended": ["the job is suspended (state: suspended); nothing is touched"],
    "4 fleet suspended": ["the fleet is suspended (state: suspended); nothing is touched"],
    "4 job cancelled": ["the job is to be cancelled (state: cancelled)"],
    "4 fleet cancelled": ["the fleet is to be cancelled (state: cancelled)"],
    "4 job cancelled, nothing live": ["state: cancelled; no job of it is live, none is created"],
    "4 cancelled leaves an adopted job": [NOT_OURS],
    "5 gone and live": [GONE],
    "5 gone, orphan": [f"{GONE}; left to end (on_remove: orphan)"],
    "5 gone, fleet does not prune": [f"{GONE}; left to end (prune is off)"],
    "5 gone, orphan, paused from here": [
        (
            f"{GONE}; left as it is (on_remove: orphan): it was paused from here, and stays paused until somebody "
            "resumes it at the provider, or its manifest is back without `state: paused`"
        )
    ],
    "5 gone, not pruned, paused by somebody else": [
        f"{GONE}; left as it is (prune is off): paused, and not from here; resume it where it was paused"
    ],
    "5 gone, never wanted here": [NEVER_NAMED],
    "a server that drops metadata: never cancelled": [NOT_OURS],
    "6 two live": ["running", "a second job of the same revision; j1 is kept"],
    "8 succeeded": ["its model exists: ft:j1"],
    "8 succeeded, model not named yet": ["it has succeeded; the provider names no model yet"],
    "9 failed": [
        "attempt 1 failed (server_error: try again); retries: 0 allows no further attempt. Change the spec, or raise rerun"
    ],
    "9 failed, retry left": ["attempt 1 failed (server_error: try again); trying again (1 of 1 retries)"],
    "9 failed without a reason, retry left": [
        "attempt 1 failed (the provider gives no reason); trying again (1 of 1 retries)"
    ],
    "9 failed for good: it is about the file": [
        "attempt 1 failed (x: bad); trying again cannot cure this. Change the spec or its files"
    ],
    "9 too many requests pass": ["attempt 1 failed (rate_limit_exceeded); trying again (1 of 1 retries)"],
    "9 a reason without a code": ["attempt 1 failed (bad day); trying again (1 of 1 retries)"],
    "10 cancelled by us for a removal": ["job j1 was cancelled here, and its spec is wanted again"],
    "11 cancelled by somebody": ["job j1 was cancelled by somebody else; it stays so. Raise rerun to train it again"],
    "10 cancelled by us as a duplicate is not restored": [
        "job j1 was cancelled here (Duplicate); it stays so. Raise rerun to train it again"
    ],
    "10 without memory, but it was not there at first": [
        "job j1 was cancelled (by whom is not known here); it stays so. Raise rerun to train it again",
    ],
    "11 cancelled by somebody, recreate": ["job j1 was cancelled by somebody else; on_cancelled: recreate"],
    "12 nothing": [NEW],
    "13 upstream is not created yet": ["waits for the model of job up", NEW],
    "13 two steps up is held": [
        "job b, whose model it builds on, is held; see there",
        "job up, whose model it builds on, is held; see there",
        "attempt 1 failed (the provider gives no reason); retries: 0 allows no further attempt. Change the spec, or raise rerun",
    ],
    "14 the provider takes no jobs": ["the provider takes no new jobs at the moment"],
    "14 this create was rejected": ["the provider rejected this job: bad suffix"],
    "14 every create is to be sent later": ["the provider asks to wait"],
    "14 this create is to be sent later": ["its file is not ready"],
    "14 metadata does not come back": [
        "this provider returns neither metadata nor seed, nor a training file's name, so a run without memory cannot recognise a job of ours and might make it twice; go on with the state directory that made the jobs there, reach the server by a route that keeps metadata, or name existing jobs in policy.adopt"
    ],
    "15 wait for the earlier job": [
        "job j1 may end first (on_change: wait)",
        "of an earlier spec; left to end (on_change: wait)",
    ],
    "15 a live job is ahead": ["job j1 is ahead of this directory and still live", NEVER_ASKED],
    "16 max_active is reached": ["as many jobs are live as max_active allows (1)", "running"],
    "D once r is live": ["running", REPLACED],
    "D never before: r has failed": [
        "attempt 1 failed (the provider gives no reason); retries: 0 allows no further attempt. Change the spec, or raise rerun",
        KEPT,
    ],
    "D never before: the create waits": ["the provider takes no new jobs at the moment", KEPT],
    "D of several only the youngest is spared": [NEW, REPLACED, "once the new job exists"],
    "D ahead": ["running already, recognised by its marks; no second one is made", NEVER_ASKED],
    "D a cancel that does not take waits": [
        "running",
        f"{REPLACED}; a cancel was sent and has not taken effect; it is tried again after a while",
    ],
    "D a cancel that a person gave up": [
        "running",
        f"{REPLACED}; its cancel was given up by `forget`, so it is left",
    ],
    "D a job without marks outlives its spec, and that is said": ["running", f"of an earlier spec; {NOT_OURS}"],
    "D until its successor exists it is what there is": [
        NEW,
        "of an earlier spec, without this fleet's marks: it goes on when its successor exists; cancel it by hand then",
    ],
    "a server that drops metadata: its job is known by its seed when the journal is lost": [
        "running already, recognised by its seed; no second one is made"
    ],
    "... but not with another suffix; and it is not made again either": [
        LOOKS_ALIKE.format("j2", " and the suffix x"),
    ],
    "... nor by a seed that a manifest sets: others may have set it too, and nobody can say": [
        LOOKS_ALIKE.format("j1", ""),
    ],
}
LOST_METHOD = "job j1 is another one than was asked for: method dpo was sent, and the server made it {}; none is made again by itself. Reach the server by a route that keeps method, then change the spec or raise rerun"
UNDER_WAY = "that was sent and has not taken effect; it is sent again after a while"
SAID |= {
    "4 job to be paused": ["to be paused (state: paused)"],
    "2 found by the name of its training file": [
        "running already, recognised by its training file; no second one is made"
    ],
    "4 job paused, nothing live": ["state: paused; no job of it is live, none is created"],
    "6 made with another method that the server shows, and failed": [LOST_METHOD.format("supervised")],
    "6 made with another method, and failed": [
        LOST_METHOD.format("without one")
        + "; if this server trains it although it does not show it, say --assume method"
    ],
    "4 job paused": ["it is paused, as its manifest says (state: paused)"],
    "4 a pause that does not take waits": [f"to be paused (state: paused); {UNDER_WAY}"],
    "4 a server that cannot pause": [
        (
            "this server has no way to pause a job: it trains on; `state: cancelled` would end it. It is asked again "
            "after a day, or after `reconciler forget a -d DIR`"
        )
    ],
    "4 job without marks to be paused": [
        "it is live and does not carry this fleet's marks, so it is never paused from here; pause it by hand"
    ],
    "7 a job that was paused here goes on": ["it was paused from here, and is to go on", "paused"],
    "7 a resume that does not take waits": [f"it was paused from here, and is to go on; {UNDER_WAY}", "paused"],
    "14 a job without marks trains on the file of this very job": [
        "job j1 (running) trains on the file that was uploaded for this very job, and its seed does not say that it is the one; if it is, name it in policy.adopt; if not, raise rerun"
    ],
    "14 a job whose file has another name may be this very job by its seed": [LOOKS_ALIKE.format("j1", "")],
    "14 a job on a file of an earlier spec, whose seed nobody remembers, is left": [
        NEW,
        "it trains on a file that was uploaded for an earlier spec, and nobody here remembers the seed of that spec: it may be a person's job, so it is left; cancel it by hand if it is not",
    ],
    "7 a job that somebody else paused is left so": [
        "paused; it was not paused from here, so it is left so: resume it where it was paused"
    ],
    "4 job to be paused, of another method": [
        "another job than was asked for: method dpo was sent, and the server made it without one"
    ],
}
WORLDS = {situation: w for situation, w, _ in TABLE}


@pytest.mark.parametrize(("situation", "messages"), SAID.items(), ids=SAID)
def test_what_is_said_of_it(situation: str, messages: list[str]) -> None:
    assert [c.message for c in plan(WORLDS[situation]).changes] == messages


def test_every_reason_has_a_case() -> None:
    """Blocked is a gate's reason: test_gates holds it."""
    told = {line[1] for _, _, expected in TABLE for line in expected} | {reason for _, _, reason in PAIRS}
    assert set(Reason) - told == {Reason.BLOCKED}


# ── what a change carries ────────────────────────────────────────────────────────────────────


Carried = tuple[str | None, int | None, Action | None, Reason | None, str | None]
ONLY_SAYS = (None, None, None)


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        ("1 broken manifest", [(None, None, *ONLY_SAYS)]),
        ("4 job suspended, no job", [(R1, None, *ONLY_SAYS)]),
        ("3 job last seen live is gone", [(R2, 1, *ONLY_SAYS)]),
        ("5 gone and live", [(R1, 1, CANCEL, Reason.REMOVED, None)]),
        ("5 gone, never wanted here", [(R1, 1, CANCEL, Reason.AHEAD, None)]),
        ("6 two live", [(R1, 1, *ONLY_SAYS), (R1, 1, CANCEL, Reason.DUPLICATE, "j1")]),
        ("7 one live, not known", [(R1, 1, *ONLY_SAYS)]),
        ("9 failed twice, one retry", [(R1, 2, *ONLY_SAYS)]),
        ("10 cancelled by us for a removal", [(R1, 2, CREATE, Reason.RESTORED, None)]),
        ("14 the provider takes no jobs", [(R1, 1, CREATE, Reason.NOT_CREATED, None)]),
        ("D once r is live", [(R1, 1, *ONLY_SAYS), (R2, 1, CANCEL, Reason.SUPERSEDED, "j2")]),
        (
            "D never before: the create waits",
            [(R1, 1, CREATE, Reason.NOT_CREATED, None), (R2, 1, CANCEL, Reason.SUPERSEDED, None)],
        ),
        ("D a cancel that does not take waits", [(R1, 1, *ONLY_SAYS), (R2, 1, *ONLY_SAYS)]),
    ],
)
def test_a_change_says_of_which_attempt_it_is_and_what_it_writes_and_why(
    situation: str, expected: list[Carried]
) -> None:
    changes = plan(WORLDS[situation]).changes
    assert [(c.revision, c.attempt, *_carried(c.write)) for c in changes] == expected


def _carried(write: Write | None) -> tuple[Action | None, Reason | None, str | None]:
    """What a change writes, now or later, and why; and the job that makes a cancel right."""
    if write is None:
        return ONLY_SAYS
    return write.action, write.reason, write.keeper if isinstance(write, Cancel) else None


def test_a_replacement_names_what_it_replaces_and_only_the_last_cancel_follows_it() -> None:
    jobs = [job("j1", revision=R2), job("j2", revision=R3, created=200)]
    create, early, late = plan(world(jobs, [desired()])).changes
    assert isinstance(create, Create)
    assert isinstance(early, Cancel)
    assert isinstance(late, Cancel)
    assert create.replaces == ("j2",)
    assert (early.follows, late.follows) == (False, True)
    assert early.keeper == "j2"


def test_cancels_are_sent_first_and_what_follows_is_not_sent_yet() -> None:
    jobs = [job("j1", name="gone"), job("j2", revision=R2)]
    assert [(c.action, c.name) for c in plan(world(jobs, [desired()])).writes] == [(CANCEL, "gone"), (CREATE, "a")]


def test_a_superseded_cancel_names_its_keeper() -> None:
    _, end = plan(world([job("j1", revision=R2), job("j2", created=200)], [desired()])).changes
    assert isinstance(end, Cancel)
    assert end.keeper == "j2"


def test_attempts_count_on_from_the_highest_that_anyone_remembers() -> None:
    failed = job("j1", attempt=2, status="failed", error=CURABLE)
    assert creates(world([failed], [desired(retries=3)])) == creating(attempt=3, reason=Reason.RETRY)
    told = memory(records=[record("j0", attempt=4, live=False)], cancels={"j1": "Removed"}, echoes=True)
    assert creates(world([old], [desired()], remembers=told)) == creating(attempt=5, reason=Reason.RESTORED)


def test_a_create_gets_the_model_it_is_built_on() -> None:
    up = job("j1", name="up", status="succeeded", model="ft:up")
    create = plan(world([up], [desired("up"), desired("a", model_from="up")])).changes[0]
    assert isinstance(create, Create)
    assert create.model == "ft:up"


def test_the_upstream_gets_the_last_place() -> None:
    wants = [desired("z"), desired("a", model_from="z")]
    reasons = {c.name: c.reason for c in plan(world([], wants, of=fleet(max_active=1))).changes}
    assert reasons == {"z": Reason.NOT_CREATED, "a": Reason.WAITING_FOR_JOB}


def test_a_create_does_not_say_that_it_ends_a_job_whose_cancel_was_given_up() -> None:
    given_up = memory(wanted=[("a", R2)], cancels={"j1": OwnCancel("Superseded", left=True)}, echoes=True)
    create, held = plan(world([job(revision=R2)], [desired()], remembers=given_up)).changes
    assert isinstance(create, Create)
    assert create.replaces == ()
    assert isinstance(held, Hold)


def test_a_job_that_runs_holds_nobody_up_although_its_duplicate_does_not_end() -> None:
    jobs = [job("j1"), job("j2", created=200)]
    slow = memory(wanted=[("a", R1)], cancels={"j2": OwnCancel("Duplicate", waiting=True)}, echoes=True)
    changes = plan(world(jobs, [desired("a"), desired("b", R2, model_from="a")], remembers=slow)).changes
    assert [c.reason for c in changes if c.name == "b"] == [Reason.WAITING_FOR_JOB]


def test_an_error_code_counts_in_any_case() -> None:
    failed = job(status="failed", error=JobError("InvalidTrainingData", "line 3", ""))
    assert lines(world([failed], [desired(retries=3)])) == [(HOLD, Reason.FAILED, "j1")]


def test_of_two_models_of_one_revision_the_kept_one_is_built_on_and_told() -> None:
    made = [job("j1", status="succeeded"), job("j2", status="succeeded", created=200)]
    for adopt, kept in ((None, "j1"), (("j2", R1), "j2")):
        w = world(made, [desired("a", adopt=adopt), desired("b", R2, model_from="a")])
        changes = plan(w).changes
        assert [c.job_id for c in changes if c.name == "a"] == [kept]
        assert [c.model for c in changes if isinstance(c, Create)] == [f"ft:{kept}"]
        told = statuses(w, plan(w), now="", previous={}, details=Details())["a"]
        assert told.fine_tuned_model == f"ft:{kept}"
        assert (told.latest_model or {})["model"] == f"ft:{kept}"


def test_unmanaged_jobs_are_counted_and_adopted_ones_with_them() -> None:
    jobs = [job("j1"), job("j2", fleet="other"), job("j3", marked=False)]
    assert plan(world(jobs, [desired(adopt=("j3", R2))])).unmanaged == 2


@pytest.mark.parametrize(
    ("code", "curable"),
    [
        ("invalid_n_epochs", False),
        ("unsupported_model", False),
        ("model_not_found", False),
        ("ModelNotFound", False),
        ("model not found", False),
        ("SpendLimitReached", False),
        ("usage_policy_violation", False),
        ("blocked_by_moderation", False),
        ("unsafe_file", False),
        ("insufficient_quota", False),
        ("billing_not_active", False),
        ("spend_limit_reached", False),
        ("daily_limit_reached", False),
        ("rate_limit_exceeded", True),
        ("server_error", True),
        ("internal_error", True),
        ("", True),
    ],
)
def test_only_what_may_have_been_the_servers_bad_day_is_tried_again(code: str, curable: bool) -> None:
    failed = job(status="failed", error=JobError(code, "told", ""))
    assert lines(world([failed], [desired(retries=1)])) == [
        (CREATE, Reason.RETRY, None) if curable else (HOLD, Reason.FAILED, "j1")
    ]


FAILED: dict[str, Any] = {"status": "failed", "error": CURABLE}
DROPS_METADATA = memory(records=[record(attempt=2, live=False)])


@pytest.mark.parametrize(
    ("failed", "adopt", "remembers", "attempt"),
    [
        pytest.param(job("j1", name="b", attempt=2, **FAILED), ("j1", R1), None, 3, id="adopted, ours"),
        pytest.param(job("j1", fleet="x", attempt=2, **FAILED), ("j1", R1), None, 1, id="adopted, another fleet's"),
        pytest.param(job("j1", marked=False, **FAILED), ("j1", R1), None, 1, id="adopted, without marks"),
        pytest.param(job("j1", marked=False, **FAILED), None, DROPS_METADATA, 3, id="known by its record"),
        pytest.param(
            unmarked("j1", "m", seed=SENT, **FAILED), None, memory(inherited=False), 2, id="known by its seed"
        ),
    ],
)
def test_the_attempt_after_one_that_failed(
    failed: Job, adopt: tuple[str, str] | None, remembers: Memory | None, attempt: int
) -> None:
    w = world([failed], [desired(adopt=adopt, retries=5)], remembers=remembers)
    assert creates(w) == creating(attempt=attempt, reason=Reason.RETRY)


@pytest.mark.parametrize(("sent", "shown"), [(5, 5), (5, 6), (5, None), (None, None), (None, 5)])
def test_a_suspect_for_a_lost_create_is_the_one_with_its_seed(sent: int | None, shown: int | None) -> None:
    told = [replace(job("j5", marked=False, seed=shown), model="another", training_file="file-9")]
    w = world(told, [desired()], remembers=memory(intents=[dataclasses.replace(LOST, seed=sent)]))
    remedy = "job j5 carries its seed: if it is the one, name it in policy.adopt"
    assert (plan(w).changes[0].message == f"{NEVER_AGAIN}{remedy}") is (sent == shown == 5)


def test_what_a_server_says_is_escaped() -> None:
    evil = "\x1b[2J"
    said = [
        plan(world([job(status=f"x{evil}")], [desired()])),
        plan(world([job(status="succeeded", model=f"ft{evil}")], [desired()])),
        plan(world([job(status="failed", error=JobError(evil, evil, ""))], [desired()])),
    ]
    assert all("\x1b" not in c.message for p in said for c in p.changes)


# ── properties over worlds ───────────────────────────────────────────────────────────────────


def acted(w: World, *, only: frozenset[str] | None = None) -> World:
    """The world after every write of its plan took effect at once, as a run with this memory remembers it."""
    jobs = {j.id: j for j in w.jobs}
    told, cancels = dict(w.memory.records), dict(w.memory.cancels)
    pauses = dict(w.memory.pauses)
    for change in plan(w).writes:
        if change.action is CANCEL and change.job_id:
            jobs[change.job_id] = replace(jobs[change.job_id], status="cancelled")
            cancels[change.job_id] = OwnCancel(str(change.reason))
        elif change.action in {Action.PAUSE, Action.RESUME} and change.job_id:
            status = "paused" if change.action is Action.PAUSE else "running"
            jobs[change.job_id] = replace(jobs[change.job_id], status=status)
            pauses[change.job_id] = OwnPause()
        elif change.revision and change.attempt:
            made = job(
                f"new-{change.name}-{change.attempt}", change.name, change.revision, change.attempt, created=10**6
            )
            jobs[made.id] = made
    for j in jobs.values():
        if j.marks is not None and j.marks.fleet == FLEET:
            told[j.id] = record(j.id, j.marks.name, j.marks.revision, j.marks.attempt, live=j.live)
    wanted = dict(w.memory.wanted) | {(d.name, d.revision): {} for d in w.desired.values()}
    remembers = replace(w.memory, records=told, cancels=cancels, pauses=pauses, wanted=wanted)
    return replace(w, jobs=tuple(jobs.values()), memory=remembers)


@given(worlds())
def test_plan_act_plan_is_empty(w: World) -> None:
    for _ in range(4):
        w = acted(w)
    assert plan(w).writes == ()


@given(worlds())
def test_every_world_has_one_plan_that_keeps_the_promises(w: World) -> None:
    decided = plan(w)
    jobs = {j.id: j for j in w.jobs}
    for name in set(w.desired) | w.broken:
        assert any(c.name == name for c in decided.changes), "every name is decided"
    assert len({(c.name, c.job_id, c.action) for c in decided.changes}) == len(decided.changes), "and decided once"
    for change in decided.writes:
        if change.action is CANCEL:
            target = jobs[change.job_id or ""]
            assert target.live, "only a live job is cancelled"
            assert target.marks is not None, "only a marked one"
            assert target.marks.fleet == FLEET, "only our own"
            assert change.name not in w.broken
        elif isinstance(change, Pause | Resume):
            target = jobs[change.job_id]
            assert target.live, "only a live job is paused or resumed"
            assert target.belongs_to(FLEET), "only our own"
            assert isinstance(change, Pause) or change.job_id in w.memory.pauses, "only what was paused from here"
        else:
            revision = w.desired[change.name].revision
            mine = [
                j
                for j in w.jobs
                if j.marks and (j.marks.fleet, j.marks.name, j.marks.revision) == (FLEET, change.name, revision)
            ]
            assert not any(j.live or j.succeeded for j in mine), "nothing live or succeeded is made again"
            assert not any(j.marks and j.marks.attempt == change.attempt for j in mine), "no attempt is made twice"
    for name in {c.name for c in decided.writes if c.reason is Reason.SUPERSEDED}:
        alive = [
            j for j in w.jobs if j.marks and (j.marks.fleet, j.marks.name) == (FLEET, name) and (j.live or j.succeeded)
        ]
        gone = {c.job_id for c in decided.writes if c.action is CANCEL and c.name == name}
        assert any(j.id not in gone for j in alive), "something of the name is left"


def test_an_outcome_that_stays_unknown_is_told_in_the_same_words_by_every_pass() -> None:
    looking = world([], [desired()], remembers=memory(intents=[LOST]))
    (first,), (later,) = plan(looking).changes, plan(replace(looking, looked_for=frozenset("a"))).changes
    assert first.message == later.message, "a condition does not flap"


def test_no_create_is_ever_wanted_without_a_manifest() -> None:
    (case,) = world([job(status="cancelled")], []).cases.values()
    assert [row(case) for row in STANDING[-1:]] == [Decision()]
