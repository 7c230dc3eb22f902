"""A `Fan` for tests: no thread, the order of the arguments."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


def one_by_one(work: Callable[[_T], _R], items: Iterable[_T], /) -> Sequence[_R]:
    """The `Fan` that has no pool."""
    return [work(item) for item in items]
