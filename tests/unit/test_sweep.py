"""What tells that a directory is another than it was, without opening a file."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.source.directory import read_directory
from reconciler.source.sweep import sweep_of
from tests.fakes.manifests import FLEET, manifest


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A fleet with a manifest in a subdirectory, an ignore file, a link, a state directory and a submodule."""
    root = tmp_path / "fleet"
    for directory in ("sub", "sub/deep", "state", "module", "real", ".git", ".hidden"):
        (root / directory).mkdir(parents=True)
    (root / "fleet.yaml").write_text(FLEET)
    (root / "sub" / "a.yaml").write_text(manifest("a"))
    (root / "sub" / "deep" / "b.yaml").write_text(manifest("b", "{model: m, training_file: ../../real/t.jsonl}"))
    (root / "real" / "t.jsonl").write_text('{"messages": [{"role": "assistant", "content": "a"}]}\n' * 10)
    (root / "state" / "journal.sqlite3").touch()
    (root / ".reconcilerignore").write_text("drafts/\n")
    (root / ".gitmodules").write_text('[submodule "m"]\n\tpath = module\n')
    (root / ".git" / "config").write_text("[core]\n")
    (root / "module" / "notes").touch()
    (root / ".hidden" / "c.yaml").write_text(manifest("c"))
    (root / "linked.yaml").symlink_to(".hidden/c.yaml")
    (root / "away").symlink_to(tmp_path / "elsewhere")
    return root


def _rewrite(path: Path) -> None:
    path.write_text(path.read_text() + "\n")


def _replace(path: Path, content: str) -> None:
    path.with_name(".new").write_text(content)
    path.with_name(".new").rename(path)


def _empty(directory: Path) -> None:
    shutil.rmtree(directory)
    directory.mkdir()


def _make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _retarget(link: Path, target: str) -> None:
    link.unlink()
    link.symlink_to(target)


CHANGES: dict[str, Callable[[Path], object]] = {
    "a manifest written in place": lambda root: _rewrite(root / "sub" / "a.yaml"),
    "a manifest replaced": lambda root: _replace(root / "sub" / "a.yaml", manifest("a")),
    "a manifest made": lambda root: (root / "sub" / "deep" / "n.yaml").write_text(manifest("n")),
    "a manifest deleted": lambda root: (root / "sub" / "a.yaml").unlink(),
    "a directory made": lambda root: (root / "new").mkdir(),
    "a directory emptied": lambda root: _empty(root / "sub" / "deep"),
    "a directory in the place of a file": lambda root: _make_directory(root / "module" / "notes"),
    "a training file written in place": lambda root: _rewrite(root / "real" / "t.jsonl"),
    "a training file gone": lambda root: (root / "real" / "t.jsonl").unlink(),
    "an ignore file written": lambda root: _rewrite(root / ".reconcilerignore"),
    "an ignore file made": lambda root: (root / "sub" / ".reconcilerignore").write_text("deep/\n"),
    "what a link leads to written": lambda root: _rewrite(root / ".hidden" / "c.yaml"),
    "a link led elsewhere": lambda root: _retarget(root / "linked.yaml", "sub/a.yaml"),
    "what a link leads to made": lambda root: (root.parent / "elsewhere").mkdir(),
    "a state directory that is none any more": lambda root: (root / "state" / "journal.sqlite3").unlink(),
    "a directory that becomes a state directory": lambda root: (root / "sub" / "run.lock").touch(),
    "a submodule emptied": lambda root: (root / "module" / "notes").unlink(),
    "a sparse checkout begun": lambda root: (root / ".git" / "config").write_text("[core]\n\tsparseCheckout = true\n"),
    "the directory moved away": lambda root: root.rename(root.with_name("away")),
    "permissions changed": lambda root: (root / "sub" / "a.yaml").chmod(0o600),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_directory_that_has_changed_is_another(place: Path, change: Callable[[Path], object]) -> None:
    sweep = sweep_of(read_directory(place))
    before = sweep.stamp()
    assert sweep.stamp() == before
    change(place)
    assert sweep.stamp() != before


UNCHANGED: dict[str, Callable[[Path], object]] = {
    "what stands in a hidden directory": lambda root: (root / ".hidden" / "other").touch(),
    "what git keeps for itself": lambda root: (root / ".git" / "index").touch(),
    "what a state directory holds": lambda root: (root / "state" / "status").mkdir(),
    "a file that is no manifest": lambda root: _rewrite(root / ".gitmodules"),
    "a read": lambda root: (root / "sub" / "a.yaml").read_bytes(),
}


@pytest.mark.parametrize("change", UNCHANGED.values(), ids=UNCHANGED.keys())
def test_what_no_reading_depends_on_makes_no_difference(place: Path, change: Callable[[Path], object]) -> None:
    sweep = sweep_of(read_directory(place))
    before = sweep.stamp()
    change(place)
    assert sweep.stamp() == before


def test_a_sweep_opens_no_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep, really_open = sweep_of(read_directory(place)), os.open
    opened: list[Path] = []

    def open_(path: Path, flags: int) -> int:
        opened.append(path)
        return really_open(path, flags)

    monkeypatch.setattr(os, "open", open_)
    assert sweep.stamp() == sweep.stamp()
    assert opened == [place] * 2


def test_a_sweep_leaves_nothing_open(place: Path) -> None:
    sweep = sweep_of(read_directory(place))
    for _ in range(3):
        before = len(os.listdir("/dev/fd"))  # noqa: PTH208
        sweep.stamp()
        assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208


def test_a_training_file_beside_the_directory_is_looked_at_too(place: Path) -> None:
    outside = place.parent / "files"
    outside.mkdir()
    (outside / "t.jsonl").write_text('{"messages": [{"role": "assistant", "content": "a"}]}\n' * 10)
    (place / "sub" / "a.yaml").write_text(manifest("a", "{model: m, training_file: ../../files/t.jsonl}"))
    snapshot = read_directory(place, files_root=place.parent)
    assert snapshot.problems == ()
    sweep = sweep_of(snapshot)
    before = sweep.stamp()
    _rewrite(outside / "t.jsonl")
    assert sweep.stamp() != before
