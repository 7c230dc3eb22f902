"""What an act costs, whatever else the machine has to do."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def untraced() -> Iterator[None]:
    """Without whoever counts lines: the limit is the program's."""
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracer)


def cpu_seconds(act: Callable[[], object], limit: float) -> float:
    """CPU time of one ``act``: the best of three, the first that keeps to ``limit`` being good enough.

    Also the CPU time of an act grows where another process uses the other half of the core, or has emptied its cache.
    """
    spent = []
    for _ in range(3):
        with untraced():
            began = time.process_time()
            act()
            spent.append(time.process_time() - began)
        if spent[-1] < limit:
            break
    return min(spent)
