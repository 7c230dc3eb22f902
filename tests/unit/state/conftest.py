"""Where a journal under test stands, and the clock it reads."""

from pathlib import Path

import pytest

from tests.fakes.journals import Time


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.state.seal._PAUSE", 0.0)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"
