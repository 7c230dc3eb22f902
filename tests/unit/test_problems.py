"""Problems as a reader finds them: as lines, as data, and under paths that lead there from where the reader stands."""

from pathlib import Path

import pytest

from reconciler.cli.manifests import valid_source, where
from reconciler.core.snapshot import Problem
from reconciler.errors import SourceError
from reconciler.render.problems import as_data, located
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
