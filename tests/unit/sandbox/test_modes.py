"""What each mode changes of the API's behaviour, read off its answers."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from reconciler.cli.commands.serving import SANDBOX_MODES
from reconciler.cli.options import EMBEDDED_MODES
from reconciler.sandbox import MODES, Store, create_app
from tests.fakes.recorded import AZURE, WHY_NOT, objects

from .builders import A_LIFE, START, a_clock, examples

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.clocks import ManualClock

JOBS = "/fine_tuning/jobs"
HEADERS = {
    "authorization": "Bearer sk-any",
    "api-key": "any",
    "x-portkey-api-key": "any",
    "x-portkey-provider": "openai",
}
QUERY = {"api-version": "2024-10-21", "custom_llm_provider": "openai"}
DPO = {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 2, "beta": 0.5}}}
ABSENT = object()


class Http:
    """A client that shows everything that any mode asks for, unless a test takes it away."""

    def __init__(self, client: TestClient, mode: str, clock: ManualClock) -> None:
        self.client = client
        self.mode = MODES[mode]
        self.clock = clock

    def __call__(self, method: str, path: str, **how: Any) -> Any:
        return self.client.request(method, self.mode.base_path + path, **{"params": QUERY, **how})

    def upload(self) -> str:
        if not self.mode.uploads:
            return "an-object"
        answer = self("POST", "/files", files={"file": ("train.jsonl", examples())}, data={"purpose": "fine-tune"})
        self.clock.sleep(2)
        return str(answer.json()["id"])

    def create(self, **fields: Any) -> Any:
        named = dict.fromkeys(self.mode.body, "openai")
        body = {"model": "gpt-4o-mini", "training_file": self.upload(), "suffix": "bot", "seed": 7, **named, **fields}
        return self("POST", JOBS, json=body)

    def job(self, **fields: Any) -> dict[str, Any]:
        """What the answer to a create says."""
        answer = self.create(metadata={"team": "maps"}, **fields)
        assert answer.status_code == self.mode.created, answer.text
        return dict(answer.json())


@contextmanager
def served(directory: Path, mode: str) -> Iterator[Http]:
    clock = a_clock()
    with (
        Store(directory) as store,
        TestClient(create_app(store, clock=clock.time, speed=1.0, mode=MODES[mode]), headers=HEADERS) as client,
    ):
        yield Http(client, mode, clock)


def test_the_command_offers_every_mode() -> None:
    assert tuple(MODES) == SANDBOX_MODES
    embedded = (mode for mode in MODES.values() if not (mode.query or mode.headers or mode.body))
    assert tuple(m.name for m in embedded if not m.credentials or "authorization" in m.credentials) == EMBEDDED_MODES


@pytest.mark.parametrize(
    ("mode", "field", "expected"),
    [
        ("openai", "metadata", {"team": "maps"}),
        ("openai", "user_provided_suffix", "bot"),
        ("openai-2024", "metadata", ABSENT),
        ("openai-2024", "method", ABSENT),
        ("openai-2024", "seed", 7),
        ("azure", "metadata", ABSENT),
        ("azure", "suffix", "bot"),
        ("azure", "user_provided_suffix", ABSENT),
        ("azure", "validation_file", ABSENT),
        ("azure", "error", ABSENT),
        ("azure", "status", "pending"),
        ("azure", "model", "gpt-4o-mini-2024-07-18"),
        ("azure", "hyperparameters", {"n_epochs": -1, "batch_size": -1, "learning_rate_multiplier": -1}),
        ("azure-classic", "suffix", "bot"),
        ("litellm", "metadata", None),
        ("litellm", "user_provided_suffix", "bot"),
        ("litellm-native", "metadata", None),
        ("portkey", "metadata", None),
        ("nebius", "suffix", "bot"),
        ("nebius", "seed", 7),
        ("llmariner", "created_at", str(int(START) + 2)),
        ("llmariner", "user_provided_suffix", ABSENT),
        ("llmariner", "trained_tokens", "0"),
        ("llmariner", "status", "creating"),
        ("telnyx", "seed", ABSENT),
        ("telnyx", "training_file", "an-object"),
        ("telnyx", "user_provided_suffix", ABSENT),
        ("bare", "seed", ABSENT),
        ("bare", "model", ABSENT),
    ],
)
def test_job_comes_back_as_the_server_shows_it(tmp_path: Path, mode: str, field: str, expected: object) -> None:
    with served(tmp_path, mode) as http:
        assert http.job().get(field, ABSENT) == expected


@pytest.mark.parametrize(
    ("mode", "body"),
    [
        (
            "openai",
            {"error": {"code": "fine_tune_not_found", "param": "fine_tune_id", "type": "invalid_request_error"}},
        ),
        ("azure", {"code": "fine_tune_not_found", "inner_error": {"code": "fine_tune_not_found"}}),
        ("azure-classic", {"error": {"code": "fine_tune_not_found", "target": "fine_tune_id", "details": []}}),
        ("litellm", {"error": {"code": "fine_tune_not_found", "param": "fine_tune_id"}}),
        (
            "litellm-native",
            {"error": {"code": "404", "message": "Error code: 404 - Could not find fine tune: ftjob-none"}},
        ),
        ("nebius", {"detail": "Could not find fine tune: ftjob-none"}),
        ("llmariner", {"code": 5, "message": "Could not find fine tune: ftjob-none"}),
        ("telnyx", {"errors": [{"code": "404", "title": "fine_tune_not_found"}]}),
    ],
)
def test_refusal_has_the_servers_own_form(tmp_path: Path, mode: str, body: dict[str, Any]) -> None:
    with served(tmp_path, mode) as http:
        answer = http("GET", f"{JOBS}/ftjob-none")
    assert answer.status_code == 404
    assert _holds(answer.json(), body)


def _holds(whole: Any, part: Any) -> bool:
    """Whether everything in ``part`` is in ``whole`` too."""
    if isinstance(part, dict):
        return all(_holds(whole[name], value) for name, value in part.items())
    if isinstance(part, list):
        return all(map(_holds, whole, part))
    return bool(whole == part)


def test_refusal_can_be_plain_text(tmp_path: Path) -> None:
    with served(tmp_path, "bare") as http:
        answer = http("GET", f"{JOBS}/ftjob-none")
    assert (answer.status_code, answer.text) == (404, "Could not find fine tune: ftjob-none")


@pytest.mark.parametrize(
    ("mode", "taken_away", "status"),
    [
        ("azure", {"headers": {"api-key": "", "authorization": ""}}, 401),
        ("azure", {"headers": {"authorization": ""}}, 200),
        ("azure", {"headers": {"api-key": ""}}, 200),
        ("azure-classic", {"params": {}}, 400),
        ("litellm-native", {"params": {}}, 400),
        ("portkey", {"headers": {"x-portkey-api-key": ""}}, 401),
        ("portkey", {"headers": {"x-portkey-provider": ""}}, 400),
        ("telnyx", {"headers": {"authorization": ""}}, 401),
        ("openai", {"headers": {"authorization": ""}, "params": {}}, 200),
    ],
)
def test_request_must_show_what_the_server_asks_for(
    tmp_path: Path, mode: str, taken_away: dict[str, Any], status: int
) -> None:
    with served(tmp_path, mode) as http:
        assert http("GET", JOBS, **taken_away).status_code == status


@pytest.mark.parametrize(
    ("mode", "fields", "param"),
    [
        ("azure", {"suffix": "x" * 41}, "suffix"),
        ("openai-2024", {"suffix": "x" * 41}, "suffix"),
        ("llmariner", {"suffix": "x" * 19}, "suffix"),
        ("llmariner", {"suffix": None}, "suffix"),
        ("llmariner", {"hyperparameters": {"n_epochs": "auto"}}, "hyperparameters"),
        ("nebius", {"method": DPO, "hyperparameters": {"n_epochs": 1}}, "hyperparameters"),
        ("litellm-native", {"custom_llm_provider": None}, "custom_llm_provider"),
        ("openai", {"trainingType": "Standard"}, "trainingType"),
    ],
)
def test_create_is_refused_where_the_server_refuses_it(
    tmp_path: Path, mode: str, fields: dict[str, Any], param: str
) -> None:
    with served(tmp_path, mode) as http:
        answer = http.create(**fields)
    assert answer.status_code == 400
    assert param in answer.text


@pytest.mark.parametrize("mode", ["litellm-native", "openai-2024"])
def test_method_is_lost_without_a_word(tmp_path: Path, mode: str) -> None:
    with served(tmp_path, mode) as http:
        job = http.job(method=DPO)
    assert job["hyperparameters"]["n_epochs"] == 8, "what it chooses by itself"
    assert job.get("method", {"type": "supervised"})["type"] == "supervised"


@pytest.mark.parametrize(("mode", "made"), [("litellm-native", 3), ("litellm", 1), ("openai", 1)])
def test_gateway_makes_several_jobs_of_one_create(tmp_path: Path, mode: str, made: int) -> None:
    with served(tmp_path, mode) as http:
        job = http.job(model="sandbox-repeated")
        listed = http("GET", JOBS).json()["data"]
    assert len(listed) == made
    assert listed[0]["id"] == job["id"]
    assert {other["seed"] for other in listed} == {7}


def test_gateway_shows_one_job_in_two_ways(tmp_path: Path) -> None:
    with served(tmp_path, "litellm-native") as http:
        born = http.job()
        (listed,) = http("GET", JOBS).json()["data"]
        retrieved = http("GET", f"{JOBS}/{born['id']}").json()
    assert (listed["status"], retrieved["status"]) == ("pending", "validating_files")
    assert born["training_file"] != listed["training_file"] == retrieved["training_file"]


@pytest.mark.parametrize(("paused", "method"), [(False, DPO), (True, None)])
def test_gateway_fails_to_show_one_job_that_it_lists(tmp_path: Path, paused: bool, method: object) -> None:
    with served(tmp_path, "openai") as server:
        path = f"{JOBS}/{server.job(method=method)['id']}"
        if paused:
            server("POST", f"{path}/pause")
    with served(tmp_path, "litellm-native") as http:
        assert http("GET", path).status_code == 500
        assert len(http("GET", JOBS).json()["data"]) == 1
        assert http("POST", f"{path}/cancel", json={"custom_llm_provider": "openai"}).status_code == (
            200 if paused else 500
        )
        (listed,) = http("GET", JOBS).json()["data"]
    assert listed["status"] == "cancelled", "it was done, whatever the answer"


def test_what_azure_makes_has_a_place_elsewhere_and_a_field_in_its_own_case(tmp_path: Path) -> None:
    with served(tmp_path, "azure") as http:
        answer = http.create(trainingType="GlobalStandard", model="sandbox-slow")
    job = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"].endswith(f"/openai/fine_tuning/jobs/{job['id']}?api-version=2024-10-21")
    assert (job["trainingType"], job["model"]) == ("globalStandard", "Sandbox-slow")
    assert job["estimated_finish"] > job["created_at"]


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("openai", r"ft:gpt-4o-mini-2024-07-18:sandbox:bot:\w{8}"),
        ("azure", r"gpt-4o-mini-2024-07-18\.ft-[0-9a-f]{32}-bot"),
        ("nebius", r"ftjob-\w+:ckpt"),
    ],
)
def test_model_is_named_as_the_server_does_and_can_be_trained_further(tmp_path: Path, mode: str, name: str) -> None:
    with served(tmp_path, mode) as http:
        job = http.job()
        http.clock.sleep(A_LIFE)
        model = http("GET", f"{JOBS}/{job['id']}").json()["fine_tuned_model"]
        assert re.fullmatch(name, model)
        assert http.create(model=model).status_code == http.mode.created
        assert http.create(model=f"{model}x").status_code == 400


@pytest.mark.skipif(not AZURE, reason=WHY_NOT)
def test_azure_shows_no_field_here_that_it_was_never_seen_to_show(tmp_path: Path) -> None:
    with served(tmp_path, "azure") as http:
        job = http.job(trainingType="Standard", validation_file=http.upload())
        http.clock.sleep(A_LIFE)
        ended = http("GET", f"{JOBS}/{job['id']}").json()
        file = http("GET", f"/files/{ended['training_file']}").json()
    assert (job.keys() | ended.keys()) <= {name for seen in objects("fine_tuning.job") for name in seen}
    assert file.keys() == objects("file")[-1].keys()


def test_file_is_pending_first_and_no_job_takes_it_meanwhile(tmp_path: Path) -> None:
    with served(tmp_path, "azure") as http:
        file = http("POST", "/files", files={"file": ("a.jsonl", examples())}, data={"purpose": "fine-tune"}).json()
        early = http("POST", JOBS, json={"model": "gpt-4o", "training_file": file["id"]})
        http.clock.sleep(2)
        later = http("GET", f"/files/{file['id']}").json()
    assert (file["status"], later["status"]) == ("pending", "processed")
    assert (early.status_code, "not ready" in early.text) == (400, True)


def test_server_without_pages_shows_everything_and_never_says_whether_more_follow(tmp_path: Path) -> None:
    with served(tmp_path, "telnyx") as http:
        made = [http.job()["id"] for _ in range(25)]
        page = http("GET", JOBS, params={"limit": 3, "after": made[0]}).json()
    assert ([job["id"] for job in page["data"]], page.keys()) == (made[::-1], {"object", "data"})


@pytest.mark.parametrize(("mode", "ascending"), [("nebius", True), ("openai", False)])
def test_events_may_come_oldest_first(tmp_path: Path, mode: str, ascending: bool) -> None:
    with served(tmp_path, mode) as http:
        job = http.job()
        http.clock.sleep(A_LIFE)
        events = http("GET", f"{JOBS}/{job['id']}/events", params={"limit": 100}).json()["data"]
    times = [event["created_at"] for event in events]
    assert times == sorted(times, reverse=not ascending)
    assert times[0] != times[-1]


@pytest.mark.parametrize(
    ("mode", "method", "path"),
    [
        ("openai-2024", "POST", f"{JOBS}/x/pause"),
        ("litellm-native", "GET", f"{JOBS}/x/events"),
        ("litellm-native", "GET", f"{JOBS}/x/checkpoints"),
        ("llmariner", "GET", f"{JOBS}/x/events"),
        ("telnyx", "GET", "/files"),
        ("bare", "GET", f"{JOBS}/x/checkpoints"),
    ],
)
def test_route_is_not_there(tmp_path: Path, mode: str, method: str, path: str) -> None:
    with served(tmp_path, mode) as http:
        answer = http(method, path)
    assert (answer.status_code, "Invalid URL" in answer.text) == (404, True)


def test_cancel_needs_the_field_that_every_body_needs(tmp_path: Path) -> None:
    with served(tmp_path, "litellm-native") as http:
        path = f"{JOBS}/{http.job()['id']}/cancel"
        assert http("POST", path).status_code == 400
        assert http("POST", path, json={"custom_llm_provider": "openai"}).json()["status"] == "cancelled"


@pytest.mark.parametrize("mode", MODES)
def test_a_job_can_be_cancelled_in_every_mode(tmp_path: Path, mode: str) -> None:
    with served(tmp_path, mode) as http:
        path = f"{JOBS}/{http.job()['id']}"
        http("POST", f"{path}/cancel", json=dict.fromkeys(http.mode.body, "openai"))
        assert http("GET", path).json()["status"] in {"cancelled", "canceled"}
