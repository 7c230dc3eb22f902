"""`python -m tests.sim --seeds N [--from S] [--workers 2]`: explore, print the figures, explain a violation."""

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterator

from tests.sim.story import Ending, play
from tests.sim.world import scratch

_BATCH = 50


def _batch(seeds: tuple[int, int]) -> list[Ending]:
    return [play(seed) for seed in range(*seeds)]


def explore(first: int, count: int, workers: int) -> Iterator[Ending]:
    """Every ending, in no particular order."""
    batches = [(start, min(start + _BATCH, first + count)) for start in range(first, first + count, _BATCH)]
    if workers == 1:
        with scratch():
            for batch in batches:
                yield from _batch(batch)
        return
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        for endings in pool.imap_unordered(_batch, batches):
            yield from endings


class Figures:
    """What a run of many schedules came to."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.schedules = self.crashes = self.unknown = self.creates = self.cancels = self.processes = 0
        self.virtual = 0.0
        self.faults: Counter[str] = Counter()
        self.violations: list[Ending] = []

    def add(self, ending: Ending) -> None:
        self.schedules += 1
        self.crashes += ending.crashes
        self.unknown += ending.unknown
        self.creates += ending.creates
        self.cancels += ending.cancels
        self.processes += ending.processes
        self.virtual += ending.virtual_seconds
        self.faults += ending.faults
        if ending.violations:
            self.violations.append(ending)

    def __str__(self) -> str:
        seconds = time.perf_counter() - self.started
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.faults.items()))
        return (
            f"{self.schedules} schedules, {self.virtual / 86400:.1f} virtual days, {self.processes} runs, "
            f"{self.creates} creates, {self.cancels} cancels, {self.crashes} crashes, {self.unknown} unknown creates, "
            f"{sum(self.faults.values())} faults ({kinds}), {len(self.violations)} violations, "
            f"{self.schedules / seconds:.0f} schedules a second"
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim")
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--without", default="", help="fault numbers that do not strike, as a shrunk trace names them")
    parser.add_argument("--trace", action="store_true", help="tell everything, violation or not")
    told = parser.parse_args()
    figures = Figures()
    without = frozenset(int(n) for n in told.without.split(",") if n)
    if without or told.trace:
        with scratch():
            for seed in range(told.first, told.first + told.seeds):
                ending = play(seed, without=without, trace=True)
                figures.add(ending)
                print("\n".join(ending.trace))
                print("\n".join(f"{oracle}: {text}" for oracle, text in ending.violations))
    else:
        for ending in explore(told.first, told.seeds, told.workers):
            figures.add(ending)
    print(figures)
    by_oracle = Counter(oracle for e in figures.violations for oracle in {o for o, _ in e.violations})
    print(dict(by_oracle))
    for ending in sorted(figures.violations, key=lambda e: e.seed)[:10]:
        print(ending.seed, ending.violations[:3])
    return 1 if figures.violations else 0


if __name__ == "__main__":
    sys.exit(main())
