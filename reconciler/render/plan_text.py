"""A plan for a person at a terminal or in the log of a pipeline.

Pure. `plan` and `apply` print it. Every text in it that a server or a manifest chose is escaped.
"""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from reconciler.core.change import Action, Cancel, Create, Keep
from reconciler.core.documents import ProviderName
from reconciler.core.estimate import dollars
from reconciler.core.job import Job
from reconciler.core.memory import Elsewhere
from reconciler.core.status import Progress
from reconciler.errors import escaped, plural, printable
from reconciler.render.cost import estimate_line, total_line
from reconciler.render.review import Difference, Review, ReviewEntry, Since, header
from reconciler.render.status_line import next_try
from reconciler.render.text import age, hanging, paint, sentence

# Kept jobs that are shown; the others are counted, because nobody reads a long review.
_KEPT_LIMIT = 40
_ELSEWHERE_LIMIT = 10

_SYMBOLS: Mapping[str, tuple[str, str]] = {
    Action.CREATE: ("+", "green"),
    "replace": ("±", "yellow"),
    Action.CANCEL: ("-", "red"),
    Action.PAUSE: ("|", "yellow"),
    Action.RESUME: (">", "green"),
    Action.ADOPT: ("=", "cyan"),
    Action.KEEP: ("=", ""),
    Action.WAIT: ("~", "yellow"),
    Action.HOLD: ("!", "yellow"),
}

_DETAIL = "      "


def symbol(entry: ReviewEntry) -> tuple[str, str]:
    """The sign of a change and its colour."""
    return _SYMBOLS[entry.word]


def plan_text(review: Review, *, colours: bool = False, width: int | None = None) -> str:
    """The review as lines; none is longer than ``width`` columns, where one is given."""
    lines = [*sentence(header(review.fleet, review.host, review.organization), width), ""]
    if review.note:
        lines += [*sentence(review.note, width), ""]
    names = max((len(c.name) for c in review.plan.changes), default=0)
    kept = 0
    for entry in review.entries:
        if entry.follows:
            continue  # shown under the create that it follows
        kept += isinstance(entry.change, Keep)
        if isinstance(entry.change, Keep) and kept > _KEPT_LIMIT:
            continue
        lines += _entry(entry, review, names, colours=colours, width=width)
    if kept > _KEPT_LIMIT:
        lines.append(f"  = and {kept - _KEPT_LIMIT} more that are kept")
    if not review.plan.changes:
        lines.append("  nothing is declared, and nothing of this fleet is live")
    lines.append("")
    for verdict in review.refusals:
        text = f"Gate {verdict.gate} refuses: {printable(verdict.message)}."
        lines += (paint(line, "red", colours=colours) for line in hanging(text, "", "  ", width))
    for text in notes(review):
        lines += hanging(printable(f"{text}."), "", "  ", width)
    lines += [*hanging(summary_line(review), "", "  ", width), *_way_on(review, width)]
    return "\n".join(lines)


def notes(review: Review) -> Iterator[str]:
    """What the plan costs, and what goes on at other accounts, which are not looked at."""
    if review.cost is not None:
        known = {name for name, estimate in review.estimates.items() if estimate.usd is not None}
        waiting = sum(entry.word == "wait" and entry.change.name in known for entry in review.entries)
        sandbox = review.provider == ProviderName.SANDBOX
        yield total_line(review.cost, review.estimates.values(), waiting, sandbox=sandbox)
    left = review.left_elsewhere
    if not left:
        return
    shown = ", ".join(f"{job.name} ({job.job_id} at {place(job)})" for job in left[:_ELSEWHERE_LIMIT])
    more = f" and {len(left) - _ELSEWHERE_LIMIT} more" if len(left) > _ELSEWHERE_LIMIT else ""
    yield (
        f"This fleet had {plural(len(left), 'live job')} elsewhere when it was last seen there: {shown}{more}. "
        "Nothing there is looked at or cancelled from here"
    )


def place(job: Elsewhere) -> str:
    """The account of a job that is not at this one."""
    host = urlsplit(job.base_url).netloc or job.base_url
    whose = ", ".join(part for part in (job.organization, job.project) if part)
    return f"{host} ({whose})" if whose else host


_COUNTED = (
    {"create": "to create", "cancel": "to cancel", "pause": "to pause", "resume": "to resume"},
    {"adopt": "to adopt", "keep": "kept", "wait": "waiting", "hold": "held"},
)


def summary_line(review: Review) -> str:
    """One line of counts, without zeros. A refused write is counted as a write, and again as refused."""
    counts = review.summary
    writes, others = ([f"{counts[key]} {word}" for key, word in words.items() if counts.get(key)] for words in _COUNTED)
    said = [*writes, *others]
    unmanaged = f" {plural(review.plan.unmanaged, 'job')} at this provider not ours." if review.plan.unmanaged else ""
    if review.converged:
        calm = "" if counts["hold"] else ": everything is as declared"
        stands = f" ({', '.join(said)})" if said else ""
        return f"Nothing to do{calm}{stands}.{unmanaged}"
    if review.refused:
        parts = (", ".join(writes), f"{review.refused} of them refused", ", ".join(others))
        return f"Plan: {'; '.join(filter(None, parts))}.{_uploads(review)}{unmanaged}"
    return f"Plan: {', '.join(said)}.{_uploads(review)}{unmanaged}"


def _uploads(review: Review) -> str:
    count = review.summary["upload"]
    if not count:
        return ""
    return f" {plural(count, 'training file')} to upload{'' if review.there is not None else ' where missing'}."


def _way_on(review: Review, width: int | None) -> Iterator[str]:
    """What a person can do with this plan; nothing where there is nothing to do."""
    if review.ends_if_approved:
        jobs = ", ".join(escaped(job_id) for job_id in review.ends_if_approved)
        ahead = f"A person's yes, or this digest approved, also ends what is ahead of this directory: {jobs}"
        yield from hanging(ahead, "", "  ", width)
    if not review.changes_present and not review.ends_if_approved:
        return
    yield f"Digest: {review.digest}"
    if review.approvable and review.command:
        yield f"To do exactly this: {review.command}"  # never wrapped: it is copied


def _entry(entry: ReviewEntry, review: Review, names: int, *, colours: bool, width: int | None) -> Iterator[str]:
    sign, colour = symbol(entry)
    change = entry.change
    lead = f"{sign} {entry.word}"
    plain = f"  {lead:<9}  {change.name:<{names}}  "
    job = f" [{escaped(change.job_id)}]" if change.job_id else ""
    first, *rest = hanging(f"{change.reason}: {printable(change.message)}{job}", plain, _DETAIL, width)
    yield first.replace(lead, paint(lead, colour, colours=colours), 1)
    yield from rest
    if entry.refused:
        yield _DETAIL + paint(f"refused: {', '.join(entry.refused)}", "red", colours=colours)
    for detail in details(entry, review):
        yield from hanging(detail, _DETAIL, f"{_DETAIL}  ", width)


def details(entry: ReviewEntry, review: Review) -> Iterator[str]:
    """What a change costs, what it is about and what is different; a sentence each."""
    change = entry.change
    if isinstance(change, Cancel):
        yield from (f"throws away: {loss(job, review)}" for job in entry.ends)
    if not isinstance(change, Create):
        return
    yield from (f"then cancels {escaped(job.id)}: {loss(job, review)}" for job in entry.ends)
    for job in entry.outlived:
        yield (
            f"leaves running {escaped(job.id)}: {loss(job, review)}; it does not carry this fleet's marks, so it is "
            "never cancelled from here: cancel it by hand"
        )
    yield from _trained_elsewhere(entry)
    yield from _since(entry.since) if entry.since is not None else _order(change, review)
    if estimate := review.estimates.get(change.name):
        yield estimate_line(estimate)
    if found := review.refusal(change):
        refusal, words = found
        yield f"{refusal.reason} before: {printable(words)}; {next_try(refusal, review.now)}; apply tries at once"
    if besides := review.besides(change):
        yield f"sends besides: {escaped(besides)}"
    uploads = ", ".join(escaped(file.path) for file in review.uploads(change))
    if uploads and review.there is not None:
        yield f"uploads {uploads}"


def _trained_elsewhere(entry: ReviewEntry) -> Iterator[str]:
    """What a create would train again: the jobs of its name at other accounts."""
    for job in entry.elsewhere:
        spec = "this very spec" if job.revision == entry.change.revision else "another spec"
        state = "live" if job.live else "ended"
        yield escaped(f"trains again what {place(job)} has as job {job.job_id} ({spec}; {state} when last seen)")


def loss(job: Job, review: Review) -> str:
    """What a cancel throws away: status, age, steps, money."""
    progress = review.progress.get(job.id)
    old = f", {age(review.now - job.created_at)} old" if job.created_at else ""
    spent = review.so_far.get(job.id)
    cost = f", {dollars(spent)} spent" if spent else ""
    return f"{escaped(job.status)}{old}{f', {steps(progress)}' if progress else ''}{cost}"


def steps(progress: Progress) -> str:
    """``step 40 of 100``; without the end where the provider does not tell it."""
    return f"step {progress.step}{f' of {progress.total_steps}' if progress.total_steps else ''}"


def difference_line(difference: Difference) -> str:
    """As in ``n_epochs: 3 → 20``."""
    return escaped(f"{difference.field}: {_shown(difference.old)} → {_shown(difference.new)}")


def _order(change: Create, review: Review) -> Iterator[str]:
    files = ", ".join(review.trained_on(change))
    yield escaped(f"trains {review.model(change)} on {files}, revision {change.revision}, attempt {change.attempt}")


def _since(since: Since) -> Iterator[str]:
    """Which fields changed, against the revision of the earlier job."""
    earlier = f"job {escaped(since.job.id)} ({escaped(since.job.status)})"
    if since.differences is None:
        yield f"which fields changed since {earlier} is not known here: its spec was not read in this directory"
        return
    hidden = f" ({plural(since.unchanged, 'unchanged field')} hidden)" if since.unchanged else ""
    yield f"changes since {earlier}{hidden}:"
    yield from (f"  {difference_line(difference)}" for difference in since.differences)


def _shown(value: object) -> str:
    text = "(unset)" if value is None else str(value)
    if text.startswith("sha256:"):
        return text[:19]  # twelve digits of a digest tell two files apart
    return f"{text[:60]}…" if len(text) > 60 else text  # noqa: PLR2004 - one line of a review
