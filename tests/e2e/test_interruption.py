"""Signals, as a terminal, a container engine, Kubernetes, systemd and nohup send them, to real processes."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pytest
import yaml

from reconciler.cli import interruption
from reconciler.errors import JournalError
from reconciler.sandbox import EmbeddedSandbox
from tests.fakes.builders import job as a_job
from tests.fakes.commands import at_a_terminal
from tests.fakes.fleets import FleetDirectory
from tests.fakes.forked import program
from tests.fakes.reviews import typed

STARTED = [sys.executable, "-m", "reconciler"]
_PATIENCE = 60  # seconds: a process that was to end hangs, where a busy machine would only be slow


@pytest.fixture(autouse=True)
def _as_a_terminal_starts_it() -> Iterator[None]:
    """Who runs the tests may have told them to ignore hang-ups (nohup), and a process inherits that."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def fleet(tmp_path: Path) -> FleetDirectory:
    directory = FleetDirectory(tmp_path / "fleet")
    directory.fleet(provider="sandbox")
    directory.job("a")
    return directory


def ignoring(*names: str) -> list[str]:
    """A shell that ignores these signals, and becomes the program that follows: it inherits that."""
    return ["sh", "-c", f"""trap '' {" ".join(names)}; exec "$@" """, "-"] if names else []


@contextlib.contextmanager
def begun(arguments: list[str], **streams: Any) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """A command that is under way, and what it logs, or prints where ``streams`` say so."""
    process = subprocess.Popen(
        arguments,
        **{"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, "text": True}
        | streams,
    )
    told = process.stderr or process.stdout
    assert told is not None
    try:
        with told:
            yield process, told
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def until(words: str, log: IO[str]) -> None:
    """Read on until a line holds these words."""
    assert any(words in line for line in log), f"{words}: it has ended"


def still_training(fleet: FleetDirectory) -> str:
    """What is said when an `apply` of the job `a` is interrupted while it waits."""
    status = subprocess.run([*program(), "status", str(fleet.root), "-o", "json"], check=True, capture_output=True)
    (job,) = json.loads(status.stdout)["items"]
    return (
        f"\ninterrupted; nothing more is sent. Still training at the provider: a ({job['job_id']}); "
        f"`reconciler status {fleet.root}` shows them\n"
    )


@pytest.mark.parametrize(
    ("sent", "ignored"),
    [
        (signal.SIGINT, []),
        (signal.SIGTERM, []),
        (signal.SIGHUP, []),
        (signal.SIGTERM, ["TERM", "HUP"]),
    ],
    ids=str,
)
def test_a_command_ends_as_with_ctrl_c(fleet: FleetDirectory, sent: signal.Signals, ignored: list[str]) -> None:
    with begun([*ignoring(*ignored), *program(), "apply", str(fleet.root), "--wait"]) as (process, log):
        until("so far", log)
        process.send_signal(sent)
        assert process.wait(_PATIENCE) == 130
        rest = log.read()
        assert rest.endswith(still_training(fleet))
        assert "Traceback" not in rest


def test_nohup_keeps_a_command_going(fleet: FleetDirectory) -> None:
    with begun([*ignoring("HUP"), *program(), "apply", str(fleet.root), "--wait"]) as (process, log):
        until("so far", log)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)  # had the first one counted, this one would end it without a word
        assert (process.wait(_PATIENCE), log.read().endswith(still_training(fleet))) == (130, True)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=str)
@pytest.mark.parametrize("form", ["text", "json", "yaml"])
def test_a_command_that_only_looks_says_that_the_job_goes_on_and_how_to_look_again(
    fleet: FleetDirectory, sent: signal.Signals, form: str
) -> None:
    subprocess.run([*program(), "apply", str(fleet.root)], check=True, capture_output=True)
    arguments = [*program(), "events", "a", "-d", str(fleet.root), "--follow", "-o", form]
    with begun(arguments, stdout=subprocess.PIPE) as (process, log):
        assert process.stdout is not None
        until("Created", process.stdout)
        process.send_signal(sent)
        assert process.wait(_PATIENCE) == 130
        said = log.read()
        rest = process.stdout.read()
        process.stdout.close()
    status = subprocess.run([*program(), "status", str(fleet.root), "-o", "json"], check=True, capture_output=True)
    (job,) = json.loads(status.stdout)["items"]
    again = f"reconciler events a -d {fleet.root} --follow"
    words = f"interrupted; job {job['job_id']} of a goes on training at the provider. To look again: {again}"
    assert said == f"\n{words}\n"
    ended = {"error": words, "problems": [], "complete": False}
    if form == "json":
        assert json.loads(rest.splitlines()[-1]) == ended
    elif form == "yaml":
        assert yaml.safe_load(rest.rpartition("---\n")[2]) == ended
    else:
        assert "interrupted" not in rest


def test_an_interrupted_apply_is_one_document(fleet: FleetDirectory) -> None:
    arguments = [*program(), "apply", str(fleet.root), "--wait", "-o", "json"]
    with begun(arguments, stdout=subprocess.PIPE) as (process, log):
        until("so far", log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(_PATIENCE) == 130
        assert process.stdout is not None
        with process.stdout:
            document = json.load(process.stdout)
    assert document["error"].startswith("interrupted; nothing more is sent. Still training at the provider: a (ftjob-")
    assert document["complete"] is False


def test_an_interrupted_question_says_that_nothing_was_sent(fleet: FleetDirectory, tmp_path: Path) -> None:
    fleet.fleet(provider="compatible")
    end_of_input = b"\x04"  # to click the same as Ctrl-C, and it cannot come too early
    with EmbeddedSandbox(tmp_path / "served") as sandbox:
        arguments = ["apply", str(fleet.root), "--settle", "0"]
        ended, seen = at_a_terminal(arguments, end_of_input, OPENAI_BASE_URL=sandbox.base_url)
    assert (ended, seen.endswith("interrupted; nothing was sent\r\n")) == (130, True)


@pytest.mark.parametrize(
    ("jobs", "unresolved", "status", "words"),
    [
        ([], [], "reconciler status f", "interrupted; nothing more is sent"),
        (
            [("a", "j1"), ("b", "j2")],
            [],
            "reconciler status 'my fleet'",
            "interrupted; nothing more is sent. Still training at the provider: a (j1), b (j2); `reconciler status 'my fleet'` shows them",
        ),
        ([("a", "j1")], [], "", "interrupted; nothing more is sent. Still training at the provider: a (j1)"),
        (
            [],
            ["c"],
            "reconciler status f",
            "interrupted; nothing more is sent. A create may have reached the provider for c: the next apply looks for it",
        ),
        (
            [(f"j{i}", str(i)) for i in range(12)],
            [],
            "",
            "interrupted; nothing more is sent. Still training at the provider: "
            + ", ".join(f"j{i} ({i})" for i in range(10))
            + " and 2 more",
        ),
    ],
)
def test_what_goes_on_is_named(jobs: list[tuple[str, str]], unresolved: list[str], status: str, words: str) -> None:
    assert interruption.still_training(jobs, unresolved, status) == words


def test_before_the_first_write_nothing_was_sent_whatever_trains() -> None:
    said = interruption.still_training([("a", "j1")], [], "reconciler status f", sent=False)
    assert said.startswith("interrupted; nothing was sent. Still training at the provider: a (j1); ")
    assert interruption.still_training([], [], "", sent=False) == interruption.nothing_sent()


def test_an_apply_that_waits_for_its_settle_window_has_sent_nothing(
    fleet: FleetDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.fleet(provider="compatible")
    with EmbeddedSandbox(tmp_path / "served") as sandbox:
        monkeypatch.setenv("OPENAI_BASE_URL", sandbox.base_url)
        arguments = [*program(), "apply", str(fleet.root), "--yes", "--first-run", "--settle", "1h"]
        with begun(arguments) as (process, log):
            until("waiting ", log)
            process.send_signal(signal.SIGINT)
            assert log.read().endswith("\ninterrupted; nothing was sent\n")
            assert process.wait() == interruption.INTERRUPTED


def test_what_cannot_be_explained_is_an_interruption_all_the_same() -> None:
    def lost() -> str:
        raise JournalError("the memory is gone")

    outer = interruption.explained(lambda: "outer")
    with pytest.raises(interruption.Interrupted) as ended, outer, interruption.explained(lost):
        raise KeyboardInterrupt
    assert interruption.words_of(ended.value) == "interrupted; nothing more is sent"
    assert interruption.words_of(KeyboardInterrupt()) == "interrupted"


def test_whoever_follows_a_job_that_has_ended_is_told_so() -> None:
    ended = a_job(status="succeeded")
    assert interruption.followed("a", ended, typed) == (
        "interrupted; job j1 of a has ended (succeeded): reconciler describe a -d fleet"
    )
    assert interruption.followed("a", None, typed) == "interrupted"


def test_an_interrupt_that_cannot_be_told_has_its_exit_code(fleet: FleetDirectory) -> None:
    subprocess.run([*program(), "apply", str(fleet.root)], check=True, capture_output=True)
    arguments = [*program(), "events", "a", "-d", str(fleet.root), "--follow"]
    with Path("/dev/full").open("w") as full, begun(arguments, stderr=full, stdout=subprocess.PIPE) as (process, out):
        until("Created", out)
        process.send_signal(signal.SIGTERM)
        assert process.wait(_PATIENCE) == 130


@pytest.mark.parametrize("command", ["apply", "events", "sandbox", "run"])
def test_as_process_1_every_command_ends(fleet: FleetDirectory, tmp_path: Path, command: str) -> None:
    inner = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if subprocess.run([*inner, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody make a process namespace")
    subprocess.run([*program(), "apply", str(fleet.root)], check=True, capture_output=True)
    arguments, sign, code = {
        "apply": (["apply", str(fleet.root), "--wait"], "so far", 130),
        "events": (["events", "a", "-d", str(fleet.root), "--follow", "-v"], "request.completed", 130),
        "sandbox": (["sandbox", "--sandbox-dir", str(tmp_path / "served")], "http://", 0),
        "run": (["run", str(fleet.root)], "daemon.started", 0),
    }[command]
    shell = 'exec "$@" 1>&2'  # the sandbox prints its URL on stdout
    with begun([*inner, "sh", "-c", shell, "-", *STARTED, *arguments]) as (process, log):
        until(sign, log)
        (first,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(first), signal.SIGTERM)
        assert process.wait(_PATIENCE) == code


def run(fleet: FleetDirectory, words: Sequence[str] | None = None) -> list[str]:
    return [
        *(words or program()),
        "run",
        str(fleet.root),
        "--log-format",
        "json",
        "--stability",
        "0",
        "--interval",
        "1h",
    ]


@pytest.mark.parametrize("times", [1, 3])
def test_a_hangup_wakes_a_daemon_and_is_told(fleet: FleetDirectory, times: int) -> None:
    with begun(run(fleet)) as (process, log):
        until("pass.completed", log)
        for _ in range(times):
            process.send_signal(signal.SIGHUP)
            until("daemon.woken", log)
        fleet.job("b", seed=2)
        until("job.created", log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(_PATIENCE) == 0
        assert "daemon.stopped" in log.read()


def test_a_daemon_that_is_stopped_names_the_jobs_that_train_on(fleet: FleetDirectory) -> None:
    with begun(run(fleet)) as (process, log):
        until("pass.completed", log)
        fleet.job("b", seed=2)
        created = json.loads(next(line for line in log if "job.created" in line))["job_id"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(_PATIENCE) == 0
        last = json.loads(log.read().splitlines()[-1])
    assert last["event"] == "daemon.stopped"
    assert created in last["training_on"]


def test_a_daemon_that_nohup_started_hears_no_hangup(fleet: FleetDirectory) -> None:
    with begun([*ignoring("HUP"), *run(fleet)]) as (process, log):
        until("pass.completed", log)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.wait(_PATIENCE) == 0
        assert "daemon.woken" not in log.read()


def test_a_daemon_whose_terminal_is_closed_stops(fleet: FleetDirectory) -> None:
    leader, follower = pty.openpty()
    # The first terminal that the leader of a session opens is the session's.
    shell = ["sh", "-c", """exec "$@" <"$TERMINAL" """, "-"]
    place = os.environ | {"TERMINAL": os.ttyname(follower)}
    with begun([*shell, *run(fleet, STARTED)], env=place, start_new_session=True) as (process, log):
        until("pass.completed", log)
        os.close(follower)
        os.close(leader)
        assert process.wait(_PATIENCE) == 0
        assert "daemon.stopped" in log.read()
