"""Every plan of few faults over small scenarios: nothing is made twice, nothing cancelled by mistake."""

from collections.abc import Iterator

import pytest

from tests.sim.__main__ import Progress
from tests.sim.bugs import BUGS
from tests.sim.explore import Planned, grown, plans
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
    _, firsts = grown(Planned(name))
    played = [grown(planned) for planned in firsts[:: 1 if name in _SHORT else 1 + len(firsts) // _SOME]]
    played += [grown(planned) for _, following in played for planned in following if name in _SHORT]
    assert [violation for found, _ in played for violation in found] == []
    assert len(played) > 10


def test_the_exploration_catches_a_planted_bug() -> None:
    bug = BUGS["5xx retried"]
    found = {o for _, played in plans("create", 1, program=bug.program) for o, _ in played.violations}
    assert found & bug.oracles


def test_level_by_level_all_plans_are_played_once() -> None:
    level, played = [Planned("end")], list[Planned]()
    for _ in range(3):
        played += level
        level = [planned for one in level for planned in grown(one)[1]]
    assert sorted(planned.faults for planned in played) == sorted(faults for faults, _ in plans("end", 2))


def test_a_line_of_progress_says_what_is_known_and_when_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    progress.known = 2
    progress.played(["end under {}: S1: two jobs"], last=True)
    assert capsys.readouterr() == ("end under {}: S1: two jobs\n", "")
    assert progress.line(last=True) == "1 of 2 plans, 0 more minutes, 1 violations so far"
    assert progress.line(last=False) == "1 of 2 plans, and those that follow from them, 1 violations so far"
