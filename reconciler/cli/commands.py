"""Every command as a shell sees it: its flags, its help, its examples. What it does stands in the module of its name.

`names` lists the commands and says which module each body is in; that module is imported when the command is called,
so that `plan --help` and the completion of a flag wait for no HTTP client and no YAML.
"""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from reconciler.cli import options
from reconciler.cli.command import Argument, Choice, Directory, command
from reconciler.cli.names import COMMANDS
from reconciler.core.training import METHODS
from reconciler.settings import SANDBOX_DIRECTORY
from reconciler.startup import patterns_at_first_use

# The names of `sandbox.modes.MODES`, which to import would start an HTTP server's worth of modules; a test compares.
SANDBOX_MODES = (
    *("openai", "openai-2024", "azure", "azure-classic", "litellm", "litellm-native", "portkey", "nebius"),
    *("llmariner", "telnyx", "bare"),
)


def body(name: str) -> Callable[..., Any]:
    """What a command does, imported now."""
    listed = COMMANDS[name]
    with patterns_at_first_use():
        module = importlib.import_module(f"reconciler.cli.{listed.module}")
    found: Callable[..., Any] = getattr(module, listed.function or name)
    return found


@command("reconciler init fleet", honours=())
@options.new_directory_argument
def init(*context: Any, **given: Any) -> Any:
    """Write a fleet, an example job and its data.

    Nothing that is there is overwritten.
    """
    return body("init")(*context, **given)


@command(
    "reconciler validate fleet",
    "reconciler validate fleet -o github",
    "kustomize build fleet | reconciler validate -",
    honours=("--quiet",),
)
@options.directory_argument
@options.root
@options.output("github")
def validate(*context: Any, **given: Any) -> Any:
    """Check manifests and training files, offline."""
    return body("validate")(*context, **given)


@command(
    "reconciler data fleet/data/train.jsonl",
    "reconciler data fleet/data/train.jsonl --model gpt-4o-mini",
    honours=("--color",),
)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE…",
    cls=Argument,
    type=click.Path(path_type=Path),
    explanation="The training and validation files.",
)
@click.option("--model", metavar="NAME", help="Count, and say what it costs, for this base model.")
@click.option(
    "--method",
    metavar="METHOD",
    type=Choice(METHODS),
    help=f"Check them for this method: {', '.join(METHODS)}.",
    show_default="as the files are",
)
@options.output()
@options.pricing
def data(*context: Any, **given: Any) -> Any:
    """Show what training files hold, and what they would cost.

    Needs no fleet. Says what `validate` would say of them.
    """
    return body("data")(*context, **given)


@command("reconciler import fleet", "reconciler import fleet --all", name="import")
@options.watched_directory_argument
@click.argument(
    "job_ids", nargs=-1, metavar="[JOB_ID…]", cls=Argument, explanation="The jobs to import; none: list them."
)
@click.option("--all", "every", is_flag=True, help="Import every job that is live or has succeeded.")
@options.output()
@options.files_root
@options.connection
@click.pass_obj
def import_jobs(*context: Any, **given: Any) -> Any:
    """Write manifests for jobs that exist already.

    Without ids it lists the jobs that no manifest speaks of. Each manifest adopts its job, so that nothing is trained
    again; no file that is there is overwritten.
    """
    return body("import")(*context, **given)


@command("reconciler schema > fleet.schema.json", honours=())
@options.output(text=False)
def schema(*context: Any, **given: Any) -> Any:
    """Print the JSON Schema of the manifests, for editors."""
    return body("schema")(*context, **given)


@command("reconciler plan fleet", "reconciler plan fleet -o json", "reconciler plan fleet --detailed-exitcode")
@options.directory_argument
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 where changes are present.")
@options.output("markdown")
@options.pruning
@options.root
@options.pricing
@options.connection
@options.settle
@click.pass_context
def plan(*context: Any, **given: Any) -> Any:
    """Show what apply would do, and why.

    Sends and writes nothing. The digest that it prints is what `apply --approve` takes.
    """
    return body("plan")(*context, **given)


@command(
    "reconciler apply fleet",
    "reconciler apply fleet --yes --wait --timeout 2h",
    "reconciler apply fleet --approve DIGEST",
)
@options.directory_argument
@click.option("-y", "--yes", is_flag=True, help="Do not ask: the answer is yes.")
@click.option("--approve", metavar="DIGEST", help="Do exactly the plan of this digest, limits waived, or nothing.")
@click.option("--first-run", is_flag=True, help="Begin a fleet of which the provider has no job yet.")
@click.option("--wait", is_flag=True, help="Repeat until nothing is live or waiting.")
@click.option(
    "--timeout",
    metavar="TIME",
    type=options.Duration(),
    help="With --wait: stop waiting after this long; the jobs go on.",
)
@options.output()
@options.pruning
@options.root
@options.pricing
@options.connection
@options.settle
@options.lock_timeout
@click.pass_context
def apply(*context: Any, **given: Any) -> Any:
    """Create what is missing, cancel what was removed: once.

    Asks before it sends anything; without a terminal it needs --yes or --approve, but for the sandbox.
    """
    return body("apply")(*context, **given)


@command("reconciler forget tone -d fleet")
@options.name_argument
@options.directory_option
@options.output()
@options.root
@options.connection
@options.settle
@options.lock_timeout
@click.pass_obj
def forget(*context: Any, **given: Any) -> Any:
    """Drop what holds up a job: a lost record, a stuck cancel.

    A lost record is of a job that the provider no longer knows; a stuck cancel is one that does not take.
    """
    return body("forget")(*context, **given)


@command("reconciler status fleet", "reconciler status fleet -o wide", "reconciler status fleet --all")
@options.directory_argument
@click.argument("names", nargs=-1, metavar="")
@click.option("--all", "every", is_flag=True, help="Show names whose manifest is gone too.")
@options.output("wide")
@options.root
@options.pricing
@options.connection
@click.pass_obj
def status(*context: Any, **given: Any) -> Any:
    """Show how the jobs stand, a row each.

    The worst comes first; a row says its status, why, how far it is and how long still.
    """
    return body("status")(*context, **given)


@command("reconciler describe tone -d fleet", "reconciler describe tone -d fleet -o yaml")
@options.name_argument
@options.directory_option
@options.output()
@options.root
@options.pricing
@options.connection
@click.pass_obj
def describe(*context: Any, **given: Any) -> Any:
    """Show everything of one job, and what happens next.

    Also of one whose manifest is gone.
    """
    return body("describe")(*context, **given)


@command("reconciler files fleet", "reconciler files fleet -o json", "reconciler files fleet --prune-unused")
@options.directory_argument
@click.option(
    "--prune-unused", is_flag=True, help="Delete those that no manifest and no live job needs, after a question."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask: the answer is yes.")
@options.output()
@options.root
@options.connection
@options.settle
@options.lock_timeout
@click.pass_obj
def files(*context: Any, **given: Any) -> Any:
    """Show the fleet's files at the provider, and delete those that nothing needs.

    A file of which nobody can say who uploaded it is shown, and never deleted.
    """
    return body("files")(*context, **given)


@command("reconciler doctor fleet", "reconciler doctor fleet -o json", "reconciler doctor fleet --probe-create")
@options.directory_argument
@click.option(
    "--probe-create",
    is_flag=True,
    help="Make the smallest job, which may cost money; compare what comes back; cancel it.",
)
@click.option("-y", "--yes", is_flag=True, help="With --probe-create: do not ask, the answer is yes.")
@options.output()
@options.root
@options.connection
@options.settle
@options.lock_timeout
@click.pass_obj
def doctor(*context: Any, **given: Any) -> Any:
    """Show what a server can do, and what safety rests on there.

    It reads only: the listing, one job, its events and checkpoints, files and models. With --probe-create it makes one
    job after a question, and ends it.
    """
    return body("doctor")(*context, **given)


@command("reconciler events tone -d fleet", "reconciler events tone -d fleet --follow -o json")
@options.name_argument
@options.directory_option
@click.option("--follow", is_flag=True, help="Go on until the job has ended; json is then one object a line.")
@options.output()
@options.root
@options.connection
@click.pass_obj
def events(*context: Any, **given: Any) -> Any:
    """Show the provider's events of a job, the oldest first."""
    return body("events")(*context, **given)


@command("reconciler checkpoints tone -d fleet")
@options.name_argument
@options.directory_option
@options.output()
@options.root
@options.connection
@click.pass_obj
def checkpoints(*context: Any, **given: Any) -> Any:
    """Show the provider's checkpoints of a job."""
    return body("checkpoints")(*context, **given)


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
