"""A check that cannot catch its bug is no check: every planted bug is caught, by the oracle that is meant for it."""

from collections.abc import Iterator

import pytest

from tests.sim.bugs import BUGS, Bug
from tests.sim.explore import plans
from tests.sim.story import play
from tests.sim.workers import whole_worlds
from tests.sim.world import scratch

# Coverage counts what the tests of each module reach; tracing thousands of schedules would triple their time.
pytestmark = pytest.mark.no_cover


@pytest.fixture(autouse=True)
def _files() -> Iterator[None]:
    with scratch(), whole_worlds():
        yield


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS.keys())
def test_a_planted_bug_is_caught(bug: Bug) -> None:
    assert any(caught & bug.oracles for caught in _verdicts(bug))


def _verdicts(bug: Bug) -> Iterator[set[str]]:
    """The oracles that object, schedule after schedule."""
    if bug.scenario:
        found = plans(bug.scenario, 2, program=bug.program, first=bug.fault)
        yield from ({o for o, _ in played.violations} for _, played in found)
    else:
        yield from (
            {o for o, _ in play(seed, program=bug.program).violations}
            for seed in range(bug.first, bug.first + bug.seeds)
        )
