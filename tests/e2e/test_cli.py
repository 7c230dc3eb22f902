"""The commands as a user calls them: what they print, what they leave behind, and how they exit."""

import dataclasses
import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.state.opening import FILE
from tests.fakes.commands import at_a_terminal, in_a_shell
from tests.fakes.faulty import Proxy, Reply, Request, reply
from tests.fakes.fleets import LOOPBACK, FleetDirectory, jobs_at, live, make_job
from tests.fakes.manifests import as_yaml
from tests.fakes.sandboxes import SharedSandbox
from tests.fakes.shell import Shell

KEY = "sk-a-key-that-must-appear-nowhere"


@pytest.fixture
def fleet(tmp_path: Path) -> FleetDirectory:
    directory = FleetDirectory(tmp_path / "fleet")
    directory.fleet(provider="sandbox")
    return directory


@pytest.fixture
def server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell, shared_sandbox: SharedSandbox
) -> Iterator[Proxy]:
    """A server that is not the embedded one; the environment leads there."""
    del shell  # it cleans the environment first
    with shared_sandbox.serving(tmp_path / "served", speed=1000) as sandbox, Proxy(sandbox.base_url) as proxy:
        monkeypatch.setenv("OPENAI_BASE_URL", proxy.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        yield proxy


def there(fleet: FleetDirectory, **spec: Any) -> list[str]:
    """Options for that server, which needs no settle window."""
    fleet.fleet(provider="compatible", **spec)
    return ["--settle", "0"]


# ── wrong usage ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["plan", "--nonsense"],
        ["plan", ".", "-o", "xml"],
        ["apply", ".", "--timeout", "5s"],
        ["apply", ".", "--settle", "5"],
        ["apply", ".", "--settle", "five seconds"],
        ["apply", ".", "--prune"],
        ["plan", ".", "--root", "x"],
        ["plan", ".", "--provider", "nobody"],
        ["events"],
        ["describe"],
        ["status", ".", "a"],
        ["sandbox", "--port", "99999"],
        ["sandbox", "--mode", "nobody"],
        ["apply", ".", "--sandbox-speed", "0"],
        ["plan", ".", "--assume", "anything"],
        ["plan", ".", "--status-word", "done"],
        ["plan", ".", "--status-word", "running=succeeded"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_64(shell: Shell, arguments: list[str]) -> None:
    ran = shell(*arguments)
    assert ran.code == 64
    assert ran.out == ""
    assert ran.err


def test_help_and_version(shell: Shell) -> None:
    ran = shell("--help")
    assert ran.code == 0
    for command in (
        "init",
        "validate",
        "plan",
        "apply",
        "status",
        "describe",
        "events",
        "checkpoints",
        "forget",
        "import",
        "doctor",
        "files",
        "schema",
        "sandbox",
    ):
        assert f"  {command} " in ran.out
        assert shell(command, "--help").code == 0
    assert shell("--version").out.startswith("reconciler, version 0.")


def test_only_a_sandbox_pays_for_an_http_server() -> None:
    commands = "import sys, reconciler.cli.inspecting, reconciler.cli.reconciling, reconciler.cli.running"
    program = f"{commands}; print({{'starlette', 'uvicorn'}} & sys.modules.keys())"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"provider": "compatible"}, "needs a base URL"),
        ({"provider": "openai"}, "needs a key: set OPENAI_API_KEY"),
        ({"provider": "azure"}, "needs a base URL"),
    ],
)
def test_what_a_provider_needs(shell: Shell, fleet: FleetDirectory, spec: dict[str, str], words: str) -> None:
    fleet.fleet(**spec)
    ran = shell("plan", fleet.root)
    assert (ran.code, words in ran.err) == (64, True)


def test_the_embedded_sandbox_has_no_base_url(shell: Shell, fleet: FleetDirectory) -> None:
    assert shell("plan", fleet.root, "--base-url", "http://x/v1").code == 64


@pytest.mark.parametrize(
    "url", ["ftp://x/v1", "x/v1", "http://", "http://user:pw@x/v1", "http://[::1/v1", "http://x/v1?a=b"]
)
def test_a_base_url_that_is_none(shell: Shell, fleet: FleetDirectory, url: str) -> None:
    fleet.fleet(provider="compatible")
    ran = shell("plan", fleet.root, "--base-url", url)
    assert ran.code == 64
    assert "pw" not in ran.err


# ── init, validate, schema ───────────────────────────────────────────────────────────────────


def test_init_writes_what_passes_validate_and_overwrites_nothing(shell: Shell, tmp_path: Path) -> None:
    directory = tmp_path / "My Models!"
    first = shell("init", directory)
    assert first.code == 0
    assert shell("validate", directory).out == f"1 job of fleet {fleet_name(directory)}: valid\n"
    assert fleet_name(directory).startswith("my-models-")
    before = {p: p.read_bytes() for p in directory.rglob("*") if p.is_file()}
    again = shell("init", directory).out
    assert "kept" in again
    assert again.endswith(f"Next: reconciler plan '{directory}'\n")
    assert {p: p.read_bytes() for p in directory.rglob("*") if p.is_file()} == before
    assert ".reconciler/" in (directory / ".gitignore").read_text()
    assert "eol=lf" in (directory / ".gitattributes").read_text()
    for name in ("fleet.yaml", "first-job.yaml"):
        modeline, _ = (directory / name).read_text().split("\n", 1)
        schema = modeline.removeprefix("# yaml-language-server: $schema=")
        assert json.loads((directory / schema).read_text()) == shell("schema").json


def test_a_server_that_says_to_wait_is_told_once_of_its_job(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    limited = reply({"error": {"message": "slow down", "code": "rate_limit_exceeded"}}, 429, **{"retry-after": "7"})
    server.answer = lambda r: limited if r.creates and len(server.creates()) < 3 else server.pass_on(r)
    ran = shell("apply", fleet.root, "--yes", "--first-run", *there(fleet))
    said = [line for line in ran.err.splitlines() if "wait" in line]
    assert (ran.code, said) == (
        0,
        [
            "… a: the provider asks to wait 7 s (POST /fine_tuning/jobs: HTTP 429 rate_limit_exceeded: slow down)",
            "waiting 7 s for the next create",
        ],
    )


def test_init_adds_no_job_to_a_fleet_that_is_there(shell: Shell, tmp_path: Path) -> None:
    """Whoever runs it again, as `git init` or `terraform init`, would have trained the example."""
    (tmp_path / "models.yml").write_text(
        "apiVersion: reconciler/v1\nkind: Fleet\nmetadata: {name: mine}\nspec: {provider: sandbox}\n"
    )
    ran = shell("init", tmp_path)
    assert ran.code == 0
    assert {line.split("/")[-1] for line in ran.out.splitlines() if line.startswith("written")} == {
        ".reconciler.schema.json",
        ".gitignore",
        ".gitattributes",
    }
    assert ran.out.startswith(f"kept     {tmp_path / 'models.yml'}\n")
    assert shell("validate", tmp_path).out == "0 jobs of fleet mine: valid\n"


def test_init_begins_no_fleet_inside_another(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    shell("init", tmp_path)
    inside = shell("init", tmp_path / "data" / "more")
    assert (inside.code, inside.out) == (64, "")
    assert inside.err.startswith(f"error: {tmp_path} is a fleet, and a directory holds one with all below it")
    assert not (tmp_path / "data" / "more").exists()


def fleet_name(directory: Path) -> str:
    return str(yaml.safe_load((directory / "fleet.yaml").read_text())["metadata"]["name"])


def test_two_fleets_never_get_the_same_name(shell: Shell, tmp_path: Path) -> None:
    names = set()
    for i in range(5):
        shell("init", tmp_path / str(i) / "models")
        names.add(fleet_name(tmp_path / str(i) / "models"))
    assert len(names) == 5


def test_an_address_that_cannot_be_listened_on_says_why(fleet: FleetDirectory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = in_a_shell(f"$R run $D --listen 127.0.0.1:{taken.getsockname()[1]}", fleet.root)
    assert (ran.returncode, ": address already in use" in ran.stderr, "Errno" in ran.stderr) == (64, True, False)


def test_the_name_of_a_new_fleet_is_no_number(shell: Shell, tmp_path: Path) -> None:
    """`12e-3456` would be one in YAML."""
    for i in range(25):
        shell("init", tmp_path / str(i) / "12e")
        assert fleet_name(tmp_path / str(i) / "12e").removeprefix("12e-")[0].isalpha()


def test_init_where_nothing_can_be_written(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert shell("init", tmp_path / "file" / "x").code == 64


def test_validate_says_everything_that_is_wrong(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("a", seed=-1)
    fleet.job("b", training_file="nowhere.jsonl")
    ran = shell("validate", fleet.root)
    assert ran.code == 1
    assert "a.yaml:10:3: spec.seed: must be greater than or equal to 0, not -1" in ran.out
    assert "b.yaml:9:3: spec.training_file: nowhere.jsonl: no such file" in ran.out


def test_validate_as_json_and_for_github(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("a")
    told = shell("validate", fleet.root, "-o", "json").json
    assert (told["valid"], told["fleet"], told["jobs"][0]["name"]) == (True, "fleet-1", "a")
    fleet.job("a", seed=-1)
    told = shell("validate", fleet.root, "-o", "json").json
    assert told["problems"] == [
        {
            "path": f"{fleet.root}/a.yaml",
            "line": 10,
            "column": 3,
            "field": "spec.seed",
            "message": "must be greater than or equal to 0, not -1",
        }
    ]
    ran = shell("validate", fleet.root, "-o", "github")
    assert ran.out.splitlines() == [
        f"::error file={fleet.root}/a.yaml,line=10,col=3::spec.seed: must be greater than or equal to 0, not -1",
        "::notice::1 error",
    ]


def test_a_github_annotation_cannot_be_broken_out_of(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("a", **{"x\n::set-env name=A::%0A": 1})
    line, notice = shell("validate", fleet.root, "-o", "github").out.splitlines()
    assert notice == "::notice::1 error"
    assert line.startswith(f"::error file={fleet.root}/a.yaml")


def test_a_github_annotation_steers_no_terminal(fleet: FleetDirectory) -> None:
    (fleet.root / "a\x1b[31m.yaml").write_text("x: [")
    ended, seen = at_a_terminal(["validate", str(fleet.root), "-o", "github"], b"")
    assert ended == 1
    assert "\x1b" not in seen
    assert "a\\x1b[31m.yaml" in seen


def test_a_directory_that_is_not_there_is_named(shell: Shell, tmp_path: Path) -> None:
    ran = shell("plan", tmp_path / "nowhere")
    assert ran.code == 64
    assert ran.err == f"error: no such directory: {tmp_path / 'nowhere'}\n"


def test_a_directory_that_is_near_is_suggested(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    ran = shell("plan", tmp_path / "exmples")
    assert ran.err.endswith(f"exmples; did you mean reconciler plan {tmp_path}/examples\n")


def test_a_file_for_a_directory_is_told_its_directory(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text("")
    ran = shell("validate", tmp_path / "fleet.yaml")
    assert ran.code == 64
    assert ran.err.endswith(f"fleet.yaml is a file; give its directory: reconciler validate {tmp_path}\n")


def test_a_directory_of_fleets_is_told_with_the_command_for_one(shell: Shell, tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"fleet-{number:02}").mkdir()
        (tmp_path / f"fleet-{number:02}" / "f.yaml").write_text(as_yaml("Fleet", f"f{number}", "{provider: sandbox}"))
    ran = shell("plan", tmp_path)
    assert ran.code == 64
    assert ran.out == ""
    first, *listed = ran.err.splitlines()
    assert first == (
        f"error: {tmp_path} is not a fleet, but holds 12 of them; name one: reconciler plan {tmp_path}/fleet-00"
    )
    assert listed[0] == f"  {tmp_path}/fleet-00  f0"
    assert listed[10:] == ["  and 2 more"]
    ran = shell("events", "some-job", "-d", tmp_path)
    assert ran.err.splitlines()[0].endswith(f"name one: reconciler events some-job -d {tmp_path}/fleet-00")


def test_problems_are_named_from_where_the_reader_stands_and_counted(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fleet").mkdir()
    (tmp_path / "fleet" / "fleet.yaml").write_text(as_yaml("Fleet", "f", "{provider: sandbox}"))
    (tmp_path / "fleet" / "a.yaml").write_text(
        as_yaml("FineTuningJob", "a", "{model: m, training_file: file-1, seed: x}")
    )
    told = "fleet/a.yaml:4:41: spec.seed: must be a whole number, not x\n"
    assert shell("plan", "fleet").err == f"{told}error: 1 problem in 1 file; nothing was sent\n"
    assert shell("status", tmp_path / "fleet").err == told
    ran = shell("validate", "fleet")
    assert (ran.out, ran.code) == (f"{told}1 problem in 1 file\n", 1)
    assert shell("validate", "fleet", "-o", "json").json["problems"][0]["path"] == "fleet/a.yaml"
    ended, seen = at_a_terminal(["validate", str(tmp_path / "fleet")], b"")
    assert ended == 1
    assert seen.splitlines() == [
        told.rstrip(),
        "   4 | spec: {model: m, training_file: file-1, seed: x}",
        "     | " + " " * 40 + "^",
        "1 problem in 1 file",
    ]


def test_the_schema_knows_every_field(shell: Shell) -> None:
    told = shell("schema").json
    text = json.dumps(told)
    for field in ("training_file", "on_cancelled", "max_cancels", "text_similarity", "reasoning_effort", "adopt"):
        assert f'"{field}"' in text
    assert told["$defs"]["FineTuningJobDocument"]["additionalProperties"] is False


# ── plan ─────────────────────────────────────────────────────────────────────────────────────


def test_plan_sends_and_writes_nothing(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    options = there(fleet)
    fleet.job("a")
    before = fleet.times()
    ran = shell("plan", fleet.root, *options)
    assert ran.code == 3, "the first run is a person's word"
    assert "Gate first_run refuses" in ran.out
    assert server.posts() == []
    assert fleet.times() == before


def test_a_plan_reads_like_a_review(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.fleet(provider="sandbox", limits={"max_cancels": 2})
    fleet.job("a")
    fleet.job("gone")
    fleet.job("kept", model="sandbox-slow", seed=3)
    shell("apply", fleet.root, "--sandbox-speed", "1000")
    fleet.job("a", seed=9)
    fleet.job("new", seed=2)
    fleet.remove("gone")
    out = shell("plan", fleet.root).out
    lines = out.splitlines()
    assert lines[0] == "fleet fleet-1 at sandbox"
    assert any(line.startswith("  ± replace  a ") for line in lines)
    assert "        seed: (unset) → 9" in lines
    assert any(
        line.startswith("      changes since job ftjob-") and "unchanged fields hidden" in line for line in lines
    )
    assert any(line.startswith("      then cancels ftjob-") and " old" in line for line in lines)
    assert any(line.startswith("  - cancel   gone ") and "Removed" in line for line in lines)
    assert any(line.startswith("      throws away: running") for line in lines)
    assert any(line.startswith("  = keep     kept ") for line in lines)
    assert any(line.startswith("  + create   new ") for line in lines)
    assert lines[-3] == "Plan: 2 to create, 2 to cancel, 1 kept."
    digest = lines[-2].removeprefix("Digest: ")
    assert lines[-1] == f"To do exactly this: reconciler apply {fleet.root} --approve {digest}"
    assert "\x1b" not in out


def test_detailed_exitcode(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("a")
    assert shell("plan", fleet.root).code == 0
    assert shell("plan", fleet.root, "--detailed-exitcode").code == 2
    shell("apply", fleet.root)
    assert shell("plan", fleet.root, "--detailed-exitcode").code == 0


def test_plan_as_json(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("a")
    told = shell("plan", fleet.root, "-o", "json").json
    assert {
        k: told[k]
        for k in (
            "fleet",
            "provider",
            "base_url",
            "complete",
            "changes_present",
            "converged",
            "unmanaged",
            "requeue_after",
        )
    } == {
        "fleet": "fleet-1",
        "provider": "sandbox",
        "base_url": "sandbox",
        "complete": True,
        "changes_present": True,
        "converged": False,
        "unmanaged": 0,
        "requeue_after": 0,
    }
    assert told["summary"] == {"create": 1, "cancel": 0, "upload": 1, "adopt": 0, "keep": 0, "wait": 0, "hold": 0}
    (change,) = told["changes"]
    base = {"name", "action", "reason", "job_id", "revision", "attempt", "message"}
    besides = {"refused", "refused_by", "model", "files", "uploads", "differences", "last_refusal", "throws_away"}
    assert set(change) == base | besides | {"leaves_running", "elsewhere", "estimate"}
    assert (change["leaves_running"], change["elsewhere"], change["refused_by"]) == ([], [], [])
    assert (told["elsewhere"], told["warnings"]) == ([], [])
    assert (change["model"], change["files"], change["refused"]) == ("sandbox-slow", ["data/train.jsonl"], None)
    assert change["uploads"] == ["data/train.jsonl"]
    assert {g["gate"] for g in told["gates"]} >= {"evidence", "first_run", "max_creates", "max_cancels", "all_missing"}


def test_plan_as_markdown_escapes_what_is_foreign(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("a", suffix="x|y<b")
    out = shell("plan", fleet.root, "-o", "markdown").out
    assert out.startswith("<!-- reconciler plan fleet-1 -->\n### Fine-tuning plan: `fleet fleet-1 at sandbox`\n")
    assert "<summary>+ create <code>a</code> — NotCreated</summary>" in out


def test_no_colour_without_a_terminal(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("a")
    assert "\x1b" not in shell("plan", fleet.root).out


# ── apply ────────────────────────────────────────────────────────────────────────────────────


def test_apply_without_a_terminal_needs_a_word(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    options = there(fleet)
    fleet.job("a")
    ran = shell("apply", fleet.root, *options)
    assert ran.code == 64
    assert "--yes" in ran.err
    assert server.posts() == []


def test_a_first_run_needs_its_own_word(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    options = there(fleet)
    fleet.job("a")
    ran = shell("apply", fleet.root, "--yes", *options)
    assert ran.code == 3
    assert "say --first-run" in ran.out
    assert server.posts() == []
    assert shell("apply", fleet.root, "--yes", "--first-run", *options).code == 0
    assert shell("apply", fleet.root, "--yes", "--first-run", *options).code == 0
    assert len(jobs_at(server.base_url)) == 1


def test_an_approved_plan_and_nothing_else(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    options = there(fleet, limits={"max_creates": 1})
    make_first_run(shell, fleet, options)
    fleet.job("a")
    fleet.job("b", seed=1)
    planned = shell("plan", fleet.root, *options, "-o", "json")
    assert planned.code == 3
    digest = planned.json["digest"]
    fleet.job("c", seed=2)
    stale = shell("apply", fleet.root, "--approve", digest, *options)
    assert stale.code == 4
    assert "Run plan again" in stale.err
    assert len(jobs_at(server.base_url)) == 1
    fleet.remove("c")
    assert shell("apply", fleet.root, "--approve", digest, *options).code == 0
    assert len(jobs_at(server.base_url)) == 3
    again = shell("apply", fleet.root, "--approve", digest, *options)
    assert (again.code, "nothing is left to do" in again.err) == (0, True)
    assert len(jobs_at(server.base_url)) == 3


def make_first_run(shell: Shell, fleet: FleetDirectory, options: list[str]) -> None:
    fleet.job("first", seed=100)
    assert shell("apply", fleet.root, "--yes", "--first-run", *options).code == 0


def test_an_approval_covers_creates_that_wait(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    options = there(fleet, limits={"max_active": 1})
    for i in range(3):
        fleet.job(f"n{i}", model="gpt-4o-mini", seed=i)
    digest = shell("plan", fleet.root, *options, "-o", "json").json["digest"]
    ran = shell("apply", fleet.root, "--approve", digest, "--wait", *options)
    assert ran.code == 0
    assert [j["status"] for j in jobs_at(server.base_url)] == ["succeeded"] * 3


@pytest.mark.parametrize(
    "case",
    [("--yes", 500, 1), (f"--approve={'0' * 16}", 200, 4), (f"--approve={'0' * 16}", 401, 1), ("--first-run", 200, 64)],
    ids=["provider down", "stale", "wrong key", "nobody to ask"],
)
def test_an_apply_that_made_no_pass_leaves_no_file(
    fleet: FleetDirectory, server: Proxy, shell: Shell, case: tuple[str, int, int]
) -> None:
    (word, status, code), options = case, there(fleet)
    fleet.job("a")
    before = set(fleet.root.rglob("*"))
    server.fault = lambda _, was: was if status == 200 else reply({}, status)
    assert shell("apply", fleet.root, word, *options).code == code
    assert set(fleet.root.rglob("*")) == before


@pytest.mark.parametrize("form", ["text", "json"])
def test_manifests_that_change_while_apply_waits_are_told_once_at_its_end(
    shell: Shell, fleet: FleetDirectory, server: Proxy, form: str
) -> None:
    options = there(fleet)
    fleet.job("a", model="gpt-4o-mini")
    digest = shell("plan", fleet.root, *options, "-o", "json").json["digest"]

    def edit(request: Request, answer: Reply) -> Reply:
        if request.creates:
            fleet.job("b")
        return answer

    server.fault = edit
    ran = shell("apply", fleet.root, "--approve", digest, "--wait", "-o", form, *options)
    assert ran.code == 0
    assert len(jobs_at(server.base_url)) == 1
    (told,) = (line for line in ran.err.splitlines() if line.startswith("warning: "))
    assert told.startswith("warning: the manifests or training files changed meanwhile; ")
    assert told.endswith(f"plan again: reconciler plan {fleet.root} --settle 0s")


def test_a_limit_refuses_all_and_says_the_way_on(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.fleet(provider="sandbox", limits={"max_cancels": 1})
    for name in ("a", "b", "c"):
        fleet.job(name, seed=ord(name))
    shell("apply", fleet.root)
    for name in ("a", "b"):
        fleet.remove(name)
    ran = shell("apply", fleet.root)
    assert ran.code == 3
    assert "2 live jobs would end (removed or replaced), limits.max_cancels allows 1 of 3" in ran.out
    digest = ran.out.split("Digest: ")[1].split()[0]
    assert shell("apply", fleet.root, "--approve", digest).code == 0
    assert shell("plan", fleet.root, "--detailed-exitcode").code == 0


def test_apply_as_json(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("a")
    told = shell("apply", fleet.root, "-o", "json").json
    assert told["outcomes"][0]["ok"] is True
    assert set(told["outcomes"][0]) == {"name", "action", "reason", "job_id", "ok", "message"}
    assert told["converged"] is True
    assert told["summary"]["create"] == 1
    assert told["failure"] is None


@pytest.mark.parametrize("form", ["text", "json"])
def test_apply_tells_what_was_done_and_what_went_wrong_then(
    shell: Shell, fleet: FleetDirectory, server: Proxy, form: str
) -> None:
    options = there(fleet)
    fleet.job("a")
    server.fault = lambda r, was: reply({}, 403) if r.method == "GET" and server.creates() else was
    ran = shell("apply", fleet.root, "--yes", "--first-run", "-o", form, *options)
    assert ran.code == 1
    if form == "json":
        assert ran.json["failure"] == "GET /fine_tuning/jobs: HTTP 403"
        assert [o["ok"] for o in ran.json["outcomes"]] == [True]
    else:
        assert "✓ a: created job" in ran.err
        assert "Done: 1 created.\nStopped: GET /fine_tuning/jobs: HTTP 403\n" in ran.out


def test_a_failed_create_exits_1_and_says_why(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("a", suffix="refuse-403")
    ran = shell("apply", fleet.root)
    assert ran.code == 1
    why = "the provider takes no new jobs: POST /fine_tuning/jobs: HTTP 403 training_not_available"
    assert f"✗ a: {why}" in ran.err
    assert f"Failed: create of a: {why}" in ran.out


@pytest.mark.parametrize("spoil", ["broken", "no fleet", "empty", "vanished", "duplicate"])
def test_whatever_is_wrong_with_the_directory_nothing_is_cancelled(
    shell: Shell, fleet: FleetDirectory, server: Proxy, spoil: str
) -> None:
    options = there(fleet)
    fleet.job("a")
    fleet.job("b", seed=1)
    shell("apply", fleet.root, "--yes", "--first-run", *options)
    fleet.remove("a")
    state = ["--state-dir", shutil.copytree(fleet.root / ".reconciler", fleet.root.parent / "state")]
    server.requests.clear()
    if spoil == "broken":
        (fleet.root / "broken.yaml").write_text("a: [")
    elif spoil == "no fleet":
        (fleet.root / "fleet.yaml").unlink()
    elif spoil == "duplicate":
        shutil.copy(fleet.root / "b.yaml", fleet.root / "b2.yaml")
    else:
        shutil.rmtree(fleet.root)
        if spoil == "empty":
            fleet.root.mkdir()
    ran = shell("apply", fleet.root, "--yes", *state, *options)
    assert ran.code == (64 if spoil == "vanished" else 1)
    assert ("no such directory: " if spoil == "vanished" else "1 problem") in ran.err
    assert server.posts() == []
    assert len(live(jobs_at(server.base_url))) == 2


def test_expect_refuses_any_other_place(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    fleet.fleet(provider="compatible", expect={"host": "api.openai.com"})
    fleet.job("a")
    ran = shell("apply", fleet.root, "--yes", "--first-run")
    assert ran.code == 3
    host = server.base_url.split("/")[2]
    assert f"host is {host}, expected api.openai.com" in ran.err
    assert server.requests == []
    fleet.fleet(provider="compatible", expect={"host": host})
    assert shell("plan", fleet.root).out.startswith(f"fleet {fleet.name} at {host}\n")


def test_a_corrupt_journal_stops_apply_and_says_the_way_on(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("a")
    (fleet.root / ".reconciler").mkdir()
    (fleet.root / ".reconciler" / FILE).write_bytes(b"x" * 5000)
    ran = shell("apply", fleet.root)
    assert ran.code == 1
    assert "Move the file aside to go on without it" in ran.err


# ── a stream ─────────────────────────────────────────────────────────────────────────────────


class Stdin:
    """Standard input that holds these bytes."""

    def __init__(self, content: bytes) -> None:
        import io

        self.buffer = io.BytesIO(content)

    def isatty(self) -> bool:
        return False


def test_a_stream_plans_like_the_files_and_removes_only_when_told(
    shell: Shell, fleet: FleetDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        fleet.job(name, seed=ord(name))

    def stream(*names: str) -> None:
        text = "\n---\n".join((fleet.root / f"{name}.yaml").read_text() for name in ("fleet", *names)) + "\n"
        monkeypatch.setattr(sys, "stdin", Stdin(text.encode()))

    files = shell("plan", fleet.root, "-o", "json").json
    stream("c", "b", "a")
    assert shell("plan", "-", "--root", fleet.root, "-o", "json").json == files
    shell("apply", fleet.root)
    stream("a", "b")
    told = shell("plan", "-", "--root", fleet.root, "-o", "json").json
    assert [(c["name"], c["reason"]) for c in told["changes"]][-1] == ("c", "PruneDisabled")
    stream("a", "b")
    assert shell("apply", "-", "--root", fleet.root).code == 0
    assert "3 " in shell("status", fleet.root).out or len(shell("status", fleet.root, "-o", "json").json["items"]) == 3
    stream("a", "b")
    assert shell("apply", "-", "--root", fleet.root, "--prune").code == 0
    assert [i["name"] for i in shell("status", fleet.root, "-o", "json").json["items"]] == ["a", "b", "c"]


# ── status, events, checkpoints, forget ──────────────────────────────────────────────────────


def test_status(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("a", model="gpt-4o-mini")
    fleet.job("b", model="sandbox-fail-file", seed=1)
    before = shell("status", fleet.root)
    assert before.code == 0
    assert "not created" in before.out
    assert not (fleet.root / ".reconciler").exists(), "looking leaves nothing behind"
    assert shell("apply", fleet.root, "--wait", "--sandbox-speed", "1000").code == 5
    rows = shell("status", fleet.root).out.splitlines()
    assert rows[0].split() == ["NAME", "STATUS", "DETAIL", "AGE"]
    assert rows[1].split()[:2] == ["b", "failed"], "what is worst comes first"
    assert rows[2].split()[:2] == ["a", "succeeded"]
    assert "ft:gpt-4o-mini-" in rows[2]
    wide = shell("status", fleet.root, "-o", "wide").out.splitlines()
    assert wide[0].split()[-5:] == ["JOB", "SYNCED", "SUCCEEDED", "BLOCKED", "MODEL"]
    assert "ftjob-" in wide[1]
    told = shell("status", fleet.root, "-o", "json").json
    assert set(told) == {"fleet", "items", "unmanaged", "conditions", "next_try", "costs", "spent"}
    assert set(told["items"][0]) == {
        "name",
        "revision",
        "job_id",
        "job_status",
        "fine_tuned_model",
        "latest_model",
        "trained_tokens",
        "created_at",
        "checkpoints",
        "estimated_finish",
        "progress",
        "error",
        "conditions",
        "history",
        "last_refusal",
    }
    assert told["items"][1]["error"]["code"] == "invalid_training_file"
    assert yaml.safe_load(shell("status", fleet.root, "-o", "yaml").out) == told
    detail = shell("describe", "a", "-d", fleet.root).out
    assert all(f"\n{title}:\n" in detail for title in ("Spec", "Conditions", "History", "Events", "Checkpoints"))
    assert shell("describe", "b", "-d", fleet.root).code == 0
    unknown = shell("describe", "nobody", "-d", fleet.root)
    assert (unknown.code, "known: a, b" in unknown.err) == (1, True)
    one = shell("status", fleet.root, "a")
    assert (one.code, f"for one job: reconciler describe a -d {fleet.root}" in one.err) == (64, True)


def test_a_name_that_is_gone_says_who_ended_its_job_and_why(shell: Shell, fleet: FleetDirectory) -> None:
    """Found in the field: "my job was cancelled and I did not want it" had no answer but one line of a log."""
    fleet.job("a")
    fleet.job("b")
    shell("apply", fleet.root)
    fleet.remove("a")
    shell("apply", fleet.root)
    detail = shell("describe", "a", "-d", fleet.root)
    assert detail.code == 0
    assert "no manifest" in detail.out
    words = " ".join(detail.out.split())
    assert "cancelled by reconciler from this directory: its manifest was gone from the directory" in words
    told = yaml.safe_load((fleet.root / ".reconciler" / "status" / "a.yaml").read_text())["status"]
    item = shell("describe", "a", "-d", fleet.root, "-o", "json").json
    assert {"name": "a", **told}.items() <= {**item, "checkpoints": told["checkpoints"]}.items()
    assert item["provider_job"]["object"] == "fine_tuning.job", "whatever its server shows of it, with its own fields"
    (past,) = item["history"]
    assert (past["ended_by"], past["ended_reason"]) == ("reconciler", "Removed")
    assert past["ended_at"] > 1_600_000_000
    names = [i["name"] for i in shell("status", fleet.root, "-o", "json").json["items"]]
    every = [i["name"] for i in shell("status", fleet.root, "--all", "-o", "json").json["items"]]
    assert (names, every) == (["b"], ["a", "b"])
    assert shell("events", "a", "-d", fleet.root).code == 0


def test_a_run_without_the_journal_does_not_know_who_it_was(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("a")
    fleet.job("b")
    shell("apply", fleet.root)
    fleet.remove("a")
    shell("apply", fleet.root)
    shutil.rmtree(fleet.root / ".reconciler")
    ran = shell("describe", "a", "-d", fleet.root)
    assert "by whom is not known here" in " ".join(ran.out.split())
    item = shell("describe", "a", "-d", fleet.root, "-o", "json").json
    assert [past["ended_by"] for past in item["history"]] == [None]


def test_the_status_files_hold_what_status_prints(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("a", model="gpt-4o-mini")
    shell("apply", fleet.root, "--wait", "--sandbox-speed", "1000")
    on_disk = yaml.safe_load((fleet.root / ".reconciler" / "status" / "a.yaml").read_text())
    assert (on_disk["kind"], on_disk["metadata"]) == ("FineTuningJobStatus", {"name": "a"})
    (item,) = shell("status", fleet.root, "-o", "json").json["items"]
    assert {"name": "a", **on_disk["status"]} == item
    assert item["checkpoints"]


def on_disk(fleet: FleetDirectory) -> dict[str, dict[str, Any]]:
    """What the status files say, by name."""
    files = (fleet.root / ".reconciler" / "status").glob("*.yaml")
    return {path.stem: {"name": path.stem, **yaml.safe_load(path.read_text())["status"]} for path in files}


def cancelled_by_somebody(fleet: FleetDirectory, server: Proxy) -> None:
    (job_id,) = (job["id"] for job in jobs_at(server.base_url))
    LOOPBACK.post(f"{server.base_url}/fine_tuning/jobs/{job_id}/cancel").raise_for_status()


def removed(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.remove("a")


def to_be_cancelled(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a", policy={"state": "cancelled"})
    server.fault = lambda r, was: reply({"error": {"message": "no"}}, 400) if r.path.endswith("/cancel") else was


def refused_for_all(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("b", suffix="refuse-403")
    fleet.job("c", seed=2)


def rejected(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("b", suffix="refuse-400")


def refused_for_all_then_for_itself(fleet: FleetDirectory, server: Proxy) -> Iterator[None]:
    fleet.job("b", suffix="refuse-quota")
    yield
    fleet.job("b", suffix="refuse-400")


def rejected_then_refused_for_all(fleet: FleetDirectory, server: Proxy) -> Iterator[None]:
    fleet.job("b", suffix="refuse-400")
    yield
    fleet.job("c", suffix="refuse-quota")


def refused_for_all_and_no_room(fleet: FleetDirectory, server: Proxy) -> Iterator[None]:
    fleet.job("b", suffix="refuse-quota")
    yield
    fleet.fleet(provider="compatible", limits={"max_active": 1})


def blocked(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.fleet(provider="compatible", limits={"max_creates": 1})
    fleet.job("b", seed=1)
    fleet.job("c", seed=2)


def waiting(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.fleet(provider="compatible", limits={"max_active": 1})
    fleet.job("b", seed=1)


def failed(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("b", model="sandbox-fail-file", seed=1)


@pytest.mark.parametrize(
    ("event", "reasons"),
    [
        (lambda _fleet, _server: None, {"InProgress"}),
        (failed, {"InProgress", "Failed"}),
        (cancelled_by_somebody, {"Cancelled"}),
        (removed, {"Done"}),
        (to_be_cancelled, {"CancelRequested"}),
        (refused_for_all, {"InProgress", "CreateRefused"}),
        (rejected, {"InProgress", "CreateRejected"}),
        (refused_for_all_then_for_itself, {"InProgress", "CreateRejected"}),
        (rejected_then_refused_for_all, {"InProgress", "CreateRejected", "CreateRefused"}),
        (refused_for_all_and_no_room, {"InProgress", "CreateRefused"}),
        (blocked, {"InProgress", "Blocked"}),
        (waiting, {"InProgress", "WaitingForCapacity"}),
    ],
)
def test_status_describe_and_the_status_files_never_disagree(
    shell: Shell,
    fleet: FleetDirectory,
    server: Proxy,
    event: Callable[[FleetDirectory, Proxy], Iterator[None] | None],
    reasons: set[str],
) -> None:
    options = there(fleet)
    fleet.job("a")
    shell("apply", fleet.root, "--yes", "--first-run", *options)
    for _ in event(fleet, server) or ():
        shell("apply", fleet.root, "--yes", *options)
    for _ in range(2):  # what was sent now, and what was found so
        shell("apply", fleet.root, "--yes", *options)
    told = shell("status", fleet.root, "--all", "-o", "json").json["items"]
    files = on_disk(fleet)
    moving = {"progress": None, "checkpoints": None}  # read at this very moment
    assert {i["name"]: i | moving for i in told} == {name: item | moving for name, item in files.items()}
    assert {i["conditions"][0]["reason"] for i in told} == reasons
    for name, item in files.items():
        described = shell("describe", name, "-d", fleet.root, "-o", "json").json
        assert (item | moving).items() <= (described | moving).items()


def test_a_refusal_stays_in_status_until_it_was_tried_again(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    """Found in the field: when the back-off was over, status forgot what the status files still said."""
    options = there(fleet)
    fleet.job("a")
    shell("apply", fleet.root, "--yes", "--first-run", *options)
    refused_for_all(fleet, server)
    shell("apply", fleet.root, "--yes", *options)
    before = shell("status", fleet.root).out
    assert "; next try " in before
    shell.clock.sleep(120)
    after = shell("status", fleet.root).out
    assert "; tried again next" in after
    assert "last refused: b" in " ".join(shell("describe", "c", "-d", fleet.root).out.split())
    files = on_disk(fleet)
    for item in shell("status", fleet.root, "-o", "json").json["items"]:
        assert item["conditions"] == files[item["name"]]["conditions"]
    fleet.job("b", seed=1)
    shell("apply", fleet.root, "--yes", *options)
    assert "blocked" not in shell("status", fleet.root).out


def test_where_the_provider_cannot_be_read_the_last_known_facts_are_shown(
    shell: Shell, fleet: FleetDirectory, server: Proxy
) -> None:
    options = there(fleet)
    fleet.job("a")
    server.fault = lambda _request, _was: reply({"error": {"message": "down"}}, 400)
    nothing = shell("status", fleet.root)
    assert (nothing.code, nothing.out) == (1, ""), "nothing is known yet"
    server.fault = lambda _request, was: was
    shell("apply", fleet.root, "--yes", "--first-run", *options)
    files = on_disk(fleet)
    server.fault = lambda _request, _was: reply({"error": {"message": "down"}}, 400)
    for command in (["status", fleet.root], ["describe", "a", "-d", fleet.root]):
        ran = shell(*command)
        assert ran.code == 1
        assert re.match(r"as of .* UTC \(.* ago\); the provider cannot be read: 127\.0\.0\.1:\d+: .*down", ran.out)
        assert " a " in f" {ran.out}".replace("\n", " ")
    *_, row = shell("status", fleet.root).out.splitlines()
    assert re.search(r"\d+[smh]$", row), "its age is known as well"
    known = shell("status", fleet.root, "-o", "json")
    assert (known.code, known.json["complete"], known.json["unmanaged"]) == (1, False, None)
    assert "down" in known.json["error"]
    assert known.json["as_of"].endswith("Z")
    assert known.json["items"] == list(files.values())
    described = shell("describe", "a", "-d", fleet.root, "-o", "json").json
    assert {key: described[key] for key in files["a"]} == files["a"]
    assert (described["complete"], "down" in described["provider_error"]) == (False, True)


def test_a_status_file_of_an_apply_that_waits_says_how_far_its_job_is(
    shell: Shell, fleet: FleetDirectory, server: Proxy
) -> None:
    metrics = {"step": 3, "total_steps": 10, "train_loss": 0.5}
    event = {"id": "e1", "created_at": 1, "level": "info", "message": "step", "type": "metrics", "data": metrics}
    events = reply({"object": "list", "data": [event], "has_more": False})
    server.fault = lambda r, was: events if "/events" in r.path else was
    options = there(fleet)
    fleet.job("a")
    assert shell("apply", fleet.root, "--yes", "--first-run", "--wait", "--timeout", "60s", *options).code == 6
    file = on_disk(fleet)["a"]
    assert file["progress"] == metrics
    assert [item["progress"] for item in shell("status", fleet.root, "-o", "json").json["items"]] == [metrics]


def test_a_fleet_without_a_job_says_so_in_a_sentence(shell: Shell, fleet: FleetDirectory) -> None:
    assert shell("status", fleet.root).out.startswith("fleet fleet-1 declares no job; ")
    fleet.job("a")
    fleet.job("b", seed=1)
    shell("apply", fleet.root)
    for name in ("a", "b"):
        fleet.remove(name)
        shell("apply", fleet.root)
    told = f"declares no job; 2 names whose manifest is gone: reconciler status {fleet.root} --all"
    assert told in shell("status", fleet.root).out
    assert len(shell("status", fleet.root, "--all").out.splitlines()) == 3


def test_status_tells_a_refusal_and_plan_what_apply_would_try(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("a", suffix="refuse-400")
    assert shell("apply", fleet.root).code == 1
    (item,) = shell("status", fleet.root, "-o", "json").json["items"]
    told = yaml.safe_load((fleet.root / ".reconciler" / "status" / "a.yaml").read_text())["status"]
    assert item["conditions"] == told["conditions"]
    assert [c["reason"] for c in told["conditions"] if c["type"] == "Blocked"] == ["CreateRejected"]
    (change,) = shell("plan", fleet.root, "-o", "json").json["changes"]
    assert (change["action"], change["reason"]) == ("create", "NotCreated")


def test_events_and_checkpoints(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("a", model="gpt-4o-mini")
    none_yet = shell("events", "a", "-d", fleet.root)
    assert (none_yet.code, "a has no job at this provider yet" in none_yet.err) == (1, True)
    shell("apply", fleet.root, "--wait", "--sandbox-speed", "1000")
    lines = shell("events", "a", "-d", fleet.root, "--follow").out.splitlines()
    assert "Created fine-tuning job" in lines[0]
    assert "successfully completed" in lines[-1]
    told = shell("events", "a", "-d", fleet.root, "-o", "json").json
    assert yaml.safe_load(shell("events", "a", "-d", fleet.root, "-o", "yaml").out) == told
    follow = shell("events", "a", "-d", fleet.root, "-o", "json", "--follow").out.splitlines()
    assert [json.loads(line) for line in follow] == told, "an object a line, for as long as it goes on"
    assert len(told) == len(lines)
    assert any("train_loss" in e["metrics"] for e in told)
    assert "TRAIN LOSS" in shell("checkpoints", "a", "-d", fleet.root).out
    assert shell("checkpoints", "a", "-d", fleet.root, "-o", "json").json[0]["metrics"]["train_loss"] > 0


def test_status_shows_what_can_be_read_beside_what_cannot(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("a")
    shell("apply", fleet.root)
    (fleet.root / "b.yaml").write_text("a: [")
    ran = shell("status", fleet.root)
    assert ran.code == 0
    assert "b.yaml:1:4" in ran.err
    assert ran.out.splitlines()[1].startswith("a ")
    (fleet.root / "fleet.yaml").unlink()
    assert shell("status", fleet.root).code == 1


def test_forget_where_there_is_nothing_to_forget(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("a")
    shell("apply", fleet.root)
    assert shell("forget", "a", "-d", fleet.root).out == "nothing of a to forget\n"


def test_forget_a_job_that_is_gone_by_the_command_that_is_shown(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("a")
    fleet.job("b", seed=1)
    shell("apply", fleet.root)
    shutil.rmtree(fleet.root / ".sandbox")  # the provider has lost everything
    ended = shell("apply", fleet.root)
    assert ended.code == 1
    shown = [ended, shell("plan", fleet.root), shell("plan", fleet.root, "-o", "markdown")]
    shown += [shell("describe", "a", "-d", fleet.root), shell("status", fleet.root, "-o", "wide")]
    copied = f"`reconciler forget a -d {fleet.root}`"
    assert [copied in one.out for one in shown] == [True, True, True, True, False]
    assert "DIR" not in "".join(one.out for one in shown), "there it is cut off"
    for name in ("a", "b"):
        assert "forgotten: the record of job ftjob-" in shell("forget", name, "-d", fleet.root).out
    assert shell("apply", fleet.root).code == 0


def test_an_apply_begins_again_where_a_rival_took_away_its_empty_journal(
    shell: Shell, fleet: FleetDirectory, server: Proxy
) -> None:
    """Of two first applies at once, one may end with nothing to keep; the other has its journal open by then."""
    options = there(fleet)
    fleet.job("a")
    looks: list[str] = []

    def taking_away(request: Request, was: Reply) -> Reply:
        if "fine_tuning/jobs?" in request.path:
            looks.append(request.path)
            if len(looks) == 1:
                shutil.rmtree(fleet.root / ".reconciler")
        return was

    server.fault = taking_away
    ran = shell("apply", fleet.root, "--yes", "--first-run", *options)
    assert ran.code == 0, ran.err
    assert "nothing was sent, and it begins again" in ran.err
    assert len(jobs_at(server.base_url)) == 1
    assert on_disk(fleet).keys() == {"a"}


def test_an_apply_whose_journal_is_taken_away_again_and_again_says_what_to_do(
    shell: Shell, fleet: FleetDirectory, server: Proxy
) -> None:
    options = there(fleet)
    fleet.job("a")

    def taking_away(_request: Request, was: Reply) -> Reply:
        shutil.rmtree(fleet.root / ".reconciler", ignore_errors=True)
        return was

    server.fault = taking_away
    ran = shell("apply", fleet.root, "--yes", "--first-run", *options)
    assert (ran.code, ran.err.count("it begins again")) == (1, 2)
    assert "nothing was written. Run apply again" in ran.err
    assert jobs_at(server.base_url) == []


def test_a_journal_that_is_taken_away_after_a_write_is_not_begun_again(
    shell: Shell, fleet: FleetDirectory, server: Proxy
) -> None:
    options = there(fleet)
    fleet.job("a")
    fleet.job("b", seed=1)

    def taking_away(request: Request, was: Reply) -> Reply:
        if request.method == "POST" and request.path.endswith("/fine_tuning/jobs"):
            shutil.rmtree(fleet.root / ".reconciler")
        return was

    server.fault = taking_away
    ran = shell("apply", fleet.root, "--yes", "--first-run", *options)
    assert (ran.code, "begins again" in ran.err) == (1, False)
    assert "run apply again" in ran.out.lower() + ran.err.lower()
    assert len(jobs_at(server.base_url)) == 1


# ── keys ─────────────────────────────────────────────────────────────────────────────────────


def test_the_key_appears_nowhere(shell: Shell, fleet: FleetDirectory, server: Proxy, tmp_path: Path) -> None:
    options = there(fleet)
    fleet.job("a")
    fleet.job("b", seed=1)
    server.fault = lambda r, was: (
        reply({"error": {"message": f"not with {KEY}", "code": KEY}}, 400) if r.creates else was
    )
    said = [
        shell("plan", fleet.root, *options, "-v"),
        shell("apply", fleet.root, "--yes", "--first-run", "-v", *options),
        shell("status", fleet.root),
    ]
    assert said[1].code == 1
    assert "[redacted]" in said[1].out
    assert all(KEY not in ran.out + ran.err for ran in said)
    assert all(KEY.encode() not in p.read_bytes() for p in fleet.root.rglob("*") if p.is_file())
    assert all(r.headers["authorization"] == f"Bearer {KEY}" for r in server.requests)


def test_the_key_may_come_from_a_file(shell: Shell, fleet: FleetDirectory, server: Proxy, tmp_path: Path) -> None:
    options = there(fleet)
    (tmp_path / "key").write_text("sk-from-a-file\n")
    shell("plan", fleet.root, "--api-key-file", tmp_path / "key", *options)
    assert server.requests[0].headers["authorization"] == "Bearer sk-from-a-file"
    assert shell("plan", fleet.root, "--api-key-file", tmp_path / "nowhere", *options).code == 64


# ── logs ─────────────────────────────────────────────────────────────────────────────────────


def test_logs_are_json_lines_with_facts_as_keys(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("a", model="gpt-4o-mini")
    ran = shell("apply", fleet.root, "--wait", "--sandbox-speed", "1000", "--log-format", "json")
    lines = [json.loads(line) for line in ran.err.splitlines() if line.startswith("{")]
    events = [line["event"] for line in lines]
    for event in ("file.uploaded", "create.recorded", "job.created", "job.succeeded", "pass.completed"):
        assert event in events
    created = next(line for line in lines if line["event"] == "job.created")
    assert {"fleet", "job", "job_id", "revision", "attempt", "reason", "pass_id", "timestamp", "level"} <= set(created)
    assert events.index("create.recorded") < events.index("job.created"), "a line before every write and one after"


# ── at a terminal ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("answer", "code", "made"), [(b"n\n", 1, 0), (b"\n", 1, 0), (b"y\n", 0, 1)])
def test_a_person_is_asked_and_the_answer_counts(
    fleet: FleetDirectory, server: Proxy, answer: bytes, code: int, made: int
) -> None:
    options = there(fleet)
    fleet.job("a")
    ended, seen = at_a_terminal(["apply", str(fleet.root), *options], answer)
    assert "Apply this plan? [y/N]" in seen
    assert "A wrong key or project looks the same" in " ".join(seen.split())
    assert ended == code
    assert len(jobs_at(server.base_url)) == made


def test_a_persons_yes_covers_jobs_that_are_ahead(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    options = there(fleet)
    fleet.job("a")
    at_a_terminal(["apply", str(fleet.root), *options], b"y\n")
    marks = {"fleet": "fleet-1", "job": "stray", "revision": "0" * 16, "attempt": "1"}
    make_job(server.base_url, metadata={f"reconciler_{k}": v for k, v in marks.items()})
    for form in ("text", "markdown"):
        shown = shell("plan", fleet.root, "-o", form, *options)
        assert "also ends what is ahead of this directory" in shown.out, form
    ended, seen = at_a_terminal(["apply", str(fleet.root), *options], b"y\n")
    assert "also ends what is ahead of this directory" in " ".join(seen.split())
    assert ended == 0
    assert [j["metadata"]["reconciler_job"] for j in live(jobs_at(server.base_url))] == ["a"]


def test_colour_at_a_terminal_unless_no_color_is_set(fleet: FleetDirectory) -> None:
    fleet.job("a")
    assert "\x1b[32m" in at_a_terminal(["plan", str(fleet.root)], b"")[1]
    assert "\x1b[32m" not in at_a_terminal(["plan", str(fleet.root)], b"", NO_COLOR="1")[1]


def test_an_interrupt_exits_130(fleet: FleetDirectory) -> None:
    fleet.job("a")
    ended, seen = at_a_terminal(["apply", str(fleet.root), "--wait"], b"", interrupt_at=b"validating")
    assert ended == 130
    assert "Traceback" not in seen


def test_a_reader_that_goes_away_is_no_traceback(fleet: FleetDirectory) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "reconciler", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait()


@pytest.mark.parametrize("reader", ["| true", ">/dev/full", ">&-"])
def test_an_apply_is_done_to_its_end_although_nobody_reads_it(fleet: FleetDirectory, reader: str) -> None:
    fleet.job("a")
    shown = in_a_shell("set -o pipefail; $R apply $D", fleet.root)
    assert shown.returncode == 0
    fleet.job("a", seed=1)
    ran = in_a_shell(f"set -o pipefail; $R apply $D {reader}", fleet.root)
    assert (ran.returncode, "Traceback" in ran.stderr) == (0, False)
    told = json.loads(in_a_shell("$R describe a -d $D -o json", fleet.root).stdout)
    assert "cancelled" in {past["status"] for past in told["history"]}, "the job that was replaced"


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("$R plan $D >/dev/full", 1, "error: no space left on device"),
        ("$R plan $D >&-", 0, ""),
        ("$R plan - <&-", 1, "no `kind: Fleet` document"),
        ("mkdir $D/gone && cd $D/gone && rmdir $D/gone && $R plan .", 1, "nothing is changed"),
    ],
)
def test_what_a_shell_takes_away_is_no_traceback(fleet: FleetDirectory, script: str, code: int, words: str) -> None:
    ran = in_a_shell(script, fleet.root)
    assert "Traceback" not in ran.stderr
    assert (ran.returncode, words in ran.stdout + ran.stderr) == (code, True)


@pytest.mark.parametrize("command", ["plan", "status", "apply"])
def test_an_error_of_the_provider_comes_with_its_place(
    shell: Shell, fleet: FleetDirectory, server: Proxy, command: str
) -> None:
    options = there(fleet)
    server.fault = lambda request, answer: reply({"error": {"message": "no such key"}}, 401)
    ran = shell(
        command, fleet.root, *(options if command != "status" else []), *(["--yes"] if command == "apply" else [])
    )
    assert ran.code == 1
    assert ran.err.splitlines()[-2].startswith("fleet fleet-1 at 127.0.0.1:")
    assert ran.err.splitlines()[-1].startswith("error: ")


# ── servers that answer in other shapes ──────────────────────────────────────────────────────


def rewritten(server: Proxy, change: Callable[[Any], Any], listing: Callable[[Any], Any] = lambda page: page) -> None:
    """Jobs come as ``change`` makes them, in a listing or alone; pages as ``listing`` makes them."""

    def fault(request: Request, was: Reply) -> Reply:
        if "/fine_tuning/jobs" not in request.path or was.status >= 400:
            return was
        told = json.loads(was.body)
        if told.get("object") == "list":
            told["data"] = [change(item) if "status" in item else item for item in told["data"]]
            return reply(listing(told) if request.path.partition("?")[0].endswith("/jobs") else told, was.status)
        return reply(change(told) if "status" in told else told, was.status)

    server.fault = fault


def null_where_empty(page: dict[str, Any]) -> dict[str, Any]:
    return page if page["data"] else {"object": "list", "data": None}


def test_the_first_job_is_made_where_an_empty_listing_has_no_data(
    shell: Shell, fleet: FleetDirectory, server: Proxy
) -> None:
    fleet.job("a")
    rewritten(server, lambda job: job, null_where_empty)
    options = there(fleet)
    for _ in range(2):
        assert shell("apply", fleet.root, "--yes", "--first-run", *options).code == 0
    assert len(server.creates()) == 1


@pytest.mark.parametrize("told", [{}, {"data": None}, {"object": "list", "has_more": False}, []])
def test_a_listing_without_data_is_none_where_a_job_ought_to_be_in_it(
    shell: Shell, fleet: FleetDirectory, server: Proxy, told: object
) -> None:
    fleet.job("a")
    options = there(fleet)
    assert shell("apply", fleet.root, "--yes", "--first-run", *options).code == 0
    (job,) = jobs_at(server.base_url)
    fleet.job("b")
    rewritten(server, lambda job: job, lambda _: told)
    server.requests.clear()
    ran = shell("apply", fleet.root, "--yes", "--first-run", *options)
    assert ran.code == 1
    assert f"the listing has no data, although job {job['id']} ought to be in it" in ran.err
    assert server.posts() == []


def test_nothing_is_made_where_every_listing_is_empty_and_says_more(
    shell: Shell, fleet: FleetDirectory, server: Proxy
) -> None:
    fleet.job("a")
    rewritten(server, lambda job: job, lambda page: page if page["data"] else {"data": [], "has_more": True})
    options = there(fleet)
    ran = shell("apply", fleet.root, "--yes", "--first-run", *options)
    assert ran.code == 1
    assert "--assume empty-listing" in ran.err
    assert server.posts() == []
    ran = shell("apply", fleet.root, "--yes", "--first-run", "--assume", "empty-listing", *options)
    assert ran.code == 0
    assert len(server.creates()) == 1


def test_a_server_without_pages_is_worked_with(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    fleet.job("b")
    options = there(fleet)

    def everything(request: Request, was: Reply) -> Reply:
        if request.method == "GET" and request.path.partition("?")[0].endswith("/jobs"):
            whole = server.pass_on(dataclasses.replace(request, path="/v1/fine_tuning/jobs?limit=100"))
            return reply({"data": json.loads(whole.body)["data"]})
        return was

    server.fault = everything
    for _ in range(3):
        assert shell("apply", fleet.root, "--yes", "--first-run", *options).code == 0
    assert len(server.creates()) == 2


def test_a_word_that_an_operator_explains_ends_a_wait(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a", model="gpt-4o-mini")
    rewritten(server, lambda job: job | {"status": "Finished" if job["status"] == "succeeded" else job["status"]})
    options = there(fleet)
    ran = shell("apply", fleet.root, "--yes", "--first-run", "--wait", "--timeout", "10m", *options)
    assert ran.code == 6
    assert "Finished" in shell("status", fleet.root).out
    ran = shell("apply", fleet.root, "--yes", "--wait", "--status-word", "finished=succeeded", *options)
    assert ran.code == 0
    assert len(server.creates()) == 1


def test_words_of_other_servers_end_a_wait_by_themselves(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a", model="gpt-4o-mini")
    rewritten(server, lambda job: job | {"status": job["status"].upper().replace("SUCCEEDED", "Completed")})
    ran = shell("apply", fleet.root, "--yes", "--first-run", "--wait", *there(fleet))
    assert ran.code == 0


@pytest.mark.parametrize(
    "spelling",
    [float, str, lambda t: t * 1000, lambda t: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))],
    ids=["float", "text", "milliseconds", "date"],
)
@pytest.mark.parametrize("odd", ["older", "younger"])
def test_the_older_of_two_jobs_stays_however_its_age_is_spelt(
    shell: Shell, fleet: FleetDirectory, server: Proxy, spelling: Callable[[int], object], odd: str
) -> None:
    fleet.job("a")
    options = there(fleet)
    assert shell("apply", fleet.root, "--yes", "--first-run", *options).code == 0
    (first,) = jobs_at(server.base_url)
    made = make_job(server.base_url, metadata=first["metadata"])
    older = first["id"]

    def spelt(job: dict[str, Any]) -> dict[str, Any]:
        """Only one of them; the other tells its age as the API does."""
        age = job["created_at"] - (60 if job["id"] == older else 0)
        return job | {"created_at": spelling(age) if (job["id"] == older) == (odd == "older") else age}

    rewritten(server, spelt)
    assert shell("apply", fleet.root, "--yes", *options).code == 0
    assert [job["id"] for job in live(jobs_at(server.base_url))] == [older]
    assert made != older


@pytest.mark.parametrize(("start", "encoded"), [("a/../b?", "a%2F%2E%2E%2Fb%3F"), ("x" * 129, "x" * 129)])
def test_a_job_with_an_odd_id_is_made_read_and_cancelled(
    shell: Shell, fleet: FleetDirectory, server: Proxy, start: str, encoded: str
) -> None:
    fleet.job("a")
    options = there(fleet, state="active")

    def odd(request: Request) -> Reply:
        was = server.pass_on(dataclasses.replace(request, path=request.path.replace(encoded, "")))
        return dataclasses.replace(was, body=was.body.replace(b'"id":"ftjob-', f'"id":"{start}ftjob-'.encode()))

    server.answer = odd
    for _ in range(2):
        assert shell("apply", fleet.root, "--yes", "--first-run", *options).code == 0
    assert len(server.creates()) == 1
    there(fleet, state="cancelled")
    assert shell("apply", fleet.root, "--yes", *options).code == 0
    server.answer = server.pass_on
    assert [job["status"] for job in jobs_at(server.base_url)] == ["cancelled"]


@pytest.mark.parametrize(
    "edit", [{"metadata": {"ticket": "ML-12"}}, {"integrations": [{"type": "wandb", "wandb": {"project": "p"}}]}]
)
def test_an_approval_is_for_all_that_would_be_sent(shell: Shell, fleet: FleetDirectory, edit: dict[str, Any]) -> None:
    fleet.job("a")
    digest = shell("plan", fleet.root, "-o", "json").json["digest"]
    fleet.job("a", **edit)
    assert shell("apply", fleet.root, "--approve", digest).code == 4
    assert "sends besides: " in shell("plan", fleet.root).out


@pytest.mark.parametrize("digest", ["", "xyz", "0123456789abcde", "0123456789ABCDEF"])
def test_what_is_no_digest_is_wrong_usage(shell: Shell, fleet: FleetDirectory, digest: str) -> None:
    assert shell("apply", fleet.root, "--approve", digest).code == 64


def test_a_plan_that_was_never_done_is_not_taken_for_done(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("a")
    digest = shell("plan", fleet.root, "-o", "json").json["digest"]
    fleet.fleet(provider="sandbox", state="suspended")
    assert shell("apply", fleet.root, "--approve", digest).code == 4


def test_an_approved_apply_of_a_failed_job_is_as_red_again(shell: Shell, fleet: FleetDirectory) -> None:
    fleet.job("a", model="sandbox-fail-server")
    digest = shell("plan", fleet.root, "-o", "json").json["digest"]
    wait = ["--approve", digest, "--wait", "--sandbox-speed", "100"]
    assert [shell("apply", fleet.root, *wait).code for _ in range(2)] == [5, 5]
