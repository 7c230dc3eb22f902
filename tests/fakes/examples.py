"""Lines of training files as people and programs write them: good ones of every format, and what becomes of one by a slip.

Made from a seed. `GRADED` is the key that a grader of these reinforcement lines names.
"""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from reconciler.dataset.formats import Format

GRADED = "answer"
PNG = "data:image/png;base64,iVBORw0KGgo="
_WORDS = [
    "tea",
    "été",
    "水",
    "Ω",
    "🙂",
    "“quoted”",
    "back\\slash",
    "tab\t",
    "new\nline",
    "weather",
    "Paris",
    "42",
    "\x7f",
    "\u2028",
    ":",
    ",",
    "{}",
    "[]",
]

Example = dict[str, Any]


def good_line(rng: Random, wanted: Format) -> Example:
    """An example of this format, in one of the forms that it may have."""
    match wanted:
        case Format.CHAT:
            return _with_tools(rng, {"messages": _dialogue(rng)})
        case Format.PREFERENCE:
            outputs = ({"role": "assistant", "content": _content(rng, "assistant")} for _ in range(2))
            given = _with_tools(rng, {"messages": [*_asked(rng)]})
            return {"input": given, "preferred_output": [next(outputs)], "non_preferred_output": [next(outputs)]}
        case Format.REINFORCEMENT:
            return {"messages": [*_asked(rng)], GRADED: _value(rng, 2), **({"more": 1} if rng.random() < 0.2 else {})}
        case Format.COMPLETION:
            return {"prompt": _text(rng), "completion": " " + _text(rng)}


def slip(rng: Random, example: Example) -> Example:
    """The same, with one value gone, changed, doubled or put elsewhere."""
    changed: Example = json.loads(json.dumps(example))
    holder, key = rng.choice(list(_places(changed)))
    odd: Any = rng.choice(
        [None, 0, 1, 2, True, "", "bot", "user", "assistant", [], {}, [{}], {"role": "user"}, "c1", PNG]
    )
    match rng.randrange(4):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            named = rng.choice(
                ["role", "content", "weight", "name", "tool_calls", "tool_call_id", "id", "type", "text"]
            )
            holder[named] = odd
        case 2 if isinstance(holder, list):
            holder.insert(rng.randrange(len(holder) + 1), odd)
        case _:
            holder[key] = odd
    return changed


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def _text(rng: Random) -> str:
    return " ".join(rng.choice(_WORDS) for _ in range(rng.randint(1, 9)))


def _value(rng: Random, depth: int) -> Any:
    kind = rng.randrange(6 if depth else 4)
    if kind == 4:
        return [_value(rng, depth - 1) for _ in range(rng.randint(0, 3))]
    if kind == 5:
        return {f"k{n}": _value(rng, depth - 1) for n in range(rng.randint(0, 3))}
    return rng.choice([None, True, False, rng.randint(-(10**20), 10**20), rng.random(), _text(rng)])


def _content(rng: Random, role: str) -> Any:
    if rng.random() < 0.8:
        return _text(rng)
    parts: list[Example] = [{"type": "text", "text": _text(rng)} for _ in range(rng.randint(1, 3))]
    if role == "user" and rng.random() < 0.6:
        url = rng.choice([PNG, "https://example.com/cat.jpg", PNG.replace("png", "jpeg"), PNG.replace("png", "webp")])
        detail: Example = rng.choice([{}, {"detail": "low"}, {"detail": "auto"}, {"detail": None}])
        parts += [{"type": "image_url", "image_url": {"url": url, **detail}}] * rng.randint(1, 3)
    return parts


def _asked(rng: Random) -> Iterator[Example]:
    if rng.random() < 0.6:
        yield {"role": rng.choice(["system", "developer"]), "content": _content(rng, "system")}
    for _ in range(rng.randint(0, 2)):
        yield {"role": "user", "content": _content(rng, "user")}
        yield {"role": "assistant", "content": _text(rng)}
    named: Example = {"name": rng.choice(["anna", "B-2", None])} if rng.random() < 0.1 else {}
    yield {"role": "user", "content": _content(rng, "user")} | named


def _dialogue(rng: Random) -> list[Example]:
    messages = list(_asked(rng))
    for turn in range(rng.randint(0, 2)):
        messages += rng.choice([_tool_turn, _function_turn])(rng, turn)
    last: Example = {"role": "assistant", "content": _content(rng, "assistant")}
    if rng.random() < 0.2:
        last["weight"] = rng.choice([0, 1, None, 1.0])
    if rng.random() < 0.05:
        last |= {"refusal": None, "audio": None, "annotations": []}
    return [*messages, last]


def _tool_turn(rng: Random, turn: int) -> list[Example]:
    ids = [f"call_{turn}_{n}" for n in range(rng.randint(1, 3))]
    calls = [
        {"id": one, "type": "function", "function": {"name": "look_up", "arguments": json.dumps({"q": _value(rng, 1)})}}
        for one in ids
    ]
    content: Example = rng.choice([{}, {"content": None}, {"content": _text(rng)}])
    answers = [{"role": "tool", "tool_call_id": one, "content": _content(rng, "tool")} for one in ids]
    return [{"role": "assistant", "tool_calls": calls, **content}, *answers]


def _function_turn(rng: Random, _turn: int) -> list[Example]:
    called = {"role": "assistant", "content": None, "function_call": {"name": "look_up", "arguments": "{}"}}
    return [called, {"role": "function", "name": "look_up", "content": _text(rng)}]


def _with_tools(rng: Random, holder: Example) -> Example:
    if rng.random() < 0.7:
        return holder
    function: Example = {"name": "look_up"}
    if rng.random() < 0.7:
        function |= {
            "description": _text(rng),
            "parameters": {"type": "object", "properties": {"q": {"type": "string"}}},
        }
    more: Example = rng.choice([{}, {"parallel_tool_calls": False}, {"parallel_tool_calls": None}])
    tools: Example = (
        {"functions": [function]} if rng.random() < 0.2 else {"tools": [{"type": "function", "function": function}]}
    )
    return {**holder, **tools, **more}
