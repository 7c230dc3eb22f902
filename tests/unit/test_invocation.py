"""The command that does exactly a plan, as a person copies it."""

from pathlib import Path

import pytest

from reconciler.cli.group import command_named
from reconciler.cli.invocation import approving, typed


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "reconciler apply fleet"),
        (["--settle", "1m"], "reconciler apply fleet --settle 60s"),
        (["--sandbox-speed", "0.5"], "reconciler apply fleet --sandbox-speed 0.5"),
        (["--state-dir", "a dir"], "reconciler apply fleet --state-dir 'a dir'"),
        (["--assume", "empty-listing", "-o", "json", "-q"], "reconciler apply fleet --assume empty-listing"),
        (["--status-word", "done=succeeded"], "reconciler apply fleet --status-word done=succeeded"),
        (
            ["--query", "api-version=1", "--header", "x-a=$A", "--header", "x-b=@b", "--token-command", "op read x"],
            "reconciler apply fleet --token-command 'op read x' --query api-version=1 --header 'x-a=$A' --header x-b=@b",
        ),
        (["--query", "code=s3cret"], "reconciler apply fleet --query 'code=[redacted]'"),
        (["--detailed-exitcode"], "reconciler apply fleet"),
    ],
)
def test_what_a_plan_was_made_with_is_said_again(given: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [str(Path("/usr/bin/python"))])
    plan = command_named("plan")
    context = plan.make_context("plan", ["fleet", *given])
    assert approving(context, "fleet") == said
    again = command_named("apply").make_context("apply", approving(context, "fleet").replace("'", "").split(" ", 2)[2:])
    assert again is not None


@pytest.mark.parametrize(
    ("variables", "given", "said"),
    [
        ({"STATE_DIR": "a dir", "SETTLE": "1m"}, [], "--state-dir 'a dir' --settle 60s"),
        ({"STATE_DIR": "theirs"}, ["--state-dir", "mine"], "--state-dir mine"),
        (
            {"STATUS_WORD": "done=succeeded halted=failed"},
            [],
            "--status-word done=succeeded --status-word halted=failed",
        ),
        (
            {"OUTPUT": "json", "YES": "1", "COLOR": "never", "QUIET": "1", "LOG_FORMAT": "json", "SANDBOX_SPEED": "9"},
            [],
            "",
        ),
        ({"PRUNE": "0", "STATE_DIR": ""}, [], ""),
    ],
)
def test_what_the_environment_says_is_written_out_for_another_shell(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], given: list[str], said: str
) -> None:
    monkeypatch.setattr("sys.argv", [str(Path("/usr/bin/python"))])
    for name, value in variables.items():
        monkeypatch.setenv(f"RECONCILER_{name}", value)
    with command_named("plan").make_context("plan", ["fleet", *given]) as context:
        words = approving(context, "fleet").removeprefix("reconciler apply fleet").strip()
    assert words == said


@pytest.mark.parametrize(
    ("command", "job", "said"),
    [
        ("describe", "tone", "reconciler describe tone -d 'my fleet' --state-dir /var/s"),
        ("status", "", "reconciler status 'my fleet' --state-dir /var/s"),
        ("plan", "", "reconciler plan 'my fleet' --settle 1s --state-dir /var/s"),
    ],
)
def test_another_command_takes_the_options_that_it_knows(
    command: str, job: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/python"])
    given = ["my fleet", "--state-dir", "/var/s", "--settle", "1s", "--wait", "-y"]
    context = command_named("apply").make_context("apply", given)
    assert sorted(typed(context, "my fleet", command, job).split()) == sorted(said.split())


def test_another_command_about_a_job_does_not_take_its_name_for_a_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/python"])
    context = command_named("describe").make_context("describe", ["tone", "-d", "fleet", "--state-dir", "/var/s"])
    assert typed(context, "fleet", "forget", "tone") == "reconciler forget tone -d fleet --state-dir /var/s"


def test_a_command_is_called_by_the_path_that_this_one_was_called_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [".venv/bin/reconciler"])
    monkeypatch.setenv("PATH", "/nowhere")
    context = command_named("apply").make_context("apply", ["fleet"])
    assert typed(context, "fleet", "describe", "tone") == ".venv/bin/reconciler describe tone -d fleet"


def test_a_command_that_only_looks_is_not_given_the_speed_of_new_jobs() -> None:
    context = command_named("apply").make_context("apply", ["fleet", "--sandbox-speed", "20", "--state-dir", "s"])
    assert typed(context, "fleet", "describe", "tone").endswith(" describe tone -d fleet --state-dir s")
    assert typed(context, "fleet", "plan").endswith(" plan fleet --state-dir s --sandbox-speed 20")
