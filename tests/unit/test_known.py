"""What is remembered of bytes: parsing is saved, reading never, and what is odd about the memory is no memory."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from reconciler.core.snapshot import Snapshot
from reconciler.engine.apply import Patience, apply
from reconciler.sandbox import EmbeddedSandbox
from reconciler.source import known as known_module
from reconciler.source.directory import read_directory, read_stream
from reconciler.source.known import Declared, Known
from reconciler.source.reader import DirectoryReader
from tests.fakes.fleets import BEGIN, SILENT, FleetDirectory, run_of
from tests.fakes.manifests import FLEET, as_json, manifest
from tests.fakes.strategies import trapped_streams

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
LOCAL = "{model: m, training_file: train.jsonl}"


def again(root: Path, file: Path) -> Snapshot:
    """As a process reads that finds what another has kept."""
    return read_directory(root, (), Known(file))


def kept(root: Path, file: Path) -> Snapshot:
    """As a process reads that keeps what it read."""
    known = Known(file)
    snapshot = read_directory(root, (), known)
    known.save()
    return snapshot


@pytest.mark.parametrize("name", sorted(path.parent.name for path in EXAMPLES.glob("*/fleet.yaml")))
def test_an_example_is_the_same_out_of_memory(tmp_path: Path, name: str) -> None:
    root, file = tmp_path / "fleet", tmp_path / "manifests.cache"
    shutil.copytree(EXAMPLES / name, root)
    fresh = read_directory(root)
    assert kept(root, file) == fresh
    assert file.exists()
    assert again(root, file) == fresh


def test_a_revision_that_a_manifest_has_alone_is_remembered_with_it(root: Path, tmp_path: Path) -> None:
    (root / "a.yaml").write_text(manifest("a", "{model: m, training_file: file-1}"))
    (root / "train.jsonl").write_text("{}\n")
    (root / "b.yaml").write_text(manifest("b", LOCAL))
    found = kept(root, tmp_path / "cache").desired
    rows = json.loads((tmp_path / "cache").read_bytes().partition(b"\n")[2])
    remembered = {row[1]: row[5] for documents in rows.values() if isinstance(documents, list) for row in documents}
    assert remembered == {"f": None, "a": found["a"].revision, "b": None}


def test_known_bytes_need_neither_yaml_nor_pydantic(root: Path, tmp_path: Path) -> None:
    (root / "train.jsonl").write_text("{}\n")
    (root / "a.yaml").write_text(manifest("a", LOCAL))
    kept(root, tmp_path / "cache")
    code = (
        "import sys; from pathlib import Path; from reconciler.source.known import Known; from reconciler.source.directory import read_directory\n"
        f"found = read_directory(Path({str(root)!r}), (), Known(Path({str(tmp_path / 'cache')!r})))\n"
        "print(sorted(found.desired), sorted({'yaml', 'pydantic', 'pathspec'} & sys.modules.keys()))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout == "['a'] []\n"


def test_what_is_wrong_between_known_documents_is_told_where_it_stands(root: Path, tmp_path: Path) -> None:
    (root / "train.jsonl").write_text("{}\n")
    two = f"{manifest('a', LOCAL)}---\n{manifest('b', '{training_file: file-1, model_from: {job: a}}')}"
    items = [json.loads(as_json("FineTuningJob", name, {"model": "m", "training_file": "file-1"})) for name in "cd"]
    (root / "a.yaml").write_text(two)
    (root / "list.yaml").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=2))
    assert kept(root, tmp_path / "cache").problems == ()
    (root / "train.jsonl").unlink()
    shutil.copy(root / "list.yaml", root / "more.yaml")
    fresh = read_directory(root)
    assert [p.field for p in fresh.problems] == ["spec.training_file", "metadata.name", "metadata.name"]
    assert again(root, tmp_path / "cache") == fresh


def test_bytes_that_changed_are_read(root: Path, tmp_path: Path) -> None:
    (root / "a.yaml").write_text(manifest("a", "{model: m, training_file: file-1}"))
    before = kept(root, tmp_path / "cache").desired["a"].revision
    (root / "a.yaml").write_text(manifest("a", "{model: n, training_file: file-1}"))
    assert again(root, tmp_path / "cache").desired["a"].revision != before
    (root / "a.yaml").write_text(manifest("a", "{model: m, training_file: file-1, seed: x}"))
    assert again(root, tmp_path / "cache").broken == {"a"}


def test_a_training_file_that_changed_is_judged(root: Path, tmp_path: Path) -> None:
    (root / "train.jsonl").write_text("{}\n")
    (root / "a.yaml").write_text(manifest("a", LOCAL))
    kept(root, tmp_path / "cache")
    (root / "train.jsonl").write_text("[]\n")
    assert again(root, tmp_path / "cache") == read_directory(root)
    assert again(root, tmp_path / "cache").broken == {"a"}


@pytest.mark.parametrize(
    "text",
    [
        manifest("a", "{model: m, training_file: file-1, seed: x}"),
        manifest("a", "{model: m, training_file: nowhere.jsonl}"),
        "apiVersion: v1\nkind: ConfigMap\n",
        "# nothing\n",
        "a: [",
    ],
    ids=["invalid", "without its file", "another's", "empty", "broken"],
)
def test_what_has_a_remark_is_not_remembered(root: Path, tmp_path: Path, text: str) -> None:
    (root / "a.yaml").write_text(text)
    fresh = read_directory(root)
    assert kept(root, tmp_path / "cache") == fresh
    assert again(root, tmp_path / "cache") == fresh


@pytest.mark.parametrize("harm", ["torn", "one bit", "foreign", "none", "a directory", "no values", "too long"])
def test_a_memory_that_cannot_be_trusted_is_none(
    root: Path, tmp_path: Path, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a.yaml").write_text(manifest("a", "{model: mmmm, training_file: file-1}"))
    fresh, file = kept(root, tmp_path / "cache"), tmp_path / "cache"
    content = file.read_bytes()
    if harm == "a directory":
        file.unlink()
        file.mkdir()
    elif harm == "too long":
        monkeypatch.setattr(known_module, "_BYTES_LIMIT", len(content) - 1)
    else:
        file.write_bytes(
            {
                "torn": content[:-9],
                "one bit": content.replace(b"mmmm", b"mmmo"),
                "foreign": b"\xff\x00 x",
                "none": b"",
                "no values": content.partition(b"\n")[0],
            }[harm]
        )
    known = Known(file)
    assert read_directory(root, (), known) == fresh
    known.save()
    if harm not in {"a directory", "too long"}:
        assert file.read_bytes() == content, "and it is mended"


def test_another_version_of_the_program_has_no_memory(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(root, tmp_path / "cache")
    asked = Known(tmp_path / "cache")
    monkeypatch.setattr(known_module, "__version__", "0.0.0")
    read_directory(root, (), asked)
    before = (tmp_path / "cache").read_bytes()
    asked.save()
    assert (tmp_path / "cache").read_bytes() != before


def test_nothing_is_written_where_nothing_was_learned(root: Path, tmp_path: Path) -> None:
    kept(root, tmp_path / "cache")
    (tmp_path / "cache").chmod(0o444)
    before = (tmp_path / "cache").stat()
    kept(root, tmp_path / "cache")
    assert (tmp_path / "cache").stat() == before


def test_what_is_not_read_any_more_is_forgotten(root: Path, tmp_path: Path) -> None:
    (root / "a.yaml").write_text(manifest("a", "{model: once, training_file: file-1}"))
    kept(root, tmp_path / "cache")
    (root / "a.yaml").write_text(manifest("a", "{model: now, training_file: file-1}"))
    kept(root, tmp_path / "cache")
    content = (tmp_path / "cache").read_bytes()
    assert b"now" in content
    assert b"once" not in content


def test_a_disk_that_fails_costs_time_and_nothing_else(root: Path, tmp_path: Path) -> None:
    known = Known(tmp_path / "no such directory" / "cache")
    read_directory(root, (), known)
    known.save()
    assert not (tmp_path / "no such directory").exists()


def test_a_stream_is_remembered_as_well(tmp_path: Path) -> None:
    content = f"{FLEET}---\n{manifest('a')}".encode()
    known = Known(tmp_path / "cache")
    fresh = read_stream(content, tmp_path, known)
    known.save()
    assert read_stream(content, tmp_path, Known(tmp_path / "cache")) == fresh


def test_json_and_yaml_of_the_same_bytes_are_two_things() -> None:
    known = Known()
    known.begin()
    known.learn("0" * 64, [Declared("Fleet", "f", 1, 0, {})], json=True)
    known.begin()
    assert known.find("0" * 64, json=False) is None
    assert known.find("0" * 64, json=True) == [Declared("Fleet", "f", 1, 0, {})]


def test_a_daemon_parses_only_the_file_that_changed(root: Path) -> None:
    (root / "a.yaml").write_text(manifest("a"))
    (root / "b.yaml").write_text(manifest("b"))
    reader = DirectoryReader(root)
    before = reader.read().desired
    (root / "b.yaml").write_text(manifest("b", "{model: n, training_file: file-1}"))
    after = reader.read().desired
    assert after["a"].body["model"] is before["a"].body["model"], "not even made again"
    assert after["b"] != before["b"]


def test_only_a_pass_that_writes_keeps_what_was_read(tmp_path: Path) -> None:
    fleet = FleetDirectory(tmp_path / "fleet")
    fleet.job("a")
    file = fleet.root / ".reconciler" / "manifests.cache"
    with EmbeddedSandbox(tmp_path / "sandbox", speed=1000) as sandbox:
        for written in (True, False):
            file.unlink(missing_ok=True)
            with run_of(fleet, sandbox.base_url, known=Known(file)) as opened:
                apply(opened.reconciler, read_directory(fleet.root), BEGIN, Patience(), SILENT)
            assert file.exists() is written


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trapped_streams)
def test_whatever_stands_in_a_stream_is_the_same_out_of_memory(tmp_path: Path, content: bytes) -> None:
    fresh, known = read_stream(content, tmp_path), Known(tmp_path / "cache")
    assert read_stream(content, tmp_path, known) == fresh
    known.save()
    assert repr(read_stream(content, tmp_path, Known(tmp_path / "cache"))) == repr(fresh)
