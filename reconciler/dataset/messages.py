"""What a message may be, whatever the format of the line it stands in; chat's own rules for whole lines are in `chat`.

Pure. Each function yields the faults of one value, whose path it is given. The bounds are those of the API reference
(CreateChatCompletionRequest, and the guides of supervised, vision and preference fine-tuning).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import DecodeError
from msgspec.json import Decoder

from reconciler.core.nearest import nearest
from reconciler.dataset.content import content_faults
from reconciler.dataset.finding import Fault
from reconciler.dataset.rules import Rules
from reconciler.dataset.words import kind_of, missing, quoted

# What other programs call the roles.
_MEANT_ROLES = {
    "human": "user",
    "customer": "user",
    "bot": "assistant",
    "gpt": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "agent": "assistant",
    "chatgpt": "assistant",
    "function_call": "assistant",
    "observation": "tool",
    "tool_response": "tool",
    "ipython": "tool",
}
_MEANT_FIELDS = {"text": "content", "value": "content", "message": "content", "from": "role", "speaker": "role"}
# Fields that answers of the API hold; they come with a conversation that was recorded.
_FIELDS = (
    "role",
    "content",
    "name",
    "weight",
    "tool_calls",
    "tool_call_id",
    "function_call",
    "refusal",
    "audio",
    "annotations",
)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_arguments = Decoder(dict[str, Any]).decode

Message = Mapping[str, Any]


def messages_faults(messages: object, path: str, rules: Rules) -> Iterator[Fault]:
    """Of a list of messages."""
    if not isinstance(messages, list):
        yield Fault(path, f"must be a list of messages, not {kind_of(messages)}")
        return
    if not messages:
        yield Fault(path, "is empty: write at least one message")
    calls: set[str] = set()  # the ids of all that were made so far
    for number, message in enumerate(messages):
        yield from message_faults(message, f"{path}[{number}]", rules, calls)


def message_faults(message: object, path: str, rules: Rules, calls: set[str]) -> Iterator[Fault]:
    """Of one message."""
    if not isinstance(message, dict):
        yield Fault(path, f"must be an object with role and content, not {kind_of(message)}")
        return
    yield from _unknown(message, path)
    role = message.get("role")
    if "role" not in message:
        if not any(_MEANT_FIELDS.get(field) == "role" for field in message):
            yield Fault(f"{path}.role", missing(f"write one of {_listed(rules)}"))
        return
    if not isinstance(role, str) or role not in rules.roles:
        yield Fault(f"{path}.role", _no_role(role, rules))
        return
    yield from _content(message, role, path)
    yield from _of_assistants(message, role, path)
    yield from _name(message, role, path)
    yield from _answers_call(message, role, path, calls)


def _unknown(message: Message, path: str) -> Iterator[Fault]:
    for field in message:
        if field not in _FIELDS:
            meant = _MEANT_FIELDS.get(field) or nearest(field, _FIELDS)
            taken = meant in message
            hint = f": write {meant}" if meant and not taken else ": remove it"
            yield Fault(f"{path}.{quoted(field)}", f"is no field of a message{hint}")


def _listed(rules: Rules) -> str:
    return ", ".join(sorted(rules.roles))


def _no_role(role: object, rules: Rules) -> str:
    if not isinstance(role, str):
        return f"must be one of {_listed(rules)}, not {kind_of(role)}"
    meant = _MEANT_ROLES.get(role.strip().lower()) or nearest(role.strip().lower(), rules.roles)
    return f"{quoted(role)} is no role: " + (f"write {meant}" if meant else f"write one of {_listed(rules)}")


def _content(message: Message, role: str, path: str) -> Iterator[Fault]:
    content = message.get("content")
    if content is not None:
        yield from content_faults(content, role, f"{path}.content")
    elif role != "assistant":
        where = f"{path}.content"
        yield Fault(where, "is null: write a text" if "content" in message else missing("write a text"))
    elif not any(message.get(field) for field in ("tool_calls", "function_call", "refusal")):
        what = "is null" if "content" in message else "is missing"
        yield Fault(f"{path}.content", f"{what}: an assistant message has content or tool_calls")


def _of_assistants(message: Message, role: str, path: str) -> Iterator[Fault]:
    """What only an assistant's message may have."""
    weight, calls, call = message.get("weight"), message.get("tool_calls"), message.get("function_call")
    if role != "assistant":
        for field in ("weight", "tool_calls", "function_call", "refusal"):
            if message.get(field) is not None:
                yield Fault(f"{path}.{field}", f"goes with role assistant, not with {role}: remove it")
        return
    if weight is not None and (isinstance(weight, bool) or weight not in (0, 1)):
        yield Fault(f"{path}.weight", f"must be 0 or 1, not {kind_of(weight)}")
    if calls is not None:
        yield from _tool_calls(calls, f"{path}.tool_calls")
    if call is not None:
        yield from _function(call, f"{path}.function_call")


def _tool_calls(calls: object, path: str) -> Iterator[Fault]:
    if not isinstance(calls, list):
        yield Fault(path, f"must be a list of calls, not {kind_of(calls)}")
        return
    if not calls:
        yield Fault(path, "is empty: leave it out where nothing is called")
    seen: set[str] = set()
    for number, call in enumerate(calls):
        at = f"{path}[{number}]"
        if not isinstance(call, dict):
            yield Fault(at, f"must be an object with id, type and function, not {kind_of(call)}")
            continue
        yield from _call_id(call, at, seen)
        yield from type_faults(call, at)
        if "function" not in call:
            yield Fault(f"{at}.function", missing("write an object with name and arguments"))
        else:
            yield from _function(call["function"], f"{at}.function")


def type_faults(holder: Message, path: str) -> Iterator[Fault]:
    """Of the type of a call, or of a tool: the API knows one."""
    if holder.get("type") != "function":
        given = f"must be function, not {quoted(holder['type'])}" if "type" in holder else missing("write function")
        yield Fault(f"{path}.type", given)


def _call_id(call: Message, path: str, seen: set[str]) -> Iterator[Fault]:
    given = call.get("id")
    if "id" not in call:
        yield Fault(f"{path}.id", missing("the tool message that answers the call names it as tool_call_id"))
    elif not isinstance(given, str) or not given:
        yield Fault(f"{path}.id", f"must be a text, not {kind_of(given)}")
    elif given in seen:
        yield Fault(f"{path}.id", f"{quoted(given)} stands here again: each call has an id of its own")
    else:
        seen.add(given)


def _function(function: object, path: str) -> Iterator[Fault]:
    """Of what a call names: a function and its arguments."""
    if not isinstance(function, dict):
        yield Fault(path, f"must be an object with name and arguments, not {kind_of(function)}")
        return
    yield from name_faults(function.get("name"), f"{path}.name", present="name" in function)
    if "arguments" not in function:
        yield Fault(f"{path}.arguments", missing('write the arguments as a text of JSON, "{}" where there are none'))
        return
    yield from _argument_faults(function["arguments"], f"{path}.arguments")


def _argument_faults(arguments: object, path: str) -> Iterator[Fault]:
    if isinstance(arguments, dict):
        yield Fault(path, "must be a text that holds JSON, not an object: write it with json.dumps")
        return
    if not isinstance(arguments, str):
        yield Fault(path, f"must be a text that holds a JSON object, not {kind_of(arguments)}")
        return
    try:
        _arguments(arguments)
    except (DecodeError, UnicodeError, RecursionError):
        yield Fault(path, f"is no JSON object: {quoted(arguments)}; write it with json.dumps")


def name_faults(name: object, path: str, *, present: bool) -> Iterator[Fault]:
    """Of the name of a function or of a speaker."""
    if not present:
        yield Fault(path, missing("write the function's name"))
    elif not isinstance(name, str):
        yield Fault(path, f"must be a text, not {kind_of(name)}")
    elif not _NAME.fullmatch(name):
        yield Fault(path, f"{quoted(name)}: a name has 1 to 64 of the characters a-z, A-Z, 0-9, _ and -")


def _name(message: Message, role: str, path: str) -> Iterator[Fault]:
    if role == "function" or message.get("name") is not None:
        yield from name_faults(message.get("name"), f"{path}.name", present=message.get("name") is not None)


def _answers_call(message: Message, role: str, path: str, calls: set[str]) -> Iterator[Fault]:
    """A tool's message answers a call that was made before."""
    given = message.get("tool_call_id")
    where = f"{path}.tool_call_id"
    made = message.get("tool_calls")
    for call in made if role == "assistant" and isinstance(made, list) else ():
        if isinstance(call, dict) and isinstance(call.get("id"), str):
            calls.add(call["id"])
    if role != "tool":
        if given is not None:
            yield Fault(where, f"goes with role tool, not with {role}: remove it")
    elif given is None:
        yield Fault(where, missing("write the id of the call that this message answers"))
    elif not isinstance(given, str):
        yield Fault(where, f"must be a text, not {kind_of(given)}")
    elif given not in calls:
        yield Fault(where, f"no message before this one makes a call with the id {quoted(given)}")
