"""In a step of GitHub Actions: its summary, its outputs, and annotations that lead to the line."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.fleets import FleetDirectory
from tests.fakes.shell import Ran, Shell

VARIABLES = ("GITHUB_ACTIONS", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE")


@dataclass(frozen=True)
class Step:
    """The files of one step."""

    summary: Path
    output: Path

    @property
    def outputs(self) -> dict[str, str]:
        """As the runner reads them; a later one counts."""
        lines = self.output.read_text().splitlines() if self.output.exists() else []
        return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    for name in (*VARIABLES, "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    return Shell(capsys)


@pytest.fixture
def step(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Step:
    del shell  # it cleans the environment first
    files = Step(tmp_path / "summary.md", tmp_path / "output")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(files.summary))
    monkeypatch.setenv("GITHUB_OUTPUT", str(files.output))
    return files


@pytest.fixture
def fleet(tmp_path: Path) -> FleetDirectory:
    directory = FleetDirectory(tmp_path / "fleet")
    directory.fleet(provider="sandbox", limits={"max_cancels": 1})
    return directory


def test_a_plan_leaves_its_summary_and_its_outputs(shell: Shell, step: Step, fleet: FleetDirectory) -> None:
    fleet.job("a")
    step.summary.write_text("# before\n")
    ran = shell("plan", fleet.root)
    shown = shell("plan", fleet.root, "-o", "markdown").out
    assert step.summary.read_text() == f"# before\n{shown}{shown}"
    assert step.outputs == {
        "changes_present": "true",
        "digest": digest_in(ran),
        "creates": "1",
        "cancels": "0",
        "refused": "0",
    }


def digest_in(ran: Ran) -> str:
    return ran.out.partition("Digest: ")[2][:16]


def test_an_apply_says_what_was_done_and_what_was_refused(shell: Shell, step: Step, fleet: FleetDirectory) -> None:
    for name in ("a", "b", "c"):
        fleet.job(name)
    assert shell("apply", fleet.root).code == 0
    assert "Done: 3 created." in step.summary.read_text()
    assert (step.outputs["creates"], step.outputs["refused"]) == ("3", "0")
    for name in ("a", "b"):
        fleet.remove(name)
    assert shell("apply", fleet.root).code == 3
    assert "Refused by gate max_cancels: cancel a, cancel b" in step.summary.read_text()
    assert (step.outputs["cancels"], step.outputs["refused"]) == ("2", "2")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("plan",), 1, "broken.yaml"),
        (("apply", "--approve", "0" * 16), 1, "broken.yaml"),
    ],
)
def test_an_error_is_in_the_summary_and_sets_no_outputs(
    shell: Shell, step: Step, fleet: FleetDirectory, *, arguments: tuple[str, ...], code: int, said: str
) -> None:
    (fleet.root / "broken.yaml").write_text("kind: FineTuningJob\napiVersion: reconciler/v1\nnonsense: 1\n")
    ran = shell(arguments[0], fleet.root, *arguments[1:])
    assert ran.code == code
    assert f"### Fine-tuning {arguments[0]} failed" in step.summary.read_text()
    assert said in step.summary.read_text() + ran.err
    assert step.outputs == {}


def test_a_stale_approval_is_in_the_summary_and_sets_no_outputs(
    shell: Shell, step: Step, fleet: FleetDirectory
) -> None:
    fleet.job("a")
    assert shell("apply", fleet.root, "--approve", "0" * 16).code == 4
    assert "the approved plan is 0000000000000000, the plan now is" in step.summary.read_text()
    assert step.outputs == {}


def test_a_plan_in_markdown_that_fails_is_no_empty_comment(shell: Shell, fleet: FleetDirectory) -> None:
    (fleet.root / "broken.yaml").write_text("kind: FineTuningJob\napiVersion: reconciler/v1\nnonsense: 1\n")
    ran = shell("plan", fleet.root, "-o", "markdown")
    assert ran.code == 1
    assert ran.out.startswith("<!-- reconciler plan fleet-1 -->\n### Fine-tuning plan failed\n\n```text\n")


@pytest.mark.parametrize("missing", VARIABLES[:3])
def test_nothing_is_written_where_it_was_not_asked_for(
    shell: Shell, step: Step, fleet: FleetDirectory, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    fleet.job("a")
    monkeypatch.delenv(missing)
    assert shell("plan", fleet.root).code == 0
    assert step.output.exists() == (missing == "GITHUB_STEP_SUMMARY")
    assert step.summary.exists() == (missing == "GITHUB_OUTPUT")


def test_a_file_that_cannot_be_written_costs_a_warning(
    shell: Shell, step: Step, fleet: FleetDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.job("a")
    monkeypatch.setenv("GITHUB_OUTPUT", str(fleet.root))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "/nowhere/summary.md")
    ran = shell("apply", fleet.root)
    assert ran.code == 0
    assert "Done: 1 created." in ran.out
    assert "warning: GITHUB_OUTPUT cannot be written: is a directory" in ran.err
    assert "warning: GITHUB_STEP_SUMMARY cannot be written: no such file or directory" in ran.err


def test_a_summary_that_github_would_throw_away_is_not_made(shell: Shell, step: Step, fleet: FleetDirectory) -> None:
    full = "x" * (1024 * 1024 - 10)
    step.summary.write_text(full)
    ran = shell("plan", fleet.root)
    assert ran.code == 0
    assert step.summary.read_text() == full
    assert "warning: GITHUB_STEP_SUMMARY is full" in ran.err


# ── annotations ──


def test_annotations_are_counted_and_their_paths_start_at_the_repository(
    shell: Shell, fleet: FleetDirectory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for number in range(12):
        text = f"apiVersion: reconciler/v1\nkind: FineTuningJob\nmetadata: {{name: j{number}}}\nnonsense: 1\n"
        (fleet.root / f"j{number}.yaml").write_text(text)
    (fleet.root / "map.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    monkeypatch.chdir(fleet.root)
    for workspace in (tmp_path, tmp_path / "link"):
        monkeypatch.setenv("GITHUB_WORKSPACE", str(workspace))
        for directory in (".", fleet.root):
            ran = shell("validate", directory, "-o", "github")
            assert ran.code == 1
            assert "::error file=fleet/j0.yaml,line=4,col=1::" in ran.out
            assert "::warning file=fleet/map.yaml,line=" in ran.out
            errors = ran.out.count("::error ")
            notice = (
                f"::notice::{errors} errors, 1 warning; GitHub shows the first 10 of each kind, the log has them all"
            )
            assert errors >= 12
            assert ran.out.splitlines()[-1] == notice


def test_annotations_outside_of_the_repository_keep_their_path(
    shell: Shell, fleet: FleetDirectory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (fleet.root / "fleet.yaml").write_text("apiVersion: reconciler/v1\nkind: Fleet\nmetadata: {name: f}\nx: 1\n")
    monkeypatch.setenv("GITHUB_WORKSPACE", f"{fleet.root}-2")
    assert f"::error file={fleet.root}/fleet.yaml,line=4" in shell("validate", fleet.root, "-o", "github").out.replace(
        f"file={fleet.root.relative_to(fleet.root.parent)}", f"file={fleet.root}"
    )


def test_a_valid_fleet_has_no_notice(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("a")
    ran = shell("validate", fleet.root, "-o", "github")
    assert ran.out == "1 job of fleet fleet-1: valid\n"
