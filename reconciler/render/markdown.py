"""Foreign text in GitHub's Markdown: it can mention nobody, link to nothing and close nothing that it stands in.

Pure. All of it stands in code, where GitHub neither mentions, nor links, nor formats. Its own backticks cannot end it.
"""

import re
from collections.abc import Iterable
from itertools import accumulate

from reconciler.errors import printable

# GitHub takes 65,536 characters for a comment.
COMMENT_LIMIT = 60_000

# A fleet's name is a DNS label. Anything else is cut and cleaned, so that it cannot end the mark.
_NAME_MAX = 63

_ELLIPSIS = "…"


def marker(fleet: str) -> str:
    """The hidden first line of a fleet's comment; without a name where ``fleet`` is "", since it is not known."""
    name = re.sub(r"[^a-z0-9-]", "-", fleet)[:_NAME_MAX]
    return f"<!-- reconciler plan {name} -->" if name else "<!-- reconciler plan -->"


def code(text: str, limit: int = 400) -> str:
    """``text`` as code within a line of Markdown."""
    clean = _cut(printable(text), limit)
    ticks = "`" * (_longest_run(clean) + 1)
    space = " " if clean.startswith("`") or clean.endswith("`") else ""
    return f"{ticks}{space}{clean}{space}{ticks}"


def html_code(text: str, limit: int = 200) -> str:
    """``text`` as code within a line of HTML."""
    from html import escape  # noqa: PLC0415 - only Markdown needs it, and it brings every entity's name

    return f"<code>{escape(_cut(printable(text), limit))}</code>"


def block(lines: Iterable[str], language: str = "", *, limit: int = 8_000, width: int = 600) -> list[str]:
    """Lines of code; each of ``width`` characters at most, and those beyond ``limit`` are counted."""
    clean = [_cut(printable(line), width) for line in lines]
    ends = list(accumulate(len(line) + 1 for line in clean))
    shown = [line for line, end in zip(clean, ends, strict=True) if end <= limit]
    if len(shown) < len(clean):
        shown.append(f"{_ELLIPSIS} and {len(clean) - len(shown)} more lines")
    ticks = "`" * max(3, _longest_run("\n".join(clean)) + 1)
    return [f"{ticks}{language}", *shown, ticks]


def error_markdown(command: str, message: str) -> str:
    """What stands in place of a plan where a command has failed."""
    return "\n".join([f"### Fine-tuning {command} failed", "", *block(message.split("\n"), "text")])


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + _ELLIPSIS


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
