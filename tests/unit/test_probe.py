"""The probe of `doctor`: a small job that no manifest can mean, and what of it comes back."""

import hashlib
import json
from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from reconciler.core.body import create_body, derived_seed
from reconciler.core.desired import Desired, Expect, Fleet, Policy
from reconciler.core.documents import ProviderName, TrainingFile
from reconciler.core.fields import OnCancelled
from reconciler.core.job import Job, Marks, parse_job
from reconciler.core.probe import (
    CONTENT,
    EXAMPLES,
    FILE,
    NAME,
    Compared,
    compared,
    fleet_of_probe,
    model_to_probe,
    probe_of,
)
from reconciler.core.revision import revision_of
from reconciler.core.training import Training
from tests.fakes.builders import desired

BASE = {"model": "gpt-4o-mini", "suffix": "probe"}
LIKE = replace(desired(), body={"model": "gpt-4o-mini"}, extra_body={"tier": "batch"})


def nothing(_: Mapping[str, object]) -> str:
    return ""


def a_probe() -> Desired:
    probe = probe_of(LIKE, nothing)
    assert probe is not None
    return probe


PROBE = a_probe()
MARKS = Marks("doctor-0123456789ab", NAME, PROBE.revision, 1)
NAMES = ("n.jsonl",)


def shown(**fields: object) -> Job:
    """The job as a server shows it that returns all that it was sent, but for these."""
    body = create_body(PROBE, MARKS, model=None, training="file-1", validation=None)
    return parse_job({"id": "j1", "status": "queued", **body, **fields})


def found(job: Job, name: str = "n.jsonl") -> dict[str, bool | None]:
    return {row.field: row.same for row in compared(PROBE, MARKS, job, name, NAMES)}


def test_it_is_the_smallest_job_that_the_api_takes() -> None:
    assert len(CONTENT.splitlines()) == EXAMPLES == 10
    assert all(len(json.loads(line)["messages"]) == 2 for line in CONTENT.splitlines())
    assert TrainingFile("doctor.jsonl", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT)) == FILE
    body = {**BASE, "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1}}}}
    form = {**body, "training_file": f"sha256:{FILE.sha256}", "extra_body": {"tier": "batch"}}
    again = Policy(on_cancelled=OnCancelled.RECREATE)
    probe = a_probe()
    assert probe == Desired("probe", revision_of(form), form, body, {"tier": "batch"}, training=FILE, policy=again)


def test_its_fleet_is_its_own_and_follows_from_the_other() -> None:
    like = Fleet("fleet-1", provider=ProviderName.AZURE, expect=Expect(project="p"))
    digest = hashlib.sha256(b"fleet-1").hexdigest()[:12]
    assert fleet_of_probe(like) == replace(like, name=f"doctor-{digest}")


def test_the_model_is_that_of_the_first_job_that_names_one() -> None:
    built_on = replace(desired("a"), body={})
    wanted = {"b": replace(desired("b"), body={"model": "m"}), "a": built_on}
    assert model_to_probe(wanted) == wanted["b"]
    assert model_to_probe({"a": built_on}) is None


def test_where_method_is_not_sent_hyperparameters_are() -> None:
    probe = probe_of(LIKE, lambda body: "it drops method" if "method" in body else "")
    assert probe is not None
    assert probe.body == {**BASE, "hyperparameters": {"n_epochs": 1}}
    assert "method" not in {row.field for row in compared(probe, MARKS, shown(), "", NAMES)}
    assert probe_of(LIKE, lambda _: "nothing goes there") is None
    plain = probe_of(replace(LIKE, extra_body={}), nothing)
    assert plain is not None
    assert plain.form == {**PROBE.body, "training_file": f"sha256:{FILE.sha256}"}


def test_what_comes_back_as_it_was_sent_is_the_same() -> None:
    assert set(found(shown()).values()) == {True}


@pytest.mark.parametrize(
    ("fields", "field", "same"),
    [
        ({"metadata": None}, "metadata", None),
        ({"metadata": Marks("f", "n", "0" * 16, 1).as_metadata()}, "metadata", False),
        ({"seed": None}, "seed", None),
        ({"seed": 0}, "seed", None),
        ({"seed": 5}, "seed", False),
        ({"suffix": None}, "suffix", None),
        ({"suffix": "other"}, "suffix", False),
        ({"model": ""}, "model", None),
        ({"model": "another"}, "model", False),
        ({"method": None}, "method", None),
        ({"method": {"type": "dpo"}}, "method", False),
        ({"method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}}}, "n_epochs", False),
        ({"method": {"type": "supervised"}}, "n_epochs", None),
    ],
)
def test_what_does_not_is_told_apart(fields: dict[str, object], field: str, same: bool | None) -> None:
    assert found(shown(**fields))[field] is same


@pytest.mark.parametrize(("name", "same"), [("", None), ("other.jsonl", False), ("n.jsonl", True)])
def test_the_name_of_its_file_is_one_of_those_that_it_may_have(name: str, same: bool | None) -> None:
    assert found(shown(), name)["file name"] is same


def test_both_values_are_told() -> None:
    seed = str(derived_seed(MARKS))
    rows = compared(PROBE, MARKS, shown(), "n.jsonl", ("n.jsonl", "m.jsonl"))
    assert [(row.field, row.sent, row.shown) for row in rows] == [
        ("metadata", "our marks", "our marks"),
        ("file name", "n.jsonl or m.jsonl", "n.jsonl"),
        ("seed", seed, seed),
        ("suffix", "probe", "probe"),
        ("model", "gpt-4o-mini", "gpt-4o-mini"),
        ("method", "supervised", "supervised"),
        ("n_epochs", "1", "1"),
    ]


def test_what_is_not_shown_is_told_as_nothing() -> None:
    bare = replace(shown(), marks=None, seed=None, suffix=None, model="", training=Training())
    rows = compared(PROBE, MARKS, bare, "", NAMES)
    assert [(row.shown, row.same) for row in rows] == [("", None)] * 7


def test_marks_of_another_job_are_told_as_such() -> None:
    (marks, *_) = compared(PROBE, MARKS, replace(shown(), marks=replace(MARKS, attempt=2)), "", NAMES)
    assert marks == Compared("metadata", "our marks", "other marks", same=False)
