"""Which form the lines of a training file must have for a method and a model, and which one a line has.

Pure. `checking` asks what is wanted; the rules of each format stand in a module of its name.
"""

from collections.abc import Mapping
from enum import StrEnum

from reconciler.dataset.bases import names_of

# The models that complete a text and know no messages.
COMPLETION_MODELS = frozenset({"davinci-002", "babbage-002"})


class Format(StrEnum):
    """The form of a line."""

    CHAT = "chat"  # messages, the last answers of which are learned
    PREFERENCE = "preference"  # an input, and two outputs of which one is better
    REINFORCEMENT = "reinforcement"  # messages, and what a grader compares an answer with
    COMPLETION = "completion"  # a prompt and its completion


# What a line of each format has, in words that go on "one example a line: …".
SHAPES: Mapping[Format, str] = {
    Format.CHAT: '{"messages": […]}',
    Format.PREFERENCE: '{"input": {"messages": […]}, "preferred_output": […], "non_preferred_output": […]}',
    Format.REINFORCEMENT: '{"messages": […], and what the grader names}',
    Format.COMPLETION: '{"prompt": "…", "completion": "…"}',
}

_OF_METHOD = {"dpo": Format.PREFERENCE, "reinforcement": Format.REINFORCEMENT}


def wanted_format(method: str, model: str) -> Format:
    """Of a job with this ``method.type`` ("" is supervised) and this base or fine-tuned model."""
    if method in _OF_METHOD:
        return _OF_METHOD[method]
    return Format.COMPLETION if is_completion_model(model) else Format.CHAT


def is_completion_model(model: str) -> bool:
    """Whether it completes a text: one of two bases, under its own name or as what it was trained further into."""
    return not COMPLETION_MODELS.isdisjoint(names_of(model))


def format_of(line: Mapping[str, object]) -> Format | None:
    """The format that a line was meant as, by its fields; None where nobody can tell.

    Reinforcement's lines are messages too: of a line alone that has no answer and something beside the messages.
    """
    if line.keys() & _PREFERENCE:
        return Format.PREFERENCE
    messages = line.get("messages")
    if messages is not None:
        last = messages[-1] if isinstance(messages, list) and messages else None
        asks = isinstance(last, Mapping) and last.get("role") in ("user", "developer", "system")
        return Format.REINFORCEMENT if asks and line.keys() - _BESIDE_MESSAGES else Format.CHAT
    return Format.COMPLETION if {"prompt", "completion"} <= line.keys() else None


_PREFERENCE = {
    "preferred_output",
    "non_preferred_output",
    "preferred_completion",
    "non_preferred_completion",
    "chosen",
    "rejected",
}
_BESIDE_MESSAGES = {"messages", "tools", "functions", "parallel_tool_calls"}
