"""Random schedules of the real program: the promises hold, and a seed replays to the same trace."""

import multiprocessing
from collections.abc import Iterator

import pytest

from tests.sim.story import play
from tests.sim.world import scratch


@pytest.fixture(autouse=True)
def _files() -> Iterator[None]:
    with scratch():
        yield


@pytest.mark.parametrize("seed", [3, 14, 159])
def test_the_same_seed_gives_the_same_trace(seed: int) -> None:
    first, second = play(seed, trace=True), play(seed, trace=True)
    assert first.trace == second.trace
    assert len(first.trace) > 10


def test_a_replay_without_a_fault_goes_without_it() -> None:
    whole = next(ending for seed in range(50) if len((ending := play(seed)).struck) > 3)
    number = whole.struck[1][0]
    assert number not in {n for n, _, _ in play(whole.seed, without=frozenset({number})).struck}


def _violations(seeds: range) -> list[str]:
    with scratch():
        return [f"python -m tests.sim --from {s} --seeds 1: {e.violations}" for s in seeds if (e := play(s)).violations]


@pytest.mark.timeout(300)
def test_no_schedule_of_faults_makes_a_second_job_or_a_wrong_cancel() -> None:
    with multiprocessing.get_context("forkserver").Pool(2) as pool:
        found = pool.map(_violations, [range(start, start + 50) for start in range(0, 600, 50)])
    assert [text for batch in found for text in batch] == []
