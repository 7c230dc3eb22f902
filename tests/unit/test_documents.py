"""The documents a person may write: the fleet's limits, the envelope, and what a cluster adds to it."""

from typing import Any

import pytest

from reconciler.core.desired import Fleet, Limits, fleet_of
from reconciler.core.documents import Entry, ProviderName, TrainingFile, content_of
from reconciler.core.models import FineTuningJobDocument, FleetDocument, Invalid, fleet_spec, job_spec
from reconciler.core.scalars import Strict
from reconciler.core.validation import model_of
from tests.fakes.specs import (
    MODEL,
    entry,
    fleet,
    only,
    written,
)


@pytest.mark.parametrize("limit", [0, 3, "0%", "7%", "100%"])
def test_a_cancel_limit_is_read_as_it_stands(limit: int | str) -> None:
    assert fleet({"provider": "openai", "limits": {"max_cancels": limit}}).limits == Limits(max_cancels=limit)


@pytest.mark.parametrize("limit", [-1, 1.5, True, "30", "101%", "x%", "", "1000%", "30%\n", [], None])
def test_a_cancel_limit_is_a_count_or_a_share(limit: object) -> None:
    if limit is None:
        assert fleet({"provider": "openai", "limits": {"max_cancels": limit}}).limits == Limits()
        return
    with pytest.raises(Invalid, match=r"error, must be a number from 0, or a share such as 30% \["):
        fleet({"provider": "openai", "limits": {"max_cancels": limit}})


@pytest.mark.parametrize("provider", ["openai", "azure", "litellm", "nebius", "portkey", "compatible", "sandbox"])
def test_the_providers_that_are_known(provider: str) -> None:
    assert fleet({"provider": provider, "state": "active"}) == Fleet("f", ProviderName(provider))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (f"train-{'0a' * 8}.jsonl", f"-{'0a' * 8}.jsonl"),
        (f"a-{'1b' * 8}.jsonl-{'0a' * 8}.jsonl", f"-{'0a' * 8}.jsonl"),
        (f"train-{'0A' * 8}.jsonl", f"train-{'0A' * 8}.jsonl"),
        (f"train-{'0a' * 8}.jsonl\n", f"train-{'0a' * 8}.jsonl\n"),
        (f"train-{'0a' * 7}.jsonl", f"train-{'0a' * 7}.jsonl"),
        ("train.jsonl", "train.jsonl"),
    ],
)
def test_upload_names_of_the_same_bytes_are_told_by_their_digest(name: str, content: str) -> None:
    assert content_of(name) == content


def test_upload_names_hold_the_stem_and_the_digest() -> None:
    assert (
        TrainingFile("d/Train set.jsonl", "0123456789abcdef" * 4, 1).upload_name == "Train_set-0123456789abcdef.jsonl"
    )
    assert len(TrainingFile(f"{'x' * 300}.jsonl", "0" * 64, 1).upload_name) == 64 + 1 + 16 + 6


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a_b", "a" * 64, "a.b", "ä", "a\n", None, 7], ids=repr)
def test_names_are_dns_labels(name: object) -> None:
    with pytest.raises(Invalid):
        written(MODEL, name)  # type: ignore[arg-type]


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
    name, spec = job_spec({**envelope, "kind": "FineTuningJob", "spec": MODEL})
    assert only(Entry(name, spec, "a.yaml", 1)) == only(entry(MODEL))
    assert fleet_of(*fleet_spec({**envelope, "kind": "Fleet", "spec": {"provider": "openai"}})) == Fleet(
        "a", ProviderName.OPENAI
    )


@pytest.mark.parametrize("kind", [FleetDocument, FineTuningJobDocument])
def test_the_schema_takes_what_a_cluster_adds_in_any_shape(kind: type[Strict]) -> None:
    schema = model_of(kind).model_json_schema()
    metadata = schema["$defs"]["_Metadata"]
    assert metadata["properties"].keys() == {"name", "namespace", "labels", "annotations", *CLUSTERS}
    assert metadata["additionalProperties"] is False
    for field in (schema["properties"]["status"], *(metadata["properties"][name] for name in CLUSTERS)):
        assert field.keys() <= {"title", "description", "default"}
