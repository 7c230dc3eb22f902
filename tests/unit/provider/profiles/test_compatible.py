"""Any other server: a base URL, and whatever it wants besides."""

import pytest

from reconciler.core.documents import ProviderName
from reconciler.errors import UsageError
from reconciler.provider.key import Key
from tests.fakes.servers import CREATE, KEY, Ask, a_key, every_request, said_of


def test_its_requests() -> None:
    asked, headers = every_request(
        ProviderName.COMPATIBLE,
        "/some/where",
        query={"tenant": "a"},
        own_headers={"x-tfy-provider-name": a_key("openai-main")},
        body={"tier": "batch"},
    )
    assert asked[:2] == [
        Ask("POST", "/some/where/fine_tuning/jobs?tenant=a", {**CREATE, "tier": "batch"}),
        Ask("GET", "/some/where/fine_tuning/jobs?tenant=a&limit=100", b""),
    ]
    for one in headers:
        assert (one["authorization"], one["x-tfy-provider-name"]) == (f"Bearer {KEY}", "openai-main")


def test_it_needs_a_base_url_and_no_key() -> None:
    assert "needs a base URL" in said_of("compatible", "")
    assert said_of("compatible", "http://x/v1", key="") == ""


def test_a_header_that_cannot_be_had_is_an_error_before_anything_is_opened() -> None:
    def nothing() -> str:
        raise UsageError("--header x-a: there is none")

    assert said_of("compatible", "http://x/v1", headers={"x-a": Key(nothing)}) == "--header x-a: there is none"


def test_a_server_with_another_scheme_is_reached_without_a_key() -> None:
    assert said_of("compatible", "http://x/v1", headers={"Authorization": "Basic eDp5"}, key="") == ""
    assert "it comes from the key" in said_of("compatible", "http://x/v1", headers={"Authorization": "Basic eDp5"})


@pytest.mark.parametrize("provider", ["openai", "azure", "litellm", "nebius", "portkey", "compatible"])
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"headers": {"Host": "elsewhere"}}, "--header Host: this program sets it"),
        ({"headers": {"content-length": "1"}}, "--header content-length: this program sets it"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "this program sets it"),
        ({"headers": {"Content-Type": "text/plain"}}, "this program sets it"),
        ({"headers": {"User-Agent": "x"}}, "this program sets it"),
        ({"headers": {"Proxy-Authorization": "x"}}, "this program sets it"),
        ({"headers": {"Authorization": "Bearer x", "x-portkey-provider": "p"}}, "it comes from the key"),
        ({"headers": {"API-Key": "x"}}, "it comes from the key"),
        ({"headers": {"OpenAI-Organization": "x"}}, "it comes from OPENAI_ORG_ID"),
        ({"headers": {"OpenAI-Project": "x"}}, "it comes from OPENAI_PROJECT_ID"),
        ({"query": (("after", "x"),)}, "--query after: this program sets it"),
        ({"query": (("limit", "1"),)}, "--query limit: this program sets it"),
        ({"query": (("a", "1"), ("a", "2"))}, "--query a is given twice"),
        ({"body": (("model", "m"),)}, "--body model: this program sets it"),
        ({"body": (("metadata", "m"),)}, "--body metadata: this program sets it"),
        ({"body": (("seed", "7"),)}, "--body seed: this program sets it"),
        ({"base_url": "http://x/v1?a=secret-of-mine"}, "--query NAME=VALUE"),
        ({"base_url": "http://x/v1?"}, "--query NAME=VALUE"),
    ],
    ids=str,
)
def test_what_the_program_sets_cannot_be_set_from_outside(
    provider: str, settings: dict[str, object], said: str
) -> None:
    answer = said_of(provider, **{"base_url": "http://x/openai/v1", **settings})  # type: ignore[arg-type] # a table
    assert said in answer
    assert "secret-of-mine" not in answer
