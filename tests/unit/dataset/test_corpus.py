"""Bad lines and good ones, judged twice: by the checks and by the sandbox, which share no code."""

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.dataset.checking import check
from reconciler.dataset.finding import Report, Severity
from reconciler.dataset.formats import Format
from reconciler.dataset.wanted import Wanted
from reconciler.sandbox.training import inspect
from tests.fakes.bad_lines import GOOD, ROWS, Row
from tests.fakes.examples import GRADED, Example, good_line, slip

KIND = {
    Format.CHAT: "supervised",
    Format.PREFERENCE: "dpo",
    Format.REINFORCEMENT: "reinforcement",
    Format.COMPLETION: "completion",
}
GRADER = {"type": "string_check", "reference": "{{ item.answer }}"}


def written(example: Example) -> bytes:
    return json.dumps(example, ensure_ascii=False).encode() + b"\n"


def among_good(wanted: Format, lines: list[bytes]) -> list[bytes]:
    """A file whose first lines are good, so that it is no file of another format."""
    return [*(written({**GOOD[wanted], "n": n}) for n in range(10)), *lines]


def looked_at(wanted: Format, lines: list[bytes]) -> Report:
    keys = frozenset({GRADED}) if wanted is Format.REINFORCEMENT else frozenset()
    return check(lines, Wanted(wanted, keys))[0]


def errors(report: Report) -> list[tuple[int, str]]:
    found = (one for one in report.findings if one.severity is not Severity.WARNING)
    return [(one.line, f"{one.path}: {one.message}" if one.path else one.message) for one in found]


def refused(wanted: Format, lines: list[bytes]) -> str:
    """What the sandbox says of a job on such a file; "" where it trains."""
    failure = inspect(lines).failure(KIND[wanted], grader=GRADER)
    return failure.message if failure else ""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.wanted}: {row.name}")
def test_a_bad_line_is_told_exactly_and_the_sandbox_refuses_it(row: Row) -> None:
    lines = among_good(row.wanted, [written(row.example)])
    assert errors(looked_at(row.wanted, lines)) == [(11, said) for said in row.said]
    assert ("Line 11: " in refused(row.wanted, lines)) or GRADED in row.said[0]
    assert refused(row.wanted, lines)


def test_the_corpus_knows_every_format() -> None:
    assert len(ROWS) >= 80
    assert {row.wanted for row in ROWS} == set(Format)


@pytest.mark.parametrize("wanted", list(Format))
@pytest.mark.parametrize("seed", range(5))
def test_good_lines_give_no_error_here_and_none_there(wanted: Format, seed: int) -> None:
    rng = Random(f"{wanted} {seed}")
    lines = [written(good_line(rng, wanted)) for _ in range(600)]
    assert errors(looked_at(wanted, lines)) == []
    assert refused(wanted, lines) == ""


@pytest.mark.parametrize("wanted", list(Format))
@pytest.mark.parametrize("seed", range(4))
def test_of_a_line_with_a_slip_the_checks_and_the_sandbox_say_the_same(wanted: Format, seed: int) -> None:
    rng = Random(f"slip {wanted} {seed}")
    good = among_good(wanted, [])
    for _ in range(400):
        line = written(slip(rng, good_line(rng, wanted)))
        here, there = errors(looked_at(wanted, [*good, line])), refused(wanted, [*good, line])
        assert bool(here) == bool(there), (line, here, there)


@pytest.mark.parametrize(
    "line",
    [
        b'{"messages": NaN}\n',
        b'{"messages": [], "messages": []}\n',
        b'{"a": "\\ud800"}\n',
        b'{"a": 1' + b"0" * 5000 + b"}\n",
        b'{"a": 1' + b"0" * 400 + b"}\n",
        b'{"a": -1e999}\n',
        b'{"a":' * 100_000 + b"\n",
        b"[" * 100_000 + b"\n",
        b"\xff\xfe{\0}\0\n\0",
        b"\x1f\x8b\x08\0\0\n",
        b'{"a": 1,}\n',
        b"[1]\n",
        b"{'messages': []}\n",
        b'{"messages": [\n',
        b"prompt,completion\n",
        b"\xef\xbb\xbf{}\n",
        b'{"a": "\x00"}\n',
        b'{"a": "\xed\xa0\x80"}\n',
    ],
)
@pytest.mark.parametrize("wanted", list(Format))
def test_a_hostile_line_is_an_error_here_and_refused_there(wanted: Format, line: bytes) -> None:
    good = among_good(wanted, [])
    assert errors(looked_at(wanted, [*good, line]))
    assert refused(wanted, [*good, line])


@given(st.lists(st.binary(max_size=60), max_size=5), st.sampled_from(list(Format)))
def test_no_bytes_raise_anything(lines: list[bytes], wanted: Format) -> None:
    said = looked_at(wanted, lines)
    assert all(one.message.isprintable() and one.path.isprintable() for one in said.findings)
    assert said.errors


def test_a_line_of_too_many_values_is_refused_before_it_fills_the_memory() -> None:
    line = b'{"a": [' + b"1," * 600_000 + b"1]}\n"
    said = errors(looked_at(Format.CHAT, [*among_good(Format.CHAT, []), line]))
    assert said == [(11, "more than 200,000 values in one line: write one example a line")]


def test_a_long_text_is_no_crowd() -> None:
    line = written({"messages": [{"role": "user", "content": "a, " * 500_000}, {"role": "assistant", "content": "b"}]})
    assert errors(looked_at(Format.CHAT, [line] * 10)) == []


@pytest.mark.parametrize(
    "line",
    [
        b'{"messages" : [{"role" :"user", "content"\t: "q"}, {"role": "assistant", "content": "a"}]}\n',
        b'{"messages": [{"role": "user", "content": "he said \\" : \\": "}, {"role": "assistant", "content": "a\\":"}]}\n',
    ],
)
def test_a_colon_apart_from_its_key_or_within_a_text_is_none_of_a_second_key(line: bytes) -> None:
    assert errors(looked_at(Format.CHAT, [line] * 10)) == []


def test_a_key_that_stands_twice_is_found_wherever_its_colon_stands() -> None:
    line = b'{"messages": [{"role": "user", "role" : "user", "content": "q"}, {"role": "assistant", "content": "a"}]}\n'
    lines = [*among_good(Format.CHAT, []), line]
    assert errors(looked_at(Format.CHAT, lines)) == [
        (11, "messages[0].role: the key role stands here again: leave one")
    ]
