"""Training files by their content: which can be used, and that what was hashed is uploaded."""

import hashlib
import json
import os
import time
from pathlib import Path

import pytest

from reconciler.errors import SourceError
from reconciler.source.directory import read_directory
from reconciler.source.files import Below, digest_of, training_digest, training_lines
from reconciler.source.fingerprint import fingerprint
from reconciler.source.reader import DirectoryReader
from reconciler.source.training_files import uploaded_pieces
from tests.fakes.manifests import manifest
from tests.unit.test_directory import LINE, problems, with_file

EMPTY = "empty: it holds no example; a training file is UTF-8 text with one JSON object a line"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "a.yaml:4:18: spec.training_file: train.jsonl: no such file"),
        (b"", f"train.jsonl: {EMPTY}"),
        (b"\n  \n", f"train.jsonl: {EMPTY}"),
        (b"{}\n\n{,}\n", "train.jsonl:3:2: a key in double quotes is missing: , stands here"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "train.jsonl: a Git LFS pointer, not the data: run `git lfs pull`",
        ),
    ],
    ids=["missing", "empty", "blank", "broken", "lfs"],
)
def test_training_files_that_cannot_be_used(root: Path, content: bytes | None, told: str) -> None:
    assert with_file(root, content) == [told]
    assert read_directory(root).broken == {"a"}


@pytest.mark.parametrize("given", ["/etc/hostname", "../outside.jsonl", "sub/../../outside.jsonl", '"a\\0b"'])
def test_nothing_outside_is_read(root: Path, given: str) -> None:
    (root.parent / "outside.jsonl").write_text(LINE)
    (problem,) = with_file(root, None, given)
    assert "outside" in problem.rpartition(": ")[2] or "relative to its manifest" in problem


def test_a_link_out_of_the_directory_is_refused_and_one_inside_is_followed(root: Path) -> None:
    (root.parent / "outside.jsonl").write_text(LINE)
    (root / "train.jsonl").symlink_to(root.parent / "outside.jsonl")
    assert with_file(root, None)[0].endswith(
        "leads outside the fleet directory; --files-root DIR lets training files stand below DIR, too"
    )
    (root / "train.jsonl").unlink()
    (root / "real.jsonl").write_text(LINE)
    (root / "train.jsonl").symlink_to("real.jsonl")
    assert with_file(root, None) == []


def test_a_fifo_a_directory_and_a_loop_are_refused_at_once(root: Path) -> None:
    os.mkfifo(root / "train.jsonl")
    assert "not a regular file" in with_file(root, None)[0]
    (root / "train.jsonl").unlink()
    (root / "train.jsonl").mkdir()
    assert "a directory, not a file" in with_file(root, None)[0]
    (root / "train.jsonl").rmdir()
    (root / "train.jsonl").symlink_to("train.jsonl")
    assert len(with_file(root, None)) == 1


def test_paths_are_relative_to_the_manifest(root: Path) -> None:
    (root / "sub").mkdir()
    (root / "train.jsonl").write_text(LINE)
    (root / "sub" / "a.yaml").write_text(manifest("a", "{model: m, training_file: ../train.jsonl}"))
    snapshot = read_directory(root)
    assert snapshot.problems == ()
    assert snapshot.desired["a"].training is not None
    assert snapshot.desired["a"].training.path == "train.jsonl"


@pytest.mark.parametrize("key", ["training_file", "validation_file"])
def test_both_files_of_a_job_are_checked(root: Path, key: str) -> None:
    (root / "train.jsonl").write_bytes(b'{"a": NaN}\n')
    spec = {"model": "m", "training_file": "file-1", key: "train.jsonl"}
    (root / "a.yaml").write_text(manifest("a", json.dumps(spec)))
    (problem,) = problems(root)
    assert problem == "train.jsonl:1:7: a: NaN is not JSON: write a finite number, or null"
    assert read_directory(root).broken == {"a"}


def test_a_byte_order_mark_is_part_of_what_is_hashed_and_uploaded(root: Path) -> None:
    content = b'\xef\xbb\xbf{"a": 1}\n'
    assert with_file(root, content) == []
    training = read_directory(root).desired["a"].training
    assert training is not None
    assert training.sha256 == hashlib.sha256(content).hexdigest()
    assert b"".join(uploaded_pieces(root, training)) == content


def test_crlf_is_read_as_lf(root: Path) -> None:
    with_file(root, b'{"a": 1}\r\n{"b": 2}\r\n')
    training = read_directory(root).desired["a"].training
    assert training is not None
    assert training.size == len(b'{"a": 1}\n{"b": 2}\n')
    assert b"".join(uploaded_pieces(root, training)) == b'{"a": 1}\n{"b": 2}\n'


def test_what_is_uploaded_is_what_was_hashed_or_nothing(root: Path) -> None:
    with_file(root, b'{"a": 1}\n')
    training = read_directory(root).desired["a"].training
    assert training is not None
    (root / "train.jsonl").write_bytes(b'{"a": 2}\n')
    with pytest.raises(SourceError, match="it has changed since"):
        next(uploaded_pieces(root, training))
    (root / "train.jsonl").unlink()
    with pytest.raises(SourceError, match="no such file"):
        next(uploaded_pieces(root, training))


@pytest.mark.parametrize("change", [b"\n", b"y\n", b"xx\n"], ids=["shorter", "other", "longer"])
def test_the_last_piece_of_a_large_file_comes_only_when_all_of_it_is_what_was_hashed(root: Path, change: bytes) -> None:
    body = b'{"a": "' + b"x" * 2**20 + b'"}\r\n'
    with_file(root, body * 3 + b'{"a": "x"}\n')
    training = read_directory(root).desired["a"].training
    assert training is not None
    whole = b"".join(uploaded_pieces(root, training))
    assert whole == body.replace(b"\r\n", b"\n") * 3 + b'{"a": "x"}\n'
    with (root / "train.jsonl").open("ab") as file:
        file.seek(-2, os.SEEK_END)
        file.truncate()
        file.write(b'"}' + change if len(change) == 3 else change)
    sent: list[bytes] = []
    with pytest.raises(SourceError, match="it has changed since"):
        sent.extend(uploaded_pieces(root, training))
    assert sum(map(len, sent)) < training.size


@pytest.mark.parametrize("size", [0, 5, 2**20 - 1, 2**20, 2**20 + 1])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", b"\r\r\n", b""], ids=repr)
def test_a_file_is_hashed_in_pieces_as_it_is_line_by_line(tmp_path: Path, size: int, end: bytes) -> None:
    (tmp_path / "data.jsonl").write_bytes(b"x\r\ny\r" + b"z" * size + end * 3)
    path, below = str(tmp_path / "data.jsonl"), Below.of(tmp_path)
    assert training_digest(path, below) == digest_of(training_lines(path, below))


def test_of_many_missing_files_a_few_get_a_hint(root: Path) -> None:
    for i in range(30):
        (root / f"train-{i}.jsonl").write_text(LINE)
        (root / f"{i}.yaml").write_text(manifest(f"a{i}", f"{{model: m, training_file: trian-{i}.jsonl}}"))
    found = problems(root)
    assert len(found) == 30
    assert sum("did you mean" in problem for problem in found) == 20


UUID = "9f3c0d5e-0000-4a11-8aaa-0123456789ab"


@pytest.mark.parametrize("given", [UUID, "id:train", f"sha256:{'0' * 64}"])
def test_what_names_a_file_here_and_one_of_the_providers_names_neither(root: Path, given: str) -> None:
    (root / "a.yaml").write_text(manifest("a", json.dumps({"model": "m", "training_file": given})))
    assert read_directory(root).problems == ()
    (root / given).write_text(LINE)
    (problem,) = problems(root)
    assert "write ./ before it, or rename that one" in problem
    assert "a" not in read_directory(root).desired
    (root / "a.yaml").write_text(manifest("a", json.dumps({"model": "m", "training_file": f"./{given}"})))
    training = read_directory(root).desired["a"].training
    assert training is not None
    assert training.path == given


def test_an_id_that_looks_like_one_is_one_whatever_stands_there(root: Path) -> None:
    (root / "file-1").write_text(LINE)
    (root / "a.yaml").write_text(manifest("a", "{model: m, training_file: file-1}"))
    assert read_directory(root).desired["a"].training is None


def test_a_digest_has_the_revision_of_the_file_with_these_bytes(root: Path) -> None:
    with_file(root, LINE.encode())
    local = read_directory(root).desired["a"]
    assert local.training is not None
    (root / "a.yaml").write_text(manifest("a", f"{{model: m, training_file: 'sha256:{local.training.sha256}'}}"))
    (root / "train.jsonl").unlink()
    assert read_directory(root).desired["a"].revision == local.revision


@pytest.fixture
def outside(root: Path) -> Path:
    """A directory beside the fleet's, with a training file."""
    place = root.parent / "datasets"
    (place / "v1").mkdir(parents=True)
    (place / "v1" / "train.jsonl").write_text(LINE)
    return place


def names(root: Path, given: str) -> None:
    (root / "a.yaml").write_text(manifest("a", json.dumps({"model": "m", "training_file": given})))


@pytest.mark.parametrize("how", ["relative", "absolute", "link"])
def test_the_operator_may_let_files_stand_elsewhere_and_no_manifest_can(root: Path, outside: Path, how: str) -> None:
    (root / "link.jsonl").symlink_to(outside / "v1" / "train.jsonl")
    given = {
        "relative": "../datasets/v1/train.jsonl",
        "absolute": str(outside / "v1" / "train.jsonl"),
        "link": "link.jsonl",
    }[how]
    names(root, given)
    (problem,) = problems(root)
    assert "leads outside the fleet directory" in problem or "must be a path relative" in problem
    snapshot = read_directory(root, files_root=outside)
    training = snapshot.desired["a"].training
    assert (snapshot.problems, training is not None) == ((), True)
    assert training is not None
    assert training.path == str((outside / "v1" / "train.jsonl").resolve())
    assert b"".join(uploaded_pieces(root, training, outside)) == LINE.encode()
    with pytest.raises(SourceError, match="leads outside"):
        next(uploaded_pieces(root, training))


def test_what_stands_elsewhere_is_evidence_as_well(root: Path, outside: Path) -> None:
    names(root, "../datasets/v1/train.jsonl")
    reader = DirectoryReader(root, wall=lambda: time.time() + 100, files_root=outside)
    snapshot = reader.read()
    assert fingerprint(snapshot) == snapshot.fingerprint
    (outside / "v1" / "train.jsonl").write_text(LINE + LINE)
    assert fingerprint(snapshot) != snapshot.fingerprint
    assert reader.read().desired["a"].revision != snapshot.desired["a"].revision


@pytest.mark.parametrize("given", ["../other/train.jsonl", "../datasets/../other/train.jsonl", "../datasets/out.jsonl"])
def test_nothing_else_is_read_for_it(root: Path, outside: Path, given: str) -> None:
    (root.parent / "other").mkdir()
    (root.parent / "other" / "train.jsonl").write_text(LINE)
    (outside / "out.jsonl").symlink_to(root.parent / "other" / "train.jsonl")
    names(root, given)
    (problem,) = read_directory(root, files_root=outside).problems
    assert problem.message.endswith("leads outside the fleet directory and --files-root")


def test_a_manifest_that_leads_there_is_not_read(root: Path, outside: Path) -> None:
    (outside / "b.yaml").write_text(manifest("b", "{model: m, training_file: file-1}"))
    (root / "b.yaml").symlink_to(outside / "b.yaml")
    snapshot = read_directory(root, files_root=outside)
    assert "b" not in snapshot.desired
    assert "leads outside the fleet directory" in snapshot.problems[0].message
