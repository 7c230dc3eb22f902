"""One page of a listing, in the shapes that servers send.

`listing` walks pages and decides what they mean together; here is only what one of them says.
"""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from msgspec import Struct

from reconciler.core.spelling import folded, whole_number

_T = TypeVar("_T")

# The fields of a page. An answer without `data` that has any other is no page: perhaps an error.
_ENVELOPE = frozenset({"object", "data", "has_more", "first_id", "last_id", "total", "total_count"})
_TOTALS = ("total", "total_count")
_ABOUT_PAGES = frozenset({"links", "meta", "metadata", "pagination", "paging", "pageinfo", "page"})
_CURSORS = frozenset({"cursor", "continuationtoken", "pagetoken", "odatanextlink", "hasnextpage", "hasnext"})
_WORDS = {"true": True, "1": True, "false": False, "0": False}


class Page(Struct, Generic[_T], frozen=True):
    """``has_more`` is None where the server does not say. ``silent``: there is no `data` (null, or left out).

    ``total`` is how many items the whole listing has, where the server says that; ``goes_on`` the field by which a
    server with ways of its own says that more follows.
    """

    items: list[_T]
    has_more: bool | None
    silent: bool = False
    total: int | None = None
    goes_on: str = ""

    @property
    def empty_but_more(self) -> bool:
        """Whether it is empty and says that more follow: as a first page it contradicts itself."""
        return not self.items and self.has_more is True


def parse_page(answer: object, parse: Callable[[object], _T]) -> Page[_T]:
    """A page from the API's JSON; a bare array is read as its `data`, but an empty one says nothing.

    Raises:
        ValueError: it is no page, or an item of it cannot be read.
    """
    if isinstance(answer, list):
        return Page([parse(item) for item in answer], None, silent=not answer)
    if not isinstance(answer, Mapping):
        raise ValueError("not a page of a listing")  # noqa: TRY004 - one error for every unreadable answer
    has_more, items = _has_more(answer.get("has_more")), answer.get("data")
    if isinstance(items, list):
        return Page([parse(item) for item in items], has_more, total=_total(answer), goes_on=_way_on(answer))
    left_out = "data" not in answer
    if items is not None or answer.keys() - _ENVELOPE or (left_out and has_more):
        raise ValueError("not a page of a listing")
    return Page([], has_more, silent=True)


def _way_on(answer: Mapping[str, object], *, nested: bool = True) -> str:
    """The field by which a server of its own ways says that a page is not the last; "" where none does.

    Such are next_page_token, nextLink, next, cursor and their like, also within links, meta, pagination or paging.
    """
    for key, value in answer.items():
        plain = folded(key)
        if nested and plain in _ABOUT_PAGES and isinstance(value, Mapping) and (found := _way_on(value, nested=False)):
            return f"{key}.{found}"
        if value and not isinstance(value, Mapping) and (plain.startswith("next") or plain in _CURSORS):
            return key
    return ""


def _total(answer: Mapping[str, object]) -> int | None:
    return next((number for key in _TOTALS if (number := whole_number(answer.get(key))) is not None), None)


def _has_more(value: object) -> bool | None:
    key = str(value).strip().lower()
    if value is not None and key not in _WORDS:
        raise ValueError("a page that does not say whether it is the last")
    return _WORDS.get(key)
