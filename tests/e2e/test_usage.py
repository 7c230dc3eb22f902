"""Help, flags, the environment, mistakes on the command line: before a command has begun to work."""

import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from reconciler.cli import terminal
from reconciler.cli.command import Command, section_of, variable
from reconciler.cli.group import command_named
from reconciler.cli.names import COMMANDS
from reconciler.cli.program import cli
from reconciler.sandbox import EmbeddedSandbox
from tests.fakes.commands import at_a_terminal
from tests.fakes.fleets import FleetDirectory
from tests.fakes.shell import Shell

# What a person who asks for help, or presses a key, must not wait for.
HEAVY = {"pydantic", "httpx", "structlog", "yaml", "uvicorn", "rich", "starlette", "reconciler.cli.options"}


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FleetDirectory:
    """A fleet in the directory `fleet` of the working directory, as the examples have it."""
    monkeypatch.chdir(tmp_path)
    directory = FleetDirectory(tmp_path / "fleet")
    directory.fleet(provider="sandbox")
    directory.job("tone", model="gpt-4o-mini")
    return directory


def options() -> Iterator[tuple[str, click.Option]]:
    for name in COMMANDS:
        for parameter in command_named(name).params:
            if isinstance(parameter, click.Option):
                yield name, parameter


OPTIONS = list(options())


def modules_of(*arguments: str, **environment: str) -> set[str]:
    """What a call has imported when it ends."""
    program = f"""
import atexit, sys
atexit.register(lambda: print("LOADED", *(name for name, found in sys.modules.items() if found)))
from reconciler.cli import main
main({list(arguments)!r})
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ | environment
    )
    return set(ran.stdout.rpartition("LOADED")[2].split())


# What a plan of documents that are right, with nothing to do, has no use for.
UNUSED = {"pydantic", "pydantic_core", "pathspec", "structlog", "typing_extensions", "rich", "starlette", "watchfiles"}
UNUSED |= {"bpe_openai", "reconciler.cli.pricing", "reconciler.dataset.tokens", "reconciler.dataset.prices"}
UNUSED |= {"reconciler.cli.probing", "reconciler.core.complaints", "reconciler.core.validation", "anyio"}
UNUSED |= {f"reconciler.cli.commands.{section}" for section in ("writing", "looking", "serving")}


def test_a_plan_waits_for_nothing_that_it_does_not_use(shell: Shell, fleet: FleetDirectory, tmp_path: Path) -> None:
    with EmbeddedSandbox(tmp_path / "sandbox", speed=1000) as sandbox:
        there = ["--provider", "compatible", "--base-url", sandbox.base_url, "--settle", "0"]
        assert shell("apply", fleet.root, "--yes", "--first-run", *there).code == 0
        first = modules_of("plan", str(fleet.root), *there, "--state-dir", str(tmp_path / "nothing"))
        second = modules_of("plan", str(fleet.root), *there)
    assert first & UNUSED == set()
    assert second & (UNUSED | {"yaml", "reconciler.dataset.checking", "reconciler.dataset.lines"}) == set()
    assert "httpcore" in second


# ── help ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"], ["-V"]], ids=str)
def test_help_waits_for_nothing(arguments: list[str]) -> None:
    assert modules_of(*arguments) & HEAVY == set()


def test_completion_of_commands_waits_for_nothing() -> None:
    place = {"_RECONCILER_COMPLETE": "bash_complete", "COMP_WORDS": "reconciler st", "COMP_CWORD": "1"}
    assert modules_of(**place) & HEAVY == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_their_help_says_first(name: str) -> None:
    help_text = inspect.cleandoc(command_named(name).help or "")
    assert COMMANDS[name].summary == help_text.partition("\n")[0]


def test_the_list_of_commands_knows_what_each_takes() -> None:
    for name, listed in COMMANDS.items():
        arguments = [p.name for p in command_named(name).params if isinstance(p, click.Argument)]
        assert arguments[:1] == ([listed.takes] if listed.takes else []), name


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_80_columns_and_cuts_nothing_off(shell: Shell, name: str) -> None:
    page = shell(*filter(None, [name]), "--help").out
    assert max(map(len, page.splitlines())) <= 80
    assert "..." not in page.replace("[ARGS]...", "")
    assert "\xa0" not in page
    assert "[default: (" not in page
    assert "\nExamples:\n" in page


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_both_flags_for_help_without_the_group(name: str) -> None:
    command = command_named(name)
    option = command.get_help_option(click.Context(command, **command.context_settings))
    assert option is not None
    assert set(option.opts) == {"-h", "--help"}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_by_three_names(shell: Shell, name: str) -> None:
    ran = [shell(name, "--help"), shell(name, "-h"), shell("help", name)]
    assert [(one.code, one.err) for one in ran] == [(0, "")] * 3
    assert len({one.out for one in ran}) == 1


def test_help_without_a_command(shell: Shell) -> None:
    page = shell("--help").out
    assert page == shell("-h").out == shell("help").out
    for section in ("Write and check", "Plan and apply", "Look", "Serve"):
        assert f"\n{section}:\n" in page
    bare = shell()
    assert (bare.code, bare.out, bare.err) == (64, "", page)


def test_help_groups_the_flags_and_says_defaults_once(shell: Shell) -> None:
    page = shell("apply", "--help").out
    sections = re.findall(r"^(\w+):$", page, re.MULTILINE)
    assert sections == [
        "Arguments",
        "Options",
        "Manifests",
        "Connection",
        "Cost",
        "State",
        "Sandbox",
        "Output",
        "Examples",
    ]
    for section, flag in (("Connection", "--base-url"), ("State", "--settle"), ("Output", "--color")):
        assert flag in page.partition(f"\n{section}:\n")[2].partition("\n\n")[0]
    for _, parameter in OPTIONS:
        assert "[default" not in (parameter.help or "")


@pytest.mark.parametrize(("name", "parameter"), OPTIONS, ids=lambda x: x if isinstance(x, str) else x.opts[-1])
def test_every_flag_is_explained_in_a_sentence(name: str, parameter: click.Option) -> None:
    words = parameter.help or ""
    assert words[:1].isupper(), name
    assert words.endswith("."), name
    assert section_of(parameter)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_works(shell: Shell, fleet: FleetDirectory, name: str) -> None:
    command = command_named(name)
    assert isinstance(command, Command)
    assert command.examples
    shell("apply", "fleet", "--sandbox-speed", "10000", "--wait")
    for example in command.examples:
        words = shlex.split(example.rpartition("| ")[2].partition(" > ")[0])
        assert words[:2] == ["reconciler", name]
        if "-" in words or "DIGEST" in words or name in {"run", "sandbox"}:  # ends by a signal, or needs another's word
            with command.make_context(name, words[2:], parent=click.Context(cli)):
                continue
        ran = shell(*words[1:])
        assert ran.code == (2 if "--detailed-exitcode" in words and "changes" in ran.out else 0), example


SPOKEN = frozenset({"--quiet", "--verbose", "--color"})
FORM = frozenset({"--output"})
READS = frozenset(
    {
        "--root",
        "--files-root",
        "--provider",
        "--base-url",
        "--api-key-file",
        "--token-command",
        "--entra",
        "--auth",
        "--query",
    }
    | {"--header", "--body", "--status-word", "--assume"}
    | {"--state-dir", "--sandbox-dir", "--sandbox-speed", "--sandbox-mode", "--log-format"}
)
COST = {"--prices", "--tokenizer"}
NAMED = SPOKEN | FORM | READS | {"--directory"}
# The flags that change what a command does, says, or prints as the command to give next.
HONOURED = {
    "init": frozenset(),
    "validate": FORM | {"--root", "--files-root", "--quiet"},
    "data": FORM | COST | {"--color", "--model", "--method"},
    "import": SPOKEN | FORM | (READS - {"--root"}) | {"--all"},
    "schema": FORM,
    "plan": SPOKEN | FORM | READS | COST | {"--settle", "--prune", "--detailed-exitcode"},
    "apply": SPOKEN | FORM | READS | COST | {"--settle", "--lock-timeout", "--prune"}
    | {"--yes", "--approve", "--first-run", "--wait", "--timeout"},
    "forget": NAMED | {"--settle", "--lock-timeout"},
    "status": SPOKEN | FORM | READS | COST | {"--all"},
    "describe": NAMED | COST,
    "doctor": SPOKEN | FORM | READS | {"--settle", "--lock-timeout", "--probe-create", "--yes"},
    "files": SPOKEN | FORM | READS | {"--settle", "--lock-timeout", "--prune-unused", "--yes"},
    "events": NAMED | {"--follow"},
    "checkpoints": NAMED,
    "run": (READS - {"--root"}) | COST | {"--settle", "--lock-timeout", "--verbose"}
    | {"--interval", "--stability", "--poll", "--listen", "--first-run"},
    "sandbox": frozenset({"--port", "--host", "--speed", "--sandbox-dir", "--mode"}),
}  # fmt: skip
# Accepted everywhere, so that they may stand before the name of whatever command.
EVERYWHERE = SPOKEN | {"--yes", "--help"}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_lists_the_flags_that_change_something_and_no_others_are_accepted(shell: Shell, name: str) -> None:
    page = re.split(r"^\w+:\n", shell(name, "--help").out, maxsplit=1, flags=re.MULTILINE)[1]
    shown = re.findall(r"^  (?:-\w, )?(--[\w-]+)", page, re.MULTILINE)
    assert sorted(shown) == sorted(HONOURED[name] | {"--help"})
    assert set(re.findall(r"--[\w-]+", page.partition("\nExamples:\n")[2])) <= set(shown)
    for flag in sorted(frozenset[str]().union(*HONOURED.values()) - HONOURED[name] - EVERYWHERE):
        ran = shell(name, flag)
        assert (ran.code, f"no such option '{flag}'" in ran.err or "without a flag" in ran.err) == (64, True), ran.err


# ── flags of every command ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("flag", ["-q", "--quiet", "-v", "--verbose", "-y", "--yes", "--color=never"])
def test_a_global_flag_stands_before_or_after_the_command(shell: Shell, name: str, flag: str) -> None:
    assert shell(flag, name, "--help").out == shell(name, flag, "--help").out != ""


def test_a_global_flag_before_the_command_counts(shell: Shell, fleet: FleetDirectory) -> None:
    assert "request.completed" in shell("-v", "plan", "fleet").err
    assert "request.completed" in shell("plan", "fleet", "-v").err
    assert "request.completed" not in shell("plan", "fleet").err
    assert "\x1b[32m" in shell("--color", "always", "plan", "fleet").out
    ran = shell("--color", "alway", "plan", "fleet")
    assert (ran.code, "did you mean always?" in ran.err) == (64, True)


def test_quiet_leaves_the_result(shell: Shell, fleet: FleetDirectory) -> None:
    (fleet.root / "other.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
    loud, quiet = shell("validate", "fleet"), shell("validate", "fleet", "-q")
    assert (quiet.out, quiet.err) == (loud.out, "")
    assert "warning:" in loud.err
    assert "error: no such" not in shell("events", "nobody", "-d", "fleet", "-q").out
    assert shell("events", "nobody", "-d", "fleet", "-q").err.startswith("error: ")


@pytest.mark.parametrize(
    ("flag", "environment", "at_terminal", "in_pipe"),
    [
        ([], {}, True, False),
        ([], {"NO_COLOR": "1"}, False, False),
        ([], {"NO_COLOR": ""}, True, False),
        ([], {"FORCE_COLOR": "0"}, True, True),
        ([], {"FORCE_COLOR": ""}, True, False),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        ([], {"RECONCILER_COLOR": "always", "NO_COLOR": "1"}, True, True),
        (["--color", "auto"], {}, True, False),
        (["--color", "always"], {"NO_COLOR": "1"}, True, True),
        (["--color=never"], {"FORCE_COLOR": "1"}, False, False),
        (["--color=never"], {"RECONCILER_COLOR": "always"}, False, False),
    ],
    ids=str,
)
def test_who_says_whether_there_are_colours(
    *,
    shell: Shell,
    fleet: FleetDirectory,
    monkeypatch: pytest.MonkeyPatch,
    flag: list[str],
    environment: dict[str, str],
    at_terminal: bool,
    in_pipe: bool,
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b[" in shell("plan", "fleet", *flag).out) == in_pipe
    assert ("\x1b[" in at_a_terminal(["plan", "fleet", *flag], b"")[1]) == at_terminal


def test_each_stream_has_its_own_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    leader, follower = os.openpty()
    monkeypatch.setenv("TERM", "xterm")
    terminal.prepare()
    with os.fdopen(follower, "w") as screen, (tmp_path / "file").open("w") as file:
        assert (terminal.colours(screen), terminal.colours(file)) == (True, False)
    os.close(leader)


# ── the environment ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("name", "parameter"), OPTIONS, ids=lambda x: x if isinstance(x, str) else x.opts[-1])
def test_every_flag_has_its_variable(name: str, parameter: click.Option) -> None:
    longest = max(parameter.opts, key=len)
    assert parameter.envvar == variable(parameter) == "RECONCILER_" + longest[2:].upper().replace("-", "_")
    page = (Path(__file__).parent.parent.parent / "docs" / "configuration.md").read_text()
    assert f"`{longest}`" in page or f" {longest}`" in page or f"`{longest} " in page, f"{name} {longest}"


VALUES = {
    "float": "0.5",
    "duration": "30s",
    "word": "done=succeeded",
    "field": "api-version=preview",
    "header": "x-token=$X_TOKEN",
    "path": "x",
    "directory": ".",
    "text": "x",
    "boolean": "1",
}


@pytest.mark.parametrize(("name", "parameter"), OPTIONS, ids=lambda x: x if isinstance(x, str) else x.opts[-1])
def test_every_flag_is_read_from_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, parameter: click.Option
) -> None:
    kind = parameter.type
    word = kind.choices[-1] if isinstance(kind, click.Choice) else VALUES.get(kind.name, "7")
    command = command_named(name)
    needed = ["a"] if COMMANDS[name].takes in {"name", "files"} else []
    monkeypatch.setenv(variable(parameter), f"{word} {word}" if parameter.multiple else word)
    with command.make_context(name, needed, parent=click.Context(cli)) as context:
        assert context.get_parameter_source(str(parameter.name)) is click.core.ParameterSource.ENVIRONMENT
        if parameter.multiple:
            assert len(context.params[str(parameter.name)]) == 2


@pytest.mark.parametrize(("value", "detailed"), [("1", 2), ("true", 2), ("yes", 2), ("0", 0), ("false", 0), ("no", 0)])
def test_a_flag_without_a_value_is_said_yes_or_no(
    shell: Shell, fleet: FleetDirectory, monkeypatch: pytest.MonkeyPatch, value: str, detailed: int
) -> None:
    monkeypatch.setenv("RECONCILER_DETAILED_EXITCODE", value)
    assert shell("plan", "fleet").code == detailed


@pytest.mark.parametrize(
    ("variable_name", "value", "arguments"),
    [
        ("RECONCILER_INTERVAL", "5", ["run", "fleet"]),
        ("RECONCILER_OUTPUT", "jsno", ["plan", "fleet"]),
        ("RECONCILER_YES", "perhaps", ["apply", "fleet"]),
        ("RECONCILER_STATUS_WORD", "a=b", ["status", "fleet"]),
        ("RECONCILER_COLOR", "red", ["schema"]),
        ("RECONCILER_PORT", "99999", ["sandbox"]),
    ],
)
def test_a_wrong_value_names_its_variable(
    *,
    shell: Shell,
    fleet: FleetDirectory,
    monkeypatch: pytest.MonkeyPatch,
    variable_name: str,
    value: str,
    arguments: list[str],
) -> None:
    monkeypatch.setenv(variable_name, value)
    ran = shell(*arguments)
    assert (ran.code, f"error: {variable_name}: " in ran.err) == (64, True), ran.err


def test_the_command_line_overrules_the_environment(
    shell: Shell, fleet: FleetDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILER_OUTPUT", "yaml")
    assert shell("plan", "fleet").out.startswith("fleet: ")
    assert shell("plan", "fleet", "-o", "json").json["fleet"] == "fleet-1"
    ran = shell("plan", "fleet", "-o", "jsno")
    assert "error: --output: " in ran.err


# ── directories that are none ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("init a-file", ": 'a-file' is a file; name a directory"),
        ("init a-file/below", "a-file/below is no directory, and init makes none in its place"),
        ("init a-pipe", "a-pipe is no directory, and init makes none in its place"),
        ("init taken", "taken/data is no directory, and init makes none in its place"),
        *(
            (f"{name} {'tone -d ' if COMMANDS[name].takes == 'name' else ''}{where}", words)
            for name in sorted(HONOURED.keys() - {"init", "schema", "sandbox", "run", "data"})
            for where, words in (
                ("a-file", "a-file is a file; give its directory: reconciler "),
                ("a-pipe", "a-pipe is no directory"),
                ("nowhere", "no such directory: nowhere"),
            )
        ),
        *((f"{name} ''", "is empty; is a variable not set?") for name in ("init", "plan", "apply", "run", "data")),
        ("describe tone -d ''", "is empty; is a variable not set?"),
        *((f"run {where}", "run watches the ") for where in ("a-file", "a-pipe", "nowhere")),
        ("validate fleet --root fleet", "--root goes with -"),
        ("plan fleet --root fleet", "--root goes with -"),
        ("plan - --root nowhere", "directory 'nowhere' does not exist"),
        ("validate - --root a-file", ": 'a-file' is a file; name a directory"),
        ("plan fleet --state-dir a-file", ": 'a-file' is a file; name a directory"),
        ("run fleet --state-dir a-file", ": 'a-file' is a file; name a directory"),
        ("apply fleet --sandbox-dir a-file", ": 'a-file' is a file; name a directory"),
        ("sandbox --sandbox-dir a-file", ": 'a-file' is a file; name a directory"),
    ],
)
def test_what_is_no_directory_is_wrong_usage(shell: Shell, fleet: FleetDirectory, arguments: str, words: str) -> None:
    Path("a-file").touch()
    os.mkfifo("a-pipe")
    Path("taken").mkdir()
    Path("taken/data").touch()
    ran = shell(*shlex.split(arguments))
    assert (ran.code, words in ran.err) == (64, True), ran.err


# ── mistakes ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("aply fleet", "no such command 'aply'; did you mean apply?"),
        ("PLAN fleet", "no such command 'PLAN'; did you mean plan?"),
        ("zzz", "no such command 'zzz'\n"),
        ("list fleet", "no such command 'list'; did you mean status?"),
        ("logs tone", "no such command 'logs'; did you mean events?"),
        ("version", "no such command 'version'; did you mean --version?"),
        ("delete tone", "no such command 'delete'; a job ends when its manifest is deleted, by the next apply\n"),
        ("apply fleet --wiat", "no such option '--wiat'; did you mean --wait?"),
        ("apply fleet --zzzzzz", "no such option '--zzzzzz'\n"),
        (
            "apply fleet --force",
            "no such option '--force'; what a gate refuses is approved by its digest: apply --approve DIGEST\n",
        ),
        ("apply fleet --dry-run", "no such option '--dry-run'; plan shows what apply would do\n"),
        ("apply fleet --auto-approve", "no such option '--auto-approve'; did you mean --yes?"),
        ("plan fleet --wait", "no such option '--wait'; it is a flag of apply\n"),
        ("apply fleet --listen 8080", "no such option '--listen'; it is a flag of run\n"),
        ("status fleet --first-run", "no such option '--first-run'; it is a flag of apply, run\n"),
        ("plan fleet --quiet=3", "--quiet takes no value\n"),
        ("--versoin", "no such option '--versoin'; did you mean --version?"),
        ("sandbox --port x", "--port: 'x' is no whole number\n"),
        ("plan -o jsno", "'jsno' is not one of text, json, yaml, markdown; did you mean json?"),
        ("plan -o xml", "'xml' is not one of text, json, yaml, markdown\n"),
        (
            "plan --provider openia",
            "'openia' is not one of openai, azure, litellm, nebius, portkey, compatible, sandbox; did you mean",
        ),
        ("events", "missing argument NAME"),
        ("events fleet tone", "the directory is given as -d: reconciler events tone -d fleet"),
        ("events tone fleet", "the directory is given as -d: reconciler events tone -d fleet"),
        ("checkpoints ./a tone", "the directory is given as -d: reconciler checkpoints tone -d ./a"),
        ("forget tone 'my fleet/'", "the directory is given as -d: reconciler forget tone -d 'my fleet/'"),
        ("events a b c", "unexpected: b c\n"),
        ("plan -d fleet", "the directory comes without a flag: reconciler plan DIR"),
        ("apply --directory fleet", "the directory comes without a flag: reconciler apply DIR"),
        ("plan fleet other", "it takes one directory"),
        ("apply fleet --timeout", "--timeout needs a value"),
        ("apply fleet --timeout 5", "'5' is not a duration; write it as 30s, 5m or 2h"),
    ],
)
def test_a_mistake_is_answered_with_what_was_meant(
    shell: Shell, fleet: FleetDirectory, arguments: str, words: str
) -> None:
    ran = shell(*shlex.split(arguments))
    assert (ran.code, ran.out) == (64, "")
    assert words in ran.err
    error, usage, page = ran.err.splitlines()
    assert error.startswith("error: ")
    assert error.removeprefix("error: ")[:1].islower() or error.startswith(("error: -", "error: '"))
    assert usage.startswith("usage: reconciler ")
    assert page.startswith("for more: reconciler ")


@pytest.mark.parametrize("command", ["events", "checkpoints", "forget"])
def test_a_job_that_is_none_is_answered_with_those_that_are(shell: Shell, fleet: FleetDirectory, command: str) -> None:
    ran = shell(command, "ton", "-d", "fleet")
    assert (ran.code, ran.err) == (
        1,
        "error: no job named 'ton' in this fleet; did you mean tone? known: tone\n",
    )
    for i in range(12):
        fleet.job(f"job-{i:02}", seed=i)
    ran = shell(command, "zzz", "-d", "fleet")
    listed = ", ".join(f"job-{i:02}" for i in range(10))
    assert ran.err == f"error: no job named 'zzz' in this fleet; known: {listed} and 3 more\n"
    ran = shell(command, "fleet", "-d", "fleet")
    assert ran.err == "error: no job named 'fleet' in this fleet; the directory of the fleet is given as -d fleet\n"


def test_a_name_steers_no_terminal(shell: Shell, fleet: FleetDirectory) -> None:
    assert "\x1b" not in shell("events", "\x1b[31m", "-d", "fleet").err
    assert "\x1b" not in shell("\x1b[31m").err
