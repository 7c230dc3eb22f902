"""A plan as the comment of a pull request: its summary first, then each job, folded.

Pure. `plan -o markdown` prints it, and GitHub Actions shows it as the summary of a step. The first line is a mark by
which a bot finds its comment again. Every text that a server or a manifest chose stands in code (`markdown`).
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from reconciler.core.adoption import DIFFERS
from reconciler.core.change import Action, Keep
from reconciler.errors import escaped, plural
from reconciler.render.markdown import COMMENT_LIMIT, block, code, html_code, marker
from reconciler.render.plan_text import details, loss, notes, summary_line, symbol
from reconciler.render.review import Review, ReviewEntry, header

# Jobs to be ended that the summary names; the others are counted.
_NAMED = 10

# Warnings that are shown; the others are counted.
_WARNINGS_SHOWN = 5

# What costs something comes first, because a comment may be too short for all of it.
_ORDER = {Action.CANCEL: 0, "replace": 1, Action.HOLD: 2, Action.CREATE: 3, Action.ADOPT: 4, Action.WAIT: 5}
_ORDER |= {Action.PAUSE: 1, Action.RESUME: 1}

# How a detail begins that says what is lost.
_LOSSES = ("throws away", "then cancels")

# A command is shown whole or not at all.
_COMMAND_LIMIT = 2_000


def plan_markdown(review: Review) -> str:
    """The review for a pull request's comment."""
    first = marker(review.fleet)
    return "\n".join([first, *plan_lines(review, COMMENT_LIMIT - len(first) - 1)])


def plan_lines(review: Review, limit: int) -> list[str]:
    """The same without its mark, and within ``limit`` characters."""
    head = [f"### Fine-tuning plan: {code(header(review.fleet, review.host, review.organization))}", ""]
    head += [f"**{summary_line(review)}**", *_warnings(review), ""]
    tail = list(_way_on(review))
    room = limit - sum(len(line) + 1 for line in (*head, *tail)) - 200  # for the line that counts the others
    return [*head, *_jobs(review, room), *tail]


def _warnings(review: Review) -> Iterator[str]:
    """What a reader must not miss."""
    said = [f"- {code(review.note, 1_000)}"] if review.note else []
    said += [f"- **Gate `{v.gate}` refuses**: {code(v.message, 1_000)}" for v in review.refusals]
    lost = [
        f"{code(e.change.name)} ({code(loss(job, review))})" for e in review.entries if not e.follows for job in e.ends
    ]
    if lost:
        said.append(f"- **Throws away** {plural(len(lost), 'live job')}: {_some(lost)}")
    said += [f"- {code(note, 2_000)}" for note in notes(review)]
    said += [
        f"- **Adopted, and not what its manifest says**: {code(e.change.name)}: {code(differs, 1_000)}"
        for e in review.entries
        if (differs := e.change.message.partition(DIFFERS)[2])
    ]
    said += [f"- **Warning**: {code(str(warning), 1_000)}" for warning in review.warnings[:_WARNINGS_SHOWN]]
    if (more := len(review.warnings) - _WARNINGS_SHOWN) > 0:
        said.append(f"- {plural(more, 'more warning')}: `reconciler validate` shows them")
    if said:
        yield from ("", *said)


def _some(shown: Sequence[str]) -> str:
    more = f", and {len(shown) - _NAMED} more" if len(shown) > _NAMED else ""
    return f"{', '.join(shown[:_NAMED])}{more}"


def _jobs(review: Review, room: int) -> Iterator[str]:
    """Each change, folded, without what is kept. Those for which there is no room are counted."""
    entries = [e for e in review.entries if not e.follows and not isinstance(e.change, Keep)]
    entries.sort(key=lambda e: _ORDER[e.word])
    for place, entry in enumerate(entries):
        text = "\n".join(_job(entry, review))
        room -= len(text) + 1
        if room < 0:
            words = Counter(e.word for e in entries[place:])
            counts = ", ".join(f"{count} {word}" for word, count in words.items())
            yield from (f"… and {len(entries) - place} more that do not fit in here ({counts}).", "")
            return
        yield text


def _job(entry: ReviewEntry, review: Review) -> Iterator[str]:
    change = entry.change
    refused = f" — refused: {', '.join(entry.refused)}" if entry.refused else ""
    title = f"{symbol(entry)[0]} {entry.word} {html_code(change.name)} — {change.reason}{refused}"
    job = f" [{escaped(change.job_id)}]" if change.job_id else ""
    yield f"<details><summary>{title}</summary>"
    yield ""  # from here on it is Markdown again
    yield from block([f"  {change.message}{job}", *map(_signed, details(entry, review))], "diff")
    yield from ("", "</details>", "")


def _signed(detail: str) -> str:
    """With the sign by which a diff is coloured: what is lost, what is different, and the rest."""
    sign = "-" if detail.startswith(_LOSSES) else "!" if detail.startswith("  ") else " "
    return f"{sign} {detail.strip()}"


def _way_on(review: Review) -> Iterator[str]:
    """The digest and what to do with it; nothing where there is nothing to do."""
    if review.ends_if_approved:
        ahead = _some([code(job_id, 120) for job_id in review.ends_if_approved])
        yield from (f"A person's yes, or this digest approved, also ends what is ahead of this directory: {ahead}", "")
    if not review.changes_present and not review.ends_if_approved:
        return
    yield f"Digest: `{review.digest}`"
    if review.approvable and 0 < len(review.command) <= _COMMAND_LIMIT:
        yield from ("", "To do exactly this:", "", *block([review.command], "sh", width=_COMMAND_LIMIT))
