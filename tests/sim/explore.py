"""Every plan of at most N faults over all the effects of a scenario.

A plan of one fault is made from the run without any: each kind of fault at each effect. A plan of two is
made from a run with one: each kind at each effect after it, since what follows a fault is another story.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.sim.chance import FAULTS, Effect
from tests.sim.scenarios import Played, play
from tests.sim.world import REAL, Program

Faults = tuple[tuple[int, str], ...]


def plans(name: str, most: int, *, program: Program = REAL, first: str = "") -> Iterator[tuple[Faults, Played]]:
    """Each plan of at most ``most`` faults, and what it came to; ``first``: those alone that begin with this fault."""
    if not first:
        yield from _beneath(name, (), most, program)
        return
    effects = play(name, {}, program=program).effects
    for number in range(len(effects)):
        if first in options(effects, number):
            yield from _beneath(name, ((number, first),), most, program)


def _beneath(name: str, faults: Faults, most: int, program: Program) -> Iterator[tuple[Faults, Played]]:
    played = play(name, dict(faults), program=program)
    yield faults, played
    if len(faults) == most:
        return
    for more in _following(faults, played.effects):
        yield from _beneath(name, more, most, program)


@dataclass(frozen=True, slots=True)
class Planned:
    """One plan that is still to be played."""

    name: str
    faults: Faults = ()


def grown(planned: Planned) -> tuple[list[str], list[Planned]]:
    """Play a plan: each violation with the plan that shows it, and all plans of one fault more, which follow from it."""
    name, faults = planned.name, planned.faults
    played = play(name, dict(faults))
    found = [f"{name} under {dict(faults)}: {oracle}: {text}" for oracle, text in played.violations]
    return found, [Planned(name, more) for more in _following(faults, played.effects)]


def _following(faults: Faults, effects: Sequence[Effect]) -> Iterator[Faults]:
    for number in range(faults[-1][0] + 1 if faults else 0, len(effects)):
        for fault in options(effects, number):
            yield (*faults, (number, fault))


def options(effects: Sequence[Effect], number: int) -> tuple[str, ...]:
    """The faults of one effect, one of each class that the program can tell apart."""
    kind, process = effects[number]
    last = effects[number - 1] if number else None
    # A crash before an effect is the crash after the one before it, where one process made both in a row.
    crashed = last is not None and last.process == process and "crash after" in FAULTS[last.kind]
    return tuple(
        fault
        for fault in FAULTS[kind]
        if fault not in _ALIKE
        and (fault != "crash before" or (kind in _WRITES and not crashed))
        and not (kind == "list" and fault in _NO_LISTING)
    )


# Refusals of one class of row 14, and a read's errors, lead the program down one path.
_ALIKE = frozenset({"refused 401", "refused 404", "refused 413", "refused 422", "rate limited", "unreadable"})
# So do all errors of a listing; a cut one stands for them.
_NO_LISTING = frozenset({"not sent", "refused 403"})
# A crash before a read is the crash after whatever came before it.
_WRITES = frozenset({"create", "cancel", "journal", "log", "status write"})
