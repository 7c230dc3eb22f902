"""Everything by which a name can vanish from a reading without having been deleted, and what others put beside it."""

import json
import os
import shutil
import subprocess
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.source.directory import read_directory, read_stream
from reconciler.source.fingerprint import fingerprint
from reconciler.source.leftovers import leftovers_of
from tests.fakes import manifests
from tests.fakes.manifests import FLEET, manifest


def git(directory: Path, *arguments: str) -> None:
    told = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "protocol.file.allow=always"]
    subprocess.run([*told, *arguments], cwd=directory, check=True, capture_output=True)


def gaps(root: Path, own: tuple[Path, ...] = ()) -> dict[str, str]:
    snapshot = read_directory(root, own)
    assert snapshot.problems == ()
    return {gap.path: gap.message for gap in snapshot.gaps}


def names(root: Path) -> list[str]:
    snapshot = read_directory(root)
    assert [str(problem) for problem in snapshot.problems] == []
    return sorted(snapshot.desired)


def as_json(name: str) -> str:
    return manifests.as_json("FineTuningJob", name, {"model": "m", "training_file": "file-1"}, indent="\t")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fleet = tmp_path / "fleet"
    fleet.mkdir()
    (fleet / "fleet.yaml").write_text(FLEET)
    return fleet


# ── which files are read ──


@pytest.mark.parametrize("name", ["a.YAML", "a.Yml", "a.yAmL", "A.YML"])
def test_a_suffix_counts_in_any_case(root: Path, name: str) -> None:
    (root / name).write_text(manifest("a"))
    assert names(root) == ["a"]


@pytest.mark.parametrize("name", ["a.json", "a.JSON"])
def test_a_json_file_is_read_where_its_api_version_is_ours(root: Path, name: str) -> None:
    (root / name).write_text(as_json("a"))
    (root / "package.json").write_text('{"name": "x", "apiVersion": "v1"}')
    (root / "tsconfig.json").write_text("{ // comments are no JSON\n}")
    (root / "list.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "List", "items": [json.loads(as_json("b"))]})
    )
    assert names(root) == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (as_json("a")[:-9], "a.json:"),
        (as_json("a").replace("reconciler/v1", "reconcilr/v1"), "a.json:2:2: apiVersion: must be reconciler/v1, not"),
        (as_json("a").replace("model", "modle"), "a.json:8:3: spec.modle: unknown field; did you mean model?"),
    ],
    ids=["torn", "misspelt", "wrong"],
)
def test_a_json_manifest_with_an_error_is_an_error(root: Path, content: str, told: str) -> None:
    (root / "a.json").write_text(content)
    assert str(read_directory(root).problems[0]).startswith(told)


def test_json_of_others_may_be_long_and_unreadable_json_is_no_evidence(root: Path) -> None:
    (root / "big.json").write_text('"' + 'apiVersion\\" ' * 500_000 + '"')
    os.mkfifo(root / "a.json")
    assert gaps(root) == {"a.json": "not a regular file"}


def test_what_an_ignore_file_names_is_not_read(root: Path) -> None:
    (root / "sub" / "deep").mkdir(parents=True)
    for place in ("old.yaml", "sub/a.yaml", "sub/b.yaml", "sub/deep/c.yaml", "sub/deep/d.yaml"):
        (root / place).write_text(manifest(Path(place).stem))
    (root / ".reconcilerignore").write_text("# not yet\n/old.yaml\nb.*\n")
    assert names(root) == ["a", "c", "d"]
    (root / "sub" / ".reconcilerignore").write_text("!b.yaml\ndeep/c.yaml\n")
    assert names(root) == ["a", "b", "d"]
    (root / ".reconcilerignore").write_text("sub/\n")
    assert names(root) == ["old"]


@pytest.mark.parametrize("content", [b"\xff\n", None])
def test_an_ignore_file_that_cannot_be_read_is_an_error(root: Path, content: bytes | None) -> None:
    if content is None:
        (root / ".reconcilerignore").mkdir()
    else:
        (root / ".reconcilerignore").write_bytes(content)
    (problem,) = [p for p in read_directory(root).problems if p.path == "."][:1]
    assert problem.message.startswith(".reconcilerignore: ")


def test_what_this_program_wrote_is_not_read(root: Path) -> None:
    (root / "state" / "status").mkdir(parents=True)
    (root / "state" / "journal.sqlite3").write_bytes(b"")
    (root / "state" / "status" / "a.yaml").write_text("not: [even yaml")
    (root / "copied.yaml").write_text(
        "apiVersion: reconciler/v1\nkind: FineTuningJobStatus\nmetadata: {name: a}\nstatus: {}\n"
    )
    (root / "status.yaml").write_text('{"fleet": "f", "items": [{"name": "a"}], "unmanaged": 0}')
    (root / "plan.json").write_text('{"fleet": "f", "changes": []}')
    (root / "new").mkdir()
    assert gaps(root, (root / "new",)) == {}
    assert names(root) == []
    assert [w.path for w in read_directory(root).warnings] == ["status.yaml"]


def test_a_file_systems_own_directory_is_not_read(root: Path) -> None:
    (root / "lost+found").mkdir()
    assert gaps(root) == {}


# ── documents of others ──

OTHERS = {
    "a ConfigMap": ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n", "ConfigMap settings is left out"),
    "compose": ("services: {web: {image: x}}\n", "a document is left out: it has no apiVersion"),
    "mkdocs": ("site_name: Docs\nnav: [a.md]\n", "a document is left out"),
    "a chart": ("apiVersion: v2\nname: chart\nversion: 1.0.0\n", "a document is left out: its apiVersion is v2"),
    "grafana": ("apiVersion: 1\ndatasources: []\n", "a document is left out: its apiVersion is 1"),
    "anchors and tags": ("x: &a {y: !!python/name:z }\nz: *a\nq: {<<: *a}\n1: 2\n", "a document is left out"),
    "a playbook": ("- hosts: all\n  tasks: []\n", "a list is left out"),
}


@pytest.mark.parametrize(("content", "told"), OTHERS.values(), ids=OTHERS.keys())
def test_a_document_of_others_is_left_out_with_one_warning(root: Path, content: str, told: str) -> None:
    (root / "other.yaml").write_text(content)
    (root / "a.yaml").write_text(f"{content}---\n{manifest('a')}")
    snapshot = read_directory(root)
    assert snapshot.problems == ()
    assert sorted(snapshot.desired) == ["a"]
    assert [w.path for w in snapshot.warnings] == ["a.yaml", "other.yaml"]
    assert all(w.message.startswith(told) for w in snapshot.warnings)
    stream = read_stream(f"{FLEET}---\n{content}---\n{manifest('a')}".encode(), root)
    assert (stream.problems, sorted(stream.desired), len(stream.warnings)) == ((), ["a"], 1)


@pytest.mark.parametrize(
    ("encoding", "told"),
    [("utf-8", "a list of documents"), ("utf-16", "UTF-16, not UTF-8"), ("utf-16-be", "the character \\x00")],
)
@pytest.mark.parametrize("name", ["a.json", "a.yaml"])
def test_a_list_of_documents_and_utf_16_are_errors_whatever_the_suffix(
    root: Path, name: str, encoding: str, told: str
) -> None:
    (root / name).write_bytes(f"[{as_json('a')}]".encode(encoding))
    (problem,) = read_directory(root).problems
    assert problem.message.startswith(told)


def test_a_flaw_beside_another_tools_document_is_still_told(root: Path) -> None:
    (root / "a.yaml").write_text(f"x: &a 1\n---\n{manifest('a', '{model: &m m, training_file: file-1}')}")
    assert [str(p) for p in read_directory(root).problems] == [
        "a.yaml:6:15: spec.model: anchors are not supported: write the value out"
    ]


MISSPELT = {
    "kind": ("apiVersion: reconciler/v1\nkind: FinetuningJob\n", "kind: must be Fleet or FineTuningJob, not Fine"),
    "version": ("apiVersion: reconcilier/v1\nkind: FineTuningJob\n", "apiVersion: must be reconciler/v1, not reconc"),
    "newer": ("apiVersion: reconciler/v2\nkind: FineTuningJob\n", "apiVersion: must be reconciler/v1, not reconciler"),
    "our kind": ("apiVersion: example.com/v1\nkind: FineTuningJob\n", "apiVersion: must be reconciler/v1, not exam"),
    "a domain": ("apiVersion: reconciler.dev/v1\nkind: Job\n", "apiVersion: must be reconciler/v1, not reconciler"),
    "cut in the version": ("apiVersion: rec\n", "apiVersion: must be reconciler/v1, not rec"),
    "cut in the kind": ("kind: Fi\n", "apiVersion: must be reconciler/v1"),
    "cut after the key": ("apiVersion:\n", "apiVersion: must be reconciler/v1"),
    "without a head": ("metadata: {name: a}\nspec: {model: m}\n", "apiVersion: must be reconciler/v1"),
    "the spec alone": ("model: m\ntraining_file: t.jsonl\n", "apiVersion: must be reconciler/v1"),
}


@pytest.mark.parametrize(("content", "told"), MISSPELT.values(), ids=MISSPELT.keys())
def test_what_could_be_ours_misspelt_is_an_error(root: Path, content: str, told: str) -> None:
    (root / "a.yaml").write_text(content)
    snapshot = read_directory(root)
    assert snapshot.warnings == ()
    assert told in str(snapshot.problems[0])


def test_a_list_is_its_items_at_their_own_places(root: Path) -> None:
    job = manifest("a").replace("\n", "\n  ").rstrip()
    odd = manifest("b", "{model: m, training_file: file-1, sed: 7}").replace("\n", "\n  ").rstrip()
    pod = "apiVersion: v1\n  kind: Pod"
    inner = "apiVersion: v1\n  kind: List\n  items: []"
    (root / "a.yaml").write_text(f"apiVersion: v1\nkind: List\nitems:\n- {job}\n- {odd}\n- {pod}\n- {inner}\n")
    snapshot = read_directory(root)
    assert [str(p) for p in snapshot.problems] == ["a.yaml:11:43: spec.sed: unknown field; did you mean seed?"]
    assert [(w.path, w.line) for w in snapshot.warnings] == [("a.yaml", 12)]
    assert {d.name: d.line for d in snapshot.desired.values()} == {"a": 4}


# ── places that prove nothing ──


def test_an_empty_directory_is_a_gap_and_one_that_holds_anything_is_none(root: Path) -> None:
    (root / "team").mkdir()
    (root / "kept").mkdir()
    (root / "kept" / ".gitkeep").write_text("")
    (root / "meant").mkdir()
    (root / "meant" / ".reconcilerignore").write_text("")
    (root / "x" / "y").mkdir(parents=True)
    (root / ".hidden").mkdir()
    found = gaps(root)
    assert list(found) == ["kept", "team", "x/y"]
    assert "delete it or name it in .reconcilerignore" in found["team"]
    (root / ".reconcilerignore").write_text("team\nx/*\n/kept/\n")
    assert gaps(root) == {}


def test_a_link_that_leads_nowhere_or_out_is_a_gap(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (root / "result").symlink_to("/nix/store/none")
    (root / "b.yaml").symlink_to("nowhere.yaml")
    (root / "loop").symlink_to("loop")
    (root / "team").symlink_to(tmp_path / "elsewhere")
    assert sorted(gaps(root)) == ["b.yaml", "loop", "result", "team"]
    (root / ".reconcilerignore").write_text("result\nb.yaml\nloop/\nteam\n")
    assert gaps(root) == {}


@pytest.mark.parametrize(
    "content", ["# a licence\n", "---\n", "---\n# x\n---\n", "apiVersion: v1\nkind: List\nitems: []\n"]
)
def test_a_file_without_a_document_is_a_gap(root: Path, content: str) -> None:
    (root / "a.yaml").write_text(content)
    assert gaps(root)["a.yaml"].startswith("holds no document")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a fleet in ``fleet/``, and a submodule in ``fleet/team/``."""
    module, top = tmp_path / "module", tmp_path / "top"
    module.mkdir()
    git(module, "init", "-q")
    (module / "a.yaml").write_text(manifest("a"))
    git(module, "add", ".")
    git(module, "commit", "-qm", "a")
    (top / "fleet" / "more").mkdir(parents=True)
    git(top, "init", "-q")
    (top / "fleet" / "fleet.yaml").write_text(FLEET)
    (top / "fleet" / "more" / "b.yaml").write_text(manifest("b"))
    git(top, "submodule", "add", "-q", str(module), "fleet/team")
    git(top, "add", ".")
    git(top, "commit", "-qm", "all")
    return top


def test_a_submodule_that_was_not_cloned_is_a_gap_wherever_git_says_so(repository: Path, tmp_path: Path) -> None:
    assert gaps(repository / "fleet") == {}
    assert names(repository / "fleet") == ["a", "b"]
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(repository), str(clone))
    assert "git submodule update --init" in gaps(clone / "fleet")["team"]
    (clone / "fleet" / "team").rmdir()  # as in an archive, which has no empty directories
    assert "git submodule update --init" in gaps(clone / "fleet")["team"]
    (clone / "fleet" / ".reconcilerignore").write_text("team/\n")
    assert set(gaps(clone / "fleet")) <= {"team"}
    (clone / "fleet" / "team").mkdir()
    assert gaps(clone / "fleet") == {}
    git(clone, "submodule", "update", "-q", "--init")
    (clone / "fleet" / ".reconcilerignore").unlink()
    assert names(clone / "fleet") == ["a", "b"]


def test_a_sparse_checkout_is_a_gap_also_in_a_work_tree_of_its_own(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "-q", str(tmp_path / "tree"))
    for place in (repository, tmp_path / "tree"):
        git(place, "sparse-checkout", "set", "fleet/more")
        assert "git sparse-checkout disable" in gaps(place / "fleet")["."]
        git(place, "sparse-checkout", "disable")
        assert "." not in gaps(place / "fleet")


# ── names whose file still stands ──


def moved(name: str) -> Callable[[Path], None]:
    def move(root: Path) -> None:
        (root / name).parent.mkdir(exist_ok=True)
        (root / "a.yaml").rename(root / name)

    return move


def rewritten(text: str) -> Callable[[Path], None]:
    def rewrite(root: Path) -> None:
        (root / "a.yaml").write_text(text)

    return rewrite


def ignored(root: Path) -> None:
    (root / ".reconcilerignore").write_text("a.yaml\n")


def a_directory(root: Path) -> None:
    (root / "a.yaml").unlink()
    (root / "a.yaml").mkdir()


def into_a_state_directory(root: Path) -> None:
    moved("s/a.yaml")(root)
    (root / "s" / "run.lock").touch()


# How the file of job ``a`` ceases to be read, and whether it would still hold the job.
LEFTOVERS: dict[str, tuple[Callable[[Path], None], bool]] = {
    "another suffix": (moved("a.yaml.bak"), True),
    "another suffix of text": (moved("a.txt"), True),
    "an editor's copy": (moved("a.yaml~"), True),
    "a hidden file": (moved(".a.yaml"), True),
    "a hidden directory": (moved(".old/a.yaml"), True),
    "a kustomization": (moved("kustomization.yaml"), True),
    "a state directory": (into_a_state_directory, True),
    "ignored": (ignored, True),
    "another's document": (rewritten("apiVersion: v1\nkind: ConfigMap\n"), False),
    "comments": (rewritten("# apiVersion: reconciler/v1\n"), False),
    "a directory": (a_directory, False),
}


@pytest.mark.parametrize(("change", "holds"), LEFTOVERS.values(), ids=LEFTOVERS.keys())
def test_a_name_is_not_gone_while_its_file_still_stands(
    root: Path, change: Callable[[Path], None], *, holds: bool
) -> None:
    (root / "a.yaml").write_text(manifest("a"))
    change(root)
    snapshot = read_directory(root)
    assert "a" not in snapshot.desired
    assert leftovers_of(snapshot, {"a": "a.yaml", "z": ""}).keys() == {"a"}
    # Without memory only a file that would still hold the name tells.
    assert leftovers_of(snapshot, {"a": "", "z": ""}).keys() == ({"a"} if holds else set())


@pytest.mark.parametrize(
    "content",
    [
        as_json("a"),
        json.dumps({"apiVersion": "v1", "kind": "List", "items": [json.loads(as_json("a"))]}, indent="\t"),
        f"[{as_json('a')}]",
        "apiVersion: v1\nkind: List\nitems:\n-" + textwrap.indent(manifest("a"), "  ")[1:],
    ],
    ids=["tabs", "a list with tabs", "an array", "a list"],
)
def test_a_name_stands_in_whatever_form_its_file_holds_it(root: Path, content: str) -> None:
    (root / "a.bak").write_text(content)
    assert leftovers_of(read_directory(root), {"a": "a.json", "z": ""}) == {"a": "a.bak"}


def test_a_name_is_gone_with_its_file_and_from_a_file_that_holds_others(root: Path) -> None:
    (root / "two.yaml").write_text(f"{manifest('a')}---\n{manifest('b')}")
    (root / "README.md").write_text(f"# How to\n\n```yaml\n{manifest('a')}```\n")
    (root / "long.bin").write_bytes(b"x" * 5_000_000)
    (root / "two.yaml").write_text(manifest("b"))
    snapshot = read_directory(root)
    assert leftovers_of(snapshot, {"a": "two.yaml", "c": "gone.yaml"}) == {}


# ── the fingerprint ──


def test_a_gap_and_a_json_manifest_are_part_of_the_fingerprint(root: Path) -> None:
    (root / "team").mkdir()
    (root / "team" / "a.json").write_text(as_json("a"))
    (root / "other.json").write_text("{}")
    steps: list[Callable[[], object]] = [
        lambda: (root / "team" / "a.json").write_text(as_json("b")),
        (root / "team" / "a.json").unlink,
        lambda: shutil.rmtree(root / "team"),
    ]
    for step in steps:
        snapshot = read_directory(root)
        assert fingerprint(snapshot) == snapshot.fingerprint
        step()
        assert fingerprint(snapshot) != snapshot.fingerprint


# ── what may not be looked at ────────────────────────────────────────────────────────────────


@pytest.fixture
def shared() -> Iterator[Path]:
    """A fleet directory that another user may enter, as `tmp_path` is not."""
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place) / "fleet"
        directory.mkdir()
        (directory / "fleet.yaml").write_text(FLEET)
        (directory / "a.yaml").write_text(manifest("a"))
        Path(place).chmod(0o755)
        yield directory


@contextmanager
def as_nobody() -> Iterator[None]:
    """As a user who may not read everything, which root may."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.mark.parametrize("mode", [0, 0o444, 0o111])
def test_a_directory_that_may_not_be_looked_at_is_a_problem_and_no_end(shared: Path, mode: int) -> None:
    (shared / "team").mkdir()
    (shared / "team" / "b.yaml").write_text(manifest("b"))
    (shared / "team").chmod(mode)
    with as_nobody():
        snapshot = read_directory(shared)
    (shared / "team").chmod(0o755)
    assert [p.message for p in snapshot.problems] == ["cannot be read (Permission denied)"]
    assert snapshot.desired.keys() == {"a"}


@pytest.mark.parametrize("path", [".git/config", ".gitmodules", ".git"])
def test_what_git_left_out_is_unknown_where_its_files_may_not_be_read(shared: Path, path: str) -> None:
    (shared / ".git").mkdir()
    (shared / ".git" / "config").touch()
    (shared / ".gitmodules").touch()
    with as_nobody():
        assert gaps(shared) == {}
    (shared / path).chmod(0)
    with as_nobody():
        found = gaps(shared)
    (shared / path).chmod(0o755)
    assert found.keys() == {"."}
    assert found["."].startswith("nobody can tell what git left out: ")
    assert found["."].endswith("cannot be read (Permission denied)")


def test_a_link_that_may_not_be_followed_is_not_said_to_lead_nowhere(shared: Path) -> None:
    (shared / ".kept").mkdir()
    (shared / ".kept" / "b.yaml").write_text(manifest("b"))
    (shared / "b.yaml").symlink_to(".kept/b.yaml")
    (shared / ".kept").chmod(0)
    with as_nobody():
        found = gaps(shared)
    (shared / ".kept").chmod(0o755)
    assert found == {"b.yaml": "a link that cannot be followed (Permission denied)"}


def test_a_name_is_not_gone_because_nobody_may_look_at_its_file(shared: Path) -> None:
    (shared / "team").mkdir()
    (shared / "team" / "b.yaml").write_text(manifest("b"))
    (shared / ".reconcilerignore").write_text("team\n")
    (shared / "team").chmod(0)
    with as_nobody():
        snapshot = read_directory(shared)
        found = leftovers_of(snapshot, {"b": "team/b.yaml", "c": "gone/c.yaml", "d": "a.yaml/d.yaml"})
    (shared / "team").chmod(0o755)
    assert (snapshot.problems, snapshot.gaps) == ((), ())
    assert found == {"b": "team/b.yaml"}
