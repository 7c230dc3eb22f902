"""What rows measure with: fleets on disk, the server, CPU of whole processes, and daemons that are watched as they live.

`rows` asks a `Workbench` for these. Whatever is made for one shape is made once, and all of it is gone when the
workbench is closed. Times are CPU seconds, so that what else the machine does changes them little.
"""

import contextlib
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import IO, Self, TypeVar

from tests.bench import shapes
from tests.bench.shapes import Shape

ROOT = Path(__file__).parents[2]
_T = TypeVar("_T")

# What the console script holds that pip writes, but that it runs the program beside this bench.
_SCRIPT = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom reconciler.__main__ import main\nsys.exit(main())\n"
# The daemon trusts no file that is younger than two seconds (a racy time): until then it parses everything anew.
AT_REST_SECONDS = 2.5
_FIRST_TICKS = 3
# Where one measurement is long, fewer are enough: after so many seconds of them, but three at least.
_PATIENCE_SECONDS, _FEWEST = 60.0, 3
# A daemon from which nothing comes for so long is stuck.
_SILENT_SECONDS = 300.0
_NO_MORE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: ``quick`` carries costs on to the sizes that it does not reach."""

    samples: int
    ticks: int
    saves: int
    seeds: int
    quick: bool


FULL = Scale(samples=5, ticks=25, saves=100, seeds=200, quick=False)
QUICK = Scale(samples=3, ticks=10, saves=20, seeds=60, quick=True)


@dataclass(frozen=True, slots=True)
class Ticks:
    """What the passes of a daemon with nothing to do cost, in CPU seconds, and what it keeps, in bytes."""

    each: tuple[float, ...]
    resident: int

    @property
    def ordinary(self) -> float:
        return statistics.median(self.each)

    @property
    def mean(self) -> float:
        """With those among them that look at everything."""
        return statistics.fmean(self.each)


@dataclass(slots=True, eq=False)
class Workbench:
    """Everything that was made for one run of the bench. A context manager."""

    scale: Scale
    latency: float = 0.0
    progress: Callable[[str], None] = lambda _: None
    _stack: ExitStack = field(default_factory=ExitStack)
    _made: dict[tuple[object, ...], object] = field(default_factory=dict)
    scratch: Path = field(init=False)
    _base_url: str = field(init=False)
    _said: "queue.SimpleQueue[list[str]]" = field(default_factory=queue.SimpleQueue)

    def __enter__(self) -> Self:
        self.scratch = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        (self.scratch / "reconciler").write_text(_SCRIPT)
        command = [sys.executable, "-m", "tests.bench.server", "--latency", str(self.latency)]
        server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self._stack.callback(_stop, server)
        assert server.stdout is not None
        self._base_url = server.stdout.readline().strip()
        threading.Thread(target=self._listen, args=(server.stdout,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _listen(self, lines: IO[str]) -> None:
        for line in lines:
            self._said.put(line.split())

    # ── what is made once ──

    def once(self, make: Callable[..., _T], *key: object) -> _T:
        """What ``make`` makes of this key, made once."""
        place = (make.__qualname__, *key)
        if place not in self._made:
            self._made[place] = make(*key)
        return self._made[place]  # type: ignore[return-value]

    def fleet(self, shape: Shape, purpose: str = "") -> Path:
        """A fleet directory of that shape, without a state directory; one for each purpose that leaves something."""
        return self.once(self._write_fleet, shape, purpose)

    def _write_fleet(self, shape: Shape, purpose: str) -> Path:
        self.progress(f"making {shape}")
        root = self.scratch / f"{shape.word}{purpose}"
        root.mkdir()
        (root / "fleet.yaml").write_text(shapes.fleet_document(shape.fleet))
        for index in range(shape.manifests):
            path = manifest_path(root, index)
            path.parent.mkdir(exist_ok=True)
            path.write_text(shapes.manifest(index))
        return root

    def url(self, shape: Shape) -> str:
        """The base URL under which its jobs are, made by now: no request of a row waits for that."""
        return self.once(self._served, shape)

    def _served(self, shape: Shape) -> str:
        url = f"{self._base_url}/{shape.word}/v1"
        urllib.request.urlopen(f"{url}/fine_tuning/jobs").close()  # noqa: S310 - our own server
        return url

    # ── processes that end ──

    def ours(self, *arguments: str) -> list[str]:
        """The program, as its console script starts it."""
        return [sys.executable, str(self.scratch / "reconciler"), *arguments]

    def cpu(self, command: Sequence[str], shape: Shape | None = None, more: Mapping[str, str] = _NO_MORE) -> float:
        """CPU seconds of a process from start to end. Raises RuntimeError unless it ends well."""
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.environment(shape, more),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        complaint = process.stderr.read()
        process.stderr.close()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {complaint[-1000:]}")
        return used.ru_utime + used.ru_stime

    def output(self, command: Sequence[str], shape: Shape) -> str:
        """What a process prints. Raises RuntimeError unless it ends well."""
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment(shape), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-1000:]}")
        return done.stdout

    def side_by_side(self, ours: Callable[[], float], other: Callable[[], float]) -> tuple[float, float]:
        """The median of each, taken in turn so that both meet the same machine; a first round warms every cache."""
        _, *rounds = self._enough(self.scale.samples + 1, lambda: (ours(), other()))
        return statistics.median(mine for mine, _ in rounds), statistics.median(theirs for _, theirs in rounds)

    def _enough(self, most: int, measure: Callable[[], _T]) -> list[_T]:
        """So many measurements, or fewer where they are long."""
        began, found = time.monotonic(), [measure()]
        while len(found) < most and (len(found) <= _FEWEST or time.monotonic() - began < _PATIENCE_SECONDS):
            found.append(measure())
        return found

    def environment(self, shape: Shape | None = None, more: Mapping[str, str] = _NO_MORE) -> Mapping[str, str]:
        """What a process finds: nothing that the caller's own use of the program would change."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("RECONCILER_", "OPENAI_", "PYTHON")) and name != "GITHUB_ACTIONS"
        }
        account = {} if shape is None else {"OPENAI_BASE_URL": self.url(shape), "OPENAI_API_KEY": "sk-bench"}
        return {**kept, **account, **more}

    # ── a daemon ──

    def ticks(self, shape: Shape) -> Ticks:
        """What the passes of a `run` cost over a fleet that is as declared."""
        return self.once(self._watch_ticks, shape)

    def _watch_ticks(self, shape: Shape) -> Ticks:
        root = self.fleet(shape, "-run")
        self.progress(f"a daemon over {shape}")
        with self.daemon(shape, root, "--interval", "100ms") as process:
            self.discard()
            self.next_line(process, "list")
            time.sleep(AT_REST_SECONDS)
            self.discard()
            for _ in range(_FIRST_TICKS):
                self.next_line(process, "list")

            def used_so_far() -> float:
                self.next_line(process, "list")
                return _cpu_of(process.pid)

            # The provider sees a listing begin: between two of them is all that one pass and one look cost.
            used = self._enough(self.scale.ticks + 1, used_so_far)
            resident = _resident(process.pid)
        return Ticks(tuple(later - before for before, later in pairwise(used)), resident)

    def discard(self) -> None:
        """Forget what the server has said so far."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._said.get_nowait()

    @contextlib.contextmanager
    def daemon(self, shape: Shape, root: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        """A `run` over this directory, stopped when the block ends."""
        settled = ["--settle", "0", "--first-run", "--log-format", "json"]
        with (self.scratch / "daemon.log").open("wb") as log:
            process = subprocess.Popen(
                self.ours("run", str(root), *settled, *options), cwd=ROOT, env=self.environment(shape), stderr=log
            )
        try:
            yield process
        finally:
            _stop(process)

    def next_line(self, process: subprocess.Popen[bytes], word: str) -> list[str]:
        """The next line of the server that begins with this word. Raises RuntimeError where none comes any more."""
        until = time.monotonic() + _SILENT_SECONDS
        while process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(queue.Empty):
                words = self._said.get(timeout=1)
                if words[0] == word:
                    return words
        raise RuntimeError(f"no {word!r} came from the daemon: {(self.scratch / 'daemon.log').read_text()[-1000:]}")


def manifest_path(root: Path, index: int) -> Path:
    """Where the manifest of that number stands: a hundred in a directory."""
    return root / f"team-{index // 100:03}" / f"{shapes.name_of(index)}.yaml"


def _stop(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _cpu_of(pid: int) -> float:
    """CPU seconds of a process that goes on: Linux gives each a clock (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


def _resident(pid: int) -> int:
    """Its resident memory in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
