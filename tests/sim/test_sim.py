"""Random schedules of the real program: the promises hold, and a seed replays to the same trace."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from reconciler.source.directory import read_directory
from tests.sim.bugs import BUGS
from tests.sim.chance import Chance
from tests.sim.checkout import ELSEWHERE, JobWish, Wish
from tests.sim.shrink import in_words, shrunk
from tests.sim.story import play
from tests.sim.workers import whole_worlds
from tests.sim.world import SimWorld, scratch

# Coverage counts what the tests of each module reach; tracing thousands of schedules would triple their time.
pytestmark = pytest.mark.no_cover

# Each kind of fault in each phase, within seconds; `python -m tests.sim` plays as many as time allows.
_SCHEDULES = 100
_TOGETHER = 10


@pytest.fixture(autouse=True)
def _files() -> Iterator[None]:
    with scratch(), whole_worlds():
        yield


@pytest.mark.parametrize("place", ["team/{}.yaml", *ELSEWHERE])
def test_a_manifest_is_read_the_same_wherever_it_stands(place: str) -> None:
    wish = Wish((("a", JobWish()), ("b", JobWish(seed=1, model_from="a"))), moved=("a", place.format("a")))
    world = SimWorld(Chance(0))
    checkout = world.sites[0].checkout
    checkout.set(Wish())
    checkout.set(wish)
    snapshot = read_directory(checkout.root)
    assert {name: desired.revision for name, desired in snapshot.desired.items()} == wish.revisions()
    checkout.damage("subdirectory emptied", 0)
    assert checkout.read_as(0, snapshot) == 1
    world.close()


@pytest.mark.parametrize("seed", [3, 14, 159])
def test_the_same_seed_gives_the_same_trace(seed: int) -> None:
    first, second = play(seed, trace=True), play(seed, trace=True)
    assert first.trace == second.trace
    assert len(first.trace) > 10


def test_a_replay_without_a_fault_goes_without_it() -> None:
    whole = next(ending for seed in range(50) if len((ending := play(seed)).struck) > 3)
    number = whole.struck[1][0]
    assert number not in {n for n, _, _ in play(whole.seed, without=frozenset({number})).struck}


def test_a_violation_is_shrunk_to_the_faults_that_it_needs() -> None:
    program = BUGS["no cold-start wait"].program
    found = next(ending for seed in range(240, 1000) if (ending := play(seed, program=program)).violations)
    ending, without = shrunk(found, program=program)
    assert {o for o, _ in ending.violations} & {o for o, _ in found.violations}
    assert len(ending.struck) < len(found.struck)
    assert f"python -m tests.sim --from {found.seed} --seeds 1 --without " in in_words(ending, without)


def test_the_command_plays_in_two_processes_what_it_plays_in_one() -> None:
    told = []
    for workers in ("1", "2"):
        command = [sys.executable, "-m", "tests.sim", "--from", "40", "--seeds", "6", "--workers", workers]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, done.stderr
        told.append(done.stdout.split(" violations")[0])
    assert told[0] == told[1]
    assert told[0].startswith("6 schedules")


@pytest.mark.timeout(600)  # seconds on a quiet machine; on a busy one it may take its time
@pytest.mark.parametrize("first", range(0, _SCHEDULES, _TOGETHER))
def test_no_schedule_of_faults_makes_a_second_job_or_a_wrong_cancel(first: int) -> None:
    endings = [play(seed) for seed in range(first, first + _TOGETHER)]
    assert [f"python -m tests.sim --from {e.seed} --seeds 1: {e.violations}" for e in endings if e.violations] == []
