"""Portkey's gateway: its own key and the server behind it are headers of the operator's."""

import pytest

from reconciler.core.documents import ProviderName
from reconciler.provider.profiles import profile_of
from tests.fakes.servers import CREATE, KEY, Ask, a_key, an_account, every_request, said_of

OWN = {"x-portkey-api-key": "pk-of-portkey", "x-portkey-provider": "@openai-prod"}


def test_its_requests() -> None:
    own = {name: a_key(value) for name, value in OWN.items()}
    asked, headers = every_request(ProviderName.PORTKEY, "/v1", own_headers=own)
    assert asked[0] == Ask("POST", "/v1/fine_tuning/jobs", CREATE)
    for one in headers:
        assert {name: one[name] for name in OWN} == OWN
        assert one["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("url", "headers", "said"),
    [
        ("", OWN, ""),
        ("", {"X-Portkey-Api-Key": "k", "X-Portkey-Config": "pc-1"}, ""),
        ("", {"x-portkey-provider": "p"}, "needs its own key: --header 'x-portkey-api-key=$PORTKEY_API_KEY'"),
        (
            "",
            {"x-portkey-api-key": "k"},
            "which server lies behind it: --header 'x-portkey-provider=$PORTKEY_PROVIDER'",
        ),
        ("http://localhost:8787/v1", {"x-portkey-provider": "openai"}, ""),
        ("http://localhost:8787/v1", {}, "which server lies behind it"),
    ],
)
def test_what_it_needs(url: str, headers: dict[str, str], said: str) -> None:
    answer = said_of("portkey", url, headers=headers, key="")
    assert said in answer
    assert bool(said) == bool(answer)


def test_the_key_of_the_server_behind_it_is_said_once() -> None:
    assert said_of("portkey", "", headers={**OWN, "authorization": "Bearer k"}, key="") == ""
    assert "it comes from the key" in said_of("portkey", "", headers={**OWN, "authorization": "Bearer k"})


def test_each_server_behind_it_has_a_memory_of_its_own_and_a_rotated_key_does_not() -> None:
    def server(**values: str) -> str:
        own = {name: a_key(value) for name, value in {**OWN, **values}.items()}
        return an_account("http://p/v1", profile=profile_of(ProviderName.PORTKEY), own_headers=own).server

    assert server() == server(**{"x-portkey-api-key": "another"})
    assert server() != server(**{"x-portkey-provider": "@azure-prod"})
