"""What the sandbox's tests are built from: a clock to turn, files, jobs, a client without a socket."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from starlette.testclient import TestClient

from reconciler.sandbox import Store, create_app
from reconciler.sandbox.job import Job, Method
from tests.fakes.clocks import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOBS = "/v1/fine_tuning/jobs"
START = 1_700_000_000.0
# Every life at speed 1, but the endless one, is over by then.
A_LIFE = 30.0


def a_clock() -> ManualClock:
    """At START, in Unix time."""
    return ManualClock(START, epoch=0.0)


def examples(count: int = 12) -> bytes:
    line = json.dumps({"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]})
    return f"{line}\n".encode() * count


def a_job(*, n_epochs: int = 3, batch_size: int = 1, count: int = 12, **fields: Any) -> Job:
    values: dict[str, Any] = {
        "id": "ftjob-abc",
        "created": START,
        "speed": 1.0,
        "model": "gpt-4o-mini-2024-07-18",
        "training_file": "file-abc",
        "validation_file": None,
        "suffix": "weather",
        "seed": 7,
        "metadata": None,
        "integrations": (),
        "method": Method("supervised", {"n_epochs": n_epochs, "batch_size": batch_size}, {}),
        "examples": count,
        "tokens": 600,
    }
    return Job(**{**values, **fields})


class Api:
    """The sandbox without a socket; `clock` turns its time."""

    def __init__(self, http: TestClient, clock: ManualClock) -> None:
        self.http = http
        self.clock = clock

    def upload(self, content: bytes | None = None, *, name: str = "train.jsonl", purpose: str = "fine-tune") -> str:
        answer = self.http.post(
            "/v1/files",
            files={"file": (name, examples() if content is None else content)},
            data={"purpose": purpose},
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def post(self, **fields: Any) -> Any:
        """The raw answer to a create."""
        if "training_file" not in fields:
            fields["training_file"] = self.upload()
        return self.http.post(JOBS, json={"model": "gpt-4o-mini", **fields})

    def create(self, **fields: Any) -> dict[str, Any]:
        answer = self.post(**fields)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        answer = self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def job(self, job_id: str) -> dict[str, Any]:
        return self.get(f"{JOBS}/{job_id}")

    def after_a_life(self, job_id: str) -> dict[str, Any]:
        self.clock.sleep(A_LIFE)
        return self.job(job_id)


@contextmanager
def an_api(directory: Path, clock: ManualClock | None = None, *, speed: float = 1.0) -> Iterator[Api]:
    clock = clock or a_clock()
    with Store(directory) as store, TestClient(create_app(store, clock=clock.time, speed=speed)) as http:
        yield Api(http, clock)
