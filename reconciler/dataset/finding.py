"""One thing that is wrong with a training file, or odd about it, at the line and the field where it stands.

Pure. Every rule of this room makes them, `checking` a report of them; `source` shows them as problems of the file.
"""

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from reconciler.dataset.formats import Format

SHOWN = 20  # of a file's errors, and of its warnings


class Severity(StrEnum):
    """A flaw is no JSON object; an error costs the job, as far as the rules are the server's; a warning its quality."""

    FLAW = "flaw"
    ERROR = "error"
    WARNING = "warning"


class Fault(NamedTuple):
    """What a rule finds within one example. ``path`` leads there, as in ``messages[2].role``; "" is the example."""

    path: str
    message: str
    severity: Severity = Severity.ERROR


class Finding(Struct, frozen=True, order=True):
    """A fault in its file. ``line`` and ``column`` count from 1; 0 is the file, or the line, as a whole.

    ``text`` is a part of the line, of an error that stands at one place of it: at ``caret``, which counts from 0.
    """

    line: int
    column: int
    path: str
    message: str
    severity: Severity = Severity.ERROR
    text: str = ""
    caret: int = 0


class Report(Struct, frozen=True):
    """What one look at a file found. ``findings`` are the first of both kinds, sorted; the numbers count them all.

    Flaws are errors too. ``examples`` are lines that are not blank, ``size`` is in bytes. ``found``: the file is of
    this format, and not of the one that is wanted.
    """

    examples: int
    size: int
    flaws: int = 0
    errors: int = 0
    warnings: int = 0
    findings: tuple[Finding, ...] = ()
    found: Format | None = None
