"""The program as a process of its own, forked from one that has imported it: a tenth of the cost of a start.

`program` is the words that start it, for `subprocess` and for the shell. What stands behind them is `_launcher`, a
process that is the command's stand-in for whoever started it: it hands over its arguments, environment, directory,
streams and ignored signals, passes on the signals that it gets, and ends as the command ends. Where the start itself
is the point (its encoding, a closed stream, kill -9, the terminal of a session) ask for ``python -m reconciler``.
"""

import atexit
import contextlib
import functools
import gc
import importlib
import marshal
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_LAUNCHER = Path(__file__).with_name("_launcher.py")
_ROOT = Path(__file__).parent.parent.parent


def program() -> Sequence[str]:
    """What comes before the arguments of a command."""
    _, path = _server()
    return sys.executable, "-IS", str(_LAUNCHER), path


@functools.cache
def _server() -> tuple[subprocess.Popen[bytes], str]:
    """The process that forks, for as long as the tests last, and the socket where it does."""
    directory = tempfile.TemporaryDirectory()
    path = str(Path(directory.name) / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.forked", str(listener.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            cwd=_ROOT,
        )
    atexit.register(_stop, process, directory)
    return process, path


def _stop(process: subprocess.Popen[bytes], directory: tempfile.TemporaryDirectory[str]) -> None:
    process.communicate()
    directory.cleanup()


class _Server:
    """Waits for launchers, forks a command for each, and tells it how that ended."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._ended, self._wake = socket.socketpair()
        self._wake.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake.fileno())
        self._launchers: dict[int, socket.socket] = {}
        self._poll = select.poll()
        for number in (sys.stdin.fileno(), listener.fileno(), self._ended.fileno()):
            self._poll.register(number, select.POLLIN)

    def serve(self) -> socket.socket:
        """Until the tests end; in a forked process, the launcher that it is for."""
        while True:
            ready = {number for number, _ in self._poll.poll()}
            ended = sys.stdin.fileno() in ready
            for pid, launcher in self._launchers.items():
                if ended or launcher.fileno() in ready:
                    os.kill(pid, signal.SIGKILL)
            if ended:
                sys.exit()
            if self._ended.fileno() in ready:
                self._ended.recv(4096)
                self._reap()
            if self._listener.fileno() in ready:
                launcher, _ = self._listener.accept()
                if not (pid := os.fork()):
                    return launcher
                self._launchers[pid] = launcher
                self._poll.register(launcher, 0)  # its end alone
                launcher.sendall(b"%d\n" % pid)

    def _reap(self) -> None:
        while self._launchers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            with self._launchers.pop(pid) as launcher, contextlib.suppress(OSError):
                self._poll.unregister(launcher)
                launcher.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _become(launcher: socket.socket) -> list[str]:
    """Be the process that the launcher stands for; its arguments."""
    signal.set_wakeup_fd(-1)
    with launcher:
        size, (*streams, place), _, _ = socket.recv_fds(launcher, 4, 4)
        request = bytearray()
        while len(request) < int.from_bytes(size, "big"):
            request += launcher.recv(65536)
    arguments, environment, ignored = marshal.loads(request)  # noqa: S302 - from our launcher
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in (signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT):
        signal.signal(name, signal.SIG_DFL)
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    os.fchdir(place)
    os.close(place)
    os.environ.clear()
    os.environb.update(environment)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    # As Python makes them: those of the server are for the files that it has.
    opened = functools.partial(open, encoding="utf-8", closefd=False)
    sys.stdin = opened(0)
    sys.stdout = opened(1, "w", buffering=1 if os.isatty(1) else -1)
    sys.stderr = opened(2, "w", buffering=1, errors="backslashreplace")
    return [os.fsdecode(argument) for argument in arguments]


# What a command would import: each of these is a good part of a start.
_IMPORTED = (
    "reconciler.cli.inspecting",
    "reconciler.cli.reconciling",
    "reconciler.cli.running",
    "reconciler.sandbox",
    "anyio._backends._asyncio",
    "httpx",
    "uvicorn.loops.asyncio",
    "uvicorn.protocols.http.h11_impl",
)


def _main() -> None:
    listener = socket.socket(fileno=int(sys.argv[1]))
    from reconciler.cli import main

    for name in _IMPORTED:
        importlib.import_module(name)
    gc.freeze()
    launcher = _Server(listener).serve()
    listener.close()
    main(_become(launcher))


if __name__ == "__main__":
    _main()
