"""What jobs will cost, and have cost, in words and as data.

Pure. The plan and the reports show it; the figures are `core.estimate`'s.
"""

from collections.abc import Iterable

from reconciler.core.estimate import Cost, Estimate, Spent, Total, dollars
from reconciler.errors import escaped, plural


def counted(number: int, noun: str) -> str:
    """``1 example``, ``1,200 examples``."""
    return plural(number, noun).replace(str(number), f"{number:,}", 1)


def estimate_line(estimate: Estimate) -> str:
    """As in ``data/train.jsonl: 1,200 examples, about 310,000 tokens, 3 epochs ≈ $2.79``."""
    parts = [counted(estimate.examples, "example")] if estimate.examples is not None else []
    if estimate.tokens is not None:
        parts.append(f"{'about ' if estimate.about else ''}{counted(estimate.tokens, 'token')}")
    if estimate.epochs is not None:
        parts.append(plural(estimate.epochs, "epoch"))
    where = f"{escaped(estimate.file)}: " if parts else ""
    if estimate.usd is None:
        why = escaped(estimate.why)
        return f"{where}{', '.join(parts)}; {why}" if parts else f"cost not known: {why}"
    price = "cost nothing here" if estimate.price == "free" else f"≈ {dollars(estimate.usd)}".replace("≈ <", "< ")
    return f"{where}{', '.join(parts)} {price}".strip()


def total_line(total: Total, estimates: Iterable[Estimate], waiting: int = 0, *, sandbox: bool) -> str:
    """What a plan will cost, at which prices, and what that leaves out; ``waiting`` of the jobs are not sent yet."""
    found = tuple(estimates)
    known = [e for e in found if e.usd is not None]
    prices = dict.fromkeys(_dated(e) for e in known if e.price != "free")
    at = ", ".join(filter(None, prices))
    if not known:
        whys = "; ".join(dict.fromkeys(escaped(e.why) for e in found))
        return f"Cost: not known ({whys})"
    usd = _about(dollars(total.usd), about=total.about and bool(total.usd))
    held = f" ({waiting} waiting)" if waiting else ""
    said = f"Cost: {usd} for {plural(len(known), 'new job')}{held}"
    rest = f"; {plural(total.unknown, 'more job')} of unknown cost" if total.unknown else ""
    return f"{said}{f' at prices of {at}' if at else ''}{rest}{'; the sandbox charges nothing' if sandbox else ''}"


def _about(usd: str, *, about: bool) -> str:
    """With "about", but for "<$0.01", which claims no exactness."""
    return f"about {usd}" if about and not usd.startswith("<") else usd


def _dated(estimate: Estimate) -> str:
    source = escaped(estimate.source)
    return f"{estimate.date} ({source})" if estimate.date and source else estimate.date or source


def estimate_data(estimate: Estimate | None) -> dict[str, object] | None:
    """The same for a program."""
    if estimate is None:
        return None
    return {
        "examples": estimate.examples,
        "tokens": estimate.tokens,
        "epochs": estimate.epochs,
        "trained_tokens": estimate.trained,
        "about": estimate.about,
        "usd": _cents(estimate.usd),
        "price": estimate.price or None,
        "price_date": estimate.date or None,
        "price_source": estimate.source or None,
        "unknown": estimate.why or None,
    }


def total_data(total: Total | None) -> dict[str, object] | None:
    """The same for a program; ``unknown`` counts the jobs that ``usd`` leaves out."""
    if total is None:
        return None
    return {"usd": _cents(total.usd), "about": total.about, "unknown": total.unknown}


def cost_words(cost: Cost) -> str:
    """As in ``$2.79 (about $2.80 estimated)``; "" where nothing is known to have been paid."""
    if not cost.usd:
        return ""
    estimated = cost.estimate.usd
    if estimated is None:
        return dollars(cost.usd)
    return f"{dollars(cost.usd)} ({_about(dollars(estimated), about=cost.estimate.about)} estimated)"


def cost_data(cost: Cost | None) -> dict[str, object] | None:
    """The same for a program."""
    if cost is None:
        return None
    return {"trained_tokens": cost.tokens, "usd": _cents(cost.usd), "estimate": estimate_data(cost.estimate)}


def spent_line(spent: Spent) -> str:
    """What a fleet has spent; "" where nothing is known to have been paid."""
    if not spent.usd:
        return ""
    rest = f"; {plural(spent.unknown, 'job')} of unknown cost" if spent.unknown else ""
    return f"spent: {dollars(spent.usd)} for {spent.tokens:,} trained tokens of {plural(spent.jobs, 'job')}{rest}"


def spent_data(spent: Spent | None) -> dict[str, object] | None:
    """The same for a program."""
    if spent is None:
        return None
    return {
        "jobs": spent.jobs,
        "trained_tokens": spent.tokens,
        "usd": _cents(spent.usd),
        "unknown": spent.unknown,
    }


def _cents(usd: float | None) -> float | None:
    """To a hundredth of a cent: small jobs cost less than one."""
    return None if usd is None else round(usd, 4)
