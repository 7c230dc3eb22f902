"""What is posted: the manifest's fields, the files' ids, and the marks."""

from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.core.body import alike, create_body, derived_seed, unhashed
from reconciler.core.desired import Desired
from reconciler.core.fields import OnRemove
from reconciler.core.job import Job, Marks
from tests.fakes.builders import desired

MARKS = Marks("fleet-1", "a", "0" * 16, 1)


def body(told: dict[str, object], **more: object) -> dict[str, object]:
    wanted = Desired("a", "0" * 16, body=told, extra_body=more.pop("extra", {}))  # type: ignore[arg-type]
    ids = {"model": None, "training": None, "validation": None} | more
    return dict(create_body(wanted, MARKS, **ids))  # type: ignore[arg-type]


def test_the_manifests_fields_go_as_they_are() -> None:
    told = {"model": "m", "training_file": "file-1", "seed": 0, "suffix": "s"}
    assert body(told) == {**told, "metadata": MARKS.as_metadata()}


def test_uploaded_files_and_the_upstreams_model_are_filled_in() -> None:
    made = body({}, model="ft:m", training="file-2", validation="file-3")
    assert (made["model"], made["training_file"], made["validation_file"]) == ("ft:m", "file-2", "file-3")


def test_the_users_metadata_stands_beside_the_marks_and_never_over_them() -> None:
    made = body({"metadata": {"ticket": "7", "reconciler_fleet": "evil"}})["metadata"]
    assert made == {"ticket": "7", **MARKS.as_metadata()}


def test_an_unset_seed_is_derived_from_the_marks_alone() -> None:
    seed = body({})["seed"]
    assert seed == derived_seed(MARKS) == derived_seed(Marks("fleet-1", "a", "0" * 16, 1, orphan=True))
    assert isinstance(seed, int)
    assert 0 <= seed < 2**31


def test_seeds_differ_with_each_part_of_the_marks_and_never_change() -> None:
    others = [
        Marks("fleet-2", "a", "0" * 16, 1),
        Marks("fleet-1", "b", "0" * 16, 1),
        Marks("fleet-1", "a", "1" * 16, 1),
        Marks("fleet-1", "a", "0" * 16, 2),
    ]
    assert len({derived_seed(m) for m in [MARKS, *others]}) == 5
    assert derived_seed(MARKS) == 764772123, "another release must derive the same"


def test_extra_body_is_merged_untouched() -> None:
    assert body({"model": "m"}, extra={"trainingType": "globalStandard", "x": [1]})["trainingType"] == "globalStandard"


# Of a create, and of a job that a server shows: can it be that create's?
COMES_BACK: list[tuple[dict[str, object], dict[str, str], bool]] = [
    ({"model": "gpt-4.1"}, {}, True),
    ({"model": "gpt-4.1"}, {"model": "gpt-4.1-2025-04-14"}, True),
    ({"model": "gpt-4.1-2025-04-14"}, {"model": "gpt-4.1"}, True),
    ({"model": "mistral-latest"}, {"model": "mistral-2411"}, True),
    ({"model": "ministral-3b"}, {"model": "Ministral-3B"}, True),
    ({"model": "gpt-4o-mini"}, {"model": "openai/gpt-4o-mini"}, True),
    ({"model": "gpt-4o-mini"}, {"model": "azure/my-deployment"}, True),
    ({"model": "openai/gpt-4o-mini"}, {"model": "gpt-4o-mini-2024-07-18"}, True),
    ({"model": "gpt-4o"}, {"model": "gpt-4o-mini"}, False),
    ({"model": "gpt-4o-2024-05-13"}, {"model": "gpt-4o-2024-08-06"}, False),
    ({"model": "a/b"}, {"model": "a/c"}, False),
    ({"model": "gpt-4o"}, {"model": "llama", "training_file": ""}, True),
    ({}, {"model": "ft:made-by-another"}, True),
    ({"suffix": "support-bot"}, {}, True),
    ({"suffix": "support-bot"}, {"suffix": "Support_Bot"}, True),
    ({"suffix": "support-bot"}, {"suffix": "support"}, False),
    ({}, {"suffix": "support"}, False),
    ({"training_file": "file-9"}, {}, True),
    ({"training_file": "file-1"}, {"training_file": "file-2"}, False),
    ({"training_file": "file-1"}, {"training_file": "gs://bucket/1"}, True),
    ({"training_file": "file-1"}, {"training_file": "bGl0ZWxsbTo="}, True),
    ({}, {"training_file": "file-2"}, True),
]


@pytest.mark.parametrize(("sent", "shown", "can_be"), COMES_BACK)
def test_what_comes_back_is_compared_leniently(sent: dict[str, object], shown: dict[str, str], can_be: bool) -> None:
    fields = {"training_file": str(sent.get("training_file", "file-1")), **shown}
    assert alike(sent, Job("j1", "running", **fields)) is can_be  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "policy", "sent"),
    [
        ({}, {}, ""),
        ({"metadata": {}, "integrations": None, "suffix": "s"}, {}, ""),
        ({"metadata": {"b": "2", "a": "1"}}, {}, '{"metadata":{"a":"1","b":"2"}}'),
        ({"integrations": [{"type": "wandb"}]}, {}, '{"integrations":[{"type":"wandb"}]}'),
        ({}, {"on_remove": OnRemove.ORPHAN}, '{"on_remove":"orphan"}'),
    ],
)
def test_what_is_sent_besides_the_revision_is_named_whole(
    body: dict[str, object], policy: dict[str, Any], sent: str
) -> None:
    assert unhashed(replace(desired(**policy), body=body)) == sent
