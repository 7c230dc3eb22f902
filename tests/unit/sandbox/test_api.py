"""What the API answers, request by request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .builders import JOBS, START, Api, examples


def _error(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["x-request-id"].startswith("req_")
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    return dict(error)


def _reinforcement(**section: Any) -> dict[str, Any]:
    return {"type": "reinforcement", "reinforcement": section}


BAD_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"model": None}, "model"),
    ({"model": 7}, "model"),
    ({"training_file": None}, "training_file"),
    ({"training_file": "file-none"}, "training_file"),
    ({"validation_file": "file-none"}, "validation_file"),
    ({"surprise": 1}, "surprise"),
    ({"suffix": ""}, "suffix"),
    ({"suffix": "s" * 65}, "suffix"),
    ({"seed": -1}, "seed"),
    ({"seed": 2**31}, "seed"),
    ({"seed": True}, "seed"),
    ({"metadata": []}, "metadata"),
    ({"metadata": {str(number): "v" for number in range(17)}}, "metadata"),
    ({"metadata": {"k" * 65: "v"}}, f"metadata.{'k' * 64}"),
    ({"metadata": {"k": "v" * 513}}, "metadata.k"),
    ({"metadata": {"k": 1}}, "metadata.k"),
    ({"integrations": {}}, "integrations"),
    ({"integrations": [{"type": "other"}]}, "integrations[0].type"),
    ({"integrations": [{"type": "wandb", "wandb": {}}]}, "integrations[0].wandb.project"),
    ({"hyperparameters": {"n_epochs": 0}}, "hyperparameters.n_epochs"),
    ({"hyperparameters": {"n_epochs": 51}}, "hyperparameters.n_epochs"),
    ({"hyperparameters": {"n_epochs": "3"}}, "hyperparameters.n_epochs"),
    ({"hyperparameters": {"batch_size": 257}}, "hyperparameters.batch_size"),
    ({"hyperparameters": {"learning_rate_multiplier": 0}}, "hyperparameters.learning_rate_multiplier"),
    ({"hyperparameters": {"beta": 0.1}}, "hyperparameters.beta"),
    ({"method": {"type": "magic"}}, "method.type"),
    ({"method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 2.1}}}}, "method.dpo.hyperparameters.beta"),
    ({"method": _reinforcement()}, "method.reinforcement.grader"),
    ({"method": _reinforcement(grader={})}, "method.reinforcement.grader"),
]


@pytest.mark.parametrize(("fields", "param"), BAD_FIELDS)
def test_bad_field_is_refused_by_name(api: Api, fields: dict[str, Any], param: str) -> None:
    error = _error(api.post(**fields), 400)
    assert (error["param"], error["type"]) == (param, "invalid_request_error")
    assert api.get(JOBS)["data"] == []


GOOD_FIELDS: list[dict[str, Any]] = [
    {"suffix": "s" * 64, "seed": 2**31 - 1},
    {"seed": 0, "metadata": {"k" * 64: "v" * 512}},
    {"metadata": {str(number): "" for number in range(16)}},
    {"x_trace": {"anything": 1}},
    {"hyperparameters": {"n_epochs": 50, "batch_size": 256, "learning_rate_multiplier": 0.01}},
    {"hyperparameters": {"n_epochs": "auto"}, "method": None, "integrations": None},
    {"method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 2}}}},
]


@pytest.mark.parametrize("fields", GOOD_FIELDS)
def test_values_at_their_bounds_are_accepted(api: Api, fields: dict[str, Any]) -> None:
    assert api.post(**fields).status_code == 200


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"nonsense", b'{"model": NaN}', b'{"model": "\\ud800"}', b"[" * 100_000, b"\xff"]
)
def test_body_that_is_no_json_object_is_refused(api: Api, body: bytes) -> None:
    _error(api.http.post(JOBS, content=body), 400)


def test_body_over_a_mebibyte_is_refused(api: Api) -> None:
    fits = json.dumps({"x": ""}).encode()
    assert _error(api.http.post(JOBS, content=fits.ljust(1024 * 1024)), 400)["param"] == "x"
    _error(api.http.post(JOBS, content=fits.ljust(1024 * 1024 + 1)), 413)


@pytest.mark.parametrize("model", ["gpt-5", "ft:gpt-4o-mini-2024-07-18:sandbox::abcdefgh", "gpt"])
def test_unknown_model_is_refused(api: Api, model: str) -> None:
    assert _error(api.post(model=model), 400)["code"] == "model_not_found"


def test_fine_tuned_model_can_be_trained_again_once_it_exists(api: Api) -> None:
    first = api.create(suffix="one")
    api.clock.sleep(1)
    job = api.after_a_life(first["id"])
    saved = api.get(f"{JOBS}/{first['id']}/checkpoints")["data"][1]["fine_tuned_model_checkpoint"]
    again = api.create(model=job["fine_tuned_model"], suffix="two")
    assert api.after_a_life(again["id"])["fine_tuned_model"].startswith("ft:gpt-4o-mini-2024-07-18:sandbox:two:")
    assert api.post(model=saved).status_code == 200
    assert api.post(model=f"{job['fine_tuned_model']}:ckpt-step-1").status_code == 400


def test_file_of_another_purpose_is_no_training_file(api: Api) -> None:
    error = _error(api.post(training_file=api.upload(purpose="assistants")), 400)
    assert error["param"] == "training_file"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (examples(9), "invalid_n_examples"),
        (b"", "invalid_n_examples"),
        (examples(12) + b"nonsense\n", "invalid_training_file"),
        (examples(12) + b"[1]\n", "invalid_training_file"),
    ],
)
def test_bad_training_file_fails_the_job_later(api: Api, content: bytes, code: str) -> None:
    created = api.create(training_file=api.upload(content))
    assert created["status"] == "validating_files"
    assert created["error"] == {"code": None, "message": None, "param": None}
    job = api.after_a_life(created["id"])
    assert (job["status"], job["error"]["code"], job["error"]["param"]) == ("failed", code, "training_file")
    assert job["finished_at"] == job["created_at"] + 1
    assert api.get(f"{JOBS}/{job['id']}/events")["data"][0]["level"] == "error"


def test_auto_becomes_numbers_in_both_places(api: Api) -> None:
    job = api.create(training_file=api.upload(examples(1000)), hyperparameters={"n_epochs": "auto"})
    assert job["hyperparameters"] == {"n_epochs": 3, "batch_size": 2, "learning_rate_multiplier": 1.8}
    assert job["method"] == {"type": "supervised", "supervised": {"hyperparameters": job["hyperparameters"]}}


def test_preference_job_has_no_hyperparameters_of_the_older_form(api: Api) -> None:
    job = api.create(method={"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.5}}})
    assert job["hyperparameters"] is None
    assert job["method"]["dpo"]["hyperparameters"]["beta"] == 0.5


def test_reinforcement_job_echoes_its_grader(api: Api) -> None:
    grader = {"type": "string_check", "name": "g", "input": "{{x}}", "reference": "{{y}}", "operation": "eq"}
    job = api.create(model="o4-mini", method=_reinforcement(grader=grader))
    assert job["method"]["reinforcement"]["grader"] == grader
    assert isinstance(job["method"]["reinforcement"]["hyperparameters"]["eval_interval"], int)


def test_seed_is_generated_and_integrations_gain_a_run(api: Api) -> None:
    job = api.create(integrations=[{"type": "wandb", "wandb": {"project": "p"}}])
    assert 0 <= job["seed"] < 2**31
    assert job["integrations"][0]["wandb"] == {"project": "p", "entity": None, "run_id": job["id"]}


def test_older_jobs_come_last_even_within_a_second(api: Api) -> None:
    training_file = api.upload()
    created = []
    for now in (START + 0.5, START + 0.9, START + 0.1, START + 0.5):
        api.clock.now = now
        created.append(api.create(training_file=training_file)["id"])
    listed = [job["id"] for job in api.get(JOBS)["data"]]
    assert listed == [created[1], created[3], created[0], created[2]]


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_pages_cover_the_list_once(api: Api, limit: int) -> None:
    training_file = api.upload()
    created = [api.create(training_file=training_file)["id"] for _ in range(5)]
    walked: list[str] = []
    page = api.get(JOBS, limit=limit)
    walked += [job["id"] for job in page["data"]]
    while page["has_more"]:
        page = api.get(JOBS, limit=limit, after=walked[-1])
        assert 0 < len(page["data"]) <= limit
        walked += [job["id"] for job in page["data"]]
    assert walked == created[::-1]


@pytest.mark.parametrize("limit", ["0", "-1", "101", "x", "1.0", "", "٣", "9" * 5000])
def test_limit_out_of_range_is_refused(api: Api, limit: str) -> None:
    assert _error(api.http.get(JOBS, params={"limit": limit}), 400)["param"] == "limit"


def test_unknown_cursor_is_refused_in_every_list(api: Api) -> None:
    job_id = api.create()["id"]
    for path in (JOBS, f"{JOBS}/{job_id}/events", f"{JOBS}/{job_id}/checkpoints", "/v1/files"):
        assert _error(api.http.get(path, params={"after": "none"}), 400)["param"] == "after"


def test_metadata_filter_asks_for_every_pair(api: Api) -> None:
    training_file = api.upload()
    odd = 'quote" \\ [é] . $'
    both = api.create(training_file=training_file, metadata={"a": "1", odd: odd})["id"]
    one = api.create(training_file=training_file, metadata={"a": "1"})["id"]
    none = api.create(training_file=training_file)["id"]
    empty = api.create(training_file=training_file, metadata={})["id"]

    def listed(**query: str) -> list[str]:
        return [job["id"] for job in api.get(JOBS, **query)["data"]]

    assert listed(**{"metadata[a]": "1"}) == [one, both]
    assert listed(**{"metadata[a]": "1", f"metadata[{odd}]": odd}) == [both]
    assert listed(**{"metadata[a]": "2"}) == []
    assert listed(**{"metadata[b]": "1"}) == []
    assert listed(metadata="null") == [empty, none]
    assert _error(api.http.get(JOBS, params={"metadata": "a"}), 400)["param"] == "metadata"


def test_filtered_list_is_paged(api: Api) -> None:
    training_file = api.upload()
    marked = [api.create(training_file=training_file, metadata={"a": str(n % 2)})["id"] for n in range(6)][1::2][::-1]
    page = api.get(JOBS, limit=2, **{"metadata[a]": "1"})
    rest = api.get(JOBS, limit=2, after=page["data"][-1]["id"], **{"metadata[a]": "1"})
    assert ([job["id"] for job in page["data"]], page["has_more"]) == (marked[:2], True)
    assert ([job["id"] for job in rest["data"]], rest["has_more"]) == (marked[2:], False)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"{JOBS}/ftjob-none", 404, "fine_tune_not_found"),
        ("POST", f"{JOBS}/ftjob-none/cancel", 404, "fine_tune_not_found"),
        ("POST", f"{JOBS}/ftjob-none/pause", 404, "fine_tune_not_found"),
        ("GET", f"{JOBS}/ftjob-none/events", 404, "fine_tune_not_found"),
        ("GET", f"{JOBS}/ftjob-none/checkpoints", 404, "fine_tune_not_found"),
        ("GET", "/v1/files/file-none", 404, None),
        ("GET", "/v1/files/..%2Fsandbox.db/content", 404, None),
        ("DELETE", "/v1/files/file-none", 404, None),
        ("GET", "/v1/models/none", 404, "model_not_found"),
        ("GET", "/v1/nothing", 404, None),
        ("GET", f"{JOBS}/", 404, None),
        ("DELETE", JOBS, 405, None),
        ("GET", f"{JOBS}/ftjob-none/cancel", 405, None),
    ],
)
def test_what_is_not_there_is_refused_in_json(api: Api, method: str, path: str, status: int, code: str | None) -> None:
    assert _error(api.http.request(method, path), status)["code"] == code


@pytest.mark.parametrize("verb", ["cancel", "pause", "resume"])
def test_finished_job_cannot_be_changed(api: Api, verb: str) -> None:
    job = api.after_a_life(api.create()["id"])
    assert "succeeded already" in _error(api.http.post(f"{JOBS}/{job['id']}/{verb}"), 400)["message"]
    assert api.job(job["id"]) == job


def test_only_a_paused_job_is_resumed_and_only_once_paused(api: Api) -> None:
    path = f"{JOBS}/{api.create()['id']}"
    _error(api.http.post(f"{path}/resume"), 400)
    assert api.http.post(f"{path}/pause").json()["status"] == "paused"
    _error(api.http.post(f"{path}/pause"), 400)
    assert api.http.post(f"{path}/cancel").json()["status"] == "cancelled"


@pytest.mark.parametrize(
    ("files", "fields", "param"),
    [
        (None, {"purpose": "fine-tune"}, "file"),
        ({"file": ("a", b"a")}, {}, "purpose"),
        ({"file": ("a", b"a")}, {"purpose": "mischief"}, "purpose"),
    ],
)
def test_incomplete_upload_is_refused(api: Api, files: Any, fields: dict[str, str], param: str) -> None:
    assert _error(api.http.post("/v1/files", files=files, data=fields), 400)["param"] == param


@pytest.mark.parametrize(
    ("sent", "echoed"), [("../../etc/passwd", "passwd"), ("C:\\temp\\a.jsonl", "a.jsonl"), ("..", "..")]
)
def test_file_name_is_echoed_without_its_folders(api: Api, sent: str, echoed: str) -> None:
    assert api.get(f"/v1/files/{api.upload(name=sent)}")["filename"] == echoed


def test_large_upload_comes_back_unchanged(api: Api) -> None:
    content = bytes(range(256)) * 8192
    file_id = api.upload(content)
    assert api.get(f"/v1/files/{file_id}")["bytes"] == len(content)
    assert api.http.get(f"/v1/files/{file_id}/content").content == content


def test_files_are_listed_in_both_orders_with_their_ends(api: Api) -> None:
    first, second = api.upload(), api.upload()
    newest = api.get("/v1/files")
    assert ([file["id"] for file in newest["data"]], newest["first_id"], newest["last_id"]) == (
        [second, first],
        second,
        first,
    )
    assert [file["id"] for file in api.get("/v1/files", order="asc")["data"]] == [first, second]


def test_health_is_outside_the_api(api: Api) -> None:
    assert api.get("/healthz") == {"status": "ok"}
