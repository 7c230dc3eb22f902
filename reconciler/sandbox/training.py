"""A training file as the sandbox judges it: how many examples, and what is wrong.

Judged once, on upload, so that creating a job need not read the file again.
It checks only that each line is a JSON object; whether the objects are good
examples is no business of a server that trains nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .job import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable

# The API's own minimum, for every method.
MIN_EXAMPLES = 10
# A common rule of thumb for English; the sandbox owns no tokenizer.
_BYTES_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Dataset:
    """`problem` describes the first bad line, or is None."""

    examples: int
    tokens: int
    problem: str | None = None

    def failure(self) -> Failure | None:
        """How a job that trains on this file ends in validation, if it does."""
        if self.problem is not None:
            message = f"The job failed due to an invalid training file. {self.problem}"
            return Failure("invalid_training_file", message, "training_file")
        if self.examples < MIN_EXAMPLES:
            message = f"Training file has {self.examples} example(s), but must have at least {MIN_EXAMPLES} examples"
            return Failure("invalid_n_examples", message, "training_file")
        return None


def inspect(lines: Iterable[bytes]) -> Dataset:
    """Count the examples; blank lines are none."""
    examples = size = 0
    problem = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        examples += 1
        size += len(line)
        if problem is None and not _is_object(line):
            problem = f"Line {number} is not a JSON object."
    return Dataset(examples, max(1, size // _BYTES_PER_TOKEN), problem)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
