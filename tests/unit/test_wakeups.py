"""What wakes a daemon, and what ends its process."""

import signal
import threading
from pathlib import Path

import pytest

from reconciler.engine import wakeups as wakeups_module
from reconciler.engine.wakeups import ThreadWakeups, signals, watching


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


def test_a_watch_that_cannot_be_had_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    looks = threading.Semaphore(0)

    def no_watches_left(*_: object, **__: object) -> object:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr("watchfiles.watch", no_watches_left)
    monkeypatch.setattr(wakeups_module, "_REARM_MS", 1)
    with watching(tmp_path, (), looks.release, told.append):
        for _ in range(3):
            assert looks.acquire(timeout=30)
    assert told == ["[Errno 28] no space left on device"]
