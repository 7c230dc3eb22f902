"""How a job trains, read from whatever a server makes of it."""

import pytest
from msgspec import Raw

from reconciler.core.training import AUTO, Training, training_in, training_of


@pytest.mark.parametrize(
    ("said", "fields", "training"),
    [
        ("nothing", {}, Training()),
        ("null", {"method": None, "hyperparameters": None}, Training()),
        ("the API's own form", {"method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.1}}}}, ("dpo", 0.1)),
        ("in another case", {"method": {"type": "DPO", "DPO": {}}}, ("dpo", None)),
        ("as a text", {"method": "Reinforcement"}, ("reinforcement", None)),
        ("without a type", {"method": {"dpo": {"hyperparameters": {"beta": "0.10"}}, "supervised": {}}}, ("dpo", 0.1)),
        ("of another type than text", {"method": {"type": 7}}, Training()),
        ("an array", {"method": ["dpo"]}, Training()),
        ("hyperparameters of an earlier generation", {"hyperparameters": {"beta": 0.1}}, ("", 0.1)),
        ("those beside a method", {"method": {"type": "dpo"}, "hyperparameters": {"beta": "1e-1"}}, ("dpo", 0.1)),
        ("auto", {"hyperparameters": {"beta": "auto"}}, ("", AUTO)),
        ("auto as a number", {"hyperparameters": {"beta": -1}}, ("", AUTO)),
        ("unset as 0", {"hyperparameters": {"beta": "0"}}, ("", None)),
        ("no number at all", {"hyperparameters": {"beta": {"a": 1}}}, ("", None)),
        ("no hyperparameters at all", {"hyperparameters": "none"}, ("", None)),
    ],
)
def test_a_training_is_read_in_any_spelling(
    said: str, fields: dict[str, object], training: Training | tuple[str, float | None]
) -> None:
    if not isinstance(training, Training):
        method, beta = training
        training = Training(method, () if beta is None else (("beta", beta),))
    assert training_of(fields) == training, said


@pytest.mark.parametrize(
    ("method", "beside", "training"),
    [
        (b'{"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.1}}}', None, Training("dpo", (("beta", 0.1),))),
        (b"null", b'{"n_epochs": "auto"}', Training("", (("n_epochs", AUTO),))),
        (None, b"null", Training()),
        (rb'{"type": "dpo\ud800"}', None, Training("dpo")),
    ],
)
def test_so_is_one_that_nobody_has_decoded_yet(method: bytes | None, beside: bytes | None, training: Training) -> None:
    assert training_in(Raw(method or b""), Raw(beside or b"")) == training


def test_what_many_jobs_have_is_kept_once() -> None:
    one, other = (training_of({"method": {"type": "dpo", "dpo": {}}}) for _ in range(2))
    assert one is other


def test_a_server_cannot_fill_the_memory_with_names() -> None:
    assert len(training_of({"hyperparameters": {str(i): 1 for i in range(1000)}}).numbers) == 20
