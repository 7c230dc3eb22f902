"""What the fields of a document are made of: texts and numbers with their bounds, and the strict base of every mapping.

Pure, and no library stands behind it: a field is declared once, as a type with marks (`Bounds`, `Before`, `After` …),
in `methods`, `spec` and `models`. `acceptance` reads the declarations to take what is right; `validation` makes models
of pydantic's of them, to say what is wrong and what editors are told. A text that is a template which nobody filled in
is refused here, by the rules of `placeholder`. What a field means is not known here.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, get_args

from msgspec import Struct

from reconciler.core.placeholder import free_fault, name_fault, path_fault

_Schema = dict[str, Any]

# Of a field that has to be set.
REQUIRED = object()
# A null, and an empty map.
UNSET: _Schema = {"type": ["null", "object"], "maxProperties": 0}


class Bounds(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of a number, and of the length of a text, a list or a map; a ``pattern`` is that of the whole text."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None


class Before(Struct, frozen=True):
    """What becomes of a value before its type is looked at. ``change`` raises ValueError where nothing does."""

    change: Callable[[Any], Any]


class After(Struct, frozen=True):
    """A last look at a value, once it has its type. ``check`` returns it, or raises ValueError."""

    check: Callable[[Any], Any]


class Alone(Struct, frozen=True):
    """A value of which ``judge`` alone decides, as an `After` does; ``schema`` says the same to editors."""

    judge: Callable[[Any], Any]
    schema: _Schema


class ByType(Struct, frozen=True):
    """Which of several mappings is meant, the text of their own field ``type`` says."""


class ForEditors(Struct, frozen=True):
    """What editors are told of a field besides: a sentence, and how its schema differs."""

    description: str | None = None
    adjust: Callable[[_Schema], None] | None = None


Mark = Bounds | Before | After | Alone | ByType | ForEditors


class DeclaredField(Struct, frozen=True):
    """One field of a `Strict`: its type with marks, and what it is where it is unset."""

    kind: Any
    default: Any


class Strict:
    """A mapping that knows its fields, coerces nothing, and takes null and an empty map for unset."""

    # In the order in which they are declared, those of a base first.
    fields: ClassVar[Mapping[str, DeclaredField]] = {}
    # What editors are told besides.
    schema: ClassVar[_Schema] = {}

    def __init_subclass__(cls, schema: _Schema | None = None) -> None:
        cls.schema = schema or {}
        own = {name: DeclaredField(kind, getattr(cls, name, REQUIRED)) for name, kind in cls.__annotations__.items()}
        cls.fields = {**cls.fields, **own}

    @classmethod
    def check(cls, written: Mapping[str, Any]) -> None:
        """Raises ValueError where the fields that are set, each valid by itself, do not go together."""


def tags_of(union: Any) -> Mapping[str, type[Strict]]:
    """Which mapping each `ByType` means."""
    return {get_args(one.fields["type"].kind)[0]: one for one in get_args(union)}


def integral(value: Any) -> Any:
    """3.0 is the same number as 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def meant(fault: Callable[[str], str]) -> After:
    """Refuses a text of which ``fault`` knows that nobody meant it."""

    def check(text: str) -> str:
        message = fault(text)
        if message:
            raise ValueError(message)
        return text

    return After(check)


Integer = Annotated[int, Before(integral)]
Number = float
Text = Annotated[str, Bounds(min_length=1, max_length=65_536), meant(free_fault)]
Word = Annotated[str, Bounds(min_length=1, max_length=256), meant(name_fault)]
# An id of another server's may have 512 characters, after `id:`.
FilePath = Annotated[str, Bounds(min_length=1, max_length=515), meant(path_fault)]
NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
Name = Annotated[
    str,
    Bounds(pattern=NAME_PATTERN),
    ForEditors("A DNS label: lower-case letters, digits and -, at most 63 characters."),
]
# A grader's labels are words of the data.
Label = Annotated[str, Bounds(min_length=1, max_length=256), meant(free_fault)]


def all_filled(value: Any) -> Any:
    """``value``, of any shape. Raises ValueError where a text in it is a template that was not filled in."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str) and (message := free_fault(one)):
            raise ValueError(message)
        waiting += one.values() if isinstance(one, Mapping) else one if isinstance(one, list) else ()
    return value
