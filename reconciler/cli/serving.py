"""`sandbox`: the local provider in the foreground. What it answers is the business of `reconciler.sandbox`."""

from pathlib import Path

from reconciler.cli import terminal
from reconciler.errors import ReconcilerError
from reconciler.sandbox import MODES, SandboxError, serve


def sandbox(port: int, host: str, speed: float, mode: str, directory: Path) -> None:
    """`sandbox`, as `commands` declares it."""
    try:
        serve(directory, host=host, port=port, speed=speed, announce=terminal.echo, mode=MODES[mode])
    except SandboxError as error:
        raise ReconcilerError(str(error)) from error
