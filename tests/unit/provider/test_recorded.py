"""What Azure really answered, as this program reads it: nothing that it looks at is lost."""

from typing import Any

import pytest

from reconciler.core.job import Checkpoint, Event, Job, parse_checkpoint, parse_event, parse_job
from reconciler.core.spelling import STATUS_WORDS
from tests.fakes.faulty import reply
from tests.fakes.recorded import AZURE, WHY_NOT, objects
from tests.fakes.servers import CREATE, Wire, an_upload, script

pytestmark = pytest.mark.skipif(not AZURE, reason=WHY_NOT)

# What the API calls a field that has another name here.
STEP, MODEL = {"step": "step_number"}, {"model": "fine_tuned_model_checkpoint"}


def read_as(value: Job | Event | Checkpoint, answer: dict[str, Any], names: dict[str, str]) -> dict[str, object]:
    """The fields of an answer that have another value here."""
    pairs = ((field, names.get(field, field)) for field in value.__struct_fields__)
    return {field: answer[name] for field, name in pairs if name in answer and getattr(value, field) != answer[name]}


def test_every_job_is_read_without_loss() -> None:
    jobs = objects("fine_tuning.job")
    assert len(jobs) > 10
    for answer in jobs:
        assert read_as(parse_job(answer), answer, {}) == {}
        assert answer["status"] in STATUS_WORDS, "and each status is a known word"


def test_every_event_and_checkpoint_is_read_without_loss() -> None:
    events, checkpoints = objects("fine_tuning.job.event"), objects("fine_tuning.job.checkpoint")
    assert events
    assert checkpoints
    for answer in events:
        assert read_as(parse_event(answer), answer, {}) == {}
    for answer in checkpoints:
        assert read_as(parse_checkpoint(answer), answer, STEP | MODEL) == {}


def test_answer_to_a_create_is_a_job_although_it_is_201_with_a_place_elsewhere() -> None:
    for name in ("create_201", "create_201_oss_suffix", "create_201_developer_suffix"):
        answer = reply(AZURE[name], 201, location="https://elsewhere.example/openai/fine_tuning/jobs/x?api-version=y")
        with Wire(script(answer)) as wire:
            job = wire.client.create_job(CREATE)
            assert len(wire.server.requests) == 1, "and nobody goes there"
        assert (job.id, job.seed) == (AZURE[name]["id"], AZURE[name]["seed"])


def test_file_is_uploaded_and_waited_for() -> None:
    uploaded, processed = AZURE["file_upload_201"], AZURE["file_processed"]
    with Wire(script(reply(uploaded, 201), reply(uploaded), reply(processed))) as wire:
        file_id = wire.client.upload_file(an_upload(b" " * uploaded["bytes"], "train.jsonl"))
        wire.client.wait_for_file(file_id)
        assert [request.method for request in wire.server.requests] == ["POST", "GET", "GET"]
    assert file_id == uploaded["id"]
