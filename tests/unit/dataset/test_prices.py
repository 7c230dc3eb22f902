"""Prices: by model, by server, from the package and from the operator."""

import pytest

from reconciler.dataset.prices import Price, Prices, listed_prices, prices_of

LISTED = listed_prices()


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("gpt-4.1", 25),
        ("gpt-4.1-mini", 5),
        ("gpt-4.1-nano", 1.5),
        ("gpt-4o", 25),
        ("gpt-4o-mini", 3),
        ("gpt-3.5-turbo", 8),
        ("davinci-002", 6),
        ("babbage-002", 0.4),
    ],
)
def test_the_package_knows_the_price_of(model: str, usd: float) -> None:
    price = LISTED.find(model)
    assert price == Price(usd, "per_million_tokens", "2025-11", "https://openai.com/api/pricing/")


@pytest.mark.parametrize(
    "model",
    [
        "gpt-4o-mini-2024-07-18",
        "GPT-4o-mini",
        "ft:gpt-4o-mini-2024-07-18:acme:support:Abc123",
        "ft:gpt-4o-mini",
        "openai/gpt-4o-mini",
        "gpt-4o-mini-2024-07-18.ft-0123abcd",
    ],
)
def test_a_snapshot_and_a_fine_tuned_model_cost_what_their_base_does(model: str) -> None:
    price = LISTED.find(model)
    assert price is not None
    assert price.usd == 3


@pytest.mark.parametrize(
    "model", ["gpt-4o-mini-tts", "gpt-4o-audio-preview-2024-10-01", "gpt-5", "llama-3", "ft:", "", None]
)
def test_a_model_that_is_only_like_a_known_one_has_no_price(model: str | None) -> None:
    assert LISTED.find(model) is None


def test_azures_spelling_is_the_same_model() -> None:
    assert LISTED.find("gpt-35-turbo-0125") == LISTED.find("gpt-3.5-turbo")


def test_the_operators_prices_count_before_those_of_the_package() -> None:
    own = prices_of(
        {"date": "2026-01-05", "source": "the contract", "models": {"gpt-4o-mini": {"per_million_tokens": 2}}}
    )
    prices = own.beside(LISTED)
    assert prices.find("gpt-4o-mini-2024-07-18") == Price(2, "per_million_tokens", "2026-01-05", "the contract")
    assert prices.find("gpt-4o") == LISTED.find("gpt-4o")


def test_a_snapshot_may_have_a_price_of_its_own() -> None:
    own = prices_of({"models": {"gpt-4o-2024-05-13": {"per_million_tokens": 30}, "gpt-4o": {"per_million_tokens": 20}}})
    found = own.find("gpt-4o-2024-05-13")
    assert found is not None
    assert found.usd == 30


def test_a_free_server_costs_nothing_whatever_the_model_is() -> None:
    prices = prices_of({"servers": {"Gpu.lan:8000": "free", "big.lan": {"per_hour": 12.5}}}).beside(LISTED)
    assert prices.find("gpt-4o", "gpu.lan:8000") == Price(0.0)
    assert prices.find("anything", "big.lan:9000") == Price(12.5, "per_hour")
    assert prices.find("anything", "other.lan") is None


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ([], "a price table is a map"),
        ({"model": {}}, "model: not a field"),
        ({"models": []}, None),
        ({"models": [1]}, "models: must be a map"),
        ({"models": {"a": 3}}, "models.a: must be a map"),
        ({"models": {"a": {}}}, "models.a: write per_million_tokens"),
        ({"models": {"a": {"per_token": 3}}}, "models.a: write per_million_tokens"),
        ({"models": {"a": {"per_hour": -1}}}, "models.a.per_hour: must be a number"),
        ({"models": {"a": {"per_hour": True}}}, "models.a.per_hour: must be a number"),
        ({"models": {"a": {"per_hour": float("inf")}}}, "models.a.per_hour: must be a number"),
        ({"servers": {"a": {"per_hour": "3"}}}, "servers.a.per_hour: must be a number"),
    ],
)
def test_a_mistake_in_a_table_is_named(table: object, words: str | None) -> None:
    if words is None:
        assert prices_of(table) == Prices()
        return
    with pytest.raises(ValueError, match=words):
        prices_of(table)
