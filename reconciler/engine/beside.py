"""Work that runs while something else does: what `uploads` asks for, and how it goes without threads.

`cli.uploading` does it in a few threads.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from reconciler.errors import ProviderError, SourceError


class Beside(Protocol):
    """Work that runs while something else does: each of the results waits for its own, and raises what that raised.

    Nothing of it goes on for long when the block ends.
    """

    def __call__(self, work: Sequence[Callable[[], str]], /) -> AbstractContextManager[Sequence[Callable[[], str]]]:
        """Begin all of it, in this order."""
        ...


@contextmanager
def one_by_one(work: Sequence[Callable[[], str]], /) -> Iterator[Sequence[Callable[[], str]]]:
    """The `Beside` without threads: each is done when its result is asked for."""
    yield [_once(task) for task in work]


def _once(task: Callable[[], str]) -> Callable[[], str]:
    """Done once, whatever comes of it."""
    ended: list[str | ProviderError | SourceError] = []

    def result() -> str:
        if not ended:
            try:
                ended.append(task())
            except (ProviderError, SourceError) as error:
                ended.append(error)
        if isinstance(ended[0], str):
            return ended[0]
        raise ended[0]

    return result
