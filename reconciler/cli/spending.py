"""What jobs have cost: of each name's job, and of every job there was.

Asked by `status` and `describe`, which import it where there is something to say.
"""

from collections.abc import Iterable, Mapping

from reconciler.cli.wiring import RunContext
from reconciler.core.estimate import Cost, Spent, spent_on
from reconciler.core.status import Progress, Status
from reconciler.core.world import World


def cost_of(context: RunContext, world: World, status: Status, progress: Mapping[str, Progress]) -> Cost | None:
    """Of the job that a status tells of; None where there is none."""
    case = world.cases.get(status.name)
    found = next((named for named in case.jobs if named.job.id == status.job_id), None) if case else None
    if case is None or found is None:
        return None
    return context.pricing().cost(case, found, progress.get(found.job.id))


def spent(context: RunContext, world: World, names: Iterable[str], progress: Mapping[str, Progress]) -> Spent:
    """Of every job of these names, those that failed or were superseded too."""
    pricing = context.pricing()
    cases = [world.cases[name] for name in names if name in world.cases]
    return spent_on(pricing.cost(case, named, progress.get(named.job.id)) for case in cases for named in case.jobs)
