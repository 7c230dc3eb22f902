"""What a program reads on stdout: one document in the form that it asked for, whatever happens."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cli import terminal
from reconciler.cli.names import COMMANDS
from reconciler.cli.output import Reader, failure, print_document, print_failure, reader_of
from reconciler.errors import SourceError
from reconciler.sandbox import EmbeddedSandbox
from tests.fakes.commands import at_a_terminal, started
from tests.fakes.fleets import FleetDirectory
from tests.fakes.shell import Shell

JOB = {"path": "a.yaml", "line": 1, "column": 2, "field": "spec", "message": "bad"}


@pytest.fixture
def fleet(tmp_path: Path) -> FleetDirectory:
    directory = FleetDirectory(tmp_path / "fleet")
    directory.fleet(provider="sandbox")
    directory.job("tone", model="gpt-4o-mini", suffix="e-\u8266")
    return directory


def read(form: str, text: str) -> Any:
    return json.loads(text) if form == "json" else yaml.safe_load(text)


# ── results ──────────────────────────────────────────────────────────────────────────────────

PRINTING = {
    "validate": ["{}"],
    "import": ["{}"],
    "schema": [],
    "plan": ["{}"],
    "apply": ["{}"],
    "status": ["{}"],
    "doctor": ["{}"],
    "files": ["{}"],
    "events": ["tone", "-d", "{}"],
    "checkpoints": ["tone", "-d", "{}"],
    "forget": ["tone", "-d", "{}"],
    "data": ["{}/data/train.jsonl"],
}
# Their result is a directory, or lasts for ever.
MUTE = {"init", "run", "sandbox"}


def arguments(command: str, fleet: FleetDirectory) -> list[str]:
    return [command, *(word.format(fleet.root) for word in PRINTING[command])]


def test_every_command_that_prints_data_is_in_here() -> None:
    assert {*PRINTING, *MUTE} == {*COMMANDS} - {"describe"}


@pytest.mark.parametrize("command", PRINTING)
def test_yaml_and_json_are_the_same_data(shell: Shell, fleet: FleetDirectory, command: str) -> None:
    shell("apply", fleet.root, "--wait", "--sandbox-speed", "10000")
    told = shell(*arguments(command, fleet), "-o", "json")
    assert told.code == 0
    assert steady(read("yaml", shell(*arguments(command, fleet), "-o", "yaml").out)) == steady(told.json)


def steady(data: Any) -> Any:
    """Without what a clock says."""
    return {k: v for k, v in data.items() if k != "items"} if isinstance(data, dict) else data


@pytest.mark.parametrize("command", sorted(PRINTING.keys() - {"schema"}))
def test_text_is_what_a_person_gets(shell: Shell, fleet: FleetDirectory, command: str) -> None:
    shell("apply", fleet.root, "--wait", "--sandbox-speed", "10000")
    ages = re.compile(r"\d+s\n")
    told = [ages.sub("", shell(*arguments(command, fleet), *form).out) for form in ([], ["-o", "text"])]
    assert told[0] == told[1] != ""


def test_followed_events_come_one_by_one(shell: Shell, fleet: FleetDirectory) -> None:
    shell("apply", fleet.root, "--wait", "--sandbox-speed", "10000")
    whole = shell("events", "tone", "-d", fleet.root, "-o", "json").json
    lines = shell("events", "tone", "-d", fleet.root, "--follow", "-o", "json").out.splitlines()
    assert [json.loads(line) for line in lines] == whole
    documents = shell("events", "tone", "-d", fleet.root, "--follow", "-o", "yaml").out
    assert list(yaml.safe_load_all(documents)) == whole


def test_yaml_is_read_as_it_was_by_readers_of_both_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    """YAML 1.2 reads `12e45` as a number, and 1.1 reads `no` as a boolean: neither is written plain."""
    told = {"revision": "1234567890e12345", "no": "no", "x": ["~", 1, None, True], "text": "a\nb\u2028\u8266"}
    print_document(told, "yaml")
    text = capsys.readouterr().out
    assert yaml.safe_load(text) == told
    assert "'1234567890e12345'" in text
    assert "\u8266" in text


def test_half_a_surrogate_pair_of_a_server_is_no_reason_to_fail(capsys: pytest.CaptureFixture[str]) -> None:
    print_document({"said": "a \ud83d b"}, "yaml")
    assert yaml.safe_load(capsys.readouterr().out) == {"said": "a ? b"}


def test_yaml_survives_an_encoding_that_cannot_hold_it(fleet: FleetDirectory) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | {"PYTHONIOENCODING": "ascii"}
    (fleet.root / "\u8266.yaml").write_text("a: [")
    run = started(environment)
    told = [read(form, run("validate", fleet.root, "-o", form).stdout.decode("ascii")) for form in ("json", "yaml")]
    assert told[0] == told[1]
    assert told[0]["problems"][0]["path"].endswith("/\u8266.yaml")


# ── failures ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", ["json", "yaml"])
@pytest.mark.parametrize(
    ("wrong", "code", "words"),
    [
        ("plan {} --nonsense -o FORM", 64, "no such option '--nonsense'"),
        ("plan -oFORM {} {}", 64, "it takes one directory"),
        ("aply {} -o FORM", 64, "no such command 'aply'; did you mean apply?"),
        ("events --output=FORM", 64, "missing argument NAME"),
        ("apply {} --timeout 5s --output FORM", 64, "--timeout goes with --wait"),
        ("plan {} --base-url http://x/v1 -o FORM", 64, "the sandbox is embedded"),
        ("plan {} --settle 5 -qo FORM", 64, "'5' is not a duration"),
        ("events nobody -d {} -o FORM", 1, "no job named 'nobody' in this fleet; known: tone"),
        ("events nobody -d {} -o FORM --follow", 1, "no job named 'nobody' in this fleet; known: tone"),
        ("apply {}/nowhere -o FORM", 64, "no such directory"),
        ("status {}/nowhere -o FORM", 64, "no such directory"),
        ("plan {} --provider openai -o FORM", 64, "needs a key"),
        ("plan {} --state-dir /dev/null -o FORM", 1, "/dev/null"),
        ("init /dev/null/x -o FORM", 64, "no such option '-o'"),
    ],
)
def test_a_failure_is_one_document(
    *, shell: Shell, fleet: FleetDirectory, form: str, wrong: str, code: int, words: str
) -> None:
    ran = shell(*(word.replace("{}", str(fleet.root)) for word in wrong.replace("FORM", form).split()))
    told = read(form, ran.out.removeprefix("---\n"))
    assert (ran.code, told["complete"]) == (code, False)
    assert words in told["error"]
    assert set(told) == {"error", "problems", "complete"}
    assert "error: " in ran.err
    text = shell(*(w.replace("{}", str(fleet.root)) for w in wrong.replace("FORM", "text").split()))
    assert (text.code, text.out) == (code, "")


def test_the_form_may_come_from_the_environment(
    shell: Shell, fleet: FleetDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILER_OUTPUT", "json")
    assert shell("events", "nobody", "-d", fleet.root).json["complete"] is False
    assert shell("events", "nobody", "-d", fleet.root, "-o", "text").out == ""


def test_a_comment_on_a_pull_request_is_never_empty(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("bad", seed=-1)
    ran = shell("plan", fleet.root, "-o", "markdown")
    assert ran.code == 1
    mark, head, empty, *rest = ran.out.splitlines()
    assert (head, empty, rest[0], rest[-1]) == ("### Fine-tuning plan failed", "", "```text", "```")
    assert "must be greater than or equal to 0, not -1" in ran.out
    fleet.remove("bad")
    assert mark == shell("plan", fleet.root, "-o", "markdown").out.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "code", "mark"),
    [
        ("plan {} --provider openai", 64, "<!-- reconciler plan fleet-1 -->"),
        ("plan {} --state-dir /dev/null", 1, "<!-- reconciler plan fleet-1 -->"),
        ("plan {}/nowhere", 64, "<!-- reconciler plan -->"),
        ("plan {} --nonsense", 64, "<!-- reconciler plan -->"),
    ],
)
def test_a_comment_of_a_failure_has_the_mark_of_its_fleet_where_that_is_known(
    *, shell: Shell, fleet: FleetDirectory, arguments: str, code: int, mark: str
) -> None:
    ran = shell(*arguments.format(fleet.root).split(), "-o", "markdown")
    assert ran.code == code
    assert ran.out.splitlines()[:2] == [mark, "### Fine-tuning plan failed"]


def test_validate_says_its_problems_in_its_own_document(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("bad", seed=-1)
    for form in ("json", "yaml"):
        told = read(form, shell("validate", fleet.root, "-o", form).out)
        assert (told["valid"], told["problems"][0]["field"]) == (False, "spec.seed")


def test_an_annotation_says_what_kept_validate_from_working(shell: Shell) -> None:
    ran = shell("validate", "-o", "github", "--root", ".", "one\ntwo%", "three")
    assert ran.code == 64
    assert ran.out.startswith("::error::unexpected: three")
    assert len(ran.out.splitlines()) == 1


def test_an_annotation_keeps_its_lines_together(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.prepare()
    print_failure(Reader("github"), SourceError([]), "a\nb%\x1b")
    assert capsys.readouterr().out == "::error::a%0Ab%25\\x1b\n"


def test_no_to_the_question_is_an_answer_and_no_error(fleet: FleetDirectory, tmp_path: Path) -> None:
    fleet.fleet(provider="compatible")
    with EmbeddedSandbox(tmp_path / "served") as sandbox:
        words = ["apply", str(fleet.root), "--settle", "0"]
        ended, seen = at_a_terminal(words, b"n\n", OPENAI_BASE_URL=sandbox.base_url)
    assert (ended, seen.endswith("[y/N]: Cancelled; nothing was sent.\r\n")) == (1, True)
    assert "error" not in seen
    assert not (fleet.root / ".reconciler").exists()


def test_problems_say_where_they_are() -> None:
    detailed = SourceError(["1 problem"], [JOB])
    assert failure(detailed, str(detailed)) == {"error": "1 problem", "problems": [JOB], "complete": False}
    error = SourceError(["1 problem", "more"])
    assert failure(error, str(error)) == {"error": "1 problem\nmore", "problems": [], "complete": False}


def test_a_document_that_was_printed_is_the_only_one(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.prepare()
    print_document({"a": 1}, "json")
    print_failure(Reader("json"), SourceError(["x"]), "x")
    assert json.loads(capsys.readouterr().out) == {"a": 1}
    print_failure(Reader("json", follows=True), SourceError(["x"]), "x")
    assert json.loads(capsys.readouterr().out)["error"] == "x"
    terminal.prepare()
    print_failure(Reader("wide"), SourceError(["x"]), "x")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("words", "environment", "reader"),
    [
        ("plan", {}, Reader()),
        ("plan -o json", {}, Reader("json")),
        ("plan -ojson", {}, Reader("json")),
        ("plan -qo json", {}, Reader("json")),
        ("plan --output json", {}, Reader("json")),
        ("plan --output=json", {}, Reader("json")),
        ("plan -o json -o yaml", {}, Reader("yaml")),
        ("plan -o", {}, Reader("")),
        ("plan -o markdown", {}, Reader("markdown")),
        ("status -o markdown", {}, Reader()),
        ("plan -- -o json", {}, Reader()),
        ("plan", {"RECONCILER_OUTPUT": "yaml"}, Reader("yaml")),
        ("plan -o json", {"RECONCILER_OUTPUT": "yaml"}, Reader("json")),
        ("events x --follow -o json", {}, Reader("json", follows=True)),
        ("events x", {"RECONCILER_FOLLOW": "1"}, Reader(follows=True)),
        ("events x", {"RECONCILER_FOLLOW": "no"}, Reader()),
        ("plan", {"RECONCILER_FOLLOW": "1"}, Reader()),
        ("", {}, Reader()),
    ],
)
def test_who_reads_is_seen_from_a_command_line_of_any_kind(
    words: str, environment: dict[str, str], reader: Reader
) -> None:
    assert reader_of(words.split(), environment) == reader


@pytest.mark.parametrize(
    "arguments",
    [
        ["apply", "{fleet}", "--log-format", "json"],
        ["apply", "{fleet}", "--log-format=json", "--wait", "--sandbox-speed", "100"],
        ["plan", "{fleet}", "--log-format", "json", "--no-such-flag"],
        ["plan", "nowhere", "--log-format", "json"],
        ["events", "nobody", "-d", "{fleet}", "--log-format", "json"],
    ],
    ids=" ".join,
)
def test_with_a_log_in_json_every_line_of_stderr_is_one(
    shell: Shell, fleet: FleetDirectory, arguments: list[str]
) -> None:
    fleet.job("a", model="gpt-4o-mini")
    (fleet.root / "compose.yaml").write_text("services: {}\n")  # a warning
    ran = shell(*(argument.format(fleet=fleet.root) for argument in arguments))
    lines = [json.loads(line) for line in ran.err.splitlines()]
    assert lines
    assert all(list(line)[:3] == ["timestamp", "level", "event"] for line in lines)


def test_a_plan_as_json_and_markdown_carries_what_is_odd_about_training_files(
    shell: Shell, fleet: FleetDirectory
) -> None:
    turns = ({"role": "user", "content": "q"}, {"role": "assistant", "content": "a"})
    odd = "".join(f"{json.dumps({'messages': turns, 'n': n})}\n" for n in range(12))
    fleet.fleet(provider="sandbox", data_checks="error")
    (fleet.root / "data" / "train.jsonl").write_text(odd)
    (warning, *_) = shell("validate", fleet.root, "-o", "json").json["warnings"]
    assert "12 of 12 answers are a" in warning["message"]
    assert warning in shell("plan", fleet.root, "-o", "json").json["warnings"]
    assert "- **Warning**: `" in shell("plan", fleet.root, "-o", "markdown").out
    applied = shell("apply", fleet.root, "--yes", "--first-run", "--settle", "0", "-o", "json").json
    assert warning in applied["warnings"]
