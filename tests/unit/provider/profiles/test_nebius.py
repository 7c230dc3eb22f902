"""Nebius: OpenAI's requests, and one spec that it refuses."""

import pytest

from reconciler.core.documents import ProviderName
from reconciler.provider.profiles import profile_of
from tests.fakes.servers import CREATE, KEY, Ask, an_account, every_request, said_of


def test_its_requests() -> None:
    asked, headers = every_request(ProviderName.NEBIUS, "/v1")
    assert asked[0] == Ask("POST", "/v1/fine_tuning/jobs", CREATE)
    assert {one["authorization"] for one in headers} == {f"Bearer {KEY}"}


def test_where_it_is_the_operator_says() -> None:
    assert "needs a base URL" in said_of("nebius", "")
    assert "needs a key" in said_of("nebius", "https://nebius.example/v1", key="")
    assert said_of("nebius", "https://nebius.example/v1") == ""


METHOD, TUNED = {"method": {"type": "supervised"}}, {"hyperparameters": {"n_epochs": 3}}


@pytest.mark.parametrize(
    ("spec", "refused"), [(METHOD, False), (TUNED, False), ({**METHOD, **TUNED}, True), ({}, False)]
)
def test_hyperparameters_said_twice_are_not_sent(spec: dict[str, object], refused: bool) -> None:
    account = an_account("https://nebius.example/v1", profile=profile_of(ProviderName.NEBIUS))
    assert ("refuses method and hyperparameters together" in account.objection(spec, {})) == refused
