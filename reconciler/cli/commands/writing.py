"""The commands that write and check manifests."""

from pathlib import Path
from typing import Any

import click

from reconciler.cli import options
from reconciler.cli.command import Argument, Choice, command
from reconciler.cli.commands import body
from reconciler.core.training import METHODS


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
