"""The fingerprint of a reading."""

import shutil
from pathlib import Path

from reconciler.source.directory import read_directory
from tests.fakes.manifests import FLEET, manifest
from tests.unit.test_directory import LINE, changed, with_file


def test_the_fingerprint_stands_for_every_byte(root: Path) -> None:
    with_file(root, LINE.encode())
    snapshot = read_directory(root)
    assert not changed(root, snapshot)
    (root / "train.jsonl").write_text(LINE + LINE)
    assert changed(root, snapshot)
    (root / "train.jsonl").write_text(LINE)
    assert not changed(root, snapshot)
    (root / "fleet.yaml").write_text(FLEET + "# more\n")
    assert changed(root, snapshot)
    (root / "fleet.yaml").write_text(FLEET)
    (root / "b.yaml").write_text(manifest("b"))
    assert changed(root, snapshot)
    (root / "b.yaml").unlink()
    (root / "train.jsonl").unlink()
    assert changed(root, snapshot)
    shutil.rmtree(root)
    assert changed(root, snapshot)
