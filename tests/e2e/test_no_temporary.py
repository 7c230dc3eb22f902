"""Machines without a place for temporary files, without a home, and without a name for their user."""

import os
from pathlib import Path

import pytest

from tests.fakes.commands import Program, started
from tests.fakes.fleets import FleetDirectory
from tests.fakes.journals import killed_within_a_transaction

# As `tempfile` finds it where nothing can be written; root, which writes everywhere, could not show it.
NO_TMP = "import tempfile; tempfile.tempdir = '/nonexistent'"
# As a container's --user makes it: no entry in passwd.
NOBODY = "import pwd; pwd.getpwuid = {}.__getitem__"
WORDS = "set TMPDIR to a directory that can be written"


@pytest.fixture
def fleet(tmp_path: Path) -> FleetDirectory:
    directory = FleetDirectory(tmp_path / "fleet")
    directory.fleet(provider="sandbox")
    directory.job("a")
    return directory


def on(machine: str, **environment: str) -> Program:
    """The program on such a machine."""
    return started({k: v for k, v in os.environ.items() if k != "HOME"} | environment, prelude=machine)


def test_what_reads_an_empty_sandbox_says_what_to_set(fleet: FleetDirectory) -> None:
    run = on(NO_TMP)
    for command in (["plan"], ["status"], ["checkpoints", "a", "-d"], ["events", "a", "-d"]):
        done = run(*command, fleet.root)
        assert (done.returncode, done.stdout) == (1, b""), command
        assert done.stderr.startswith(b"error: the sandbox has no data yet, and")
        assert done.stderr.endswith(f"{WORDS}\n".encode())
        assert len(done.stderr.splitlines()) == 1


def test_every_other_command_needs_none(fleet: FleetDirectory, tmp_path: Path) -> None:
    others = [["validate"], ["apply"], ["plan"], ["status"], ["apply"], ["events", "a", "-d"], ["forget", "a", "-d"]]
    run = on(NO_TMP)
    assert run("init", tmp_path / "new").returncode == 0
    assert run("apply", tmp_path / "new", "--wait", "--sandbox-speed", "1000").returncode == 0
    for arguments in others:
        done = run(*arguments, fleet.root)
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done


def test_a_large_training_file_says_what_to_set(fleet: FleetDirectory) -> None:
    """The sandbox keeps what arrives in a temporary file, where it is long."""
    fleet.data("train", 20_000)
    run = on(NO_TMP)
    done = run("apply", fleet.root)
    assert (done.returncode, b"Traceback" in done.stderr) == (1, False)
    assert WORDS.encode() in done.stdout


def test_a_journal_that_is_read_from_a_copy_says_what_to_set(fleet: FleetDirectory, tmp_path: Path) -> None:
    run = on("")
    assert run("apply", fleet.root).returncode == 0
    killed = tmp_path / "killed"
    killed_within_a_transaction(fleet.root / ".reconciler", killed)
    run = on(NO_TMP)
    for command in ("status", "plan"):
        done = run(command, fleet.root, "--state-dir", killed)
        assert (done.returncode, done.stdout) == (1, b"")
        assert b"its last writer was killed" in done.stderr
        assert b"Set TMPDIR to a directory that can be written" in done.stderr
    assert run("apply", fleet.root, "--state-dir", killed).returncode == 0
    assert run("status", fleet.root, "--state-dir", killed).returncode == 0


@pytest.mark.parametrize("home", [{}, {"HOME": "/nonexistent"}, {"HOME": ""}], ids=str)
def test_no_home_and_no_name_change_nothing(fleet: FleetDirectory, home: dict[str, str]) -> None:
    run = on(NOBODY, **home)
    for command in ("validate", "plan", "apply", "status"):
        done = run(command, fleet.root)
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done


def test_a_user_without_a_home_is_told_where_the_state_could_stand(fleet: FleetDirectory, tmp_path: Path) -> None:
    (fleet.root / "..data").symlink_to(".")  # a volume that is swapped as a whole keeps nothing
    place = ["--sandbox-dir", tmp_path / "sandbox"]
    run = on(NOBODY)
    done = run("apply", fleet.root, *place)
    assert (done.returncode, b"no home directory: say --state-dir" in done.stderr) == (64, True)
    (tmp_path / "file").write_text("")
    run = on(NOBODY, HOME=str(tmp_path / "file"))
    done = run("apply", fleet.root, *place)
    assert (done.returncode, b"--state-dir" in done.stderr, b"Traceback" in done.stderr) == (1, True, False)
    run = on(NOBODY, HOME=str(tmp_path / "made"))
    assert run("apply", fleet.root, *place).returncode == 0
