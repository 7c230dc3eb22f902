"""How much a training file holds: its examples and their tokens, counted line by line.

Pure: who calls it brings the lines. Of a long file only a part of the examples is counted, evenly spread, and the rest
by their bytes: the count of a gigabyte would take minutes, and its price would be the same.
"""

import json
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from reconciler.dataset.content import images_in
from reconciler.dataset.tokens import Counter, example_tokens

# Bytes that are counted token by token: some three seconds.
COUNTED = 8_000_000


class Measure(Struct, frozen=True):
    """Of one file, for one way of counting and one context.

    ``billed`` are the tokens up to the context of each example, of which ``cut`` are longer. ``about``: not what the
    provider will count to the last token.
    """

    examples: int
    tokens: int
    billed: int
    cut: int
    about: bool


def measured(lines: Iterable[bytes], counter: Counter, context: int | None, size: int) -> Measure:
    """Of a file of ``size`` bytes, as `source` has checked it."""
    step = max(1, -(-size // COUNTED))
    examples, tokens, billed, cut = 0, 0, 0, 0
    seen, all_bytes, about = 0, 0, not counter.exact or step > 1
    for line in lines:
        text = text_of(line)
        if not text:
            continue
        all_bytes += len(text)
        if examples % step == 0:
            example = _example(text)
            found = example_tokens(example, counter)
            about = about or is_estimate(example)
            seen, tokens, billed = seen + len(text), tokens + found, billed + billed_of(found, context)
            cut += billed_of(found, context) < found
        examples += 1
    scale = all_bytes / seen if seen else 1.0
    return Measure(examples, round(tokens * scale), round(billed * scale), round(cut * scale), about)


def billed_of(tokens: int, context: int | None) -> int:
    """How many tokens of an example are billed: the rest of a longer one is cut."""
    return tokens if context is None else min(tokens, context)


def is_estimate(example: Mapping[str, object]) -> bool:
    """Whether the tokens of an example are not what the provider will count: a preference, or one with images."""
    return "input" in example or images_in(example.get("messages")) > 0


def text_of(line: bytes) -> bytes:
    """The example of a line: without a byte order mark, and white space around it."""
    return line.removeprefix(BOM_UTF8).strip()


def _example(text: bytes) -> dict[str, Any]:
    """A line, also of a file that is not checked."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"text": text.decode(errors="replace")}
