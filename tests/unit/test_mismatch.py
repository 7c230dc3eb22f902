"""What was sent, compared with what came back: a lost method is another job, all else is at most worth a warning."""

from typing import Any

import pytest

from reconciler.core.body import derived_seed
from reconciler.core.job import Marks, parse_job
from reconciler.core.mismatch import differences, lost_method, lost_words, same_seed
from tests.fakes.builders import FLEET, R1

MARKS = Marks(FLEET, "a", R1, 1)


def method(kind: str, **numbers: object) -> dict[str, Any]:
    return {"method": {"type": kind, kind: {"hyperparameters": numbers}}}


DPO = method("dpo", n_epochs=3)


@pytest.mark.parametrize(
    ("shown", "lost"),
    [
        (DPO, ""),
        ({"method": {"type": "DPO"}}, ""),
        ({"method": "dpo"}, ""),
        ({}, "dpo"),
        ({"method": None}, "dpo"),
        ({"method": {}}, "dpo"),
        ({"method": {"type": "supervised"}}, "dpo"),
        ({"method": {"type": "Reinforcement"}}, "dpo"),
        ({"method": {"type": "preference"}}, ""),  # renamed: that proves nothing
    ],
)
def test_a_dpo_job_must_say_that_it_is_one(shown: dict[str, Any], lost: str) -> None:
    assert lost_method(DPO, parse_job({"id": "j", **shown}), assumed=False) == lost


@pytest.mark.parametrize(
    ("sent", "shown", "lost"),
    [
        ({}, {}, ""),
        ({}, {"method": {"type": "dpo"}}, ""),  # none was asked for, none can be lost
        (method("supervised"), {}, ""),  # what every server does anyhow
        (method("supervised"), {"method": {"type": "dpo"}}, "supervised"),
        (method("reinforcement"), {}, "reinforcement"),
        ({"extra_body": {"method": {"type": "dpo"}}}, {}, "dpo"),
        ({"extra_body": {"method": {"type": "grpo"}}}, {"method": {"type": "supervised"}}, ""),  # no word of the API
        ({"extra_body": "method"}, {}, ""),  # no fields
    ],
)
def test_what_was_sent_decides_what_can_be_lost(sent: dict[str, Any], shown: dict[str, Any], lost: str) -> None:
    assert lost_method(sent, parse_job({"id": "j", **shown}), assumed=False) == lost


def test_the_operator_speaks_for_what_is_not_shown_and_not_against_what_is() -> None:
    assert lost_method(DPO, parse_job({"id": "j"}), assumed=True) == ""
    assert lost_method(DPO, parse_job({"id": "j", "method": "supervised"}), assumed=True) == "dpo"


def test_the_words_say_both() -> None:
    assert lost_words("dpo", parse_job({"id": "j"})) == "method dpo was sent, and the server made it without one"
    assert lost_words("dpo", parse_job({"id": "j", "method": "supervised"})).endswith("made it supervised")


@pytest.mark.parametrize(
    ("sent", "shown", "words"),
    [
        (DPO, DPO, ()),
        (DPO, method("dpo", n_epochs="3.0"), ()),
        (DPO, method("dpo", n_epochs=1), ("n_epochs: 3 was sent, the server shows 1",)),
        (DPO, method("dpo", n_epochs="auto"), ("n_epochs: 3 was sent, the server shows auto",)),
        (DPO, method("dpo", n_epochs=-1), ("n_epochs: 3 was sent, the server shows auto",)),
        (DPO, method("dpo", n_epochs=0), ()),  # unset, as some servers write it
        (DPO, method("dpo", batch_size=9), ()),  # left out, and one that was not sent
        (method("dpo", n_epochs="auto"), method("dpo", n_epochs=4), ()),
        ({"hyperparameters": {"n_epochs": 3}}, method("supervised", n_epochs=2), ("n_epochs: 3 was sent",)),
        ({"suffix": "Support-Bot"}, {"suffix": "support_bot"}, ()),
        ({"suffix": "s"}, {"suffix": ""}, ()),
        ({"suffix": "s"}, {"user_provided_suffix": "t\x1b"}, ("suffix: s was sent, the server shows t",)),
        ({}, {"suffix": "t"}, ("suffix: none was sent, the server shows t",)),
        ({"seed": 7}, {"seed": "7"}, ()),
        ({"seed": 7}, {"seed": 0}, ()),
        ({"seed": 7}, {"seed": 8}, ("seed: 7 was sent, the server shows 8",)),
        ({"seed": 0}, {"seed": 8}, ("seed: 0 was sent, the server shows 8",)),
        ({}, {"seed": derived_seed(MARKS)}, ()),
        ({}, {"seed": 8}, (f"seed: {derived_seed(MARKS)} was sent, the server shows 8",)),
        ({"model": "gpt-4.1"}, {"model": "GPT-4.1-2025-04-14"}, ()),
    ],
)
def test_what_contradicts_is_said_and_what_is_absent_or_renamed_is_not(
    sent: dict[str, Any], shown: dict[str, Any], words: tuple[str, ...]
) -> None:
    found = differences(sent, parse_job({"id": "j", **shown}), MARKS)
    assert len(found) == len(words)
    assert all(text.startswith(start) for text, start in zip(found, words, strict=True))
    assert not any("\x1b" in text for text in found)


def test_a_seed_that_differs_may_be_of_another_job() -> None:
    assert same_seed({}, parse_job({"id": "j", "seed": derived_seed(MARKS)}), MARKS)
    assert same_seed({}, parse_job({"id": "j"}), MARKS)
    assert not same_seed({}, parse_job({"id": "j", "seed": 8}), MARKS)
