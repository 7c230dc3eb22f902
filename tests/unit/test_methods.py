"""Methods and graders."""

from typing import Any

import pytest

from tests.fakes.specs import (
    MODEL,
    MULTI,
    PYTHON,
    SCORE,
    SIMILAR,
    STRING,
    complaints,
    entry,
    only,
    reinforcement,
)

SINGLE = "'string_check', 'text_similarity', 'python', 'score_model'"
NO_GRADERS: tuple[object, ...] = ({"type": "other"}, {"type": ["python"]}, {"name": "x"}, 7)


@pytest.mark.parametrize("grader", [STRING, SIMILAR, PYTHON, SCORE, MULTI], ids=lambda g: g["type"])
def test_the_five_graders(grader: dict[str, Any]) -> None:
    desired = only(entry(reinforcement(grader, reasoning_effort="high", compute_multiplier=2, eval_samples="auto")))
    method: Any = desired.body["method"]
    assert method["reinforcement"]["grader"] == grader


@pytest.mark.parametrize(
    ("grader", "field", "words"),
    [
        ({}, "grader", "required"),
        *((wrong, "grader", f"its type must be one of {SINGLE}, 'multi'") for wrong in NO_GRADERS),
        *(
            ({**MULTI, "graders": {"a": wrong}}, "grader.graders.a", f"its type must be one of {SINGLE}, 'label_model'")
            for wrong in NO_GRADERS
        ),
        ({**STRING, "operation": "is"}, "grader.operation", "'eq', 'ne', 'like' or 'ilike'"),
        ({**SIMILAR, "evaluation_metric": "vibes"}, "grader.evaluation_metric", "bleu"),
        ({**PYTHON, "source": ""}, "grader.source", "at least 1 character"),
        ({k: v for k, v in SCORE.items() if k != "model"}, "grader.model", "required"),
        ({**MULTI, "graders": {"a": {**STRING, "operation": "is"}}}, "grader.graders.a.operation", "'eq'"),
        ({**STRING, "extra": 1}, "grader.extra", "unknown field"),
    ],
)
def test_graders_are_refused_by_field(grader: object, field: str, words: str) -> None:
    found = complaints(reinforcement(grader))
    prefix = "spec.method.reinforcement."
    assert any(path == prefix + field and words in message for path, message in found), found


def test_a_grader_is_required() -> None:
    found = complaints({**MODEL, "method": {"type": "reinforcement"}})
    assert any("reinforcement" in path or "reinforcement" in message for path, message in found), found


@pytest.mark.parametrize(("beta", "fits"), [("auto", True), (0.1, True), (2, True), (2.1, False), (0, False)])
def test_dpo_has_a_beta(beta: object, fits: bool) -> None:
    spec = {**MODEL, "method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": beta}}}}
    if fits:
        assert only(entry(spec)).body["method"] == spec["method"]
    else:
        assert complaints(spec)[0][0] == "spec.method.dpo.hyperparameters.beta"
