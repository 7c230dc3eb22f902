"""Streams that are not UTF-8, closed, full or dumb: what is printed there never ends the work."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.sandbox import EmbeddedSandbox
from tests.fakes.commands import Ended, Program, at_a_terminal, in_a_shell, started
from tests.fakes.faulty import Proxy, Reply, Request
from tests.fakes.fleets import FleetDirectory

# A locale whose encoding Python neither replaces nor believes to be UTF-8.
C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
ENCODINGS = [*({"PYTHONIOENCODING": name} for name in ("ascii:strict", "latin-1")), C_LOCALE]


@pytest.fixture
def fleet(tmp_path: Path) -> FleetDirectory:
    directory = FleetDirectory(tmp_path / "fl\u00f6tte-\u8266\u968a")
    directory.fleet(provider="sandbox")
    return directory


def program(environment: dict[str, str]) -> Program:
    """The program in this environment, whose output is bytes."""
    return started({k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | environment)


def ran(arguments: list[str], environment: dict[str, str]) -> Ended:
    """One command of it."""
    run = program(environment)
    return run(*arguments)


def encoding(environment: dict[str, str]) -> str:
    return (environment.get("PYTHONIOENCODING") or "ascii").partition(":")[0]


@pytest.mark.parametrize("environment", [ENCODINGS[0], C_LOCALE], ids=str)
def test_every_command_ends_as_it_would_in_utf_8(fleet: FleetDirectory, environment: dict[str, str]) -> None:
    fleet.job("a", model="gpt-4o-mini", suffix="\u8266\u968a-\u00f6")
    fleet.job("b", model="sandbox-fast", suffix="fail-file")
    root, fast = str(fleet.root), ["--sandbox-speed", "100000"]
    commands = (
        (["validate", root], 0),
        (["plan", root], 0),
        (["apply", root, "--wait", "--log-format", "text", *fast], 5),
        (["status", root, *fast], 0),
        (["describe", "b", "-d", root, *fast], 0),
        (["events", "a", "-d", root, *fast], 0),
        (["apply", root, "--\u8266"], 64),
        (["describe", "\u8266", "-d", root, *fast], 1),
        (["plan", root, "-o", "markdown", *fast], 0),
        (["run", "--help"], 0),
    )
    run = program(environment)
    for arguments, code in commands:
        done = run(*arguments)
        told = done.stdout.decode(encoding(environment)), done.stderr.decode(encoding(environment))
        assert (done.returncode, "Traceback" in told[1]) == (code, False), (arguments, told)
    fleet.job("a", model="gpt-4o-mini", suffix="\u00fc")
    assert run("plan", root, *fast).returncode == 0


@pytest.mark.parametrize("environment", [ENCODINGS[0], C_LOCALE], ids=str)
def test_what_is_wrong_is_told_in_any_encoding(fleet: FleetDirectory, environment: dict[str, str]) -> None:
    wrong: dict[str, object] = {"training_file": "data/x.jsonl", "\u00fcber": 1, "suffix": "\u201cx\u201d"}
    fleet.job("a", **wrong)
    run = program(environment)
    for form in ("text", "json", "github"):
        done = run("validate", fleet.root, "-o", form)
        assert (done.returncode, done.stderr) == (1, b""), form
        assert b"no such file" in done.stdout
    done = run("apply", fleet.root)
    assert (done.returncode, b"Traceback" in done.stderr) == (1, False)


@pytest.mark.parametrize("environment", ENCODINGS[:2], ids=str)
def test_whatever_a_server_says_is_told(fleet: FleetDirectory, tmp_path: Path, environment: dict[str, str]) -> None:
    words = "Gr\u00f6\u00dfe \u8266 \ud83d \U0001f6a2"

    def fault(request: Request, was: Reply) -> Reply:
        return dataclasses.replace(
            was, body=was.body.replace(b"invalid training file", json.dumps(words)[1:-1].encode())
        )

    fleet.fleet(provider="compatible")
    fleet.job("a", model="sandbox-fast", suffix="fail-file")
    with EmbeddedSandbox(tmp_path / "served", speed=1000) as sandbox, Proxy(sandbox.base_url) as proxy:
        proxy.fault = fault
        run = program(environment | {"OPENAI_BASE_URL": proxy.base_url})
        for command, *options in (
            ["apply", fleet.root, "--yes", "--first-run", "--settle", "0", "--wait"],
            ["status", fleet.root],
            ["describe", "a", "-d", fleet.root],
            ["describe", "a", "-d", fleet.root, "-o", "json"],
            ["describe", "a", "-d", fleet.root, "-o", "yaml"],
            ["apply", fleet.root, "--yes", "--settle", "0", "-v", "--log-format", "text"],
        ):
            done = run(command, *options)
            assert b"Traceback" not in done.stderr
            assert b"Gr" in done.stdout + done.stderr
            assert done.returncode == (5 if "--wait" in options else 0)


@pytest.mark.parametrize(
    ("environment", "code", "words"),
    [
        ({}, 0, b""),
        ({"PYTHONIOENCODING": "ascii"}, 0, b""),
        (C_LOCALE, 1, b"cannot be written in this locale, whose encoding is ascii; set LC_ALL=C.UTF-8"),
    ],
    ids=str,
)
def test_a_file_whose_name_the_locale_cannot_write(
    fleet: FleetDirectory, environment: dict[str, str], code: int, words: bytes
) -> None:
    (fleet.root / "data" / "train.jsonl").rename(fleet.root / "data" / "caf\u00e9.jsonl")
    fleet.job("a", training_file="data/caf\u00e9.jsonl")
    run = program(environment)
    for command in ("validate", "apply"):
        done = run(command, fleet.root)
        assert (done.returncode, b"Traceback" in done.stderr) == (code, False)
        assert words in done.stdout + done.stderr
    fleet.job("a")
    (fleet.root / "a.yaml").rename(fleet.root / "\u00e9.yaml")
    assert words in run("validate", fleet.root).stdout


def test_a_name_that_is_no_text_is_told(fleet: FleetDirectory) -> None:
    fleet.job("a")
    (fleet.root / "a.yaml").rename(fleet.root / os.fsdecode(b"caf\xe9.yaml"))
    done = ran(["validate", str(fleet.root)], {})
    assert (done.returncode, done.stderr) == (1, b"")
    assert done.stdout.splitlines()[0].endswith(b"/caf\\udce9.yaml:1:1: its name is not UTF-8")


@pytest.mark.parametrize("environment", [{}, C_LOCALE], ids=str)
def test_a_directory_whose_name_is_no_text_is_one(
    fleet: FleetDirectory, tmp_path: Path, environment: dict[str, str]
) -> None:
    fleet.job("a")
    odd = os.fsdecode(b"\xe9")
    root = fleet.root.rename(tmp_path / odd)
    places = ["--state-dir", tmp_path / f"{odd}{odd}", "--sandbox-dir", tmp_path / (odd * 3)]
    run = program(environment)
    for command in ("apply", "status", "plan", "apply"):
        for arguments in ([], places):
            done = run(command, root, *arguments)
            assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done


def test_a_handler_that_raises_for_nothing_is_kept(tmp_path: Path) -> None:
    done = ran(["init", str(tmp_path / "\u8266")], {"PYTHONIOENCODING": "ascii:xmlcharrefreplace"})
    assert (done.returncode, b"&#33382;" in done.stdout) == (0, True)


def test_what_is_typed_need_not_be_text() -> None:
    place = {"PYTHONIOENCODING": "utf-8:strict"}
    program = "import sys; from reconciler.cli import terminal; terminal.prepare(); print(ascii(sys.stdin.readline()))"
    done = subprocess.run(
        [sys.executable, "-c", program], input=b"\xff\n", capture_output=True, env=os.environ | place, check=False
    )
    assert done.stdout == b"'\\\\xff\\n'\n"


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-", "2>&- >&- <&-", "2> >(true)"])
@pytest.mark.parametrize("command", ["apply $D --wait --sandbox-speed 1000", "plan $D -v", "status $D"])
def test_a_stderr_that_cannot_be_written_costs_its_words_alone(
    fleet: FleetDirectory, stderr: str, command: str
) -> None:
    fleet.job("a", model="gpt-4o-mini")
    done = in_a_shell(f"$R {command} --log-format text {stderr}", fleet.root)
    assert done.returncode == 0
    if command.startswith("apply"):
        (told,) = json.loads(in_a_shell("$R status $D -o json", fleet.root).stdout)["items"]
        assert told["job_status"] == "succeeded"


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-"])
def test_an_error_that_nobody_reads_keeps_its_exit_code(fleet: FleetDirectory, stderr: str) -> None:
    assert in_a_shell(f"$R plan $D --nonsense {stderr}", fleet.root).returncode == 64
    assert in_a_shell(f"$R events nobody -d $D {stderr}", fleet.root).returncode == 1


@pytest.mark.parametrize("name", ["dumb", "unknown", ""])
def test_a_terminal_that_knows_no_escape_codes_gets_none(fleet: FleetDirectory, name: str) -> None:
    fleet.job("a", model="gpt-4o-mini")
    code, seen = at_a_terminal(["apply", str(fleet.root), "--wait", "--sandbox-speed", "20", "-v"], b"", TERM=name)
    assert (code, "\x1b" in seen, "\r\r" in seen) == (0, False, False)
    assert "so far" in seen
    assert "\x1b" not in at_a_terminal(["plan", str(fleet.root)], b"", TERM=name)[1]


@pytest.mark.parametrize("name", ["dumb", "unknown", "", "xterm-256color"])
def test_every_terminal_has_a_width(fleet: FleetDirectory, name: str) -> None:
    fleet.job("a", model="gpt-4o-mini")
    seen = at_a_terminal(["plan", str(fleet.root)], b"", TERM=name, COLUMNS="50", NO_COLOR="1")[1]
    wide = [line for line in seen.splitlines() if len(line) > 50]
    assert [line for line in wide if "reconciler apply " not in line] == []


@pytest.mark.parametrize("name", ["xterm-256color", "linux", "screen", "vt100"])
def test_a_terminal_that_knows_them_gets_colours(fleet: FleetDirectory, name: str) -> None:
    fleet.job("a")
    assert "\x1b[32m" in at_a_terminal(["plan", str(fleet.root)], b"", TERM=name)[1]


@pytest.mark.parametrize("name", ["dumb", ""])
def test_a_question_needs_no_escape_codes(fleet: FleetDirectory, tmp_path: Path, name: str) -> None:
    fleet.fleet(provider="compatible")
    fleet.job("a")
    with EmbeddedSandbox(tmp_path / "served", speed=1000) as sandbox:
        arguments = ["apply", str(fleet.root), "--settle", "0"]
        code, seen = at_a_terminal(arguments, b"y\n", TERM=name, OPENAI_BASE_URL=sandbox.base_url)
    assert (code, "Apply this plan? [y/N]" in seen, "\x1b" in seen) == (0, True, False)
