"""When another pass, or another try, is worth making, and what for."""

import pytest

from reconciler.core.change import Adopt, Cancel, Change, Create, Hold, Keep, Plan, Wait
from reconciler.core.reason import EndedBy, Reason
from reconciler.core.schedule import Backoff, goes_on, under_way, waits_for_a_job
from tests.fakes.builders import R1, job

PROVIDERS = sorted(r for r in Reason if r.ended_by is EndedBy.PROVIDER)
WAITED = sorted(r for r in PROVIDERS if r is not Reason.WAITING_FOR_JOB)


def create(name: str = "a") -> Create:
    return Create(name, Reason.NOT_CREATED, "", R1, 1)


def wait(name: str = "a", reason: Reason = Reason.WAITING_FOR_JOB) -> Wait:
    return Wait(name, reason, "", create(name))


def keep(name: str = "a", job_id: str = "j1") -> Keep:
    return Keep(name, Reason.IN_PROGRESS, "", job_id, R1, 1)


def adopt(name: str = "a", job_id: str = "j1") -> Adopt:
    return Adopt(name, Reason.ADOPTED, "", job_id, R1, 1)


def hold(name: str = "a", reason: Reason = Reason.FAILED, job_id: str | None = "j1") -> Hold:
    return Hold(name, reason, "", job_id, R1, 1)


def cancel(name: str = "a", job_id: str = "j1") -> Cancel:
    return Cancel(name, Reason.SUPERSEDED, "", job_id, R1, 1)


def a_plan(*changes: Change) -> Plan:
    return Plan(changes, unmanaged=0)


def test_backoff_grows_and_ends_growing() -> None:
    minutes = Backoff(60, 3600)
    assert [minutes.wait(tries) // 60 for tries in (1, 2, 3, 6, 7, 100)] == [1, 2, 4, 32, 60, 60]


def test_backoff_grows_a_thousandfold_at_most_however_long_it_may_last() -> None:
    assert [Backoff(1, 1e9).wait(tries) for tries in (10, 11, 12, 5000)] == [512, 1024, 1024, 1024]


# ── goes on ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("reason", Reason)
def test_what_time_or_the_provider_ends_goes_on(reason: Reason) -> None:
    assert goes_on(hold(reason=reason), live=()) is (reason.ended_by in {EndedBy.TIME, EndedBy.PROVIDER})


def test_whatever_is_said_of_a_live_job_goes_on() -> None:
    suspended = hold(reason=Reason.SUSPENDED, job_id="j1")
    assert goes_on(suspended, live={"j1"})
    assert not goes_on(suspended, live={"j2"})


# ── waits for a job ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("change", [create(), cancel(), keep(), adopt(), hold(reason=Reason.IN_PROGRESS)])
def test_only_a_wait_waits_for_a_job(change: Change) -> None:
    assert not waits_for_a_job(change, a_plan(change), {})


@pytest.mark.parametrize("reason", [r for r in Reason if r is not Reason.WAITING_FOR_JOB])
def test_a_wait_that_the_provider_ends_waits_for_a_job(reason: Reason) -> None:
    assert waits_for_a_job(wait(reason=reason), a_plan(), {}) is (reason in WAITED)


@pytest.mark.parametrize(
    ("upstream", "waits"),
    [
        (keep("up"), True),
        (adopt("up"), True),
        (wait("up", Reason.WAITING_FOR_CAPACITY), True),
        (wait("up", Reason.CREATE_REFUSED), False),
        (create("up"), False),
        (cancel("up"), False),
        (hold("up"), False),
        (keep("other"), False),
    ],
    ids=["kept", "adopted", "waits too", "refused", "created now", "ends", "held", "of another name"],
)
def test_a_job_waits_for_the_one_it_is_built_on_while_that_goes_on(upstream: Change, waits: bool) -> None:
    change = wait("a")
    assert waits_for_a_job(change, a_plan(change, upstream), {"a": "up"}) is waits


def test_one_line_of_the_job_that_is_waited_for_is_enough() -> None:
    change = wait("a")
    assert waits_for_a_job(change, a_plan(change, hold("up"), keep("up")), {"a": "up"})


@pytest.mark.parametrize(("end", "waits"), [(keep("c"), True), (hold("c"), False)], ids=["goes on", "is held"])
def test_a_chain_waits_for_its_first_job(end: Change, waits: bool) -> None:
    change, middle = wait("a"), wait("b")
    assert waits_for_a_job(change, a_plan(change, middle, end), {"a": "b", "b": "c"}) is waits


# ── under way ────────────────────────────────────────────────────────────────────────────────


def test_under_way_are_live_jobs_first_and_then_what_waits_for_one() -> None:
    plan = a_plan(wait("a"), keep("b", "j1"), adopt("c", "j2"), wait("d", Reason.WAITING_FOR_PREVIOUS))
    live = {"j1": job("j1", status="running"), "j2": job("j2", status="queued")}
    assert under_way(plan, live, {"a": "b"}) == (
        "b (running)",
        "c (queued)",
        "a (WaitingForJob)",
        "d (WaitingForPrevious)",
    )


def test_a_job_that_has_ended_is_not_under_way() -> None:
    assert under_way(a_plan(keep("a", "j1"), adopt("b", "j2")), {"j2": job("j2")}, {}) == ("b (running)",)


def test_nor_is_one_that_is_held_or_about_to_end() -> None:
    plan = a_plan(hold("a", job_id="j1"), cancel("b", "j2"), create("c"), wait("d", Reason.CREATE_REFUSED))
    assert under_way(plan, {"j1": job("j1"), "j2": job("j2")}, {}) == ()
