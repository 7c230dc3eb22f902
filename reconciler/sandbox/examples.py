"""One example of a training file, as the server judges it: good, or refused with the first thing that is wrong.

`training` asks for each line, by the kind of training. Written from the API's reference and guides: it shares nothing
with whatever a client may check before it uploads, so that each can be held against the other.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# An answer of the API that was recorded has more fields than anyone writes by hand; all of them may stand there.
_MESSAGE_KEYS = {
    "annotations",
    "audio",
    "content",
    "function_call",
    "name",
    "refusal",
    "role",
    "tool_call_id",
    "tool_calls",
    "weight",
}
_ASSISTANT_ONLY = {"weight", "tool_calls", "function_call", "refusal"}
_NAME = re.compile(r"^[a-zA-Z0-9_-]{1,64}\Z")
_INLINE = re.compile(r"^data:image/(png|jpe?g|webp);base64,([A-Za-z0-9+/\r\n]+={0,2}\s*)\Z")
_MAX_IMAGES = 10
_MAX_IMAGE_BYTES = 10 * 2**20

Object = dict[str, Any]


class BadExample(Exception):
    """The first thing that is wrong with an example, as a job's error says it."""


def _need(fine: object, words: str) -> None:
    if not fine:
        raise BadExample(words)


def check(kind: str, example: Object) -> None:
    """Raises BadExample where this is no example for this kind of training."""
    _KINDS[kind](example)


def _supervised(example: Object) -> None:
    messages = _conversation(example)
    _need(any(message["role"] == "assistant" for message in messages), "there is no message of the assistant")


def _reinforcement(example: Object) -> None:
    messages = _conversation(example)
    _need(messages[-1]["role"] != "assistant", "the last message must not be an answer")


def _preference(example: Object) -> None:
    given = example.get("input")
    _need(isinstance(given, dict), "'input' must be an object")
    _conversation(example["input"])
    for field in ("preferred_output", "non_preferred_output"):
        output = example.get(field)
        _need(isinstance(output, list) and len(output) == 1, f"'{field}' must be a list of one message")
        message = example[field][0]
        _message(message, set())
        _need(message["role"] == "assistant", f"'{field}' must be a message of the assistant")
        _need(not message.get("tool_calls") and not message.get("function_call"), f"'{field}' must be text")


def _completion(example: Object) -> None:
    for field in ("prompt", "completion"):
        _need(isinstance(example.get(field), str), f"'{field}' must be a string")
    _need(example["completion"], "'completion' is empty")


_KINDS: Mapping[str, Callable[[Object], None]] = {
    "supervised": _supervised,
    "dpo": _preference,
    "reinforcement": _reinforcement,
    "completion": _completion,
}
KINDS = tuple(_KINDS)


def _conversation(holder: Object) -> list[Object]:
    messages = holder.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadExample("'messages' must be a list that is not empty")
    called: set[str] = set()
    for message in messages:
        _message(message, called)
    images = sum(_is_image(part) for message in messages for part in _parts(message))
    _need(images <= _MAX_IMAGES, f"{images} images, at most {_MAX_IMAGES} are allowed")
    _tools(holder)
    return messages


def _parts(message: Object) -> list[Any]:
    content = message.get("content")
    return content if isinstance(content, list) else []


def _is_image(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") == "image_url"


def _message(message: object, called: set[str]) -> None:
    if not isinstance(message, dict):
        raise BadExample("a message must be an object")
    extra = message.keys() - _MESSAGE_KEYS
    _need(not extra, f"a message has no field {sorted(extra)[:1]}")
    role = message.get("role")
    _need(isinstance(role, str) and role in _ROLES, "a message has an unknown role")
    _ROLES[str(role)](message, called)
    if role != "assistant":
        _need(all(message.get(key) is None for key in _ASSISTANT_ONLY), f"a field of assistants in a {role} message")
    if role != "tool":
        _need(message.get("tool_call_id") is None, f"'tool_call_id' in a {role} message")
    if message.get("name") is not None:
        _function_name(message["name"])


def _asking(message: Object, _called: set[str]) -> None:
    _content(message, images=message["role"] == "user")


def _assistant(message: Object, called: set[str]) -> None:
    if message.get("content") is None:
        _need(any(message.get(key) for key in ("tool_calls", "function_call", "refusal")), "an answer without content")
    else:
        _content(message, images=False)
        _need(message["content"] != "", "an answer that is empty")
    weight = message.get("weight")
    _need(weight is None or (not isinstance(weight, bool) and weight in (0, 1)), "'weight' must be 0 or 1")
    if message.get("tool_calls") is not None:
        _tool_calls(message["tool_calls"], called)
    if message.get("function_call") is not None:
        _call(message["function_call"])


def _tool(message: Object, called: set[str]) -> None:
    _content(message, images=False)
    answered = message.get("tool_call_id")
    _need(isinstance(answered, str) and answered in called, "'tool_call_id' must be that of an earlier call")


def _function(message: Object, _called: set[str]) -> None:
    _content(message, images=False)
    _function_name(message.get("name"))


_ROLES: Mapping[str, Callable[[Object, set[str]], None]] = {
    "system": _asking,
    "developer": _asking,
    "user": _asking,
    "assistant": _assistant,
    "tool": _tool,
    "function": _function,
}


def _content(message: Object, *, images: bool) -> None:
    content = message.get("content")
    if isinstance(content, str):
        return
    if not isinstance(content, list) or not content:
        raise BadExample("'content' must be a string or a list of parts")
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "image_url" and images:
            _image(part)
        elif kind == "refusal" and message["role"] == "assistant":
            _need(isinstance(part.get("refusal"), str), "a refusal must be a string")
        else:
            _need(kind == "text" and isinstance(part.get("text"), str), "a part of a content that is not allowed here")


def _image(part: Object) -> None:
    image = part.get("image_url")
    if not isinstance(image, dict) or not isinstance(image.get("url"), str):
        raise BadExample("'image_url' must be an object with a url")
    _need(image.get("detail") in (None, "auto", "low", "high"), "an unknown 'detail'")
    url = image["url"]
    if url.startswith("data:"):
        found = _INLINE.match(url)
        if found is None:
            raise BadExample("an inline image that cannot be read")
        _need(len(found[2]) * 3 // 4 <= _MAX_IMAGE_BYTES, "an image of more than 10 MB")
    else:
        _need(re.match(r"https?://..*", url) and len(url) > len("https://"), "an image without an address")


def _tool_calls(calls: object, called: set[str]) -> None:
    if not isinstance(calls, list) or not calls:
        raise BadExample("'tool_calls' must be a list that is not empty")
    ids = {call["id"] for call in calls if isinstance(call, dict) and isinstance(call.get("id"), str) and call["id"]}
    _need(len(ids) == len(calls), "a tool call without an id of its own")
    for call in calls:
        _need(call.get("type") == "function", "a tool call of an unknown type")
        _call(call.get("function"))
    called.update(ids)


def _call(function: object) -> None:
    if not isinstance(function, dict):
        raise BadExample("a call names no function")
    _function_name(function.get("name"))
    arguments = function.get("arguments")
    try:
        read = json.loads(arguments, parse_constant=_refuse) if isinstance(arguments, str) else None
    except (ValueError, RecursionError):
        read = None
    _need(isinstance(read, dict), "'arguments' must be a string that holds a JSON object")


def _refuse(word: str) -> None:
    raise ValueError(word)


def _function_name(name: object) -> None:
    _need(isinstance(name, str) and _NAME.match(name), "a name that is not allowed")


def _tools(holder: Object) -> None:
    tools, functions = holder.get("tools"), holder.get("functions")
    _need(tools is None or isinstance(tools, list), "'tools' must be a list")
    for tool in tools or ():
        _need(isinstance(tool, dict) and tool.get("type") == "function", "a tool of an unknown type")
        _declared(tool.get("function"))
    _need(functions is None or isinstance(functions, list), "'functions' must be a list")
    for function in functions or ():
        _declared(function)
    parallel = holder.get("parallel_tool_calls")
    _need(parallel is None or isinstance(parallel, bool), "'parallel_tool_calls' must be a boolean")


def _declared(function: object) -> None:
    if not isinstance(function, dict):
        raise BadExample("a tool declares no function")
    _function_name(function.get("name"))
    parameters, description = function.get("parameters"), function.get("description")
    _need(parameters is None or isinstance(parameters, dict), "'parameters' must be an object")
    _need(description is None or isinstance(description, str), "'description' must be a string")
