"""`python -m tests.sim --seeds N [--from S] [--workers 2]`: explore, print the figures, explain a violation."""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator

from tests.sim.explore import Planned, grown
from tests.sim.scenarios import SCENARIOS
from tests.sim.shrink import in_words, shrunk
from tests.sim.story import Ending, play, play_all
from tests.sim.workers import pool, settle_in
from tests.sim.world import scratch

_BATCH = 50
# Schedules between two looks at the figures of a long run.
_TOLD_EVERY = 10_000
_MINUTE = 60.0


def explore(first: int, count: int, workers: int) -> Iterator[Ending]:
    """Every ending, in no particular order."""
    batches = [range(start, min(start + _BATCH, first + count)) for start in range(first, first + count, _BATCH)]
    if workers == 1:
        settle_in()
        with scratch():
            for batch in batches:
                yield from play_all(batch)
        return
    with pool(workers) as processes:
        for endings in processes.imap_unordered(play_all, batches):
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
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--without", default="", help="numbers of faults that do not strike: a shrunk trace names them")
    parser.add_argument("--trace", action="store_true", help="tell everything, violation or not")
    parser.add_argument("--exhaustive", type=int, metavar="N", help="instead: every plan of at most N faults")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="of this scenario only; repeatable")
    arguments = parser.parse_args()
    if arguments.exhaustive is not None:
        return _exhaustive(arguments.exhaustive, arguments.scenario or list(SCENARIOS), arguments.workers)
    figures = Figures()
    without = frozenset(int(number) for number in arguments.without.split(",") if number)
    if without or arguments.trace:
        with scratch():
            for seed in range(arguments.first, arguments.first + arguments.seeds):
                ending = play(seed, without=without, trace=True)
                figures.add(ending)
                print(in_words(ending, without))
    else:
        for ending in explore(arguments.first, arguments.seeds, arguments.workers):
            figures.add(ending)
            if ending.violations:
                print(f"seed {ending.seed}: {ending.violations[0]}", flush=True)
            if figures.schedules % _TOLD_EVERY == 0:
                print(figures, file=sys.stderr, flush=True)
    print(figures)
    if figures.violations and not arguments.trace:
        with scratch():
            print(in_words(*shrunk(min(figures.violations, key=lambda ending: len(ending.struck)))))
    return 1 if figures.violations else 0


def _exhaustive(most: int, names: list[str], workers: int) -> int:
    """Level by level: the plans of one fault more are known once all of a level are played."""
    progress, level = Progress(), [Planned(name) for name in names]
    with pool(workers) as processes:
        for faults in range(most + 1):
            progress.known = progress.done + len(level)
            following: list[Planned] = []
            for found, more in processes.imap_unordered(grown, level, chunksize=8):
                progress.played(found, last=faults == most)
                following += more if faults < most else ()
            level = following
            random.Random(most).shuffle(level)
    print(
        f"{progress.done} plans of at most {most} faults over {len(names)} scenarios, {progress.violations} violations, "
        f"{progress.seconds:.0f} s"
    )
    return 1 if progress.violations else 0


class Progress:
    """How far the exploration of all plans is: a line a minute for who waits."""

    def __init__(self) -> None:
        self.done = self.known = self.violations = 0
        self._began = self._said = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._began

    def played(self, found: list[str], *, last: bool) -> None:
        """One more plan, and what it showed; ``last``: no further plans follow from these."""
        self.done += 1
        self.violations += len(found)
        for text in found:
            print(text, flush=True)
        if time.perf_counter() - self._said >= _MINUTE:
            self._said = time.perf_counter()
            print(self.line(last=last), file=sys.stderr, flush=True)

    def line(self, *, last: bool) -> str:
        left = self.seconds * (self.known - self.done) / self.done / _MINUTE
        end = f"{left:.0f} more minutes" if last else "and those that follow from them"
        return f"{self.done} of {self.known} plans, {end}, {self.violations} violations so far"


if __name__ == "__main__":
    sys.exit(main())
