"""What is shown of a line: a window around what is wrong, found by its column or by the path of its field."""

import json

import pytest

from reconciler.dataset.excerpt import Excerpt, excerpt_of

LINE = json.dumps(
    {
        "messages": [
            {"role": "user", "content": 'say "a, b: [c]" é', "weight": 1},
            {"role": "bot", "content": [{"type": "text", "text": "x"}, {}]},
        ],
        "tools": [],
    },
    ensure_ascii=False,
)


def pointed(found: Excerpt) -> str:
    """What the caret stands under, to the end of it."""
    return found.text[found.caret :]


@pytest.mark.parametrize(
    ("path", "begins"),
    [
        ("messages[1].role", '"bot"'),
        ("messages[0].weight", "1}"),
        ("messages[1].content[0].text", '"x"'),
        ("messages[1].content[1]", "{}"),
        ("tools", "[]"),
        ("messages[1].name", '{"role": "bot"'),
        ("messages[7].role", '[{"role": "user"'),
        ("nothing.at.all", '{"messages"'),
        ("messages[0].weight.more", "1}"),
    ],
)
@pytest.mark.parametrize("form", [LINE, f" {LINE.replace(', ', ' ,').replace(': ', ' : ')}"], ids=["plain", "spaced"])
def test_a_field_is_found_or_as_much_of_the_way_to_it_as_there_is(path: str, begins: str, form: str) -> None:
    found = pointed(excerpt_of(form.encode() + b"\r\n", 0, path))
    assert found.replace(" ", "").startswith(begins.replace(" ", ""))


def test_a_column_counts_characters_behind_a_byte_order_mark() -> None:
    line = b'\xef\xbb\xbf{"\xc3\xa9": nope}\n'
    assert excerpt_of(line, 7, "") == Excerpt('{"é": nope}', 6)
    assert pointed(excerpt_of(line, 7, "")) == "nope}"
    assert excerpt_of(b'{"a": \xff}', 7, "").text == '{"a": \ufffd}'


def test_of_a_long_line_only_what_stands_around_it_is_kept() -> None:
    line = json.dumps({"a": "x" * 1_000_000, "b": 1, "c": "y" * 1_000_000})
    found = excerpt_of(line.encode(), 0, "b")
    assert pointed(found).startswith('1, "c"')
    assert len(found.text) == 402
    assert (found.text[0], found.text[-1]) == ("…", "…")


def test_what_concerns_the_line_as_a_whole_shows_nothing_of_it() -> None:
    assert excerpt_of(LINE.encode(), 0, "") == Excerpt()


@pytest.mark.parametrize("depth", [10, 500, 900, 990, 5_000, 100_000])
def test_a_line_nested_however_deep_ends_nothing(depth: int) -> None:
    line = f'{{"messages": [{{"content": {"[" * depth}{"]" * depth}, "role": "bot"}}]}}'
    found = excerpt_of(line.encode(), 0, "messages[0].role")
    assert found == Excerpt() or pointed(found).startswith('"bot"')
