"""How costs read, and what programs get of them."""

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.core.estimate import Cost, Estimate, Spent
from reconciler.core.status import Progress
from reconciler.render.cost import (
    cost_data,
    cost_words,
    estimate_data,
    estimate_line,
    spent_data,
    spent_line,
)
from reconciler.render.plan_data import plan_data
from reconciler.render.plan_markdown import plan_markdown
from reconciler.render.plan_text import plan_text
from tests.fakes.builders import R2, desired, fleet, job, world
from tests.fakes.reviews import review

KNOWN = Estimate(
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
UNKNOWN = Estimate(model="m", file="t.jsonl", examples=1, tokens=1, epochs=1, why="no price known for m")
NOT_HERE = Estimate(model="m", file="file-1", why="its training file file-1 is not here to be counted")
FREE = replace(KNOWN, usd=0.0, price="free", date="", source="")


@pytest.mark.parametrize(
    ("estimate", "words"),
    [
        (KNOWN, "data/train.jsonl: 1,200 examples, about 310,000 tokens, 3 epochs ≈ $2.79"),
        (replace(KNOWN, about=False, usd=0.001), "data/train.jsonl: 1,200 examples, 310,000 tokens, 3 epochs < $0.01"),
        (UNKNOWN, "t.jsonl: 1 example, 1 token, 1 epoch; no price known for m"),
        (NOT_HERE, "cost not known: its training file file-1 is not here to be counted"),
        (FREE, "data/train.jsonl: 1,200 examples, about 310,000 tokens, 3 epochs cost nothing here"),
        (Estimate(usd=0.0, price="free"), "cost nothing here"),
        (
            replace(KNOWN, file="a\x1b.jsonl", usd=None, why="n\x1bo"),
            "a\\x1b.jsonl: 1,200 examples, about 310,000 tokens, 3 epochs; n\\x1bo",
        ),
    ],
)
def test_an_estimate_is_one_line(estimate: Estimate, words: str) -> None:
    assert estimate_line(estimate) == words


def two(**more: Any) -> Any:
    return review(world([], [desired("a"), desired("b")], of=fleet()), **more)


def test_jobs_that_wait_are_in_the_sum_and_are_said_to_be() -> None:
    waits = review(world([], [desired("a"), desired("b")], of=fleet(max_active=1)), estimates={"a": KNOWN, "b": KNOWN})
    assert "Cost: about $5.58 for 2 new jobs (1 waiting) at prices of 2025-11 (the page);" in plan_text(waits)
    assert "for 2 new jobs (1 waiting) at" in plan_markdown(waits)


@pytest.mark.parametrize(
    ("estimates", "provider", "words"),
    [
        ({"a": KNOWN, "b": KNOWN}, "openai", "Cost: about $5.58 for 2 new jobs at prices of 2025-11 (the page)."),
        (
            {"a": KNOWN, "b": UNKNOWN},
            "openai",
            "Cost: about $2.79 for 1 new job at prices of 2025-11 (the page); 1 more job of unknown cost.",
        ),
        ({"a": replace(KNOWN, usd=0.001)}, "openai", "Cost: <$0.01 for 1 new job at prices of 2025-11 (the page)."),
        ({"a": UNKNOWN, "b": UNKNOWN}, "openai", "Cost: not known (no price known for m)."),
        ({"a": FREE, "b": FREE}, "compatible", "Cost: $0.00 for 2 new jobs."),
        (
            {"a": KNOWN},
            "sandbox",
            "Cost: about $2.79 for 1 new job at prices of 2025-11 (the page); the sandbox charges nothing.",
        ),
    ],
)
def test_a_plan_ends_with_what_all_of_it_costs(estimates: Mapping[str, Estimate], provider: str, words: str) -> None:
    assert words in plan_text(two(estimates=estimates, provider=provider)).splitlines()
    assert words.removesuffix(".") in plan_markdown(two(estimates=estimates, provider=provider))


def test_a_plan_that_was_not_estimated_says_nothing_of_money() -> None:
    assert "Cost" not in plan_text(two())
    assert plan_data(two())["estimate"] is None


def test_each_create_has_its_estimate_as_data_and_the_plan_its_sum() -> None:
    data: Any = plan_data(two(estimates={"a": KNOWN, "b": UNKNOWN}))
    assert data["estimate"] == {"usd": 2.79, "about": True, "unknown": 1}
    assert data["changes"][0]["estimate"] == {
        "examples": 1_200,
        "tokens": 310_000,
        "epochs": 3,
        "trained_tokens": 930_000,
        "about": True,
        "usd": 2.79,
        "price": "$3 per 1M tokens",
        "price_date": "2025-11",
        "price_source": "the page",
        "unknown": None,
    }
    unknown = estimate_data(UNKNOWN)
    assert unknown is not None
    assert (unknown["usd"], unknown["unknown"], unknown["price"]) == (None, "no price known for m", None)


def test_a_cancel_says_what_it_throws_away_in_dollars() -> None:
    ending = world([job("j1", "a")], [desired("a", R2)])
    seen = review(ending, progress={"j1": Progress(40, 100, {})}, so_far={"j1": 1.104}, estimates={"a": KNOWN})
    assert "then cancels j1: running, 1h1m old, step 40 of 100, $1.10 spent" in plan_text(seen)
    data: Any = plan_data(seen)
    assert data["changes"][0]["throws_away"][0]["usd"] == 1.104


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        (Cost(930_000, 2.79, KNOWN), "$2.79 (about $2.79 estimated)"),
        (Cost(930_000, 2.79, replace(KNOWN, about=False)), "$2.79 ($2.79 estimated)"),
        (Cost(930_000, 2.79, UNKNOWN), "$2.79"),
        (Cost(930_000, None, KNOWN), ""),
        (Cost(930_000, 0.0, KNOWN), ""),
    ],
)
def test_what_a_job_has_cost_stands_beside_its_estimate(cost: Cost, words: str) -> None:
    assert cost_words(cost) == words


def test_what_a_fleet_has_spent_is_one_line_and_data() -> None:
    spent = Spent(jobs=3, tokens=1_234_567, usd=3.7, unknown=1)
    assert spent_line(spent) == "spent: $3.70 for 1,234,567 trained tokens of 3 jobs; 1 job of unknown cost"
    assert spent_line(replace(spent, unknown=0)).endswith("of 3 jobs")
    assert spent_line(replace(spent, usd=0.0)) == ""
    assert spent_data(spent) == {"jobs": 3, "trained_tokens": 1_234_567, "usd": 3.7, "unknown": 1}
    assert spent_data(None) is None
    found: Any = cost_data(Cost(10, None, KNOWN))
    assert (found["trained_tokens"], found["usd"], found["estimate"]["usd"]) == (10, None, 2.79)
    assert cost_data(None) is None
