"""Specs of jobs as a person writes them, and what is read of them."""

from typing import Any

import pytest
from pydantic import ValidationError

from reconciler.core.complaints import problems_of
from reconciler.core.desired import Desired, Fleet, desire, fleet_of
from reconciler.core.documents import Entry, FineTuningJobDocument, FleetDocument, TrainingFile

MODEL = {"model": "m", "training_file": "file-1"}
WHOLE = {
    **MODEL,
    "validation_file": "file-2",
    "suffix": "s",
    "seed": 7,
    "method": {"type": "supervised"},
    "integrations": [{"type": "wandb", "wandb": {"project": "p"}}],
    "metadata": {"a": "b"},
}
OLD_FORM = {**MODEL, "hyperparameters": {"n_epochs": 3}}


def document(spec: dict[str, Any], name: str = "a") -> FineTuningJobDocument:
    told = {"apiVersion": "reconciler/v1", "kind": "FineTuningJob", "metadata": {"name": name}, "spec": spec}
    return FineTuningJobDocument.model_validate(told)


def entry(spec: dict[str, Any], name: str = "a", **files: TrainingFile) -> Entry:
    return Entry(document(spec, name), f"{name}.yaml", 1, **files)


def fleet(spec: dict[str, Any]) -> Fleet:
    told = {"apiVersion": "reconciler/v1", "kind": "Fleet", "metadata": {"name": "f"}, "spec": spec}
    return fleet_of(FleetDocument.model_validate(told))


def only(*entries: Entry) -> Desired:
    made, faults = desire(entries)
    assert faults == []
    return made[entries[0].name]


def said(spec: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as raised:
        document(spec)
    return [(".".join(map(str, path)), message) for path, message in problems_of(raised.value)]


def reinforcement(grader: object, **hyperparameters: object) -> dict[str, Any]:
    return {
        **MODEL,
        "method": {"type": "reinforcement", "reinforcement": {"grader": grader, "hyperparameters": hyperparameters}},
    }


STRING = {"type": "string_check", "name": "s", "operation": "eq", "input": "{{sample.output_text}}", "reference": "x"}
SIMILAR = {"type": "text_similarity", "name": "t", "evaluation_metric": "rouge_l", "input": "x", "reference": "y"}
PYTHON = {"type": "python", "name": "p", "source": "def grade(sample, item): return 1", "image_tag": "2025-05-08"}
SCORE = {
    "type": "score_model",
    "name": "m",
    "model": "gpt-4.1",
    "input": [{"role": "user", "content": "rate {{item.x}}"}],
    "range": [0, 10],
}
MULTI = {"type": "multi", "name": "w", "calculate_output": "0.5*a+0.5*b", "graders": {"a": STRING, "b": SIMILAR}}
