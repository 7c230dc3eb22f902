"""What `init` writes: every line that is commented out is valid once it is not."""

import re
from pathlib import Path

import pytest

from reconciler.cli.starter import starter_files
from reconciler.source.directory import read_directory

FILES = starter_files("fleet-k7q2")
COMMENTED = re.compile(r"^( *)# (?=\w+: )", re.MULTILINE)
LINES = [
    (name, found.start())
    for name, content in FILES.items()
    if name.endswith(".yaml")
    for found in COMMENTED.finditer(content)
]


def uncommented(content: str, start: int) -> str:
    return content[:start] + COMMENTED.sub(r"\1", content[start:], count=1)


def problems(root: Path, changed: dict[str, str]) -> list[str]:
    for name, content in {**FILES, **changed}.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(content)
    return [str(problem) for problem in read_directory(root).problems]


@pytest.mark.parametrize(("name", "start"), LINES)
def test_each_commented_line_is_valid_when_it_is_uncommented(tmp_path: Path, name: str, start: int) -> None:
    changed = uncommented(FILES[name], start)
    assert changed != FILES[name]
    assert problems(tmp_path, {name: changed}) == []


def test_they_are_valid_all_at_once(tmp_path: Path) -> None:
    names = ("fleet.yaml", "first-job.yaml")
    assert problems(tmp_path, {name: COMMENTED.sub(r"\1", FILES[name]) for name in names}) == []


def test_the_fields_that_people_ask_for_are_among_them() -> None:
    text = FILES["fleet.yaml"] + FILES["first-job.yaml"]
    for field in (
        "validation_file",
        "method",
        "suffix",
        "seed",
        "retries",
        "max_active",
        "expect",
        "integrations",
        "max_cost",
        "data_checks",
    ):
        assert f"{field}: " in text or f"{field}:\n" in text
