"""`reconciler data`: what files hold and would cost, without a fleet."""

import json
import os
from pathlib import Path

import pytest
import yaml

from tests.fakes.commands import at_a_terminal
from tests.fakes.shell import Shell


def lines(*, first: int = 0, count: int = 12) -> str:
    examples = [
        {
            "messages": [
                {"role": "system", "content": "s"},
                {"role": "user", "content": f"q {n}"},
                {"role": "assistant", "content": f"answer {n} " + "word " * n},
            ]
        }
        for n in range(first, first + count)
    ]
    return "".join(json.dumps(example) + "\n" for example in examples)


@pytest.fixture
def train(tmp_path: Path) -> Path:
    file = tmp_path / "train.jsonl"
    file.write_text(lines())
    return file


def test_a_file_is_told_in_a_few_lines(shell: Shell, train: Path) -> None:
    ran = shell("data", train, "--model", "gpt-4o-mini")
    assert ran.code == 0
    first, roles, tokens, each, epochs, cost = ran.out.splitlines()
    assert first == f"{train}: 12 examples (12 chat)"
    assert roles.split() == ["roles", "12", "system,", "12", "user,", "12", "assistant"]
    assert tokens.split()[0] == "tokens"
    assert "95 % of them up to" in each
    assert epochs.split()[:2] == ["epochs", "8,"]
    assert cost.endswith("for gpt-4o-mini ($3 per 1M tokens, 2025-11, https://openai.com/api/pricing/)")


def test_the_same_as_data(shell: Shell, train: Path, tmp_path: Path) -> None:
    other = tmp_path / "valid.jsonl"
    other.write_text(lines(first=9, count=12) + lines(first=9, count=1))
    told = shell("data", train, other, "-o", "json").json
    one, two = told["files"]
    assert (one["examples"], one["kinds"], one["roles"]["user"], one["estimate"]) == (12, {"chat": 12}, 12, None)
    assert one["tokens"]["min"] <= one["tokens"]["median"] <= one["tokens"]["p95"] <= one["tokens"]["max"]
    assert two["duplicates"] == {"count": 1, "line": 13, "first": 1}
    assert told["overlaps"] == [{"path": str(other), "other": str(train), "examples": 4, "line": 1}]
    assert yaml.safe_load(shell("data", train, other, "-o", "yaml").out) == told


def test_what_is_wrong_is_said_as_validate_says_it_and_is_an_error(shell: Shell, train: Path) -> None:
    train.write_text(lines() + '{"messages": [{"role": "bot", "content": "x"}]}\n{\n')
    ran = shell("data", train)
    assert ran.code == 1
    assert f"{train}:13: messages[0].role: bot is no role" in ran.out
    assert f"{train}:14:" in ran.out
    assert "problems in 1 file" in ran.out
    told = shell("data", train, "-o", "json")
    assert (told.code, told.json["problems"][0]["line"]) == (1, 13)


def test_the_method_says_what_is_wanted(shell: Shell, train: Path) -> None:
    assert shell("data", train).code == 0
    ran = shell("data", train, "--method", "dpo")
    assert (ran.code, "where preference is wanted" in ran.out) == (1, True)


def test_a_model_without_a_price_has_no_cost(shell: Shell, train: Path) -> None:
    assert "cost        no price known for llama-3" in shell("data", train, "--model", "llama-3").out


def test_a_model_without_an_encoding_is_counted_by_bytes_and_says_so(shell: Shell, train: Path) -> None:
    (told,) = (line for line in shell("data", train, "--model", "llama-3").out.splitlines() if "tokens" in line)
    assert told.endswith(", estimated from bytes")


def test_examples_of_one_length_have_no_spread(shell: Shell, train: Path) -> None:
    train.write_text(lines(count=1) * 10)
    (each,) = (line for line in shell("data", train).out.splitlines() if "an example" in line)
    assert each.endswith(" each")


@pytest.mark.parametrize("stream", ["-", "pipe.jsonl"])
def test_a_stream_is_no_file(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: str) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.jsonl")
    ran = shell("data", stream)
    assert (ran.code, ran.err) == (
        1,
        f"error: {stream}: a stream can be read once only, and this is read twice: name a file\n",
    )


def test_warnings_break_at_words_on_a_screen(train: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(train.parent)
    pair = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "yes"}]
    train.write_text(f"{json.dumps({'messages': pair})}\n" * 12)
    _, seen = at_a_terminal(["data", "train.jsonl"], b"")
    warning, *more = seen.replace("\r\n", "\n").partition("warning: ")[2].splitlines()
    assert len(warning) < 80
    assert any(row.startswith("  ") and row.endswith("where it has one") for row in more)


def test_a_file_that_is_not_there_is_an_error(shell: Shell, tmp_path: Path) -> None:
    ran = shell("data", tmp_path / "nowhere.jsonl")
    assert (ran.code, "nowhere.jsonl: no such file" in ran.err) == (1, True)
    assert shell("data").code == 64


def test_a_terminal_gets_a_histogram(train: Path) -> None:
    code, seen = at_a_terminal(["data", str(train)], b"")
    assert code == 0
    assert "####" in seen


def test_at_a_terminal_an_error_has_its_place_below_it_and_no_key(train: Path) -> None:
    key = "sk-" + "a1b2c3d4" * 4
    wrong = {"messages": [{"role": "user", "content": f"use {key}"}, {"role": "bot", "content": "x"}]}
    train.write_text(lines() + json.dumps(wrong) + "\n")
    code, seen = at_a_terminal(["data", str(train)], b"")
    assert code == 1
    (at,) = [n for n, line in enumerate(seen.splitlines()) if line.startswith("  13 | ")]
    shown, below = seen.splitlines()[at : at + 2]
    assert shown[below.index("^") :].startswith('"bot"')
    assert key[:16] not in seen


def test_a_file_to_validate_on_may_be_short_and_nobody_says_what_this_one_is_for(
    shell: Shell, train: Path, tmp_path: Path
) -> None:
    valid = tmp_path / "valid.jsonl"
    valid.write_text(lines(first=50, count=4))
    ran = shell("data", train, valid)
    assert ran.code == 0
    words = " ".join(ran.out.split())
    assert "4 examples: to train on, at least 10 are needed; to validate on, fewer will do" in words
