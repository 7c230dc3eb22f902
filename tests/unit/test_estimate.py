"""Estimates, alone and together."""

from reconciler.core.estimate import Cost, Estimate, Spent, dollars, exact_dollars, spent_on, total


def test_a_sum_counts_what_it_does_not_hold() -> None:
    known, unknown = Estimate(usd=1.5, about=True), Estimate(why="no price known for x")
    assert (total([known, known, unknown]).usd, total([known, unknown]).unknown) == (3.0, 1)
    assert total([known]).about
    assert not total([unknown]).about
    assert not total([Estimate(usd=1.5), Estimate(about=True, why="no price known for x")]).about


def test_less_than_a_cent_is_not_nothing() -> None:
    assert [dollars(usd) for usd in (0, 0.001, 0.005, 2.79, 12_345.678)] == [
        "$0.00",
        "<$0.01",
        "$0.01",
        "$2.79",
        "$12,345.68",
    ]


def test_what_is_paid_for_is_not_known_where_a_part_of_it_is_not() -> None:
    assert Estimate(tokens=10, epochs=3).trained == 30
    assert (Estimate(tokens=10).trained, Estimate(epochs=3).trained) == (None, None)


def test_what_was_spent_counts_the_jobs_that_it_does_not_hold() -> None:
    costs = [
        Cost(1_000, 2.5, Estimate()),
        Cost(None, None, Estimate()),
        Cost(500, None, Estimate()),
        Cost(None, 0.0, Estimate()),
    ]
    assert spent_on(costs) == Spent(jobs=4, tokens=1_500, usd=2.5, unknown=2)
    assert spent_on([]) == Spent(0, 0, 0.0, 0)


def test_a_sum_that_is_over_its_limit_by_less_than_a_cent_does_not_look_like_it() -> None:
    amounts = (0, 0.001, 0.00786, 5.0, 5.004, 12_345.678)
    assert [exact_dollars(usd) for usd in amounts] == ["$0.00", "$0.001", "$0.0079", "$5.00", "$5.004", "$12,345.678"]
