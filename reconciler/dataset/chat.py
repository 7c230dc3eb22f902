"""The rules of a line of chat data, for supervised training; and what every line with messages has in common.

Pure. `checking` asks `chat_faults` of a line that is not `plain`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.dataset.content import images_in
from reconciler.dataset.finding import Fault, Severity
from reconciler.dataset.messages import messages_faults
from reconciler.dataset.rules import Rules
from reconciler.dataset.tools import tool_faults
from reconciler.dataset.words import missing, quoted

IMAGES_LIMIT = 10  # an example

# Lines of other programs, by a field of theirs, and the way on.
_OTHERS: tuple[tuple[str, str], ...] = (
    ("preferred_output", "this is preference data, for method dpo: write messages"),
    ("chosen", "this is preference data, for method dpo: write messages"),
    ("conversations", "rename conversations to messages, from to role and value to content"),
    ("conversation", "rename conversation to messages"),
    ("dialogue", "rename dialogue to messages"),
    ("message", "write messages, a list"),
    ("prompt", "prompt and completion are for davinci-002 and babbage-002: write messages"),
    ("instruction", "write instruction and output as messages of the user and the assistant"),
    ("question", "write question and answer as messages of the user and the assistant"),
    ("text", "write the text as messages"),
)


def chat_faults(example: Mapping[str, Any], rules: Rules) -> Iterator[Fault]:
    """Of a line that is to teach answers."""
    if "messages" not in example:
        yield Fault("messages", missing(without_messages(example)))
        return
    yield from conversation_faults(example, "", rules)
    messages = example["messages"]
    if not isinstance(messages, list) or not messages:
        return
    answers = [one for one in messages if isinstance(one, dict) and one.get("role") == "assistant"]
    if not answers and not any(_is_unclear(one, rules) for one in messages):
        yield Fault("messages", "no assistant message: there is no answer to learn")
    elif answers and all(one.get("weight") == 0 for one in answers):
        yield Fault("messages", "every assistant message has weight 0: nothing is learned", Severity.WARNING)


def _is_unclear(message: object, rules: Rules) -> bool:
    """Whether it may be meant as an answer: that its role is none is said already."""
    role = message.get("role") if isinstance(message, dict) else None
    return not isinstance(role, str) or role not in rules.roles


def conversation_faults(holder: Mapping[str, Any], path: str, rules: Rules) -> Iterator[Fault]:
    """Of messages and tools, wherever they stand; ``path`` ends in a dot, or is ""."""
    messages = holder["messages"]
    yield from messages_faults(messages, f"{path}messages", rules)
    if isinstance(messages, list) and (images := images_in(messages)) > IMAGES_LIMIT:
        yield Fault(f"{path}messages", f"{images} images: the API takes {IMAGES_LIMIT} an example")
    yield from tool_faults(holder, path)


def without_messages(example: Mapping[str, Any]) -> str:
    """What to do about a line that has none."""
    for field, words in _OTHERS:
        if field in example:
            return words
    near = [field for field in example if field.lower().strip() in {"mesages", "messages", "massages", "msgs"}]
    return f"rename {quoted(near[0])} to messages" if near else "write the conversation as a list of messages"
