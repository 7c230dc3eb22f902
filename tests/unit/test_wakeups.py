"""What wakes a daemon, and what ends its process."""

import io
import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.engine import wakeups as wakeups_module
from reconciler.engine.wakeups import ThreadWakeups, signals, watching
from reconciler.log import configure


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


def test_a_watch_that_cannot_be_had_is_told_once_and_so_is_its_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = io.StringIO()
    log = configure(form="json", secrets=[], stream=told)
    looks, watches = threading.Semaphore(0), threading.Semaphore(0)

    def no_watches_left(*_: object, **__: object) -> Iterator[object]:
        if watches.acquire(blocking=False):
            yield set()
        raise OSError(28, "no space left on device")

    monkeypatch.setattr("watchfiles.watch", no_watches_left)
    monkeypatch.setattr(wakeups_module, "_REARM_MS", 1)
    with watching(tmp_path, (), looks.release, log):
        for _ in range(3):
            assert looks.acquire(timeout=30)
        watches.release()
        for _ in range(3):  # one look may have begun before
            assert looks.acquire(timeout=30)
    lines = [json.loads(line) for line in told.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["watch.failed", "watch.recovered", "watch.failed"]
    assert lines[0]["error"] == "no space left on device"
