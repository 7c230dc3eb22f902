"""The rows of the bench: one line of `ROWS` and one small function each.

`__main__` measures them in this order. A function gets the `Workbench` and returns what it `Measured`, or raises
`Skipped` where something that it needs is not there. "Carried on": measured at two smaller sizes, and the cost of one
more manifest and job taken on to the size of the row.
"""

import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench import dataset, floor, shapes
from tests.bench.shapes import Shape
from tests.bench.table import Goal, Measured
from tests.bench.workbench import AT_REST_SECONDS, ROOT, Workbench, manifest_path

_HERE = Path(__file__).parent
_SMALL, _MIDDLE = Shape(10, 10), Shape(1000, 1000)
_SQUARE = (_SMALL, _MIDDLE, Shape(10_000, 10_000))
# Ten jobs a manifest.
_HISTORY = (Shape(100, 1000), Shape(1000, 10_000), Shape(10_000, 100_000))
# The same with some that run.
_LIVE = (Shape(100, 1000, 10), Shape(1000, 10_000, 10), Shape(10_000, 100_000, 10))
_LINUX = "this reads another process's CPU clock as Linux gives it"


class Skipped(Exception):
    """Something that a row needs is not there; the message says what."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table."""

    name: str
    title: str
    measure: Callable[[Workbench], Measured]
    goal: Goal
    unit: str = "s"


# ── a person waits ──


def _nothing() -> list[str]:
    return [sys.executable, "-I", "-c", "pass"]


def _help(bench: Workbench) -> Measured:
    return _beside_nothing(bench, lambda: bench.cpu(bench.ours("--help")))


def _small_plan(bench: Workbench) -> Measured:
    command = bench.ours("plan", str(bench.fleet(_SMALL)))
    return _beside_nothing(bench, lambda: bench.cpu(command, _SMALL))


def _tab(bench: Workbench) -> Measured:
    return _beside_nothing(bench, lambda: _press(bench, "reconciler st", "1"))


def _tab_names(bench: Workbench) -> Measured:
    words = f"reconciler describe -d {bench.fleet(_SMALL)} "
    return _beside_nothing(bench, lambda: _press(bench, words, "4"))


def _press(bench: Workbench, words: str, place: str) -> float:
    asked = {"_RECONCILER_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": place}
    return bench.cpu(bench.ours(), more=asked)


def _beside_nothing(bench: Workbench, ours: Callable[[], float]) -> Measured:
    return Measured(*bench.side_by_side(ours, lambda: bench.cpu(_nothing())))


# ── a plan beside the floor ──


def _cold(bench: Workbench) -> Measured:
    """Without a state directory: nothing of an earlier run helps."""
    return _carried(bench, lambda shape: _plan_and_floor(bench, shape))


def _second(bench: Workbench) -> Measured:
    """After an apply that changed nothing has left its state directory."""
    return _carried(bench, lambda shape: _plan_and_floor(bench, shape, applied=True))


def _carried(
    bench: Workbench, measured: Callable[[Shape], Measured], along: tuple[Shape, Shape, Shape] = _SQUARE
) -> Measured:
    """Of the last shape; in a quick bench carried on from the two before it."""
    first, second, last = along
    if not bench.scale.quick:
        return measured(last)
    small, middle = measured(first), measured(second)
    sizes = (first.manifests, second.manifests, last.manifests)
    note = "; ".join(filter(None, [middle.note, f"carried on from {first} and {second}"]))
    if small.other is None or middle.other is None:
        return Measured(carried(small.ours, middle.ours, sizes), note=note)
    return Measured(carried(small.ours, middle.ours, sizes), carried(small.other, middle.other, sizes), note)


def carried(small: float, middle: float, sizes: tuple[int, int, int]) -> float:
    """The cost at the last of three sizes, from those at the first two: what is fixed, and so much for each more."""
    first, second, last = sizes
    return middle + (middle - small) / (second - first) * (last - second)


def _plan_and_floor(bench: Workbench, shape: Shape, *, applied: bool = False) -> Measured:
    root = bench.once(_applied, bench, shape) if applied else bench.fleet(shape)
    # A plan that would change something is not what is measured here.
    plan = bench.ours("plan", str(root), "--detailed-exitcode")
    lowest = [sys.executable, "-I", str(_HERE / "floor.py"), str(bench.fleet(shape)), bench.url(shape)]
    found = bench.side_by_side(lambda: bench.cpu(plan, shape), lambda: bench.cpu(lowest))
    return Measured(*found, f"the floor decodes JSON with {floor.decoder()[0]}")


def _applied(bench: Workbench, shape: Shape) -> Path:
    root = bench.fleet(shape, "-applied")
    bench.cpu(bench.ours("apply", str(root), "--yes", "--settle", "0"), shape)
    return root


def _grown(bench: Workbench, place: int) -> Measured:
    """With a history of ten jobs a manifest, so that growth is seen."""
    plan = partial(bench.once, _plan_and_floor, bench)
    return plan(_HISTORY[place]) if place < len(_HISTORY) - 1 else _carried(bench, plan, _HISTORY)


# ── peers ──


def _octodns(bench: Workbench, *, applied: bool = False) -> Measured:
    """It remembers nothing of an earlier run. Ours does, ``applied``: the plan of a fleet that an apply has seen."""
    _needs("octodns")
    return _carried(bench, lambda shape: _plan_and_octodns(bench, shape, applied=applied))


def _plan_and_octodns(bench: Workbench, shape: Shape, *, applied: bool) -> Measured:
    config = bench.once(_zone, bench, shape)
    peer = [sys.executable, "-m", "octodns.cmds.sync", "--config-file", str(config), "--quiet"]
    root = bench.once(_applied, bench, shape) if applied else bench.fleet(shape)
    plan = bench.ours("plan", str(root), "--detailed-exitcode")
    found = bench.side_by_side(lambda: bench.cpu(plan, shape), lambda: bench.cpu(peer, more={"PYTHONPATH": str(ROOT)}))
    return Measured(*found, "octoDNS plans as many A records, from YAML against pages of JSON of this server")


def _zone(bench: Workbench, shape: Shape) -> Path:
    """A zone of as many records, in octoDNS's own YAML, and the configuration that plans it."""
    root = bench.scratch / f"zone-{shape.word}"
    root.mkdir()
    (root / "example.com.yaml").write_text("".join(map(shapes.record_document, range(shape.manifests))))
    config = root / "config.yaml"
    config.write_text(
        "providers:\n"
        f"  files: {{class: octodns.provider.yaml.YamlProvider, directory: {root}, enforce_order: false}}\n"
        f"  server: {{class: tests.bench.octodns_target.Target, url: {bench.url(shape)!r}}}\n"
        "zones:\n  example.com.: {sources: [files], targets: [server]}\n"
    )
    return config


def _sdk(bench: Workbench) -> Measured:
    _needs("openai")
    shape = _SQUARE[-1]
    found = bench.side_by_side(lambda: _listing(bench, "ours", shape), lambda: _listing(bench, "sdk", shape))
    return Measured(*found, "the listing alone, on both sides without what it takes to start")


def _listing(bench: Workbench, who: str, shape: Shape) -> float:
    command = [sys.executable, "-m", "tests.bench.listings", who, str(bench.once(_declared, bench, shape))]
    return float(bench.output(command, shape))


def _declared(bench: Workbench, shape: Shape) -> Path:
    """A fleet that has no manifests: whoever lists needs none."""
    root = bench.scratch / f"declared-{shape.word}"
    root.mkdir()
    (root / "fleet.yaml").write_text(shapes.fleet_document(shape.fleet))
    return root


def _needs(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise Skipped(f"{module} is not installed (pip install -e '.[bench]')")


# ── the daemon ──


def _tick(bench: Workbench) -> Measured:
    _needs_linux()
    return _tick_of(bench, _MIDDLE)


def _large_tick(bench: Workbench) -> Measured:
    _needs_linux()
    return _carried(bench, lambda shape: _tick_of(bench, shape), _LIVE)


def _tick_of(bench: Workbench, shape: Shape) -> Measured:
    found = bench.ticks(shape)
    return Measured(found.ordinary, note=f"{shape}; mean {found.mean * 1000:.1f} ms")


def _history(bench: Workbench) -> tuple[Shape, Shape]:
    """Two shapes that differ in their history alone."""
    manifests, jobs = (100, 1000) if bench.scale.quick else (1000, 10_000)
    return Shape(manifests, jobs, 10), Shape(manifests, 10 * jobs, 10)


def _growth(bench: Workbench) -> Measured:
    _needs_linux()
    short, long = _history(bench)
    return Measured(bench.ticks(long).ordinary, bench.ticks(short).ordinary, f"{long} beside {short}")


def _memory(bench: Workbench) -> Measured:
    _needs_linux()
    short, long = _history(bench)
    each = (bench.ticks(long).resident - bench.ticks(short).resident) / (long.jobs - short.jobs)
    return Measured(each, note=f"resident memory of a run over {long}, less that over {short}")


def _median_save(bench: Workbench) -> Measured:
    return Measured(statistics.median(_saves(bench)), note=_said_of_saves(bench))


def _slowest_save(bench: Workbench) -> Measured:
    return Measured(statistics.quantiles(_saves(bench), n=100, method="inclusive")[98], note=_said_of_saves(bench))


def _said_of_saves(bench: Workbench) -> str:
    return f"{bench.scale.saves} saves; time on the wall, which a busy machine stretches"


def _saves(bench: Workbench) -> list[float]:
    return bench.once(_watch_saves, bench)


_STABILITY = 0.2
# Between a create and the next save: the daemon looks back meanwhile, and sleeps.
_PAUSE = 0.4


def _watch_saves(bench: Workbench) -> list[float]:
    """Seconds from each save to the arrival of its create, less the stability window."""
    root = bench.fleet(_SMALL, "-saves")
    found = []
    with bench.daemon(_SMALL, root, "--interval", "1h", "--stability", f"{_STABILITY}s") as process:
        bench.discard()
        bench.next_line(process, "list")
        time.sleep(AT_REST_SECONDS)
        for number in range(bench.scale.saves):
            index = number % _SMALL.manifests
            manifest_path(root, index).write_text(shapes.manifest(index, seed=100_000 + number))
            saved = time.monotonic()
            arrived = float(bench.next_line(process, "post")[1])
            found.append(arrived - saved - _STABILITY)
            time.sleep(_PAUSE)
    return found


def _needs_linux() -> None:
    if sys.platform != "linux":
        raise Skipped(_LINUX)


# ── the simulation ──


def _simulation(bench: Workbench) -> Measured:
    """Schedules a CPU second, without what it takes to start."""
    started, played = bench.side_by_side(lambda: _play(bench, 1), lambda: _play(bench, 1 + bench.scale.seeds))
    return Measured(bench.scale.seeds / (played - started))


def _play(bench: Workbench, seeds: int) -> float:
    return bench.cpu([sys.executable, "-m", "tests.sim", "--from", "5000", "--seeds", str(seeds)])


def _checks(bench: Workbench) -> Measured:
    path = bench.once(dataset.write, bench.scratch / "chats.jsonl")
    command = [sys.executable, "-m", "tests.bench.dataset"]
    return Measured(
        *bench.side_by_side(
            lambda: bench.cpu([*command, "check", str(path)]), lambda: bench.cpu([*command, "loads", str(path)])
        )
    )


ROWS = (
    Row("help", "`--help` / `python -I -c pass`", _help, Goal(3, 2, check=6)),
    Row("plan", "`plan` of 10 manifests × 10 jobs / the same", _small_plan, Goal(12, 8, check=35)),
    Row("tab", "TAB, names of commands / the same", _tab, Goal(4, 3, check=8)),
    Row("tab-names", "TAB, names of 10 jobs / the same", _tab_names, Goal(4, 3, check=8)),
    Row("cold", "cold no-op `plan`, 10,000 × 10,000 / floor", _cold, Goal(4, 2, check=8)),
    Row("second", "second `plan`, 10,000 × 10,000 / floor", _second, Goal(2, 1, check=6)),
    Row("grown-100", "cold `plan`, 100 × 1,000 / floor", partial(_grown, place=0), Goal(4, 2)),
    Row("grown-1000", "cold `plan`, 1,000 × 10,000 / floor", partial(_grown, place=1), Goal(4, 2)),
    Row("grown-10000", "cold `plan`, 10,000 × 100,000 / floor", partial(_grown, place=2), Goal(4, 2)),
    Row("octodns", "octoDNS's no-op plan of as many records / ours, cold", _octodns, Goal(4, 10, check=0.5, more=True)),
    Row(
        "octodns-second",
        "octoDNS's no-op plan of as many records / ours, after an `apply`",
        partial(_octodns, applied=True),
        Goal(4, 10, check=1, more=True),
    ),
    Row("sdk", "official SDK listing 10,000 jobs / ours", _sdk, Goal(10, 20, check=5, more=True)),
    Row("tick", "daemon tick, 1,000 manifests and jobs", _tick, Goal(50, 5), "ms"),
    Row("tick-large", "daemon tick, 10,000 × 100,000, 10 live", _large_tick, Goal(50, 5), "ms"),
    Row("history", "daemon tick, ten times the history", _growth, Goal(1.2, 1.0, check=2)),
    Row("memory", "memory for a remembered job of history", _memory, Goal(1024, 300, check=4096), "B"),
    Row("save-p50", "save → POST beyond the stability window, p50", _median_save, Goal(30, 10), "ms"),
    Row("save-p99", "save → POST beyond the stability window, p99", _slowest_save, Goal(100, 50), "ms"),
    Row("data", "checks of 32 MB of chats / a bare `json.loads` of each line", _checks, Goal(2, 1, check=3)),
    Row("sim", "simulation, schedules a second on one core", _simulation, Goal(100, 150, more=True), "/s"),
)
