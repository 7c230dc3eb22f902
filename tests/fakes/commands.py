"""The program in a process of its own: at a terminal, in a line of bash."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path


def at_a_terminal(
    arguments: list[str], keys: bytes, *, interrupt_at: bytes | None = None, **environment: str
) -> tuple[int, str]:
    """Run the command in a process of its own, on a terminal at which ``keys`` are typed.

    ``interrupt_at``: send SIGINT once this is on the screen, as Ctrl-C does in a shell.
    """
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "reconciler", *arguments],
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
    place = {"R": f"{sys.executable} -m reconciler", "D": str(directory)}
    return subprocess.run(
        ["bash", "-c", script], env=os.environ | place, capture_output=True, text=True, timeout=60, check=False
    )
