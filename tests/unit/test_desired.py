"""What decisions read of valid documents, and what is wrong between jobs."""

from typing import Any

import msgspec
import pytest

from reconciler.core import models, spec
from reconciler.core.desired import Adoption, Expect, Fleet, Limits, Policy, desire, policy_of
from reconciler.core.documents import Entry, ProviderName, TrainingFile
from reconciler.core.fields import (
    DataChecks,
    OnCancelled,
    OnChange,
    OnRemove,
    State,
)
from reconciler.core.scalars import REQUIRED, Strict
from tests.fakes.specs import (
    ALL_FIELDS,
    MODEL,
    OLD_FORM,
    entry,
    fleet,
    only,
)


def faults(*entries: Entry, broken: frozenset[str] = frozenset()) -> dict[str, str]:
    return {fault.name: fault.message for fault in desire(entries, broken)[1]}


def built_on(upstream: str, name: str) -> Entry:
    return entry({"model_from": {"job": upstream}, "training_file": "file-1"}, name)


def test_one_existing_job_stands_for_one_name_only() -> None:
    adopting = {**MODEL, "policy": {"adopt": {"job_id": "ftjob-1", "revision": "0" * 16}}}
    messages = faults(entry(adopting, "a"), entry(adopting, "b"), entry(MODEL, "c"))
    assert messages == {"a": "", "b": "job ftjob-1 is adopted by a already: it can stand for one name only"}
    built = faults(built_on("a", "down"), entry(adopting, "a"), entry(adopting, "b"))
    assert set(built) == {"a", "b", "down"}, "and what is built on one of them has no model"


@pytest.mark.parametrize("job_id", ["a/../b", "..", "YWJj==", "é", "x" * 512])
def test_whatever_a_server_may_call_a_job_can_be_adopted(job_id: str) -> None:
    adopting = {**MODEL, "policy": {"adopt": {"job_id": job_id, "revision": "0" * 16}}}
    found, wrong = desire([entry(adopting, "a")])
    assert wrong == []
    assert found["a"].policy.adopt is not None
    assert found["a"].policy.adopt.job_id == job_id


def test_a_fault_names_the_field() -> None:
    adopting = {**MODEL, "policy": {"adopt": {"job_id": "ftjob-1", "revision": "0" * 16}}}
    wrong = entry({**MODEL, "extra_body": {"n": 2**60}}, "c")
    _, found = desire([entry(adopting, "a"), entry(adopting, "b"), wrong, built_on("nobody", "d")])
    assert {fault.name: ".".join(fault.path) for fault in found} == {
        "a": "spec.policy.adopt.job_id",
        "b": "spec.policy.adopt.job_id",
        "c": "spec",
        "d": "spec.model_from.job",
    }


def test_model_from_must_lead_to_a_model() -> None:
    assert faults(built_on("nobody", "a")) == {"a": "no job nobody in this fleet"}
    assert faults(built_on("bse", "a"), entry(MODEL, "base")) == {"a": "no job bse in this fleet; did you mean base?"}
    assert faults(built_on("a", "a")) == {"a": "a job cannot be built on its own model"}


def test_one_mistake_among_jobs_is_said_once() -> None:
    """Every job that it concerns is in error, and the others' errors say nothing."""
    circle = faults(built_on("b", "a"), built_on("c", "b"), built_on("a", "c"), built_on("a", "below"))
    assert circle == {"a": "", "b": "", "c": "these jobs wait for each other's model: c → a → b → c", "below": ""}
    assert faults(built_on("up", "a"), broken=frozenset({"up"})) == {"a": ""}
    no_job = "no job nobody in this fleet"
    assert faults(built_on("nobody", "up"), built_on("up", "a")) == {"a": "", "up": no_job}


def test_a_job_that_is_built_on_a_sound_one_has_no_fault() -> None:
    assert faults(built_on("up", "a"), entry(MODEL, "up")) == {}


def test_a_long_chain_is_read_in_any_order() -> None:
    links = [built_on(f"n{i + 1}", f"n{i}") for i in range(2000)]
    assert faults(*links, entry(MODEL, "n2000")) == {}


def test_a_value_without_a_canonical_form_is_a_fault() -> None:
    assert "no canonical form" in faults(entry({**MODEL, "extra_body": {"n": 2**60}}))["a"]


def test_a_fleet_by_default() -> None:
    assert fleet({"provider": "openai"}) == Fleet("f", ProviderName.OPENAI)


def test_a_fleet_with_every_field() -> None:
    written = {
        "provider": "compatible",
        "state": "suspended",
        "prune": False,
        "data_checks": "off",
        "expect": {"host": "h", "organization": "o", "project": "p"},
        "limits": {"max_creates": 0, "max_cancels": 3.0, "max_active": 2, "max_cost": 7.5},
    }
    described = fleet(written)
    assert described == Fleet(
        "f",
        ProviderName.COMPATIBLE,
        State.SUSPENDED,
        prune=False,
        data_checks=DataChecks.OFF,
        expect=Expect("h", "o", "p"),
        limits=Limits(0, 3, 2, 7.5),
    )


@pytest.mark.parametrize(
    ("limit", "live", "allowed"),
    [("30%", 10, 3), ("30%", 9, 2), ("30%", 3, 1), ("30%", 0, 1), ("0%", 50, 1), ("100%", 7, 7), (0, 10, 0), (5, 1, 5)],
)
def test_the_cancel_limit(limit: int | str, live: int, allowed: int) -> None:
    assert Limits(max_cancels=limit).cancel_limit(live) == allowed


def test_a_policy_with_every_field() -> None:
    written = {
        "state": "cancelled",
        "on_change": "wait",
        "on_remove": "orphan",
        "on_cancelled": "recreate",
        "retries": 2,
        "adopt": {"job_id": "ftjob-1", "revision": "0" * 16},
    }
    assert only(entry({**MODEL, "policy": written})).policy == Policy(
        State.CANCELLED, OnChange.WAIT, OnRemove.ORPHAN, OnCancelled.RECREATE, 2, Adoption("ftjob-1", "0" * 16)
    )
    assert only(entry(MODEL)).policy == Policy()
    defaults = {"state": "active", "on_change": "replace", "on_remove": "cancel", "on_cancelled": "hold", "retries": 0}
    assert only(entry({**MODEL, "policy": defaults})).policy == Policy()


def test_every_field_of_the_api_goes_into_the_body() -> None:
    assert only(entry(ALL_FIELDS)).body == ALL_FIELDS
    assert only(entry(OLD_FORM)).body == OLD_FORM


def test_the_body_is_what_the_manifest_sets_and_nothing_else() -> None:
    spec = {
        **MODEL,
        "seed": 7,
        "suffix": None,
        "metadata": {"a": "b"},
        "extra_body": {"x": 1},
        "rerun": 2,
        "policy": {"retries": 1},
    }
    desired = only(entry(spec))
    assert desired.body == {**MODEL, "seed": 7, "metadata": {"a": "b"}}
    assert desired.extra_body == {"x": 1}
    assert (desired.path, desired.line) == ("a.yaml", 1)


def test_local_files_are_known_by_their_bytes_and_their_paths_are_not_sent() -> None:
    training, validation = TrainingFile("t.jsonl", "1" * 64, 1), TrainingFile("v.jsonl", "2" * 64, 2)
    spec = {"model": "m", "training_file": "t.jsonl", "validation_file": "v.jsonl"}
    desired = only(Entry("a", spec, "a.yaml", 3, training, validation))
    assert desired.body == {"model": "m"}
    assert desired.local_files == (desired.training, desired.validation) == (training, validation)
    assert (desired.name, desired.line) == ("a", 3)
    assert only(entry(MODEL)).local_files == ()


def test_a_file_that_the_provider_has_is_named_by_its_digest_and_a_local_one_is_not() -> None:
    digest, here = f"sha256:{'a' * 64}", TrainingFile("v.jsonl", "2" * 64, 2)
    spec = {"model": "m", "training_file": digest, "validation_file": "v.jsonl"}
    desired = only(Entry("a", spec, "a.yaml", 3, None, here))
    assert (desired.by_digest, desired.body) == ({"training_file": digest}, {"model": "m"})
    assert only(entry(MODEL)).by_digest == {}


def test_an_id_of_another_servers_is_sent_without_the_mark_before_it() -> None:
    assert only(entry({"model": "m", "training_file": "id:x/y"})).body == {"model": "m", "training_file": "x/y"}


def test_a_job_without_a_body_of_its_own_adds_none() -> None:
    assert only(entry(MODEL)).extra_body == {}


@pytest.mark.parametrize(
    ("written", "decided"),
    [
        (models._FleetSpec, Fleet),
        (models._ExpectSpec, Expect),
        (models._LimitsSpec, Limits),
        (spec.PolicySpec, Policy),
        (spec._AdoptSpec, Adoption),
    ],
)
def test_every_field_of_ours_reaches_the_decisions(written: type[Strict], decided: Any) -> None:
    known = {field.name: field for field in msgspec.structs.fields(decided)}
    assert known.keys() - {"name"} == written.fields.keys()
    for name, field in written.fields.items():
        if field.default is not REQUIRED:  # what a manifest does not set is the same for both
            same = Fleet("f") if decided is Fleet else decided()
            assert getattr(same, name) in (field.default, _decided(field.default))


def _decided(default: object) -> object:
    return Limits() if isinstance(default, models._LimitsSpec) else default


def test_a_field_of_ours_that_decisions_do_not_know_is_no_silence() -> None:
    with pytest.raises(TypeError, match="priority"):
        policy_of({"priority": 1})


def test_many_jobs_without_their_upstream_are_told_in_no_time() -> None:
    jobs = [Entry(f"job-{i}", {**MODEL, "model_from": {"job": f"jbo-{i}"}}, "a.yaml", 1) for i in range(500)]
    messages = list(faults(*jobs).values())
    assert messages[0].startswith("no job jbo-0 in this fleet; did you mean job-")
    assert messages[-1] == "no job jbo-499 in this fleet"
    assert sum("did you mean" in message for message in messages) == 20
