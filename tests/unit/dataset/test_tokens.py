"""Tokens: published vectors, and the reference tokenizer where its vocabulary can be had without a network."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from reconciler.dataset.bases import KNOWN, base_of
from reconciler.dataset.measure import COUNTED, Measure, measured
from reconciler.dataset.tokens import (
    Counter,
    by_bytes,
    counter_of,
    encoding,
    example_tokens,
    tokenizer_file,
)

WORDS = Counter("words", lambda text: len(text.split()), exact=False)

# openai-cookbook, examples/data/toy_chat_fine_tuning.jsonl (MIT), whose counts stand in Chat_finetuning_data_prep.ipynb.
HAPPY = {"role": "system", "content": "You are a happy assistant that puts a positive spin on everything."}


def chat(*turns: str, system: bool = True) -> dict[str, Any]:
    roles = ("user", "assistant") * len(turns)
    said = [{"role": role, "content": text} for role, text in zip(roles, turns, strict=False)]
    return {"messages": [HAPPY, *said] if system else said}


TOY = [
    chat("I fell off my bike today.", "It's great that you're getting exercise outdoors!"),
    chat(
        "I lost my tennis match today.",
        "It's ok, it happens to everyone.",
        "But I trained so hard!",
        "It will pay off next time.",
        "I'm going to switch to golf.",
        "Golf is fun too!",
        "I don't even know how to play golf.",
        "It's easy to learn!",
    ),
    chat("I lost my book today.", "You can read everything on ebooks these days!", system=False),
    {"messages": [HAPPY, {"role": "assistant", "content": "You're great!"}]},
    chat("I'm hungry.", "Eat a banana!" * 2_000),
]

# openai-cookbook, How_to_count_tokens_with_tiktoken.ipynb: what the API itself counted for these.
JARGON = [
    (
        "system",
        "",
        "You are a helpful, pattern-following assistant that translates corporate jargon into plain English.",
    ),
    ("system", "example_user", "New synergies will help drive top-line growth."),
    ("system", "example_assistant", "Things working well together will increase revenue."),
    (
        "system",
        "example_user",
        "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
    ),
    ("system", "example_assistant", "Let's talk later when we're less busy about how to do better."),
    ("user", "", "This late pivot means we don't have time to boil the ocean for the client deliverable."),
]
WEATHER: dict[str, Any] = {
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "get_current_weather",
                "description": "Get the current weather in a given location",
                "parameters": {
                    "type": "object",
                    "properties": {
                        "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
                        "unit": {
                            "type": "string",
                            "description": "The unit of temperature to return",
                            "enum": ["celsius", "fahrenheit"],
                        },
                    },
                    "required": ["location"],
                },
            },
        }
    ],
    "messages": [
        {"role": "system", "content": "You are a helpful assistant that can answer to questions about the weather."},
        {"role": "user", "content": "What's the weather like in San Francisco?"},
    ],
}


def exact(name: str) -> Counter:
    pytest.importorskip("bpe_openai", reason="the extra [tokens] is not installed")
    counter = encoding(name)
    assert counter is not None
    return counter


def test_the_toy_set_counts_as_the_cookbook_says() -> None:
    counter = exact("cl100k_base")
    counts = [example_tokens(example, counter) for example in TOY]
    assert (min(counts), max(counts), sum(counts) / 5) == (26, 8_032, 1_648.4)
    lines = [json.dumps(example).encode() for example in TOY]
    found = measured(lines, counter, 4_096, sum(map(len, lines)))
    assert found == Measure(examples=5, tokens=8_242, billed=4_306, cut=1, about=False)


@pytest.mark.parametrize(("name", "tokens"), [("cl100k_base", 129), ("o200k_base", 124)])
def test_messages_with_names_count_as_the_api_counted(name: str, tokens: int) -> None:
    messages = [{"role": role, **({"name": named} if named else {}), "content": text} for role, named, text in JARGON]
    assert example_tokens({"messages": messages}, exact(name)) == tokens


@pytest.mark.parametrize(("name", "tokens"), [("cl100k_base", 105), ("o200k_base", 101)])
def test_tools_count_as_the_api_counted(name: str, tokens: int) -> None:
    assert example_tokens(WEATHER, exact(name)) == tokens


@pytest.mark.parametrize(
    ("name", "text", "tokens"),
    [
        ("cl100k_base", "tiktoken is great!", 6),
        ("cl100k_base", "antidisestablishmentarianism", 6),
        ("cl100k_base", "2 + 2 = 4", 7),
        ("cl100k_base", "お誕生日おめでとう", 9),
        ("o200k_base", "antidisestablishmentarianism", 6),
        ("o200k_base", "2 + 2 = 4", 7),
    ],
)
def test_published_vectors(name: str, text: str, tokens: int) -> None:
    assert exact(name).count(text) == tokens


CORPUS = (
    "The quick brown fox jumps over the lazy dog. " * 40,
    "Съешь ещё этих мягких французских булок, да выпей же чаю.",
    "敏捷的棕色狐狸跳过了懒狗。今天天气很好，我们去公园吧！",  # noqa: RUF001 - as it is written there
    "いろはにほへと ちりぬるを わかよたれそ つねならむ",
    "다람쥐 헌 쳇바퀴에 타고파",
    "نص حكيم له سر قاطع وذو شأن عظيم",
    "דג סקרן שט בים מאוכזב ולפתע מצא חברה",
    "हिन्दी में कुछ शब्द",
    "emoji 👩‍👩‍👧‍👦🏳️‍🌈 and e\u0301 combining, zero\u200bwidth, \u00a0 nbsp",
    "def f(x: int) -> int:\n\treturn x ** 2  # 平方\n\n\n",
    "<|endoftext|> <|im_start|>assistant",
    "1234567890 0.1e-10 $1,234.56",
    "   leading and trailing   \r\n\r\n",
    "a" * 3_000,
    "",
)


def reference(name: str) -> Callable[[str], int]:
    """tiktoken, where TIKTOKEN_CACHE_DIR holds the vocabulary; it would download it otherwise."""
    cache = Path(os.environ.get("TIKTOKEN_CACHE_DIR", "/nowhere"))
    files = {
        "cl100k_base": "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "o200k_base": "fb374d419588a4632f3f557e76b4b70aebbca790",
    }
    if not (cache / files[name]).is_file():
        pytest.skip("no vocabulary of tiktoken in TIKTOKEN_CACHE_DIR")
    tiktoken = pytest.importorskip("tiktoken")
    found = tiktoken.get_encoding(name)
    return lambda text: len(found.encode_ordinary(text))


@pytest.mark.parametrize("name", ["cl100k_base", "o200k_base"])
def test_the_reference_tokenizer_counts_the_same_in_every_language_and_with_tools(name: str) -> None:
    ours, theirs = exact(name), Counter(name, reference(name), exact=True)
    assert [ours.count(text) for text in CORPUS] == [theirs.count(text) for text in CORPUS]
    for text in CORPUS:
        example = {**WEATHER, "messages": [*WEATHER["messages"], *chat(text, text)["messages"]]}
        assert example_tokens(example, ours) == example_tokens(example, theirs)


# ── the formats, counted in words ──


@pytest.mark.parametrize(
    ("example", "tokens"),
    [
        ({"messages": [{"role": "user", "content": "one two"}]}, 3 + 3 + 1 + 2),
        ({"messages": [{"role": "user", "name": "bob", "content": "one"}]}, 3 + 3 + 1 + 1 + 1 + 1),
        ({"messages": [{"role": "assistant", "content": "one", "weight": 0}]}, 3 + 3 + 1 + 1),
        ({"messages": [{"role": "assistant", "content": None, "refusal": "no no"}]}, 3 + 3 + 1 + 2),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a b"}, {"type": "image_url"}]}]},
            3 + 3 + 1 + 2 + 85,
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{} {}"}}]}]},
            3 + 3 + 1 + 3 + 1 + 2,
        ),
        (
            {"messages": [{"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}]},
            3 + 3 + 1 + 3 + 1 + 1,
        ),
        ({"messages": [], "tools": [{"type": "function", "function": {"name": "f"}}]}, 3 + 7 + 1 + 12),
        (
            {"messages": [], "functions": [{"name": "f", "parameters": {"properties": {"p": {}}}}]},
            3 + 7 + 1 + 3 + 3 + 1 + 12,
        ),
        (
            {
                "input": {"messages": [{"role": "user", "content": "q"}]},
                "preferred_output": [{"role": "assistant", "content": "a b"}],
                "non_preferred_output": [{"role": "assistant", "content": "c"}],
            },
            (3 + 3 + 1 + 1) + (3 + 1 + 2) + (3 + 1 + 1),
        ),
        ({"messages": [{"role": "user", "content": "q"}], "reference": "not trained on"}, 3 + 3 + 1 + 1),
        ({"prompt": "one two", "completion": "three"}, 3),
        ({"text": "one two three", "n": 5}, 4),
    ],
)
def test_each_format_is_counted(example: Mapping[str, Any], tokens: int) -> None:
    assert example_tokens(example, WORDS) == tokens


# ── which counter ──


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o-mini-2024-07-18", "o200k_base"),
        ("gpt-4.1", "o200k_base"),
        ("ft:gpt-3.5-turbo-0125:acme::x", "cl100k_base"),
        ("davinci-002", "cl100k_base"),
    ],
)
def test_a_models_own_encoding_is_used_where_it_is_known(model: str, name: str) -> None:
    exact(name)
    assert (counter_of(model).name, counter_of(model, WORDS).exact) == (name, True)


def test_another_model_is_counted_by_the_operators_tokenizer_or_by_bytes() -> None:
    assert counter_of("llama-3", WORDS) is WORDS
    assert (counter_of("llama-3").name, counter_of(None).exact) == ("bytes", False)


def test_bytes_are_near_the_exact_count() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert by_bytes(text) == pytest.approx(exact("o200k_base").count(text), rel=0.35)
    assert (by_bytes(""), by_bytes("a"), by_bytes("abcde")) == (0, 1, 2)


def test_every_known_model_has_an_encoding_and_a_context() -> None:
    assert {base.encoding for base in KNOWN.values()} == {"o200k_base", "cl100k_base"}
    assert base_of("gpt-5") is None


def test_a_file_that_is_no_tokenizer_is_refused() -> None:
    pytest.importorskip("tokenizers")
    with pytest.raises(ValueError, match=r"not a tokenizer\.json"):
        tokenizer_file(b"{}", "x")


def test_the_operators_tokenizer_counts_and_is_not_exact() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    counter = tokenizer_file(made.to_str().encode(), "own")
    assert (counter.name, counter.count("a b a"), counter.exact) == ("own", 3, False)


# ── a file ──


def lines(count: int, text: str = "one two three") -> Iterator[bytes]:
    for _ in range(count):
        yield json.dumps({"prompt": text, "completion": "x"}).encode() + b"\n"


def test_a_file_is_counted_line_by_line_and_blank_lines_are_none() -> None:
    content = [b"\xef\xbb\xbf", *lines(2), b"\n", *lines(1)]
    assert measured(content, WORDS, None, 100) == Measure(3, 12, 12, 0, about=True)


def test_what_is_longer_than_the_context_is_not_billed() -> None:
    assert measured(lines(2), WORDS, 3, 100) == Measure(2, 8, 6, 2, about=True)


def test_of_a_long_file_a_part_is_counted_and_the_rest_is_in_proportion() -> None:
    every = Counter("every", WORDS.count, exact=True)
    asked = 0

    def counting(text: str) -> int:
        nonlocal asked
        asked += 1
        return every.count(text)

    found = measured(lines(100), Counter("every", counting, exact=True), None, 10 * COUNTED)
    assert found == Measure(100, 400, 400, 0, about=True)
    assert asked == 20  # two texts of every tenth example
    assert not measured(lines(100), every, None, COUNTED).about


def test_answers_in_pairs_and_images_are_about() -> None:
    every = Counter("every", WORDS.count, exact=True)
    pair = json.dumps({"input": {"messages": []}, "preferred_output": [], "non_preferred_output": []}).encode()
    picture = json.dumps({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}).encode()
    assert measured([pair], every, None, 1).about
    assert measured([picture], every, None, 1).about
