"""What wakes a daemon, and what ends its process."""

import signal
import threading

from reconciler.wakeups import ThreadWakeups, signals


def test_a_stop_in_time_is_not_followed_by_the_end_of_the_process() -> None:
    ended: list[int] = []
    wakeups = ThreadWakeups()
    with signals(wakeups, deadline=1.0, give_up=ended.append):
        waiting = next(thread for thread in threading.enumerate() if thread.name == "signals")
        assert waiting.ident is not None
        signal.pthread_kill(waiting.ident, signal.SIGTERM)
        wakeups.wait(30)
        assert wakeups.stopping
    for timer in [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]:
        timer.join()
    assert ended == []
