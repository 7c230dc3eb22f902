"""Python's search for garbage in circles, which does without where many values are made and none refers in a circle."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector() -> Iterator[None]:
    """Nothing is looked through meanwhile: over 10,000 manifests and jobs that would cost a tenth."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
