"""The rules of a line for reinforcement: messages that end in a question, and what the grader names.

Pure. `checking` asks `reinforcement_faults`; what a grader names is found in `wanted`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.dataset.chat import conversation_faults, without_messages
from reconciler.dataset.finding import Fault
from reconciler.dataset.rules import Rules
from reconciler.dataset.words import missing, quoted


def reinforcement_faults(example: Mapping[str, Any], rules: Rules, keys: frozenset[str]) -> Iterator[Fault]:
    """Of a line that is answered in training, and graded; ``keys`` are what its grader names."""
    if "messages" not in example:
        yield Fault("messages", missing(without_messages(example)))
    else:
        yield from conversation_faults(example, "", rules)
        messages = example["messages"]
        last = messages[-1] if isinstance(messages, list) and messages else None
        if isinstance(last, dict) and last.get("role") == "assistant":
            where = f"messages[{len(messages) - 1}].role"
            yield Fault(where, "an answer at the end: the model writes it in training; end with the user's message")
    for key in sorted(keys - example.keys()):
        yield Fault(quoted(key), missing(f"the grader names it, as item.{quoted(key)}"))
