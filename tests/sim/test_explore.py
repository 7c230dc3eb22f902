"""Every plan of few faults over small scenarios: nothing is made twice, nothing cancelled by mistake."""

from collections.abc import Iterator

import pytest

from tests.sim.bugs import BUGS
from tests.sim.explore import branch, branches, plans
from tests.sim.scenarios import SCENARIOS, play
from tests.sim.workers import whole_worlds
from tests.sim.world import scratch

# Coverage counts what the tests of each module reach; tracing thousands of schedules would triple their time.
pytestmark = pytest.mark.no_cover

# Of these all plans of two faults, of the others some of one: `python -m tests.sim --exhaustive 2` plays all of two of all.
_SHORT = ("end",)
_SOME = 20


@pytest.fixture(autouse=True)
def _files() -> Iterator[None]:
    with scratch(), whole_worlds():
        yield


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_goes_well_where_nothing_goes_wrong(name: str) -> None:
    assert play(name, {}).violations == ()


@pytest.mark.timeout(600)  # seconds on a quiet machine; on a busy one it may take its time
@pytest.mark.parametrize("name", SCENARIOS)
def test_no_plan_of_few_faults_makes_a_second_job_or_a_wrong_cancel(name: str) -> None:
    pieces = branches(2 if name in _SHORT else 1, [name])
    played = [branch(piece) for piece in pieces[:: 1 if name in _SHORT else 1 + len(pieces) // _SOME]]
    assert [violation for _, found in played for violation in found] == []
    assert sum(count for count, _ in played) > 10


def test_the_exploration_catches_a_planted_bug() -> None:
    bug = BUGS["5xx retried"]
    found = {o for _, played in plans("create", 1, program=bug.program) for o, _ in played.violations}
    assert found & bug.oracles


def test_the_pieces_of_the_work_are_all_of_it() -> None:
    done = [branch(piece) for piece in branches(1, ["end"])]
    assert sum(count for count, _ in done) == len(list(plans("end", 1)))
