"""The rules of a line of preference data, for method dpo: an input, and two outputs of which one is better.

Pure. `checking` asks `preference_faults`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.dataset.chat import conversation_faults
from reconciler.dataset.finding import Fault, Severity
from reconciler.dataset.messages import message_faults
from reconciler.dataset.rules import Rules
from reconciler.dataset.words import kind_of, missing

OUTPUTS = ("preferred_output", "non_preferred_output")

# What one document of the API, and other trainers, call the fields.
_MEANT: Mapping[str, tuple[str, ...]] = {
    "input": ("prompt", "messages"),
    "preferred_output": ("preferred_completion", "chosen", "preferred"),
    "non_preferred_output": (
        "non_preferred_completion",
        "rejected",
        "non_preferred",
        "unpreferred_output",
        "dispreferred_output",
    ),
}


def preference_faults(example: Mapping[str, Any], rules: Rules) -> Iterator[Fault]:
    """Of a line that is to teach a preference."""
    yield from _input(example, rules)
    for field in OUTPUTS:
        if field in example:
            yield from _output(example[field], field, rules)
        else:
            yield _missing(example, field)
    if example.get(OUTPUTS[0]) is not None and example.get(OUTPUTS[0]) == example.get(OUTPUTS[1]):
        yield Fault(OUTPUTS[1], "the same as preferred_output: there is no preference to learn", Severity.WARNING)


def _missing(example: Mapping[str, Any], field: str) -> Fault:
    instead = next((name for name in _MEANT[field] if name in example), "")
    if field == "input":
        way_on = 'write {"messages": […]}' + (f" in the place of {instead}" if instead else "")
        return Fault(field, missing(way_on))
    if instead:
        return Fault(instead, f"write {field}")
    return Fault(field, missing("write a list of one assistant message"))


def _input(example: Mapping[str, Any], rules: Rules) -> Iterator[Fault]:
    given = example.get("input")
    if "input" not in example:
        yield _missing(example, "input")
    elif isinstance(given, list):
        yield Fault("input", 'must be an object: write {"messages": …} around the list')
    elif not isinstance(given, dict):
        yield Fault("input", f'must be an object {{"messages": […]}}, not {kind_of(given)}')
    elif "messages" not in given:
        yield Fault("input.messages", missing("write the conversation as a list of messages"))
    else:
        yield from conversation_faults(given, "input.", rules)


def _output(output: object, path: str, rules: Rules) -> Iterator[Fault]:
    if isinstance(output, dict):
        yield Fault(path, "must be a list of one assistant message: write [ ] around the message")
        return
    if isinstance(output, str):
        yield Fault(path, 'must be a list of one message: write [{"role": "assistant", "content": "…"}]')
        return
    if not isinstance(output, list):
        yield Fault(path, f"must be a list of one assistant message, not {kind_of(output)}")
        return
    if len(output) != 1:
        yield Fault(path, f"must hold one assistant message, and holds {len(output)}")
    for number, message in enumerate(output):
        yield from _answer(message, f"{path}[{number}]", rules)


def _answer(message: object, path: str, rules: Rules) -> Iterator[Fault]:
    yield from message_faults(message, path, rules, set())
    if not isinstance(message, dict):
        return
    role = message.get("role")
    if isinstance(role, str) and role in rules.roles and role != "assistant":
        yield Fault(f"{path}.role", f"must be assistant, not {role}")
    elif message.get("tool_calls") or message.get("function_call"):
        field = "tool_calls" if message.get("tool_calls") else "function_call"
        yield Fault(f"{path}.{field}", "preferences are between texts: remove it")
