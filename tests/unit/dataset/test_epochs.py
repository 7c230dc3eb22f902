"""Epochs, as OpenAI's own notebook computes them."""

import pytest

from reconciler.dataset.epochs import auto_epochs, epochs_of


@pytest.mark.parametrize(
    ("examples", "epochs"),
    [(1, 25), (4, 25), (5, 20), (10, 10), (33, 3), (34, 3), (100, 3), (8_333, 3), (8_334, 2), (12_501, 1), (25_000, 1)],
)
def test_auto_aims_at_a_hundred_to_twenty_five_thousand_examples(examples: int, epochs: int) -> None:
    assert auto_epochs(examples) == epochs


def test_a_file_without_examples_has_the_usual_epochs() -> None:
    assert auto_epochs(0) == 3


@pytest.mark.parametrize(
    "body",
    [
        {"method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 7}}}},
        {"method": {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 7}}}},
        {"hyperparameters": {"n_epochs": 7}},
    ],
)
def test_what_the_manifest_says_is_taken_from_its_method_or_the_old_form(body: dict[str, object]) -> None:
    assert epochs_of(body, 5) == 7


@pytest.mark.parametrize("body", [{}, {"hyperparameters": {"n_epochs": "auto"}}, {"method": {"type": "supervised"}}])
def test_auto_and_nothing_are_computed(body: dict[str, object]) -> None:
    assert epochs_of(body, 5) == 20


def test_nobody_can_say_how_long_reinforcement_takes() -> None:
    assert epochs_of({"method": {"type": "reinforcement", "reinforcement": {}}}, 5) is None
