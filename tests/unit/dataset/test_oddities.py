"""What is said of a file that breaks no rule."""

import json
from typing import Any

import pytest

from reconciler.dataset.checking import check, overlap
from reconciler.dataset.finding import Severity
from reconciler.dataset.formats import Format
from reconciler.dataset.rules import Rules
from reconciler.dataset.wanted import Wanted

SYSTEM = {"role": "system", "content": "s"}


def chat(number: int, *, system: bool = True, answer: str = "", **fields: Any) -> dict[str, Any]:
    asked = {"role": "user", "content": f"q{number}"}
    answered = {"role": "assistant", "content": answer or f"a{number}"}
    return {"messages": [*([SYSTEM] if system else []), asked, answered], **fields}


def written(*examples: dict[str, Any]) -> list[bytes]:
    return [json.dumps(example).encode() + b"\n" for example in examples]


def warnings(lines: list[bytes], wanted: Wanted | None = None, rules: Rules | None = None) -> list[tuple[int, str]]:
    report, _ = check(lines, wanted or Wanted(Format.CHAT), rules or Rules())
    assert report.errors == 0
    assert report.warnings == len(report.findings)
    return [(one.line, one.message) for one in report.findings if one.severity is Severity.WARNING]


USUAL = written(*(chat(n) for n in range(10)))


def test_of_a_usual_file_nothing_is_said() -> None:
    assert warnings(USUAL) == []


@pytest.mark.parametrize("more", [{}, {"n": 1}], ids=["plain", "looked at"])
def test_no_system_message(more: dict[str, Any]) -> None:
    (said,) = warnings(written(*(chat(n, system=False, **more) for n in range(10))))
    assert said[1].startswith("no example has a system message")


def test_examples_that_stand_there_again() -> None:
    assert warnings([*USUAL, USUAL[3], USUAL[5].rstrip()]) == [
        (11, "the same example as in line 4 (2 such in all): remove what stands there again")
    ]


@pytest.mark.parametrize("more", [{}, {"n": 1}], ids=["plain", "looked at"])
def test_examples_that_are_cut(more: dict[str, Any]) -> None:
    long = chat(11, answer="word " * 200, **more)
    (said,) = warnings([*USUAL, *written(long, long | {"m": 2})], Wanted(Format.CHAT, context=100))
    assert said[0] == 11
    assert said[1].endswith("tokens, and the model sees 100: what is beyond them is cut; 2 such examples in all")
    assert said[1].startswith("about 2")


@pytest.mark.parametrize(("count", "said"), [(18, False), (19, True)])
def test_one_label(count: int, said: bool) -> None:
    examples = [chat(n, answer="positive" if n < count else "negative") for n in range(20)]
    found = warnings(written(*examples))
    assert bool(found) is said
    assert not said or found == [(0, "19 of 20 answers are positive: a model learns to say nothing else")]


def test_a_long_answer_is_no_label() -> None:
    assert warnings(written(*(chat(n, answer="x" * 65) for n in range(20)))) == []


def test_blank_lines() -> None:
    assert warnings([*USUAL, b"\n", b" \t\n"]) == [(11, "only white space; 2 such lines in all: remove them")]


def test_a_byte_order_mark_where_the_server_asks_for_none() -> None:
    marked = [b"\xef\xbb\xbf" + USUAL[0], *USUAL[1:]]
    assert warnings(marked) == [(1, "the file begins with a byte order mark: save it as UTF-8 without one")]
    assert warnings(marked, rules=Rules(mark=True)) == []


def test_answers_that_are_not_learned() -> None:
    silent = chat(1)
    silent["messages"][-1]["weight"] = 0
    assert warnings([*USUAL, *written(silent)]) == [
        (11, "every assistant message has weight 0: nothing is learned"),
    ]


def test_a_preference_between_equals() -> None:
    answer = [{"role": "assistant", "content": "a"}]
    pairs = [
        {"input": {"messages": [{"role": "user", "content": f"{n}"}]}, "preferred_output": answer} for n in range(10)
    ]
    said = warnings(written(*({**p, "non_preferred_output": answer} for p in pairs)), Wanted(Format.PREFERENCE))
    assert {message for _, message in said} == {"the same as preferred_output: there is no preference to learn"}


def test_more_examples_with_images_than_the_api_takes() -> None:
    parts = [{"type": "image_url", "image_url": {"url": "https://a.b/c.png"}}]
    one = {"messages": [SYSTEM, {"role": "user", "content": parts}, {"role": "assistant", "content": "a"}]}
    (line,) = written(one)
    report, _ = check((line for _ in range(50_001)), Wanted(Format.CHAT))
    assert [one.message for one in report.findings if one.severity is Severity.ERROR] == [
        "50001 examples with images: the API takes 50,000 a file"
    ]


def test_an_overlap_names_the_first_line_of_the_validation_file() -> None:
    _, training = check(USUAL, Wanted(Format.CHAT))
    _, apart = check(written(chat(99)), Wanted(Format.CHAT, training=False))
    _, both = check([*written(chat(99)), *USUAL[:2]], Wanted(Format.CHAT, training=False))
    assert overlap(apart, training) is None
    found = overlap(both, training)
    assert found is not None
    assert (found.line, found.message) == (
        2,
        "this example is in the training file too (2 such in all): validate on others",
    )
