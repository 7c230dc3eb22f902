"""Sentences on a screen: lines break at words, and what is copied is never broken."""

import io
import sys

import pytest

from reconciler.cli import terminal
from reconciler.core.job import Checkpoint, Event
from reconciler.render.records import checkpoint_table, event_lines
from reconciler.render.text import sentence, wrapped

COMMAND = "reconciler plan a/long/path"


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("as it is", None, ["as it is"]),
        ("as it is", 8, ["as it is"]),
        ("as it is", 7, ["as it", "  is"]),
        ("anotherwordwithoutspaces at all", 12, ["anotherwordwithoutspaces", "  at all"]),
        (f"no: {COMMAND}", 40, [f"no: {COMMAND}"]),
        (f"a directory: {COMMAND}", 40, [f"a directory: {COMMAND}"]),
        (f"it is no directory: {COMMAND}", 40, ["it is no directory:", f"  {COMMAND}"]),
        (f"it is no directory: {COMMAND}", 20, ["it is no directory:", f"  {COMMAND}"]),
        (f"it is not; did you mean {COMMAND}", 40, ["it is not; did you mean", f"  {COMMAND}"]),
        ("a: /x/bin/reconciler plan directory", 14, ["a:", "  /x/bin/reconciler plan directory"]),
        ("two words of reconciler plan here", 20, ["two words of", "  reconciler plan", "  here"]),
    ],
)
def test_a_sentence_breaks_at_words_and_its_command_is_whole(text: str, width: int | None, lines: list[str]) -> None:
    assert sentence(text, width) == lines


def test_an_event_goes_on_below_its_message() -> None:
    event = Event("e", 0, "info", "message", "the provider says a lot of this job today", {})
    one = "1970-01-01 00:00:00  info   the provider says a lot of this job today"
    assert event_lines(event) == [one]
    assert event_lines(event, 80) == [one]
    assert event_lines(event, 60) == [one[:59], " " * 28 + "job today"]
    named = Event("e", 0, "info", "message", "made ft:" + "m" * 57, {})
    assert event_lines(named, 80) == ["1970-01-01 00:00:00  info   made", "  ft:" + "m" * 57], "its name is whole"


def test_a_checkpoints_model_is_whole_on_a_narrow_screen() -> None:
    found = [Checkpoint("c", 5, "ft:" + "m" * 57, 0, {"train_loss": 0.5})]
    wide = checkpoint_table(found)
    assert wide == checkpoint_table(found, 200)
    assert [len(line.split()) for line in wide.split("\n")] == [6, 4]
    assert checkpoint_table(found, 60).split("\n") == [
        "STEP  TRAIN LOSS  VALID LOSS",
        "MODEL",
        "5     0.5000      -",
        "ft:" + "m" * 57,
    ]


class Screen(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_what_is_said_on_stderr_breaks_at_words_at_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "20")
    words = "error: nobody knows this job\nnor that one"
    for stream, said in (
        (Screen(), "error: nobody knows\n  this job\nnor that one\n"),
        (io.StringIO(), f"{words}\n"),
    ):
        terminal.prepare()
        monkeypatch.setattr(sys, "stderr", stream)
        terminal.echo(words, err=True)
        assert stream.getvalue() == said


def test_a_command_in_backticks_is_whole_however_narrow_the_screen_is() -> None:
    command = "`reconciler forget tone -d a/long/path/to/a/fleet`"
    assert wrapped(f"run {command}, or not", 60, "  ") == [f"  run {command}, or", "  not"]
    assert wrapped(f"run {command}, or not", 20, "  ") == ["  run", f"  {command},", "  or not"]
    assert wrapped(f"the id {'x' * 30}", 20) == ["the id xxxxxxxxxxxxx", "x" * 17], "a word that fits no line is broken"
