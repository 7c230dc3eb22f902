"""Every plan of few faults over small scenarios: nothing is made twice, nothing cancelled by mistake."""

import pytest

from tests.sim.bugs import BUGS
from tests.sim.explore import branch, branches, plans
from tests.sim.scenarios import SCENARIOS, play
from tests.sim.workers import pool
from tests.sim.world import scratch

# Coverage counts what the tests of each module reach; tracing thousands of schedules would triple their time.
pytestmark = pytest.mark.no_cover

# Of these all plans of two faults, of the others all of one: `python -m tests.sim --exhaustive 2` plays all of two of all.
_SHORT = ("subdirectory", "end")


def test_every_scenario_goes_well_where_nothing_goes_wrong() -> None:
    with scratch():
        for name in SCENARIOS:
            assert play(name, {}).violations == (), name


@pytest.mark.timeout(1500)  # minutes on a quiet machine; on a busy one it may take its time
def test_no_plan_of_few_faults_makes_a_second_job_or_a_wrong_cancel() -> None:
    others = [name for name in SCENARIOS if name not in _SHORT]
    with pool(2) as processes:
        done = processes.map(branch, [*branches(2, _SHORT), *branches(1, others)], chunksize=4)
    assert [text for _, found in done for text in found] == []
    assert sum(count for count, _ in done) > 500


def test_the_exploration_catches_a_planted_bug() -> None:
    bug = BUGS["5xx retried"]
    with scratch():
        found = {o for _, played in plans("create", 1, program=bug.program) for o, _ in played.violations}
    assert found & bug.oracles
