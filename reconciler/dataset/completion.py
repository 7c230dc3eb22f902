"""The rules of a line for models that complete a text: a prompt and its completion.

Pure. `checking` asks `completion_faults`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.dataset.finding import Fault
from reconciler.dataset.words import kind_of, missing


def completion_faults(example: Mapping[str, Any]) -> Iterator[Fault]:
    """Of a line with a prompt and its completion."""
    for field in ("prompt", "completion"):
        if field not in example:
            yield Fault(field, missing("write a text"))
        elif not isinstance(example[field], str):
            yield Fault(field, f"must be a text, not {kind_of(example[field])}")
    if example.get("completion") == "":
        yield Fault("completion", "is empty: there is nothing to learn from it")
