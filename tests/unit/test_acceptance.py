"""What is accepted at a glance pydantic accepts with an equal value, and nearly all that pydantic accepts is."""

import math
from collections import OrderedDict
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from pydantic import ValidationError

from reconciler.core import models
from reconciler.core.acceptance import accepted
from reconciler.core.documents import API_VERSION
from reconciler.core.fields import State
from reconciler.core.models import FineTuningJobDocument, FleetDocument, job_spec
from reconciler.core.scalars import Bounds, Integer, Number, Strict, Text
from reconciler.core.validation import model_of
from reconciler.source.yaml_text import read_documents
from tests.fakes.documents import VALID, VALUES, altered, documents
from tests.fakes.specs import MODEL, envelope

EXAMPLES = Path(__file__).parents[2] / "examples"
KINDS: dict[str, type[Strict]] = {"Fleet": FleetDocument, "FineTuningJob": FineTuningJobDocument}


def judged(kind: type[Strict], value: object) -> dict[str, Any] | None:
    """What pydantic makes of it."""
    try:
        return model_of(kind).model_validate(value).model_dump(exclude_unset=True)
    except ValidationError:
        return None


def exact(value: object) -> object:
    """With its types, and the order of its fields."""
    if isinstance(value, dict):
        return [(key, exact(held)) for key, held in value.items()]
    if isinstance(value, list):
        return [[exact(held)] for held in value]
    return type(value), value


def agree(kind: type[Strict], value: object) -> bool:
    """Whether both accept a value; fails where one alone does, or they make different values of it."""
    taken, judge = accepted(kind, value), judged(kind, value)
    assert exact(taken) == exact(judge), value
    return taken is not None


@pytest.mark.parametrize("document", VALID)
def test_what_is_valid_is_accepted_at_a_glance(document: dict[str, Any]) -> None:
    assert agree(KINDS[document["kind"]], document)


@given(documents())
def test_pydantic_and_a_glance_never_disagree(document: dict[str, Any]) -> None:
    agree(KINDS[document["kind"]], document)


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_they_agree_about_every_field_with_every_value(value: Any) -> None:
    for document in altered(value):
        agree(KINDS[document["kind"]], document)


class Small(Strict):
    text: Text | None = None
    word: Annotated[str, Bounds(pattern="^[a-z]$")] | None = None
    whole: Annotated[Integer, Bounds(ge=-2, le=2)] | None = None
    number: Annotated[Number, Bounds(gt=0)] | None = None
    any_number: Number | None = None
    pair: Annotated[list[Number | bool], Bounds(min_length=1, max_length=2)] | None = None
    lots: dict[str, int] | None = None
    state: State | None = None
    free: Any = None


FIELDS: dict[Any, list[Any]] = {
    "text": ["", "x", "é", "\U0001f600", "${X}", "x" * 65_537, 1, b"x", ["x"]],
    "word": ["a", "a\n", "", "A", "é"],
    "whole": [-3, -2, 0, 2, 3, 2.0, 2.5, True, "1", 10**400, 1e300],
    "number": [1, 0.5, 0, -1, True, "1", 2**53, math.inf, -math.inf, math.nan],
    "any_number": [2**53, -(2**53), 0, -0.5, -math.inf],
    "pair": [[], [1], [1, True], [1, 2, 3], ["x"], (1, 2), {"x": 1}],
    "lots": [{"x": 1}, {1: 1}, {"x": "1"}, {"x": None}, [], [("x", 1)]],
    "state": ["active", "Active", 1, None],
    "free": [0, "", [], [{}], {"x": None}, "\ud800", {1: 2}, (1,)],
    "nothing": [None, {}, 1],
    1: [1],
}


@pytest.mark.parametrize("field", FIELDS, ids=str)
def test_they_agree_about_each_kind_of_field(field: Any) -> None:
    for value in FIELDS[field]:
        agree(Small, {field: value})


class Words(str):
    """Text that is not only text."""

    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [
        {"text": "\ud800"},
        {"text": Words("x")},
        {"lots": OrderedDict(x=1)},
        {"any_number": 2**53 + 1},
        {"any_number": -(2**53) - 1},
        {"number": 10**400},
        {"state": State.ACTIVE},
        OrderedDict(text="x"),
        [],
        None,
    ],
    ids=repr,
)
def test_what_is_in_doubt_is_left_to_pydantic(value: object) -> None:
    assert accepted(Small, value) is None


def test_a_document_that_is_right_is_taken_without_pydantic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_validated", None)
    assert job_spec(envelope("FineTuningJob", "a", MODEL)) == ("a", MODEL)


def test_a_document_that_is_right_in_an_unusual_way_is_taken_at_pydantics_word() -> None:
    spec = {**MODEL, "model": Words("m")}
    assert job_spec(envelope("FineTuningJob", "a", spec)) == ("a", MODEL)


def manifests_of_examples() -> list[Path]:
    """What a command has written beside them, under `.reconciler`, is none."""
    found = EXAMPLES.rglob("*.yaml")
    return sorted(path for path in found if ".reconciler" not in path.parts)


@pytest.mark.parametrize("path", manifests_of_examples(), ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_the_documents_of_every_example_are_accepted_at_a_glance(path: Path) -> None:
    for document in read_documents(path.read_bytes()).documents:
        if isinstance(document.value, dict) and document.value.get("apiVersion") == API_VERSION:
            assert agree(KINDS[document.value["kind"]], document.value)
