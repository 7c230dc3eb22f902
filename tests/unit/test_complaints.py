"""What is refused, and in which words."""

from typing import Any

import pytest

from reconciler.core.complaints import problems_of
from reconciler.core.models import Invalid, job_spec
from tests.fakes.specs import (
    MODEL,
    MULTI,
    SCORE,
    STRING,
    complaints,
    fleet,
    reinforcement,
    written,
)

HYPER = ("n_epochs", "batch_size", "learning_rate_multiplier")


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"training_file": "file-1"}, "spec", "exactly one of model and model_from"),
        ({**MODEL, "model_from": {"job": "b"}}, "spec", "exactly one of model and model_from"),
        ({"model": "m"}, "spec.training_file", "required, and not set"),
        ({**MODEL, "modle": 1}, "spec.modle", "unknown field; did you mean model?"),
        ({**MODEL, "zzzzzz": 1}, "spec.zzzzzz", "unknown field"),
        ({**MODEL, "seed": -1}, "spec.seed", "greater than or equal to 0, not -1"),
        ({**MODEL, "seed": 2**31}, "spec.seed", "less than or equal to 2147483647"),
        ({**MODEL, "seed": "7"}, "spec.seed", "must be a whole number, not 7: remove the quotes"),
        ({**MODEL, "seed": 1.5}, "spec.seed", "must be a whole number, not "),
        ({**MODEL, "seed": True}, "spec.seed", "must be a whole number, not "),
        ({**MODEL, "suffix": ""}, "spec.suffix", "at least 1 character"),
        ({**MODEL, "suffix": "x" * 65}, "spec.suffix", "at most 64 characters"),
        ({**MODEL, "model": 4}, "spec.model", "must be text, not 4: put it in quotes"),
        ({**MODEL, "metadata": {"reconciler_x": "1"}}, "spec.metadata", "kept for this program's marks"),
        ({**MODEL, "metadata": {f"k{i}": "v" for i in range(11)}}, "spec.metadata", "at most 10 pairs"),
        ({**MODEL, "metadata": {"k" * 65: "v"}}, "spec.metadata", "1 to 64 characters"),
        ({**MODEL, "metadata": {"k": "v" * 513}}, "spec.metadata", "at most 512"),
        ({**MODEL, "metadata": {"k": 1}}, "spec.metadata.k", "must be text, not 1: put it in quotes"),
        ({**MODEL, "extra_body": {"model": "x"}}, "spec.extra_body", "write it as spec.model"),
        ({**MODEL, "rerun": -1}, "spec.rerun", "greater than or equal to 0"),
        ({**MODEL, "rerun": 1_000_001}, "spec.rerun", "less than or equal to 1000000"),
        (
            {**MODEL, "policy": {"state": "halted"}},
            "spec.policy.state",
            "'active', 'suspended', 'cancelled' or 'paused'",
        ),
        ({**MODEL, "policy": {"retries": 11}}, "spec.policy.retries", "less than or equal to 10"),
        (
            {**MODEL, "policy": {"adopt": {"job_id": "a\nb", "revision": "0" * 16}}},
            "spec.policy.adopt.job_id",
            "must be text without control characters",
        ),
        (
            {**MODEL, "policy": {"adopt": {"job_id": "x" * 513, "revision": "0" * 16}}},
            "spec.policy.adopt.job_id",
            "at most 512 characters",
        ),
        (
            {**MODEL, "policy": {"adopt": {"job_id": "a", "revision": "XYZ"}}},
            "spec.policy.adopt.revision",
            "must be the 16 digits (0-9, a-f) of a revision",
        ),
        ({**MODEL, "policy": []}, "spec.policy", "a mapping of fields"),
        ({**MODEL, "model_from": {"job": "b", "checkpoint": "first"}}, "spec.model_from.checkpoint", "must be 'last'"),
        ({**MODEL, "method": {"type": "other"}}, "spec.method.type", "'supervised', 'dpo' or 'reinforcement'"),
        (
            {**MODEL, "method": {"type": "dpo", "supervised": {"hyperparameters": {"n_epochs": 1}}}},
            "spec.method",
            "supervised",
        ),
        ({**MODEL, "hyperparameters": {"n_epochs": 3}, "method": {"type": "dpo"}}, "spec", "write one of them"),
        *(({**MODEL, "hyperparameters": {key: 0}}, f"spec.hyperparameters.{key}", "auto or a") for key in HYPER),
        ({**MODEL, "hyperparameters": {"n_epochs": 51}}, "spec.hyperparameters.n_epochs", "from 1 to 50"),
        ({**MODEL, "hyperparameters": {"n_epochs": 1.5}}, "spec.hyperparameters.n_epochs", "from 1 to 50"),
        ({**MODEL, "hyperparameters": {"batch_size": 257}}, "spec.hyperparameters.batch_size", "from 1 to 256"),
        ({**MODEL, "hyperparameters": {"n_epochs": True}}, "spec.hyperparameters.n_epochs", "from 1 to 50"),
        (
            {**MODEL, "hyperparameters": {"learning_rate_multiplier": float("inf")}},
            "spec.hyperparameters.learning_rate_multiplier",
            "above 0",
        ),
        ({**MODEL, "integrations": [{"type": "mlflow"}]}, "spec.integrations.0.type", "wandb"),
        ({**MODEL, "integrations": [{"type": "wandb"}]}, "spec.integrations.0.wandb", "required"),
    ],
)
def test_refusals(spec: dict[str, Any], field: str, words: str) -> None:
    assert any(path == field and words in message for path, message in complaints(spec)), complaints(spec)


A_FIELD_TOO_MANY = {
    "modle": "unknown field; did you mean model?",
    "zzzzzz": "unknown field",
    "z" * 65: "unknown field",
    "labels": "unknown field; it belongs under metadata",
    "kind": "unknown field; it belongs at the top of the document",
}
SEVENS = 7 * 10**59  # 60 digits
A_NAME = "a name is lower-case letters, digits and -, at most 63 characters"
A_MAP, NO_SPACE = "must be a mapping of fields", ": a space is missing after the colon of"
NO_ID = "must be text without control characters"


@pytest.mark.parametrize(
    ("spec", "field", "sentence"),
    [
        ({"model": "m"}, "training_file", "required, and not set"),
        ({"training_file": "file-1"}, "", "exactly one of model and model_from is needed"),
        ({**MODEL, "policy": []}, "policy", "must be a mapping of fields, not a list"),
        ({**MODEL, "policy": "x"}, "policy", "must be a mapping of fields, not x"),
        (
            {**MODEL, "policy": "retries:1"},
            "policy",
            "must be a mapping of fields, not retries:1: a space is missing after the colon of retries",
        ),
        *(({**MODEL, field: 1}, field, sentence) for field, sentence in A_FIELD_TOO_MANY.items()),
        (
            {**MODEL, "hyperparameters": {"n_epochs": 3}, "method": {"type": "dpo"}},
            "",
            "hyperparameters is the old form of method.supervised.hyperparameters: write one of them",
        ),
        ({**MODEL, "policy": "Retries:1"}, "policy", f"{A_MAP}, not Retries:1{NO_SPACE} Retries"),
        ({**MODEL, "model_from": {"job": "b", "checkpoint": 5}}, "model_from.checkpoint", "must be 'last'"),
        ({**MODEL, "model_from": {"job": "b", "checkpoint": ""}}, "model_from.checkpoint", "must be 'last'"),
        ({**MODEL, "policy": {"adopt": {"job_id": "a\nb"}}}, "policy.adopt.job_id", f"{NO_ID}, not a\\x0ab"),
        ({**MODEL, "metadata": {"api_key": 7}}, "metadata.api_key", "must be text: put it in quotes"),
        (
            reinforcement({**SCORE, "range": ["0", 1]}),
            "method.reinforcement.grader.range.0",
            "must be a number, not 0: remove the quotes",
        ),
        (
            reinforcement({**MULTI, "graders": {"a": {**STRING, "nmae": "x"}}}),
            "method.reinforcement.grader.graders.a.nmae",
            "unknown field; did you mean name?",
        ),
        ({**MODEL, "suffix": ""}, "suffix", "must have at least 1 character"),
        ({**MODEL, "suffix": "x" * 65}, "suffix", "must have at most 64 characters, and has 65"),
        ({**MODEL, "metadata": {"k": None}}, "metadata.k", "must be text, not null"),
        ({**MODEL, "metadata": {"k": ["v"]}}, "metadata.k", "must be text, not a list"),
        ({**MODEL, "metadata": {7: "v"}}, "metadata.7", "must be text, not 7: put it in quotes"),
        ({**MODEL, "model": SEVENS}, "model", f"must be text, not {SEVENS}: put it in quotes"),
        ({**MODEL, "model": SEVENS * 10}, "model", f"must be text, not 7{'0' * 58}…: put it in quotes"),
        *(
            ({**MODEL, "model_from": {"job": job}}, "model_from.job", f"{A_NAME}, not {shown}")
            for job, shown in [
                ("Not A Label", "Not A Label; did you mean not-a-label?"),
                ("A", "A; did you mean a?"),
                ("A" * 63, f"{'A' * 59}…; did you mean {'a' * 63}?"),
                ("A" * 64, f"{'A' * 59}…"),
                ("___", "___"),
            ]
        ),
    ],
)
def test_what_is_said_of_a_field(spec: dict[str, Any], field: str, sentence: str) -> None:
    assert (f"spec.{field}".removesuffix("."), sentence) in complaints(spec)


@pytest.mark.parametrize(
    ("field", "meant"),
    [
        ("modle", ("spec", "model")),
        ("labels", ("metadata", "labels")),
        ("retries", ("spec", "policy", "retries")),
        ("zzzzzz", ()),
        ("{{model}}", ()),
    ],
)
def test_the_field_that_was_meant_is_named_by_its_keys(field: str, meant: tuple[str, ...]) -> None:
    with pytest.raises(Invalid) as raised:
        written({**MODEL, field: 1})
    assert [(one.keys, one.meant) for one in problems_of(raised.value)] == [(("spec", field), meant)]


def test_a_field_is_missing_unless_another_was_meant_for_it() -> None:
    assert [path for path, _ in complaints({"model": "m", "sede": 1})] == ["spec.training_file", "spec.sede"]
    assert [path for path, _ in complaints({"model": "m", "training_fiel": "x"})] == ["spec.training_fiel"]


@pytest.mark.parametrize(("document", "found"), [([], "a list"), ("x", "x")])
def test_a_document_is_a_mapping(document: object, found: str) -> None:
    with pytest.raises(Invalid) as raised:
        job_spec(document)  # type: ignore[arg-type]
    assert [(one.keys, one.message) for one in problems_of(raised.value)] == [((), f"{A_MAP}, not {found}")]


def test_a_switch_in_quotes_is_no_switch() -> None:
    for text in ("true", "false"):
        with pytest.raises(Invalid) as raised:
            fleet({"provider": "openai", "prune": text})
        message = f"must be true or false, not {text}: remove the quotes"
        assert [one.message for one in problems_of(raised.value)] == [message]


def test_every_error_is_reported_at_once() -> None:
    assert len(complaints({"model": 1, "seed": "x", "suffix": "", "nope": 1})) == 5


@pytest.mark.parametrize(
    ("errors", "last"),
    [(100, "unknown field"), (101, "errors beyond the first 100: 1"), (350, "errors beyond the first 100: 250")],
)
def test_errors_beyond_the_first_hundred_are_counted(errors: int, last: str) -> None:
    found = complaints({**MODEL, **{f"x{number:03}": 1 for number in range(errors)}})
    assert len(found) == min(errors, 101)
    assert found[-1][1] == last


@pytest.mark.parametrize("field", ["uuid", "creationTimestmp", "finaliser", "creation_timestamp", "nam"])
def test_what_a_cluster_adds_is_never_suggested(field: str) -> None:
    envelope = {
        "apiVersion": "reconciler/v1",
        "kind": "FineTuningJob",
        "metadata": {"name": "a", field: 1},
        "spec": MODEL,
    }
    with pytest.raises(Invalid) as raised:
        job_spec(envelope)
    suggested = "; did you mean name?" if field == "nam" else ""
    assert [(one.keys, one.message) for one in problems_of(raised.value)] == [
        (("metadata", field), f"unknown field{suggested}")
    ]
