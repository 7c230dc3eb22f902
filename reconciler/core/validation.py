"""The declarations of a document as models of pydantic's: all that is wrong with a document, and its JSON Schema.

Pure. `models` asks for a model where a document is not accepted at a glance (`acceptance`), `render` for what editors
are told. Whatever a declaration says (`scalars`) is said here in pydantic's words, and nothing is added to it.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from functools import reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, Literal, Union, assert_never, get_args, get_origin

from msgspec.structs import asdict
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    PlainValidator,
    Tag,
    WithJsonSchema,
    create_model,
    model_validator,
)
from pydantic_core import CoreSchema

from reconciler.core.scalars import (
    REQUIRED,
    UNSET,
    After,
    Alone,
    Before,
    Bounds,
    ByType,
    ForEditors,
    Mark,
    Strict,
    tags_of,
)


class _Model(BaseModel):
    """What is true of a `Strict` mapping, whatever its fields are."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _unset(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: v for k, v in value.items() if k not in cls.model_fields or not (v is None or v == {})}

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


_MODELS: dict[type[Strict], type[BaseModel]] = {}


def model_of(strict: type[Strict]) -> type[BaseModel]:
    """The model that accepts what the declaration says."""
    if strict not in _MODELS:
        _MODELS[strict] = _made(strict)
    return _MODELS[strict]


def _made(strict: type[Strict]) -> type[BaseModel]:
    class Model(_Model):
        model_config = ConfigDict(json_schema_extra=strict.schema)

        @model_validator(mode="after")
        def _check(self) -> "Model":
            strict.check(self.model_dump(exclude_unset=True))
            return self

    fields: dict[str, Any] = {
        name: (_kind(field.kind), ... if field.default is REQUIRED else _default(field.default))
        for name, field in strict.fields.items()
    }
    return create_model(strict.__name__, __base__=Model, __doc__=strict.__doc__, **fields)


def _default(value: object) -> object:
    return model_of(type(value))() if isinstance(value, Strict) else value


def _kind(kind: Any) -> Any:
    """A type with marks as one with pydantic's."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is None:
        return _named(kind)
    if origin is Literal:
        return kind
    if origin is Annotated:
        return _marked(*arguments)
    if origin in {Union, UnionType}:
        return reduce(or_, map(_kind, arguments))
    return origin[tuple(map(_kind, arguments))]


def _named(kind: type) -> Any:
    if issubclass(kind, Strict):
        return model_of(kind)
    if issubclass(kind, Enum):
        return Annotated[kind, Field(strict=False)]
    return Annotated[kind, Field(allow_inf_nan=False)] if kind is float else kind


def _marked(kind: Any, *marks: Mark) -> Any:
    by_type = any(isinstance(mark, ByType) for mark in marks)
    members = [Annotated[model_of(one), Tag(tag)] for tag, one in tags_of(kind).items()] if by_type else [_kind(kind)]
    return Annotated[(reduce(or_, members), *(said for mark in marks for said in _said(mark)))]


def _said(mark: Mark) -> Iterator[object]:
    match mark:
        case Bounds():
            yield Field(**{name: bound for name, bound in asdict(mark).items() if bound is not None})
        case Before(change):
            yield BeforeValidator(change)
        case After(check):
            yield AfterValidator(check)
        case Alone(judge, schema):
            yield from (PlainValidator(judge), WithJsonSchema(schema))
        case ByType():
            yield Discriminator(_type)
        case ForEditors(description, adjust):
            yield Field(description=description, json_schema_extra=adjust)
        case _:
            assert_never(mark)


def _type(value: Any) -> str:
    """Empty where it says none: only of a text does pydantic say which would fit here."""
    given = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
    return given if isinstance(given, str) else ""
