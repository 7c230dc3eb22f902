"""A LiteLLM proxy: what passes through it, and what its native route would lose."""

import pytest

from reconciler.core.documents import ProviderName
from reconciler.provider.profiles import profile_of
from tests.fakes.servers import CREATE, KEY, Ask, an_account, every_request, said_of

OPENAI = {"custom_llm_provider": "openai"}


@pytest.mark.parametrize("path", ["/openai/v1", "/azure/openai/v1", "/litellm/openai/v1", "/openai_passthrough/v1"])
def test_what_passes_through_is_as_for_the_server_itself(path: str) -> None:
    asked, headers = every_request(ProviderName.LITELLM, path)
    assert asked[0] == Ask("POST", f"{path}/fine_tuning/jobs", CREATE)
    assert asked[3] == Ask("POST", f"{path}/fine_tuning/jobs/ftjob-1/cancel", b"")
    assert {one["authorization"] for one in headers} == {f"Bearer {KEY}"}
    assert said_of("litellm", f"http://proxy:4000{path}") == ""


@pytest.mark.parametrize("path", ["/v1", "", "/litellm/v1"])
def test_its_native_route_says_in_body_and_query_which_server_is_meant(path: str) -> None:
    asked, headers = every_request(ProviderName.LITELLM, path, query=OPENAI)
    which = "custom_llm_provider=openai"
    assert asked == [
        Ask("POST", f"{path}/fine_tuning/jobs?{which}", {**CREATE, **OPENAI}),
        Ask("GET", f"{path}/fine_tuning/jobs?{which}&limit=100", b""),
        Ask("GET", f"{path}/fine_tuning/jobs/ftjob-1?{which}", b""),
        Ask("POST", f"{path}/fine_tuning/jobs/ftjob-1/cancel?{which}", OPENAI),
        Ask("POST", f"{path}/files?{which}", {"purpose": "fine-tune", **OPENAI, "file": "{}"}),
        Ask("GET", f"{path}/files?{which}&purpose=fine-tune&limit=100", b""),
    ]
    assert {one["authorization"] for one in headers} == {f"Bearer {KEY}"}
    refused = said_of("litellm", f"http://proxy:4000{path}")
    assert "--query custom_llm_provider=openai" in refused
    assert "/openai_passthrough/v1" in refused


def test_each_server_behind_its_native_route_has_a_memory_of_its_own() -> None:
    litellm = profile_of(ProviderName.LITELLM)
    servers = {an_account("http://p/v1", profile=litellm, query={"custom_llm_provider": to}).server for to in "ab"}
    assert servers == {"http://p/v1?custom_llm_provider=a", "http://p/v1?custom_llm_provider=b"}


TUNED = {"hyperparameters": {"n_epochs": 3}}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, ""),
        (TUNED, ""),
        ({"method": {"type": "supervised"}}, ""),
        (
            {"method": {"type": "supervised", "supervised": TUNED}},
            "write hyperparameters instead of method, or use its",
        ),
        ({"method": {"type": "dpo"}}, "train a supervised job with defaults: use its pass-through"),
        ({"method": {"type": "dpo", "dpo": TUNED}}, "drops method without a word"),
        ({"method": {"type": "reinforcement", "reinforcement": {}}}, "drops method without a word"),
    ],
)
def test_a_spec_whose_method_would_be_lost_is_not_sent(spec: dict[str, object], said: str) -> None:
    litellm = profile_of(ProviderName.LITELLM)
    native = an_account("http://p/v1", profile=litellm, query=OPENAI)
    objection = native.objection({"model": "m", **spec}, {})
    assert said in objection
    assert bool(said) == bool(objection)
    assert an_account("http://p/openai/v1", profile=litellm).objection({"model": "m", **spec}, {}) == ""


def test_no_manifest_says_which_server_is_meant() -> None:
    native = an_account("http://p/v1", profile=profile_of(ProviderName.LITELLM), query=OPENAI)
    assert "extra_body sets custom_llm_provider" in native.objection({}, {"custom_llm_provider": "azure"})
