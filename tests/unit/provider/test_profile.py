"""What every request to an account carries, that no message shows it, and what an account may not add."""

import pytest

from reconciler.core.documents import ProviderName
from reconciler.errors import UsageError
from reconciler.provider.profile import Auth
from reconciler.provider.profiles import profile_of
from tests.fakes.faulty import reply
from tests.fakes.servers import CREATE, JOB, KEY, Wire, a_key, an_account, an_upload, script

# As Microsoft Entra issues them (RFC 7519), signed by nobody.
ENTRA = "eyJ0eXAiOiJKV1Qi.eyJhdWQiOiJodHRwczovL2FpLmF6dXJlLmNvbSJ9.c2lnbmF0dXJl"


def test_headers() -> None:
    with Wire(lambda _: reply(JOB), organization="org-1", project="p-1", auth=Auth.API_KEY) as wire:
        wire.client.retrieve_job("ftjob-1")
        headers = wire.server.requests[0].headers
    assert headers["api-key"] == KEY
    assert "authorization" not in headers
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-1", "p-1")
    assert headers["user-agent"].startswith("finetune-reconciler/")
    with Wire(lambda _: reply(JOB), api_key="") as wire:
        wire.client.retrieve_job("ftjob-1")
        assert not {"authorization", "openai-organization", "api-key"} & set(wire.server.requests[0].headers)


@pytest.mark.parametrize("auth", [None, *Auth])
@pytest.mark.parametrize("name", [name for name in ProviderName if name is not ProviderName.SANDBOX])
def test_a_token_of_entra_is_never_sent_as_api_key(name: ProviderName, auth: Auth | None) -> None:
    headers = an_account("http://x/v1", a_key(ENTRA), profile=profile_of(name), auth=auth).headers(ENTRA)
    assert headers["Authorization"] == f"Bearer {ENTRA}"
    assert "api-key" not in headers


def test_what_the_operator_adds_goes_with_every_request_and_their_body_with_the_create() -> None:
    answers = script(reply(JOB), reply(JOB), reply({}), reply({"id": "file-1"}), reply({"data": []}))
    own = {"x-a": a_key("b"), "x-token": a_key("two words")}
    with Wire(answers, query={"api-version": "1", "a b": "c&d"}, own_headers=own, body={"tier": "batch"}) as wire:
        wire.client.create_job(CREATE)
        wire.client.retrieve_job("ftjob-1")
        wire.client.cancel_job("ftjob-1")
        wire.client.upload_file(an_upload(b"{}", "n"))
        wire.client.find_files({("n", 1)})
        requests = wire.server.requests
    assert [(request.headers["x-a"], request.headers["x-token"]) for request in requests] == [("b", "two words")] * 5
    assert [request.path.partition("?")[2] for request in requests] == [
        *["api-version=1&a+b=c%26d"] * 4,
        "api-version=1&a+b=c%26d&purpose=fine-tune&limit=100",
    ]
    assert requests[0].json == {**CREATE, "tier": "batch"}
    assert requests[2].body == b""
    assert b"tier" not in requests[3].body


def test_what_the_operator_says_of_a_field_is_not_said_by_a_manifest_too() -> None:
    account = an_account("http://x/v1", body={"tier": "batch"})
    assert account.objection({"model": "m"}, {"other": 1}) == ""
    assert account.objection({"model": "m"}, {"tier": "fast"}) == (
        "extra_body sets tier, which the operator says here: take it out of the manifest"
    )


@pytest.mark.parametrize("name", ProviderName)
def test_every_provider_has_a_profile(name: ProviderName) -> None:
    assert profile_of(name).name is name


@pytest.mark.parametrize("key", ["a\nb", "a b", "é", "a\x00"])
def test_a_key_that_no_header_may_hold_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(UsageError) as raised:
        an_account("http://x", a_key(key))
    assert key not in str(raised.value)


def test_no_secret_stands_in_what_an_account_is_shown_as() -> None:
    account = an_account("http://x/v1", own_headers={"x-portkey-provider": a_key("@a-secret")})
    assert "a-secret" not in repr(account)
    assert KEY not in repr(account)
    portkey = an_account(
        "http://x/v1", profile=profile_of(ProviderName.PORTKEY), own_headers={"x-portkey-provider": a_key("@a-secret")}
    )
    assert "a-secret" not in portkey.server


def test_the_sandbox_is_known_by_its_name_whatever_port_it_gets() -> None:
    sandbox = an_account("http://127.0.0.1:4711/v1", profile=profile_of(ProviderName.SANDBOX))
    assert (sandbox.server, sandbox.host, sandbox.port) == ("sandbox", "sandbox", None)


@pytest.mark.parametrize(
    ("base_url", "host", "port"),
    [("https://x/v1", "x", 443), ("http://x/v1", "x", 80), ("http://x:8080/v1", "x:8080", 8080)],
)
def test_any_other_server_is_known_by_its_base_url(base_url: str, host: str, port: int) -> None:
    account = an_account(base_url, query={"api-version": "1"}, own_headers={"x-a": a_key("b")})
    assert (account.server, account.host, account.port) == (base_url, host, port)
