"""A check that cannot catch its bug is no check: every planted bug is caught, by the oracle that is meant for it."""

from collections.abc import Iterator

import pytest

from tests.sim.bugs import BUGS, Bug
from tests.sim.story import play
from tests.sim.world import scratch


@pytest.fixture(autouse=True)
def _files() -> Iterator[None]:
    with scratch():
        yield


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS.keys())
def test_a_planted_bug_is_caught(bug: Bug) -> None:
    for seed in range(bug.seeds):
        caught = {oracle for oracle, _ in play(seed, program=bug.program).violations}
        if caught & bug.oracles:
            return
    pytest.fail(f"not caught within {bug.seeds} seeds")
