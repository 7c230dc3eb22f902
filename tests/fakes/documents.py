"""Documents as a person may write them, valid and not: what `validate`, its schema and its shortcut must agree about."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

GRADER = {"type": "string_check", "name": "g", "input": "a", "reference": "b", "operation": "eq"}
LABEL: dict[str, Any] = {"type": "label_model", "name": "l", "model": "m", "input": [{"role": "user", "content": "x"}]}
LABEL |= {"labels": ["a", "b"], "passing_labels": ["a"]}
SCORE: dict[str, Any] = {
    "type": "score_model",
    "name": "s",
    "model": "m",
    "input": [{"role": "user", "content": ["x"]}],
}
SCORE |= {
    "range": [0, 1.5],
    "sampling_params": {"seed": 1, "top_p": 0.5, "temperature": 1, "max_completions_tokens": 9},
}
MULTI = {"type": "multi", "name": "m", "graders": {"a": GRADER, "b": LABEL}, "calculate_output": "a + b"}
SPEECH = {"n_epochs": 3, "batch_size": "auto", "learning_rate_multiplier": 0.1}


def job(**spec: Any) -> dict[str, Any]:
    envelope = {"apiVersion": "reconciler/v1", "kind": "FineTuningJob"}
    return {**envelope, "metadata": {"name": "a", "labels": {"k": "v"}}, "spec": {"training_file": "file-1", **spec}}


def fleet(**spec: Any) -> dict[str, Any]:
    envelope = {"apiVersion": "reconciler/v1", "kind": "Fleet"}
    return {**envelope, "metadata": {"name": "f", "uid": 1}, "spec": {"provider": "openai", **spec}, "status": {}}


def method(kind: str, **held: Any) -> dict[str, Any]:
    return job(model="m", method={"type": kind, kind: held} if held else {"type": kind})


VALID = [
    job(model="m"),
    job(model_from={"job": "b", "checkpoint": "last"}, rerun=3.0),
    job(model="m", validation_file="file-2", suffix="s", seed=7, metadata={"a": "b"}, extra_body={"x": [None]}),
    job(model="m", hyperparameters=SPEECH),
    job(model="m", hyperparameters=SPEECH, method={"type": "supervised"}),
    job(model="m", integrations=[{"type": "wandb", "wandb": {"project": "p", "tags": ["t"]}}]),
    job(model="m", policy={"state": "active", "on_change": "wait", "on_remove": "orphan", "on_cancelled": "hold"}),
    job(model="m", policy={"retries": 2, "adopt": {"job_id": "ftjob-1", "revision": "0" * 16}}),
    method("supervised"),
    method("supervised", hyperparameters=SPEECH),
    method("dpo", hyperparameters={**SPEECH, "beta": 0.1}),
    *(method("reinforcement", grader=grader) for grader in (GRADER, SCORE, MULTI)),
    method("reinforcement", grader=GRADER, hyperparameters={"compute_multiplier": 1.5, "eval_interval": 1}),
    fleet(),
    fleet(state="suspended", prune=False, expect={"host": "h", "organization": "o", "project": "p"}),
    fleet(limits={"max_creates": 1, "max_cancels": "100%", "max_active": 2}),
    fleet(limits={"max_cancels": 3}),
    fleet(limits={"max_cost": 0.5}),
]
VALUES: list[Any] = [
    *(None, {}, [], "", "x", "auto", "wait", "active", "last", "supervised", "dpo", "reinforcement", "Not A Name"),
    *(True, False, -1, 0, 1, 2, 3.0, 0.5, 1e-05, 10, 10.5, 11, 50, 51, 256, 257, 2**31 - 1, 2**31, 1_000_001, 1e300),
    *("0%", "007%", "100%", "101%", "30 %", "x" * 64, "x" * 65, "x" * 257, "0" * 16, "file-1"),
    *([None], ["x"], [1, 2], [1, 2, 3], {"x": 1}, {"x": "y"}, {"x": None}, {"type": "supervised"}, {"job": "b"}),
    *({"reconciler_x": "y"}, {"": "y"}, {"k" * 65: "y"}, {"k": "v" * 513}, {f"k{n}": "v" for n in range(11)}),
    *({"model": "m"}, {"n_epochs": None}, {"hyperparameters": {}}, {"grader": GRADER}, GRADER, MULTI, LABEL),
]
NAMES = [
    "model",
    "model_from",
    "method",
    "hyperparameters",
    "dpo",
    "supervised",
    "seed",
    "beta",
    "type",
    "status",
    "zzz",
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a document that something else can be put into."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, held in steps for place in places(held, (*path, key)))]


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A valid document, and up to three changes of it: another value, a field fewer, a field more."""
    document: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(0, 3))):
        path = draw(
            st.sampled_from([place for place in places(document) if place and place[0] in {"metadata", "spec"}])
        )
        held: Any = document
        for key in path[:-1]:
            held = held[key]
        change = draw(st.sampled_from(["value", "fewer", "more"]))
        if change == "fewer" and len(path) > 1:
            del held[path[-1]]
        elif change == "more" and isinstance(held, dict):
            held[draw(st.sampled_from(NAMES))] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        else:
            held[path[-1]] = copy.deepcopy(draw(st.sampled_from(VALUES)))
    return document


def altered(value: Any) -> Iterator[dict[str, Any]]:
    """The valid documents with this value in each place that only one of them has."""
    tried: set[tuple[Any, ...]] = set()
    for document in VALID:
        for path in places(document):
            if len(path) > 1 and (document["kind"], path) not in tried:
                tried.add((document["kind"], path))
                other = copy.deepcopy(document)
                held: Any = other
                for key in path[:-1]:
                    held = held[key]
                held[path[-1]] = value
                yield other
