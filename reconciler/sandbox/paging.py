"""One page of a list: the API's `limit` and `after`.

Every list is cut here but that of jobs, which `store` cuts in SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from .errors import RefusalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")

# More digits than any limit has; longer input is refused before it is read as a number.
_MAX_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Page:
    """`after` is the id of the last object the client has seen; it is not repeated."""

    limit: int
    after: str | None = None


def parse(query: Mapping[str, str], *, default: int, maximum: int) -> Page:
    """Read a page from a query string; raise RefusalError when the limit is out of range."""
    text = query.get("limit", str(default))
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else 0
    if not 1 <= number <= maximum:
        raise RefusalError(
            f"Invalid 'limit': expected an integer between 1 and {maximum}.", param="limit", code="invalid_value"
        )
    return Page(number, query.get("after"))


def cut(items: Sequence[T], page: Page, identify: Callable[[T], str]) -> tuple[list[T], bool]:
    """The items of this page, and whether more follow; raise RefusalError on an unknown cursor."""
    start = 0
    if page.after is not None:
        ids = [identify(item) for item in items]
        if page.after not in ids:
            raise unknown_cursor(page.after)
        start = ids.index(page.after) + 1
    end = start + page.limit
    return list(items[start:end]), end < len(items)


def unknown_cursor(after: str) -> RefusalError:
    return RefusalError(f"Invalid 'after': no object '{after}' in this list.", param="after", code="invalid_value")
