"""Which known model a name stands for: the base of a fine-tuned one, the alias of a dated snapshot.

Pure. `prices` and `tokens` look models up by it. A name that is only like a known one (`gpt-4o-mini-tts`) is another
model, of which nothing is known.
"""

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

# A dated snapshot: gpt-4o-mini-2024-07-18, gpt-3.5-turbo-0125.
_SNAPSHOT = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{4})$")
# How proxies spell whose model it is, and Azure a model that cannot have a dot in its name.
_OF_PROXIES = ("openai/", "azure/")
_OTHERWISE = {"gpt-35-turbo": "gpt-3.5-turbo"}


class Base(Struct, frozen=True):
    """What is known of a model: its encoding, and the tokens of an example beyond which it is cut."""

    encoding: str
    context: int


# Encodings: openai/tiktoken, tiktoken/model.py. Contexts of training examples: the fine-tuning guide's token limits
# (https://platform.openai.com/docs/guides/supervised-fine-tuning) and Azure's list of models.
_O200K, _CL100K = "o200k_base", "cl100k_base"
KNOWN: Mapping[str, Base] = {
    "gpt-4.1": Base(_O200K, 65_536),
    "gpt-4.1-mini": Base(_O200K, 65_536),
    "gpt-4.1-nano": Base(_O200K, 65_536),
    "gpt-4o": Base(_O200K, 65_536),
    "gpt-4o-mini": Base(_O200K, 65_536),
    "o4-mini": Base(_O200K, 65_536),
    "gpt-3.5-turbo": Base(_CL100K, 16_385),
    "davinci-002": Base(_CL100K, 16_384),
    "babbage-002": Base(_CL100K, 16_384),
}


def names_of(model: str) -> Iterator[str]:
    """Under what a model may be listed, in lower case: as it is written first, its alias last."""
    name = model.strip().lower()
    yield name
    if name.startswith("ft:"):
        name = name.split(":")[1]
    name, _, _ = name.partition(".ft-")  # Azure's name of a fine-tuned one
    for prefix in _OF_PROXIES:
        name = name.removeprefix(prefix)
    yield name
    alias = _SNAPSHOT.sub("", name)
    yield alias
    if alias in _OTHERWISE:
        yield _OTHERWISE[alias]


def base_of(model: str | None) -> Base | None:
    """What is known of a model; None where that is nothing."""
    return next((KNOWN[name] for name in names_of(model or "") if name in KNOWN), None)


def context_of(model: str | None) -> int | None:
    """How many tokens of an example a model sees; None where that is not known."""
    base = base_of(model)
    return None if base is None else base.context
