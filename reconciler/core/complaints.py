"""Validation errors in a person's words, with the path of the field.

Pure. `source` calls `problems_of` for a document that pydantic refused; pydantic's own words and paths do not leave
this module. Where a field stands in its file is not known here.
"""

import difflib
import functools
import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from reconciler.core.documents import ClusterMetadata
from reconciler.core.methods import GRADER_TYPES
from reconciler.core.placeholder import name_fault
from reconciler.core.scalars import NAME_PATTERN, Strict
from reconciler.errors import escaped

# More errors than a person reads: the others of a document, and of a file, are only counted.
ERRORS_LIMIT = 100


def problems_of(error: ValidationError) -> list[tuple[tuple[str | int, ...], str]]:
    """Each error as the keys that lead to it and a sentence."""
    found = error.errors()
    problems = [(_path(one["loc"]), _sentence(one)) for one in found[:ERRORS_LIMIT]]
    if len(found) > ERRORS_LIMIT:
        problems.append(((), f"errors beyond the first {ERRORS_LIMIT}: {len(found) - ERRORS_LIMIT}"))
    return problems


def _path(location: Sequence[str | int]) -> tuple[str | int, ...]:
    """The user's own keys: a grader's type is pydantic's tag, one step after `grader` or a name in `graders`."""
    path: list[str | int] = []
    for step in location:
        tag = step in GRADER_TYPES and (path[-1:] == ["grader"] or path[-2:-1] == ["graders"])
        if not tag and step != "[key]":
            path.append(step)
    return tuple(path)


_LENGTHS = frozenset({"string_too_short", "string_too_long"})


def _sentence(found: Any) -> str:
    kind, given = found["type"], found["input"]
    if kind == "extra_forbidden":
        return f"unknown field{_nearest(str(found['loc'][-1]))}"
    if kind == "missing":
        return "required, and not set"
    # Where a number or one of a few words is needed, a template is the reason and not its type.
    if isinstance(given, str) and kind not in _LENGTHS and (fault := name_fault(given)):
        return fault
    if kind == "union_tag_invalid":
        return f"its type must be one of {found['ctx']['expected_tags']}"
    if kind == "model_type":
        joined = re.match(r"([A-Za-z_]\w*):\S", given) if isinstance(given, str) else None
        return "must be a mapping of fields" + (
            f": a space is missing after the colon of {joined[1]}" if joined else ""
        )
    if kind == "value_error":
        return str(found["ctx"]["error"])
    words = re.sub(r"^\w+ should ", "must ", found["msg"])
    if kind == "string_pattern_mismatch" and found["ctx"]["pattern"] == NAME_PATTERN:
        return f"a name is lower-case letters, digits and -, at most 63 characters, not {_shown(given)}"
    return f"{words}, not {_shown(given)}" if given != "" and isinstance(given, str | int | float | None) else words


def _shown(given: object) -> str:
    text = escaped("null" if given is None else str(given))
    return text if len(text) <= 60 else f"{text[:59]}…"  # noqa: PLR2004 - one line of a report


def _nearest(name: str) -> str:
    """The field that was meant, perhaps; none where ``name`` is a field, but of another place."""
    names = _field_names()
    close = [] if name in names else difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]}?" if close else ""


@functools.cache
def _field_names() -> list[str]:
    names: set[str] = set()
    models: list[type[BaseModel]] = [Strict]
    while models:
        model = models.pop()
        names |= model.model_fields.keys()
        models += model.__subclasses__()
    return sorted(names - ClusterMetadata.model_fields.keys() - {"status"})
