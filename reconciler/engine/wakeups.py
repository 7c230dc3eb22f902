"""Why a sleeping daemon wakes: a file may have changed, or somebody wants it to stop.

`daemon` waits here and nowhere else, and so does `run` between two daemons. A file event is a hint, never the truth:
watchfiles is silent when the watched path is a retargeted link, when a file behind a link changes, and after the
directory was deleted and made again, so a thread also looks at which directory it is, and every pass reads the disk
itself.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import watchfiles

from reconciler.clock import SystemClock
from reconciler.core.reminders import Reminders
from reconciler.errors import Stopped, escaped, system_words
from reconciler.log import Log
from reconciler.source.files import real_path

# A save is noticed 8 to 11 ms after it happened with these; the defaults take 90 ms.
_DEBOUNCE_MS, _STEP_MS = 50, 5
# How often the watcher looks whether the directory is still the one it watches.
_REARM_MS = 1000


# Beyond any interval; what the operating system cannot count to would raise.
_LONGEST_WAIT = 86_400.0


class Wakeups(Protocol):
    """Where a daemon sleeps."""

    @property
    def stopping(self) -> bool:
        """Whether somebody asked it to stop."""
        ...

    def wait(self, seconds: float) -> None:
        """Return after ``seconds``, earlier where a file may have changed or at a request to stop."""
        ...


class ThreadWakeups:
    """The real one: set by the watcher's thread and by signal handlers."""

    def __init__(self) -> None:
        self._woken = threading.Event()
        self._stop = threading.Event()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def hint(self) -> None:
        """A file may have changed."""
        self._woken.set()

    def stop(self) -> None:
        """Wake up for good."""
        self._stop.set()
        self._woken.set()

    def wait(self, seconds: float) -> None:
        """As `Wakeups.wait`; hints that came since the last call count as one."""
        if not self.stopping:
            self._woken.wait(min(max(0.0, seconds), _LONGEST_WAIT))
            self._woken.clear()

    def sleep(self, seconds: float) -> None:
        """Sleep, but not past a request to stop. Raises Stopped at one."""
        if self._stop.wait(max(0.0, seconds)):
            raise Stopped("stopped while waiting; nothing was left half done")


class StoppableClock(SystemClock):
    """The machine's clock; a sleep ends with `Stopped` when the daemon is asked to stop."""

    def __init__(self, wakeups: ThreadWakeups) -> None:
        self._wakeups = wakeups

    def sleep(self, seconds: float) -> None:
        self._wakeups.sleep(seconds)


@contextmanager
def signals(
    wakeups: ThreadWakeups,
    *,
    deadline: float,
    woken: Callable[[], None] = lambda: None,
    give_up: Callable[[int], None] = os._exit,
) -> Iterator[None]:
    """SIGTERM and SIGINT stop the daemon; a second one, or ``deadline`` seconds within the block, end the process.

    SIGHUP asks for a look at the files now, as of any daemon (systemd's reload), and ``woken`` is called. Only where
    it says that the terminal has gone away does it stop, as whoever closes one expects of a program that ran there.
    One that is ignored stays ignored (nohup).

    Ending at once is as safe as any other restart: what was sent is recorded before it is sent. A thread waits
    for the signals, because a handler runs only between two steps of the main thread, which may be waiting for
    a server. Enter this before any other thread is started: they inherit the mask.
    """
    caught = {signal.SIGTERM, signal.SIGINT}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        caught.add(signal.SIGHUP)
    terminals = [number for number in range(3) if os.isatty(number)]
    over = threading.Event()
    timer = threading.Timer(deadline, give_up, [0])
    timer.daemon = True

    def wait_for_signals() -> None:
        while True:
            number = signal.sigwait(caught)
            if over.is_set():
                return
            if number == signal.SIGHUP and all(map(os.isatty, terminals)):
                wakeups.hint()
                woken()
            elif wakeups.stopping:
                give_up(128 + number)
            else:
                wakeups.stop()
                timer.start()

    before = signal.pthread_sigmask(signal.SIG_BLOCK, caught)
    thread = threading.Thread(target=wait_for_signals, name="signals", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        if thread.ident is not None and thread.is_alive():
            signal.pthread_kill(thread.ident, signal.SIGTERM)
        thread.join()
        timer.cancel()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def watching(root: Path, ignored: Sequence[Path], hint: Callable[[], None], log: Log) -> Iterator[None]:
    """Call ``hint`` when something under ``root`` may have changed; ``ignored`` are our own directories.

    Why events cannot be had is logged, and again as long as it lasts; the files are looked at every second then.
    """
    stop = threading.Event()
    # The watcher names what it sees by the real path.
    ours = (*(path.absolute() for path in ignored), *(real_path(path) for path in ignored))
    thread = threading.Thread(target=_watch, args=(root, ours, hint, stop, log), name="watcher", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=2 * _REARM_MS / 1000)


def _watch(
    root: Path,
    ignored: Sequence[Path],
    hint: Callable[[], None],
    stop: threading.Event,
    log: Log,
) -> None:
    """Watch what ``root`` leads to now; begin again whenever that is another directory."""
    troubles = Reminders()
    while not stop.is_set():
        place = _place(root)
        if place is None:
            stop.wait(_REARM_MS / 1000)
            if _place(root) is not None:
                hint()
            continue
        try:
            for changes in watchfiles.watch(
                root.resolve(),
                watch_filter=lambda _, path: not _is_under(path, ignored),
                debounce=_DEBOUNCE_MS,
                step=_STEP_MS,
                stop_event=stop,
                rust_timeout=_REARM_MS,
                yield_on_timeout=True,
                raise_interrupt=False,
                ignore_permission_denied=True,
            ):
                if changes:
                    hint()
                troubles = _log_trouble(troubles, {}, log)
                if _place(root) != place:
                    hint()
                    break
        except (OSError, RuntimeError) as error:
            # Gone between two looks, or no watches left: the next look, and the interval, go on without it.
            if _place(root) is not None:
                troubles = _log_trouble(troubles, {"watch": escaped(system_words(error))}, log)
            stop.wait(_REARM_MS / 1000)
            hint()


def _log_trouble(before: Reminders, troubles: Mapping[str, str], log: Log) -> Reminders:
    """A line where events cannot be had, or can be had again; returns what goes on."""
    now = before.met(troubles, time.monotonic())
    for trouble in now.said:
        log.warning("watch.failed", error=troubles[trouble], **now.facts(trouble))
    for trouble in now.over:
        log.info("watch.recovered", **now.facts(trouble))
    return now


def _place(root: Path) -> tuple[int, int] | None:
    try:
        stat = root.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _is_under(path: str, directories: Sequence[Path]) -> bool:
    return any(Path(path).is_relative_to(directory) for directory in directories)
