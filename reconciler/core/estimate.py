"""What a job will cost, as far as it can be said before it is sent.

Pure values. `dataset.cost` makes them, `gates` adds them up, `render` shows them. What is not known is None, and never
0: a price of 0 is that of a server of which the operator said so.
"""

from collections.abc import Iterable
from math import fsum

from msgspec import Struct


class Estimate(Struct, frozen=True):
    """Of one job, in US dollars.

    ``tokens`` are those of one epoch, each example counted up to the model's context. ``about``: counted by bytes, by a
    sample, or by a rule that the provider has not published. ``price`` is said in words, ``date`` and ``source`` say
    where it is from. ``why``: why ``usd`` is None, and "" where it is not.
    """

    model: str | None = None
    file: str = ""
    examples: int | None = None
    tokens: int | None = None
    epochs: int | None = None
    about: bool = False
    usd: float | None = None
    price: str = ""
    date: str = ""
    source: str = ""
    why: str = ""

    @property
    def trained(self) -> int | None:
        """The tokens that are paid for."""
        return None if self.tokens is None or self.epochs is None else self.tokens * self.epochs


class Total(Struct, frozen=True):
    """Several jobs together; ``unknown`` are those without a price, which ``usd`` does not hold."""

    usd: float
    unknown: int
    about: bool


def total(estimates: Iterable[Estimate]) -> Total:
    """Their sum, as far as it is known."""
    found = tuple(estimates)
    known = [e for e in found if e.usd is not None]
    return Total(fsum(e.usd or 0 for e in known), len(found) - len(known), any(e.about for e in known))


class Cost(Struct, frozen=True):
    """Of one job that exists: what it has cost, None where that is not known, beside what it was to cost."""

    tokens: int | None
    usd: float | None
    estimate: Estimate


class Spent(Struct, frozen=True):
    """What jobs have cost together; ``unknown`` are those of which it is not known, which ``usd`` does not hold."""

    jobs: int
    tokens: int
    usd: float
    unknown: int


def spent_on(costs: Iterable[Cost]) -> Spent:
    """Their sum, as far as it is known."""
    found = tuple(costs)
    known = [cost.usd for cost in found if cost.usd is not None]
    return Spent(len(found), sum(cost.tokens or 0 for cost in found), fsum(known), len(found) - len(known))


def dollars(usd: float) -> str:
    """As a person writes it: ``$2.79``; what is less than a cent is not nothing."""
    return "<$0.01" if 0 < usd < 0.005 else f"${usd:,.2f}"  # noqa: PLR2004 - half a cent


def exact_dollars(usd: float) -> str:
    """To a hundredth of a cent: in cents, a sum could look like the limit that it is over."""
    whole, _, part = f"{usd:,.4f}".partition(".")
    return f"${whole}.{part[:2]}{part[2:].rstrip('0')}"
