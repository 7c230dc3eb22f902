"""The schema that editors read and `validate` never disagree about a document.

What a schema cannot say is not generated: whether files exist, what stands between documents (doubled names, a job
that is built on no other), texts that are templates or typographic quotes, and what YAML itself refuses.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from reconciler.core.fields import BODY_FIELDS
from reconciler.core.models import Invalid, fleet_spec, job_spec
from reconciler.core.scalars import UNSET
from reconciler.render.schema import manifest_schema
from tests.fakes.documents import VALID, VALUES, altered, documents

JUDGE = Draft202012Validator(manifest_schema())
TAKEN: dict[str, Callable[[dict[str, Any]], object]] = {"Fleet": fleet_spec, "FineTuningJob": job_spec}


def is_valid(document: dict[str, Any]) -> bool:
    try:
        TAKEN[document["kind"]](document)
    except Invalid:
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
    for other in altered(value):
        assert JUDGE.is_valid(other) == is_valid(other), other
