"""What the operator says: where memory is kept, and which base URLs are refused."""

import os
from pathlib import Path

import pytest

from reconciler.errors import UsageError
from reconciler.manifest import Fleet, ProviderName
from reconciler.provider import Endpoint
from reconciler.settings import Settings, target


def test_memory_is_kept_in_the_fleet_directory(tmp_path: Path) -> None:
    assert Settings(root=tmp_path).state_directory == tmp_path / ".reconciler"
    assert Settings(root=tmp_path, state_dir=Path("/x")).state_directory == Path("/x")


def test_a_volume_that_a_tool_swaps_keeps_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    root = tmp_path / "fleet"
    (root / "..1").mkdir(parents=True)
    (root / "..data").symlink_to("..1")
    kept = Settings(root=root).state_directory
    assert kept.parent == tmp_path / "home" / "reconciler"
    assert kept.name.startswith("fleet-")
    assert Settings(root=root).state_directory == kept, "the same at every run"


def test_a_read_only_directory_keeps_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert Settings(root=tmp_path).state_directory != tmp_path / ".reconciler"


def test_a_user_without_a_home_is_told_what_to_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(UsageError, match="say --state-dir"):
        _ = Settings(root=tmp_path).state_directory


def test_a_mounted_secrets_line_end_is_no_part_of_the_base_url() -> None:
    where = target(
        Settings(root=Path(), provider=ProviderName.COMPATIBLE), Fleet("f"), {"OPENAI_BASE_URL": "http://x/v1/\n"}
    )
    assert where.base_url == "http://x/v1"


@pytest.mark.parametrize("url", ["http://[::1]]/v1", "http://x y/v1", "http://x\u00e9/v1", "http://x/\x7f"])
def test_a_base_url_that_could_be_misread_is_refused_without_being_shown(url: str) -> None:
    settings = Settings(root=Path(), provider=ProviderName.COMPATIBLE, base_url=url)
    with pytest.raises(UsageError) as refused:
        Endpoint(target(settings, Fleet("f"), {}).base_url)
    assert url not in str(refused.value)
