"""kill -9 at random, against a faulty provider in another process: `python -m tests.e2e.chaos --minutes 10`.

A `reconciler run` is killed again and again while somebody edits the manifests and, now and then, a CI
`apply` of the same files runs beside it. The judge reads the provider's own ledger. It ends with a line of
figures, and exits 1 on a violation.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.core.fields import State
from reconciler.source.directory import read_directory
from tests.fakes.fleets import FleetDirectory, jobs_at, live

SETTLE = 2.0
NAMES = ("a", "b", "c", "d")


def program(command: str, root: Path, base_url: str, settle: float) -> list[str]:
    """The command line of the program under test, led to a provider of ours."""
    where = [str(root), "--provider", "compatible", "--base-url", base_url]
    how = ["--settle", f"{settle}s", "--first-run", "--log-format", "json"]
    hurry = ["--interval", "1s", "--stability", "200ms"] if command == "run" else ["--yes"]
    return [sys.executable, "-m", "reconciler", command, *where, *how, *hurry]


@dataclass
class ProviderProcess:
    """The other process."""

    process: subprocess.Popen[str]
    faulty: str
    honest: str

    def calm(self) -> str:
        """End the faults; what they were."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("calm\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@contextmanager
def provider(directory: Path, seed: int, rate: float) -> Iterator[ProviderProcess]:
    """A faulty provider for the length of a block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.faulty_provider", directory, "--seed", str(seed), "--rate", str(rate)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    faulty, honest = process.stdout.readline().split()
    try:
        yield ProviderProcess(process, faulty, honest)
    finally:
        process.kill()
        process.communicate()


@dataclass
class Judge:
    """What was wanted when (Unix time), and what the ledger says of it."""

    fleet: FleetDirectory
    honest: str
    wanted: dict[str, list[tuple[float, str | None]]] = field(default_factory=lambda: defaultdict(list))
    judged: set[str] = field(default_factory=set)
    violations: list[str] = field(default_factory=list)
    cancels: int = 0

    def note(self) -> None:
        """The manifests are what they are now."""
        desired = read_directory(self.fleet.root).desired
        for name in NAMES:
            if name not in desired and (self.fleet.root / f"{name}.yaml").exists():
                continue  # a broken manifest asks for nothing else
            revision = desired[name].revision if name in desired else None
            if not self.wanted[name] or self.wanted[name][-1][1] != revision:
                self.wanted[name].append((time.time(), revision))

    def look(self) -> None:
        """Judge the ledger as it is now."""
        jobs = jobs_at(self.honest)
        by_revision = Counter(map(marked, live(jobs)))
        self.violations += [f"S1: {n} live jobs of {key}" for key, n in by_revision.items() if n > 1]
        for job in jobs:
            if job["status"] == "cancelled" and job["id"] not in self.judged:
                self.judged.add(job["id"])
                self.cancels += 1
                self._cancelled(job)

    def _cancelled(self, job: dict[str, Any]) -> None:
        """Something else must have been wanted during its life: another revision, or none."""
        name, revision = marked(job)
        told = self.wanted[name]
        ends = [*(at for at, _ in told[1:]), time.time()]
        since = {wanted for (_, wanted), end in zip(told, ends, strict=True) if end >= job["created_at"]}
        if since == {revision}:
            self.violations.append(
                f"wrong cancel: {job['id']} of {name}, which wanted nothing but {revision} meanwhile"
            )

    def unfinished(self) -> list[str]:
        """What is not yet as it is declared."""
        return unfinished(declared(self.fleet), jobs_at(self.honest))


Key = tuple[str, str]


def marked(job: dict[str, Any]) -> Key:
    """The name and the revision that a job carries."""
    return job["metadata"]["reconciler_job"], job["metadata"]["reconciler_revision"]


def declared(fleet: FleetDirectory) -> set[Key]:
    """Names and revisions that the manifests ask for now."""
    desired = read_directory(fleet.root).desired.values()
    return {(d.name, d.revision) for d in desired if d.policy.state is not State.CANCELLED}


def unfinished(want: set[Key], jobs: list[dict[str, Any]]) -> list[str]:
    """Everything declared must stand exactly once, live or finished, and nothing else may be live."""
    good = Counter(marked(job) for job in jobs if job["status"] not in {"failed", "cancelled"})
    return [
        *(f"L1: {key} stands {good[key]} times" for key in sorted(want) if good[key] != 1),
        *(f"L1: {key} is live and not wanted" for key in sorted(set(map(marked, live(jobs))) - want)),
    ]


def edit(fleet: FleetDirectory, dice: random.Random) -> None:
    """Change, remove, restore or break one manifest."""
    name = dice.choice(NAMES[:-1])  # the last one is never touched: it must never be cancelled
    what = dice.random()
    path = fleet.root / f"{name}.yaml"
    if what < 0.5 or not path.exists():
        fleet.job(name, seed=NAMES.index(name) * 100 + dice.randrange(4))
    elif what < 0.7:
        path.unlink()
    elif what < 0.85:
        path.write_text(path.read_text()[: dice.randrange(200)])
    else:
        path.write_text("kind: [")


@dataclass
class Chaos:
    """One run of it."""

    scratch: Path
    server: ProviderProcess
    dice: random.Random
    kills: int = 0
    applies: int = 0

    def __post_init__(self) -> None:
        self.fleet = FleetDirectory(self.scratch / "fleet")
        self.fleet.fleet(limits={"max_cancels": 10})
        for number, name in enumerate(NAMES):
            self.fleet.job(name, seed=number * 100)
        self.judge = Judge(self.fleet, self.server.honest)
        self.judge.note()
        self.log = (self.scratch / "log").open("w")

    def start(self, command: str) -> subprocess.Popen[bytes]:
        """The program under test, led to the faulty provider."""
        told = program(command, self.fleet.root, self.server.faulty, SETTLE)
        return subprocess.Popen(told, stderr=self.log, stdout=subprocess.DEVNULL)

    def live_and_die(self) -> None:
        """One daemon's life, with edits and sometimes an apply beside it, until both are killed."""
        processes = [self.start("run")]
        if self.dice.random() < 0.2:
            processes.append(self.start("apply"))
            self.applies += 1
        until = time.monotonic() + self.dice.uniform(0.3, 8.0)
        while time.monotonic() < until:
            time.sleep(self.dice.uniform(0.05, 0.5))
            if self.dice.random() < 0.2:
                edit(self.fleet, self.dice)
                self.judge.note()
            self.judge.look()
        for process in processes:
            process.kill()
            process.wait()
        self.kills += 1

    def converge(self) -> None:
        """Mend every file and let one daemon work undisturbed; it must end in order."""
        for name in NAMES:
            if name not in read_directory(self.fleet.root).desired:
                self.fleet.job(name, seed=1)
        self.judge.note()
        process = self.start("run")
        # A settle window for what was lost, ten seconds for what was removed, and some passes.
        end = time.monotonic() + SETTLE * 3 + 25
        while self.judge.unfinished() and time.monotonic() < end:
            time.sleep(0.2)
        self.judge.look()
        self.judge.violations += self.judge.unfinished()
        process.terminate()
        stopped = process.wait(30)
        if stopped != 0:
            self.judge.violations.append(f"SIGTERM ended with {stopped}")
        self.log.close()
        lines = (self.scratch / "log").read_text().splitlines()
        self.judge.violations += [f"crash: {line[:400]}" for line in lines if '"exception"' in line][:5]


def chaos(minutes: float, seed: int, rate: float) -> tuple[str, list[str]]:
    """Run it; a line of figures, and the violations."""
    with tempfile.TemporaryDirectory() as scratch, provider(Path(scratch) / "provider", seed, rate) as server:
        run = Chaos(Path(scratch), server, random.Random(seed))
        end = time.monotonic() + minutes * 60
        while time.monotonic() < end:
            run.live_and_die()
        faults = server.calm()
        run.converge()
        figures = {
            "minutes": minutes,
            "kills": run.kills,
            "applies": run.applies,
            "jobs": len(jobs_at(server.honest)),
            "cancels": run.judge.cancels,
            "faults": faults,
            "violations": len(run.judge.violations),
        }
        return json.dumps(figures), run.judge.violations


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0.15)
    told = parser.parse_args()
    figures, violations = chaos(told.minutes, told.seed, told.rate)
    for violation in violations:
        sys.stdout.write(f"{violation}\n")
    sys.stdout.write(f"{figures}\n")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
