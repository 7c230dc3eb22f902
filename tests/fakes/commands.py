"""The program in a process of its own: with streams of any kind, at a terminal, in a line of bash."""

import atexit
import functools
import json
import os
import pty
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.forked import program

# Starting Python and importing the program takes ten times what a command does. So it is started once, and each
# command is a child of it: its streams were made by this environment, its file descriptors are its own.
_FORKING = """
import gc, json, os, sys
requests, answers = map(int, sys.argv[1:3])
from reconciler.cli import main
import reconciler.cli.inspecting, reconciler.cli.reconciling, reconciler.cli.running
import anyio._backends._asyncio, httpx, uvicorn.loops.asyncio, uvicorn.protocols.http.h11_impl
import reconciler.sandbox
gc.freeze()
for line in os.fdopen(requests):
    request = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(os.fsdecode(request["directory"].encode("latin-1")))
        os.environ.clear()
        os.environb.update((n.encode("latin-1"), v.encode("latin-1")) for n, v in request["environment"].items())
        for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
            os.dup2(os.open(request[name], os.O_RDONLY if number == 0 else os.O_WRONLY), number)
        main([os.fsdecode(argument.encode("latin-1")) for argument in request["arguments"]])
    os.write(answers, b"%d\\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command came to; its output is bytes."""

    returncode: int
    stdout: bytes
    stderr: bytes


class Program:
    """The program as it was started in one environment; call it with the arguments of a command."""

    def __init__(self, server: "_Server", environment: Mapping[str, str]) -> None:
        self._server = server
        self._environment = environment

    def __call__(self, *arguments: object) -> Ended:
        files = {"stdin": os.devnull} | {name: str(self._server.directory / name) for name in ("stdout", "stderr")}
        out, err = Path(files["stdout"]), Path(files["stderr"])
        out.write_bytes(b"")
        err.write_bytes(b"")
        request = {
            "arguments": [_encoded(argument) for argument in arguments],
            "environment": {_encoded(name): _encoded(value) for name, value in self._environment.items()},
            "directory": _encoded(Path.cwd()),
        }
        return Ended(self._server.run(json.dumps(request | files)), out.read_bytes(), err.read_bytes())


def _encoded(text: object) -> str:
    """A command line is bytes, which the locale over there decodes; latin-1 carries each of them."""
    return os.fsencode(str(text)).decode("latin-1")


class _Server:
    """The process whose children the commands are."""

    def __init__(self, environment: Mapping[str, str], prelude: str) -> None:
        theirs, ours = os.pipe(), os.pipe()
        self._place = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [sys.executable, "-c", prelude + _FORKING, str(theirs[0]), str(ours[1])],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs[0], ours[1]],
        )
        os.close(theirs[0])
        os.close(ours[1])
        self._requests = os.fdopen(theirs[1], "w")
        self._answers = os.fdopen(ours[0])
        self.directory = Path(self._place.name)

    def run(self, request: str) -> int:
        self._requests.write(request + "\n")
        self._requests.flush()
        return int(self._answers.readline())

    def stop(self) -> None:
        self._requests.close()
        self._answers.close()
        self._process.wait()
        self._place.cleanup()


def started(environment: Mapping[str, str], *, prelude: str = "") -> Program:
    """The program in exactly this environment; ``prelude`` is Python that comes before its first import."""
    read_at_start = {name: value for name, value in environment.items() if name.startswith(("PYTHON", "LC_", "LANG"))}
    return Program(_server(tuple(sorted(read_at_start.items())), prelude), environment)


@functools.cache
def _server(environment: tuple[tuple[str, str], ...], prelude: str) -> _Server:
    server = _Server(dict(environment), prelude)
    atexit.register(server.stop)
    return server


def at_a_terminal(
    arguments: list[str], keys: bytes, *, interrupt_at: bytes | None = None, **environment: str
) -> tuple[int, str]:
    """Run the command in a process of its own, on a terminal at which ``keys`` are typed.

    ``interrupt_at``: send SIGINT once this is on the screen, as Ctrl-C does in a shell.
    """
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*program(), *arguments],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "TERM": "xterm", **environment},
    )
    os.close(follower)
    os.write(leader, keys)
    seen = bytearray()
    while True:
        try:
            chunk = os.read(leader, 4096)
        except OSError:  # the terminal is gone: the process has ended
            break
        if not chunk:
            break
        seen += chunk
        if interrupt_at is not None and interrupt_at in seen:
            process.send_signal(signal.SIGINT)
            interrupt_at = None
    os.close(leader)
    return process.wait(), seen.decode()


def in_a_shell(script: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """A line of bash; `$R` is the program and `$D` the directory."""
    # A launcher cannot hand over a stream that is closed.
    place = {"R": f"{sys.executable} -m reconciler" if "&-" in script else " ".join(program()), "D": str(directory)}
    return subprocess.run(
        ["bash", "-c", script], env=os.environ | place, capture_output=True, text=True, timeout=60, check=False
    )
