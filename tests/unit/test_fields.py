"""Each field of a job's spec: its bounds, and that it meets its fate."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from reconciler.core.fields import BODY_FIELDS, FATES, Hashed, is_file_id
from reconciler.core.spec import JobSpec, check_fates
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
    document,
    entry,
    only,
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


@pytest.mark.parametrize("field", JobSpec.model_fields)
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
        seen |= set(set_fields(document(spec).spec))
    sent = {model for name in BODY_FIELDS for model in nested(JobSpec.model_fields[name].annotation)}
    assert {(model, name) for model in sent for name in model.model_fields} - seen == set()


@pytest.mark.parametrize(
    ("value", "is_id"),
    [
        ("file-abc", True),
        ("file-AbC_9-x", True),
        ("file-", False),
        ("file-a/b", False),
        ("data/file-a.jsonl", False),
        ("file-a.jsonl", False),
    ],
)
def test_file_ids(value: str, is_id: bool) -> None:
    assert is_file_id(value) is is_id


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
    assert document(MODEL | fields).spec.model_dump(exclude_unset=True, mode="json") == MODEL | fields
