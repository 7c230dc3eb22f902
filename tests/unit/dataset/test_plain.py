"""A line that is accepted at once breaks no rule, and says of itself what a closer look would."""

import json
from collections import Counter
from random import Random
from typing import Any

import pytest

from reconciler.dataset.chat import chat_faults
from reconciler.dataset.completion import completion_faults
from reconciler.dataset.formats import Format
from reconciler.dataset.lines import read_line
from reconciler.dataset.oddities import Oddities
from reconciler.dataset.plain import plain
from reconciler.dataset.preference import preference_faults
from reconciler.dataset.rules import OPENAI
from tests.fakes.bad_lines import GOOD, ROWS
from tests.fakes.examples import good_line, slip

LEARNED = (Format.CHAT, Format.PREFERENCE, Format.COMPLETION)


def faults(wanted: Format, value: dict[str, Any]) -> list[object]:
    match wanted:
        case Format.CHAT:
            return list(chat_faults(value, OPENAI))
        case Format.PREFERENCE:
            return list(preference_faults(value, OPENAI))
        case _:
            return list(completion_faults(value))


def known_of(wanted: Format, line: bytes, value: dict[str, Any]) -> tuple[bool, Counter[str]]:
    odd = Oddities()
    odd.take(1, len(line), value, wanted, None)
    return odd.system, odd.labels


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("wanted", LEARNED)
def test_what_is_accepted_at_once_is_accepted_by_the_rules(wanted: Format, ascii_only: bool) -> None:
    rng, accepted = Random(f"plain {wanted}"), 0
    for number in range(4000):
        value = good_line(rng, wanted)
        value = slip(rng, value) if number % 2 else value
        line = json.dumps(value, ensure_ascii=ascii_only).encode() + b"\n"
        found = plain(line, wanted)
        if found is None:
            continue
        accepted += 1
        assert read_line(line, 2, first=False) == value
        assert faults(wanted, value) == []
        odd = Oddities()
        odd.take_plain(1, len(line), found, None)
        assert (odd.system, odd.labels) == known_of(wanted, line, value)
    assert accepted > 200


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_no_bad_line_is_accepted_at_once(row: Any) -> None:
    assert plain(json.dumps(row.example).encode() + b"\n", row.wanted) is None


@pytest.mark.parametrize(
    "line",
    [
        b'{"messages": [{"role": "user", "role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}',
        b'{"messages": [{"role": "user", "role" : "user", "content": "q"}, {"role": "assistant", "content": "a"}]}',
        b'{"messages": [{"role": "user", "role"\t:"user", "content": "q"}, {"role": "assistant", "content": "a"}]}',
        b'{"messages": [{"role": "user", "role"\r:"user", "content": "q"}, {"role": "assistant", "content": "a"}]}',
        b'{"prompt": "q", "completion": "\\":", "completion" : "a"}',
        b'{"prompt": "\\\\", "prompt":"q", "completion": "a"}',
        b'{"prompt": ": ", "completion": ":", "prompt": "q"}',
        b'{"prompt": "q", "completion": "a", "prompt"  : "\\\\":"}',
    ],
)
@pytest.mark.parametrize("wanted", LEARNED)
def test_a_key_that_stands_twice_is_never_accepted_at_once(line: bytes, wanted: Format) -> None:
    assert plain(line, wanted) is None


def test_a_colon_at_the_start_of_a_text_stands_for_no_missing_role() -> None:
    pair = {**GOOD[Format.PREFERENCE], "preferred_output": [{"content": ": a"}]}
    assert plain(json.dumps(pair).encode(), Format.PREFERENCE) is None


@pytest.mark.parametrize("wanted", LEARNED)
def test_a_usual_line_is_accepted_at_once(wanted: Format) -> None:
    assert plain(json.dumps(GOOD[wanted]).encode(), wanted) is not None
