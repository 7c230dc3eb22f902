"""The report: conditions that say what is, stay when nothing changes, and never flap."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.core.desired import Desired
from reconciler.core.fields import State
from reconciler.core.gates import Permission, gate
from reconciler.core.job import Checkpoint, Job, JobError
from reconciler.core.memory import Intent, Memory, OwnCancel, Refusal, Rejection
from reconciler.core.plan import plan
from reconciler.core.reason import Reason
from reconciler.core.status import Condition, Details, Progress, Status, statuses
from reconciler.core.world import World
from reconciler.source.yaml_text import read_documents
from reconciler.state.status_files import StatusFiles, as_item
from tests.fakes.builders import R1, R2, R3, asked_for_dpo, desired, fleet, job, memory, record, world
from tests.fakes.situations import TABLE
from tests.fakes.worlds import worlds

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def report(
    w: World, *, now: str | None = NOW, previous: dict[str, Status] | None = None, **checkpoints: list[Checkpoint]
) -> dict[str, Status]:
    told = {
        name: as_item(status) | {"conditions": [vars_of(c) for c in status.conditions]}
        for name, status in (previous or {}).items()
    }
    return statuses(w, plan(w), now=now, previous=told, details=Details(checkpoints=checkpoints))


def vars_of(condition: Condition) -> dict[str, str | None]:
    return {key: getattr(condition, key) for key in ("type", "status", "reason", "message", "last_transition_time")}


def conditions(w: World, name: str = "a") -> dict[str, tuple[str, str]]:
    return {c.type: (c.status, c.reason) for c in report(w)[name].conditions}


@pytest.mark.parametrize(
    ("w", "expected"),
    [
        (world([job()], [desired()]), {"Synced": ("True", "InProgress"), "Succeeded": ("Unknown", "InProgress")}),
        (
            world([job(status="succeeded")], [desired()]),
            {"Synced": ("True", "Succeeded"), "Succeeded": ("True", "Succeeded")},
        ),
        (
            world([job(status="failed", error=JobError("e", "m", ""))], [desired()]),
            {"Synced": ("True", "Failed"), "Succeeded": ("False", "Failed")},
        ),
        (
            world([job(status="cancelled")], [desired()]),
            {"Synced": ("True", "Cancelled"), "Succeeded": ("False", "Cancelled")},
        ),
        (world([], [desired()]), {"Synced": ("False", "NotCreated"), "Succeeded": ("Unknown", "NotCreated")}),
        (
            world([], [desired(state=State.SUSPENDED)]),
            {"Synced": ("Unknown", "Suspended"), "Succeeded": ("Unknown", "Suspended")},
        ),
        (
            world([], [desired(state=State.CANCELLED)]),
            {"Synced": ("True", "CancelRequested"), "Succeeded": ("Unknown", "CancelRequested")},
        ),
        (
            world([], [desired()], remembers=memory(rejected={"a": Rejection(R1, "bad")})),
            {
                "Synced": ("False", "CreateRejected"),
                "Succeeded": ("Unknown", "CreateRejected"),
                "Blocked": ("True", "CreateRejected"),
            },
        ),
        (
            world([], [desired()], remembers=memory(records=[record()]), missing=frozenset({"j1"})),
            {"Synced": ("False", "Missing"), "Succeeded": ("Unknown", "Missing"), "Blocked": ("True", "Missing")},
        ),
        (
            world([job("j1", revision=R2), job("j2", created=200)], [desired()]),
            {"Synced": ("False", "Superseded"), "Succeeded": ("Unknown", "InProgress")},
        ),
        (world([job(orphan=True)], []), {"Synced": ("True", "Orphaned"), "Succeeded": ("Unknown", "InProgress")}),
        (
            world([job()], [], prune=False),
            {"Synced": ("True", "PruneDisabled"), "Succeeded": ("Unknown", "InProgress")},
        ),
        (
            world([job()], [], remembers=memory(echoes=True)),
            {"Synced": ("False", "Ahead"), "Succeeded": ("Unknown", "InProgress")},
        ),
    ],
    ids=[
        "runs",
        "done",
        "failed",
        "cancelled",
        "new",
        "suspended",
        "off",
        "rejected",
        "missing",
        "replaced",
        "orphan",
        "no prune",
        "ahead",
    ],
)
def test_conditions(w: World, expected: dict[str, tuple[str, str]]) -> None:
    assert conditions(w) == expected


LIMIT = Refusal("a", R1, "HTTP 429: daily limit", 700, of_all=True)
NEVER = "the provider takes no new jobs at the moment (last refused: a)"


def refused(**more: Any) -> Memory:
    """Job a was refused, and with it every create."""
    return memory(refusals={"a": LIMIT, "": replace(LIMIT, revision="", next_at=760)}, **more)


def told(statuses: dict[str, Status]) -> dict[str, list[tuple[str, str, str]]]:
    return {name: [(c.type, c.reason, c.message) for c in s.conditions] for name, s in statuses.items()}


def test_a_job_shows_its_own_refusal_and_another_only_whose_it_was() -> None:
    w = world([], [desired("a"), desired("b")], remembers=refused(refused=LIMIT.message))
    found = report(w)
    for name, words in (("a", "the provider takes no new jobs: HTTP 429: daily limit"), ("b", NEVER)):
        assert [facts for facts in told(found)[name] if facts[0] != "Succeeded"] == [
            (kind, "CreateRefused", words) for kind in ("Synced", "Blocked")
        ]
    assert found["a"].refusal == replace(LIMIT, next_at=760)
    assert found["b"].refusal == replace(LIMIT, next_at=760, revision="")


def test_a_job_keeps_its_own_refusal_beside_that_of_another() -> None:
    own = Refusal("b", R1, "bad suffix", 3600)
    both = memory(refused="x", rejected={"b": Rejection(R1, "bad suffix")}, refusals={"a": LIMIT, "": LIMIT, "b": own})
    held_back = report(world([], [desired("b")], remembers=both))
    assert (told(held_back)["b"][0][2], held_back["b"].refusal) == (own.words, own)
    longer = replace(LIMIT, next_at=7200)
    held_longer = replace(both, rejected={}, refusals={**both.refusals, "": longer})
    held_back = report(world([], [desired("b")], remembers=held_longer))
    assert held_back["b"].conditions[0].reason == "CreateRejected", "its own back-off is over, that of all is not"
    assert held_back["b"].refusal == replace(own, next_at=7200)
    later = memory(rejected={"b": Rejection(R1, "bad suffix")}, refusals={"b": own})
    (status,) = report(world([], [desired("b")], remembers=later)).values()
    assert (status.conditions[0].message, status.refusal) == ("the provider rejected this job: bad suffix", own)
    changed = world([], [desired("b", R2)], remembers=later)
    assert report(changed)["b"].conditions[0].reason == "NotCreated", "another spec was refused"
    assert report(changed)["b"].refusal is None


def test_a_refusal_is_told_until_the_next_try_although_its_back_off_is_over() -> None:
    wants = [desired("a"), desired("b")]
    first = report(world([], wants, remembers=refused(refused=LIMIT.message)))
    after = report(world([], wants, remembers=refused()), now=None, previous=first)
    assert after == first
    unrecorded = report(world([], wants, remembers=refused()), now=None)
    assert [s.conditions[0].reason for s in unrecorded.values()] == ["CreateRefused", "NotCreated"]
    creates = report(world([], wants, remembers=refused()), previous=first)
    assert {s.conditions[0].reason for s in creates.values()} == {"NotCreated"}, "this run sends them"
    again = report(world([], wants, remembers=memory()), now=None, previous=first)
    assert {s.conditions[0].reason for s in again.values()} == {"NotCreated"}, "a create was answered"


def test_a_refusal_of_before_is_not_told_of_a_create_that_waits_for_something_else() -> None:
    built_on = desired(model_from="up")
    first = report(world([], [desired()], remembers=refused(refused=LIMIT.message)))
    w = world([job(name="up")], [built_on, desired("up")], remembers=refused())
    assert report(w, now=None, previous=first)["a"].conditions[0].reason == Reason.WAITING_FOR_JOB


def test_an_earlier_refusal_is_not_why_a_spec_waits_that_is_never_sent() -> None:
    earlier = memory(refusals={"a": replace(LIMIT, of_all=False)}, echoes=True)
    w = replace(world([], [desired()], remembers=earlier), objections={"a": "it has no suffix"})
    told = report(w)["a"]
    assert (told.conditions[0].reason, told.refusal) == (Reason.CREATE_REJECTED, None)


def test_a_refusal_of_before_is_not_told_again_where_another_reason_was_recorded() -> None:
    paused = report(world([], [desired(state=State.SUSPENDED)]))
    read = report(world([], [desired()], remembers=refused()), now=None, previous=paused)["a"]
    assert (read.conditions[0].reason, read.refusal) == (Reason.NOT_CREATED, None)


def test_a_cancel_that_has_not_taken_is_not_done() -> None:
    """Found by a reader: with state: cancelled the job went on, and the status said that all was as declared."""
    wants = [desired(state=State.CANCELLED)]
    waits = world([job()], wants, remembers=memory(cancels={"j1": OwnCancel("CancelRequested", waiting=True)}))
    assert conditions(waits)["Synced"] == ("False", "CancelRequested")
    due = world([job()], wants, remembers=memory(cancels={"j1": OwnCancel("CancelRequested")}))
    seen = report(waits)
    assert report(due, now=None, previous=seen) == seen, "the same before and after its back-off is over"
    assert "has not taken" not in report(due)["a"].conditions[0].message, "this run sends it again"
    assert "has not taken" not in report(due, now=None)["a"].conditions[0].message, "nobody recorded that"
    left = world([job()], wants, remembers=memory(cancels={"j1": OwnCancel("CancelRequested", left=True)}))
    assert conditions(left)["Synced"] == ("False", "CancelRequested")
    done = world([job()], wants, remembers=memory(cancels={"j1": OwnCancel("CancelRequested", confirmed=True)}))
    assert "has not taken" not in report(done)["a"].conditions[0].message, "that one took; this is another end"


def test_blocked_is_what_only_a_person_or_the_provider_can_end() -> None:
    told = {c.reason for _, w, _ in TABLE for s in report(w).values() for c in s.conditions if c.type == "Blocked"}
    assert told == {
        Reason.SOURCE_INVALID,
        Reason.CREATE_UNRESOLVED,
        Reason.MISSING,
        Reason.ADOPTION_REFUSED,
        Reason.METHOD_LOST,
        Reason.DEPENDENCY_FAILED,
        Reason.CREATE_REFUSED,
        Reason.CREATE_REJECTED,
        Reason.NO_IDENTITY,
    }
    new = world([], [desired()])
    refused = gate(plan(new), new, Permission()).plan
    (status,) = statuses(new, refused, now=NOW, previous={}, details=Details()).values()
    assert [(c.type, c.reason) for c in status.conditions if c.type == "Blocked"] == [("Blocked", Reason.BLOCKED)]


def test_a_job_of_another_method_is_no_success_whatever_it_came_to() -> None:
    for status, succeeded in (("running", "Unknown"), ("cancelled", "False"), ("succeeded", "False")):
        (found,) = report(world([job(status=status)], [asked_for_dpo()])).values()
        told = {c.type: (c.status, c.reason) for c in found.conditions}
        assert told["Synced"] == ("False", Reason.METHOD_LOST)
        assert told["Blocked"] == ("True", Reason.METHOD_LOST)
        assert told["Succeeded"][0] == succeeded
        assert found.latest_model is None


def test_its_end_is_told_with_its_reason() -> None:
    ended = world([job(status="cancelled")], [asked_for_dpo()], remembers=memory(cancels={"j1": "MethodLost"}))
    (past,) = report(ended)["a"].history
    assert (past["ended_by"], past["ended_reason"]) == ("reconciler", "MethodLost")
    assert str(past["ended_message"]).endswith("the server had made it with another method than was sent")


def test_what_differs_from_what_was_sent_is_in_the_status() -> None:
    status = report(world([job(suffix="another")], [desired()]))["a"]
    assert status.differs == ("suffix: none was sent, the server shows another",)
    (synced,) = (c for c in status.conditions if c.type == "Synced")
    assert synced.message == (
        "running; warning: it is not as it was asked for (suffix: none was sent, the server shows another)"
    )


def test_a_name_that_is_gone_and_ended_says_how_it_ended_and_nothing_else() -> None:
    (status,) = report(world([job(status="succeeded"), job("j2", status="failed", created=200)], [])).values()
    assert (status.name, status.job_id, status.past) == ("a", "j2", True)
    assert [(c.type, c.status, c.reason, c.message) for c in status.conditions] == [
        ("Synced", "True", "Done", "its manifest is gone; nothing is left to do"),
        ("Succeeded", "False", "Failed", "job j2 failed"),
    ]
    assert [h["ended_by"] for h in status.history] == ["provider", "provider"]


def test_a_name_that_is_gone_and_has_a_live_job_is_not_past() -> None:
    assert [s.past for s in report(world([job()], [], prune=False)).values()] == [False]
    assert [s.past for s in report(world([job()], [desired()])).values()] == [False]


KEYS = ("ended_by", "ended_reason", "ended_message", "ended_at")
SOMEBODY = "cancelled by somebody else: a person, or a run with another state directory"
NOT_KNOWN = "cancelled; by whom is not known here: this state directory is younger"


def ours(reason: Reason, why: str) -> tuple[object, ...]:
    told = f"cancelled by reconciler from this directory: {why}"
    return ("reconciler", str(reason), told, 600)


@pytest.mark.parametrize(
    ("found", "remembers", "expected"),
    [
        (job(), memory(), (None, None, None, None)),
        (
            job(status="succeeded", finished_at=60),
            memory(),
            ("provider", "Succeeded", "it was trained to its end", 60),
        ),
        (job(status="failed"), memory(), ("provider", "Failed", "the provider gives no reason", None)),
        (
            job(status="failed", error=JobError("c", "\x1b", ""), finished_at=2**52),
            memory(),
            ("provider", "Failed", "the provider reports: c: \\x1b", 2**52),
        ),
        *(
            (job(status="cancelled"), memory(cancels={"j1": OwnCancel(reason, sent_at=600)}), ours(reason, why))
            for reason, why in [
                (Reason.CANCEL_REQUESTED, "its manifest, or the fleet's, says state: cancelled"),
                (Reason.REMOVED, "its manifest was gone from the directory"),
                (
                    Reason.SUPERSEDED,
                    "its manifest had another spec by then, and a job of that spec took its place",
                ),
                (Reason.DUPLICATE, "it was a second job of the same spec; the other one was kept"),
                (Reason.AHEAD, "Ahead"),
            ]
        ),
        (
            job(status="canceled", finished_at=700),
            memory(cancels={"j1": OwnCancel("Removed", sent_at=600)}),
            (*ours(Reason.REMOVED, "its manifest was gone from the directory")[:3], 700),
        ),
        (
            job(status="cancelled"),
            memory(cancels={"j1": OwnCancel("Removed", counts=False, sent_at=600)}),
            ("somebody else", "Cancelled", SOMEBODY, None),
        ),
        (
            job(status="cancelled", finished_at=60),
            memory(records=[record()]),
            ("somebody else", "Cancelled", SOMEBODY, 60),
        ),
        (job(status="cancelled"), memory(), ("somebody else", "Cancelled", SOMEBODY, None)),
        (job(status="cancelled"), memory(inherited=False), (None, "Cancelled", NOT_KNOWN, None)),
        (
            job(status="cancelled"),
            memory(records=[record(live=False, ended_before=True)]),
            (None, "Cancelled", NOT_KNOWN, None),
        ),
        (
            job(status="cancelled"),
            memory(records=[record()], inherited=False),
            ("somebody else", "Cancelled", SOMEBODY, None),
        ),
    ],
)
@pytest.mark.parametrize("wants", [[desired()], []], ids=["declared", "removed"])
def test_history_says_who_ended_a_job_and_why(
    found: Job, remembers: Memory, expected: tuple[object, ...], wants: list[Desired]
) -> None:
    (status,) = report(world([found], wants, remembers=remembers)).values()
    (past,) = status.history
    assert tuple(past[key] for key in KEYS) == expected


def test_a_desired_name_without_a_line_is_done() -> None:
    """A server that drops metadata: the job is desired, cancelled by state, and stands for nothing."""
    w = world([], [desired()])
    (status,) = statuses(w, replace(plan(w), changes=()), now=NOW, previous={}, details=Details()).values()
    assert {c.type: (c.status, c.reason, c.message) for c in status.conditions} == {
        "Synced": ("True", "Done", "nothing is left to do"),
        "Succeeded": ("Unknown", "NotCreated", "no job of this revision is known"),
    }


def test_a_report_of_some_names_is_theirs_in_the_report_of_all() -> None:
    w = world([job(name="b"), job("j2", name="gone", status="succeeded")], [desired("a"), desired("b")])
    some = statuses(w, plan(w), now=NOW, previous={}, details=Details(), names={"b", "gone"})
    assert some == {name: status for name, status in report(w).items() if name != "a"}
    assert list(some) == ["b", "gone"]


def test_the_time_moves_only_when_the_status_does() -> None:
    running = world([job()], [desired()])
    first = report(running)
    again = report(running, now=LATER, previous=first)
    assert again == first
    for finished_at in (None, 600):
        ended = world([job(status="succeeded", finished_at=finished_at)], [desired()])
        assert times(report(ended, now=LATER, previous=first)["a"]) == {"Synced": MADE, "Succeeded": LATER}


def times(status: Status) -> dict[str, str | None]:
    return {c.type: c.last_transition_time for c in status.conditions}


MADE, ENDED = "1970-01-01T00:01:40Z", "1970-01-01T00:10:00Z"


@pytest.mark.parametrize(
    ("w", "written", "read"),
    [
        (world([job()], [desired()]), (MADE, MADE), (MADE, MADE)),
        (world([job(status="succeeded", finished_at=600)], [desired()]), (MADE, ENDED), (MADE, ENDED)),
        (world([job(status="succeeded")], [desired()]), (MADE, NOW), (MADE, None)),
        (world([job(created=0)], [desired()]), (NOW, NOW), (None, None)),
        (world([job(created=2**52)], [desired()]), (NOW, NOW), (None, None)),
        (world([], [desired()]), (NOW, NOW), (None, None)),
        (world([job()], [desired(state=State.SUSPENDED)]), (NOW, MADE), (None, MADE)),
        (world([job()], [desired(state=State.CANCELLED)]), (NOW, MADE), (None, MADE)),
        (world([job()], [], broken=frozenset("a")), (NOW, MADE, NOW), (None, MADE, None)),
    ],
)
def test_a_condition_that_nobody_recorded_is_as_old_as_its_job_says(
    w: World, written: tuple[str, ...], read: tuple[str | None, ...]
) -> None:
    """Found in the field: its time was that of whoever looked, and moved with each look."""
    assert tuple(times(report(w)["a"]).values()) == written
    assert tuple(times(report(w, now=None)["a"]).values()) == read


def test_who_only_reads_keeps_what_was_recorded_and_makes_no_time_up() -> None:
    running = report(world([job()], [desired()]), now=LATER)
    running["a"] = replace(
        running["a"], conditions=tuple(replace(c, last_transition_time=NOW) for c in running["a"].conditions)
    )
    assert times(report(world([job()], [desired()]), now=None, previous=running)["a"]) == dict.fromkeys(
        ("Synced", "Succeeded"), NOW
    )
    gone = report(world([job(status="cancelled")], [desired()]), now=None, previous=running)["a"]
    assert times(gone) == {"Synced": NOW, "Succeeded": None}
    known = report(world([job(status="cancelled", finished_at=600)], [desired()]), now=None, previous=running)["a"]
    assert times(known) == {"Synced": NOW, "Succeeded": ENDED}


@pytest.mark.parametrize(
    "nonsense",
    [
        "x",
        7,
        None,
        [None],
        [{"type": "Synced"}],
        [{"type": "Synced", "status": "True"}],
        {"type": "Synced", "status": "True"},
    ],
)
def test_a_previous_report_that_makes_no_sense_is_no_report(nonsense: object) -> None:
    w = world([job()], [desired()])
    (status,) = statuses(w, plan(w), now=NOW, previous={"a": {"conditions": nonsense}}, details=Details()).values()
    assert {c.last_transition_time for c in status.conditions} <= {NOW, MADE}


def test_facts_of_the_job() -> None:
    made = job(status="succeeded", model="ft:x", trained_tokens=42)
    status = report(world([made], [desired()]))["a"]
    assert (status.name, status.revision, status.job_id, status.job_status) == ("a", R1, "j1", "succeeded")
    assert (status.fine_tuned_model, status.trained_tokens, status.created_at) == ("ft:x", 42, 100)
    assert status.error is None


def test_the_error_of_a_failed_job() -> None:
    failed = job(status="failed", error=JobError("c", "m", "p"))
    assert report(world([failed], [desired()]))["a"].error == {"code": "c", "message": "m", "param": "p"}
    told = job(status="running", error=JobError("c", "m", "p"))
    assert report(world([told], [desired()]))["a"].error is None


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ([job()], None),
        ([job("j1", revision=R2, status="succeeded")], {"model": "ft:j1", "revision": R2, "current": False}),
        (
            [job("j1", revision=R2, status="succeeded", created=300), job("j2", status="succeeded", created=200)],
            {"model": "ft:j2", "revision": R1, "current": True},
        ),
        (
            [job("j1", revision=R2, status="succeeded"), job("j3", revision=R3, status="succeeded", created=200)],
            {"model": "ft:j3", "revision": R3, "current": False},
        ),
        (
            [
                job("j1", revision=R2, status="succeeded"),
                replace(job("j2", status="succeeded", created=200), fine_tuned_model=None),
            ],
            {"model": "ft:j1", "revision": R2, "current": False},
        ),
        ([replace(job(status="failed"), fine_tuned_model="ft:j1")], None),
    ],
)
def test_the_latest_model(jobs: list[Job], expected: object) -> None:
    assert report(world(jobs, [desired()]))["a"].latest_model == expected


def test_progress_and_the_estimated_finish_stand_in_the_report_and_are_kept() -> None:
    w = world([job(estimated_finish=900)], [desired()])
    read = Details(progress={"j1": Progress(3, 30, {"train_loss": 0.5})})
    (first,) = statuses(w, plan(w), now=NOW, previous={}, details=read).values()
    assert first.estimated_finish == 900
    assert first.progress == {"step": 3, "total_steps": 30, "train_loss": 0.5}
    assert report(w, previous={"a": first})["a"].progress == first.progress
    other = world([job("j2")], [desired()])
    assert report(other, previous={"a": first})["a"].progress is None
    stopped, done = (world([job(status=status)], [desired()]) for status in ("failed", "succeeded"))
    assert report(stopped, previous={"a": first})["a"].progress == first.progress, "how far it came"
    assert report(done, previous={"a": first})["a"].progress is None, "what was last seen is not its end"
    assert report(world([job(status="failed", estimated_finish=900)], [desired()]))["a"].estimated_finish is None


def test_checkpoints_are_kept_until_the_job_changes() -> None:
    w = world([job(status="succeeded")], [desired()])
    assert report(w)["a"].checkpoints is None
    read = report(w, j1=[Checkpoint("c", 9, "ft:c", 1, {"train_loss": 0.5})])
    assert read["a"].checkpoints == [{"step": 9, "model": "ft:c", "metrics": {"train_loss": 0.5}}]
    assert report(w, previous=read)["a"].checkpoints == read["a"].checkpoints
    other = world([job("j2", status="succeeded")], [desired()])
    assert report(other, previous=read)["a"].checkpoints is None
    assert report(world([], [desired()]), previous=read)["a"].checkpoints is None


def test_history_is_the_recent_past_the_oldest_first() -> None:
    jobs = [job(f"j{i:02}", attempt=i + 1, status="failed", created=i) for i in range(25)]
    history = report(world(jobs, [desired()]))["a"].history
    assert [h["job_id"] for h in history] == [f"j{i:02}" for i in range(5, 25)]
    last = {"job_id": "j24", "revision": R1, "attempt": 25, "status": "failed", "fine_tuned_model": None}
    assert last.items() <= history[-1].items()


def test_the_job_shown_is_the_one_its_plan_is_about() -> None:
    doubled = world([job("j1"), job("j2", created=200)], [desired()])
    assert report(doubled)["a"].job_id == "j1"
    gone = world([job("j1", revision=R2)], [], of=fleet(prune=False))
    assert (report(gone)["a"].job_id, report(gone)["a"].revision) == ("j1", R2)
    replaced = world([job("j1", revision=R2)], [desired()])
    assert report(replaced)["a"].job_id is None
    tried_again = world([job("j1", status="failed"), job("j2", attempt=2, status="failed")], [desired(retries=5)])
    assert report(tried_again)["a"].job_id == "j2", "no line names it: the latest of its revision"


@pytest.mark.parametrize(
    ("older", "younger", "shown"),
    [
        ("failed", "succeeded", "j2"),
        ("running", "succeeded", "j2"),
        ("cancelled", "running", "j2"),
        ("running", "running", "j1"),
        ("failed", "cancelled", "j1"),
    ],
)
def test_of_two_jobs_of_one_attempt_the_better_is_shown_else_the_older(older: str, younger: str, shown: str) -> None:
    jobs = [job("j1", status=older), job("j2", status=younger, created=200)]
    held_by_another = memory(intents=[Intent("a", R1, 2)], echoes=True)
    assert report(world(jobs, [desired()], remembers=held_by_another))["a"].job_id == shown


def test_what_a_server_says_is_escaped() -> None:
    strange = report(world([job(status="failed", error=JobError("\x1b", "\x1b[2J", ""))], [desired()]))["a"]
    assert all("\x1b" not in c.message for c in strange.conditions)


@pytest.mark.parametrize(
    ("jobs", "message"),
    [
        ([], "no job of this revision is known"),
        ([job(status="queued")], "the job is queued"),
        ([job(status="succeeded")], "the model is ft:j1"),
        ([replace(job(status="succeeded"), fine_tuned_model=None)], "the model is not named yet"),
        ([job(status="cancelled")], "job j1 was cancelled"),
        ([job(status="failed")], "job j1 failed"),
        ([job(status="failed", error=JobError("c", "m", "p"))], "job j1 failed: c: m"),
        ([job(status="failed", error=JobError("", "m", ""))], "job j1 failed: m"),
    ],
)
def test_what_succeeded_says(jobs: list[Job], message: str) -> None:
    told = {c.type: c.message for c in report(world(jobs, [desired()]))["a"].conditions}
    assert told["Succeeded"] == message


@given(worlds())
def test_every_world_has_a_report_and_the_same_one_twice(w: World) -> None:
    first = report(w)
    assert set(w.desired) <= set(first)
    assert report(w, now=LATER, previous=first) == first


class _Files(dict[Path, bytes]):
    """Files in memory."""

    def reports(self, directory: Path) -> Iterable[Path]:
        return [path for path in self if path.suffix == ".yaml"]

    def place(self, directory: Path) -> object:
        return None

    def read(self, path: Path) -> bytes:
        if path not in self:
            raise FileNotFoundError(path)
        return self[path]

    def changed_at(self, path: Path) -> float:
        return 60.0

    def write(self, path: Path, content: bytes) -> None:
        self[path] = content

    def replace(self, old: Path, new: Path) -> None:
        self[new] = self.pop(old)

    def remove(self, path: Path) -> None:
        del self[path]


@given(st.text(), st.text(), st.text())
def test_what_was_written_is_what_another_run_reads(error: str, model: str, status: str) -> None:
    found = report(
        world([job(status="failed", error=JobError("e", error, "")), job("j2", "b", status=status)], [desired()]),
        a=[Checkpoint("c1", 10, model, 1, {"train_loss": 0.5})],
    )
    files = _Files()
    writer = StatusFiles(Path("/state"), files)
    assert writer.write(found) == len(files) > 0
    assert StatusFiles(Path("/state"), files).read() == writer.read()
    assert writer.write(found) == StatusFiles(Path("/state"), files).write(found) == 0


@pytest.mark.parametrize(
    "text", ["!!bool x", "!!timestamp x", "!!int ''", "2026-99-99", "[" * 100_000, "{", "\0", "é: [*a]"]
)
def test_a_file_that_cannot_be_read_counts_as_absent(text: str) -> None:
    files = _Files({Path("/state/status/a.yaml"): f"status: {text}\n".encode()})
    found = report(world([job()], [desired()]))
    writer = StatusFiles(Path("/state"), files)
    assert writer.read() == {}
    assert writer.write(found) == 1
    assert StatusFiles(Path("/state"), files).read().keys() == {"a"}


def test_what_was_reported_can_be_shown_again() -> None:
    files = _Files()
    found = report(world([job(status="failed", error=JobError("e", "m", ""))], [desired()]))
    StatusFiles(Path("/state"), files).write(found)
    read, at = StatusFiles(Path("/state"), files).recorded()
    assert (read, at) == (found, 60.0)
    assert StatusFiles(Path("/state"), _Files()).recorded() == ({}, 0.0)


@pytest.mark.parametrize("text", ["{}", "{conditions: 7}", "{conditions: [7, {}]}", "{conditions: [{type: Synced}]}"])
def test_a_report_that_makes_no_sense_is_not_shown(text: str) -> None:
    files = _Files({Path("/state/status/a.yaml"): f"status: {text}\n".encode()})
    assert StatusFiles(Path("/state"), files).recorded()[0] == {}


# What readers of YAML 1.1 (PyYAML, libyaml's, Ruby's) or 1.2 (Go's, JavaScript's, ours) take for something else.
AMBIGUOUS = """
63473008579515e9 1234567890123456 0o17 017 0x1f 0b101 1_000 1,000 1e3 12e03 +1 -1 .5 5. 1.5 .inf -.INF .nan 190:20:30
yes No on OFF y N true False null Null ~ = << 2026-01-01 2026-11-26T12:00:00Z 12:30:45 !x *x &x @x `x %x - ? : :x
NaN Infinity -Infinity inf
""".split()  # noqa: SIM905 - many short words


def parsed(content: bytes) -> Any:
    """As this program reads YAML: by the core schema of 1.2."""
    read = read_documents(content)
    assert not read.flaws
    return read.documents[0].value


@pytest.mark.parametrize(
    "text", [*AMBIGUOUS, "", " ", "# x", "a: b", "a #b", "x\n", "a\x85b", "a\u2028b\u2029", "a\tb", "\u8266"]
)
def test_a_text_on_disk_is_a_text_to_every_reader_of_yaml(text: str) -> None:
    files, name = _Files(), text if text.isalnum() else "a"
    (found,) = report(world([job()], [desired()])).values()
    condition = replace(found.conditions[0], message=text)
    status = replace(found, revision=text, conditions=(condition,), history=({"job_id": text},))
    writer = StatusFiles(Path("/state"), files)
    writer.write({name: status})
    (content,) = files.values()
    for read in (yaml.safe_load(content), parsed(content)):
        assert read["metadata"]["name"] == name
        assert read["status"]["revision"] == read["status"]["conditions"][0]["message"] == text
        assert read["status"]["history"] == [{"job_id": text}]
    assert writer.write({name: status}) == 0
    again = StatusFiles(Path("/state"), files)
    again.read()
    assert again.write({name: status}) == 0, "after a restart"


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_a_text_that_some_reader_could_mistake_is_quoted(text: str) -> None:
    (found,) = report(world([job()], [desired()])).values()
    files = _Files()
    StatusFiles(Path("/state"), files).write({"a": replace(found, revision=text)})
    assert any(f"revision: {quote}".encode() in content for content in files.values() for quote in "'\"")


@given(st.text(min_size=1))
def test_any_text_comes_back_from_disk(text: str) -> None:
    (found,) = report(world([job()], [desired()])).values()
    files = _Files()
    StatusFiles(Path("/state"), files).write({"a": replace(found, revision=text)})
    (content,) = files.values()
    assert yaml.safe_load(content)["status"]["revision"] == text
    assert parsed(content)["status"]["revision"] == text


def test_a_value_that_stands_twice_is_written_twice() -> None:
    """An alias would be an error to this program's own reader, and is one to others."""
    (found,) = report(world([job()], [desired()])).values()
    shared = {"model": "x"}
    files = _Files()
    StatusFiles(Path("/state"), files).write({"a": replace(found, latest_model=shared, history=(shared, shared))})
    (content,) = files.values()
    assert b"&" not in content
    assert yaml.safe_load(content)["status"]["history"] == [shared, shared]
