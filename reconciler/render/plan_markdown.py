"""A plan as the comment of a pull request.

Pure. Every text in it that a server or a manifest chose is escaped, so that it can neither mention nor link.
"""

from reconciler.core.change import Keep
from reconciler.errors import printable
from reconciler.render.plan_text import details, summary_line, symbol
from reconciler.render.review import Review, header
from reconciler.render.text import plural


def plan_markdown(review: Review) -> str:
    """The review for a pull request's comment."""
    shown = [e for e in review.entries if not e.follows and not isinstance(e.change, Keep)]
    kept = sum(isinstance(e.change, Keep) for e in review.entries)
    lines = [f"### Fine-tuning plan: {_cell(header(review.fleet, review.host, review.organization))}", ""]
    if shown:
        lines += ["| | job | reason | what |", "|---|---|---|---|"]
    for entry in shown:
        refused = [f"refused: {entry.refused}"] if entry.refused else []
        what = "<br>".join(_cell(text) for text in (entry.change.message, *refused, *details(entry, review)))
        lines.append(f"| {symbol(entry)[0]} {entry.word} | `{entry.change.name}` | {entry.change.reason} | {what} |")
    lines += ["", f"{plural(kept, 'job')} kept as they are." if kept else ""]
    lines += [f"- **Gate {v.gate} refuses**: {_cell(v.message)}" for v in review.refusals]
    lines += ["", _cell(summary_line(review))]
    if review.ends_if_approved:
        ahead = _cell(", ".join(review.ends_if_approved))
        lines += ["", f"A person's yes, or this digest approved, also ends what is ahead of this directory: {ahead}"]
    lines += ["", f"Digest: `{review.digest}`"]
    return "\n".join(lines)


def _cell(text: str) -> str:
    clean = printable(text)
    for sign in ("\\", "|", "`", "<", "*", "_", "[", "@"):
        clean = clean.replace(sign, f"&#{ord(sign)};")
    return clean
