"""What a misspelt word was meant for."""

from collections.abc import Sequence

import pytest

from reconciler.core.nearest import nearest


@pytest.mark.parametrize(
    ("word", "choices", "meant"),
    [
        ("modle", ("seed", "model"), "model"),
        ("MODEL", ("seed", "model"), "model"),
        ("onChange", ("on_remove", "on_change"), "on_change"),
        ("trainingFile", ("validation_file", "training_file"), "training_file"),
        ("finetunejob", ("Fleet", "FineTuningJob"), "FineTuningJob"),
        ("train.jsonl", ("Train.jsonl", "train.JSONL"), "Train.jsonl"),
        ("nobody", ("seed", "model"), None),
        ("", ("seed",), None),
        ("seed", (), None),
        ("a" * 255, ("a" * 254,), "a" * 254),
        ("a" * 256, ("a" * 256,), None),
    ],
)
def test_the_most_alike_in_any_case_of_letters(word: str, choices: Sequence[str], meant: str | None) -> None:
    assert nearest(word, choices) == meant
