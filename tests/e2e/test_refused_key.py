"""A key that the server refuses: where a person finds it is said, and never the key."""

from pathlib import Path

import pytest

from tests.fakes.faulty import Proxy, reply
from tests.fakes.fleets import FleetDirectory
from tests.fakes.shell import Shell

KEY = "sk-that-no-message-may-show"


@pytest.fixture
def refusing(server: Proxy, fleet: FleetDirectory, monkeypatch: pytest.MonkeyPatch) -> FleetDirectory:
    """Every key is a wrong one."""
    fleet.job("a")
    server.answer = lambda request: reply(
        {"error": {"message": f"Incorrect API key provided: {request.headers.get('authorization', 'none')}"}}, 401
    )
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return fleet


def test_of_the_environment_the_variable_is_named(shell: Shell, refusing: FleetDirectory) -> None:
    ran = shell("plan", refusing.root)
    assert (ran.code, KEY in ran.err) == (1, False)
    assert "HTTP 401" in ran.err
    assert "(the key is that of OPENAI_API_KEY)" in " ".join(ran.err.split())


def test_of_a_file_its_flag_and_name(shell: Shell, refusing: FleetDirectory, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(KEY)
    ran = shell("plan", refusing.root, "--api-key-file", path, "-o", "json")
    assert f"(the key is that of --api-key-file {path})" in ran.json["error"]
    assert KEY not in ran.out + ran.err


def test_of_a_command_its_flag_alone(shell: Shell, refusing: FleetDirectory) -> None:
    ran = shell("plan", refusing.root, "--token-command", f"echo {KEY}")
    assert "(the key is that of --token-command)" in " ".join(ran.err.split())
    assert KEY not in ran.err


def test_that_there_was_none_is_said_with_where_to_give_one(
    shell: Shell, refusing: FleetDirectory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refusing.fleet(provider="compatible")
    monkeypatch.delenv("OPENAI_API_KEY")
    ran = shell("plan", refusing.root)
    assert "(no key was sent: set OPENAI_API_KEY, or say --api-key-file FILE)" in " ".join(ran.err.split())
    path = tmp_path / "header"
    path.write_text("Bearer of-a-gateway")
    ran = shell("plan", refusing.root, "--header", f"X-Gateway-Key=@{path}")
    assert "HTTP 401" in ran.err
    assert "no key was sent" not in ran.err, "it may be in that header"
