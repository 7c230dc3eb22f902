"""What a job will cost, and why that is sometimes not known."""

from reconciler.core.estimate import Estimate
from reconciler.dataset.cost import Planned, estimate, paid_for
from reconciler.dataset.measure import Measure
from reconciler.dataset.prices import Price

MEASURE = Measure(examples=1_200, tokens=310_500, billed=310_000, cut=1, about=True)
PRICE = Price(3.0, "per_million_tokens", "2025-11", "the page")
WANTED = Planned("gpt-4o-mini", {}, "data/train.jsonl")


def test_tokens_times_epochs_times_the_price() -> None:
    found = estimate(WANTED, MEASURE, PRICE)
    assert found == Estimate(
        model="gpt-4o-mini",
        file="data/train.jsonl",
        examples=1_200,
        tokens=310_000,
        epochs=3,
        about=True,
        usd=2.79,
        price="$3 per 1M tokens",
        date="2025-11",
        source="the page",
    )
    assert found.trained == 930_000


def test_a_model_without_a_price_has_no_cost_and_not_a_cost_of_nothing() -> None:
    found = estimate(WANTED, MEASURE, None)
    assert found.usd is None
    assert found.why == "no price known for gpt-4o-mini"
    assert found.trained == 930_000


def test_without_the_file_there_is_no_cost() -> None:
    found = estimate(WANTED, None, PRICE)
    assert (found.usd, found.trained, found.tokens) == (None, None, None)
    assert "data/train.jsonl is not here" in found.why


def test_what_is_billed_by_the_hour_is_not_known_before() -> None:
    found = estimate(WANTED, MEASURE, Price(100.0, "per_hour"))
    assert found.usd is None
    assert "billed by the hour ($100 an hour)" in found.why


def test_reinforcement_has_no_price_by_token() -> None:
    wanted = Planned("gpt-4o-mini", {"method": {"type": "reinforcement"}}, "f")
    assert "no price an hour is known" in estimate(wanted, MEASURE, PRICE).why


def test_a_free_server_is_free_whatever_else_is_unknown() -> None:
    found = estimate(Planned(None, {"method": {"type": "reinforcement"}}), None, Price(0.0))
    assert (found.usd, found.price, found.why) == (0.0, "free", "")


def test_a_model_that_is_not_made_yet_is_said_to_be_none() -> None:
    assert estimate(Planned(None, {}), MEASURE, None).why == "its model is not known yet"


def test_what_a_job_has_cost_is_known_where_its_tokens_and_their_price_are() -> None:
    assert paid_for(1_000_000, PRICE) == 3.0
    assert paid_for(None, PRICE) is None
    assert paid_for(5, None) is None
    assert paid_for(5, Price(100.0, "per_hour")) is None
    assert paid_for(None, Price(0.0)) == 0.0
