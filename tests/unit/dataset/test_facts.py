"""What a file holds, counted as its lines go by."""

import json

import pytest

from reconciler.dataset.facts import Facts, Spread, spread_of
from reconciler.dataset.formats import Format
from reconciler.dataset.measure import Measure
from reconciler.dataset.tokens import Counter

WORDS = Counter("words", lambda text: len(text.split()), exact=True)


def facts(*lines: object) -> Facts:
    found = Facts(WORDS)
    for line in lines:
        found.take(line if isinstance(line, bytes) else json.dumps(line).encode())
    return found


def chat(*roles: str, **more: object) -> dict[str, object]:
    return {"messages": [{"role": role, "content": "one two"} for role in roles], **more}


def test_kinds_roles_tools_and_images_are_counted() -> None:
    picture = {"role": "user", "content": [{"type": "image_url"}]}
    pair = {"input": {"messages": [{"role": "user"}]}, "preferred_output": [], "non_preferred_output": []}
    found = facts(chat("user", "assistant"), chat("user", tools=[{}]), {"messages": [picture]}, pair, {"text": "a b"})
    assert found.kinds == {"chat": 3, "preference": 1, "other": 1}
    assert found.roles == {"user": 4, "assistant": 1}
    assert (found.tools, found.images, found.kind) == (1, 1, Format.CHAT)


def test_what_is_no_example_is_left_out() -> None:
    found = facts(b"\n", b"{", b"[1]", b"\xff", b"[" * 100_000, {"messages": [7, {"role": 7}]}, {"messages": 7})
    assert (found.kinds.total(), found.roles.total()) == (2, 0)
    assert facts().kind is None
    assert facts({"text": "a"}).kind is None


def test_half_of_a_surrogate_pair_is_not_counted() -> None:
    counter = Counter("bytes", lambda text: len(text.encode()), exact=False)
    found = Facts(counter)
    found.take(b'{"prompt": "\\ud800", "completion": ""}')
    assert list(found.tokens) == [0]


def test_what_is_billed_ends_at_the_context() -> None:
    found = facts({"prompt": "a b c", "completion": "d"}, {"prompt": "a", "completion": "b"})
    assert found.measure(None) == Measure(2, 6, 6, 0, about=False)
    assert found.measure(3) == Measure(2, 6, 5, 1, about=False)
    pair = {"input": {"messages": []}, "preferred_output": [], "non_preferred_output": []}
    assert facts(pair).measure(None).about


@pytest.mark.parametrize(
    ("tokens", "spread"),
    [
        ([5], Spread(5, 5, 5, 5, ((5, 5, 1),))),
        ([3, 1, 2], Spread(1, 2, 3, 3, ((1, 1, 1), (2, 2, 1), (3, 3, 1)))),
        (
            list(range(1, 101)),
            Spread(1, 50, 95, 100, tuple((1 + 13 * i, 13 + 13 * i, 13 if i < 7 else 9) for i in range(8))),
        ),
    ],
)
def test_how_tokens_are_spread(tokens: list[int], spread: Spread) -> None:
    assert spread_of(tokens) == spread


def test_nothing_is_spread_over_nothing() -> None:
    assert spread_of([]) is None
