"""One careful try for the whole fleet: what was refused to every create is tried again with one alone.

Pure. `gate` asks in here once it knows which creates no gate refuses: one that a gate holds for ever must not be the
one that everything waits for.
"""

from reconciler.core.change import Cancel, Change, Create, Wait
from reconciler.core.lookup import stays_unresolved
from reconciler.core.memory import EVERY_CREATE
from reconciler.core.retirement import kept_meanwhile
from reconciler.core.world import World


def one_try(world: World, changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """The same where the provider takes jobs, as far as is known; else with one create, and the others wait for it."""
    names = [change.name for change in changes if isinstance(change, Create)]
    if EVERY_CREATE[0] not in world.memory.refusals or not names:
        return changes
    tried = _unanswered(world) or min(names, key=lambda name: _order(world, name))
    waiting = frozenset(names) - {tried}
    return tuple(_waiting(world, change, tried) if change.name in waiting else change for change in changes)


def _unanswered(world: World) -> str | None:
    """A name whose create has no known outcome yet, and will have one without a person."""
    return next((name for name in sorted(world.memory.intents) if not stays_unresolved(world.cases[name])), None)


def _order(world: World, name: str) -> tuple[bool, int, str]:
    """First the creates that end no job and were not tried lately, so that one bad job does not block the rest."""
    own = world.memory.refusals.get(name)
    return bool(world.cases[name].others), own.next_at if own else 0, name


def _waiting(world: World, change: Change, tried: str) -> Change:
    if isinstance(change, Cancel) and change.follows:
        return kept_meanwhile(change)
    if not isinstance(change, Create):
        return change
    reason, message = world.memory.held_back(*change.key)
    return Wait(change.name, reason, f"{message.removesuffix('.')}; job {tried} is tried first, alone", change)
