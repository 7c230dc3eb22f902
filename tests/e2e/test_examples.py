"""Every example and every command of its README, as a reader would type them; and what README says of the program."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from reconciler.cli.group import command_named
from reconciler.cli.running import listen_address
from reconciler.core.reason import Reason
from reconciler.source.directory import read_directory
from tests.e2e.pages import EXAMPLES, ROOT, STATE, contradiction, make_shim, pasted, run, stand_in, transcript

# The same, called by its path as an installer makes it.
SCRIPT = """#!{python}
import sys
from reconciler.__main__ import main
main(sys.argv[1:] + (["--sandbox-speed", "100"] if "--wait" in sys.argv else []))
"""


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    """A directory for PATH with the `reconciler` of this environment."""
    return make_shim(tmp_path / "bin")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_command_of_an_example_does_what_its_readme_says(example: Path, tmp_path: Path, shim: Path) -> None:
    page = example / "README.md"
    copy = stand_in(page, tmp_path, shim)
    assert [
        reported for block, printed in transcript(page, copy, shim) if (reported := contradiction(block, printed))
    ] == []
    fleet = "fleet" if (copy / "fleet").is_dir() else "."
    shown = json.loads(run(f"reconciler status {fleet} -o json", copy, shim))
    assert {(i["name"], i["job_status"], bool(i["fine_tuned_model"])) for i in shown["items"]} == {
        (i["name"], "succeeded", True) for i in shown["items"]
    }
    run(f"reconciler plan {fleet} --detailed-exitcode", copy, shim)  # exits 2 where anything is left to do


def test_changing_and_removing_ends_exactly_those_jobs(tmp_path: Path, shim: Path) -> None:
    page = ROOT / "examples" / "02-change-and-remove" / "README.md"
    copy = stand_in(page, tmp_path, shim)
    for block in pasted(page)[:4]:
        run(block.text, copy, shim, RECONCILER_SANDBOX_SPEED="0.01")  # its jobs are live on a busy machine, too
    told = json.loads(run("reconciler describe tone -o json", copy, shim))
    first, second = (job["status"] for job in told["history"])
    assert first == "cancelled"
    assert second in {"validating_files", "queued", "running"}
    gone = json.loads(run("reconciler plan . -o json", copy, shim))
    assert [c["name"] for c in gone["changes"]] == ["tone"]


DAEMON = ROOT / "examples" / "04-daemon"


def arguments_of(how: str) -> list[str]:
    """The command line of the daemon as Compose, Kubernetes or systemd would start it."""
    if how == "compose":
        told: list[str] = yaml.safe_load((DAEMON / "compose.yaml").read_text())["services"]["reconciler"]["command"]
        return told
    if how == "kubernetes":
        pod = yaml.safe_load((DAEMON / "kubernetes" / "deployment.yaml").read_text())["spec"]["template"]["spec"]
        args: list[str] = pod["containers"][0]["args"]
        return args
    unit = (DAEMON / "systemd" / "reconciler.service").read_text()
    (line,) = re.findall(r"^ExecStart=\S+/reconciler (.*)$", unit, re.MULTILINE)
    return str(line).split()


@pytest.mark.parametrize("how", ["compose", "kubernetes", "systemd"])
def test_the_daemon_is_started_with_arguments_that_it_takes(how: str) -> None:
    command, *rest = arguments_of(how)
    assert command == "run"
    context = command_named(command).make_context(command, rest)
    host, _ = listen_address(context.params["listen"])
    assert host == ("127.0.0.1" if how == "systemd" else "0.0.0.0"), "a container serves every address of its own"
    assert context.params["state_dir"], "the fleet is read-only or swapped there"


def test_the_daemon_is_given_the_time_that_it_takes_to_stop() -> None:
    unit = (DAEMON / "systemd" / "reconciler.service").read_text()
    compose = yaml.safe_load((DAEMON / "compose.yaml").read_text())["services"]["reconciler"]
    pod = yaml.safe_load((DAEMON / "kubernetes" / "deployment.yaml").read_text())["spec"]["template"]["spec"]
    assert "TimeoutStopSec=35s" in unit
    assert compose["stop_grace_period"] == "35s"
    assert pod["terminationGracePeriodSeconds"] == 35


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
def test_kustomize_builds_the_manifests_and_the_volume_holds_a_fleet(tmp_path: Path) -> None:
    built = subprocess.run(
        ["kubectl", "kustomize", "--load-restrictor=LoadRestrictionsNone", str(DAEMON / "kubernetes")],
        check=True,
        capture_output=True,
    ).stdout
    documents = list(yaml.safe_load_all(built))
    maps = {d["metadata"]["name"]: d["data"] for d in documents if d["kind"] == "ConfigMap"}
    (pod,) = (d["spec"]["template"]["spec"] for d in documents if d["kind"] == "Deployment")
    # The volume as the kubelet lays it: every file behind a link to a directory that is swapped as a whole.
    (data := tmp_path / "..2026" / "data").mkdir(parents=True)
    (tmp_path / "..data").symlink_to("..2026")
    for source in pod["volumes"][0]["projected"]["sources"]:
        told = source["configMap"]
        paths = {item["key"]: item["path"] for item in told.get("items", ())}
        for key, text in maps[told["name"]].items():
            (tmp_path / "..2026" / paths.get(key, key)).write_text(text)
    for name in (*maps["fleet"], data.name):
        (tmp_path / name).symlink_to(f"..data/{name}")
    snapshot = read_directory(tmp_path)
    assert snapshot.problems == ()
    assert sorted(snapshot.desired) == ["whales"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "reconciler.service"
    text = (DAEMON / "systemd" / "reconciler.service").read_text()
    unit.write_text(text.replace("/opt/reconciler/bin/reconciler", sys.executable))
    ended = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert "reconciler.service" not in ended.stderr, ended.stderr


def test_the_readme_names_every_command_and_the_decision_table_every_reason() -> None:
    readme = (ROOT / "README.md").read_text()
    table = (ROOT / "docs" / "decision-table.md").read_text()
    assert [reason for reason in Reason if f"`{reason}`" not in table] == []
    helped = run("reconciler --help", ROOT, Path(sys.executable).parent)
    named = re.findall(r"^  ([a-z]+)  ", helped, re.MULTILINE)
    assert named
    assert [name for name in named if f"`reconciler {name}" not in readme] == []


def test_a_fleet_of_ones_own_is_made_as_printed_after_the_first_quick_start_command(tmp_path: Path) -> None:
    script = tmp_path / ".venv" / "bin" / "reconciler"
    script.parent.mkdir(parents=True)
    script.write_text(SCRIPT.format(python=sys.executable))
    script.chmod(0o755)
    printed = run(pasted(ROOT / "README.md")[2].text, tmp_path, Path("/nowhere"))
    assert "Next: .venv/bin/reconciler plan my-fleet" in printed
    assert "succeeded" in printed


def test_what_a_command_prints_into_the_directory_is_no_part_of_it(tmp_path: Path, shim: Path) -> None:
    shutil.copytree(ROOT / "examples" / "01-first-job", tmp_path / "fleet", ignore=STATE)
    manifest = tmp_path / "fleet" / "support-desk.yaml"
    manifest.write_text(manifest.read_text().replace("suffix: support-desk", "suffix: slow"))  # live on a busy machine
    script = """
        reconciler apply fleet -o json > fleet/applied.yaml
        rm -r fleet/support-desk.yaml
        for form in json yaml; do
            reconciler plan fleet -o json > fleet/plan.$form || exit 9
            reconciler status fleet -o json > fleet/status.$form 2> fleet/log.json
        done
        reconciler apply fleet
        reconciler schema > fleet/schema.json
        reconciler plan fleet --detailed-exitcode
    """
    assert "✓ support-desk: cancelled" in run(script, tmp_path, shim, together=True)


def test_the_second_quick_start_command_installs_and_runs_the_tests() -> None:
    second = pasted(ROOT / "README.md")[1].text
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
