"""The words of a plan: what each change says, and the digest that a person approves."""

import pytest

from reconciler.core.change import Action, Adopt, Cancel, Create, Hold, Keep, Pause, Plan, Resume, Wait, Write
from reconciler.core.plan import plan
from reconciler.core.reason import Reason
from tests.fakes.builders import R1, R2, desired, fleet, job, world

CREATE = Create("a", Reason.RETRY, "again", R2, 3)
CANCEL = Cancel("b", Reason.SUPERSEDED, "replaced", "j1", R1, 2)
LATER = Cancel("c", Reason.SUPERSEDED, "replaced", "j2", R1, 1, follows=True)
AHEAD = Cancel("d", Reason.AHEAD, "ahead", "j3", R1, 1)
CHANGES = (
    CREATE,
    CANCEL,
    LATER,
    Keep("c", Reason.IN_PROGRESS, "", "j2", R1, 1, write=LATER),
    Adopt("e", Reason.ADOPTED, "", "j4", R1, 1),
    Hold("d", Reason.AHEAD, "ahead", "j3", R1, 1, write=AHEAD),
    Hold("f", Reason.SUSPENDED, "", None, None, None),
    Wait("g", Reason.CREATE_REFUSED, "no quota", CREATE),
    Wait("h", Reason.RETRY, "busy", CREATE),
    Wait("i", Reason.BLOCKED, "a gate", CANCEL),
)
PLAN = Plan(CHANGES, unmanaged=0)


def test_an_action_is_a_word_that_is_shown_and_approved() -> None:
    assert [str(action) for action in Action] == [
        *("create", "cancel", "pause", "resume"),
        *("adopt", "keep", "wait", "hold"),
    ]


PAUSE = Pause("p", Reason.PAUSING, "", "j1", R1, 1)
RESUME = Resume("r", Reason.RESUMING, "", "j2", R1, 1)


@pytest.mark.parametrize("write", [CREATE, CANCEL, PAUSE, RESUME])
def test_a_write_writes_itself(write: Write) -> None:
    assert write.write is write


@pytest.mark.parametrize(("write", "about"), [(CREATE, (None, R2, 3)), (CANCEL, ("j1", R1, 2))])
def test_a_wait_is_about_what_it_holds_back(write: Write, about: tuple[str | None, str, int]) -> None:
    wait = Wait("a", Reason.BLOCKED, "", write)
    assert (wait.job_id, wait.revision, wait.attempt) == about


def test_a_pass_sends_cancels_first_and_leaves_those_that_follow_a_create_for_later() -> None:
    assert PLAN.writes == (CANCEL, CREATE)


def test_pauses_come_after_cancels_and_before_creates() -> None:
    assert Plan((CREATE, RESUME, PAUSE, CANCEL), 0).writes == (CANCEL, RESUME, PAUSE, CREATE)


def test_a_digest_names_a_pause_as_it_does_a_cancel() -> None:
    assert (
        len(
            {Plan((c,), 0).digest("x", lambda _: "") for c in (PAUSE, RESUME, CANCEL)}
            | {Plan((), 0).digest("x", lambda _: "")}
        )
        == 4
    )


def test_put_off_is_what_waits_for_no_reason_but_the_moment() -> None:
    assert [c.name for c in PLAN.put_off] == ["h"]


def test_ahead_is_what_a_person_may_approve() -> None:
    assert PLAN.ahead == (AHEAD,)


# ── the digest ───────────────────────────────────────────────────────────────────────────────


def test_the_digest_names_every_write_and_where() -> None:
    base = plan(world([], [desired()])).digest("here", lambda _: "")
    assert base != plan(world([], [desired()])).digest("there", lambda _: "")
    assert base != plan(world([], [desired(revision=R2)])).digest("here", lambda _: "")
    assert base != plan(world([], [])).digest("here", lambda _: "")
    assert base == "c85f22c2a809173d", "another release must tell the same"


def test_a_create_that_waits_has_the_digest_of_one_that_does_not() -> None:
    two = [desired(), desired("b")]
    assert plan(world([], two, of=fleet(max_active=1))).digest("x", lambda _: "") == plan(world([], two)).digest(
        "x", lambda _: ""
    )


def test_a_change_that_writes_nothing_has_no_line_in_the_digest() -> None:
    kept = Keep("a", Reason.IN_PROGRESS, "running", "j1", R1, 1)
    assert Plan((kept,), 0).digest("x", lambda _: "") == Plan((), 0).digest("x", lambda _: "")


def test_a_digest_names_what_a_create_sends_besides_its_revision() -> None:
    wanted = plan(world([], [desired()]))
    base = wanted.digest("here", lambda _: "")
    assert wanted.digest("here", {"a": '{"metadata":{"ticket":"ML-12"}}'}.__getitem__) != base
    assert wanted.digest("here", {"a": "", "b": "of a name that is not created"}.__getitem__) == base
    ending = plan(world([job(name="gone")], []))
    assert ending.digest("here", {"gone": "x"}.__getitem__) == ending.digest("here", lambda _: ""), (
        "a cancel sends nothing"
    )
