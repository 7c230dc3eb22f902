"""Each field of a job's spec: its bounds, and that it meets its fate."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from reconciler.core.fields import BODY_FIELDS, FATES, Hashed, as_written, is_digest, provided
from reconciler.core.models import FineTuningJobDocument
from reconciler.core.spec import JobSpec, check_fates
from reconciler.core.validation import model_of
from tests.fakes.specs import (
    ALL_FIELDS,
    MODEL,
    MULTI,
    OLD_FORM,
    PYTHON,
    SCORE,
    SIMILAR,
    STRING,
    complaints,
    entry,
    envelope,
    only,
    written,
)


@pytest.mark.parametrize("field", [*ALL_FIELDS, "hyperparameters"])
def test_no_field_of_the_api_goes_into_extra_body(field: str) -> None:
    message = f"{field} is a field of the API: write it as spec.{field}"
    assert complaints({**MODEL, "extra_body": {field: 1}}) == [("spec.extra_body", message)]


def test_a_field_without_a_fate_cannot_be_declared() -> None:
    class Forgotten(JobSpec):
        priority: int | None = None
        queue: str | None = None

    with pytest.raises(TypeError, match="Forgotten and FATES differ: priority, queue$"):
        check_fates(Forgotten)


# A job without the field, and one with it, for each field of the spec.
WITHOUT_AND_WITH: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "model": (MODEL, {**MODEL, "model": "n"}),
    "training_file": (MODEL, {**MODEL, "training_file": "file-2"}),
    "validation_file": (MODEL, {**MODEL, "validation_file": "file-2"}),
    "suffix": (MODEL, {**MODEL, "suffix": "s"}),
    "seed": (MODEL, {**MODEL, "seed": 7}),
    "method": (MODEL, {**MODEL, "method": {"type": "supervised"}}),
    "hyperparameters": (MODEL, {**MODEL, "hyperparameters": {"n_epochs": 3}}),
    "integrations": (MODEL, {**MODEL, "integrations": [{"type": "wandb", "wandb": {"project": "p"}}]}),
    "metadata": (MODEL, {**MODEL, "metadata": {"a": "b"}}),
    "model_from": (MODEL, {"training_file": "file-1", "model_from": {"job": "up"}}),
    "extra_body": (MODEL, {**MODEL, "extra_body": {"x": 1}}),
    "rerun": (MODEL, {**MODEL, "rerun": 1}),
    "policy": (MODEL, {**MODEL, "policy": {"retries": 1}}),
}


@pytest.mark.parametrize("field", JobSpec.fields)
def test_every_field_of_the_spec_meets_its_fate(field: str) -> None:
    fate = FATES[field]
    up = entry({**MODEL, "seed": 1}, "up")
    without, with_it = (only(entry(spec), up) for spec in WITHOUT_AND_WITH[field])
    assert with_it != without, "a field that changes nothing is one that is dropped"
    assert (field in BODY_FIELDS) is fate.sent
    assert (with_it.body.get(field) == WITHOUT_AND_WITH[field][1][field]) is fate.sent
    assert (field in with_it.form) is (fate.hashed is not Hashed.NO)
    assert (with_it.revision != without.revision) is (fate.hashed is not Hashed.NO)


def nested(kind: Any) -> Iterator[type[BaseModel]]:
    """Every model that may stand in a value of this type."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for info in kind.model_fields.values():
            yield from nested(info.annotation)
    for part in getattr(kind, "__args__", ()):
        yield from nested(part)


def set_fields(value: Any) -> Iterator[tuple[type[BaseModel], str]]:
    """Every field that is set anywhere in it."""
    if isinstance(value, BaseModel):
        yield from ((type(value), name) for name in value.model_fields_set)
        value = dict(value)
    parts: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        yield from set_fields(part)


def test_every_nested_field_is_sent_and_hashed_as_it_stands() -> None:
    epochs = {"n_epochs": 3, "batch_size": 4, "learning_rate_multiplier": 0.5}
    item = {"role": "user", "content": {"type": "input_text", "text": "x"}, "type": "message"}
    sampling = {"seed": 1, "top_p": 0.5, "temperature": 0.1, "max_completions_tokens": 9, "reasoning_effort": "low"}
    label = {
        "type": "label_model",
        "name": "l",
        "model": "m",
        "input": [item],
        "labels": ["a"],
        "passing_labels": ["a"],
    }
    graders = {
        "a": STRING,
        "b": SIMILAR,
        "c": PYTHON,
        "d": {**SCORE, "input": [item], "sampling_params": sampling, "range": [0.5, 1.5]},
        "e": label,
    }
    rewarded = {**epochs, "reasoning_effort": "low", "compute_multiplier": 2, "eval_interval": 1, "eval_samples": 5}
    methods = {
        "supervised": {"hyperparameters": epochs},
        "dpo": {"hyperparameters": {**epochs, "beta": 0.1}},
        "reinforcement": {"grader": {**MULTI, "graders": graders}, "hyperparameters": rewarded},
    }
    wandb = {"project": "p", "name": "n", "entity": "e", "tags": ["t"]}
    document = model_of(FineTuningJobDocument)
    seen: set[tuple[type[BaseModel], str]] = set()
    specs: list[dict[str, Any]] = [
        *({**MODEL, "method": {"type": kind, kind: fields}} for kind, fields in methods.items()),
        {**OLD_FORM, "hyperparameters": epochs, "integrations": [{"type": "wandb", "wandb": wandb}]},
    ]
    for spec in specs:
        read = entry(spec)
        desired = only(read)
        assert desired.body == spec
        assert desired.form == {key: value for key, value in spec.items() if key != "integrations"}
        seen |= set(set_fields(document.model_validate(envelope("FineTuningJob", "a", spec))))
    sent = {model for name in BODY_FIELDS for model in nested(model_of(JobSpec).model_fields[name].annotation)}
    assert {(model, name) for model in sent for name in model.model_fields} - seen == set()


HEX = "0123456789abcdef" * 4
UUID = "9f3c0d5e-0000-4A11-8aaa-0123456789ab"


@pytest.mark.parametrize(
    ("given", "file_id"),
    [
        ("file-abc", "file-abc"),
        ("file-AbC_9-x", "file-AbC_9-x"),
        ("file-", None),
        ("file-a/b", None),
        ("data/file-a.jsonl", None),
        ("file-a.jsonl", None),
        ("gs://bucket/train.jsonl", "gs://bucket/train.jsonl"),
        ("gs://", None),
        ("gs://a b", None),
        ("s3://bucket/train.jsonl", None),
        ("https://example.com/train.jsonl", None),
        (UUID, UUID),
        (f"./{UUID}", None),
        (f"{UUID}.jsonl", None),
        ("id:train.jsonl", "train.jsonl"),
        ("id:s3://bucket/a b", "s3://bucket/a b"),
        ("id:file-abc", "file-abc"),
        ("id:", None),
        ("id:a\nb", None),
        ("./id:a", None),
        (f"id:{'x' * 512}", "x" * 512),
        (f"id:{'x' * 513}", None),
        (f"sha256:{HEX}", f"sha256:{HEX}"),
        (f"sha256:{HEX.upper()}", f"sha256:{HEX}"),
        (f"sha256:{HEX[1:]}", None),
        (f"id:sha256:{HEX}", None),
    ],
)
def test_what_names_a_file_of_the_providers_and_what_is_a_path(given: str, file_id: str | None) -> None:
    assert provided(given) == file_id
    assert is_digest(given) is (file_id is not None and file_id.startswith("sha256:"))


@pytest.mark.parametrize(
    ("file_id", "written"),
    [
        ("file-abc", "file-abc"),
        ("gs://b/t", "gs://b/t"),
        (UUID, UUID),
        ("train.jsonl", "id:train.jsonl"),
        ("9f3c/train", "id:9f3c/train"),
        ("id:a", "id:id:a"),
        (f"{'x' * 282}==", f"id:{'x' * 282}=="),
        (f"sha256:{HEX}", None),
        ("a\nb", None),
        ("x" * 513, None),
    ],
)
def test_an_id_is_written_so_that_it_is_read_as_that_id(file_id: str, written: str | None) -> None:
    assert as_written(file_id) == written
    assert written is None or provided(written) == file_id


def test_nothing_but_a_text_is_a_digest() -> None:
    assert not is_digest(None)


def test_a_file_of_the_providers_is_in_the_body_by_its_id_and_by_its_digest_only_once_it_is_there() -> None:
    desired = only(entry({**MODEL, "training_file": f"sha256:{HEX.upper()}", "validation_file": "id:v.jsonl"}))
    assert desired.form["training_file"] == f"sha256:{HEX}"
    assert desired.form["validation_file"] == desired.body["validation_file"] == "v.jsonl"
    assert "training_file" not in desired.body
    assert desired.by_digest == {"training_file": f"sha256:{HEX}"}


@pytest.mark.parametrize(
    "fields",
    [
        {"seed": 2**31 - 1},
        {"suffix": "x" * 64},
        {"rerun": 1_000_000},
        {"policy": {"retries": 10}},
        {"metadata": {f"k{i}": "v" for i in range(10)}},
        {"metadata": {"k" * 64: "v" * 512}},
        {"metadata": {"k": ""}},
    ],
)
def test_what_is_just_within_bounds(fields: dict[str, Any]) -> None:
    assert written(MODEL | fields) == ("a", MODEL | fields)
