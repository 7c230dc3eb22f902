"""The forms that nearly every line has, as types: such a line is found right without a closer look, five times as fast.

Pure. `checking` asks for chat and preference data. A line that is accepted here breaks no rule (a test compares this
with the rules on every generated line); of any other nothing is known, and the rules are asked.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, DecodeError, Meta, Struct, UnsetType
from msgspec.json import Decoder

from reconciler.dataset.formats import Format
from reconciler.dataset.lines import count_keys, is_each_once

_Name = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]
_Id = Annotated[str, Meta(min_length=1)]


class _Form(Struct, gc=False, forbid_unknown_fields=True):
    """Nothing in it that is not named: every key of a line is counted."""


class _System(_Form, tag_field="role", tag="system"):
    content: str


class _Developer(_Form, tag_field="role", tag="developer"):
    content: str


class _User(_Form, tag_field="role", tag="user"):
    content: str


class _Function(_Form):
    name: _Name
    arguments: str


class _Call(_Form):
    id: _Id
    type: Literal["function"]
    function: _Function


class _Assistant(_Form, tag_field="role", tag="assistant"):
    content: str | UnsetType | None = UNSET
    weight: Literal[0, 1] | UnsetType = UNSET
    tool_calls: Annotated[list[_Call], Meta(min_length=1)] | UnsetType = UNSET


class _Tool(_Form, tag_field="role", tag="tool"):
    tool_call_id: str
    content: str


class _Declared(_Form):
    name: _Name
    description: str | UnsetType = UNSET
    parameters: dict[str, Any] | UnsetType = UNSET
    strict: bool | UnsetType = UNSET


class _Offered(_Form):
    type: Literal["function"]
    function: _Declared


_Message = _System | _Developer | _User | _Assistant | _Tool


class _Chat(_Form):
    messages: Annotated[list[_Message], Meta(min_length=1)]
    tools: list[_Offered] | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType = UNSET


class _Answer(_Form):
    role: Literal["assistant"]  # a tag may be left out where there is no choice
    content: Annotated[str, Meta(min_length=1)]


class _Pair(_Form):
    input: _Chat
    preferred_output: Annotated[list[_Answer], Meta(min_length=1, max_length=1)]
    non_preferred_output: Annotated[list[_Answer], Meta(min_length=1, max_length=1)]


class _Text(_Form):
    prompt: str
    completion: Annotated[str, Meta(min_length=1)]


# What there is to know of a line that is right: whether the system speaks, and what is learned, where that is one text.
Plain = tuple[bool, str | None]

_chat, _pair, _text = Decoder(_Chat).decode, Decoder(_Pair).decode, Decoder(_Text).decode
_object = Decoder(dict[str, Any]).decode


class _Closer(Exception):
    """A rule may be broken, or there is something to say."""


_REFUSED = (DecodeError, UnicodeDecodeError, RecursionError, _Closer)


def plain(line: bytes, wanted: Format) -> Plain | None:
    """What is known of a line that needs no closer look; None where it does."""
    try:
        if wanted is Format.CHAT:
            return _plain_chat(line)
        if wanted is Format.PREFERENCE:
            return _plain_pair(line)
        if wanted is Format.COMPLETION:
            return _plain_text(line)
    except _REFUSED:
        pass
    return None  # of reinforcement, too: what stands beside its messages may be anything


def _plain_chat(line: bytes) -> Plain | None:
    example = _chat(line)
    messages = example.messages
    keys, system, learned = _seen(messages)
    if not learned or not is_each_once(line, 1 + keys + _keys_of_tools(example)):
        return None
    last = messages[-1]
    answer = last.content if type(last) is _Assistant and last.content else None
    return system, answer


def _seen(messages: list[_Message]) -> tuple[int, bool, bool]:
    """Of messages: their keys, whether one is the system's, and whether an answer is learned.

    Raises _Closer where a rule may be broken.
    """
    keys, system, learned = 0, False, False
    called: set[str] | None = None
    for message in messages:
        kind = type(message)
        if kind is _User:
            keys += 2
        elif type(message) is _Assistant:
            learned = learned or message.weight != 0
            if message.content and message.weight is UNSET and message.tool_calls is UNSET:
                keys += 2
            else:
                called = set() if called is None else called
                keys += _keys_of_answer(message, called)
        elif type(message) is _Tool:
            if called is None or message.tool_call_id not in called:
                raise _Closer
            keys += 3
        else:
            system = True
            keys += 2
    return keys, system, learned


def _keys_of_answer(message: _Assistant, called: set[str]) -> int:
    calls = message.tool_calls
    keys = 1 + (message.content is not UNSET) + (message.weight is not UNSET)
    if calls is UNSET:
        if not message.content:
            raise _Closer
        return keys
    if message.content == "":
        raise _Closer
    for call in calls:
        _object(call.function.arguments)
    ids = {call.id for call in calls}
    if len(ids) < len(calls):
        raise _Closer
    called |= ids
    return keys + 1 + 5 * len(calls)


def _keys_of_tools(example: _Chat) -> int:
    keys = int(example.parallel_tool_calls is not UNSET)
    if example.tools is UNSET:
        return keys
    return keys + 1 + sum(_keys_of_tool(tool.function) for tool in example.tools)


def _keys_of_tool(given: _Declared) -> int:
    keys = 3 + (given.description is not UNSET) + (given.strict is not UNSET)
    if given.parameters is UNSET:
        return keys
    own = count_keys(given.parameters)
    if own < 0:
        raise _Closer
    return keys + 1 + own


def _plain_pair(line: bytes) -> Plain | None:
    example = _pair(line)
    keys, system, _ = _seen(example.input.messages)
    outputs = example.preferred_output[0].content, example.non_preferred_output[0].content
    # input, messages, and both outputs with their message's role and content.
    if outputs[0] == outputs[1] or not is_each_once(line, 8 + keys + _keys_of_tools(example.input)):
        return None
    return system, None


def _plain_text(line: bytes) -> Plain | None:
    example = _text(line)
    return (False, example.completion) if is_each_once(line, 2) else None
