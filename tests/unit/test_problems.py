"""Problems as a reader finds them: as lines, as data, and under paths that lead there from where the reader stands."""

import dataclasses
from pathlib import Path

import pytest

from reconciler.cli.manifests import valid_source, where
from reconciler.core.snapshot import Problem
from reconciler.errors import SourceError
from reconciler.render.problems import as_data, as_lines, located, problem_count
from reconciler.settings import Settings
from tests.fakes.manifests import manifest


@pytest.mark.parametrize(
    ("directory", "shown"),
    [
        ("examples/x", "examples/x/jobs/a.yaml"),
        (".", "jobs/a.yaml"),
        ("", "jobs/a.yaml"),
        ("../other", "../other/jobs/a.yaml"),
        ("/srv/fleet", "/srv/fleet/jobs/a.yaml"),
    ],
)
def test_a_path_leads_to_the_file_from_where_the_reader_stands(directory: str, shown: str) -> None:
    [problem] = located([Problem("jobs/a.yaml", 3, 5, "spec.model", "required, and not set")], directory)
    assert str(problem) == f"{shown}:3:5: spec.model: required, and not set"


def test_a_directory_below_the_working_directory_is_named_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert where(tmp_path / "fleets" / "a") == "fleets/a"
    assert where(Path("fleets/a")) == "fleets/a"
    assert where(tmp_path.parent / "elsewhere") == (tmp_path.parent / "elsewhere").as_posix()


def test_an_error_in_manifests_carries_each_problem_for_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fleet = tmp_path / "fleet"
    fleet.mkdir()
    (fleet / "all.yaml").write_text(
        "apiVersion: reconciler/v1\nkind: Fleet\nmetadata: {name: f}\nspec: {provider: sandbox}\n---\n"
        + manifest("a", "{model: m, training_file: file-1, seed: -1}")
    )
    with pytest.raises(SourceError) as caught:
        valid_source(Settings(root=Path("fleet")))
    [detail] = caught.value.details
    assert detail.keys() == {"path", "line", "column", "field", "message"}
    assert (detail["path"], detail["field"]) == ("fleet/all.yaml", "spec.seed")


def test_data_of_a_problem_has_its_parts_each_by_itself() -> None:
    [data] = as_data([Problem("a.yaml", 3, 5, "spec.model", "required, and not set")])
    assert data == {
        "path": "a.yaml",
        "line": 3,
        "column": 5,
        "field": "spec.model",
        "message": "required, and not set",
    }


def at(column: int, text: str) -> Problem:
    return Problem("a.yaml", 7, column, "f", "odd", text)


@pytest.mark.parametrize(
    ("text", "column", "width", "shown", "caret"),
    [
        ("seed: x", 7, 80, "seed: x", 6),
        ("\tseed: x", 8, 80, "    seed: x", 10),  # a tab takes four columns, in both lines
        ("a\x1b[31m: x", 3, 80, "a\\x1b[31m: x", 5),  # nothing steers the terminal
        ("x" * 200, 1, 47, "x" * 38 + "…", 0),
        ("x" * 200, 200, 47, "…" + "x" * 19, 19),
        ("x" * 100 + "y" + "z" * 100, 101, 47, "…" + "x" * 18 + "y" + "z" * 18 + "…", 19),
        ("x" * 100 + "y", 101, 2, "…" + "x" * 9 + "y", 10),  # a terminal of no width at all
        ("seed:", 6, 80, "seed:", 5),  # behind the end of the line
    ],
)
def test_a_caret_stands_below_the_column(text: str, column: int, width: int, shown: str, caret: int) -> None:
    *lines, excerpt, below = as_lines([at(column, text)], width=width)
    assert " ".join(map(str.strip, lines)) == f"a.yaml:7:{column}: f: odd"
    assert excerpt == f"   7 | {shown}"
    assert below == f"     | {' ' * caret}^"


def test_a_problem_breaks_at_words() -> None:
    first, second, *_ = as_lines(
        [dataclasses.replace(at(1, "seed: x"), message="it is odd in more than one way")], width=40
    )
    assert (first, second) == ("a.yaml:7:1: f: it is odd in more than", "  one way")


def test_a_pipe_gets_one_line_a_problem() -> None:
    assert list(as_lines([at(1, "seed: x")])) == ["a.yaml:7:1: f: odd"]


def test_what_a_file_as_a_whole_has_is_no_line_of_it() -> None:
    whole = Problem(".", 0, 0, "", "it is empty")
    [shown] = as_lines(located([whole], "fleet"), width=80)
    assert shown == "fleet: it is empty"
    [data] = as_data([whole])
    assert (data["line"], data["column"]) == (1, 1)
    assert problem_count([whole]) == "1 problem"


def test_problems_are_counted_by_their_files() -> None:
    assert problem_count([at(1, ""), at(2, "")]) == "2 problems in 1 file"
    assert problem_count([at(1, ""), Problem("b.yaml", 1, 1, "", "odd")]) == "2 problems in 2 files"
