"""The commands that look."""

from typing import Any

import click

from reconciler.cli import options
from reconciler.cli.command import command
from reconciler.cli.commands import body


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
