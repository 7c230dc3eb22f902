"""What the tests of commands share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.faulty import Proxy
from tests.fakes.fleets import FleetDirectory
from tests.fakes.modes import KEY, SERVERS, Place
from tests.fakes.sandboxes import SharedSandbox
from tests.fakes.shell import Shell


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Runs commands in this process; nothing of this environment speaks to them."""
    for name in os.environ:
        if name.startswith(("OPENAI_", "RECONCILER_")):
            monkeypatch.delenv(name)
    return Shell(capsys)


@pytest.fixture
def fleet(tmp_path: Path) -> FleetDirectory:
    """A fleet directory; it says itself what stands in it."""
    return FleetDirectory(tmp_path / "fleet")


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[SharedSandbox]:
    """One server for all tests of this process, each of which says what it is meanwhile."""
    with SharedSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell, shared_sandbox: SharedSandbox
) -> Iterator[Proxy]:
    """A served sandbox that the environment names, behind a proxy that can fail."""
    del shell  # it cleans the environment first
    with shared_sandbox.serving(tmp_path / "served", speed=1000) as sandbox, Proxy(sandbox.base_url) as proxy:
        monkeypatch.setenv("OPENAI_BASE_URL", proxy.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
        yield proxy


@pytest.fixture
def place(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    shell: Shell,
    shared_sandbox: SharedSandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("PORTKEY_PROVIDER", "openai")
    with shared_sandbox.serving(tmp_path / "served", request.param, clock=shell.clock.time) as served:
        yield Place(SERVERS[request.param], FleetDirectory(tmp_path / "fleet"), served.ledger, served.base_url, shell)
