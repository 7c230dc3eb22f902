"""What a file holds, counted as its lines go by: kinds of examples, roles, tools, images, and the tokens of each.

Pure. `reconciler data` hands every line to `Facts.take` while `checking` looks at it. A line that is no JSON object is
left out: `checking` says so.
"""

import json
from array import array
from collections import Counter as Tally
from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from reconciler.dataset.content import images_in
from reconciler.dataset.formats import Format, format_of
from reconciler.dataset.measure import Measure, billed_of, is_estimate, text_of
from reconciler.dataset.tokens import Counter, example_tokens

_BARS = 8
_OTHER = "other"


class Facts(Struct):
    """Of the lines so far; ``tokens`` are those of each example, in its order."""

    counter: Counter
    kinds: Tally[str] = field(default_factory=Tally)
    roles: Tally[str] = field(default_factory=Tally)
    tools: int = 0
    images: int = 0
    about: bool = False  # whether the provider will count some example otherwise
    tokens: "array[int]" = field(default_factory=lambda: array("L"))

    def take(self, line: bytes) -> None:
        """One more line, as it stands in the file."""
        text = text_of(line)
        try:
            example = json.loads(text) if text else None
        except (ValueError, RecursionError):
            return
        if not isinstance(example, dict):
            return
        self.kinds[format_of(example) or _OTHER] += 1
        self.roles.update(_roles(example))
        self.tools += bool(example.get("tools") or example.get("functions"))
        self.images += images_in(example.get("messages"))
        self.about = self.about or is_estimate(example)
        self.tokens.append(_counted(example, self.counter))

    @property
    def kind(self) -> Format | None:
        """The format that most examples have."""
        named = [(count, kind) for kind, count in self.kinds.items() if kind != _OTHER]
        return Format(max(named)[1]) if named else None

    def measure(self, context: int | None) -> Measure:
        """What is billed of it, where an example is cut at ``context`` tokens."""
        total = sum(self.tokens)
        billed = [billed_of(tokens, context) for tokens in self.tokens]
        cut = sum(part < whole for part, whole in zip(billed, self.tokens, strict=True))
        return Measure(len(self.tokens), total, sum(billed), cut, about=self.about or not self.counter.exact)


def _counted(example: Mapping[str, object], counter: Counter) -> int:
    try:
        return example_tokens(example, counter)
    except UnicodeError:  # half of a surrogate pair, which `checking` finds
        return 0


def _roles(example: Mapping[str, object]) -> list[str]:
    within = example.get("input")
    messages = (within if isinstance(within, Mapping) else example).get("messages")
    found = [m.get("role") for m in (messages if isinstance(messages, list) else ()) if isinstance(m, dict)]
    return [role for role in found if isinstance(role, str)]


class Spread(Struct, frozen=True):
    """How the tokens of examples are spread. ``bars``: from, to, and how many examples, in equal steps."""

    least: int
    median: int
    p95: int
    most: int
    bars: tuple[tuple[int, int, int], ...]


def spread_of(tokens: Sequence[int]) -> Spread | None:
    """None where there are no examples. A quantile is the least count that so many examples do not exceed."""
    if not tokens:
        return None
    ordered = sorted(tokens)
    least, most = ordered[0], ordered[-1]
    median, p95 = (ordered[max(0, -(-len(ordered) * share // 100) - 1)] for share in (50, 95))
    step = max(1, -(-(most - least + 1) // _BARS))
    counts = Tally((count - least) // step for count in ordered)
    bars = tuple((least + i * step, least + (i + 1) * step - 1, counts[i]) for i in range((most - least) // step + 1))
    return Spread(least, median, p95, most, bars)
