"""How a job trains, as a body says it that is sent, or one that comes back: its method, and the numbers it is given.

Pure. `job` reads answers through it, `mismatch` what was sent, so that the two can be compared. It decides nothing.
"""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice

from msgspec import Raw, Struct

from reconciler.core.spelling import folded, is_object, number

# The API's own words for `method.type`. What another word means, only its server knows.
METHODS = ("supervised", "dpo", "reinforcement")

# How `auto` comes back from some servers.
AUTO = -1.0
# An honest job has a handful of them.
_NUMBERS_LIMIT = 20


class Training(Struct, frozen=True, gc=False):
    """``method``: folded, "" where none is shown. ``numbers``: hyperparameters by name; `AUTO` is auto."""

    method: str = ""
    numbers: tuple[tuple[str, float], ...] = ()


def training_of(fields: Mapping[str, object]) -> Training:
    """Of a create's body, or of a job; what cannot be read counts as absent. What many jobs have is kept once."""
    method, beside = fields.get("method"), fields.get("hyperparameters")
    if method is None and beside is None:
        return _NONE
    word = method_of(method)
    own = method.get(word) if is_object(method) else None
    given = own.get("hyperparameters") if is_object(own) else None
    return _once(word, tuple(sorted(_numbers(given or beside))))


def training_in(method: Raw, beside: Raw) -> Training:
    """The same of the two fields as JSON, empty where one is not there: thousands of jobs train alike.

    Then only one of them is looked into.
    """
    return _decoded(bytes(method), bytes(beside))


@lru_cache(maxsize=1024)
def _decoded(method: bytes, beside: bytes) -> Training:
    return training_of({"method": _value(method), "hyperparameters": _value(beside)})


def _value(text: bytes) -> object:
    return json.loads(text) if text else None  # takes halves of surrogate pairs, as they may come in any answer


def method_of(method: object) -> str:
    """The word of a `Training`, of the field that says it."""
    if isinstance(method, str):
        return folded(method)
    if not is_object(method):
        return ""
    word = method.get("type")
    if isinstance(word, str) and word:
        return folded(word)
    named = [name for name in METHODS if method.get(name)]
    return "+".join(named)  # several say nothing of which it is: no word of the API's


def _numbers(values: object) -> Iterator[tuple[str, float]]:
    if not is_object(values):
        return
    for name, value in islice(values.items(), _NUMBERS_LIMIT):
        found = AUTO if value == "auto" else number(value)
        if found:  # 0 is how some servers write that there is none
            yield str(name), float(found)


@lru_cache(maxsize=1024)
def _once(method: str, numbers: tuple[tuple[str, float], ...]) -> Training:
    """Many jobs train alike: what they have in common is kept once."""
    return Training(method, numbers)


_NONE = Training()
