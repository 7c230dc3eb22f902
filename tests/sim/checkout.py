"""A fleet directory: real files, edited and damaged by the simulation between effects."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from greenlet import getcurrent, greenlet

from reconciler.manifest import revision_of
from reconciler.source import Snapshot, files
from tests.sim.engine import Engine
from tests.sim.server import FLEET

_Read = TypeVar("_Read")

# Whoever reads so slowly that the world goes on between two files, and how it gives way.
_pauses: dict[greenlet, Callable[[], None]] = {}


def slowly(pause: Callable[[], None], read: Callable[[], _Read]) -> _Read:
    """``read``, with a ``pause`` before each file that it opens."""
    me = getcurrent()
    _pauses[me] = pause
    try:
        return read()
    finally:
        del _pauses[me]


def _open_slowly(path: Path, real_root: Path) -> BinaryIO:
    _pauses.get(getcurrent(), lambda: None)()
    return _open(path, real_root)


_open, files.open_regular = files.open_regular, _open_slowly


@dataclass(frozen=True, slots=True)
class JobWish:
    """What a manifest says, as far as the simulation varies it."""

    seed: int | None = None
    data: int = 0  # which training file
    model_from: str | None = None
    on_change: str = "replace"
    on_remove: str = "cancel"
    on_cancelled: str = "hold"
    retries: int = 0
    state: str = "active"
    rerun: int = 0


@dataclass(frozen=True)
class Wish:
    """What the directory says when it is whole."""

    jobs: tuple[tuple[str, JobWish], ...] = ()
    max_active: int | None = None
    max_cancels: str = "100%"
    state: str = "active"

    def get(self, name: str) -> JobWish | None:
        return dict(self.jobs).get(name)

    def having(self, name: str, wish: JobWish | None) -> "Wish":
        jobs = {**dict(self.jobs), **({name: wish} if wish else {})}
        if wish is None:
            jobs.pop(name, None)
        # Who builds on a job that is gone, goes too.
        kept = {n: w for n, w in jobs.items() if w.model_from is None or w.model_from in jobs}
        return Wish(tuple(sorted(kept.items())), self.max_active, self.max_cancels, self.state)

    def revisions(self) -> dict[str, str]:
        return dict(_revisions(self))


MODEL = "gpt-4o-mini-2024-07-18"


@lru_cache(maxsize=4096)
def _revisions(wish: Wish) -> tuple[tuple[str, str], ...]:
    """The rule for revisions (README, *Concepts*), written down a second time."""
    found: dict[str, str] = {}
    jobs = dict(wish.jobs)
    for name in sorted(jobs, key=lambda n: jobs[n].model_from is not None):
        job = jobs[name]
        form: dict[str, object] = {"training_file": f"sha256:{data_sha(job.data)}"}
        if job.model_from is None:
            form["model"] = MODEL
        else:
            form["model_from"] = {"job": job.model_from, "checkpoint": "last", "revision": found[job.model_from]}
        if job.seed is not None:
            form["seed"] = job.seed
        if job.rerun:
            form["rerun"] = job.rerun
        found[name] = revision_of(form)
    return tuple(found.items())


@lru_cache(maxsize=64)
def data_bytes(number: int) -> bytes:
    line = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": f"a{number}"}]}
    return (json.dumps(line) + "\n").encode() * 10


@lru_cache(maxsize=64)
def data_sha(number: int) -> str:
    return hashlib.sha256(data_bytes(number)).hexdigest()


@lru_cache(maxsize=4096)
def _job_text(name: str, job: JobWish) -> bytes:
    policy = {
        "on_change": job.on_change,
        "on_remove": job.on_remove,
        "on_cancelled": job.on_cancelled,
        "retries": job.retries,
        "state": job.state,
    }
    spec: dict[str, Any] = {"training_file": f"data/{job.data}.jsonl", "policy": policy}
    spec |= {"model_from": {"job": job.model_from}} if job.model_from else {"model": MODEL}
    spec |= {} if job.seed is None else {"seed": job.seed}
    spec |= {"rerun": job.rerun} if job.rerun else {}
    return _text("FineTuningJob", name, spec)


def _text(kind: str, name: str, spec: dict[str, Any]) -> bytes:
    document = {"apiVersion": "reconciler/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    return json.dumps(document).encode()


@lru_cache(maxsize=4096)
def files_of(wish: Wish) -> dict[str, bytes]:
    limits: dict[str, Any] = {"max_cancels": wish.max_cancels}
    limits |= {"max_active": wish.max_active} if wish.max_active else {}
    fleet = {"provider": "compatible", "limits": limits, "state": wish.state}
    files = {"fleet.yaml": _text("Fleet", FLEET, fleet)}
    files |= {f"{name}.yaml": _job_text(name, job) for name, job in wish.jobs}
    files |= {f"data/{job.data}.jsonl": data_bytes(job.data) for _, job in wish.jobs}
    return files


@lru_cache(maxsize=4096)
def _contents(wish: Wish) -> str:
    """The digest that a reading of its manifests has."""
    manifests = sorted((path, content) for path, content in files_of(wish).items() if path.endswith(".yaml"))
    lines = [f"{path}\0{hashlib.sha256(content).hexdigest()}" for path, content in manifests]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


DAMAGES = (
    "torn manifest",
    "torn fleet",
    "torn data",
    "empty file",
    "syntax error",
    "duplicate name",
    "dangling link",
    "directory instead",
    "fifo instead",
    "lfs pointer",
    "data gone",
    "fleet document gone",
    "everything gone",
    "directory gone",
    "moved away",
    "another tree",
)


@dataclass(frozen=True, slots=True)
class Version:
    """What the directory held from a moment on. ``damage`` is "" where it was whole."""

    at: float
    wish: Wish
    damage: str = ""
    hurt: frozenset[str] = frozenset()  # the names whose manifests cannot be trusted then


@dataclass
class Checkout:
    """One directory, and every version it ever had."""

    engine: Engine
    root: Path
    name: str
    versions: list[Version] = field(default_factory=list)
    on_disk: dict[str, bytes] = field(default_factory=dict)
    odd: bool = False  # something stands there that is not what ``on_disk`` says

    @property
    def version(self) -> int:
        return len(self.versions) - 1

    @property
    def wish(self) -> Wish:
        return self.versions[-1].wish

    def read_as(self, begun: int, snapshot: Snapshot) -> int:
        """Which version a reading is of that began at version ``begun``; the last where it is of none."""
        revisions = {name: desired.revision for name, desired in snapshot.desired.items()}
        told = (snapshot.contents, revisions)
        met = ((n, self.versions[n]) for n in range(begun, len(self.versions)))
        fits = (n for n, v in met if not v.damage and (_contents(v.wish), v.wish.revisions()) == told)
        return max(fits, default=self.version)

    def set(self, wish: Wish) -> None:
        """A save that is whole at once."""
        if self.odd:
            self._clear()
        self._sync(files_of(wish))
        if not self.versions or self.versions[-1].damage or self.versions[-1].wish != wish:
            self.versions.append(Version(self.engine.now, wish))
            text = ", ".join(f"{n}={r[:6]}" for n, r in wish.revisions().items())
            self.engine.say(f"{self.name}: the directory says {text or 'nothing'}")

    def mend(self) -> None:
        """What was damaged is whole again."""
        if self.versions[-1].damage:
            self.set(self.wish)

    def damage(self, how: str, number: int) -> None:  # noqa: C901, PLR0912 - a case a kind of damage
        """Break one thing; ``number`` chooses which."""
        wish = self.wish
        names = [name for name, _ in wish.jobs] or ["fleet"]
        path = self.root / f"{names[number % len(names)]}.yaml"
        data = next((self.root / p for p in files_of(wish) if p.startswith("data/")), path)
        match how:
            case "torn manifest":
                self._cut(path, number)
            case "torn fleet":
                self._cut(self.root / "fleet.yaml", number)
            case "torn data":
                self._cut(data, number)
            case "empty file":
                path.write_bytes(b"")
            case "syntax error":
                path.write_bytes(b"kind: FineTuningJob\n\tname: [x\n")
            case "duplicate name":
                (self.root / "copy.yaml").write_bytes(path.read_bytes())
            case "dangling link":
                path.unlink()
                path.symlink_to("nowhere.yaml")
            case "directory instead":
                path.unlink()
                path.mkdir()
                (path / "x.yaml").symlink_to("nowhere")
            case "fifo instead":
                path.unlink()
                os.mkfifo(path)
            case "lfs pointer":
                data.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
            case "data gone":
                data.unlink()
            case "fleet document gone":
                (self.root / "fleet.yaml").unlink()
            case "everything gone":
                self._clear()
            case "directory gone":
                shutil.rmtree(self.root)
            case "moved away":
                self.root.rename(self.root.with_name(f"{self.root.name}-away"))
                self.root.symlink_to("nowhere")
            case "another tree":
                other = self.root.with_name(f"{self.root.name}-other")
                other.mkdir(exist_ok=True)
                (other / "notes.txt").write_text("nothing here yet")
                shutil.rmtree(self.root)
                self.root.symlink_to(other.name)
        self.odd = True
        self.versions.append(Version(self.engine.now, wish, how, self._hurt(how, path.stem, data.stem)))
        self.engine.say(f"{self.name}: the directory is damaged ({how})")

    def _hurt(self, how: str, name: str, data: str) -> frozenset[str]:
        """The names that a damage concerns: the one whose manifest it is, those of its data, or all."""
        if how in {"torn data", "lfs pointer", "data gone"}:
            return frozenset(n for n, job in self.wish.jobs if str(job.data) == data)
        one = {
            "torn manifest",
            "empty file",
            "syntax error",
            "duplicate name",
            "dangling link",
            "directory instead",
            "fifo instead",
        }
        return frozenset({name} if how in one else dict(self.wish.jobs))

    def _cut(self, path: Path, number: int) -> None:
        content = path.read_bytes()
        end = 1 + number % (len(content) - 3)
        # A training file cut between two lines is another valid one: nobody could tell.
        path.write_bytes(content[:end].rstrip(b"}\n") if b"\n" in content[end - 1 : end + 1] else content[:end])

    def _sync(self, files: dict[str, bytes]) -> None:
        for path, content in files.items():
            if self.on_disk.get(path) != content:
                target = self.root / path
                if not target.parent.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                # An atomic save: another inode, so that a reader who goes by `stat` can tell.
                temporary = target.with_name(f".{target.name}")
                temporary.write_bytes(content)
                temporary.rename(target)
                self.on_disk[path] = content
        for path in [p for p in self.on_disk if p not in files]:
            (self.root / path).unlink()
            del self.on_disk[path]

    def _clear(self) -> None:
        for place in (self.root, *(self.root.with_name(f"{self.root.name}-{end}") for end in ("away", "other"))):
            if place.is_symlink():
                place.unlink()
            else:
                shutil.rmtree(place, ignore_errors=True)
        with contextlib.suppress(FileExistsError):
            self.root.mkdir(parents=True)
        self.on_disk.clear()
        self.odd = False
