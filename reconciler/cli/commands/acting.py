"""The commands that plan and act."""

from typing import Any

import click

from reconciler.cli import options
from reconciler.cli.command import command
from reconciler.cli.commands import body


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
    For a job that is to be paused, it also drops that the server could not pause one: it is asked again.
    """
    return body("forget")(*context, **given)
