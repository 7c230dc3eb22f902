"""`sandbox`: the local provider in the foreground. What it answers is the business of `reconciler.sandbox`."""

from pathlib import Path

import click

from reconciler.cli import terminal
from reconciler.errors import ReconcilerError
from reconciler.sandbox import SandboxError, serve
from reconciler.settings import SANDBOX_DIRECTORY


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Listen here; 0 takes any free port.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--speed", type=click.FloatRange(0, min_open=True), default=1.0, help="Jobs run N times faster.")
@click.option(
    "--sandbox-dir", "directory", type=click.Path(path_type=Path), default=SANDBOX_DIRECTORY, show_default=True
)
def sandbox(port: int, host: str, speed: float, directory: Path) -> None:
    """Serve the fine-tuning API on this machine; it trains nothing. Prints its base URL first."""
    try:
        serve(directory, host=host, port=port, speed=speed, announce=terminal.echo)
    except SandboxError as error:
        raise ReconcilerError(str(error)) from error
