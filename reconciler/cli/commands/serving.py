"""The commands that serve."""

from typing import Any

import click

from reconciler.cli import options
from reconciler.cli.command import Choice, Directory, command
from reconciler.cli.commands import body
from reconciler.settings import SANDBOX_DIRECTORY

# The names of `sandbox.modes.MODES`, which to import would start an HTTP server's worth of modules; a test compares.
SANDBOX_MODES = (
    *("openai", "openai-2024", "azure", "azure-classic", "litellm", "litellm-native", "portkey", "nebius"),
    *("llmariner", "telnyx", "bare"),
)


@command("reconciler run fleet", "reconciler run fleet --interval 5m --listen 127.0.0.1:8080", honours=("--verbose",))
@options.watched_directory_argument
@click.option(
    "--interval",
    metavar="TIME",
    type=options.Duration(minimum=0.1),
    default="60s",
    help="Make a pass this often, within 10 %.",
)
@click.option(
    "--stability",
    metavar="TIME",
    type=options.Duration(),
    default="1s",
    help="Wait until files were at rest this long.",
)
@click.option(
    "--poll",
    metavar="TIME",
    type=options.Duration(minimum=0.05),
    help="Look at the files this often, also where no event comes.",
)
@click.option(
    "--listen",
    metavar="ADDR",
    help="Serve /healthz, /readyz and /metrics, as in 0.0.0.0:8080; a port alone: on 127.0.0.1.",
)
@click.option("--first-run", is_flag=True, help="Begin a fleet of which the provider has no job yet.")
@options.pricing
@options.files_root
@options.connection
@options.settle
@options.lock_timeout
def run(*context: Any, **given: Any) -> Any:
    """Keep the fleet as declared, for ever: watch, resync, retry."""
    return body("run")(*context, **given)


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
    "--mode",
    metavar="SERVER",
    type=Choice(SANDBOX_MODES),
    default=SANDBOX_MODES[0],
    help=f"Answer as this server does: {', '.join(SANDBOX_MODES)}.",
)
@click.option(
    "--sandbox-dir",
    "directory",
    metavar="DIR",
    type=Directory(),
    default=SANDBOX_DIRECTORY,
    help="Where it keeps its data.",
)
def sandbox(*context: Any, **given: Any) -> Any:
    """Serve a local provider that trains nothing.

    It speaks the fine-tuning API on this machine. Its base URL is the first line that it prints.
    """
    return body("sandbox")(*context, **given)
