"""The sandbox on a socket, and what it may not touch."""

from __future__ import annotations

import ast
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

import reconciler.sandbox
from reconciler.sandbox import EmbeddedSandbox, SandboxError

SERVE = """
import sys
from pathlib import Path
from reconciler.sandbox import serve
serve(Path(sys.argv[1]), host="127.0.0.1", port=0, speed=1.0, announce=lambda url: print(url, flush=True))
print("stopped", flush=True)
"""


def test_sandbox_answers_inside_its_block_only(tmp_path: Path) -> None:
    sandbox = EmbeddedSandbox(tmp_path)
    with pytest.raises(SandboxError, match="not running"):
        _ = sandbox.base_url
    with sandbox:
        url = sandbox.base_url
        assert httpx.get(f"{url}/fine_tuning/jobs").json()["data"] == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/fine_tuning/jobs")
    with pytest.raises(SandboxError, match="not running"):
        _ = sandbox.base_url


def test_sandbox_can_be_entered_again(tmp_path: Path) -> None:
    sandbox = EmbeddedSandbox(tmp_path)
    for _ in range(2):
        with sandbox:
            assert httpx.get(sandbox.base_url.removesuffix("/v1") + "/healthz").status_code == 200


def test_idle_connection_does_not_keep_the_sandbox_from_stopping(tmp_path: Path) -> None:
    with httpx.Client() as client:
        with EmbeddedSandbox(tmp_path) as sandbox:
            client.get(f"{sandbox.base_url}/models")
        assert "sandbox" not in {thread.name for thread in threading.enumerate()}


def test_taken_port_is_refused_and_nothing_is_left_running(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(SandboxError, match=f"cannot listen on 127.0.0.1 port {port}"),
            EmbeddedSandbox(tmp_path, port=port),
        ):
            pass
    assert "sandbox" not in {thread.name for thread in threading.enumerate()}


def test_unusable_directory_is_refused_on_entry(tmp_path: Path) -> None:
    (tmp_path / "occupied").write_text("a file")
    with pytest.raises(SandboxError, match="occupied"), EmbeddedSandbox(tmp_path / "occupied"):
        pass


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_speed_must_be_positive(tmp_path: Path, speed: float) -> None:
    with pytest.raises(SandboxError, match="speed"):
        EmbeddedSandbox(tmp_path, speed=speed)


def test_embedding_leaves_signals_and_output_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with EmbeddedSandbox(tmp_path) as sandbox:
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
        address = urlsplit(sandbox.base_url)
        with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
            connection.sendall(b"no http\r\n\r\n")
            assert b"400" in connection.recv(100)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_foreground_server_announces_itself_and_stops_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert httpx.get(f"{url}/fine_tuning/jobs").status_code == 200
            process.send_signal(number)
            rest, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (rest, errors, process.returncode) == ("stopped\n", "", 0)


def test_sandbox_imports_nothing_else_of_the_project() -> None:
    folder = Path(reconciler.sandbox.__file__).parent
    imported = [found for path in folder.rglob("*.py") for found in _imports(path.read_text())]
    assert ".app" in imported
    assert [name for name in imported if name.startswith(("..", "reconciler"))] == []


def test_import_rule_sees_every_form_of_import() -> None:
    source = "from ..plan import x\nimport reconciler.core.job\nfrom reconciler import y\nfrom .. import z"
    assert _imports(source) == ["..plan", "reconciler.core.job", "reconciler", ".."]


def _imports(source: str) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            names.append("." * node.level + (node.module or ""))
        if isinstance(node, ast.Import):
            names.extend(alias.name for alias in node.names)
    return names
