"""What several tests of reading begin with."""

from pathlib import Path

import pytest

from tests.fakes.manifests import FLEET


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A fleet directory with the fleet's document and no job."""
    fleet = tmp_path / "fleet"
    fleet.mkdir()
    (fleet / "fleet.yaml").write_text(FLEET)
    return fleet
