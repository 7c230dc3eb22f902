"""A fleet directory: real files, edited and damaged by the simulation between effects."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from io import FileIO
from pathlib import Path
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

from reconciler.core.revision import revision_of
from reconciler.core.snapshot import Snapshot
from reconciler.source import files
from tests.fakes.manifests import as_json
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


def reads_slowly() -> bool:
    """Whether whoever runs now reads slowly."""
    return getcurrent() in _pauses


def _open_slowly(path: str, below: files.Below) -> FileIO:
    _pauses.get(getcurrent(), lambda: None)()
    return _open(path, below)


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
    dpo: bool = False  # else no method is asked for

    @property
    def usd(self) -> float | None:
        """What it is estimated at; of one seed nobody knows a price."""
        return usd_of(self.seed, self.rerun)


def usd_of(seed: object, rerun: int) -> float | None:
    """As the simulated table of prices says."""
    return None if seed == _UNPRICED else 1.0 + rerun


_UNPRICED = 2


@dataclass(frozen=True)
class Wish:
    """What the directory says when it is whole; ``moved`` is a name whose manifest stands elsewhere, and where."""

    jobs: tuple[tuple[str, JobWish], ...] = ()
    max_active: int | None = None
    max_cancels: str = "100%"
    max_cost: float | None = None
    state: str = "active"
    moved: tuple[str, str] = ("", "")

    def get(self, name: str) -> JobWish | None:
        return dict(self.jobs).get(name)

    def having(self, name: str, wish: JobWish | None) -> "Wish":
        jobs = {**dict(self.jobs), **({name: wish} if wish else {})}
        if wish is None:
            jobs.pop(name, None)
        # Who builds on a job that is gone, goes too.
        kept = {n: w for n, w in jobs.items() if w.model_from is None or w.model_from in jobs}
        moved = self.moved if self.moved[0] in kept else ("", "")
        return replace(self, jobs=tuple(sorted(kept.items())), moved=moved)

    def path(self, name: str) -> str:
        """Where its manifest stands, under the directory."""
        if self.moved[0] == name:
            return self.moved[1]
        return f"team/{name}.yaml" if name in _TEAM else f"{name}.yaml"

    def hidden_with(self, directory: str) -> frozenset[str]:
        """The names that are gone from a reading where this directory is."""
        return frozenset(name for name, _ in self.jobs if self.path(name).startswith(f"{directory}/"))

    def revisions(self) -> dict[str, str]:
        return dict(_revisions(self))


# Names whose manifests stand in a subdirectory, so that those of a fleet with several jobs stand in both.
_TEAM = frozenset({"a", "c"})
# Where else the manifest of a name may stand, and be read as before.
ELSEWHERE = ("team/{}.YAML", "{}.Yml", "team/{}.yml", "{}.json", "team/{}.json", "{}.yaml", "team/{}.yaml")
_SUFFIXES = (".yaml", ".yml", ".json")

MODEL = "gpt-4o-mini-2024-07-18"


@lru_cache(maxsize=4096)
def _revisions(wish: Wish) -> tuple[tuple[str, str], ...]:
    """The rule for revisions (docs/concepts.md), written down a second time."""
    found: dict[str, str] = {}
    jobs = dict(wish.jobs)
    for name in sorted(jobs, key=lambda n: jobs[n].model_from is not None):
        job = jobs[name]
        form: dict[str, object] = {"training_file": f"sha256:{data_sha(job.data, dpo=job.dpo)}", **_method(job)}
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


def _method(job: JobWish) -> dict[str, Any]:
    return {"method": {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 3}}}} if job.dpo else {}


@lru_cache(maxsize=64)
def data_bytes(number: int, *, dpo: bool = False) -> bytes:
    asked, answer = {"role": "user", "content": "q"}, {"role": "assistant", "content": f"a{number}"}
    line: dict[str, Any] = {"messages": [asked, answer]}
    if dpo:
        other = {"role": "assistant", "content": "no"}
        line = {"input": {"messages": [asked]}, "preferred_output": [answer], "non_preferred_output": [other]}
    return (json.dumps(line) + "\n").encode() * 10


@lru_cache(maxsize=64)
def data_sha(number: int, *, dpo: bool = False) -> str:
    return hashlib.sha256(data_bytes(number, dpo=dpo)).hexdigest()


def _data(job: JobWish) -> str:
    """Where its training file stands."""
    return f"data/{'pairs-' if job.dpo else ''}{job.data}.jsonl"


@lru_cache(maxsize=4096)
def _job_text(name: str, job: JobWish, depth: int) -> bytes:
    policy = {
        "on_change": job.on_change,
        "on_remove": job.on_remove,
        "on_cancelled": job.on_cancelled,
        "retries": job.retries,
        "state": job.state,
    }
    spec: dict[str, Any] = {"training_file": f"{'../' * depth}{_data(job)}", "policy": policy, **_method(job)}
    spec |= {"model_from": {"job": job.model_from}} if job.model_from else {"model": MODEL}
    spec |= {} if job.seed is None else {"seed": job.seed}
    spec |= {"rerun": job.rerun} if job.rerun else {}
    return _text("FineTuningJob", name, spec)


def _text(kind: str, name: str, spec: dict[str, Any]) -> bytes:
    return as_json(kind, name, spec).encode()


@lru_cache(maxsize=4096)
def files_of(wish: Wish) -> dict[str, bytes]:
    limits: dict[str, Any] = {"max_cancels": wish.max_cancels}
    limits |= {"max_active": wish.max_active} if wish.max_active else {}
    limits |= {"max_cost": wish.max_cost} if wish.max_cost else {}
    fleet = {"provider": "compatible", "limits": limits, "state": wish.state}
    files = {"fleet.yaml": _text("Fleet", FLEET, fleet)}
    files |= {(path := wish.path(name)): _job_text(name, job, path.count("/")) for name, job in wish.jobs}
    files |= {_data(job): data_bytes(job.data, dpo=job.dpo) for _, job in wish.jobs}
    return files


@lru_cache(maxsize=4096)
def _contents(wish: Wish) -> str:
    """The digest that a reading of its manifests has."""
    manifests = sorted((path, content) for path, content in files_of(wish).items() if path.lower().endswith(_SUFFIXES))
    lines = [f"{path}\0{hashlib.sha256(content).hexdigest()}" for path, content in manifests]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


# What still looks valid while manifests are missing from it, and what must wait then: every removal, where what
# is missing could hold any name; else the removal of the names that stood there.
_MISSING = {
    "subdirectory emptied": "removals",  # a mount that went away
    "subdirectory dangling": "removals",
    "submodule not cloned": "removals",
    "dangling link": "removals",
    "subdirectory ignored": "hurt",
    "suffix changed": "hurt",
    "another kind": "hurt",
}
_ONE_NAME = frozenset(
    {
        "torn manifest",
        "empty file",
        "syntax error",
        "duplicate name",
        "dangling link",
        "directory instead",
        "fifo instead",
        "suffix changed",
        "another kind",
    }
)
# No manifest by its name; whoever gave it this one keeps it for later.
_ASIDE = (".yaml.bak", ".yaml~", ".txt")

DAMAGES = (
    *_MISSING,
    "torn manifest",
    "torn fleet",
    "torn data",
    "empty file",
    "syntax error",
    "duplicate name",
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
    """What the directory held from a moment on. ``damage`` is "" where it was whole.

    ``hurt`` are the names whose manifests cannot be trusted then. ``waits``: what nobody may do who reads it:
    "all": write (an apply; a daemon may, for other names), "removals": believe in any, "hurt": in one of those names.
    """

    at: float
    wish: Wish
    damage: str = ""
    hurt: frozenset[str] = frozenset()
    waits: str = "all"


# What the world before left in a place, whole: the next one there changes only what it says otherwise.
_left: dict[Path, dict[str, bytes]] = {}


@dataclass
class Checkout:
    """One directory, and every version it ever had."""

    engine: Engine
    root: Path
    name: str
    versions: list[Version] = field(default_factory=list)
    on_disk: dict[str, bytes] = field(init=False)
    odd: bool = False  # something stands there that is not what ``on_disk`` says
    whole: Snapshot | None = None  # what its last version reads as, once somebody has read it, where nothing is odd

    def __post_init__(self) -> None:
        self.on_disk = _left.pop(self.root, {})

    def close(self) -> None:
        """The world ends; what it leaves whole is the next one's."""
        if self.odd:
            self._clear()
        _left[self.root] = self.on_disk

    @property
    def version(self) -> int:
        return len(self.versions) - 1

    @property
    def wish(self) -> Wish:
        return self.versions[-1].wish

    def read_as(self, begun: int, snapshot: Snapshot) -> int:
        """Which version a reading is of that began at version ``begun``; the last where it is of none.

        What a damaged directory shows fits no version: it is the one that the reading began at.
        """
        revisions = {name: desired.revision for name, desired in snapshot.desired.items()}
        told = (snapshot.contents, revisions)
        met = ((n, self.versions[n]) for n in range(begun, len(self.versions)))
        fits = (n for n, v in met if not v.damage and (_contents(v.wish), v.wish.revisions()) == told)
        return max(fits, default=begun if self.versions[begun].damage else self.version)

    def set(self, wish: Wish) -> None:
        """A save that is whole at once."""
        if self.odd:
            self._clear()
        self.whole = None
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
        self.whole = None
        wish = self.wish
        name, _ = wish.jobs[number % len(wish.jobs)] if wish.jobs else ("fleet", None)
        path = self.root / wish.path(name)
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
                path.with_stem("copy").write_bytes(path.read_bytes())
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
                self._swap()
            case _:
                self._hide(how, number, path)
        self.odd = True
        # What cannot be parsed may be anybody's where JSON of others is read past.
        waits = "hurt" if how in _ONE_NAME and path.suffix == ".json" else _MISSING.get(how, "all")
        self.versions.append(Version(self.engine.now, wish, how, self._hurt(how, name, data.stem), waits))
        self.engine.say(f"{self.name}: the directory is damaged ({how})")

    def _swap(self) -> None:
        """The directory's name leads to another tree."""
        other = self.root.with_name(f"{self.root.name}-other")
        other.mkdir(exist_ok=True)
        (other / "notes.txt").write_text("nothing here yet")
        shutil.rmtree(self.root)
        self.root.symlink_to(other.name)

    def _hide(self, how: str, number: int, path: Path) -> None:
        """Let a manifest, or all of a subdirectory, be missing from a directory that looks valid."""
        team = self.root / "team"
        match how:
            case "dangling link":
                path.unlink()
                path.symlink_to("nowhere.yaml")
            case "suffix changed":
                path.rename(path.with_suffix(_ASIDE[number % len(_ASIDE)]))
            case "another kind":
                path.write_bytes(_text("ConfigMap", path.stem, {}).replace(b"reconciler/v1", b"v1"))
            case "subdirectory ignored":
                (self.root / ".reconcilerignore").write_text("team/\n")
            case "subdirectory emptied":
                self._empty(team)
            case "subdirectory dangling":
                self._empty(team)
                team.rmdir()
                team.symlink_to("nowhere")
            case "submodule not cloned":
                self._empty(team)
                (self.root / ".gitmodules").write_text('[submodule "team"]\n\tpath = team\n\turl = ../team.git\n')
                if number % 2:
                    team.rmdir()  # as an archive, or an image, leaves empty directories out

    def _empty(self, directory: Path) -> None:
        """What an unmounted file system leaves."""
        directory.mkdir(exist_ok=True)
        for path in directory.iterdir():
            path.unlink()

    def _hurt(self, how: str, name: str, data: str) -> frozenset[str]:
        """The names that a damage concerns: the one whose manifest it is, those of its data or directory, or all."""
        if how in {"torn data", "lfs pointer", "data gone"}:
            return frozenset(n for n, job in self.wish.jobs if Path(_data(job)).stem == data)
        if how.startswith("sub"):
            return self.wish.hidden_with("team")
        return frozenset({name} if how in _ONE_NAME else dict(self.wish.jobs))

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
            parent = (self.root / path).parent
            if parent != self.root and not any(parent.iterdir()):
                parent.rmdir()  # as git does

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
