"""What a job's revision is made of, and what changes it."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from msgspec.structs import replace

from reconciler.core.documents import Entry, TrainingFile
from reconciler.core.models import job_spec
from reconciler.core.revision import form, revision_alone, revision_of
from reconciler.source.directory import read_directory
from tests.fakes.specs import (
    MODEL,
    entry,
    only,
)

PINNED = Path(__file__).parent.parent / "fixtures" / "revisions"


def test_the_pinned_revisions() -> None:
    snapshot = read_directory(PINNED)
    assert snapshot.problems == ()
    text = (PINNED / "jobs.yaml").read_text(encoding="utf-8")
    pinned = {
        name: f'{{name: {name}, annotations: {{revision: "{d.revision}"}}}}' in text
        for name, d in snapshot.desired.items()
    }
    assert pinned == dict.fromkeys(pinned, True)
    assert len(pinned) == 20


def test_a_revision_is_what_the_docstring_says() -> None:
    """Computed a second time, with another implementation of RFC 8785."""
    for desired in read_directory(PINNED).desired.values():
        judged = hashlib.sha256(rfc8785.dumps(desired.form)).hexdigest()[:16]  # type: ignore[arg-type]
        assert desired.revision == judged


@pytest.mark.parametrize(
    ("change", "changes_it"),
    [
        ({}, False),
        ({"metadata": {"a": "b"}}, False),
        ({"integrations": [{"type": "wandb", "wandb": {"project": "p"}}]}, False),
        ({"policy": {"retries": 3}}, False),
        ({"rerun": 0}, False),
        ({"suffix": None}, False),
        ({"extra_body": {}}, False),
        ({"hyperparameters": {"n_epochs": None}}, False),
        ({"method": None}, False),
        ({"rerun": 1}, True),
        ({"seed": 0}, True),
        ({"suffix": "s"}, True),
        ({"model": "n"}, True),
        ({"training_file": "file-2"}, True),
        ({"validation_file": "file-1"}, True),
        ({"method": {"type": "supervised"}}, True),
        ({"hyperparameters": {"n_epochs": 3}}, True),
        ({"extra_body": {"x": None}}, True),
    ],
)
def test_what_changes_a_revision(change: dict[str, Any], changes_it: bool) -> None:
    assert (only(entry({**MODEL, **change})).revision != only(entry(MODEL)).revision) is changes_it


def test_labels_annotations_and_namespace_do_not_change_it() -> None:
    metadata = {"name": "a", "labels": {"x": "y"}, "annotations": {"x": "y"}, "namespace": "n"}
    envelope = {"apiVersion": "reconciler/v1", "kind": "FineTuningJob", "metadata": metadata, "spec": MODEL}
    assert only(Entry(*job_spec(envelope), "a", 1)).revision == only(entry(MODEL)).revision


def test_three_and_three_point_zero_are_the_same() -> None:
    def epochs(number: float) -> str:
        return only(
            entry({**MODEL, "hyperparameters": {"n_epochs": number, "learning_rate_multiplier": number}})
        ).revision

    assert epochs(3) == epochs(3.0)


def test_a_local_file_counts_by_its_bytes_not_by_its_name() -> None:
    spec = {"model": "m", "training_file": "x.jsonl", "validation_file": "y.jsonl"}
    first = TrainingFile("data/x.jsonl", "ab" * 32, 10)
    moved = TrainingFile("elsewhere.jsonl", "ab" * 32, 10)
    other = TrainingFile("data/x.jsonl", "cd" * 32, 10)
    base = only(entry(spec, training=first, validation=other))
    assert base.revision == only(entry(spec, training=moved, validation=other)).revision
    assert base.revision != only(entry(spec, training=other, validation=other)).revision
    assert base.revision != only(entry(spec, training=first, validation=first)).revision
    assert (base.form["training_file"], base.form["validation_file"]) == (f"sha256:{'ab' * 32}", f"sha256:{'cd' * 32}")
    assert (base.training, base.validation) == (first, other)
    assert "training_file" not in base.body
    assert "validation_file" not in base.body


def test_the_upstreams_revision_is_part_of_it() -> None:
    down = {"model_from": {"job": "up"}, "training_file": "file-1"}
    before = only(entry(down), entry(MODEL, "up"))
    after = only(entry(down), entry({**MODEL, "seed": 1}, "up"))
    assert before.revision != after.revision
    assert before.model_from == "up"
    assert "model_from" not in before.body


def test_a_form_without_an_upstream_is_hashed_as_it_stands() -> None:
    assert revision_of(form(entry(MODEL), None)) == only(entry(MODEL)).revision


@pytest.mark.parametrize(
    ("beside", "alone"),
    [
        ({}, True),
        ({"seed": 7, "rerun": 2, "method": {"type": "supervised"}}, True),
        ({"validation_file": "id:x y"}, True),
        ({"training_file": f"sha256:{'ab' * 32}"}, True),
        ({"training_file": "train.jsonl"}, False),
        ({"validation_file": "valid.jsonl"}, False),
        ({"model": None, "model_from": {"job": "up"}}, False),
    ],
)
def test_a_spec_that_names_no_file_here_and_no_other_job_has_its_revision_alone(
    beside: dict[str, Any], alone: bool
) -> None:
    """What is remembered of a manifest is what would be computed: where that is known before all else is read."""
    wanted = entry({**MODEL, **beside})
    assert revision_alone(wanted.spec) == (revision_of(form(wanted, None)) if alone else None)


def test_a_spec_without_a_canonical_form_has_none() -> None:
    assert revision_alone({**MODEL, "extra_body": {"x": 2**53}}) is None


def test_a_revision_that_is_known_is_not_computed_again() -> None:
    assert only(replace(entry(MODEL), revision="0123456789abcdef")).revision == "0123456789abcdef"
