"""The schema that editors read and `validate` never disagree about a document.

What a schema cannot say is not generated: whether files exist, what stands between documents (doubled names, a job
that is built on no other), texts that are templates or typographic quotes, and what YAML itself refuses.
"""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ValidationError

from reconciler.core.fields import BODY_FIELDS
from reconciler.core.models import FineTuningJobDocument, FleetDocument
from reconciler.core.scalars import UNSET
from reconciler.render.schema import manifest_schema

JUDGE = Draft202012Validator(manifest_schema())
DOCUMENTS: dict[str, type[BaseModel]] = {"Fleet": FleetDocument, "FineTuningJob": FineTuningJobDocument}

GRADER = {"type": "string_check", "name": "g", "input": "a", "reference": "b", "operation": "eq"}
LABEL: dict[str, Any] = {"type": "label_model", "name": "l", "model": "m", "input": [{"role": "user", "content": "x"}]}
LABEL |= {"labels": ["a", "b"], "passing_labels": ["a"]}
SCORE: dict[str, Any] = {
    "type": "score_model",
    "name": "s",
    "model": "m",
    "input": [{"role": "user", "content": ["x"]}],
}
SCORE |= {
    "range": [0, 1.5],
    "sampling_params": {"seed": 1, "top_p": 0.5, "temperature": 1, "max_completions_tokens": 9},
}
MULTI = {"type": "multi", "name": "m", "graders": {"a": GRADER, "b": LABEL}, "calculate_output": "a + b"}
SPEECH = {"n_epochs": 3, "batch_size": "auto", "learning_rate_multiplier": 0.1}


def job(**spec: Any) -> dict[str, Any]:
    envelope = {"apiVersion": "reconciler/v1", "kind": "FineTuningJob"}
    return {**envelope, "metadata": {"name": "a", "labels": {"k": "v"}}, "spec": {"training_file": "file-1", **spec}}


def fleet(**spec: Any) -> dict[str, Any]:
    envelope = {"apiVersion": "reconciler/v1", "kind": "Fleet"}
    return {**envelope, "metadata": {"name": "f", "uid": 1}, "spec": {"provider": "openai", **spec}, "status": {}}


def method(kind: str, **held: Any) -> dict[str, Any]:
    return job(model="m", method={"type": kind, kind: held} if held else {"type": kind})


VALID = [
    job(model="m"),
    job(model_from={"job": "b", "checkpoint": "last"}, rerun=3.0),
    job(model="m", validation_file="file-2", suffix="s", seed=7, metadata={"a": "b"}, extra_body={"x": [None]}),
    job(model="m", hyperparameters=SPEECH),
    job(model="m", hyperparameters=SPEECH, method={"type": "supervised"}),
    job(model="m", integrations=[{"type": "wandb", "wandb": {"project": "p", "tags": ["t"]}}]),
    job(model="m", policy={"state": "active", "on_change": "wait", "on_remove": "orphan", "on_cancelled": "hold"}),
    job(model="m", policy={"retries": 2, "adopt": {"job_id": "ftjob-1", "revision": "0" * 16}}),
    method("supervised"),
    method("supervised", hyperparameters=SPEECH),
    method("dpo", hyperparameters={**SPEECH, "beta": 0.1}),
    *(method("reinforcement", grader=grader) for grader in (GRADER, SCORE, MULTI)),
    method("reinforcement", grader=GRADER, hyperparameters={"compute_multiplier": 1.5, "eval_interval": 1}),
    fleet(),
    fleet(state="suspended", prune=False, expect={"host": "h", "organization": "o", "project": "p"}),
    fleet(limits={"max_creates": 1, "max_cancels": "100%", "max_active": 2}),
    fleet(limits={"max_cancels": 3}),
    fleet(limits={"max_cost": 0.5}),
]
VALUES: list[Any] = [
    *(None, {}, [], "", "x", "auto", "wait", "active", "last", "supervised", "dpo", "reinforcement", "Not A Name"),
    *(True, False, -1, 0, 1, 2, 3.0, 0.5, 1e-05, 10, 10.5, 11, 50, 51, 256, 257, 2**31 - 1, 2**31, 1_000_001, 1e300),
    *("0%", "007%", "100%", "101%", "30 %", "x" * 64, "x" * 65, "x" * 257, "0" * 16, "file-1"),
    *([None], ["x"], [1, 2], [1, 2, 3], {"x": 1}, {"x": "y"}, {"x": None}, {"type": "supervised"}, {"job": "b"}),
    *({"reconciler_x": "y"}, {"": "y"}, {"k" * 65: "y"}, {"k": "v" * 513}, {f"k{n}": "v" for n in range(11)}),
    *({"model": "m"}, {"n_epochs": None}, {"hyperparameters": {}}, {"grader": GRADER}, GRADER, MULTI, LABEL),
]
NAMES = [
    "model",
    "model_from",
    "method",
    "hyperparameters",
    "dpo",
    "supervised",
    "seed",
    "beta",
    "type",
    "status",
    "zzz",
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a document that something else can be put into."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, held in steps for place in places(held, (*path, key)))]


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A valid document, and up to three changes of it: another value, a field fewer, a field more."""
    document: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(0, 3))):
        path = draw(
            st.sampled_from([place for place in places(document) if place and place[0] in {"metadata", "spec"}])
        )
        held: Any = document
        for key in path[:-1]:
            held = held[key]
        change = draw(st.sampled_from(["value", "fewer", "more"]))
        if change == "fewer" and len(path) > 1:
            del held[path[-1]]
        elif change == "more" and isinstance(held, dict):
            held[draw(st.sampled_from(NAMES))] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        else:
            held[path[-1]] = copy.deepcopy(draw(st.sampled_from(VALUES)))
    return document


def is_valid(document: dict[str, Any]) -> bool:
    try:
        DOCUMENTS[document["kind"]].model_validate(document)
    except ValidationError:
        return False
    return True


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(manifest_schema())


def test_editors_are_told_of_the_bounds_that_validation_has() -> None:
    told = manifest_schema()["$defs"]
    spec, hyper = told["JobSpec"]["properties"], told["Hyperparameters"]["properties"]
    limit = told["_LimitsSpec"]["properties"]["max_cancels"]["anyOf"]
    assert spec["metadata"]["anyOf"][0] == {
        "type": "object",
        "maxProperties": 10,
        "propertyNames": {"minLength": 1, "maxLength": 64, "not": {"pattern": "^reconciler_"}},
        "additionalProperties": {"type": "string", "maxLength": 512},
    }
    assert spec["extra_body"]["anyOf"][0]["propertyNames"] == {"not": {"enum": list(BODY_FIELDS)}}
    assert spec["seed"]["anyOf"][0] == {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
    assert limit[0] == {"type": "integer", "minimum": 0}
    assert (limit[1]["type"], limit[1]["pattern"][0], limit[1]["pattern"][-2:]) == ("string", "^", "%$")
    assert hyper["n_epochs"]["anyOf"][:2] == [{"const": "auto"}, {"type": "integer", "minimum": 1, "maximum": 50}]
    assert hyper["n_epochs"]["description"] == "auto, or a whole number from 1 to 50"
    assert hyper["learning_rate_multiplier"]["anyOf"][1] == {"type": "number", "exclusiveMinimum": 0}


def test_editors_are_told_that_only_the_method_of_its_type_goes_with_a_type() -> None:
    def of(kind: str, then: dict[str, Any]) -> dict[str, Any]:
        return {"if": {"properties": {"type": {"const": kind}}}, "then": then}

    assert manifest_schema()["$defs"]["Method"]["allOf"] == [
        of("dpo", {"properties": {"reinforcement": UNSET, "supervised": UNSET}}),
        of("reinforcement", {"properties": {"dpo": UNSET, "supervised": UNSET}}),
        of("supervised", {"properties": {"dpo": UNSET, "reinforcement": UNSET}}),
        of("reinforcement", {"required": ["reinforcement"], "properties": {"reinforcement": {"not": UNSET}}}),
    ]


def test_editors_are_told_that_a_job_has_one_model_and_hyperparameters_in_one_place() -> None:
    def given(name: str) -> dict[str, Any]:
        return {"required": [name], "properties": {name: {"not": UNSET}}}

    spec = manifest_schema()["$defs"]["JobSpec"]
    supervised = {"properties": {"type": {"const": "supervised"}, "supervised": UNSET}}
    assert spec["oneOf"] == [given("model"), given("model_from")]
    assert spec["not"] == {
        "allOf": [given("hyperparameters"), given("method"), {"not": {"properties": {"method": supervised}}}]
    }


@pytest.mark.parametrize("document", VALID)
def test_what_is_valid_is_valid_to_editors_too(document: dict[str, Any]) -> None:
    assert is_valid(document)
    assert [error.message for error in JUDGE.iter_errors(document)] == []


@given(documents())
def test_a_schema_and_validation_never_disagree(document: dict[str, Any]) -> None:
    assert JUDGE.is_valid(document) == is_valid(document), document


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_they_agree_about_every_field_with_every_value(value: Any) -> None:
    tried: set[tuple[Any, ...]] = set()
    for document in VALID:
        for path in places(document):
            if len(path) > 1 and (document["kind"], path) not in tried:
                tried.add((document["kind"], path))
                other = copy.deepcopy(document)
                held: Any = other
                for key in path[:-1]:
                    held = held[key]
                held[path[-1]] = value
                assert JUDGE.is_valid(other) == is_valid(other), other
