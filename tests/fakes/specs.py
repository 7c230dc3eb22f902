"""Specs as a person writes them, and what the core makes of each: a document, an entry, a desired job, complaints."""

from collections.abc import Mapping
from typing import Any

import pytest

from reconciler.core.complaints import problems_of
from reconciler.core.desired import Desired, Fleet, desire, fleet_of
from reconciler.core.documents import Entry, TrainingFile
from reconciler.core.models import Invalid, fleet_spec, job_spec

MODEL = {"model": "m", "training_file": "file-1"}
ALL_FIELDS = {
    **MODEL,
    "validation_file": "file-2",
    "suffix": "s",
    "seed": 7,
    "method": {"type": "supervised"},
    "integrations": [{"type": "wandb", "wandb": {"project": "p"}}],
    "metadata": {"a": "b"},
}
OLD_FORM = {**MODEL, "hyperparameters": {"n_epochs": 3}}


def envelope(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "reconciler/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def entry(
    spec: dict[str, Any],
    name: str = "a",
    *,
    training: TrainingFile | None = None,
    validation: TrainingFile | None = None,
) -> Entry:
    name, plain = written(spec, name)
    return Entry(name, plain, f"{name}.yaml", 1, training, validation)


def written(spec: dict[str, Any], name: str = "a") -> tuple[str, Mapping[str, Any]]:
    """The name and the spec of a job's document. Raises Invalid."""
    return job_spec(envelope("FineTuningJob", name, spec))


def fleet(spec: dict[str, Any]) -> Fleet:
    return fleet_of(*fleet_spec(envelope("Fleet", "f", spec)))


def only(*entries: Entry) -> Desired:
    """The first of them as decisions read it, where nothing is wrong with any."""
    made, faults = desire(entries)
    assert faults == []
    return made[entries[0].name]


def complaints(spec: dict[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with a spec that is refused: the path of each field, and a sentence."""
    with pytest.raises(Invalid) as raised:
        written(spec)
    return [(".".join(map(str, one.keys)), one.message) for one in problems_of(raised.value)]


def reinforcement(grader: object, **hyperparameters: object) -> dict[str, Any]:
    """The spec of a job that is trained by this grader."""
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
