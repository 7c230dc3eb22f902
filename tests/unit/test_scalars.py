"""What fields are made of: what counts as unset, and what editors are told of it."""

from typing import Annotated, Any

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from reconciler.core.scalars import UNSET, Integer, Strict, meant


def test_editors_are_told_what_may_be_unset_and_what_may_not() -> None:
    class Small(Strict):
        must: str
        anything: Any
        title: str | None = Field(None, title="The title", description="what it is called")
        size: Annotated[Integer, Field(ge=1, le=9)] = 3
        free: Any = None

    told = Small.model_json_schema()
    assert told["required"] == ["must", "anything"]
    assert told["properties"] == {
        "must": {"title": "Must", "type": "string"},
        "anything": {"title": "Anything", "not": UNSET},
        "title": {
            "title": "The title",
            "description": "what it is called",
            "anyOf": [{"type": "string"}, UNSET],
        },
        "size": {"title": "Size", "default": 3, "anyOf": [{"type": "integer", "minimum": 1, "maximum": 9}, UNSET]},
        "free": {"title": "Free", "default": None},
    }


def test_what_nobody_meant_is_refused_in_the_words_of_its_fault() -> None:
    taken = TypeAdapter(Annotated[str, meant(lambda text: f"{text} is no name" if text == "x" else "")])
    assert taken.validate_python("y") == "y"
    with pytest.raises(ValidationError, match="x is no name"):
        taken.validate_python("x")
