"""How an apply ends: what was done, what was not and why, and what to do next; nothing where there is nothing to say."""

from collections.abc import Sequence

from msgspec.structs import replace

from reconciler.core.change import Action
from reconciler.core.estimate import Estimate
from reconciler.core.gates import Permission, approval_key, gate
from reconciler.core.job import JobError
from reconciler.core.plan import plan
from reconciler.core.reason import Reason
from reconciler.core.world import World
from reconciler.engine.act import Outcome
from reconciler.engine.apply import Result
from reconciler.engine.steps import Decided, Pass, Seen
from reconciler.render.closing import closing_lines
from tests.fakes.builders import R2, asked_for_dpo, desired, fleet, job, world
from tests.fakes.reviews import review, typed

BEGIN = Permission(first_run=True)


def closing(
    after: World,
    outcomes: Sequence[Outcome] = (),
    *,
    before: World | None = None,
    permission: Permission = BEGIN,
    **more: bool | str,
) -> list[str]:
    """The lines after an apply that left this world, and began ``before`` (None: in the same)."""
    wanted = plan(after)
    decided = Decided(Seen(after, {}, frozenset(), settled=True), wanted, gate(wanted, after, permission), permission)
    result = Result(tuple(outcomes), Pass(decided, tuple(outcomes), decided), **more)  # type: ignore[arg-type]
    first = review(before or after, permission)
    return list(closing_lines(result, first, review(after, permission), typed=typed))


def created(name: str, *, ok: bool = True, message: str = "created job j1", **more: object) -> Outcome:
    return Outcome(name, Action.CREATE, Reason.NOT_CREATED, None, ok, message, **more)  # type: ignore[arg-type]


DONE = world([job()], [desired()])


def test_nothing_done_and_nothing_wrong_is_nothing_to_say() -> None:
    assert closing(DONE) == []


def test_what_was_done_is_counted() -> None:
    cancelled = Outcome("b", Action.CANCEL, Reason.REMOVED, "j2", ok=True, message="cancelled job j2")
    assert closing(DONE, [created("a"), cancelled]) == ["Done: 1 created, 1 cancelled."]


def test_what_failed_is_named_with_its_reason_once() -> None:
    lines = closing(DONE, [created("a", ok=False, message="no"), created("a", ok=False, message="not sent: refused")])
    assert lines == ["Failed: create of a: not sent: refused"]


def test_a_job_that_was_made_and_ended_says_why_it_is_not_made_again() -> None:
    after = world([job(status="cancelled")], [asked_for_dpo()])
    ended = Outcome("a", Action.CANCEL, Reason.METHOD_LOST, "j1", ok=True, message="cancelled job j1")
    done, why = closing(after, [created("a"), ended])
    assert done == "Done: 1 created, 1 cancelled."
    assert why.startswith("Not done: a: job j1 is another one than was asked for: method dpo was sent")


def test_a_lost_answer_is_unknown_and_says_what_to_do() -> None:
    lines = closing(DONE, [created("a", ok=False, message="the answer was lost", token="t")])
    assert lines == [
        "Unknown: create of a: the answer was lost",
        "Next: run apply again: it looks for the lost create first.",
    ]


def test_what_a_gate_refused_is_named_with_the_command_that_does_it() -> None:
    ending = world([job("j1", "a"), job("j2", "b"), job("j3", "c")], [desired("c", R2)], of=fleet(max_cancels=1))
    assert closing(ending) == [
        "Refused by gate max_cancels: cancel a, cancel b, replace c.",
        f"To do what was refused: reconciler apply fleet --approve {'d' * 16}",
    ]
    lines = closing(ending, before=DONE)
    assert lines[0].startswith("Refused by gate max_cancels: cancel a, cancel b, replace c: 3 live jobs would end"), (
        "the plan has not said why"
    )


def test_a_second_gate_that_refuses_the_same_is_said_in_few_words() -> None:
    costly = {"a": Estimate(usd=5.0), "b": Estimate(usd=5.0)}
    wanted = world([], [desired("a"), desired("b")], of=fleet(max_creates=1, max_cost=1.0))
    assert closing(wanted, before=wanted, permission=replace(BEGIN, estimates=costly))[:2] == [
        "Refused by gate max_creates: create a, create b.",
        "Refused by gate max_cost, too.",
    ]


def test_a_retry_that_no_approval_covers_says_why_and_how_to_go_on() -> None:
    error = JobError("server_error", "try again", "")
    before, again = world([], [desired(retries=1)]), world([job(status="failed", error=error)], [desired(retries=1)])
    approved = frozenset(map(approval_key, plan(before).writes))
    lines = closing(again, before=before, permission=replace(BEGIN, approved=approved))
    assert lines == [
        (
            "Refused by gate approval: create a (Retry: attempt 1 failed (server_error: try again); trying again "
            "(1 of 1 retries)): it was not part of the approved plan; plan again."
        ),
        "Next: see what is left, with the digest that approves it: reconciler plan fleet",
    ]


def test_what_was_not_tried_is_named() -> None:
    lines = closing(world([], [desired("a"), desired("b")]), [created("a", ok=False, message="not sent")])
    assert lines == ["Failed: create of a: not sent", "Not tried: create b.", "Next: run apply again."]


def test_a_job_that_stands_failed_is_told_to_whoever_waited() -> None:
    failed = world([job(status="failed", error=JobError("invalid", "bad line 3", ""))], [desired()])
    lines = closing(failed, before=DONE, waited=True)
    assert lines[0].startswith("Failed: a: ")
    assert "bad line 3" in lines[0]
    assert lines[1:] == ["Next: reconciler describe a -d fleet"]
    assert closing(failed, waited=True) == ["Failed: a", *lines[1:]], "the plan has said why"
    assert closing(failed) == []


def test_a_timeout_says_that_jobs_go_on() -> None:
    assert closing(DONE, waited=True, timed_out=True) == [
        "Timed out: what is live goes on at the provider.",
        "Next: see how far they are: reconciler status fleet",
    ]


def test_each_thing_to_do_next_is_a_line_that_ends_in_a_command_to_copy() -> None:
    error = JobError("invalid", "bad line 3", "")
    jobs = [job("j1", "a", status="failed", error=error), job("j2", "b", status="failed", error=error), job("j3", "c")]
    lines = closing(world(jobs, [desired("a"), desired("b"), desired("c")]), waited=True, timed_out=True)
    assert lines == [
        "Failed: a",
        "Failed: b",
        "Timed out: what is live goes on at the provider.",
        "Next: reconciler describe a -d fleet",
        "Next: see how far they are: reconciler status fleet",
    ]


def test_a_run_that_could_not_go_on_says_why() -> None:
    assert closing(DONE, failure="HTTP 500") == ["Stopped: HTTP 500", "Next: run apply again."]


def test_a_spec_that_is_not_sent_is_not_tried_again_by_another_apply() -> None:
    after = world([], [desired()], objections={"a": "it drops method: use its pass-through"})
    assert closing(after) == [
        "Not done: a: not sent: it drops method: use its pass-through",
        "Next: do what is said of a: this server is not sent that spec as it is.",
    ]
