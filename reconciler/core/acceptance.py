"""What is accepted without pydantic: a document that its declarations accept, as the plain values that it sets.

Pure. `models` asks `accepted` first, and pydantic only of what is not accepted here: what is wrong with that, and
whether anything is, `validation` says. Both read the same declarations (`scalars`). Whatever is accepted here pydantic
accepts with an equal value; what is in doubt (a text with halves of surrogate pairs, a subclass of a plain type) is not
accepted. To import pydantic and build its models costs 120 ms.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, assert_never, get_args, get_origin

from reconciler.core.scalars import REQUIRED, After, Alone, Before, Bounds, ByType, ForEditors, Mark, Strict, tags_of

# Takes a value and returns what it stands for. Raises ValueError where it does not vouch for it.
_Take = Callable[[Any], Any]
_Plain = TypeVar("_Plain")

# Every whole number up to it is a float without a loss.
_EXACT = 2**53


def accepted(strict: type[Strict], value: object) -> dict[str, Any] | None:
    """The fields that a mapping sets, in the order of their declaration; None where pydantic has the word."""
    try:
        fields: dict[str, Any] = _taking(strict)(value)
    except ValueError:
        return None
    return fields


# Made when it is first met: few documents set many fields.
_TAKES: dict[type[Strict], _Take] = {}


def _taking(strict: type[Strict]) -> _Take:
    if strict not in _TAKES:
        _TAKES[strict] = _mapping(strict)
    return _TAKES[strict]


def _mapping(strict: type[Strict]) -> _Take:
    kinds = {name: field.kind for name, field in strict.fields.items()}
    required = [name for name, field in strict.fields.items() if field.default is REQUIRED]
    takes: dict[str, _Take] = {}

    def take(value: Any) -> dict[str, Any]:
        written, known = {}, 0
        given = _of(dict, value)
        for name, kind in kinds.items():
            if name not in given:
                continue
            known += 1
            held = given[name]
            if held is None or held == {}:
                continue
            if name not in takes:
                takes[name] = _take(kind)
            written[name] = takes[name](held)
        if known < len(given):
            raise ValueError("a field that nobody knows")
        for name in required:
            if name not in written:
                raise ValueError("a field is missing")
        strict.check(written)
        return written

    return take


def _take(kind: Any) -> _Take:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is not None:
        return _OF_ORIGIN[origin](arguments)
    if issubclass(kind, Strict):
        return _taking(kind)
    if issubclass(kind, Enum):
        return lambda value: kind(_of(str, value))
    return _OF_TYPE[kind]


def _of(kind: type[_Plain], value: Any) -> _Plain:
    if type(value) is not kind:
        raise ValueError("of another type")
    return value


def _text(value: Any) -> str:
    text = _of(str, value)
    if not text.isascii():
        text.encode()  # halves of surrogate pairs are a UnicodeEncodeError, which is a ValueError
    return text


def _number(value: Any) -> float:
    number = float(_of(int, value)) if type(value) is int and -_EXACT <= value <= _EXACT else _of(float, value)
    if number - number != 0:
        raise ValueError("not finite")
    return number


def _marked(arguments: Sequence[Any]) -> _Take:
    kind, *marks = arguments
    by_type = any(isinstance(mark, ByType) for mark in marks)
    take = _one_of(tags_of(kind)) if by_type else _take(kind)
    for mark in marks:
        take = _with(mark, take)
    return take


def _with(mark: Mark, take: _Take) -> _Take:
    match mark:
        case Before(change):
            return lambda value: take(change(value))
        case After(check):
            return lambda value: check(take(value))
        case Alone(judge):
            return judge
        case Bounds():
            return _within(mark, take)
        case ByType() | ForEditors():
            return take
        case _:
            assert_never(mark)


def _within(bounds: Bounds, take: _Take) -> _Take:
    tests = list(_tests(bounds))

    def within(value: Any) -> Any:
        taken = take(value)
        if not all(test(taken) for test in tests):
            raise ValueError("out of bounds")
        return taken

    return within


def _tests(bounds: Bounds) -> Iterator[Callable[[Any], bool]]:
    ge, gt, le, shortest, longest = bounds.ge, bounds.gt, bounds.le, bounds.min_length, bounds.max_length
    if ge is not None:
        yield lambda number: number >= ge
    if gt is not None:
        yield lambda number: number > gt
    if le is not None:
        yield lambda number: number <= le
    if shortest is not None:
        yield lambda held: len(held) >= shortest
    if longest is not None:
        yield lambda held: len(held) <= longest
    if bounds.pattern is not None:
        whole = re.compile(bounds.pattern).fullmatch
        yield lambda text: whole(text) is not None


def _one_of(tags: Mapping[str, type[Strict]]) -> _Take:
    def take(value: Any) -> Any:
        tag = _of(str, _of(dict, value).get("type"))
        if tag not in tags:
            raise ValueError("of a type that nobody knows")
        return _taking(tags[tag])(value)

    return take


def _literal(words: Sequence[Any]) -> _Take:
    def take(value: Any) -> Any:
        if _of(str, value) not in words:
            raise ValueError("another word")
        return value

    return take


def _union(kinds: Sequence[Any]) -> _Take:
    takes = [_take(kind) for kind in kinds if kind is not NoneType]
    if len(takes) == 1:
        return takes[0]  # what is null is unset, and does not come here

    def take(value: Any) -> Any:
        for one in takes:
            try:
                return one(value)
            except ValueError:
                continue
        raise ValueError("of none of these types")

    return take


def _list(arguments: Sequence[Any]) -> _Take:
    take = _take(arguments[0])
    return lambda value: [take(item) for item in _of(list, value)]


def _dict(arguments: Sequence[Any]) -> _Take:
    key, item = map(_take, arguments)
    return lambda value: {key(name): item(held) for name, held in _of(dict, value).items()}


_OF_ORIGIN: Mapping[Any, Callable[[Sequence[Any]], _Take]] = {
    Annotated: _marked,
    Literal: _literal,
    Union: _union,
    UnionType: _union,
    list: _list,
    dict: _dict,
}
_OF_TYPE: Mapping[Any, _Take] = {
    Any: lambda value: value,
    str: _text,
    int: lambda value: _of(int, value),
    float: _number,
    bool: lambda value: _of(bool, value),
}
