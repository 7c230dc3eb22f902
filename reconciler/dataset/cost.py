"""What a job will cost: its tokens, times its epochs, times the price.

Pure. `cli.pricing` asks, with what it has read of the files and of the operator's prices. Whatever is not known stays
unknown, and the estimate says why.
"""

from collections.abc import Mapping

from msgspec import Struct

from reconciler.core.estimate import Estimate
from reconciler.core.training import training_of
from reconciler.dataset.epochs import epochs_of
from reconciler.dataset.measure import Measure
from reconciler.dataset.prices import Price

_MILLION = 1_000_000


class Planned(Struct, frozen=True):
    """A job as a plan has it: its base model, its create's body, and the training file by its path or id."""

    model: str | None
    body: Mapping[str, object]
    file: str = ""


def estimate(planned: Planned, measure: Measure | None, price: Price | None) -> Estimate:
    """Of a job; ``measure`` is None where its training file is not here, ``price`` where nobody has said one."""
    epochs = epochs_of(planned.body, measure.examples) if measure else None
    usd, why = _usd(planned, measure, epochs, price)
    return Estimate(
        model=planned.model,
        file=planned.file,
        examples=measure.examples if measure else None,
        tokens=measure.billed if measure else None,
        epochs=epochs,
        about=measure.about if measure else False,
        usd=usd,
        price=price.words if price else "",
        date=price.date if price else "",
        source=price.source if price else "",
        why=why,
    )


def _usd(
    planned: Planned, measure: Measure | None, epochs: int | None, price: Price | None
) -> tuple[float | None, str]:
    """The dollars; or None, and why."""
    if price is None:
        return None, f"no price known for {planned.model}" if planned.model else "its model is not known yet"
    if not price.usd:
        return 0.0, ""
    if price.unit == "per_hour":
        return None, f"{planned.model} is billed by the hour ({price.words}), and how long it takes is not known"
    if training_of(planned.body).method == "reinforcement":
        return None, f"reinforcement is billed by the hour, and no price an hour is known for {planned.model}"
    if measure is None or epochs is None:
        return None, f"its training file {planned.file} is not here to be counted"
    return paid_for(measure.billed * epochs, price), ""


def paid_for(tokens: int | None, price: Price | None) -> float | None:
    """What so many trained tokens have cost; None where that is not known."""
    if price is None:
        return None
    if not price.usd:
        return 0.0
    if tokens is None or price.unit != "per_million_tokens":
        return None
    return price.usd * tokens / _MILLION
