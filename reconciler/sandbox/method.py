"""The training method of a create body: its bounds, and what `"auto"` becomes.

`request` checks, and `creation` resolves once the training file is known. The
bounds are those of the API reference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import RefusalError
from .job import Hyperparameters, Method

if TYPE_CHECKING:
    from collections.abc import Mapping

AUTO = "auto"

_WHOLE = {"n_epochs": (1, 50), "batch_size": (1, 256), "eval_interval": (1, 10**9), "eval_samples": (1, 10**9)}
# Above zero, up to this.
_POSITIVE = {"learning_rate_multiplier": math.inf, "beta": 2.0, "compute_multiplier": 10.0}
_EFFORTS = ("default", "low", "medium", "high")

_COMMON = ("n_epochs", "batch_size", "learning_rate_multiplier")
_HYPERPARAMETERS = {
    "supervised": _COMMON,
    "dpo": (*_COMMON, "beta"),
    "reinforcement": (*_COMMON, "reasoning_effort", "compute_multiplier", "eval_interval", "eval_samples"),
}
_EXTRAS = {"supervised": (), "dpo": (), "reinforcement": ("grader", "response_format")}

# What the API chooses when it is free to; the epochs are found in `_auto_epochs`.
_DEFAULTS: Hyperparameters = {
    "learning_rate_multiplier": 1.8,
    "beta": 0.1,
    "compute_multiplier": 1.0,
    "eval_interval": 5,
    "eval_samples": 1,
    "reasoning_effort": "medium",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A value of the body, with the path that an error names."""

    path: str
    value: object

    def mapping(self) -> Mapping[str, object]:
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            raise self.refusal("expected an object", "invalid_type")
        return self.value

    def refusal(self, expected: str, code: str = "invalid_value") -> RefusalError:
        return RefusalError(f"Invalid '{self.path}': {expected}.", param=self.path, code=code)


def parse(method: Field, legacy: Field) -> Method:
    """Read `method`, and `hyperparameters` of the older form; the values may still be `"auto"`."""
    body = method.mapping()
    kind = body.get("type", "supervised")
    if not isinstance(kind, str) or kind not in _HYPERPARAMETERS:
        raise Field(f"{method.path}.type", kind).refusal("expected supervised, dpo or reinforcement")
    _refuse_unknown(method, {"type", *_HYPERPARAMETERS})
    section = Field(f"{method.path}.{kind}", body.get(kind))
    _refuse_unknown(section, {"hyperparameters", *_EXTRAS[kind]})
    extras = {name: section.mapping().get(name) for name in _EXTRAS[kind]}
    if "grader" in extras:
        _check_grader(Field(f"{section.path}.grader", extras["grader"]))
    own = Field(f"{section.path}.hyperparameters", section.mapping().get("hyperparameters"))
    chosen = {**(_check(legacy, kind) if kind == "supervised" else {}), **_check(own, kind)}
    return Method(kind, {name: chosen.get(name, AUTO) for name in _HYPERPARAMETERS[kind]}, extras)


def resolve(method: Method, examples: int) -> Method:
    """Put numbers in the place of every `"auto"`."""
    chosen = {
        **_DEFAULTS,
        "n_epochs": _auto_epochs(examples),
        # The API takes about a 500th of the examples.
        "batch_size": max(1, min(256, examples // 500)),
    }
    resolved = {name: chosen[name] if value == AUTO else value for name, value in method.hyperparameters.items()}
    return Method(method.type, resolved, method.extras)


def _auto_epochs(examples: int) -> int:
    """Three, unless that makes fewer than 100 or more than 25,000 examples in total."""
    if 0 < examples * 3 < 100:  # noqa: PLR2004 - the rule's own numbers, as in the docstring
        return min(25, 100 // examples)
    return max(1, min(3, 25_000 // max(1, examples)))


def _check(field: Field, kind: str) -> dict[str, int | float | str]:
    _refuse_unknown(field, set(_HYPERPARAMETERS[kind]))
    given = {name: value for name, value in field.mapping().items() if value is not None}
    return {name: _value(name, Field(f"{field.path}.{name}", value)) for name, value in given.items()}


def _value(name: str, field: Field) -> int | float | str:
    value = field.value
    if name == "reasoning_effort":
        if not isinstance(value, str) or value not in _EFFORTS:
            raise field.refusal(f"expected one of {', '.join(_EFFORTS)}")
        return value
    if value == AUTO:
        return AUTO
    if name in _WHOLE:
        low, high = _WHOLE[name]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise field.refusal(f"expected 'auto' or an integer between {low} and {high}")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _POSITIVE[name]:
        raise field.refusal(f"expected 'auto' or a number above 0 and at most {_POSITIVE[name]:g}")
    return value


def _check_grader(grader: Field) -> None:
    if grader.value is None:
        raise RefusalError(
            f"Missing required parameter: '{grader.path}'.", param=grader.path, code="missing_required_parameter"
        )
    if not isinstance(grader.mapping().get("type"), str):
        raise grader.refusal("expected an object with a type")


def _refuse_unknown(field: Field, known: set[str]) -> None:
    for name in field.mapping():
        if name not in known:
            path = f"{field.path}.{name}"
            raise RefusalError(f"Unknown parameter: '{path}'.", param=path, code="unknown_parameter")
