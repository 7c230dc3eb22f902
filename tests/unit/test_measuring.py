"""Training files are counted once for their bytes."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from reconciler.core.documents import TrainingFile
from reconciler.dataset.measure import Measure
from reconciler.dataset.tokens import Counter
from reconciler.source.directory import read_directory
from reconciler.source.files import Below
from reconciler.source.known import Known
from reconciler.source.measuring import measure_of, remembered
from tests.fakes.manifests import manifest

FLEET = "apiVersion: reconciler/v1\nkind: Fleet\nmetadata: {name: f}\nspec: {provider: sandbox}\n"


class Counting:
    """Counts words, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    @property
    def counter(self) -> Counter:
        return Counter("words", self._count, exact=True)

    def _count(self, text: str) -> int:
        self.asked += 1
        return len(text.split())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "fleet"
    root.mkdir()
    (root / "fleet.yaml").write_text(FLEET)
    lines = [json.dumps({"prompt": "one two", "completion": "three"})] * 10
    (root / "train.jsonl").write_bytes("\r\n".join(lines).encode())
    (root / "a.yaml").write_text(manifest("a", "{model: davinci-002, training_file: train.jsonl}"))
    return root


def training(root: Path, known: Known) -> TrainingFile:
    file = read_directory(root, (), known).desired["a"].training
    assert file is not None
    return file


def test_a_file_is_counted_once_for_its_bytes_and_way(root: Path) -> None:
    known, counting = Known(), Counting()
    file = training(root, known)
    assert measure_of(Below.of(root), file, counting.counter, None, known) == Measure(10, 30, 30, 0, about=False)
    assert measure_of(Below.of(root), file, counting.counter, None, known) == Measure(10, 30, 30, 0, about=False)
    assert counting.asked == 20
    assert measure_of(Below.of(root), file, counting.counter, 2, known) == Measure(10, 30, 20, 10, about=False)
    assert counting.asked == 40


def test_what_was_counted_outlives_the_process_and_readings_that_do_not_ask(root: Path, tmp_path: Path) -> None:
    cache, counting = tmp_path / "cache", Counting()
    known = Known(cache)
    file = training(root, known)
    measure_of(Below.of(root), file, counting.counter, None, known)
    known.save()
    for _ in range(2):  # a run that learns something else keeps what it did not ask for
        known = Known(cache)
        training(root, known)
        known.learn_look("another", [])
        known.save()
    again = Known(cache)
    training(root, again)
    assert remembered(file.sha256, counting.counter, None, again) == Measure(10, 30, 30, 0, about=False)
    assert measure_of(Below.of(root), file, counting.counter, None, again) is not None
    assert counting.asked == 20


def test_a_file_that_nobody_names_any_more_is_forgotten(root: Path, tmp_path: Path) -> None:
    known = Known(tmp_path / "cache")
    file = training(root, known)
    measure_of(Below.of(root), file, Counting().counter, None, known)
    known.save()
    (root / "a.yaml").unlink()
    known = Known(tmp_path / "cache")
    read_directory(root, (), known)
    assert remembered(file.sha256, Counting().counter, None, known) is not None  # until something is saved
    known = Known(tmp_path / "cache")
    read_directory(root, (), known)
    known.learn_look("another", [])
    known.save()
    assert remembered(file.sha256, Counting().counter, None, Known(tmp_path / "cache")) is None


def test_a_file_that_has_changed_since_is_not_measured(root: Path) -> None:
    known = Known()
    file = training(root, known)
    (root / "train.jsonl").write_text("{}\n")
    assert measure_of(Below.of(root), file, Counting().counter, None, known) is None
    assert remembered(file.sha256, Counting().counter, None, known) is None
    assert measure_of(Below.of(root), replace(file, path="gone.jsonl"), Counting().counter, None, known) is None


def test_lines_that_are_no_examples_are_counted_as_texts(root: Path) -> None:
    known = Known()
    file = training(root, known)
    (root / "odd.jsonl").write_bytes(b"one two\n[1]\n\xff\n")
    import hashlib

    odd = replace(file, path="odd.jsonl", sha256=hashlib.sha256(b"one two\n[1]\n\xff\n").hexdigest())
    assert measure_of(Below.of(root), odd, Counting().counter, None, known) == Measure(3, 4, 4, 0, about=False)
