"""The words of a plan: what each change says, and the digest that a person approves."""

from reconciler.core.change import Keep, Plan
from reconciler.core.plan import plan
from reconciler.core.reason import Reason
from tests.fakes.builders import R1, R2, desired, fleet, world


def test_the_digest_names_every_write_and_where() -> None:
    base = plan(world([], [desired()])).digest("here")
    assert base != plan(world([], [desired()])).digest("there")
    assert base != plan(world([], [desired(revision=R2)])).digest("here")
    assert base != plan(world([], [])).digest("here")
    assert base == "c85f22c2a809173d", "another release must tell the same"


def test_a_create_that_waits_has_the_digest_of_one_that_does_not() -> None:
    two = [desired(), desired("b")]
    assert plan(world([], two, of=fleet(max_active=1))).digest("x") == plan(world([], two)).digest("x")


def test_a_change_that_writes_nothing_has_no_line_in_the_digest() -> None:
    kept = Keep("a", Reason.IN_PROGRESS, "running", "j1", R1, 1)
    assert Plan((kept,), 0).digest("x") == Plan((), 0).digest("x")
