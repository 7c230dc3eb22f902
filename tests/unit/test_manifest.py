"""What a person may write, what each job's revision is, and what is said when something is wrong."""

# ruff: noqa: RUF001 - typographic quotes are what is tried here

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import rfc8785
from pydantic import BaseModel, ValidationError

from reconciler.core import documents, fields
from reconciler.core.complaints import problems_of
from reconciler.core.desired import Adopt, Desired, Expect, Fleet, Limits, Policy, desire, fleet_of
from reconciler.core.documents import Entry, FineTuningJobDocument, FleetDocument, ProviderName, TrainingFile
from reconciler.core.fields import (
    BODY_FIELDS,
    Fate,
    Hashed,
    JobSpec,
    OnCancelled,
    OnChange,
    OnRemove,
    State,
    fates_of,
    is_file_id,
)
from reconciler.core.revision import form, revision_of
from reconciler.source import read_directory

PINNED = Path(__file__).parent.parent / "fixtures" / "revisions"
MODEL = {"model": "m", "training_file": "file-1"}


def document(spec: dict[str, Any], name: str = "a") -> FineTuningJobDocument:
    told = {"apiVersion": "reconciler/v1", "kind": "FineTuningJob", "metadata": {"name": name}, "spec": spec}
    return FineTuningJobDocument.model_validate(told)


def entry(spec: dict[str, Any], name: str = "a", **files: TrainingFile) -> Entry:
    return Entry(document(spec, name), f"{name}.yaml", 1, **files)


def fleet(spec: dict[str, Any]) -> Fleet:
    told = {"apiVersion": "reconciler/v1", "kind": "Fleet", "metadata": {"name": "f"}, "spec": spec}
    return fleet_of(FleetDocument.model_validate(told))


def only(*entries: Entry) -> Desired:
    made, faults = desire(entries)
    assert faults == []
    return made[entries[0].name]


def said(spec: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as raised:
        document(spec)
    return [(".".join(map(str, path)), message) for path, message in problems_of(raised.value)]


# ── revisions ────────────────────────────────────────────────────────────────────────────────


def test_the_pinned_revisions() -> None:
    snapshot = read_directory(PINNED)
    assert snapshot.problems == ()
    text = (PINNED / "jobs.yaml").read_text(encoding="utf-8")
    pinned = {
        name: f'{{name: {name}, annotations: {{revision: "{d.revision}"}}}}' in text
        for name, d in snapshot.desired.items()
    }
    assert pinned == dict.fromkeys(pinned, True)
    assert len(pinned) == 20


def test_a_revision_is_what_the_docstring_says() -> None:
    """Computed a second time, with another implementation of RFC 8785."""
    for desired in read_directory(PINNED).desired.values():
        judged = hashlib.sha256(rfc8785.dumps(desired.form)).hexdigest()[:16]  # type: ignore[arg-type]
        assert desired.revision == judged


@pytest.mark.parametrize(
    ("change", "changes_it"),
    [
        ({}, False),
        ({"metadata": {"a": "b"}}, False),
        ({"integrations": [{"type": "wandb", "wandb": {"project": "p"}}]}, False),
        ({"policy": {"retries": 3}}, False),
        ({"rerun": 0}, False),
        ({"suffix": None}, False),
        ({"extra_body": {}}, False),
        ({"hyperparameters": {"n_epochs": None}}, False),
        ({"method": None}, False),
        ({"rerun": 1}, True),
        ({"seed": 0}, True),
        ({"suffix": "s"}, True),
        ({"model": "n"}, True),
        ({"training_file": "file-2"}, True),
        ({"validation_file": "file-1"}, True),
        ({"method": {"type": "supervised"}}, True),
        ({"hyperparameters": {"n_epochs": 3}}, True),
        ({"extra_body": {"x": None}}, True),
    ],
)
def test_what_changes_a_revision(change: dict[str, Any], changes_it: bool) -> None:
    assert (only(entry({**MODEL, **change})).revision != only(entry(MODEL)).revision) is changes_it


def test_labels_annotations_and_namespace_do_not_change_it() -> None:
    metadata = {"name": "a", "labels": {"x": "y"}, "annotations": {"x": "y"}, "namespace": "n"}
    told = {"apiVersion": "reconciler/v1", "kind": "FineTuningJob", "metadata": metadata, "spec": MODEL}
    assert only(Entry(FineTuningJobDocument.model_validate(told), "a", 1)).revision == only(entry(MODEL)).revision


def test_three_and_three_point_zero_are_the_same() -> None:
    def epochs(number: float) -> str:
        return only(
            entry({**MODEL, "hyperparameters": {"n_epochs": number, "learning_rate_multiplier": number}})
        ).revision

    assert epochs(3) == epochs(3.0)


def test_a_local_file_counts_by_its_bytes_not_by_its_name() -> None:
    spec = {"model": "m", "training_file": "x.jsonl", "validation_file": "y.jsonl"}
    first = TrainingFile("data/x.jsonl", "ab" * 32, 10)
    moved = TrainingFile("elsewhere.jsonl", "ab" * 32, 10)
    other = TrainingFile("data/x.jsonl", "cd" * 32, 10)
    base = only(entry(spec, training=first, validation=other))
    assert base.revision == only(entry(spec, training=moved, validation=other)).revision
    assert base.revision != only(entry(spec, training=other, validation=other)).revision
    assert base.revision != only(entry(spec, training=first, validation=first)).revision
    assert (base.form["training_file"], base.form["validation_file"]) == (f"sha256:{'ab' * 32}", f"sha256:{'cd' * 32}")
    assert (base.training, base.validation) == (first, other)
    assert "training_file" not in base.body
    assert "validation_file" not in base.body


def test_the_upstreams_revision_is_part_of_it() -> None:
    down = {"model_from": {"job": "up"}, "training_file": "file-1"}
    before = only(entry(down), entry(MODEL, "up"))
    after = only(entry(down), entry({**MODEL, "seed": 1}, "up"))
    assert before.revision != after.revision
    assert before.model_from == "up"
    assert "model_from" not in before.body


def test_a_form_without_an_upstream_is_hashed_as_it_stands() -> None:
    assert revision_of(form(entry(MODEL), None)) == only(entry(MODEL)).revision


# ── jobs among each other ────────────────────────────────────────────────────────────────────


def faults(*entries: Entry, broken: frozenset[str] = frozenset()) -> dict[str, str]:
    return {fault.name: fault.message for fault in desire(entries, broken)[1]}


def built_on(upstream: str, name: str) -> Entry:
    return entry({"model_from": {"job": upstream}, "training_file": "file-1"}, name)


def test_one_existing_job_stands_for_one_name_only() -> None:
    adopting = {**MODEL, "policy": {"adopt": {"job_id": "ftjob-1", "revision": "0" * 16}}}
    told = faults(entry(adopting, "a"), entry(adopting, "b"), entry(MODEL, "c"))
    message = "job ftjob-1 is adopted more than once: it can stand for one name only"
    assert told == {"a": message, "b": message}
    built = faults(built_on("a", "down"), entry(adopting, "a"), entry(adopting, "b"))
    assert set(built) == {"a", "b", "down"}, "and what is built on one of them has no model"


@pytest.mark.parametrize("job_id", ["a/../b", "..", "YWJj==", "é", "x" * 512])
def test_whatever_a_server_may_call_a_job_can_be_adopted(job_id: str) -> None:
    adopting = {**MODEL, "policy": {"adopt": {"job_id": job_id, "revision": "0" * 16}}}
    found, told = desire([entry(adopting, "a")])
    assert told == []
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
    assert "wait for each other" in faults(built_on("a", "a"))["a"]
    assert set(faults(built_on("b", "a"), built_on("a", "b"))) == {"a", "b"}
    assert "has a broken manifest" in faults(built_on("up", "a"), broken=frozenset({"up"}))["a"]
    assert set(faults(built_on("nobody", "up"), built_on("up", "a"))) == {"a", "up"}
    assert faults(built_on("up", "a"), entry(MODEL, "up")) == {}


def test_a_long_chain_is_read_in_any_order() -> None:
    links = [built_on(f"n{i + 1}", f"n{i}") for i in range(2000)]
    assert faults(*links, entry(MODEL, "n2000")) == {}


def test_a_value_without_a_canonical_form_is_a_fault() -> None:
    assert "no canonical form" in faults(entry({**MODEL, "extra_body": {"n": 2**60}}))["a"]


# ── what decisions read ──────────────────────────────────────────────────────────────────────


def test_a_fleet_by_default() -> None:
    assert fleet({"provider": "openai"}) == Fleet("f", ProviderName.OPENAI)


def test_a_whole_fleet() -> None:
    told = {
        "provider": "compatible",
        "state": "suspended",
        "prune": False,
        "expect": {"host": "h", "organization": "o", "project": "p"},
        "limits": {"max_creates": 0, "max_cancels": 3.0, "max_active": 2},
    }
    whole = fleet(told)
    assert whole == Fleet(
        "f", ProviderName.COMPATIBLE, State.SUSPENDED, prune=False, expect=Expect("h", "o", "p"), limits=Limits(0, 3, 2)
    )


@pytest.mark.parametrize(
    ("limit", "live", "allowed"),
    [("30%", 10, 3), ("30%", 9, 2), ("30%", 3, 1), ("30%", 0, 1), ("0%", 50, 1), ("100%", 7, 7), (0, 10, 0), (5, 1, 5)],
)
def test_the_cancel_limit(limit: int | str, live: int, allowed: int) -> None:
    assert Limits(max_cancels=limit).cancel_limit(live) == allowed


@pytest.mark.parametrize("limit", [0, 3, "0%", "7%", "100%"])
def test_a_cancel_limit_is_read_as_it_stands(limit: int | str) -> None:
    assert fleet({"provider": "openai", "limits": {"max_cancels": limit}}).limits == Limits(max_cancels=limit)


@pytest.mark.parametrize("limit", [-1, 1.5, True, "30", "101%", "x%", "", "1000%", [], None])
def test_a_cancel_limit_is_a_count_or_a_share(limit: object) -> None:
    if limit is None:
        assert fleet({"provider": "openai", "limits": {"max_cancels": limit}}).limits == Limits()
        return
    with pytest.raises(ValidationError, match="a number from 0, or a share"):
        fleet({"provider": "openai", "limits": {"max_cancels": limit}})


def test_a_whole_policy() -> None:
    told = {
        "state": "cancelled",
        "on_change": "wait",
        "on_remove": "orphan",
        "on_cancelled": "recreate",
        "retries": 2,
        "adopt": {"job_id": "ftjob-1", "revision": "0" * 16},
    }
    assert only(entry({**MODEL, "policy": told})).policy == Policy(
        State.CANCELLED, OnChange.WAIT, OnRemove.ORPHAN, OnCancelled.RECREATE, 2, Adopt("ftjob-1", "0" * 16)
    )
    assert only(entry(MODEL)).policy == Policy()
    defaults = {"state": "active", "on_change": "replace", "on_remove": "cancel", "on_cancelled": "hold", "retries": 0}
    assert only(entry({**MODEL, "policy": defaults})).policy == Policy()


@pytest.mark.parametrize("provider", ["openai", "azure", "litellm", "compatible", "sandbox"])
def test_the_providers_that_are_known(provider: str) -> None:
    assert fleet({"provider": provider, "state": "active"}) == Fleet("f", ProviderName(provider))


WHOLE = {
    **MODEL,
    "validation_file": "file-2",
    "suffix": "s",
    "seed": 7,
    "method": {"type": "supervised"},
    "integrations": [{"type": "wandb", "wandb": {"project": "p"}}],
    "metadata": {"a": "b"},
}
OLD_FORM = {**MODEL, "hyperparameters": {"n_epochs": 3}}


def test_every_field_of_the_api_goes_into_the_body() -> None:
    assert only(entry(WHOLE)).body == WHOLE
    assert only(entry(OLD_FORM)).body == OLD_FORM


@pytest.mark.parametrize("field", [*WHOLE, "hyperparameters"])
def test_no_field_of_the_api_goes_into_extra_body(field: str) -> None:
    message = f"{field} is a field of the API: write it as spec.{field}"
    assert said({**MODEL, "extra_body": {field: 1}}) == [("spec.extra_body", message)]


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


# ── no field is dropped without a word ──


def test_a_field_without_a_fate_cannot_be_declared() -> None:
    class Forgotten(JobSpec):
        priority: int | None = None

    class Torn(BaseModel):
        priority: Annotated[int, Fate(sent=True, hashed=Hashed.NO), Fate(sent=False, hashed=Hashed.NO)]

    with pytest.raises(TypeError, match="Forgotten.priority must declare one Fate, not 0"):
        fates_of(Forgotten)
    with pytest.raises(TypeError, match="Torn.priority must declare one Fate, not 2"):
        fates_of(Torn)


# A job without the field, and one with it, for each field of the spec.
WITHOUT_AND_WITH: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "model": (MODEL, {**MODEL, "model": "n"}),
    "training_file": (MODEL, {**MODEL, "training_file": "file-2"}),
    "validation_file": (MODEL, {**MODEL, "validation_file": "file-2"}),
    "suffix": (MODEL, {**MODEL, "suffix": "s"}),
    "seed": (MODEL, {**MODEL, "seed": 7}),
    "method": (MODEL, {**MODEL, "method": {"type": "supervised"}}),
    "hyperparameters": (MODEL, {**MODEL, "hyperparameters": {"n_epochs": 3}}),
    "integrations": (MODEL, {**MODEL, "integrations": [{"type": "wandb", "wandb": {"project": "p"}}]}),
    "metadata": (MODEL, {**MODEL, "metadata": {"a": "b"}}),
    "model_from": (MODEL, {"training_file": "file-1", "model_from": {"job": "up"}}),
    "extra_body": (MODEL, {**MODEL, "extra_body": {"x": 1}}),
    "rerun": (MODEL, {**MODEL, "rerun": 1}),
    "policy": (MODEL, {**MODEL, "policy": {"retries": 1}}),
}


@pytest.mark.parametrize("field", JobSpec.model_fields)
def test_every_field_of_the_spec_meets_its_fate(field: str) -> None:
    fate = fates_of(JobSpec)[field]
    up = entry({**MODEL, "seed": 1}, "up")
    without, with_it = (only(entry(spec), up) for spec in WITHOUT_AND_WITH[field])
    assert with_it != without, "a field that changes nothing is one that is dropped"
    assert (field in BODY_FIELDS) is fate.sent
    assert (with_it.body.get(field) == WITHOUT_AND_WITH[field][1][field]) is fate.sent
    assert (field in with_it.form) is (fate.hashed is not Hashed.NO)
    assert (with_it.revision != without.revision) is (fate.hashed is not Hashed.NO)


@pytest.mark.parametrize(
    ("written", "decided"),
    [
        (documents._FleetSpec, Fleet),
        (documents._ExpectSpec, Expect),
        (documents._LimitsSpec, Limits),
        (fields._PolicySpec, Policy),
        (fields._AdoptSpec, Adopt),
    ],
)
def test_every_field_of_ours_reaches_the_decisions(written: type[BaseModel], decided: Any) -> None:
    known = {field.name: field for field in dataclasses.fields(decided)}
    assert known.keys() - {"name"} == written.model_fields.keys()


def test_a_field_of_ours_that_decisions_do_not_know_is_no_silence() -> None:
    with pytest.raises(TypeError, match="priority"):
        Policy(**{**dict(fields._PolicySpec()), "priority": 1})


def nested(kind: Any) -> Iterator[type[BaseModel]]:
    """Every model that may stand in a value of this type."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for info in kind.model_fields.values():
            yield from nested(info.annotation)
    for part in getattr(kind, "__args__", ()):
        yield from nested(part)


def set_fields(value: Any) -> Iterator[tuple[type[BaseModel], str]]:
    """Every field that is set anywhere in it."""
    if isinstance(value, BaseModel):
        yield from ((type(value), name) for name in value.model_fields_set)
        value = dict(value)
    parts: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        yield from set_fields(part)


def test_every_nested_field_is_sent_and_hashed_as_it_stands() -> None:
    epochs = {"n_epochs": 3, "batch_size": 4, "learning_rate_multiplier": 0.5}
    item = {"role": "user", "content": {"type": "input_text", "text": "x"}, "type": "message"}
    sampling = {"seed": 1, "top_p": 0.5, "temperature": 0.1, "max_completions_tokens": 9, "reasoning_effort": "low"}
    label = {
        "type": "label_model",
        "name": "l",
        "model": "m",
        "input": [item],
        "labels": ["a"],
        "passing_labels": ["a"],
    }
    graders = {
        "a": STRING,
        "b": SIMILAR,
        "c": PYTHON,
        "d": {**SCORE, "input": [item], "sampling_params": sampling, "range": [0.5, 1.5]},
        "e": label,
    }
    rewarded = {**epochs, "reasoning_effort": "low", "compute_multiplier": 2, "eval_interval": 1, "eval_samples": 5}
    whole = {
        "supervised": {"hyperparameters": epochs},
        "dpo": {"hyperparameters": {**epochs, "beta": 0.1}},
        "reinforcement": {"grader": {**MULTI, "graders": graders}, "hyperparameters": rewarded},
    }
    wandb = {"project": "p", "name": "n", "entity": "e", "tags": ["t"]}
    seen: set[tuple[type[BaseModel], str]] = set()
    specs: list[dict[str, Any]] = [
        *({**MODEL, "method": {"type": kind, kind: fields}} for kind, fields in whole.items()),
        {**OLD_FORM, "hyperparameters": epochs, "integrations": [{"type": "wandb", "wandb": wandb}]},
    ]
    for spec in specs:
        read = entry(spec)
        desired = only(read)
        assert desired.body == spec
        assert desired.form == {key: value for key, value in spec.items() if key != "integrations"}
        seen |= set(set_fields(read.document.spec))
    sent = {model for name in BODY_FIELDS for model in nested(JobSpec.model_fields[name].annotation)}
    assert {(model, name) for model in sent for name in model.model_fields} - seen == set()


@pytest.mark.parametrize(
    ("value", "is_id"),
    [
        ("file-abc", True),
        ("file-AbC_9-x", True),
        ("file-", False),
        ("file-a/b", False),
        ("data/file-a.jsonl", False),
        ("file-a.jsonl", False),
    ],
)
def test_file_ids(value: str, is_id: bool) -> None:
    assert is_file_id(value) is is_id


def test_upload_names_hold_the_stem_and_the_digest() -> None:
    assert (
        TrainingFile("d/train set.jsonl", "0123456789abcdef" * 4, 1).upload_name == "train_set-0123456789abcdef.jsonl"
    )
    assert len(TrainingFile(f"{'x' * 300}.jsonl", "0" * 64, 1).upload_name) == 64 + 1 + 16 + 6


# ── what is refused, and in which words ──────────────────────────────────────────────────────

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
        ({**MODEL, "seed": "7"}, "spec.seed", "a valid integer, not 7"),
        ({**MODEL, "seed": 1.5}, "spec.seed", "a valid integer"),
        ({**MODEL, "seed": True}, "spec.seed", "a valid integer"),
        ({**MODEL, "suffix": ""}, "spec.suffix", "at least 1 character"),
        ({**MODEL, "suffix": "x" * 65}, "spec.suffix", "at most 64 characters"),
        ({**MODEL, "model": 4}, "spec.model", "a valid string, not 4"),
        ({**MODEL, "metadata": {"reconciler_x": "1"}}, "spec.metadata", "kept for this program's marks"),
        ({**MODEL, "metadata": {f"k{i}": "v" for i in range(11)}}, "spec.metadata", "at most 10 pairs"),
        ({**MODEL, "metadata": {"k" * 65: "v"}}, "spec.metadata", "1 to 64 characters"),
        ({**MODEL, "metadata": {"k": "v" * 513}}, "spec.metadata", "at most 512"),
        ({**MODEL, "metadata": {"k": 1}}, "spec.metadata.k", "a valid string, not 1"),
        ({**MODEL, "extra_body": {"model": "x"}}, "spec.extra_body", "write it as spec.model"),
        ({**MODEL, "rerun": -1}, "spec.rerun", "greater than or equal to 0"),
        ({**MODEL, "rerun": 1_000_001}, "spec.rerun", "less than or equal to 1000000"),
        ({**MODEL, "policy": {"state": "paused"}}, "spec.policy.state", "'active', 'suspended' or 'cancelled'"),
        ({**MODEL, "policy": {"retries": 11}}, "spec.policy.retries", "less than or equal to 10"),
        (
            {**MODEL, "policy": {"adopt": {"job_id": "a\nb", "revision": "0" * 16}}},
            "spec.policy.adopt.job_id",
            "match pattern",
        ),
        (
            {**MODEL, "policy": {"adopt": {"job_id": "x" * 513, "revision": "0" * 16}}},
            "spec.policy.adopt.job_id",
            "at most 512 characters",
        ),
        (
            {**MODEL, "policy": {"adopt": {"job_id": "a", "revision": "XYZ"}}},
            "spec.policy.adopt.revision",
            "match pattern",
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
    assert any(path == field and words in message for path, message in said(spec)), said(spec)


@pytest.mark.parametrize(
    "told",
    [
        {"seed": 2**31 - 1},
        {"suffix": "x" * 64},
        {"rerun": 1_000_000},
        {"policy": {"retries": 10}},
        {"metadata": {f"k{i}": "v" for i in range(10)}},
        {"metadata": {"k" * 64: "v" * 512}},
        {"metadata": {"k": ""}},
    ],
)
def test_what_is_just_within_bounds(told: dict[str, Any]) -> None:
    assert document(MODEL | told).spec.model_dump(exclude_unset=True, mode="json") == MODEL | told


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a_b", "a" * 64, "a.b", "ä", "a\n", None, 7], ids=repr)
def test_names_are_dns_labels(name: object) -> None:
    with pytest.raises(ValidationError):
        document(MODEL, name)  # type: ignore[arg-type]


A_FIELD_TOO_MANY = {
    "modle": "unknown field; did you mean model?",
    "zzzzzz": "unknown field",
    "labels": "unknown field",
}
SEVENS = 7 * 10**59  # 60 digits


@pytest.mark.parametrize(
    ("spec", "field", "sentence"),
    [
        ({"model": "m"}, "training_file", "required, and not set"),
        ({"training_file": "file-1"}, "", "exactly one of model and model_from is needed"),
        ({**MODEL, "policy": []}, "policy", "must be a mapping of fields"),
        ({**MODEL, "policy": "x"}, "policy", "must be a mapping of fields"),
        (
            {**MODEL, "policy": "retries:1"},
            "policy",
            "must be a mapping of fields: a space is missing after the colon of retries",
        ),
        *(({**MODEL, field: 1}, field, sentence) for field, sentence in A_FIELD_TOO_MANY.items()),
        ({**MODEL, "suffix": ""}, "suffix", "must have at least 1 character"),
        ({**MODEL, "suffix": "x" * 65}, "suffix", f"must have at most 64 characters, not {'x' * 59}…"),
        ({**MODEL, "metadata": {"k": None}}, "metadata.k", "must be a valid string, not null"),
        ({**MODEL, "metadata": {"k": ["v"]}}, "metadata.k", "must be a valid string"),
        ({**MODEL, "metadata": {7: "v"}}, "metadata.7", "must be a valid string, not 7"),
        ({**MODEL, "model": SEVENS}, "model", f"must be a valid string, not {SEVENS}"),
        ({**MODEL, "model": SEVENS * 10}, "model", f"must be a valid string, not 7{'0' * 58}…"),
        (
            {**MODEL, "model_from": {"job": "Not A Label"}},
            "model_from.job",
            "a name is lower-case letters, digits and -, at most 63 characters, not Not A Label",
        ),
    ],
)
def test_what_is_said_of_a_field(spec: dict[str, Any], field: str, sentence: str) -> None:
    assert (f"spec.{field}".removesuffix("."), sentence) in said(spec)


def test_every_error_is_told_at_once() -> None:
    assert len(said({"model": 1, "seed": "x", "suffix": "", "nope": 1})) == 5


@pytest.mark.parametrize(
    ("errors", "last"),
    [(100, "unknown field"), (101, "errors beyond the first 100: 1"), (350, "errors beyond the first 100: 250")],
)
def test_errors_beyond_the_first_hundred_are_counted(errors: int, last: str) -> None:
    told = said({**MODEL, **{f"x{number:03}": 1 for number in range(errors)}})
    assert len(told) == min(errors, 101)
    assert told[-1][1] == last


# ── templates that were not filled in, and typographic quotes ──


def unfilled(template: str) -> str:
    return f"{template} is a template that was not filled in: put the value in its place"


def quoted(quote: str) -> str:
    return f"the typographic quote {quote} stands in it: remove it, or write a straight one (' or \")"


@pytest.mark.parametrize(
    "template",
    [
        "${MODEL}",
        "${MODEL:-gpt}",
        "$(MODEL)",
        "$(cat model)",
        "{{ model }}",
        "{{.Values.model}}",
        "{{- model -}}",
        "${{ vars.MODEL }}",
        "<%= model %>",
        "{% if x %}",
        "#{MODEL}#",
        "$MODEL",
        "%MODEL%",
        "<MODEL>",
        "<YOUR MODEL>",
    ],
)
def test_a_template_that_was_not_filled_in_is_no_name(template: str) -> None:
    for text in (template, f"ft:{template}", f"{template}/x"):
        assert said({**MODEL, "model": text}) == [("spec.model", unfilled(template))]
        assert said({**MODEL, "suffix": text}) == [("spec.suffix", unfilled(template))]
        assert said({**MODEL, "training_file": text}) == [("spec.training_file", unfilled(template))]


@pytest.mark.parametrize(
    "template", ["__MODEL__", "@MODEL@", "@project.version@", "$model", "[[ x ]]", "%(x)s", "{x}", "<your model>"]
)
def test_what_may_stand_in_a_name_is_a_template_where_it_is_all_of_it(template: str) -> None:
    assert said({**MODEL, "model": template}) == [("spec.model", unfilled(template))]
    assert document({**MODEL, "model": f"ft:{template}:x"}).spec.model == f"ft:{template}:x"


RUN = {"type": "wandb", "wandb": {"project": "p"}}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"validation_file": "${X}"}, "validation_file"),
        ({"seed": "${X}"}, "seed"),
        ({"rerun": "${X}"}, "rerun"),
        ({"hyperparameters": {"n_epochs": "${X}"}}, "hyperparameters.n_epochs"),
        ({"hyperparameters": {"learning_rate_multiplier": "${X}"}}, "hyperparameters.learning_rate_multiplier"),
        ({"method": {"type": "${X}"}}, "method.type"),
        ({"method": "${X}"}, "method"),
        ({"integrations": [{**RUN, "wandb": {"project": "${X}"}}]}, "integrations.0.wandb.project"),
        ({"integrations": [{**RUN, "wandb": {"project": "p", "tags": ["a", "${X}"]}}]}, "integrations.0.wandb.tags.1"),
        ({"metadata": {"k": "${X}"}}, "metadata.k"),
        ({"metadata": {"k": "at ${X}"}}, "metadata.k"),
        ({"metadata": {"${X}": "v"}}, "metadata.${X}"),
        ({"extra_body": {"a": [{"b": "${X}"}]}}, "extra_body"),
        ({"policy": {"state": "${X}"}}, "policy.state"),
        ({"policy": {"adopt": {"job_id": "${X}", "revision": "0" * 16}}}, "policy.adopt.job_id"),
    ],
)
def test_a_template_is_found_in_every_field(spec: dict[str, Any], field: str) -> None:
    assert said({**MODEL, **spec}) == [(f"spec.{field}", unfilled("${X}"))]


def test_a_template_is_found_in_the_envelope_and_in_a_fleet() -> None:
    for name in ("${X}", "a-${X}"):
        with pytest.raises(ValidationError) as raised:
            document(MODEL, name)
        assert problems_of(raised.value) == [(("metadata", "name"), unfilled("${X}"))]
    for spec in ({"provider": "${X}"}, {"provider": "openai", "expect": {"host": "${X}"}}):
        with pytest.raises(ValidationError) as raised:
            fleet(spec)
        assert [message for _, message in problems_of(raised.value)] == [unfilled("${X}")]


@pytest.mark.parametrize("field", ["input", "reference"])
@pytest.mark.parametrize("text", ["{{item.x}}", "{{ sample.output_text }}", "a ${X} b", "“Paris”", "<b>", "__X__"])
def test_what_a_free_text_holds_is_meant(text: str, field: str) -> None:
    assert only(entry(reinforcement({**STRING, field: text}))).body
    assert only(entry({**MODEL, "extra_body": {"chat_template": text}})).extra_body == {"chat_template": text}
    labels = {"type": "label_model", "name": "l", "model": "m", "input": [], "labels": [text], "passing_labels": [text]}
    assert only(entry(reinforcement({**MULTI, "graders": {"a": labels}}))).body


@pytest.mark.parametrize("text", ["${X}", "$(X)", " ${X}\n"])
def test_a_free_text_that_is_a_placeholder_from_end_to_end_is_refused(text: str) -> None:
    message = unfilled(text.strip())
    item = {"role": "user", "content": [{"type": "input_text", "text": text}]}
    assert said(reinforcement({**STRING, "reference": text}))[0][1] == message
    assert said(reinforcement({**PYTHON, "source": text}))[0][1] == message
    assert said(reinforcement({**SCORE, "input": [item]}))[0][1] == message


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("“gpt-4o”", "“"),
        ("‘x’", "‘"),
        ("«x»", "«"),
        ("„x“", "„"),
        ("gpt’4o", "’"),
        ("’x", "’"),
        ("x’", "’"),
        ("‹x›", "‹"),
    ],
)
def test_typographic_quotes_are_no_part_of_a_name(text: str, quote: str) -> None:
    for key in ("model", "suffix"):
        assert said({**MODEL, key: text}) == [(f"spec.{key}", quoted(quote))]
    assert said({**MODEL, "seed": text}) == [("spec.seed", quoted(quote))]


@pytest.mark.parametrize("text", ["“a/b.jsonl”", "‘file-1’", "«x»", "„x“"])
def test_typographic_quotes_do_not_hold_a_path_or_a_value(text: str) -> None:
    assert said({**MODEL, "training_file": text}) == [("spec.training_file", quoted(text[0]))]
    assert said({**MODEL, "metadata": {"k": text}}) == [("spec.metadata.k", quoted(text[0]))]


@pytest.mark.parametrize("text", ["l’été.jsonl", "the “best” one", "data/100%/a.jsonl", "a$b", "x{1}.jsonl", "“"])
def test_what_a_path_or_a_value_may_hold(text: str) -> None:
    spec = {**MODEL, "training_file": text, "metadata": {"k": text}}
    assert document(spec).spec.model_dump(exclude_unset=True) == spec


@pytest.mark.parametrize(
    "text", ["accounts/x/models/y", "ft:gpt-4o:org::Ab1", "Qwen/Qwen2.5-7B@main", "l’été", "50%", "a<b>c"]
)
def test_what_a_name_may_hold(text: str) -> None:
    assert document({**MODEL, "model": text, "suffix": text[:64]}).spec.model == text


@pytest.mark.parametrize("character", ["\ufeff", "\u200b", "\u00a0", "\u202e", "\u2028"])
def test_a_character_that_nobody_sees_is_no_part_of_a_name(character: str) -> None:
    message = f"the character U+{ord(character):04X}, which nobody sees, stands in it: remove it"
    assert said({**MODEL, "model": f"gpt{character}"}) == [("spec.model", message)]


# ── what a cluster adds ──

CLUSTERS: dict[str, Any] = {
    "creationTimestamp": None,
    "uid": "0",
    "resourceVersion": "7",
    "generation": 1,
    "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
    "selfLink": "/x",
    "deletionTimestamp": "2026-01-01T00:00:00Z",
    "deletionGracePeriodSeconds": 30,
    "ownerReferences": [{"kind": "X"}],
    "finalizers": ["x"],
    "generateName": "a-",
}


@pytest.mark.parametrize("status", [None, {}, {"phase": "x"}, [], "x", 7])
def test_what_a_cluster_adds_is_ignored(status: object) -> None:
    envelope = {"apiVersion": "reconciler/v1", "metadata": {"name": "a", **CLUSTERS}, "status": status}
    job = FineTuningJobDocument.model_validate({**envelope, "kind": "FineTuningJob", "spec": MODEL})
    assert only(Entry(job, "a.yaml", 1)) == only(entry(MODEL))
    read = FleetDocument.model_validate({**envelope, "kind": "Fleet", "spec": {"provider": "openai"}})
    assert fleet_of(read) == Fleet("a", ProviderName.OPENAI)


@pytest.mark.parametrize("model", [FleetDocument, FineTuningJobDocument])
def test_the_schema_takes_what_a_cluster_adds_in_any_shape(model: type[BaseModel]) -> None:
    schema = model.model_json_schema()
    metadata = schema["$defs"]["_Metadata"]
    assert metadata["properties"].keys() == {"name", "namespace", "labels", "annotations", *CLUSTERS}
    assert metadata["additionalProperties"] is False
    for field in (schema["properties"]["status"], *(metadata["properties"][name] for name in CLUSTERS)):
        assert field.keys() <= {"title", "description", "default"}


@pytest.mark.parametrize("field", ["uuid", "creationTimestmp", "finaliser", "creation_timestamp", "nam"])
def test_what_a_cluster_adds_is_never_suggested(field: str) -> None:
    told = {"apiVersion": "reconciler/v1", "kind": "FineTuningJob", "metadata": {"name": "a", field: 1}, "spec": MODEL}
    with pytest.raises(ValidationError) as raised:
        FineTuningJobDocument.model_validate(told)
    suggested = "; did you mean name?" if field == "nam" else ""
    assert problems_of(raised.value) == [(("metadata", field), f"unknown field{suggested}")]


# ── methods and graders ──────────────────────────────────────────────────────────────────────


def reinforcement(grader: object, **hyperparameters: object) -> dict[str, Any]:
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
SINGLE = "'string_check', 'text_similarity', 'python', 'score_model'"
NO_GRADERS: tuple[object, ...] = ({"type": "other"}, {"type": ["python"]}, {"name": "x"}, 7)


@pytest.mark.parametrize("grader", [STRING, SIMILAR, PYTHON, SCORE, MULTI], ids=lambda g: g["type"])
def test_the_five_graders(grader: dict[str, Any]) -> None:
    desired = only(entry(reinforcement(grader, reasoning_effort="high", compute_multiplier=2, eval_samples="auto")))
    method: Any = desired.body["method"]
    assert method["reinforcement"]["grader"] == grader


@pytest.mark.parametrize(
    ("grader", "field", "words"),
    [
        ({}, "grader", "required"),
        *((wrong, "grader", f"its type must be one of {SINGLE}, 'multi'") for wrong in NO_GRADERS),
        *(
            ({**MULTI, "graders": {"a": wrong}}, "grader.graders.a", f"its type must be one of {SINGLE}, 'label_model'")
            for wrong in NO_GRADERS
        ),
        ({**STRING, "operation": "is"}, "grader.operation", "'eq', 'ne', 'like' or 'ilike'"),
        ({**SIMILAR, "evaluation_metric": "vibes"}, "grader.evaluation_metric", "bleu"),
        ({**PYTHON, "source": ""}, "grader.source", "at least 1 character"),
        ({k: v for k, v in SCORE.items() if k != "model"}, "grader.model", "required"),
        ({**MULTI, "graders": {"a": {**STRING, "operation": "is"}}}, "grader.graders.a.operation", "'eq'"),
        ({**STRING, "extra": 1}, "grader.extra", "unknown field"),
    ],
)
def test_graders_are_refused_by_field(grader: object, field: str, words: str) -> None:
    found = said(reinforcement(grader))
    prefix = "spec.method.reinforcement."
    assert any(path == prefix + field and words in message for path, message in found), found


def test_a_grader_is_required() -> None:
    found = said({**MODEL, "method": {"type": "reinforcement"}})
    assert any("reinforcement" in path or "reinforcement" in message for path, message in found), found


@pytest.mark.parametrize(("beta", "fits"), [("auto", True), (0.1, True), (2, True), (2.1, False), (0, False)])
def test_dpo_has_a_beta(beta: object, fits: bool) -> None:
    spec = {**MODEL, "method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": beta}}}}
    if fits:
        assert only(entry(spec)).body["method"] == spec["method"]
    else:
        assert said(spec)[0][0] == "spec.method.dpo.hyperparameters.beta"
