"""Validation errors in a person's words, with the path of the field.

Pure. `source` calls `problems_of` for a document that pydantic refused; pydantic's own words and paths do not leave
this module. Where a field stands in its file is not known here. What one mistake entails is not listed beside it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from reconciler.core.credentials import is_secret, way_of
from reconciler.core.methods import GRADER_TYPES
from reconciler.core.models import Invalid
from reconciler.core.nearest import nearest
from reconciler.core.placeholder import name_fault
from reconciler.core.places import Meant, meant_by
from reconciler.core.scalars import NAME_PATTERN
from reconciler.core.snapshot import ERRORS_LIMIT
from reconciler.core.spelling import number
from reconciler.errors import escaped

_NAME_MAX = 63

Keys = tuple[str | int, ...]


class Complaint(Struct, frozen=True):
    """One error: the keys that lead to it, a sentence, and the field that was meant, where it names another."""

    keys: Keys
    message: str
    meant: Keys = ()


def problems_of(invalid: Invalid) -> list[Complaint]:
    """Each error that is none's consequence."""
    errors = invalid.errors
    # Those beyond the limit are not looked at: a document may hold thousands, and each is compared with the others.
    found = [_Error.of(invalid.document, one) for one in errors[:ERRORS_LIMIT]]
    told = [one for one in found if not one.is_entailed_by(found)]
    complaints = [Complaint(one.keys, one.sentence(), one.meant.path if one.meant else ()) for one in told]
    if len(errors) > ERRORS_LIMIT:
        complaints.append(Complaint((), f"errors beyond the first {ERRORS_LIMIT}: {len(errors) - ERRORS_LIMIT}"))
    return complaints


def _path(location: Sequence[str | int]) -> Keys:
    """The user's own keys: a grader's type is pydantic's tag, one step after `grader` or a name in `graders`."""
    path: list[str | int] = []
    for step in location:
        tag = step in GRADER_TYPES and (path[-1:] == ["grader"] or path[-2:-1] == ["graders"])
        if not tag and step != "[key]":
            path.append(step)
    return tuple(path)


_UNKNOWN, _MISSING = "extra_forbidden", "missing"
_LENGTHS = frozenset({"string_too_short", "string_too_long"})
_TYPES = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping of fields",
}
_PATTERNS = {
    NAME_PATTERN: "a name is lower-case letters, digits and -, at most 63 characters",
    r"^[0-9a-f]{16}$": "must be the 16 digits (0-9, a-f) of a revision, as `reconciler validate DIR -o json` shows it",
}
_OF_CHOICES = frozenset({"enum", "literal_error", "union_tag_invalid"})
# Where one word was written for a whole map, the field that it was meant for.
_ONE_WORD = {"method": "type", "model_from": "job", "expect": "host"}


class _Error(Struct, frozen=True):
    """One of pydantic's errors; ``meant`` is of an unknown field."""

    kind: str
    keys: Keys
    found: Mapping[str, Any]
    meant: Meant | None = None

    @classmethod
    def of(cls, document: str, found: Any) -> "_Error":
        keys = _path(found["loc"])
        name = str(found["loc"][-1]) if found["loc"] else ""
        if found["type"] != _UNKNOWN or name_fault(name) or way_of(name):
            return cls(found["type"], keys, found)
        place = tuple("*" if isinstance(key, int) or above == "graders" else str(key) for above, key in _steps(keys))
        return cls(found["type"], keys, found, meant_by(document, place[:-1], name))

    def is_entailed_by(self, others: Sequence["_Error"]) -> bool:
        """Whether another error explains this one: it is a misspelt field, or one of an unknown integration."""
        if self.kind not in {_MISSING, _UNKNOWN}:
            return False
        above = self.keys[:-1]
        if any(one.kind in _OF_CHOICES and one.keys == (*above, "type") for one in others):
            return True
        return self.kind == _MISSING and any(
            one.meant is not None and _begins(one.meant.path, self.keys) for one in others
        )

    def sentence(self) -> str:
        given = self.found["input"]
        if self.kind == _UNKNOWN:
            return self._unknown()
        if self.kind == _MISSING:
            return "required, and not set"
        # Where a number or one of a few words is needed, a template is the reason and not its type.
        if isinstance(given, str) and self.kind not in _LENGTHS and (fault := name_fault(given)):
            return fault
        if self.kind in _OF_CHOICES:
            return _chosen(self.found)
        if self.kind == "value_error":
            words = str(self.found["ctx"]["error"])
            return f"{words}{self._not_given()}{self._hint()}" if words.startswith("must be ") else words
        if self.kind == "string_too_long":
            return f"must have at most {self.found['ctx']['max_length']} characters, and has {len(given)}"
        words = _TYPES.get(self.kind) or re.sub(r"^\w+ should ", "must ", self.found["msg"])
        if self.kind == "string_pattern_mismatch":
            words = _PATTERNS.get(self.found["ctx"]["pattern"], "must be text without control characters")
        return f"{words}{self._not_given()}{self._hint()}"

    def _unknown(self) -> str:
        name = str(self.found["loc"][-1])
        way = name_fault(name) or way_of(name, wandb="wandb" in self.keys)
        if way:
            return way
        return f"unknown field; {self.meant.words}" if self.meant else "unknown field"

    def _not_given(self) -> str:
        """What is there instead, unless it is nothing, or a key."""
        given = self.found["input"]
        if given == "" or any(is_secret(str(key)) for key in self.keys):
            return ""
        what = "a mapping" if isinstance(given, Mapping) else "a list" if isinstance(given, list) else _shown(given)
        return f", not {what}"

    def _hint(self) -> str:
        """The way on, where what is there shows it."""
        given, last = self.found["input"], str(self.keys[-1]) if self.keys else ""
        if self.kind == "string_type" and isinstance(given, int | float):
            return ": put it in quotes"
        if self.kind == "list_type" and isinstance(given, Mapping):
            return ": begin each item with -"
        if not isinstance(given, str):
            return ""
        if number(given) is not None and self.kind in {"int_type", "float_type", "value_error"}:
            return ": remove the quotes"
        if self.kind == "bool_type" and given in {"true", "false"}:
            return ": remove the quotes"
        if self.kind == "value_error" and given.lower() == "auto":
            return "; did you mean auto?"
        if self.kind == "string_pattern_mismatch":
            name = re.sub(r"[^a-z0-9]+", "-", given.lower()).strip("-")
            named = 0 < len(name) <= _NAME_MAX and self.found["ctx"]["pattern"] == NAME_PATTERN
            return f"; did you mean {name}?" if named else ""
        if self.kind == "model_type":
            joined = re.match(r"([A-Za-z_]\w*):\S", given)
            if joined:
                return f": a space is missing after the colon of {joined[1]}"
            return f"; did you mean {{{_ONE_WORD[last]}: {_shown(given)}}}?" if last in _ONE_WORD else ""
        return ""


def _steps(keys: Keys) -> Sequence[tuple[str | int, str | int]]:
    """Each key with the one above it."""
    return list(zip(("", *keys), keys, strict=False))


def _begins(path: Sequence[str | int], keys: Keys) -> bool:
    """Whether ``path`` leads to ``keys``, or below it; an item of a list is any."""
    return len(keys) <= len(path) and all(mine in (yours, "*") for mine, yours in zip(path, keys, strict=False))


def _chosen(found: Mapping[str, Any]) -> str:
    """Of a few words, none: which they are, and which was meant."""
    context, given = found["ctx"], found["input"]
    tags = context.get("expected_tags")
    choices = tags or context["expected"]
    words = f"its type must be one of {tags}" if tags else f"must be {choices}"
    text = context["tag"] if tags else given
    if not isinstance(text, str) or not text:
        return words
    close = nearest(text, re.findall(r"'([^']*)'", choices))
    return f"{words}, not {_shown(text)}" + (f"; did you mean {close}?" if close else "")


def _shown(given: object) -> str:
    text = escaped("null" if given is None else str(given).lower() if isinstance(given, bool) else str(given))
    return text if len(text) <= 60 else f"{text[:59]}…"  # noqa: PLR2004 - one line of a report
