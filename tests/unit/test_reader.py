"""A directory that is read again and again."""

import time
from pathlib import Path

import pytest

from reconciler.source.reader import DirectoryReader
from tests.fakes.manifests import manifest


def test_what_stands_in_the_working_directory_is_not_taken_for_a_manifest(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "sub").mkdir()
    (root / "sub" / "a.yaml").write_text(manifest("a"))
    reader = DirectoryReader(root, lambda: time.time() + 10)
    assert reader.read().problems == ()
    (root / "sub").rename(tmp_path / "sub")
    (root / "sub" / "a.yaml").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert len(reader.read().problems) == 1
