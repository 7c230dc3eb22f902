"""Texts and numbers with their bounds, and the strict base of every model: what fields are made of.

Pure. `methods`, `fields` and `documents` are built on it. A text that is a template which nobody filled in is
refused here, by the rules of `placeholder`. What a field means is not known here.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    model_validator,
)
from pydantic_core import CoreSchema

from reconciler.core.placeholder import free_fault, name_fault, path_fault


class Strict(BaseModel):
    """Knows its fields, coerces nothing, and takes null and an empty map for unset."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _unset(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        # Few manifests say that something is unset, and each holds a dozen of models: the search costs half of a copy.
        if None not in (held := value.values()) and {} not in held:
            return value
        fields = cls.model_fields
        return {k: v for k, v in value.items() if k not in fields or not (v is None or v == {})}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """What `_unset` takes for unset, the schema allows where a field may be unset, and nowhere else."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        required = schema.get("required", [])
        for name, field in schema.get("properties", {}).items():
            free = not field.keys() - {"title", "description", "default"}
            if free and name in required:
                field["not"] = UNSET
            if free or name in required:
                continue
            kept = {key: field.pop(key) for key in ("title", "description", "default") if key in field}
            kept = {key: value for key, value in kept.items() if value is not None}
            choices = field.pop("anyOf", None) or [dict(field)]
            field.clear()
            choices = [_bounded(one) for one in choices if one != {"type": "null"}]
            field |= {**kept, "anyOf": [*choices, UNSET]}
        return schema


def _bounded(schema: dict[str, Any]) -> dict[str, Any]:
    """With the bounds of a number under their names in JSON Schema, which pydantic forgets behind a validator."""
    return {{"ge": "minimum", "le": "maximum"}.get(key, key): value for key, value in schema.items()}


# A null, and an empty map.
UNSET: dict[str, Any] = {"type": ["null", "object"], "maxProperties": 0}


def integral(value: Any) -> Any:
    """3.0 is the same number as 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Integer = Annotated[int, BeforeValidator(integral)]


def meant(fault: Callable[[str], str]) -> AfterValidator:
    """Refuses a text of which ``fault`` knows that nobody meant it."""

    def check(text: str) -> str:
        message = fault(text)
        if message:
            raise ValueError(message)
        return text

    return AfterValidator(check)


Text = Annotated[str, StringConstraints(min_length=1, max_length=65_536), meant(free_fault)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=256), meant(name_fault)]
# An id of another server's may have 512 characters, after `id:`.
FilePath = Annotated[str, StringConstraints(min_length=1, max_length=515), meant(path_fault)]
NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
Name = Annotated[
    str,
    StringConstraints(pattern=NAME_PATTERN),
    Field(description="A DNS label: lower-case letters, digits and -, at most 63 characters."),
]
# A grader's labels are words of the data.
Label = Annotated[str, StringConstraints(min_length=1, max_length=256), meant(free_fault)]
Number = Annotated[float, Field(allow_inf_nan=False)]


def all_filled(value: Any) -> Any:
    """``value``, of any shape. Raises ValueError where a text in it is a template that was not filled in."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str) and (message := free_fault(one)):
            raise ValueError(message)
        waiting += one.values() if isinstance(one, Mapping) else one if isinstance(one, list) else ()
    return value
