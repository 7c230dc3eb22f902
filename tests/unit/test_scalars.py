"""What fields are made of: what counts as unset, and what editors are told of it."""

from typing import Annotated, Any

import pytest
from pydantic import ValidationError

from reconciler.core.acceptance import accepted
from reconciler.core.scalars import UNSET, Bounds, ForEditors, Integer, Strict, meant
from reconciler.core.validation import model_of


def test_editors_are_told_what_may_be_unset_and_what_may_not() -> None:
    class Small(Strict):
        must: str
        anything: Any
        title: Annotated[str | None, ForEditors("what it is called")] = None
        size: Annotated[Integer, Bounds(ge=1, le=9)] = 3
        free: Any = None

    told = model_of(Small).model_json_schema()
    assert told["required"] == ["must", "anything"]
    assert told["properties"] == {
        "must": {"title": "Must", "type": "string"},
        "anything": {"title": "Anything", "not": UNSET},
        "title": {
            "title": "Title",
            "description": "what it is called",
            "anyOf": [{"type": "string"}, UNSET],
        },
        "size": {"title": "Size", "default": 3, "anyOf": [{"type": "integer", "minimum": 1, "maximum": 9}, UNSET]},
        "free": {"title": "Free", "default": None},
    }


def test_editors_are_told_what_a_mapping_is() -> None:
    class Small(Strict):
        """A small one."""

        free: Any = None

    assert model_of(Small).model_json_schema()["description"] == "A small one."


def test_what_nobody_meant_is_refused_in_the_words_of_its_fault() -> None:
    class Named(Strict):
        name: Annotated[str, meant(lambda text: f"{text} is no name" if text == "x" else "")]

    assert accepted(Named, {"name": "y"}) == {"name": "y"}
    assert accepted(Named, {"name": "x"}) is None
    with pytest.raises(ValidationError, match="x is no name"):
        model_of(Named).model_validate({"name": "x"})
