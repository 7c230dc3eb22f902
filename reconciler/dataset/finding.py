"""One thing that is wrong with a training file, or odd about it, at the line and the field where it stands.

Pure. Every rule of this room makes them; `source` shows them as problems of the file.
"""

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct


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
    """A fault in its file. ``line`` and ``column`` count from 1; 0 is the file, or the line, as a whole."""

    line: int
    column: int
    path: str
    message: str
    severity: Severity = Severity.ERROR
