"""The tokens of an example, as the provider counts what it bills.

Pure. `measure` and `reconciler data` ask. Exact where the model's encoding is known and the extra `[tokens]` is
installed; else an estimate, and said to be one (`Counter.exact`). The rules: openai-cookbook,
How_to_count_tokens_with_tiktoken.ipynb (messages and tools); 3 tokens a message, 1 for a name, 3 an example.
"""

import json
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.util import find_spec
from typing import Any

from msgspec import Struct

from reconciler.dataset.bases import base_of

_A_MESSAGE, _A_NAME, _AN_EXAMPLE = 3, 1, 3
# Tools are shown to a model as declarations: what stands around the words of one.
_TOOL_START = {"cl100k_base": 10}
_TOOL_START_SINCE = 7  # o200k_base, and whoever came after it
_PROPERTIES, _A_PROPERTY, _AN_ENUM, _A_CHOICE, _TOOLS_END = 3, 3, -3, 3, 12
# An image of low detail is this many tokens; of a greater one only its size would tell.
_AN_IMAGE = 85
_NOT_TEXT = frozenset({"weight", "tool_calls", "function_call", "content"})


class Counter(Struct, frozen=True):
    """How texts are counted; ``name`` says by what, ``exact`` whether the provider counts the same."""

    name: str
    count: Callable[[str], int]
    exact: bool


def by_bytes(text: str) -> int:
    """About 4 bytes of UTF-8 a token, rounded up: near for English and Chinese, too much for Russian."""
    return -(-len(text.encode()) // 4)


def counter_of(model: str | None, tokenizer: Counter | None = None) -> Counter:
    """The best there is for a model: its own encoding, else the operator's tokenizer, else bytes."""
    base = base_of(model)
    exact = encoding(base.encoding) if base is not None else None
    return exact or tokenizer or Counter("bytes", by_bytes, exact=False)


def encoding(name: str) -> Counter | None:
    """A published encoding of OpenAI's; None where the extra `[tokens]` is not installed."""
    if find_spec("bpe_openai") is None:
        return None

    def count(text: str) -> int:
        return _loaded(name)(text)  # not before a text is counted

    return Counter(name, count, exact=True)


@cache
def _loaded(name: str) -> Callable[[str], int]:
    # Imported here: the vocabularies take a second, and only who counts needs them. The binding counts texts of any
    # length, the wrapper around it none above a million characters.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of how the library reads its own files
        from bpe_openai._bindings import tokenizer_for_encoding  # noqa: PLC0415

    count: Callable[[str], int] = tokenizer_for_encoding(name).count
    return count


def tokenizer_file(content: bytes, name: str) -> Counter:
    """The operator's `tokenizer.json`; not exact, since how the server frames a message is not in it.

    Raises:
        ValueError: it is none, or the extra `[tokenizers]` is not installed.
    """
    try:
        from tokenizers import Tokenizer  # noqa: PLC0415 - an extra, for who has a model of their own
    except ImportError:
        raise ValueError("it needs the extra tokenizers: pip install 'finetune-reconciler[tokenizers]'") from None
    try:
        loaded = Tokenizer.from_str(content.decode())
    except Exception as error:  # the library raises Exception itself
        raise ValueError(f"not a tokenizer.json ({str(error)[:120]})") from error
    return Counter(name, lambda text: len(loaded.encode(text, add_special_tokens=False).ids), exact=False)


def example_tokens(example: Mapping[str, Any], counter: Counter) -> int:
    """All tokens of one example, in whichever of the formats it is."""
    count = counter.count
    if isinstance(example.get("input"), Mapping):  # preference: a conversation and its two answers
        answers = (example.get("preferred_output"), example.get("non_preferred_output"))
        return _conversation(example["input"], counter) + sum(_messages(answer, count) for answer in answers)
    if "messages" in example:
        return _conversation(example, counter)
    if "prompt" in example and "completion" in example:
        return _texts((example["prompt"], example["completion"]), count)
    return _texts(example.values(), count)


def _conversation(value: Mapping[str, Any], counter: Counter) -> int:
    tools = [*_listed(value.get("tools")), *_listed(value.get("functions"))]
    spoken = _messages(value.get("messages"), counter.count) + _AN_EXAMPLE
    return spoken + (_tools(tools, counter) if tools else 0)


def _messages(value: object, count: Callable[[str], int]) -> int:
    return sum(_message(message, count) for message in _listed(value) if isinstance(message, Mapping))


def _message(message: Mapping[str, Any], count: Callable[[str], int]) -> int:
    tokens = _A_MESSAGE
    tokens += sum(count(value) for key, value in message.items() if key not in _NOT_TEXT and isinstance(value, str))
    if message.get("name"):
        tokens += _A_NAME
    calls = [call.get("function") for call in _listed(message.get("tool_calls")) if isinstance(call, Mapping)]
    if message.get("function_call"):
        calls.append(message["function_call"])
    tokens += sum(_A_MESSAGE + _texts(call.values(), count) for call in calls if isinstance(call, Mapping))
    return tokens + _content(message.get("content"), count)


def _content(value: object, count: Callable[[str], int]) -> int:
    if isinstance(value, str):
        return count(value)
    parts = [part for part in _listed(value) if isinstance(part, Mapping)]
    images = [part for part in parts if part.get("type") == "image_url"]
    texts = (part.get("text") or part.get("refusal") for part in parts if part not in images)
    return _texts(texts, count) + _AN_IMAGE * len(images)


def _tools(tools: Iterable[object], counter: Counter) -> int:
    start = _TOOL_START.get(counter.name, _TOOL_START_SINCE)
    functions = [tool.get("function", tool) for tool in tools if isinstance(tool, Mapping)]
    return sum(start + _function(f, counter.count) for f in functions if isinstance(f, Mapping)) + _TOOLS_END


def _function(function: Mapping[str, Any], count: Callable[[str], int]) -> int:
    tokens = count(f"{function.get('name')}:{_sentence(function.get('description'))}")
    parameters = function.get("parameters")
    properties = parameters.get("properties") if isinstance(parameters, Mapping) else None
    if not isinstance(properties, Mapping) or not properties:
        return tokens
    return tokens + _PROPERTIES + sum(_property(str(key), value, count) for key, value in properties.items())


def _property(key: str, value: object, count: Callable[[str], int]) -> int:
    fields = value if isinstance(value, Mapping) else {}
    choices = _listed(fields.get("enum"))
    tokens = _A_PROPERTY + count(f"{key}:{fields.get('type') or ''}:{_sentence(fields.get('description'))}")
    return tokens + (_AN_ENUM + sum(_A_CHOICE + count(str(choice)) for choice in choices) if choices else 0)


def _sentence(value: object) -> str:
    return str(value or "").removesuffix(".")


def _texts(values: Iterable[object], count: Callable[[str], int]) -> int:
    """Of texts; of anything else that it holds, as it is written."""
    return sum(count(v if isinstance(v, str) else json.dumps(v, ensure_ascii=False)) for v in values if v is not None)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []
