"""Several uploads at once, in a few threads: the `Beside` of commands that write. `wiring` hands it to the engine.

The threads are no part of what keeps the process alive: a command that was interrupted ends at once, and a file that
was cut is no file. What a file is uploaded for, and when, is the engine's affair.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from queue import Empty, SimpleQueue

# One connection seldom fills a line; many would only meet the server's limits sooner.
_AT_ONCE = 4

_Job = tuple[Callable[[], str], "Future[str]"]


@contextmanager
def beside(work: Sequence[Callable[[], str]], /) -> Iterator[Sequence[Callable[[], str]]]:
    """Begin all of it, four at a time, in this order; at the end of the block the rest is not begun."""
    jobs: list[_Job] = [(task, Future()) for task in work]
    queue: SimpleQueue[_Job] = SimpleQueue()
    for job in jobs:
        queue.put(job)
    for number in range(min(_AT_ONCE, len(jobs))):
        threading.Thread(target=_work, args=(queue,), name=f"upload-{number + 1}", daemon=True).start()
    try:
        yield [future.result for _, future in jobs]
    finally:
        for _, future in jobs:
            future.cancel()


def _work(queue: "SimpleQueue[_Job]") -> None:
    while True:
        try:
            task, future = queue.get_nowait()
        except Empty:
            return
        if not future.set_running_or_notify_cancel():
            continue
        try:
            future.set_result(task())
        except BaseException as error:  # noqa: BLE001 - whoever asks for the result gets it
            future.set_exception(error)
