"""`sandbox`: the local provider in the foreground. What it answers is the business of `reconciler.sandbox`."""

from pathlib import Path

import click

from reconciler.cli import terminal
from reconciler.cli.command import Directory, command
from reconciler.errors import ReconcilerError
from reconciler.sandbox import SandboxError, serve
from reconciler.settings import SANDBOX_DIRECTORY


@command("reconciler sandbox --port 8099", "reconciler sandbox --port 8099 --speed 100", honours=())
@click.option(
    "--port", metavar="N", type=click.IntRange(0, 65535), default=0, help="Listen here; 0 takes any free port."
)
@click.option("--host", metavar="ADDR", default="127.0.0.1", help="Listen on this address.")
@click.option(
    "--speed",
    metavar="N",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default="1",
    help="Run the jobs N times faster.",
)
@click.option(
    "--sandbox-dir",
    "directory",
    metavar="DIR",
    type=Directory(),
    default=SANDBOX_DIRECTORY,
    help="Where it keeps its data.",
)
def sandbox(port: int, host: str, speed: float, directory: Path) -> None:
    """Serve a local provider that trains nothing.

    It speaks the fine-tuning API on this machine. Its base URL is the first line that it prints.
    """
    try:
        serve(directory, host=host, port=port, speed=speed, announce=terminal.echo)
    except SandboxError as error:
        raise ReconcilerError(str(error)) from error
