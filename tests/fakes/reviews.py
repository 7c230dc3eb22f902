"""Reviews of small worlds, as `plan` makes them."""

from typing import Any

from reconciler.core.gates import Permission, gate
from reconciler.core.plan import plan
from reconciler.core.world import World
from reconciler.render.review import Review


def typed(command: str, job: str) -> str:
    """A command about the directory `fleet`, as whoever reads would type it."""
    return f"reconciler {command} {job} -d fleet" if job else f"reconciler {command} fleet"


def review(of: World, permission: Permission | None = None, **more: Any) -> Review:
    """What a reader sees of a world, 3,700 seconds after the Unix time 100 at which its jobs were made."""
    gated = gate(plan(of), of, permission or Permission(first_run=True))
    facts: dict[str, Any] = {
        "fleet": of.fleet.name,
        "provider": "sandbox",
        "base_url": "sandbox",
        "host": "api.example.com",
        "organization": "",
        "digest": "d" * 16,
        "command": "reconciler apply fleet --approve " + "d" * 16,
        "there": frozenset(),
        "now": 3800.0,
    }
    return Review(plan=gated.plan, verdicts=gated.verdicts, world=of, **(facts | more))
