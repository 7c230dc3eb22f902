"""The end of an `apply`, for a person: what was done, what was not and why, and what to do next.

Pure. What the plan has shown, and has not changed since, is not said again.
"""

from collections import Counter
from collections.abc import Iterator

from reconciler.core.change import Action, Hold, Wait
from reconciler.core.gates import APPROVAL, WAIVABLE, Verdict
from reconciler.core.reason import Reason, Trouble
from reconciler.engine.act import Outcome
from reconciler.engine.apply import Result
from reconciler.errors import printable
from reconciler.render.review import Review, ReviewEntry
from reconciler.render.text import Typed, paint, sentence

_DONE = {
    Action.CREATE: "created",
    Action.CANCEL: "cancelled",
    Action.PAUSE: "paused",
    Action.RESUME: "resumed",
}


def outcome_line(outcome: Outcome, *, colours: bool = False) -> str:
    """What came of one write."""
    symbol, colour = ("✓", "green") if outcome.ok else ("✗", "red") if outcome.put_off is None else ("…", "yellow")
    return f"{paint(symbol, colour, colours=colours)} {outcome.name}: {printable(outcome.message)}"


def failure_of(result: Result) -> str:
    """Why an apply is red although each of its writes may have gone well; "" where it is not."""
    if result.failure or not result.unsuccessful:
        return result.failure
    return f"failed, or cancelled by somebody else: {', '.join(result.unsuccessful)}"


def closing_lines(  # noqa: PLR0913 - how it is laid out, beside what is said
    result: Result, first: Review, after: Review, *, typed: Typed, colours: bool = False, width: int | None = None
) -> Iterator[str]:
    """A line for each thing that was done or not; none where there was nothing to do and nothing is wrong.

    ``first`` is the plan that was shown, ``after`` as it stands at the end.
    """
    done = Counter(_DONE[o.action] for o in result.outcomes if o.ok)
    if done:
        yield f"Done: {', '.join(f'{count} {word}' for word, count in done.items())}."
    troubles = [*_failed(result), *_refused(first, after), *_not_tried(result), *_unsuccessful(result, first)]
    if result.failure:
        troubles.append(f"Stopped: {printable(result.failure)}")
    for trouble in troubles:
        yield from (paint(line, "red", colours=colours) for line in sentence(trouble, width))
    if result.timed_out:
        yield "Timed out: what is live goes on at the provider."
    for line in _next(result, after, typed):
        yield from sentence(line, width)


def _failed(result: Result) -> Iterator[str]:
    """What was tried and did not come about; of several tries the last."""
    last = {(o.name, o.action, o.job_id): o for o in result.outcomes}
    for outcome in last.values():
        if not outcome.ok and outcome.put_off is None:
            word = "Unknown" if outcome.unknown else "Failed"
            yield f"{word}: {outcome.action} of {outcome.name}: {printable(outcome.message)}"
    tried = {o.name for o in last.values() if not o.ok}
    for change in result.last.after.gated.plan.changes:
        if change.reason.trouble is Trouble.OWN and change.name not in tried:
            yield f"Not done: {change.name}: {printable(change.message)}"


def _refused(first: Review, after: Review) -> Iterator[str]:
    """What each gate refused, and why where the plan has not said so."""
    said = {""}
    for verdict in after.refusals:
        names = ", ".join(_named(e, verdict) for e in after.entries if verdict.gate in e.refused and not e.follows)
        why = "" if verdict in first.refusals else f": {printable(verdict.message)}"
        yield f"Refused by gate {verdict.gate}{', too' if names in said else f': {names}'}{why}."
        said.add(names)


def _named(entry: ReviewEntry, verdict: Verdict) -> str:
    """A refused change. One that an approval did not cover came up after the plan, so its reason is said here."""
    why = f" ({entry.change.reason}: {printable(entry.change.message)})" if verdict.gate == APPROVAL else ""
    return f"{entry.word} {entry.change.name}{why}"


def _not_tried(result: Result) -> Iterator[str]:
    plan = result.last.after.gated.plan
    tried = {(o.name, o.action) for o in result.outcomes}
    left = [f"{w.action} {w.name}" for w in plan.writes if (w.name, w.action) not in tried]
    left += [f"create {c.name} ({printable(c.message)})" for c in plan.changes if isinstance(c, Wait) and c.put_off]
    if left:
        yield f"Not tried: {', '.join(left)}."


def _unsuccessful(result: Result, first: Review) -> Iterator[str]:
    """Which declared jobs stand failed, and why where the plan has not said so."""
    names = set(result.unsuccessful)
    for change in result.last.after.gated.plan.changes:
        if isinstance(change, Hold) and change.name in names:
            why = "" if change in first.plan.changes else f": {printable(change.message)}"
            yield f"{change.reason}: {change.name}{why}"


def _next(result: Result, after: Review, typed: Typed) -> Iterator[str]:
    """What a person can do; nothing where all went well."""
    refused = {v.gate for v in after.refusals}
    if refused & WAIVABLE and after.command:
        yield f"To do what was refused: {after.command}"
    yield from (f"Next: {text}" for text in _advice(result, typed))


def _advice(result: Result, typed: Typed) -> list[str]:
    """What to do next, the most urgent first. A command to copy ends its line."""
    after = result.last.after
    objections = after.seen.world.objections
    rejected = {c.name for c in after.gated.plan.changes if c.reason is Reason.CREATE_REJECTED}
    objected = sorted(rejected & objections.keys())
    reasons = {c.reason for c in after.gated.plan.changes if c.name not in objected}
    table = (
        (any(o.unknown for o in result.outcomes), "run apply again: it looks for the lost create first."),
        (bool(objected), f"do what is said of {', '.join(objected)}: this server is not sent that spec as it is."),
        (Reason.CREATE_REJECTED in reasons, "mend what the provider rejects, or run apply again to try once more."),
        (Reason.CREATE_REFUSED in reasons, "run apply again once the provider takes new jobs."),
        (bool(result.failure or after.gated.plan.writes or after.gated.plan.put_off), "run apply again."),
        (
            any(v.gate == APPROVAL for v in after.gated.refusals),
            f"see what is left, with the digest that approves it: {typed('plan', '')}",
        ),
        *((True, typed("describe", name)) for name in result.unsuccessful[:1]),
        (result.timed_out, f"see how far they are: {typed('status', '')}"),
    )
    said = [text for applies, text in table if applies]
    return said[:1] if said and said[0].startswith("run apply") else said
