"""What a shell completes: at once where it can be, and through click's own protocol where flags are next."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ShellComplete, ZshComplete

from reconciler.cli.completion import completed as answered
from reconciler.cli.completion import items_for
from reconciler.cli.job_names import job_names
from reconciler.cli.program import cli
from tests.fakes.fleets import FleetDirectory


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FleetDirectory:
    for name in os.environ:
        if name.startswith("RECONCILER_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    directory = FleetDirectory(tmp_path / "fleet")
    directory.fleet(provider="sandbox")
    directory.job("tone")
    directory.job("taste")
    return directory


def completed(*words: str) -> list[str]:
    """What stands for the last word."""
    return [item.value for item in items(*words)]


def items(*words: str) -> list[CompletionItem]:
    found = items_for(words[:-1], words[-1], os.environ)
    if found is not None:
        return [CompletionItem(value, type=kind, help=explanation) for kind, value, explanation in found]
    shell: ShellComplete = BashComplete(cli, {}, "reconciler", "_RECONCILER_COMPLETE")
    return shell.get_completions(list(words[:-1]), words[-1])


def test_commands_with_their_summaries() -> None:
    assert completed("st") == ["status"]
    (found,) = items("ap")
    assert found.help == "Create what is missing, cancel what was removed: once."
    assert {"init", "plan", "sandbox"} <= set(completed(""))
    assert completed("--ver") == ["--verbose", "--version"]


@pytest.mark.parametrize("command", ["events", "checkpoints", "forget"])
def test_jobs_of_the_directory_that_was_named(fleet: FleetDirectory, command: str) -> None:
    assert completed(command, "-d", "fleet", "") == ["taste", "tone"]
    assert completed(command, "-d", "fleet", "to") == ["tone"]
    assert completed(command, "--directory=fleet", "to") == ["tone"]
    assert completed(command, "-q", "-d", "fleet", "to") == ["tone"]
    assert completed("-q", command, "-d", "fleet", "to") == ["tone"]
    assert completed(command, "-d", "nowhere", "") == []


@pytest.mark.usefixtures("fleet")
def test_jobs_of_the_working_directory() -> None:
    assert completed("events", "") == ["taste", "tone"]


def test_jobs_of_the_directory_that_the_environment_names(
    fleet: FleetDirectory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert completed("events", "to") == []
    monkeypatch.setenv("RECONCILER_DIRECTORY", str(fleet.root))
    assert completed("events", "to") == ["tone"]


def test_no_jobs_where_it_is_not_one_fleet(fleet: FleetDirectory, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    other = FleetDirectory(tmp_path / "more" / "other")
    other.fleet(provider="sandbox")
    other.job("theirs")
    assert completed("events", "") == []
    assert completed("events", "-d", "fleet", "") == ["taste", "tone"]
    assert completed("events", "-d", "more", "") == ["theirs"]
    (fleet.root / "fleet.yaml").unlink()
    assert completed("events", "-d", "fleet", "") == []


def test_a_key_press_does_not_wait_for_a_disk(tmp_path: Path) -> None:
    for place in range(60):
        (tmp_path / f"d{place:02}").mkdir()
        for file in range(100):
            (tmp_path / f"d{place:02}" / f"{file}.txt").touch()
    manifest = "kind: FineTuningJob\nmetadata: {name: NAME}\n"
    (tmp_path / "d00" / "a.yaml").write_text(manifest.replace("NAME", "near"))
    (tmp_path / "d59" / "a.yaml").write_text(manifest.replace("NAME", "far"))
    (tmp_path / "fleet.yaml").write_text("kind: Fleet\nmetadata: {name: one}\n")
    assert job_names(tmp_path) == {"near"}


@pytest.mark.parametrize("command", ["init", "validate", "plan", "apply", "status", "run"])
def test_directories(command: str) -> None:
    (found,) = items(command, "fl")
    assert (found.value, found.type) == ("fl", "dir")
    (found,) = items("events", "-d", "fl")
    assert found.type == "dir"


def test_flags_and_their_choices() -> None:
    assert completed("apply", "--time") == ["--timeout"]
    assert completed("events", "tone", "--fo") == ["--follow"]
    assert completed("plan", "-o", "") == ["text", "json", "yaml", "markdown"]
    assert completed("plan", "--color", "al") == ["always"]
    assert "--yes" not in completed("plan", "--y")
    assert completed("schema", "") == []
    assert completed("nonsense", "x") == []


def test_names_after_a_flag_of_the_command(fleet: FleetDirectory) -> None:
    assert completed("events", "-d", "fleet", "-o", "json", "to") == ["tone"]
    assert completed("events", "--follow", "-d", "fleet", "") == ["taste", "tone"]
    assert [item.type for item in items("plan", "-o", "json", "fl")] == ["dir"]
    assert fleet.root.is_dir()


LINES = [
    ("reconciler pl", 1),
    ("reconciler che", 1),
    ("reconciler -q pl", 2),
    ("reconciler --ver", 1),
    ("reconciler -q -", 2),
    ("reconciler events -d fleet t", 4),
    ("reconciler events -d 'fle", 3),
    ("reconciler events -d fl\\ eet ", 4),
    ("reconciler plan fleet ", 3),
    ("reconciler schema x", 2),
    ("reconciler nonsense x", 2),
    ("reconciler plan # x", 3),
]


@pytest.mark.parametrize("shell", [BashComplete, ZshComplete, FishComplete])
@pytest.mark.parametrize(("line", "position"), LINES)
def test_a_shell_is_answered_as_click_answers_it(
    fleet: FleetDirectory, monkeypatch: pytest.MonkeyPatch, shell: type[ShellComplete], line: str, position: int
) -> None:
    fleet.job("a:b", path="odd.yaml")
    word = line.rpartition(" ")[2]
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", word if shell is FishComplete else str(position))
    theirs = shell(cli, {}, "reconciler", "_RECONCILER_COMPLETE").complete() + "\n"
    assert answered(f"{shell.name}_complete", os.environ) == theirs


def test_what_only_click_knows_is_left_to_it() -> None:
    line = {"COMP_WORDS": "reconciler plan --o", "COMP_CWORD": "2"}
    assert answered("bash_complete", line) is None
    assert answered("bash_source", line) is None
    assert answered("tcsh_complete", {"COMP_WORDS": "reconciler pl", "COMP_CWORD": "1"}) is None


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_is_given_its_script(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "reconciler"],
        env=os.environ | {"_RECONCILER_COMPLETE": f"{shell}_source"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"_RECONCILER_COMPLETE={shell}_complete" in done.stdout


def test_names_of_jobs_are_read_without_the_models_of_manifests() -> None:
    program = """
import os, sys
os.environ |= {"_RECONCILER_COMPLETE": "bash_complete", "COMP_WORDS": "reconciler events ", "COMP_CWORD": "2"}
import atexit
atexit.register(lambda: print("LOADED", *(name for name, found in sys.modules.items() if found)))
from reconciler.cli import main
main([])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.rpartition("LOADED")[2].split())
    assert {"pydantic", "httpx", "structlog", "rich", "uvicorn"} & loaded == set()
    assert "yaml" in loaded


def test_names_stand_in_many_places(tmp_path: Path) -> None:
    job = "apiVersion: reconciler/v1\nkind: FineTuningJob\nmetadata: {name: %s}\n"
    (tmp_path / "below").mkdir()
    (tmp_path / ".hidden").mkdir()
    for path, text in {
        "two.YML": f"{job % 'a'}---\n{job % 'b'}",
        "below/list.yaml": "kind: List\nitems:\n- {kind: FineTuningJob, metadata: {name: c}}\n- {kind: Fleet, metadata: {name: no}}\n",
        "one.json": '{"kind": "FineTuningJob", "metadata": {"name": "d"}}',
        "half.yaml": f"{job % 'e'}---\na: [",
        "odd.yaml": "- 1\n---\nkind: [FineTuningJob]\nmetadata: 3\n---\n[1]: 2\nkind: FineTuningJob\nmetadata: {name: [x]}\n",
        ".hidden/x.yaml": job % "no",
        ".x.yaml": job % "no",
        "x.txt": job % "no",
        "large.yaml": job % "no" + "#" * 2**20,
        "status.yaml": "kind: FineTuningJobStatus\nmetadata: {name: no}\n",
    }.items():
        (tmp_path / path).write_text(text)
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "gone.yaml").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.yaml")
    assert sorted(job_names(tmp_path)) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_one_that_it_understands(name: str) -> None:
    """What the script prints in it is compared with click's above; here the shell itself reads it."""
    shell = shutil.which(name)
    if shell is None:
        pytest.skip(f"{name} is not installed")
    place = {**os.environ, "_RECONCILER_COMPLETE": f"{name}_source"}
    script = subprocess.run([sys.executable, "-m", "reconciler"], env=place, capture_output=True, check=True).stdout
    assert script
    assert subprocess.run([shell, "-n"], input=script, capture_output=True, check=False).stderr == b""


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_with_it(fleet: FleetDirectory, tmp_path: Path) -> None:
    del fleet
    program = tmp_path / "bin" / "reconciler"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m reconciler "$@"\n')
    program.chmod(0o755)
    place = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}

    def asked(line: str) -> str:
        script = f"_RECONCILER_COMPLETE=fish_source reconciler | source; complete -C '{line}'"
        return subprocess.run(["fish", "-c", script], env=place, capture_output=True, text=True, check=True).stdout

    assert asked("reconciler st") == "status\tShow how the jobs stand\n"
    assert asked("reconciler describe -d fleet t") == "taste\ntone\n"
    assert asked("reconciler plan --det") == "--detailed-exitcode\tExit 2 where changes are present.\n"
