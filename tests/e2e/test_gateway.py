"""The lives of `test_modes` once more, behind a real LiteLLM proxy that stands before the sandbox.

Only where one is installed: RECONCILER_LITELLM, or `litellm` in PATH (docs/proof.md says how). What passes through it is
what the sandbox's mode `litellm` says; its native routes are sold with a licence, and say so here.
"""

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e import test_modes
from tests.fakes.fleets import FleetDirectory
from tests.fakes.modes import KEY, Place, Server
from tests.fakes.sandboxes import SharedSandbox
from tests.fakes.shell import Shell

EXECUTABLE = os.environ.get("RECONCILER_LITELLM") or shutil.which("litellm")
pytestmark = [
    pytest.mark.skipif(not EXECUTABLE, reason="no litellm: RECONCILER_LITELLM names none, and PATH has none"),
    pytest.mark.timeout(300),  # it imports for a quarter of a minute
]

CONFIG = """
general_settings:
  master_key: {key}
# Uploads to /openai/v1/files do not pass through: they are LiteLLM's own, and need this.
files_settings:
  - custom_llm_provider: openai
    api_base: {origin}/v1
    api_key: any
"""


@dataclass(frozen=True)
class Route:
    """A way through the proxy, and the kind of server that lies behind it."""

    path: str
    mode: str = "openai"
    flags: tuple[str, ...] = ("--provider", "litellm")


PASS_THROUGH = [
    Route("/openai/v1"),
    Route("/openai_passthrough/v1"),
    Route("/azure/openai/v1", "azure"),
]
NATIVE = Route("/v1", flags=("--provider", "litellm", "--query", "custom_llm_provider=openai"))


class Gateway(NamedTuple):
    """The proxy's address, and what it stands before."""

    origin: str
    behind: SharedSandbox


@pytest.fixture(scope="module")
def gateway(shared_sandbox: SharedSandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = tmp_path_factory.mktemp("litellm") / "config.yaml"
    config.write_text(CONFIG.format(key=KEY, origin=shared_sandbox.origin))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [str(EXECUTABLE), "--config", config, "--host", "127.0.0.1", "--port", str(port)],
        cwd=config.parent,
        env=environment(shared_sandbox.origin),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            wait_for(process)
            yield Gateway(f"http://127.0.0.1:{port}", shared_sandbox)
        finally:
            process.terminate()


def environment(origin: str) -> dict[str, str]:
    """What its pass-through routes read: bases without /v1, where its own want one with it."""
    return {
        **os.environ,
        "OPENAI_API_BASE": origin,
        "OPENAI_BASE_URL": f"{origin}/v1",
        "OPENAI_API_KEY": "any",
        "AZURE_API_BASE": origin,
        "AZURE_API_KEY": "any",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # nothing is asked of the world
        "NO_PROXY": "127.0.0.1",
    }


def wait_for(process: subprocess.Popen[str]) -> None:
    """Read what it says until it serves, and whatever it says then."""
    assert process.stdout is not None
    said: list[str] = []
    while "Uvicorn running" not in "".join(said[-1:]):
        said.append(process.stdout.readline())
        assert said[-1], f"it ended: {''.join(said)}"
    threading.Thread(target=process.stdout.read, daemon=True).start()


@pytest.fixture
def place(
    request: pytest.FixtureRequest, gateway: Gateway, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    route: Route = request.param
    with gateway.behind.serving(tmp_path / "served", route.mode, clock=shell.clock.time) as served:
        fleet, base_url = FleetDirectory(tmp_path / "fleet"), gateway.origin + route.path
        yield Place(Server("file", route.flags), fleet, served.ledger, base_url, shell)


def rules_of(mode: str) -> list[Callable[[Place], None]]:
    """The tests that run in this mode."""
    return [
        rule
        for name, rule in vars(test_modes).items()
        if name.startswith("test_") and any(mode in mark.args[1] for mark in getattr(rule, "pytestmark", ()))
    ]


@pytest.mark.parametrize("rule", rules_of("litellm"), ids=lambda rule: rule.__name__.removeprefix("test_"))
@pytest.mark.parametrize("place", PASS_THROUGH, indirect=True, ids=lambda route: route.path)
def test_what_passes_through_is_as_in_the_mode(rule: Callable[[Place], None], place: Place) -> None:
    rule(place)


@pytest.mark.parametrize("place", [NATIVE], indirect=True, ids=["/v1"])
def test_without_its_licence_the_native_route_makes_nothing_and_says_why(place: Place) -> None:
    place.want()
    ran = place.apply()
    assert (ran.code, place.jobs) == (1, [])
    assert "Only premium users" in ran.err
