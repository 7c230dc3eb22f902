"""The program in a process of its own: with streams of any kind, at a terminal, in a line of bash."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.forked import program

# Starting Python and importing the program takes ten times what a command does. So it is started once, and each
# command is a child of it: its streams were made by this environment, its file descriptors are its own.
_FORKING = """
import gc, json, os, sys
requests, answers = map(int, sys.argv[1:3])
from reconciler.cli import main
import reconciler.cli.reading, reconciler.cli.reconciling, reconciler.cli.running
import anyio._backends._asyncio, httpx, uvicorn.loops.asyncio, uvicorn.protocols.http.h11_impl
import reconciler.sandbox
gc.freeze()
for line in os.fdopen(requests):
    request = json.loads(line)
    child = os.fork()
    if not child:
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

    def __init__(self, directory: Path, requests: int, answers: int) -> None:
        self._directory = directory
        self._requests = os.fdopen(requests, "w")
        self._answers = os.fdopen(answers)

    def __call__(self, *arguments: object) -> Ended:
        files = {"stdin": os.devnull} | {name: str(self._directory / name) for name in ("stdout", "stderr")}
        out, err = Path(files["stdout"]), Path(files["stderr"])
        out.write_bytes(b"")
        err.write_bytes(b"")
        # A command line is bytes, which the locale over there decodes; latin-1 carries each of them.
        encoded = [os.fsencode(str(argument)).decode("latin-1") for argument in arguments]
        self._requests.write(json.dumps({"arguments": encoded, **files}) + "\n")
        self._requests.flush()
        return Ended(int(self._answers.readline()), out.read_bytes(), err.read_bytes())

    def close(self) -> None:
        self._requests.close()
        self._answers.close()


@contextlib.contextmanager
def started(environment: Mapping[str, str], *, prelude: str = "") -> Iterator[Program]:
    """The program in exactly this environment; ``prelude`` is Python that comes before its first import."""
    theirs, ours = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory() as directory:
        process = subprocess.Popen(
            [sys.executable, "-c", prelude + _FORKING, str(theirs[0]), str(ours[1])],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs[0], ours[1]],
        )
        os.close(theirs[0])
        os.close(ours[1])
        program = Program(Path(directory), theirs[1], ours[0])
        try:
            yield program
        finally:
            program.close()
            process.wait()


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
