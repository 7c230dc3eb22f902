"""What of an adopted job contradicts its manifest, and what a server may rename, choose or leave out."""

from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.core.adoption import adoption_differences
from reconciler.core.desired import Desired
from reconciler.core.job import Job, parse_job
from reconciler.core.plan import plan
from tests.fakes.builders import R1, desired, job, world

WANTED = {
    "model": "gpt-4o-mini",
    "training_file": "file-1",
    "suffix": "support-bot",
    "seed": 7,
    "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3, "batch_size": "auto"}}},
}
SHOWN = {
    "id": "j9",
    "status": "running",
    "model": "gpt-4o-mini-2024-07-18",
    "training_file": "file-1",
    "user_provided_suffix": "Support Bot",
    "seed": "7",
    "hyperparameters": {"n_epochs": "3.0", "batch_size": 16, "learning_rate_multiplier": 0.1},
}


def wants(**changed: Any) -> Desired:
    return replace(desired(adopt=("j9", R1)), body={**WANTED, **changed})


def shows(**changed: Any) -> Job:
    return parse_job({**SHOWN, **changed})


def test_what_is_spelt_otherwise_or_chosen_by_the_server_is_no_difference() -> None:
    assert adoption_differences(wants(), shows()) == ()


@pytest.mark.parametrize("field", ["model", "training_file", "user_provided_suffix", "seed", "hyperparameters"])
def test_what_is_not_shown_proves_nothing(field: str) -> None:
    assert adoption_differences(wants(), shows(**{field: None})) == ()


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ({"model": "gpt-4o"}, "model gpt-4o, its manifest gpt-4o-mini"),
        ({"training_file": "file-2"}, "training_file file-2, its manifest file-1"),
        ({"user_provided_suffix": "sales"}, "suffix sales, its manifest support-bot"),
        ({"seed": 8}, "seed 8, its manifest 7"),
        ({"hyperparameters": {"n_epochs": 4}}, "n_epochs 4, its manifest 3"),
        (
            {"method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 9}}}},
            "n_epochs 9, its manifest 3",
        ),
        ({"hyperparameters": {"n_epochs": "auto"}}, "n_epochs auto, its manifest 3"),
        ({"method": {"type": "dpo"}}, "method dpo, its manifest supervised"),
        ({"model": "gpt-4o\x1b[2J"}, "model gpt-4o\\x1b[2J, its manifest gpt-4o-mini"),
    ],
)
def test_what_contradicts_the_manifest_is_named(shown: dict[str, Any], said: str) -> None:
    assert adoption_differences(wants(), shows(**shown)) == (said,)


def test_a_suffix_that_the_manifest_does_not_have_is_one_and_a_seed_is_none() -> None:
    spec = wants(suffix=None, seed=None)
    assert adoption_differences(spec, shows()) == ("suffix Support Bot, its manifest none",)


@pytest.mark.parametrize(("method", "said"), [("dpo", ("method dpo, its manifest supervised",)), ("supervised", ())])
def test_a_manifest_without_a_method_is_for_a_supervised_job(method: str, said: tuple[str, ...]) -> None:
    spec = replace(wants(), body={field: value for field, value in WANTED.items() if field != "method"})
    assert adoption_differences(spec, shows(method={"type": method}, hyperparameters=None)) == said


def test_a_plan_says_so_of_the_job_that_stands_for_its_name_and_of_no_other() -> None:
    other = shows(model="gpt-4o", seed=8)
    said = "; warning: it is not what its manifest says: model gpt-4o, its manifest gpt-4o-mini; seed 8, its manifest 7"
    (change,) = plan(world([other], [wants()])).changes
    assert change.message == f"running already, named by policy.adopt; no second one is made{said}"
    (change,) = plan(world([replace(other, status="succeeded", fine_tuned_model="ft:x")], [wants()])).changes
    assert change.message == f"its model exists: ft:x{said}"
    ours = replace(wants(), policy=desired().policy)
    (change,) = plan(world([replace(job("j9"), model="gpt-4o", seed=8)], [ours])).changes
    assert change.message.startswith("running; warning: it is not as it was asked for (seed: ")
    (change,) = plan(world([replace(job("j9"), seed=8, suffix="x")], [ours])).changes
    assert "(suffix: none was sent, the server shows x; seed: " in change.message
