"""How a command ends early: SIGTERM and SIGHUP are Ctrl-C under other names. `main` runs within `interruptible`.

As process 1 of a container a signal that nobody handles is ignored by the kernel (pid_namespaces(7)): without
this, `docker stop` and a Kubernetes Job would wait out their grace period and kill. `run` and `sandbox` handle
what they are sent themselves, once they have begun.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130


@contextmanager
def interruptible() -> Iterator[None]:
    """The first signal raises KeyboardInterrupt, whatever the process inherited; a second one ends it at once.

    That is as safe as any other restart: what was sent is recorded before it is sent. A SIGHUP that is ignored
    stays ignored, which is what nohup asks for.
    """
    if threading.current_thread() is not threading.main_thread():  # where Python handles no signals
        yield
        return
    interrupted = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        if interrupted:
            os._exit(INTERRUPTED)
        interrupted = True
        raise KeyboardInterrupt

    caught = [signal.SIGTERM]
    caught += [n for n in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in caught}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
