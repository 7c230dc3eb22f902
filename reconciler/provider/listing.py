"""A listing, walked page by page to its end: complete, or it raises.

`client` and `files` ask for listings. What one page says is read in `page`; here is what it means beside the others.
"""

from collections.abc import Callable, Iterator
from typing import TypeVar

from msgspec.structs import replace

from reconciler.clock import Clock
from reconciler.errors import NoData, Unreadable, escaped
from reconciler.provider.page import Page, parse_page
from reconciler.provider.profile import Assumption
from reconciler.provider.request import ReadRequest
from reconciler.provider.sender import Sender

_PAGE = 100
_DEFAULT_PAGE = 20  # of a server that does not look at `limit`
# A listing that never ends is given up here: after 200,000 jobs, this many bytes, or a quarter of an hour.
_PAGES_LIMIT = 2_000
_LISTING_BYTES = 256 * 1024 * 1024
_LISTING_SECONDS = 900.0

_T = TypeVar("_T")


class Listings:
    """Walks the listings of one account; ``assumed`` is what the operator says of its server."""

    def __init__(self, sender: Sender, clock: Clock, assumed: frozenset[Assumption]) -> None:
        self._sender = sender
        self._clock = clock
        self._assumed = assumed

    def items(
        self, read: ReadRequest, parse: Callable[[object], _T], id_of: Callable[[_T], str], *, enough: int | None = None
    ) -> Iterator[_T]:
        """Every item of a listing, in the server's order. Raises Unreadable where it cannot be complete."""
        for items, _ in self.pages(read, parse, id_of, enough=enough):
            yield from items

    def pages(
        self, read: ReadRequest, parse: Callable[[object], _T], id_of: Callable[[_T], str], *, enough: int | None = None
    ) -> Iterator[tuple[list[_T], bool]]:
        """Its pages, each asked for when it is wanted, each with whether it is the last. Raises as `items` does."""
        seen: set[str] = set()
        began, left = self._clock.monotonic(), _LISTING_BYTES
        after, more = "", False
        size = min(enough or _PAGE, _PAGE)
        for _ in range(_PAGES_LIMIT):
            params = {**read.params, "limit": str(size)} | ({"after": after} if after else {})
            page, length = self._page(replace(read, params=params), parse)
            left -= length
            if left < 0:
                raise Unreadable(f"{read.path}: a listing of more than {_LISTING_BYTES} bytes")
            if self._clock.monotonic() - began > _LISTING_SECONDS:
                raise Unreadable(f"{read.path}: the listing has no end after {_LISTING_SECONDS:g} s")
            ids = {id_of(item) for item in page.items}
            if page.silent and page.has_more is None and more:
                raise Unreadable(f"{read.path}: a page without data, where more was to follow")
            # A server without pages shows everything again, and beside it what was made meanwhile.
            fresh = ids - seen
            again = fresh != ids and (not fresh or (page.has_more is None and seen <= ids))
            seen |= fresh
            if again:
                self._check_repeated(read, page, cut=len(seen) in {size, _DEFAULT_PAGE})
            last = not ids or again or page.has_more is False or (enough is not None and len(seen) >= enough)
            if last:
                self._check_end(read, page, len(seen))
            yield page.items, last
            if last:
                return
            after, more = id_of(page.items[-1]), page.has_more is True
            if after not in fresh:
                raise Unreadable(f"{read.path}: the listing's cursor comes back, so it has no end")
        raise Unreadable(f"{read.path}: more than {_PAGES_LIMIT} pages")

    def _page(self, read: ReadRequest, parse: Callable[[object], _T]) -> tuple[Page[_T], int]:
        """One page, and its length in bytes.

        Raises:
            NoData: the first page of the listing of all jobs has no `data`.
            Unreadable: the first page is empty, twice, and says that more follow.
        """
        page, length = self._sender.read_sized(read, lambda answer: parse_page(answer, parse))
        if not read.all_jobs or "after" in read.params:
            return page, length
        if page.empty_but_more:
            page, length = self._sender.read_sized(read, lambda answer: parse_page(answer, parse))
        if page.empty_but_more and Assumption.EMPTY_LISTING not in self._assumed:
            raise Unreadable(
                f"{read.path}: the listing's first page is empty and says that more follow, so it is no listing"
                " (--assume empty-listing, if this server answers so where there are no jobs)"
            )
        if page.silent:
            raise NoData(f"{read.path}: the listing has no data")
        return page, length

    def _check_end(self, read: ReadRequest, page: Page[_T], found: int) -> None:
        """Raises Unreadable where a listing without `has_more` says in another way that it goes on."""
        if not read.all_jobs or page.has_more is not None:
            return
        if page.goes_on:
            raise Unreadable(
                f"{read.path}: the listing goes on by {escaped(page.goes_on)}, which is not this API's way"
            )
        if page.total is not None and page.total > found:
            raise Unreadable(f"{read.path}: the server says that it has {page.total} jobs, and shows {found}")

    def _check_repeated(self, read: ReadRequest, page: Page[_T], *, cut: bool) -> None:
        """A page that repeats everything is the end where a server has no pages. Raises Unreadable else."""
        if page.has_more is not None:
            raise Unreadable(f"{read.path}: the server repeats a page, so the listing has no end")
        if cut and read.all_jobs and Assumption.WHOLE_LISTING not in self._assumed:
            raise Unreadable(
                f"{read.path}: the server has no pages, and shows {len(page.items)} jobs, which may not be all"
                " (--assume whole-listing, if this server always shows every job)"
            )
