"""The official client as a judge: what it can read and walk is the API.

It is imported within a test: that takes a second, and each process that runs some of the tests reads every module.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.sandbox import MODES, EmbeddedSandbox

from .builders import A_LIFE, a_clock, examples

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import openai

    from tests.fakes.clocks import ManualClock


@contextmanager
def _client(directory: Path, clock: ManualClock) -> Iterator[openai.OpenAI]:
    import openai

    with (
        EmbeddedSandbox(directory, clock=clock.time) as sandbox,
        openai.OpenAI(base_url=sandbox.base_url, api_key="sk-any", max_retries=0) as client,
    ):
        yield client


def _upload(client: openai.OpenAI, count: int = 12) -> str:
    return client.files.create(file=("train.jsonl", examples(count)), purpose="fine-tune").id


def test_job_is_created_and_retrieved_as_it_was_sent(tmp_path: Path) -> None:
    with _client(tmp_path, a_clock()) as client:
        created = client.fine_tuning.jobs.create(
            model="gpt-4o-mini",
            training_file=_upload(client),
            suffix="weather",
            seed=42,
            metadata={"team": "maps"},
            method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}},
            integrations=[{"type": "wandb", "wandb": {"project": "maps", "tags": ["a"]}}],
        )
        job = client.fine_tuning.jobs.retrieve(created.id)
    assert job == created
    assert (job.model, job.seed, job.metadata, job.status) == (
        "gpt-4o-mini-2024-07-18",
        42,
        {"team": "maps"},
        "validating_files",
    )
    assert (job.hyperparameters.n_epochs, job.hyperparameters.batch_size) == (2, 1)
    assert job.integrations is not None
    assert job.integrations[0].wandb.project == "maps"


def test_finished_job_names_its_model(tmp_path: Path) -> None:
    clock = a_clock()
    with _client(tmp_path, clock) as client:
        job = client.fine_tuning.jobs.create(model="gpt-4.1", training_file=_upload(client), suffix="weather")
        clock.sleep(A_LIFE)
        job = client.fine_tuning.jobs.retrieve(job.id)
        names = {model.id for model in client.models.list()}
    assert job.status == "succeeded"
    assert job.fine_tuned_model is not None
    assert job.fine_tuned_model.startswith("ft:gpt-4.1-2025-04-14:sandbox:weather:")
    assert job.trained_tokens
    assert job.fine_tuned_model in names


def test_listing_walks_over_every_page_newest_first(tmp_path: Path) -> None:
    with _client(tmp_path, a_clock()) as client:
        training_file = _upload(client)
        created = [
            client.fine_tuning.jobs.create(model="gpt-4o-mini", training_file=training_file).id for _ in range(23)
        ]
        listed = [job.id for job in client.fine_tuning.jobs.list()]
    assert listed == created[::-1]


def test_listing_is_filtered_by_metadata(tmp_path: Path) -> None:
    with _client(tmp_path, a_clock()) as client:
        training_file = _upload(client)
        client.fine_tuning.jobs.create(model="gpt-4o-mini", training_file=training_file)
        job = client.fine_tuning.jobs.create(
            model="gpt-4o-mini", training_file=training_file, metadata={"team": "maps"}
        )
        listed = [found.id for found in client.fine_tuning.jobs.list(metadata={"team": "maps"})]
    assert listed == [job.id]


def test_cancelled_job_stays_cancelled_and_cannot_be_cancelled_again(tmp_path: Path) -> None:
    import openai

    clock = a_clock()
    with _client(tmp_path, clock) as client:
        job = client.fine_tuning.jobs.create(model="gpt-4o-mini", training_file=_upload(client))
        clock.sleep(3)
        cancelled = client.fine_tuning.jobs.cancel(job.id)
        clock.sleep(A_LIFE)
        later = client.fine_tuning.jobs.retrieve(job.id)
        with pytest.raises(openai.BadRequestError, match="cancelled already"):
            client.fine_tuning.jobs.cancel(job.id)
    assert cancelled.status == "cancelled"
    assert cancelled.finished_at == job.created_at + 3
    assert later == cancelled


def test_paused_job_waits_until_it_is_resumed(tmp_path: Path) -> None:
    clock = a_clock()
    with _client(tmp_path, clock) as client:
        job = client.fine_tuning.jobs.create(model="gpt-4o-mini", training_file=_upload(client))
        clock.sleep(3)
        client.fine_tuning.jobs.pause(job.id)
        clock.sleep(A_LIFE)
        waiting = client.fine_tuning.jobs.retrieve(job.id)
        resumed = client.fine_tuning.jobs.resume(job.id)
        clock.sleep(A_LIFE)
        finished = client.fine_tuning.jobs.retrieve(job.id)
    assert str(waiting.status) == "paused"
    assert (resumed.status, finished.status) == ("running", "succeeded")


def test_events_are_walked_newest_first_without_gap_or_repeat(tmp_path: Path) -> None:
    clock = a_clock()
    with _client(tmp_path, clock) as client:
        job = client.fine_tuning.jobs.create(model="gpt-4o-mini", training_file=_upload(client))
        clock.sleep(A_LIFE)
        events = list(client.fine_tuning.jobs.list_events(job.id, limit=7))
    assert len(events) > 100
    assert len({event.id for event in events}) == len(events)
    assert [event.created_at for event in events] == sorted((event.created_at for event in events), reverse=True)
    assert events[0].message == "The job has successfully completed"
    assert {event.type for event in events} == {"message", "metrics"}


def test_checkpoints_are_the_last_three_and_the_highest_is_the_model(tmp_path: Path) -> None:
    clock = a_clock()
    with _client(tmp_path, clock) as client:
        job = client.fine_tuning.jobs.create(
            model="gpt-4o-mini", training_file=_upload(client), hyperparameters={"n_epochs": 4}
        )
        clock.sleep(A_LIFE)
        model = client.fine_tuning.jobs.retrieve(job.id).fine_tuned_model
        saved = list(client.fine_tuning.jobs.checkpoints.list(job.id, limit=2))
    assert [checkpoint.step_number for checkpoint in saved] == [48, 36, 24]
    assert [checkpoint.fine_tuned_model_checkpoint for checkpoint in saved] == [
        model,
        f"{model}:ckpt-step-36",
        f"{model}:ckpt-step-24",
    ]
    assert saved[0].metrics.train_loss is not None


def test_file_is_uploaded_listed_read_and_deleted(tmp_path: Path) -> None:
    import openai

    with _client(tmp_path, a_clock()) as client:
        other = client.files.create(file=("notes.txt", b"notes"), purpose="assistants")
        file = client.files.create(file=("../train.jsonl", examples()), purpose="fine-tune")
        listed = [found.id for found in client.files.list(purpose="fine-tune")]
        retrieved = client.files.retrieve(file.id)
        content = client.files.content(file.id).read()
        deleted = client.files.delete(file.id)
        with pytest.raises(openai.NotFoundError):
            client.files.retrieve(file.id)
        rest = [found.id for found in client.files.list()]
    assert listed == [file.id]
    assert retrieved == file
    assert (file.filename, file.bytes, file.status) == ("train.jsonl", len(examples()), "processed")
    assert content == examples()
    assert deleted.deleted
    assert rest == [other.id]


def test_refusals_reach_the_client_as_its_own_errors(tmp_path: Path) -> None:
    import openai

    with _client(tmp_path, a_clock()) as client:
        training_file = _upload(client)
        with pytest.raises(openai.RateLimitError) as quota:
            client.fine_tuning.jobs.create(model="gpt-4o-mini", training_file=training_file, suffix="refuse-quota")
        with pytest.raises(openai.NotFoundError) as missing:
            client.fine_tuning.jobs.retrieve("ftjob-none")
    assert quota.value.code == "insufficient_quota"
    assert missing.value.code == "fine_tune_not_found"
    assert (missing.value.request_id or "").startswith("req_")


# What a mode asks of the official client, beyond a base URL and a key.
GATEWAYS: dict[str, dict[str, Any]] = {
    "litellm-native": {"default_query": {"custom_llm_provider": "openai"}},
    "portkey": {"default_headers": {"x-portkey-api-key": "any", "x-portkey-provider": "openai"}},
}


@contextmanager
def _client_of(mode: str, directory: Path, clock: ManualClock) -> Iterator[openai.OpenAI]:
    """The client that its users take, the Azure one where they do."""
    import openai

    with EmbeddedSandbox(directory, clock=clock.time, mode=MODES[mode]) as sandbox:
        if mode == "azure-classic":
            endpoint = sandbox.base_url.removesuffix("/openai")
            client: openai.OpenAI = openai.AzureOpenAI(
                azure_endpoint=endpoint, api_key="any", api_version="2024-10-21", max_retries=0
            )
        else:
            client = openai.OpenAI(base_url=sandbox.base_url, api_key="sk-any", max_retries=0, **GATEWAYS.get(mode, {}))
        with client:
            yield client


@pytest.mark.parametrize("mode", MODES)
def test_it_uploads_creates_lists_reads_and_cancels_in_every_mode(tmp_path: Path, mode: str) -> None:
    clock = a_clock()
    with _client_of(mode, tmp_path, clock) as client:
        jobs = client.fine_tuning.jobs
        training_file = _upload(client) if MODES[mode].uploads else "an-object"
        clock.sleep(2)
        more = dict.fromkeys(MODES[mode].body, "openai")
        made = [
            jobs.create(model="gpt-4o-mini", training_file=training_file, suffix="bot", seed=7, extra_body=more).id
            for _ in range(3)
        ]
        # Of a server without pages that never says that it has shown all, this client asks for ever.
        page = jobs.list(limit=2)
        listed = [job.id for job in (page.data if "jobs" in MODES[mode].silent else page)]
        jobs.cancel(made[0], extra_body=more)
        ended = jobs.retrieve(made[0])
    assert listed == made[::-1]
    assert ended.status in {"cancelled", "canceled"}


@pytest.mark.parametrize("mode", [name for name, mode in MODES.items() if "events" not in mode.missing])
def test_it_walks_events_and_checkpoints_in_every_mode_that_has_them(tmp_path: Path, mode: str) -> None:
    clock = a_clock()
    with _client_of(mode, tmp_path, clock) as client:
        training_file = _upload(client)
        clock.sleep(2)
        job = client.fine_tuning.jobs.create(model="gpt-4o-mini", training_file=training_file)
        clock.sleep(A_LIFE)
        events = [event.id for event in client.fine_tuning.jobs.list_events(job.id, limit=50)]
        checkpoints = list(client.fine_tuning.jobs.checkpoints.list(job.id))
    assert len(events) == len(set(events)) > 50
    assert len(checkpoints) == 3


@pytest.mark.parametrize("mode", MODES)
def test_a_refusal_reaches_it_as_its_own_error(tmp_path: Path, mode: str) -> None:
    import openai

    with _client_of(mode, tmp_path, a_clock()) as client, pytest.raises(openai.NotFoundError) as refused:
        client.fine_tuning.jobs.retrieve("ftjob-none")
    assert "ftjob-none" in refused.value.response.text
