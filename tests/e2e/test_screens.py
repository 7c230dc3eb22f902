"""What a person at a terminal sees: nothing runs off the screen, colours mean something, and the words are these."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.commands import at_a_terminal
from tests.fakes.fleets import FleetDirectory
from tests.fakes.screens import Screen, on_screen

SIZES = [(80, 24), (120, 40)]
Look = Callable[..., Screen]


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FleetDirectory:
    monkeypatch.chdir(tmp_path)
    directory = FleetDirectory(tmp_path / "fleet")
    directory.fleet(provider="sandbox", limits={"max_cancels": 1})
    return directory


def look(*arguments: str, columns: int = 80, rows: int = 24, **environment: str) -> Screen:
    """The screen after a command; ids, digests and ages are always the same."""
    environment |= {"COLUMNS": str(columns), "LINES": str(rows)}
    _, seen = at_a_terminal(list(arguments), b"", interrupt_at=None, **environment)
    seen = re.sub(r"ftjob-\w{24}", "ftjob-" + "x" * 24, seen)
    seen = re.sub(r"\b[0-9a-f]{16}\b", "0" * 16, seen)
    seen = re.sub(r"\b\d+s( old)?\b", r"1s\1", seen)
    return on_screen(seen.replace("\r\n", "\n"), columns, rows)


def widest(screen: Screen, *, but: str = "To do ") -> int:
    return max(len(line) for line in screen.lines if not line.startswith(but))


def three_live(fleet: FleetDirectory) -> None:
    """Three live jobs; then two manifests go and one is edited."""
    for name in ("brief", "quiz", "tone"):
        fleet.job(name, seed=len(name), model="sandbox-slow")
    assert at_a_terminal(["apply", "fleet", "--sandbox-speed", "1000"], b"")[0] == 0
    fleet.remove("brief")
    fleet.remove("quiz")
    fleet.job("tone", seed=9, model="sandbox-slow")


def test_a_plan_says_what_happens_and_ends_with_its_command(fleet: FleetDirectory) -> None:
    fleet.job("tone")
    screen = look("plan", "fleet")
    assert [line for line in screen.lines if line] == [
        "fleet fleet-1 at sandbox",
        "  + create   tone  NotCreated: no job of this revision exists",
        "      trains sandbox-slow on data/train.jsonl, revision 0000000000000000,",
        "        attempt 1",
        "      data/train.jsonl: 12 examples, about 180 tokens, 8 epochs; no price known",
        "        for sandbox-slow",
        "      uploads data/train.jsonl",
        "Cost: not known (no price known for sandbox-slow).",
        "Plan: 1 to create. 1 training file to upload.",
        "Digest: 0000000000000000",
        "To do exactly this: reconciler apply fleet --approve 0000000000000000",
    ]
    assert screen.colours["+ create"] == "green"


def test_a_refused_plan_shows_what_it_would_do(fleet: FleetDirectory) -> None:
    three_live(fleet)
    screen = look("plan", "fleet")
    shown = [line for line in screen.lines if line]
    assert shown[1:4] == [
        "  - cancel   brief  Removed: its manifest is gone",
        "      [ftjob-xxxxxxxxxxxxxxxxxxxxxxxx]",
        "      refused: max_cancels",
    ]
    assert shown[4].startswith("      throws away: running, 1s old")
    assert "  ± replace  tone   NotCreated: no job of this revision exists" in shown
    assert "        seed: 4 → 9" in shown
    assert "Plan: 1 to create, 3 to cancel; 4 of them refused." in shown
    assert shown[-1] == "To do exactly this: reconciler apply fleet --approve 0000000000000000"
    assert screen.text.count("--approve") == 1
    assert screen.colours["refused: max_cancels"] == "red"


def test_no_line_runs_off_the_screen(fleet: FleetDirectory) -> None:
    three_live(fleet)
    fleet.job("a-name-as-long-as-a-team-makes-it-when-nobody-is-looking-at-all", seed=3)
    for command in ("plan", "status", "validate"):
        for columns, rows in SIZES:
            assert widest(look(command, "fleet", columns=columns, rows=rows)) <= columns, (command, columns)


def test_monochrome_says_the_same(fleet: FleetDirectory) -> None:
    three_live(fleet)
    plain = look("plan", "fleet", NO_COLOR="1")
    assert plain.colours == {}
    assert plain.lines[0] == "fleet fleet-1 at sandbox"
    assert "      refused: max_cancels" in plain.lines


def test_an_apply_that_waits_ends_with_how_the_jobs_stand(fleet: FleetDirectory) -> None:
    fleet.job("tone", model="gpt-4o-mini")
    screen = look("apply", "fleet", "--wait", "--sandbox-speed", "20")
    assert "✓ tone: created job ftjob-xxxxxxxxxxxxxxxxxxxxxxxx" in screen.lines
    assert any(
        line.startswith("✓ tone: succeeded; its model is ft:gpt-4o-mini-2024-07-18:sandbox:") for line in screen.lines
    )
    shown = [line for line in screen.lines if line]
    assert shown[-3].split() == ["NAME", "STATUS", "DETAIL", "AGE"]
    assert shown[-2].startswith("tone  succeeded  ft:gpt-4o-mini-2024-07-18:sandbox:")
    assert shown[-1] == "Done: 1 created."


def test_an_apply_that_fails_says_why_and_what_to_do(fleet: FleetDirectory) -> None:
    fleet.job("tone", suffix="refuse-403")
    fleet.job("quiz", model="sandbox-fail-server")
    screen = look("apply", "fleet", "--wait", "--sandbox-speed", "20", columns=120, rows=40)
    shown = "\n".join(line for line in screen.lines if line)
    ending = shown[shown.index("Done:") :]
    assert ending.startswith("Done: 1 created.\n")
    assert "Failed: create of tone: the provider takes no new jobs: POST /fine_tuning/jobs: HTTP 403" in ending
    assert "Failed: quiz: " in ending
    assert "Next: " in ending
    assert screen.colours[next(word for word in screen.colours if word.startswith("Failed: create of tone"))] == "red"


def test_ten_errors_are_ten_places_to_click_and_a_count(fleet: FleetDirectory) -> None:
    for number in range(10):
        fleet.job(f"n{number}", seed=-1)
    screen = look("validate", "fleet", rows=60)
    places = [line for line in screen.lines if re.match(r"fleet/n\d\.yaml:\d+:\d+: ", line)]
    assert len(places) == 10
    assert sum(line.strip().startswith("^") or line.endswith("^") for line in screen.lines) == 10
    assert "10 problems in 10 files" in screen.text


@pytest.mark.parametrize("command", ["", "apply"])
def test_help_fits_the_screen_and_shows_what_to_type(command: str) -> None:
    screen = look(*command.split(), "--help")
    assert max(map(len, screen.lines)) <= 80
    assert "Examples" in screen.text or not command
    assert "…" not in screen.text


def test_how_a_job_ended_while_nobody_looked_is_told_below_the_plan(fleet: FleetDirectory) -> None:
    fleet.job("tone", model="sandbox-fail-file")
    speed = ("--sandbox-speed", "1000")
    look("apply", "fleet")
    for _ in range(50):
        if "failed" in look("status", "fleet", *speed).text:
            break
    lines = [line for line in look("apply", "fleet", "--wait", *speed).lines if line]
    assert lines[0].startswith("fleet fleet-1 at")
    assert any(line.startswith("✗ tone: failed") for line in lines[1:])
