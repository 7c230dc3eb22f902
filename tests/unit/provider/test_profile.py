"""What every request to an account carries, and that no message shows it."""

import pytest

from reconciler.core.documents import ProviderName
from reconciler.errors import UsageError
from reconciler.provider.profile import PROFILES, Profile
from tests.fakes.faulty import reply
from tests.fakes.servers import CREATE, JOB, KEY, Wire, a_key, an_account, script


def test_headers() -> None:
    with Wire(lambda _: reply(JOB), organization="org-1", project="p-1", profile=PROFILES[ProviderName.AZURE]) as wire:
        wire.client.retrieve_job("ftjob-1")
        headers = wire.server.requests[0].headers
    assert headers["api-key"] == KEY
    assert "authorization" not in headers
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-1", "p-1")
    assert headers["user-agent"].startswith("finetune-reconciler/")
    with Wire(lambda _: reply(JOB), api_key="") as wire:
        wire.client.retrieve_job("ftjob-1")
        assert not {"authorization", "openai-organization", "api-key"} & set(wire.server.requests[0].headers)


def test_a_profile_adds_to_every_request() -> None:
    profile = Profile(
        ProviderName.COMPATIBLE, auth=lambda key: {"x-token": key[:2]}, query={"api-version": "1"}, headers={"x-a": "b"}
    )
    with Wire(script(reply(JOB), reply(JOB), reply({"data": []})), profile=profile) as wire:
        wire.client.create_job(CREATE)
        wire.client.retrieve_job("ftjob-1")
        wire.client.find_file("n", 1)
        requests = wire.server.requests
    assert [request.headers["x-token"] for request in requests] == ["sk"] * 3
    assert [request.headers["x-a"] for request in requests] == ["b"] * 3
    assert [request.path.partition("?")[2] for request in requests] == [
        *["api-version=1"] * 2,
        "api-version=1&purpose=fine-tune&limit=100",
    ]


def test_every_provider_has_a_profile() -> None:
    assert PROFILES.keys() == set(ProviderName)


@pytest.mark.parametrize("key", ["a\nb", "a b", "é", "a\x00"])
def test_a_key_that_no_header_may_hold_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(UsageError) as raised:
        an_account("http://x", a_key(key))
    assert key not in str(raised.value)


def test_the_sandbox_is_known_by_its_name_whatever_port_it_gets() -> None:
    sandbox = an_account("http://127.0.0.1:4711/v1", profile=PROFILES[ProviderName.SANDBOX])
    assert (sandbox.server, sandbox.host, sandbox.port) == ("sandbox", "sandbox", None)


@pytest.mark.parametrize(
    ("base_url", "host", "port"),
    [("https://x/v1", "x", 443), ("http://x/v1", "x", 80), ("http://x:8080/v1", "x:8080", 8080)],
)
def test_any_other_server_is_known_by_its_base_url(base_url: str, host: str, port: int) -> None:
    account = an_account(base_url)
    assert (account.server, account.host, account.port) == (base_url, host, port)
