"""The workflow of examples/05-gitops-github, each of its scripts in bash: beside a fake `gh`, against the sandbox."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cli.group import command_named
from reconciler.render.markdown import marker
from reconciler.source.directory import read_directory
from tests.e2e.pages import ROOT, STATE
from tests.fakes.forked import program

EXAMPLE = ROOT / "examples" / "05-gitops-github"
FILE = EXAMPLE / ".github" / "workflows" / "fine-tuning.yaml"
WORKFLOW: dict[str, Any] = yaml.load(FILE.read_text(), Loader=yaml.BaseLoader)  # noqa: S506 - `on` is no boolean
JOBS: dict[str, Any] = WORKFLOW["jobs"]
BOT = "github-actions[bot]"

SHIM = '#!/bin/sh\nexec {} "$@"\n'

# What the workflow asks of GitHub, over comments in a file. Each comment is a page of its own.
GH = f"""#!{sys.executable}
import json, os, sys
store = os.environ["GH_STORE"]
state = json.load(open(store))
api, *words = sys.argv[1:]
assert api == "api" and os.environ["GH_TOKEN"] == "token"
path = next(w for w in words if w.startswith("repos/")).removeprefix("repos/o/r/").partition("?")[0]
if "--method" in words:
    method, field = words[words.index("--method") + 1], words[words.index("-F") + 1]
    body = open(field.removeprefix("body=@")).read()
    if method == "POST":
        assert path == "issues/7/comments"
        state["comments"].append({{"id": len(state["comments"]) + 1, "user": {{"login": "{BOT}"}}, "body": body}})
    else:
        state["comments"][int(path.removeprefix("issues/comments/")) - 1]["body"] = body
    json.dump(state, open(store, "w"))
elif path.startswith("commits/"):
    print(json.dumps(state["pulls"]))
else:
    assert path == "issues/7/comments" and "--paginate" in words
    print("".join(json.dumps([comment]) for comment in state["comments"]) or "[]")
"""


@dataclass
class Runner:
    """A checkout, and what GitHub has beside it."""

    root: Path
    bin: Path

    def __post_init__(self) -> None:
        self.keep({"comments": [], "pulls": [{"number": 7, "merged_at": "2026-11-26T00:00:00Z"}]})

    @property
    def github(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.bin / "store").read_text())
        return state

    def keep(self, state: dict[str, Any]) -> None:
        (self.bin / "store").write_text(json.dumps(state))

    @property
    def comments(self) -> list[str]:
        return [comment["body"] for comment in self.github["comments"]]

    def comment(self, body: str, login: str) -> None:
        state = self.github
        state["comments"].append({"id": len(state["comments"]) + 1, "user": {"login": login}, "body": body})
        self.keep(state)

    def step(self, job: str, name: str, said: dict[str, str]) -> tuple[int, str, dict[str, str]]:
        """Exit code, output, and outputs of one step; ``said`` is what its expressions come to."""
        (step,) = (s for s in JOBS[job]["steps"] if s.get("name") == name)
        output = self.bin / "output"
        output.write_text("")
        places = {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(self.root), "GH_STORE": str(self.bin / "store")}
        files = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(self.bin / "summary.md")}
        facts = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "o/r", "GITHUB_SHA": "f" * 40}
        given = {key: said.get(text, text) for key, text in step.get("env", {}).items()}
        assert not any("${{" in text for text in given.values()), given
        ended = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.root,
            env={**places, **files, **facts, "GITHUB_WORKSPACE": str(self.root), **WORKFLOW["env"], **given},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        lines = output.read_text().splitlines()
        return ended.returncode, ended.stdout + ended.stderr, dict(line.split("=", 1) for line in lines)

    def review(self) -> tuple[int, str]:
        """A pull request: validate, plan, comment; the code of the plan."""
        self.step("review", "Validate", {})
        code, out, _ = self.step("review", "Plan", {})
        said = {"${{ github.token }}": "token", "${{ github.event.pull_request.number }}": "7"}
        assert self.step("review", "Comment", said)[0] == 0
        return code, out

    def merge(self, digest: str = "") -> tuple[int, str]:
        """A push to main: the digest found, the plan, the apply."""
        said = {"${{ github.token }}": "token", "${{ inputs.digest }}": digest}
        code, out, reviewed = self.step("apply", "Find the reviewed plan", said)
        assert code == 0, out
        code, out, planned = self.step("apply", "Plan", {})
        assert code == 0, out
        said = {
            "${{ steps.reviewed.outputs.digest }}": reviewed["digest"],
            "${{ steps.plan.outputs.changes_present }}": planned["changes_present"],
            "${{ steps.plan.outputs.digest }}": planned["digest"],
        }
        code, out, _ = self.step("apply", "Apply", said)
        return code, out

    def another(self, name: str) -> None:
        """A second job, as a copy of the first."""
        text = (self.root / "fleet" / "greetings.yaml").read_text()
        (self.root / "fleet" / f"{name}.yaml").write_text(text.replace("greetings\n", f"{name}\n", 1))


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    if shutil.which("jq") is None:
        pytest.skip("needs jq, as GitHub's runners have it")
    shutil.copytree(EXAMPLE, tmp_path / "checkout", ignore=STATE)
    (tmp_path / "bin").mkdir()
    for name, text in (("reconciler", SHIM.format(" ".join(program()))), ("gh", GH)):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    return Runner(tmp_path / "checkout", tmp_path / "bin")


def test_a_reviewed_plan_is_applied_and_its_comment_is_one(runner: Runner) -> None:
    runner.comment("looks good", "octocat")
    assert runner.review()[0] == 0
    runner.another("farewells")
    assert runner.review()[0] == 0
    assert len(runner.comments) == 2
    assert "2 to create" in runner.comments[1]
    runner.comment(f"<!-- reconciler plan other -->\nDigest: `{'0' * 16}`", BOT)  # the same bot, about another fleet
    code, out = runner.merge()
    assert (code, "Done: 2 created." in out) == (0, True), out
    code, out = runner.merge()  # the run is started again
    assert (code, "Done" in out) == (0, False), out
    assert "Done: 2 created." in (runner.bin / "summary.md").read_text()


def test_what_nobody_has_reviewed_is_not_applied(runner: Runner) -> None:
    runner.review()
    runner.another("farewells")
    code, out = runner.merge()
    assert code == 4
    assert "::error::the plan is not the one that was reviewed, and nothing was sent: " in out
    digest = re.findall(r"with its digest, ([0-9a-f]{16})", out)[0]
    code, out = runner.merge(digest)
    assert (code, "Done: 2 created." in out) == (0, True), out


@pytest.mark.parametrize("login", ["octocat", "octocat[bot]"])
def test_a_comment_that_somebody_else_wrote_approves_nothing(runner: Runner, login: str) -> None:
    runner.review()
    state = runner.github
    state["comments"][0]["user"]["login"] = login
    runner.keep(state)
    code, out = runner.merge()
    assert code == 1
    assert "::error::no reviewed plan belongs to this commit" in out


@pytest.mark.parametrize("pulls", [[], [{"number": 7, "merged_at": None}]])
def test_a_commit_that_no_pull_request_brought_approves_nothing(runner: Runner, pulls: list[Any]) -> None:
    runner.review()
    runner.keep({**runner.github, "pulls": pulls})
    assert runner.merge()[0] == 1


def test_a_plan_that_fails_takes_the_place_of_the_approved_one(runner: Runner) -> None:
    runner.review()
    (runner.root / "fleet" / "broken.yaml").write_text("apiVersion: reconciler/v1\nkind: FineTuningJob\n")
    assert runner.review()[0] == 1
    (body,) = runner.comments
    assert "### Fine-tuning plan failed" in body
    assert "Digest" not in body
    (runner.root / "fleet" / "broken.yaml").unlink()
    assert runner.merge()[0] == 1


def test_a_refused_plan_is_shown_and_its_merge_approves_it(runner: Runner) -> None:
    fleet = runner.root / "fleet" / "fleet.yaml"
    fleet.write_text(fleet.read_text().rstrip() + "\n  limits: {max_creates: 1}\n")
    runner.another("farewells")
    assert runner.review()[0] == 0
    assert "refused: max_creates" in runner.comments[0]
    assert runner.merge()[0] == 0


def test_nothing_to_do_needs_no_approval_and_drift_is_red(runner: Runner) -> None:
    runner.review()
    assert runner.step("drift", "Plan", {})[0] == 2
    runner.merge()
    assert runner.step("drift", "Plan", {})[0] == 0
    runner.keep({"comments": [], "pulls": []})
    assert runner.merge() == (0, "Nothing to do.\n")


# ── the file ──


def scripts() -> Iterator[tuple[str, str]]:
    for job, body in JOBS.items():
        for step in body["steps"]:
            if "run" in step:
                yield job, step["run"]


def test_every_command_of_the_workflow_is_one_that_is_taken() -> None:
    found = [words for _, text in scripts() for words in re.findall(r"\breconciler (\w+ \"\$FLEET\"[^|>\n]*)", text)]
    assert len(found) == 5
    for words in found:
        command, *rest = (word.strip('"') for word in words.split())
        command_named(command).make_context(command, rest)


def test_the_mark_is_that_of_the_fleet() -> None:
    snapshot = read_directory(EXAMPLE / "fleet")
    assert snapshot.problems == ()
    assert snapshot.fleet is not None
    assert WORKFLOW["env"]["MARKER"] == marker(snapshot.fleet.name)


def test_no_job_may_more_than_it_needs() -> None:
    assert WORKFLOW["permissions"] == {}
    assert {name: job["permissions"] for name, job in JOBS.items()} == {
        "review": {"contents": "read", "pull-requests": "write"},
        "apply": {"contents": "read", "pull-requests": "read"},
        "drift": {"contents": "read"},
    }
    assert not [text for _, text in scripts() if "${{" in text]
    assert JOBS["apply"]["concurrency"]["cancel-in-progress"] == "false"
    assert all(re.fullmatch(r"[\w/-]+@v\d+", s["uses"]) for job in JOBS.values() for s in job["steps"] if "uses" in s)


def test_only_main_writes_the_state() -> None:
    for name, job in JOBS.items():
        caches = [s for s in job["steps"] if s.get("uses", "").startswith("actions/cache")]
        assert {s["with"]["path"] for s in caches} == {"fleet/.reconciler\nfleet/.sandbox\n"}
        assert [s["uses"] for s in caches] == [
            "actions/cache/restore@v5",
            *(["actions/cache/save@v5"] if name == "apply" else []),
        ]


@pytest.mark.skipif(shutil.which("actionlint") is None, reason="needs actionlint")
def test_actionlint_takes_the_workflow() -> None:
    subprocess.run(["actionlint", str(FILE)], check=True, capture_output=True)
