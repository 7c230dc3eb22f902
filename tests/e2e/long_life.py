"""A long life in little time: `python -m tests.e2e.long_life --passes 10000 --manifests 1000`.

The daemon on a clock that nobody waits for, over real files and a real journal, against a provider in
memory whose jobs come, tell, and end. Prints memory and open files as the passes go by.
"""

import argparse
import gc
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.fakes.daemons import DaemonHarness
from tests.fakes.fleets import FleetDirectory

INTERVAL = 60.0


def open_files() -> int:
    """How many this process has open."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the names are all that counts


def resident() -> int:
    """Memory in KiB that is really there (proc(5), statm)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def lives(
    root: Path, passes: int, manifests: int, steps: int, tell: Callable[[str], None]
) -> Iterator[tuple[int, int, int]]:
    """Passes so far, memory in KiB, open files; after each of ``steps`` parts of one daemon's life."""
    fleet = FleetDirectory(root / "fleet")
    fleet.fleet(limits={"max_creates": manifests, "max_cancels": manifests})
    for number in range(manifests):
        fleet.job(f"n{number}", seed=number)
    world = DaemonHarness(fleet)
    measured: list[tuple[int, int, int]] = []

    def step(number: int) -> None:
        # One job ends, one spec changes, every live job of the first hundred says something.
        name = number % manifests
        live = world.provider.live(f"n{name}")
        if live:
            world.provider.end(live[0], "succeeded")
        fleet.job(f"n{(number * 7) % manifests}", seed=manifests + number)
        for job_id in world.provider.live()[:100]:
            world.provider.tell(job_id, "going on", step=number, train_loss=1.0 / (number + 1))
        world.provider.calls.clear()
        world.logged.seek(0)
        world.logged.truncate()
        gc.collect()
        measured.append((number, resident(), open_files()))
        tell(f"{len(measured) * passes // steps} passes: {measured[-1][1]} KiB, {measured[-1][2]} open files")

    for number in range(1, steps + 1):
        world.at(number * INTERVAL * passes / steps, lambda number=number: step(number))  # type: ignore[misc]
    world.live(INTERVAL * passes + 10)
    yield from measured


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--passes", type=int, default=10_000)
    parser.add_argument("--manifests", type=int, default=1_000)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for _ in lives(Path(scratch), told.passes, told.manifests, 20, lambda line: print(line, flush=True)):  # noqa: T201 - a command
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
