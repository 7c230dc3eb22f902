"""Processes that play schedules: one for each core, each with nothing to do but play.

Whoever plays in a process of its own settles in first, as these do.
"""

import contextlib
import gc
import multiprocessing
from collections.abc import Iterator
from multiprocessing.pool import Pool

# A world is garbage as a whole when its schedule ends; looking for it a hundred times meanwhile costs a sixth of the time.
_OBJECTS_BETWEEN_COLLECTIONS = 100_000


def pool(workers: int) -> Pool:
    """As many of them; a context manager. Not forked from a process that may have threads."""
    return multiprocessing.get_context("forkserver").Pool(workers, initializer=settle_in)


def settle_in() -> None:
    """From here on this process does nothing but play."""
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)


@contextlib.contextmanager
def whole_worlds() -> Iterator[None]:
    """The same for a while, in a process that has something else to do, too."""
    before = gc.get_threshold()
    settle_in()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
