"""Whether the provider takes new jobs, as one condition of the fleet."""

import pytest
from msgspec.structs import replace

from reconciler.core.intake import Intake, intake, recorded_intake
from reconciler.core.memory import Memory, Refusal
from reconciler.core.plan import plan
from reconciler.core.world import World
from tests.fakes.builders import R1, desired, job, memory, world

LIMIT = Refusal("a", R1, "HTTP 429: daily limit", 700, of_all=True)
SINCE = "1970-01-01T00:10:00Z"
FOUND = Intake("HTTP 429: daily limit", "a", 760, ("a", "b"), SINCE)


def closed(*, refused: str = LIMIT.message) -> Memory:
    """Job a was refused, and with it every create."""
    return memory(echoes=True, refused=refused, refusals={"a": LIMIT, "": replace(LIMIT, revision="", next_at=760)})


def of(w: World, before: dict[str, object] | None = None, now: str | None = None) -> Intake | None:
    return intake(w, plan(w), before=before or {}, now=now)


@pytest.mark.parametrize("refused", [LIMIT.message, ""], ids=["waits", "is to be tried"])
def test_it_is_one_condition_whoever_waits(refused: str) -> None:
    w = world([job("j1", "c")], [desired("a"), desired("b"), desired("c")], remembers=closed(refused=refused))
    assert of(w, now=SINCE) == FOUND


def test_who_waits_for_something_else_does_not_wait_for_it() -> None:
    built_on = desired("d", model_from="c")
    w = world([job("j1", "c"), job("j2", "removed")], [desired("a"), desired("c"), built_on], remembers=closed())
    found = of(w)
    assert found is not None
    assert found.waiting == ("a",)


def test_it_is_none_where_nobody_wants_a_job_or_the_provider_takes_them() -> None:
    assert of(world([job("j1", "a")], [desired("a")], remembers=closed())) is None
    assert of(world([], [desired("a")], remembers=memory(echoes=True))) is None
    rejected = memory(echoes=True, refusals={"a": replace(LIMIT, of_all=False)})
    assert of(world([], [desired("a")], remembers=rejected)) is None


def test_it_began_when_it_was_first_recorded() -> None:
    w = world([], [desired("a"), desired("b")], remembers=closed())
    assert of(w, before=FOUND.report, now="later") == FOUND
    for nothing in ([], [3], [{"last_transition_time": 3}]):
        assert of(w, before={"conditions": nothing}) == replace(FOUND, since=None)


def test_the_report_is_a_condition_as_kubernetes_writes_it() -> None:
    message = "the provider takes no new jobs: HTTP 429: daily limit (last refused: a)"
    assert FOUND.report == {
        "conditions": [
            {
                "type": "Blocked",
                "status": "True",
                "reason": "CreateRefused",
                "message": message,
                "last_transition_time": SINCE,
            }
        ],
        "last_refused": "a",
        "next_try": 760,
        "waiting": ["a", "b"],
    }


def test_a_report_is_read_back_as_it_was() -> None:
    assert recorded_intake(FOUND.report) == FOUND
    for key in ("conditions", "waiting", "next_try"):
        assert recorded_intake({**FOUND.report, key: None}) is None
    older = {key: value for key, value in replace(FOUND, last="").report.items() if key != "last_refused"}
    assert recorded_intake(older) == replace(FOUND, last="")
