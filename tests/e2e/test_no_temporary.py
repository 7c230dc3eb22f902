"""Machines without a place for temporary files, without a home, and without a name for their user."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.fleets import FleetDirectory
from tests.fakes.journals import killed_within_a_transaction

# As `tempfile` finds it where nothing can be written; root, which writes everywhere, could not show it.
NO_TMP = "import sys, tempfile; tempfile.tempdir = '/nonexistent'; from reconciler.cli import main; main(sys.argv[1:])"
# As a container's --user makes it: no entry in passwd.
NOBODY = "import sys, pwd; pwd.getpwuid = {}.__getitem__; from reconciler.cli import main; main(sys.argv[1:])"
WORDS = "set TMPDIR to a directory that can be written"


@pytest.fixture
def fleet(tmp_path: Path) -> FleetDirectory:
    directory = FleetDirectory(tmp_path / "fleet")
    directory.fleet(provider="sandbox")
    directory.job("a")
    return directory


def ran(program: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={name: value for name, value in os.environ.items() if name != "HOME"} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("command", [["plan"], ["status"], ["checkpoints", "a", "-d"], ["events", "a", "-d"]], ids=str)
def test_what_reads_an_empty_sandbox_says_what_to_set(fleet: FleetDirectory, command: list[str]) -> None:
    done = ran(NO_TMP, *command, fleet.root)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: the sandbox has no data yet, and")
    assert done.stderr.endswith(f"{WORDS}\n")
    assert len(done.stderr.splitlines()) == 1


def test_every_other_command_needs_none(fleet: FleetDirectory, tmp_path: Path) -> None:
    root = fleet.root
    assert ran(NO_TMP, "init", tmp_path / "new").returncode == 0
    assert ran(NO_TMP, "apply", tmp_path / "new", "--wait", "--sandbox-speed", "1000").returncode == 0
    for arguments in (
        ["validate"],
        ["apply"],
        ["plan"],
        ["status"],
        ["apply"],
        ["events", "a", "-d"],
        ["forget", "a", "-d"],
    ):
        done = ran(NO_TMP, *arguments, root)
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), done


def test_a_large_training_file_says_what_to_set(fleet: FleetDirectory) -> None:
    """The sandbox keeps what arrives in a temporary file, where it is long."""
    fleet.data("train", 20_000)
    done = ran(NO_TMP, "apply", fleet.root)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert WORDS in done.stdout


def test_a_journal_that_is_read_from_a_copy_says_what_to_set(fleet: FleetDirectory, tmp_path: Path) -> None:
    assert ran("from reconciler.cli import main; import sys; main(sys.argv[1:])", "apply", fleet.root).returncode == 0
    killed = tmp_path / "killed"
    killed_within_a_transaction(fleet.root / ".reconciler", killed)
    for command in ("status", "plan"):
        done = ran(NO_TMP, command, fleet.root, "--state-dir", killed)
        assert (done.returncode, done.stdout) == (1, "")
        assert "its last writer was killed" in done.stderr
        assert "Set TMPDIR to a directory that can be written" in done.stderr
    assert ran(NO_TMP, "apply", fleet.root, "--state-dir", killed).returncode == 0
    assert ran(NO_TMP, "status", fleet.root, "--state-dir", killed).returncode == 0


@pytest.mark.parametrize("home", [{}, {"HOME": "/nonexistent"}, {"HOME": ""}], ids=str)
def test_no_home_and_no_name_change_nothing(fleet: FleetDirectory, home: dict[str, str]) -> None:
    for command in ("validate", "plan", "apply", "status"):
        done = ran(NOBODY, command, fleet.root, **home)
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), done


def test_a_user_without_a_home_is_told_where_the_state_could_stand(fleet: FleetDirectory, tmp_path: Path) -> None:
    (fleet.root / "..data").symlink_to(".")  # a volume that is swapped as a whole keeps nothing
    place = ["--sandbox-dir", tmp_path / "sandbox"]
    done = ran(NOBODY, "apply", fleet.root, *place)
    assert (done.returncode, "no home directory: say --state-dir" in done.stderr) == (64, True)
    (tmp_path / "file").write_text("")
    done = ran(NOBODY, "apply", fleet.root, *place, HOME=str(tmp_path / "file"))
    assert (done.returncode, "--state-dir" in done.stderr, "Traceback" in done.stderr) == (1, True, False)
    assert ran(NOBODY, "apply", fleet.root, *place, HOME=str(tmp_path / "made")).returncode == 0
