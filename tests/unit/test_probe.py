"""The probe of `doctor`: a small job that no manifest can mean, and what of it comes back."""

import json
from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from reconciler.core.body import create_body, derived_seed
from reconciler.core.desired import Desired, Fleet
from reconciler.core.documents import ProviderName
from reconciler.core.job import Job, Marks, parse_job
from reconciler.core.probe import CONTENT, EXAMPLES, FILE, NAME, compared, fleet_of_probe, model_to_probe, probe_of
from reconciler.core.training import Training
from tests.fakes.builders import desired

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
    assert (FILE.size, PROBE.training) == (len(CONTENT), FILE)
    assert PROBE.body["model"] == "gpt-4o-mini"
    assert PROBE.extra_body == {"tier": "batch"}


def test_its_fleet_is_its_own_and_follows_from_the_other() -> None:
    mine, other = (fleet_of_probe(Fleet(name, provider=ProviderName.AZURE)) for name in ("fleet-1", "fleet-2"))
    assert mine.name.startswith("doctor-")
    assert mine == fleet_of_probe(Fleet("fleet-1", provider=ProviderName.AZURE))
    assert mine.name not in {other.name, "fleet-1"}


def test_the_model_is_that_of_the_first_job_that_names_one() -> None:
    built_on = replace(desired("a"), body={})
    wanted = {"b": replace(desired("b"), body={"model": "m"}), "a": built_on}
    assert model_to_probe(wanted) == wanted["b"]
    assert model_to_probe({"a": built_on}) is None


def test_where_method_is_not_sent_hyperparameters_are() -> None:
    probe = probe_of(LIKE, lambda body: "it drops method" if "method" in body else "")
    assert probe is not None
    assert probe.body["hyperparameters"] == {"n_epochs": 1}
    assert "method" not in {row.field for row in compared(probe, MARKS, shown(), "", NAMES)}
    assert probe_of(LIKE, lambda _: "nothing goes there") is None
    plain = probe_of(replace(LIKE, extra_body={}), nothing)
    assert plain is not None
    assert plain.revision != PROBE.revision


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
    rows = {row.field: row for row in compared(PROBE, MARKS, replace(shown(), training=Training()), "", NAMES)}
    assert (rows["seed"].sent, rows["seed"].shown) == (str(derived_seed(MARKS)),) * 2
    assert (rows["method"].sent, rows["method"].shown) == ("supervised", "")
