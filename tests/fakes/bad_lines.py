"""Bad lines, one a row: a word for it, the format that is wanted, and exactly what is said of it.

`test_corpus` puts each into a file of good ones, and asks the sandbox about it too.
"""

from typing import Any, NamedTuple

from reconciler.dataset.formats import Format

_U, _A, _S = ({"role": role, "content": role[0]} for role in ("user", "assistant", "system"))
_PNG = "data:image/png;base64,iVBORw0KGgo="
_CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
C, D, F, X = Format.CHAT, Format.PREFERENCE, Format.REINFORCEMENT, Format.COMPLETION

Example = dict[str, Any]


class Row(NamedTuple):
    wanted: Format
    name: str
    example: Example
    said: list[str]  # each ``path: message``, as they are sorted


GOOD: dict[Format, Example] = {
    C: {"messages": [_U, _A]},
    D: {"input": {"messages": [_U]}, "preferred_output": [_A], "non_preferred_output": [{**_A, "content": "b"}]},
    F: {"messages": [_U], "answer": "4"},
    X: {"prompt": "q", "completion": "a"},
}


def _chat(*messages: Any, **fields: Any) -> Example:
    return {"messages": list(messages), **fields}


def _calls(*calls: Any) -> Example:
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def _part(part: Any) -> Example:
    return _chat({"role": "user", "content": [part]}, _A)


def _image(image: Any) -> Example:
    return _part({"type": "image_url", "image_url": image})


def _function(**function: Any) -> Example:
    return _chat(_U, _calls({**_CALL, "function": function}))


def _tool(tool: Any) -> Example:
    return _chat(_U, _A, tools=[tool])


def _pair(**fields: Any) -> Example:
    return {**GOOD[D], **fields}


def _asked(*messages: Any, **fields: Any) -> Example:
    return {"messages": list(messages) or [_U], "answer": "4", **fields}


def _without(example: Example, *keys: str) -> Example:
    return {key: value for key, value in example.items() if key not in keys}


_ROWS: list[tuple[Format, str, Example, list[str]]] = [
    (C, "no messages at all", {}, ["messages: is missing: write the conversation as a list of messages"]),
    (C, "messages misspelt", {"mesages": [_U, _A]}, ["messages: is missing: rename mesages to messages"]),
    (
        C,
        "ShareGPT",
        {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
        ["messages: is missing: rename conversations to messages, from to role and value to content"],
    ),
    (
        C,
        "Alpaca",
        {"instruction": "q", "input": "", "output": "a"},
        ["messages: is missing: write instruction and output as messages of the user and the assistant"],
    ),
    (
        C,
        "a prompt alone",
        {"prompt": "q"},
        ["messages: is missing: prompt and completion are for davinci-002 and babbage-002: write messages"],
    ),
    (
        C,
        "question and answer",
        {"question": "q", "answer": "a"},
        ["messages: is missing: write question and answer as messages of the user and the assistant"],
    ),
    (C, "a text alone", {"text": "q a"}, ["messages: is missing: write the text as messages"]),
    (C, "messages null", {"messages": None}, ["messages: must be a list of messages, not null"]),
    (C, "messages a text", {"messages": "q"}, ["messages: must be a list of messages, not the text q"]),
    (C, "messages an object", {"messages": {"0": _U}}, ["messages: must be a list of messages, not an object"]),
    (C, "messages empty", {"messages": []}, ["messages: is empty: write at least one message"]),
    (
        C,
        "a message that is a text",
        _chat("q", _A),
        ["messages[0]: must be an object with role and content, not the text q"],
    ),
    (C, "a message that is null", _chat(None, _A), ["messages[0]: must be an object with role and content, not null"]),
    (
        C,
        "a message without a role",
        _chat({"content": "q"}, _A),
        ["messages[0].role: is missing: write one of assistant, developer, function, system, tool, user"],
    ),
    (
        C,
        "role bot",
        _chat(_U, {"role": "bot", "content": "a"}, _A),
        ["messages[1].role: bot is no role: write assistant"],
    ),
    (C, "role human", _chat({"role": "human", "content": "q"}, _A), ["messages[0].role: human is no role: write user"]),
    (
        C,
        "role in capitals",
        _chat({"role": "User", "content": "q"}, _A),
        ["messages[0].role: User is no role: write user"],
    ),
    (
        C,
        "role nobody knows",
        _chat({"role": "narrator", "content": "q"}, _A),
        ["messages[0].role: narrator is no role: write one of assistant, developer, function, system, tool, user"],
    ),
    (
        C,
        "role a number",
        _chat({"role": 1, "content": "q"}, _A),
        ["messages[0].role: must be one of assistant, developer, function, system, tool, user, not the number 1"],
    ),
    (
        C,
        "role null",
        _chat({"role": None, "content": "q"}, _A),
        ["messages[0].role: must be one of assistant, developer, function, system, tool, user, not null"],
    ),
    (C, "system alone", _chat(_S), ["messages: no assistant message: there is no answer to learn"]),
    (C, "no assistant", _chat(_S, _U), ["messages: no assistant message: there is no answer to learn"]),
    (C, "content null", _chat({"role": "user", "content": None}, _A), ["messages[0].content: is null: write a text"]),
    (C, "content missing", _chat({"role": "user"}, _A), ["messages[0].content: is missing: write a text"]),
    (
        C,
        "content a number",
        _chat({"role": "user", "content": 42}, _A),
        ["messages[0].content: must be a text or a list of parts, not the number 42"],
    ),
    (
        C,
        "content an object",
        _chat({"role": "user", "content": {"text": "q"}}, _A),
        ["messages[0].content: must be a text or a list of parts, not an object"],
    ),
    (
        C,
        "content an empty list",
        _chat({"role": "user", "content": []}, _A),
        ["messages[0].content: is an empty list: write a text"],
    ),
    (
        C,
        "content of an answer null",
        _chat(_U, {"role": "assistant", "content": None}),
        ["messages[1].content: is null: an assistant message has content or tool_calls"],
    ),
    (
        C,
        "content of an answer missing",
        _chat(_U, {"role": "assistant"}),
        ["messages[1].content: is missing: an assistant message has content or tool_calls"],
    ),
    (
        C,
        "content of an answer empty",
        _chat(_U, {"role": "assistant", "content": ""}),
        ["messages[1].content: is empty: there is nothing to learn from it"],
    ),
    (
        C,
        "content false",
        _chat({"role": "user", "content": False}, _A),
        ["messages[0].content: must be a text or a list of parts, not false"],
    ),
    (
        C,
        "text instead of content",
        _chat({"role": "user", "text": "q"}, _A),
        ["messages[0].content: is missing: write a text", "messages[0].text: is no field of a message: write content"],
    ),
    (
        C,
        "from and value",
        _chat({"from": "human", "value": "q"}, _A),
        [
            "messages[0].from: is no field of a message: write role",
            "messages[0].value: is no field of a message: write content",
        ],
    ),
    (
        C,
        "an unknown field of a message",
        _chat({**_U, "id": 7}, _A),
        ["messages[0].id: is no field of a message: remove it"],
    ),
    (
        C,
        "a field nearly right",
        _chat({**_U, "conten": "x"}, _A),
        ["messages[0].conten: is no field of a message: remove it"],
    ),
    (C, "weight 2", _chat(_U, {**_A, "weight": 2}), ["messages[1].weight: must be 0 or 1, not the number 2"]),
    (C, "weight 0.5", _chat(_U, {**_A, "weight": 0.5}), ["messages[1].weight: must be 0 or 1, not the number 0.5"]),
    (C, "weight true", _chat(_U, {**_A, "weight": True}), ["messages[1].weight: must be 0 or 1, not true"]),
    (C, "weight a text", _chat(_U, {**_A, "weight": "1"}), ["messages[1].weight: must be 0 or 1, not the text 1"]),
    (
        C,
        "weight on a user message",
        _chat({**_U, "weight": 1}, _A),
        ["messages[0].weight: goes with role assistant, not with user: remove it"],
    ),
    (
        C,
        "name with a space",
        _chat({**_U, "name": "Anna Lee"}, _A),
        ["messages[0].name: Anna Lee: a name has 1 to 64 of the characters a-z, A-Z, 0-9, _ and -"],
    ),
    (C, "name a number", _chat({**_U, "name": 1}, _A), ["messages[0].name: must be a text, not the number 1"]),
    (
        C,
        "tool_calls an object",
        _chat(_U, {"role": "assistant", "tool_calls": _CALL}),
        ["messages[1].tool_calls: must be a list of calls, not an object"],
    ),
    (
        C,
        "tool_calls empty",
        _chat(_U, {**_A, "tool_calls": []}),
        ["messages[1].tool_calls: is empty: leave it out where nothing is called"],
    ),
    (
        C,
        "a call that is a text",
        _chat(_U, _calls("f")),
        ["messages[1].tool_calls[0]: must be an object with id, type and function, not the text f"],
    ),
    (
        C,
        "a call without an id",
        _chat(_U, _calls(_without(_CALL, "id"))),
        ["messages[1].tool_calls[0].id: is missing: the tool message that answers the call names it as tool_call_id"],
    ),
    (
        C,
        "a call whose id is a number",
        _chat(_U, _calls({**_CALL, "id": 1})),
        ["messages[1].tool_calls[0].id: must be a text, not the number 1"],
    ),
    (
        C,
        "two calls of one id",
        _chat(_U, _calls(_CALL, _CALL)),
        ["messages[1].tool_calls[1].id: c1 stands here again: each call has an id of its own"],
    ),
    (
        C,
        "a call without a type",
        _chat(_U, _calls(_without(_CALL, "type"))),
        ["messages[1].tool_calls[0].type: is missing: write function"],
    ),
    (
        C,
        "a call of another type",
        _chat(_U, _calls({**_CALL, "type": "tool"})),
        ["messages[1].tool_calls[0].type: must be function, not tool"],
    ),
    (
        C,
        "a call without a function",
        _chat(_U, _calls(_without(_CALL, "function"))),
        ["messages[1].tool_calls[0].function: is missing: write an object with name and arguments"],
    ),
    (
        C,
        "a call of a function that is a text",
        _chat(_U, _calls({**_CALL, "function": "f"})),
        ["messages[1].tool_calls[0].function: must be an object with name and arguments, not the text f"],
    ),
    (
        C,
        "a call without a name",
        _function(arguments="{}"),
        ["messages[1].tool_calls[0].function.name: is missing: write the function's name"],
    ),
    (
        C,
        "a call of a name with dots",
        _function(name="a.b", arguments="{}"),
        ["messages[1].tool_calls[0].function.name: a.b: a name has 1 to 64 of the characters a-z, A-Z, 0-9, _ and -"],
    ),
    (
        C,
        "a call without arguments",
        _function(name="f"),
        [
            'messages[1].tool_calls[0].function.arguments: is missing: write the arguments as a text of JSON, "{}" where there are none'
        ],
    ),
    (
        C,
        "arguments an object",
        _function(name="f", arguments={"a": 1}),
        [
            "messages[1].tool_calls[0].function.arguments: must be a text that holds JSON, not an object: write it with json.dumps"
        ],
    ),
    (
        C,
        "arguments null",
        _function(name="f", arguments=None),
        ["messages[1].tool_calls[0].function.arguments: must be a text that holds a JSON object, not null"],
    ),
    (
        C,
        "arguments no JSON",
        _function(name="f", arguments="{'a': 1}"),
        ["messages[1].tool_calls[0].function.arguments: is no JSON object: {'a': 1}; write it with json.dumps"],
    ),
    (
        C,
        "arguments a list in JSON",
        _function(name="f", arguments="[1]"),
        ["messages[1].tool_calls[0].function.arguments: is no JSON object: [1]; write it with json.dumps"],
    ),
    (
        C,
        "arguments empty",
        _function(name="f", arguments=""),
        ["messages[1].tool_calls[0].function.arguments: is no JSON object: ; write it with json.dumps"],
    ),
    (
        C,
        "arguments with NaN",
        _function(name="f", arguments='{"a": NaN}'),
        ['messages[1].tool_calls[0].function.arguments: is no JSON object: {"a": NaN}; write it with json.dumps'],
    ),
    (
        C,
        "tool_calls on a user message",
        _chat({**_U, "tool_calls": [_CALL]}, _A),
        ["messages[0].tool_calls: goes with role assistant, not with user: remove it"],
    ),
    (
        C,
        "a tool message without its call's id",
        _chat(_U, _calls(_CALL), {"role": "tool", "content": "4"}, _A),
        ["messages[2].tool_call_id: is missing: write the id of the call that this message answers"],
    ),
    (
        C,
        "a tool message that answers no call",
        _chat(_U, _calls(_CALL), {"role": "tool", "tool_call_id": "c2", "content": "4"}, _A),
        ["messages[2].tool_call_id: no message before this one makes a call with the id c2"],
    ),
    (
        C,
        "a tool message before its call",
        _chat(_U, {"role": "tool", "tool_call_id": "c1", "content": "4"}, _calls(_CALL)),
        ["messages[1].tool_call_id: no message before this one makes a call with the id c1"],
    ),
    (
        C,
        "a tool message without content",
        _chat(_U, _calls(_CALL), {"role": "tool", "tool_call_id": "c1", "content": None}, _A),
        ["messages[2].content: is null: write a text"],
    ),
    (
        C,
        "tool_call_id on an answer",
        _chat(_U, {**_A, "tool_call_id": "c1"}),
        ["messages[1].tool_call_id: goes with role tool, not with assistant: remove it"],
    ),
    (
        C,
        "a function message without a name",
        _chat(_U, {"role": "function", "content": "4"}, _A),
        ["messages[1].name: is missing: write the function's name"],
    ),
    (
        C,
        "function_call a text",
        _chat(_U, {"role": "assistant", "function_call": "f"}),
        ["messages[1].function_call: must be an object with name and arguments, not the text f"],
    ),
    (
        C,
        "function_call without arguments",
        _chat(_U, {"role": "assistant", "function_call": {"name": "f"}}),
        [
            'messages[1].function_call.arguments: is missing: write the arguments as a text of JSON, "{}" where there are none'
        ],
    ),
    (
        C,
        "function_call on a user message",
        _chat({**_U, "function_call": {"name": "f", "arguments": "{}"}}, _A),
        ["messages[0].function_call: goes with role assistant, not with user: remove it"],
    ),
    (C, "tools an object", _chat(_U, _A, tools={"f": {}}), ["tools: must be a list of tools, not an object"]),
    (
        C,
        "tools a text",
        _chat(_U, _A, tools="[]"),
        ["tools: must be a list of tools, not a text: write the list itself"],
    ),
    (
        C,
        "a tool without type and function",
        _tool({"name": "f"}),
        ['tools[0]: is a function: write {"type": "function", "function": …} around it'],
    ),
    (C, "a tool without a type", _tool({"function": {"name": "f"}}), ["tools[0].type: is missing: write function"]),
    (
        C,
        "a tool of another type",
        _tool({"type": "code_interpreter", "function": {"name": "f"}}),
        ["tools[0].type: must be function, not code_interpreter"],
    ),
    (
        C,
        "a tool without a function",
        _tool({"type": "function"}),
        ["tools[0].function: is missing: write an object with name and parameters"],
    ),
    (
        C,
        "a tool without a name",
        _tool({"type": "function", "function": {}}),
        ["tools[0].function.name: is missing: write the function's name"],
    ),
    (
        C,
        "a tool of a long name",
        _tool({"type": "function", "function": {"name": "f" * 65}}),
        [
            "tools[0].function.name: ffffffffffffffffffffffffffffffffffffffff…: a name has 1 to 64 of the characters a-z, A-Z, 0-9, _ and -"
        ],
    ),
    (C, "a tool that is a text", _tool("f"), ["tools[0]: must be an object with type and function, not the text f"]),
    (
        C,
        "parameters a text",
        _tool({"type": "function", "function": {"name": "f", "parameters": "{}"}}),
        ["tools[0].function.parameters: must be an object (a JSON Schema), not the text {}"],
    ),
    (
        C,
        "description a number",
        _tool({"type": "function", "function": {"name": "f", "description": 1}}),
        ["tools[0].function.description: must be a text, not the number 1"],
    ),
    (
        C,
        "functions an object",
        _chat(_U, _A, functions={"name": "f"}),
        ["functions: must be a list of functions, not an object"],
    ),
    (
        C,
        "parallel_tool_calls a text",
        _chat(_U, _A, parallel_tool_calls="yes"),
        ["parallel_tool_calls: must be true or false, not the text yes"],
    ),
    (
        C,
        "a part that is a text",
        _part("q"),
        ['messages[0].content[0]: must be a part such as {"type": "text", "text": "…"}, not the text q'],
    ),
    (
        C,
        "a part without a type",
        _part({"text": "q"}),
        ["messages[0].content[0].type: is missing: write text or image_url"],
    ),
    (
        C,
        "a part of another API",
        _part({"type": "image", "source": {}}),
        ["messages[0].content[0].type: image is no part of a message: write image_url"],
    ),
    (
        C,
        "a part of sound",
        _part({"type": "input_audio", "input_audio": {}}),
        [
            "messages[0].content[0].type: input_audio is no part of a message: files for training hold text and image_url"
        ],
    ),
    (
        C,
        "a part whose type is null",
        _part({"type": None}),
        ["messages[0].content[0].type: must be text or image_url, not null"],
    ),
    (C, "a part without its text", _part({"type": "text"}), ["messages[0].content[0].text: is missing: write a text"]),
    (
        C,
        "a part whose text is a number",
        _part({"type": "text", "text": 1}),
        ["messages[0].content[0].text: must be a text, not the number 1"],
    ),
    (
        C,
        "a part image_url without one",
        _part({"type": "image_url"}),
        ['messages[0].content[0].image_url: is missing: write {"url": "https://…"}'],
    ),
    (
        C,
        "image_url a text",
        _image(_PNG),
        ['messages[0].content[0].image_url: must be an object: write {"url": "…"} around the address'],
    ),
    (C, "image_url null", _image(None), ['messages[0].content[0].image_url: must be an object {"url": "…"}, not null']),
    (
        C,
        "an image without a url",
        _image({"detail": "low"}),
        ["messages[0].content[0].image_url.url: is missing: write an address, or data:image/png;base64,…"],
    ),
    (
        C,
        "an image whose url is null",
        _image({"url": None}),
        ["messages[0].content[0].image_url.url: must be a text, not null"],
    ),
    (
        C,
        "an image from a disk",
        _image({"url": "cat.png"}),
        ["messages[0].content[0].image_url.url: cat.png is no address: write https://…, or data:image/png;base64,…"],
    ),
    (
        C,
        "an image by file",
        _image({"url": "file:///cat.png"}),
        [
            "messages[0].content[0].image_url.url: file:///cat.png is no address: write https://…, or data:image/png;base64,…"
        ],
    ),
    (
        C,
        "an image of another kind",
        _image({"url": "data:image/gif;base64,R0lGODlh"}),
        [
            "messages[0].content[0].image_url.url: data:image/gif;base64,R0lGODlh: write data:image/png;base64,… (or jpeg, or webp)"
        ],
    ),
    (
        C,
        "an image without base64",
        _image({"url": "data:image/png,xyz"}),
        ["messages[0].content[0].image_url.url: data:image/png,xyz: write data:image/png;base64,… (or jpeg, or webp)"],
    ),
    (
        C,
        "an image of bad base64",
        _image({"url": "data:image/png;base64,%%%"}),
        ["messages[0].content[0].image_url.url: what follows base64, is no base64"],
    ),
    (
        C,
        "an image of no bytes",
        _image({"url": "data:image/png;base64,"}),
        ["messages[0].content[0].image_url.url: what follows base64, is no base64"],
    ),
    (
        C,
        "an image of a wrong detail",
        _image({"url": _PNG, "detail": "best"}),
        ["messages[0].content[0].image_url.detail: must be one of auto, low, high, not best"],
    ),
    (
        C,
        "an image above 10 MB",
        _image({"url": "data:image/png;base64," + "A" * (14 * 1024 * 1024)}),
        ["messages[0].content[0].image_url.url: an image of about 10.5 MB: the API takes 10 MB, scale it down"],
    ),
    (
        C,
        "eleven images",
        _chat({"role": "user", "content": [{"type": "image_url", "image_url": {"url": _PNG}}] * 11}, _A),
        ["messages: 11 images: the API takes 10 an example"],
    ),
    (
        C,
        "an image in an answer",
        _chat(_U, {"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": _PNG}}]}),
        ["messages[1].content[0]: an image in an assistant message: a model does not learn to make images; remove it"],
    ),
    (
        C,
        "an image in a system message",
        _chat({"role": "system", "content": [{"type": "image_url", "image_url": {"url": _PNG}}]}, _A),
        ["messages[0].content[0]: an image in a system message: images stand in user messages"],
    ),
    (
        C,
        "several errors in one line",
        _chat({"role": "bot"}, {"role": "user", "content": None}, {**_A, "weight": 3}, tools=1),
        [
            "messages[0].role: bot is no role: write assistant",
            "messages[1].content: is null: write a text",
            "messages[2].weight: must be 0 or 1, not the number 3",
            "tools: must be a list of tools, not the number 1",
        ],
    ),
    (
        D,
        "preferred_completion",
        {
            **_without(_pair(), "preferred_output", "non_preferred_output"),
            "preferred_completion": [_A],
            "non_preferred_completion": [_A],
        },
        ["non_preferred_completion: write non_preferred_output", "preferred_completion: write preferred_output"],
    ),
    (
        D,
        "chosen and rejected",
        {"prompt": "q", "chosen": "a", "rejected": "b"},
        [
            "chosen: write preferred_output",
            'input: is missing: write {"messages": […]} in the place of prompt',
            "rejected: write non_preferred_output",
        ],
    ),
    (D, "no input", _without(_pair(), "input"), ['input: is missing: write {"messages": […]}']),
    (
        D,
        "messages beside the outputs",
        {**_without(_pair(), "input"), "messages": [_U]},
        ['input: is missing: write {"messages": […]} in the place of messages'],
    ),
    (D, "input a list", _pair(input=[_U]), ['input: must be an object: write {"messages": …} around the list']),
    (D, "input a text", _pair(input="q"), ['input: must be an object {"messages": […]}, not the text q']),
    (
        D,
        "input without messages",
        _pair(input={"tools": []}),
        ["input.messages: is missing: write the conversation as a list of messages"],
    ),
    (
        D,
        "input with a bad message",
        _pair(input={"messages": [{"role": "bot", "content": "q"}]}),
        ["input.messages[0].role: bot is no role: write assistant"],
    ),
    (
        D,
        "input of no messages",
        _pair(input={"messages": []}),
        ["input.messages: is empty: write at least one message"],
    ),
    (
        D,
        "input with tools that are none",
        _pair(input={"messages": [_U], "tools": "f"}),
        ["input.tools: must be a list of tools, not a text: write the list itself"],
    ),
    (
        D,
        "no preferred_output",
        _without(_pair(), "preferred_output"),
        ["preferred_output: is missing: write a list of one assistant message"],
    ),
    (
        D,
        "no non_preferred_output",
        _without(_pair(), "non_preferred_output"),
        ["non_preferred_output: is missing: write a list of one assistant message"],
    ),
    (
        D,
        "preferred_output a message",
        _pair(preferred_output=_A),
        ["preferred_output: must be a list of one assistant message: write [ ] around the message"],
    ),
    (
        D,
        "preferred_output a text",
        _pair(preferred_output="a"),
        ['preferred_output: must be a list of one message: write [{"role": "assistant", "content": "…"}]'],
    ),
    (
        D,
        "preferred_output null",
        _pair(preferred_output=None),
        ["preferred_output: must be a list of one assistant message, not null"],
    ),
    (
        D,
        "preferred_output empty",
        _pair(preferred_output=[]),
        ["preferred_output: must hold one assistant message, and holds 0"],
    ),
    (
        D,
        "two preferred outputs",
        _pair(preferred_output=[_A, _A]),
        ["preferred_output: must hold one assistant message, and holds 2"],
    ),
    (
        D,
        "an output of the user",
        _pair(non_preferred_output=[_U]),
        ["non_preferred_output[0].role: must be assistant, not user"],
    ),
    (
        D,
        "an output without content",
        _pair(preferred_output=[{"role": "assistant", "content": None}]),
        ["preferred_output[0].content: is null: an assistant message has content or tool_calls"],
    ),
    (
        D,
        "an output that calls a tool",
        _pair(preferred_output=[{"role": "assistant", "tool_calls": [_CALL]}]),
        ["preferred_output[0].tool_calls: preferences are between texts: remove it"],
    ),
    (
        D,
        "an output that is a text",
        _pair(preferred_output=["a"]),
        ["preferred_output[0]: must be an object with role and content, not the text a"],
    ),
    (
        F,
        "no messages to answer",
        {"answer": "4"},
        ["messages: is missing: write the conversation as a list of messages"],
    ),
    (
        F,
        "ends with an answer",
        _asked(_U, _A),
        ["messages[1].role: an answer at the end: the model writes it in training; end with the user's message"],
    ),
    (
        F,
        "no key that the grader names",
        _without(_asked(), "answer"),
        ["answer: is missing: the grader names it, as item.answer"],
    ),
    (F, "a bad role", _asked({"role": "bot", "content": "q"}), ["messages[0].role: bot is no role: write assistant"]),
    (
        F,
        "messages empty for a grader",
        {"messages": [], "answer": "4"},
        ["messages: is empty: write at least one message"],
    ),
    (X, "no completion", {"prompt": "q"}, ["completion: is missing: write a text"]),
    (X, "no prompt", {"completion": "a"}, ["prompt: is missing: write a text"]),
    (X, "prompt a list", {"prompt": ["q"], "completion": "a"}, ["prompt: must be a text, not a list"]),
    (X, "completion null", {"prompt": "q", "completion": None}, ["completion: must be a text, not null"]),
    (
        X,
        "completion empty",
        {"prompt": "q", "completion": ""},
        ["completion: is empty: there is nothing to learn from it"],
    ),
]
ROWS = [Row(*row) for row in _ROWS]
