"""A directory or a stream → a snapshot: every error of every file, and nothing outside of the directory."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from reconciler.core.snapshot import Snapshot
from reconciler.errors import SourceError
from reconciler.source.directory import read_directory, read_stream
from reconciler.source.fingerprint import fingerprint
from reconciler.source.reader import DirectoryReader
from reconciler.source.training_files import uploaded_pieces
from tests.fakes.manifests import FLEET, manifest

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
LINE = '{"messages": []}\n'


def problems(root: Path) -> list[str]:
    return [str(p) for p in read_directory(root).problems]


def with_file(root: Path, content: bytes | None, given: str = "train.jsonl") -> list[str]:
    if content is not None:
        (root / "train.jsonl").write_bytes(content)
    (root / "a.yaml").write_text(manifest("a", f"{{model: m, training_file: {given}}}"))
    return problems(root)


def changed(root: Path, snapshot: Snapshot) -> bool:
    return fingerprint(snapshot) != snapshot.fingerprint


# ── what is read ──


def test_documents_anywhere_in_it(root: Path) -> None:
    (root / "sub" / "deeper").mkdir(parents=True)
    (root / "a.yml").write_text(manifest("a"))
    (root / "sub" / "deeper" / "more.yaml").write_text(f"{manifest('b')}---\n{manifest('c')}")
    snapshot = read_directory(root)
    assert snapshot.problems == ()
    assert snapshot.fleet is not None
    assert {d.name: (d.path, d.line) for d in snapshot.desired.values()} == {
        "a": ("a.yml", 1),
        "b": ("sub/deeper/more.yaml", 1),
        "c": ("sub/deeper/more.yaml", 6),
    }


def test_hidden_files_kustomizations_and_other_kinds_of_file_are_skipped(root: Path) -> None:
    for name in (".hidden.yaml", "kustomization.yaml", "notes.txt", "data.json"):
        (root / name).write_text("not: [a manifest")
    (root / ".git").mkdir()
    (root / ".git" / "x.yaml").write_text("not: [a manifest")
    assert problems(root) == []


def test_an_example_is_read(root: Path) -> None:
    snapshot = read_directory(EXAMPLES / "03-fleet")
    assert snapshot.problems == ()
    assert sorted(snapshot.desired) == ["brief", "guide", "guide-evening", "quiz"]
    assert snapshot.desired["guide"].training is not None
    assert snapshot.desired["guide"].training.path == "data/guide.jsonl"


# ── what is refused ──


@pytest.mark.parametrize("content", [None, ""], ids=["missing", "empty"])
def test_a_missing_or_empty_directory_is_a_problem(tmp_path: Path, content: str | None) -> None:
    directory = tmp_path / "d"
    if content is not None:
        directory.mkdir()
    snapshot = read_directory(directory)
    assert snapshot.fleet is None
    assert len(snapshot.problems) >= 1


def test_a_directory_that_is_a_link_to_itself_is_a_problem(root: Path, tmp_path: Path) -> None:
    (root / "t.jsonl").write_text(LINE)
    (root / "a.yaml").write_text(manifest("a", "{model: m, training_file: t.jsonl}"))
    file = read_directory(root).desired["a"].training
    assert file is not None
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for path in (loop, loop / "below"):
        snapshot = DirectoryReader(path).read()
        assert "cannot be read (Too many levels of symbolic links)" in {p.message for p in snapshot.problems}
        assert fingerprint(snapshot) == snapshot.fingerprint
        stream = read_stream(f"{FLEET}---\n{manifest('a', '{model: m, training_file: t.jsonl}')}".encode(), path)
        assert [p.message[:23] for p in stream.problems] == ["t.jsonl: cannot be read"]
        with pytest.raises(SourceError, match="cannot be read"):
            next(uploaded_pieces(path, file))


def test_a_directory_without_a_fleet(root: Path) -> None:
    (root / "fleet.yaml").unlink()
    (root / "a.yaml").write_text(manifest("a"))
    way_on = f"To begin a fleet there: reconciler init {root}"
    assert problems(root) == [f".: no `kind: Fleet` document: without one nothing is touched. {way_on}"]
    assert read_directory(root).fleet is None


def test_a_broken_fleet_is_told_once(root: Path) -> None:
    (root / "fleet.yaml").write_text(FLEET.replace("sandbox", "nobody"))
    assert problems(root) == [
        "fleet.yaml:4:8: spec.provider: must be 'openai', 'azure', 'litellm', 'nebius', 'portkey', 'compatible' or 'sandbox', not nobody"
    ]


def test_a_second_fleet(root: Path) -> None:
    (root / "other.yaml").write_text(FLEET)
    assert problems(root) == [
        "other.yaml:1:1: kind: a second Fleet document; the first is fleet.yaml:1: a directory holds one fleet"
    ]
    assert read_directory(root).fleet is None


def test_a_second_fleet_counts_where_it_is_broken_too(root: Path) -> None:
    (root / "other.yaml").write_text(FLEET.replace("sandbox", "nobody"))
    found = problems(root)
    assert found[0].startswith("other.yaml:1:1: kind: a second Fleet document")
    assert found[1].startswith("other.yaml:4:8: spec.provider: must be ")
    assert read_directory(root).fleet is None


def test_a_fleet_within_a_fleet_is_a_second_one(root: Path) -> None:
    (root / "sub").mkdir()
    (root / "sub" / "fleet.yaml").write_text(FLEET)
    assert problems(root) == [
        "sub/fleet.yaml:1:1: kind: a second Fleet document; the first is fleet.yaml:1: a directory holds one fleet"
    ]


def test_fleets_in_directories_below_are_told_in_one_sentence(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "fleet.yaml").write_text(FLEET.replace("name: f", f"name: fleet-{name}"))
    (tmp_path / "c" / "job.yaml").write_text(manifest("a", "{model: m}"))
    snapshot = read_directory(tmp_path)
    assert [str(p) for p in snapshot.problems] == [
        ".: 3 fleets are below it: a (fleet-a), b (fleet-b), c (fleet-c); name the directory of one"
    ]
    assert snapshot.fleet is None
    assert snapshot.fleets_below == (("a", "fleet-a"), ("b", "fleet-b"), ("c", "fleet-c"))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "it is empty; nothing is changed."),
        ({"README.md": "x"}, "no manifest in it (*.yaml, *.yml); nothing is changed."),
        (
            {"compose.yaml": "services: {}\n"},
            "no manifest of ours (apiVersion: reconciler/v1) among what is in it; nothing is touched.",
        ),
        ({"a.yaml": manifest("a")}, "no `kind: Fleet` document: without one nothing is touched."),
    ],
)
def test_a_directory_that_is_no_fleet_says_what_it_is_and_the_way_on(
    tmp_path: Path, files: dict[str, str], said: str
) -> None:
    directory = tmp_path / "it's"
    directory.mkdir()
    for name, content in files.items():
        (directory / name).write_text(content)
    way_on = f"To begin a fleet there: reconciler init '{tmp_path}/it'\"'\"'s'"
    assert problems(directory) == [f".: {said} {way_on}"]


def test_a_directory_inside_a_fleet_is_no_place_to_begin_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data" / "more").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / "models.yaml").write_text(FLEET)
    assert problems(tmp_path / "data" / "more")[0].endswith(
        f"nothing is changed. Name the directory of the fleet that it belongs to: {tmp_path}"
    )
    monkeypatch.chdir(tmp_path / "data")
    assert problems(Path("more"))[0].endswith("fleet that it belongs to: ..")
    assert problems(Path())[0].endswith("fleet that it belongs to: ..")
    (tmp_path / "models.yaml").write_text(manifest("a"))
    assert "To begin a fleet there: " in problems(Path("more"))[0]


ONE_MODEL = "spec: exactly one of model and model_from is needed"


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("{training_file: file-1}", [f"a.yaml:4:1: {ONE_MODEL}"]),
        ("{model: m, model_from: {job: b}, training_file: file-1}", [f"a.yaml:4:1: {ONE_MODEL}"]),
        (
            "{training_file: file-1, seed: x}",
            [f"a.yaml:4:1: {ONE_MODEL}", "a.yaml:4:31: spec.seed: must be a whole number, not x"],
        ),
        (
            "{model: m, model_from: {}, training_file: file-1, seed: x}",
            ["a.yaml:4:57: spec.seed: must be a whole number, not x"],
        ),
        ("{model: m, training_file: file-1, 1: x}", ["a.yaml:4:41: spec: a key must be text: quote it"]),
    ],
)
def test_every_error_is_told_once(root: Path, spec: str, told: list[str]) -> None:
    (root / "a.yaml").write_text(manifest("a", spec))
    assert problems(root) == told


def test_every_error_of_every_file_with_its_position(root: Path) -> None:
    (root / "a.yaml").write_text(manifest("a", "{model: 1, training_file: file-1, sed: 7}"))
    (root / "b.yaml").write_text("a: [\n")
    (root / "c.yaml").write_text(manifest("c") + "---\n" + manifest("c"))
    (root / "d.yaml").write_text("apiVersion: reconcilr/v1\nkind: Fleet\nmetadata: {name: d}\n")
    (root / "e.yaml").write_text("just a text\n")
    (root / "f.yaml").write_text(manifest("g", "{model_from: {job: nobody}, training_file: file-1}"))
    assert problems(root) == [
        "a.yaml:4:8: spec.model: must be text, not 1: put it in quotes",
        "a.yaml:4:41: spec.sed: unknown field; did you mean seed?",
        "b.yaml:1:4: this [ is not closed",
        "c.yaml:6:1: metadata.name: the name c is taken by c.yaml:1",
        "d.yaml:1:1: apiVersion: must be reconciler/v1, not reconcilr/v1",
        "e.yaml:1:1: a document must be a mapping of fields",
        "f.yaml:4:21: spec.model_from.job: no job nobody in this fleet",
    ]
    snapshot = read_directory(root)
    assert snapshot.broken == {"a", "c", "d", "g"}
    assert snapshot.unreadable == {"b.yaml"}
    assert snapshot.desired == {}


def test_a_flaw_breaks_its_own_document_only(root: Path) -> None:
    (root / "a.yaml").write_text(f"{manifest('a')}---\n{manifest('b')}x: 1\nx: 2\n---\n{manifest('c')}")
    snapshot = read_directory(root)
    assert sorted(snapshot.desired) == ["a", "c"]
    assert snapshot.broken == {"b"}


def test_a_job_built_on_a_broken_one_is_broken(root: Path) -> None:
    (root / "a.yaml").write_text(manifest("up", "{model: 1, training_file: file-1}"))
    (root / "b.yaml").write_text(manifest("down", "{model_from: {job: up}, training_file: file-1}"))
    assert read_directory(root).broken == {"up", "down"}


@pytest.mark.parametrize("kind", ["[Fleet]", "{a: 1}", "7", "null"])
def test_a_kind_that_is_no_word(root: Path, kind: str) -> None:
    (root / "a.yaml").write_text(f"apiVersion: reconciler/v1\nkind: {kind}\nmetadata: {{name: a}}\n")
    assert problems(root) == ["a.yaml:2:1: kind: must be Fleet or FineTuningJob"]


@pytest.mark.parametrize("metadata", ["[]", "{name: [a]}", "null", "{}", "x"])
def test_a_metadata_that_is_none(root: Path, metadata: str) -> None:
    (root / "a.yaml").write_text(f"apiVersion: reconciler/v1\nkind: FineTuningJob\nmetadata: {metadata}\nspec: {{}}\n")
    assert len(problems(root)) >= 1


# ── manifests that are no plain files ──


def test_a_manifest_that_is_a_fifo_or_leads_outside(root: Path) -> None:
    os.mkfifo(root / "pipe.yaml")
    (root.parent / "outside.yaml").write_text(manifest("x"))
    (root / "out.yaml").symlink_to(root.parent / "outside.yaml")
    (root / "lost.yaml").symlink_to("nowhere.yaml")
    snapshot = read_directory(root)
    assert {p.path: p.message for p in snapshot.problems} == {
        "pipe.yaml": "not a regular file",
        "out.yaml": "leads outside the fleet directory",
    }
    assert snapshot.unreadable == {"pipe.yaml", "out.yaml"}
    assert [(gap.path, gap.message[:25]) for gap in snapshot.gaps] == [("lost.yaml", "a link that leads nowhere")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_manifest_that_may_not_be_read(root: Path) -> None:
    (root / "a.yaml").write_text(manifest("a"))
    (root / "a.yaml").chmod(0)
    assert problems(root) == ["a.yaml:1:1: cannot be read (Permission denied)"]


@pytest.mark.parametrize("content", ["", "\n", " \n\n"])
def test_an_empty_manifest_is_half_written_and_not_a_removal(root: Path, content: str) -> None:
    (root / "a.yaml").write_text(content)
    snapshot = read_directory(root)
    assert [str(p) for p in snapshot.problems] == [
        "a.yaml:1:1: empty: a save under way looks like this; delete the file if nothing is wanted of it"
    ]
    assert snapshot.unreadable == {"a.yaml"}


def test_a_manifest_of_comments_alone_wants_nothing(root: Path) -> None:
    (root / "a.yaml").write_text("# later\n")
    assert problems(root) == []


def test_a_manifest_that_is_too_long(root: Path) -> None:
    with (root / "a.yaml").open("wb") as file:
        file.truncate(17 * 1024 * 1024)
    assert problems(root) == ["a.yaml:1:1: longer than 4194304 bytes"]


def test_a_symlinked_root_and_a_kubernetes_volume(tmp_path: Path) -> None:
    generation = tmp_path / "volume" / "..2026_11_24"
    generation.mkdir(parents=True)
    (generation / "fleet.yaml").write_text(FLEET)
    (generation / "a.yaml").write_text(manifest("a", "{model: m, training_file: train.jsonl}"))
    (generation / "train.jsonl").write_text(LINE)
    (tmp_path / "volume" / "..data").symlink_to("..2026_11_24")
    for name in ("fleet.yaml", "a.yaml", "train.jsonl"):
        (tmp_path / "volume" / name).symlink_to(f"..data/{name}")
    (tmp_path / "link").symlink_to("volume")
    for path in (tmp_path / "volume", tmp_path / "link"):
        snapshot = read_directory(path)
        assert snapshot.problems == ()
        assert sorted(snapshot.desired) == ["a"]


# ── a stream ──


def test_a_stream_gives_what_the_files_give() -> None:
    directory = EXAMPLES / "03-fleet"
    text = "---\n".join((directory / f"{name}.yaml").read_text() for name in ("quiz", "fleet", "guide", "brief"))
    stream, files = read_stream(text.encode(), directory), read_directory(directory)
    assert stream.problems == ()
    assert stream.stream
    assert {d.name: d.revision for d in stream.desired.values()} == {d.name: d.revision for d in files.desired.values()}
    assert not changed(directory, stream)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_what_kustomize_builds_gives_what_the_files_give(tmp_path: Path) -> None:
    directory = tmp_path / "fleet"
    shutil.copytree(EXAMPLES / "03-fleet", directory)
    resources = "".join(f"- {name}.yaml\n" for name in ("fleet", "guide", "brief", "quiz"))
    (directory / "kustomization.yaml").write_text(f"resources:\n{resources}")
    built = subprocess.run(["kubectl", "kustomize", str(directory)], check=True, capture_output=True).stdout
    stream, files = read_stream(built, directory), read_directory(directory)
    assert stream.problems == ()
    assert {d.name: d.revision for d in stream.desired.values()} == {d.name: d.revision for d in files.desired.values()}


def test_an_empty_stream_is_a_problem(tmp_path: Path) -> None:
    (problem,) = read_stream(b"", tmp_path).problems
    assert str(problem).startswith("-: no `kind: Fleet` document")


def test_a_path_that_would_steer_a_terminal_is_escaped(root: Path) -> None:
    (root / "\x1b[2J.yaml").write_text("a: [")
    assert "\x1b" not in problems(root)[0]


def test_a_stream_that_ends_within_a_line_may_have_been_cut_short(root: Path) -> None:
    whole = f"{FLEET}---\n{manifest('a')}"
    assert read_stream(whole.encode(), root).problems == ()
    (problem,) = read_stream(whole.rstrip().encode(), root).problems
    assert "cut short" in problem.message


def test_every_error_of_a_job_is_told_in_one_run(root: Path) -> None:
    (root / "a.yaml").write_text(manifest("a", "{modl: m, seed: -1, training_file: none.jsonl}"))
    told = {problem.field for problem in read_directory(root).problems}
    assert told == {"spec.modl", "spec.seed", "spec.training_file"}, "and not that a model is needed"


def test_a_directory_that_is_named_like_a_manifest_is_an_error(root: Path) -> None:
    (root / "a.yaml").mkdir()
    assert "a directory where a manifest" in problems(root)[0]
