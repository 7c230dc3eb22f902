"""Where a field that nobody knows belongs."""

import pytest

from reconciler.core.places import meant_by

JOB = "FineTuningJobDocument"


@pytest.mark.parametrize(
    ("document", "path", "name", "meant", "words"),
    [
        (JOB, ("spec",), "modle", "spec.model", "did you mean model?"),
        (JOB, ("spec",), "retries", "spec.policy.retries", "it belongs under spec.policy"),
        (JOB, (), "seed", "spec.seed", "it belongs under spec"),
        (
            JOB,
            ("spec", "method", "dpo"),
            "n_epochs",
            "spec.method.dpo.hyperparameters.n_epochs",
            "it belongs under spec.method.dpo.hyperparameters",
        ),
        (
            JOB,
            ("spec", "method"),
            "name",
            "spec.method.reinforcement.grader.name",
            "it belongs under spec.method.reinforcement.grader",
        ),
        (
            JOB,
            ("spec", "method"),
            "operation",
            "spec.method.reinforcement.grader.operation",
            "it belongs under spec.method.reinforcement.grader",
        ),
        (JOB, ("spec", "integrations", "*"), "project", "spec.integrations.*.wandb.project", "spec.integrations.wandb"),
        (JOB, ("spec",), "max_creates", "", "it belongs in the Fleet document, as spec.limits.max_creates"),
        ("FleetDocument", ("spec",), "suffix", "", "it belongs in the FineTuningJob document, as spec.suffix"),
        (
            JOB,
            ("spec",),
            "nEpochs",
            "spec.method.supervised.hyperparameters.n_epochs",
            "did you mean n_epochs? it belongs under spec.method.supervised.hyperparameters",
        ),
        (
            JOB,
            ("spec",),
            "learning_rate",
            "spec.method.supervised.hyperparameters.learning_rate_multiplier",
            "did you mean learning_rate_multiplier? it belongs under spec.method.supervised.hyperparameters",
        ),
        (
            JOB,
            ("spec",),
            "learning",
            "spec.method.supervised.hyperparameters.learning_rate_multiplier",
            "did you mean learning_rate_multiplier? it belongs under spec.method.supervised.hyperparameters",
        ),
        (
            JOB,
            ("spec", "method", "reinforcement"),
            "operation",
            "spec.method.reinforcement.grader.operation",
            "it belongs under spec.method.reinforcement.grader",
        ),
        (JOB, ("nowhere",), "seed", "spec.seed", "it belongs under spec"),
    ],
)
def test_a_field_belongs_where_its_document_or_the_other_has_it(
    document: str, path: tuple[str, ...], name: str, meant: str, words: str
) -> None:
    found = meant_by(document, path, name)
    assert found is not None
    assert ".".join(found.path) == meant
    assert found.words.endswith(words)


@pytest.mark.parametrize("name", ["zzzzzz", "hyperparametres", "status", "uid", "n", "learnin"])
def test_a_field_that_is_like_none_belongs_nowhere(name: str) -> None:
    assert meant_by(JOB, ("spec", "integrations", "*"), name) is None
