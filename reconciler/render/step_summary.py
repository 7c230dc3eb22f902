"""What a step of GitHub Actions leaves behind: the summary of an `apply`, and the outputs of `plan` and `apply`.

Pure. `cli.github` writes both to the files that GitHub names. The summary of a `plan` is its Markdown.
"""

from collections.abc import Mapping

from reconciler.engine.apply import Result
from reconciler.render.closing import closing_lines
from reconciler.render.markdown import COMMENT_LIMIT, block, code
from reconciler.render.plan_markdown import plan_lines
from reconciler.render.review import Review, header
from reconciler.render.text import Typed


def apply_markdown(first: Review, result: Result, after: Review, *, typed: Typed) -> str:
    """How an apply ended, then the plan that it began with."""
    lines = list(closing_lines(result, first, after, typed=typed)) or ["Nothing was left to do."]
    place = header(after.fleet, after.host, after.organization)
    plan = plan_lines(first, COMMENT_LIMIT - 10_000)
    return "\n".join([f"### Fine-tuning apply: {code(place)}", "", *block(lines, "text"), "", *plan])


def step_outputs(review: Review) -> Mapping[str, str]:
    """Plain words and numbers: each fits a line ``name=value``."""
    summary = review.summary
    return {
        "changes_present": str(review.changes_present).lower(),
        "digest": review.digest,
        "creates": str(summary["create"]),
        "cancels": str(summary["cancel"]),
        "refused": str(review.refused),
    }
