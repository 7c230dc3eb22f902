"""Every example and every command of its README, as a reader would type them; and what README says of the program."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.plan import Reason

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted(path for path in (ROOT / "examples").iterdir() if path.is_dir())

STATE = shutil.ignore_patterns(".reconciler", ".sandbox")

# The sandbox's jobs take seconds; what a reader waits for, a test does not.
SHIM = """#!/bin/sh
case " $* " in
  *" --wait "*) exec {python} -m reconciler "$@" --sandbox-speed 100 ;;
  *) exec {python} -m reconciler "$@" ;;
esac
"""


def commands(readme: Path) -> list[str]:
    """The fenced shell blocks of a README."""
    return re.findall(r"^```sh\n(.*?)^```", readme.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    """A directory for PATH with the `reconciler` of this environment."""
    path = tmp_path / "bin" / "reconciler"
    path.parent.mkdir()
    path.write_text(SHIM.format(python=sys.executable))
    path.chmod(0o755)
    return path.parent


def run(script: str, where: Path, shim: Path) -> str:
    """Run a script in the shell; a command that fails ends it."""
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=where,
        env={"PATH": f"{shim}:/usr/bin:/bin:/usr/local/bin", "HOME": str(where), "TMPDIR": str(where)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_command_of_an_example_does_what_its_readme_says(example: Path, tmp_path: Path, shim: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(example, copy, ignore=STATE)
    git = "git -c user.name=x -c user.email=x@example.com -c init.defaultBranch=main"
    run(f"{git} init -q && {git} add . && {git} commit -qm start", copy, shim)
    blocks = commands(copy / "README.md")
    assert blocks
    for block in blocks:
        run(block, copy, shim)
    told = json.loads(run("reconciler status . -o json", copy, shim))
    assert {(i["name"], i["job_status"], bool(i["fine_tuned_model"])) for i in told["items"]} == {
        (i["name"], "succeeded", True) for i in told["items"]
    }
    run("reconciler plan . --detailed-exitcode", copy, shim)  # exits 2 where anything is left to do


def test_changing_and_removing_ends_exactly_those_jobs(tmp_path: Path, shim: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "examples" / "02-change-and-remove", copy, ignore=STATE)
    blocks = commands(copy / "README.md")
    for block in blocks[:3]:
        run(block, copy, shim)
    told = json.loads(run("reconciler status . tone -o json", copy, shim))
    first, second = (job["status"] for job in told["items"][0]["history"])
    assert first == "cancelled"
    assert second in {"validating_files", "queued", "running"}
    gone = json.loads(run("reconciler plan . -o json", copy, shim))
    assert [c["name"] for c in gone["changes"]] == ["tone"]


def test_the_readme_names_every_reason_and_every_command() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [reason for reason in Reason if f"`{reason}`" not in readme] == []
    helped = run("reconciler --help", ROOT, Path(sys.executable).parent)
    named = re.findall(r"^  ([a-z]+) ", helped, re.MULTILINE)
    assert named
    assert [name for name in named if f"`reconciler {name}" not in readme] == []


def test_the_second_quick_start_command_installs_and_runs_the_tests() -> None:
    second = commands(ROOT / "README.md")[1]
    assert ".[test]" in second
    assert second.rstrip().endswith("pytest --quiet")


def test_the_layers_hold() -> None:
    ended = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
