from __future__ import annotations

import pytest

from reconciler.sandbox import scripts

from .builders import JOBS, Api

CHOOSERS = ("suffix", "model")


def _fields(chooser: str, script: str) -> dict[str, str]:
    return {"suffix": script} if chooser == "suffix" else {"model": f"sandbox-{script}"}


@pytest.mark.parametrize("chooser", CHOOSERS)
@pytest.mark.parametrize(("script", "code"), [("fail-server", "server_error"), ("fail-file", "invalid_training_file")])
def test_failing_script_fails_the_job(api: Api, chooser: str, script: str, code: str) -> None:
    job = api.after_a_life(api.create(**_fields(chooser, script))["id"])
    assert (job["status"], job["error"]["code"]) == ("failed", code)


@pytest.mark.parametrize("chooser", CHOOSERS)
@pytest.mark.parametrize(
    ("script", "status", "code"),
    [
        ("refuse-quota", 429, "insufficient_quota"),
        ("refuse-403", 403, "training_not_available"),
        ("refuse-400", 400, None),
    ],
)
def test_refusing_script_creates_nothing(api: Api, chooser: str, script: str, status: int, code: str | None) -> None:
    answer = api.post(**_fields(chooser, script))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert api.get(JOBS)["data"] == []


@pytest.mark.parametrize("chooser", CHOOSERS)
def test_only_the_first_of_its_kind_fails_once(api: Api, chooser: str) -> None:
    fields = {**_fields(chooser, "fail-server-once"), "training_file": api.upload()}
    jobs = [api.create(**fields, metadata={"reconciler_job": mark})["id"] for mark in ("a", "a", "b", "b", "a")]
    api.clock.sleep(100)
    assert [api.job(job)["status"] for job in jobs] == ["failed", "succeeded", "failed", "succeeded", "succeeded"]


@pytest.mark.parametrize("chooser", CHOOSERS)
def test_slow_job_runs_until_it_is_cancelled(api: Api, chooser: str) -> None:
    job = api.create(**_fields(chooser, "slow"))
    api.clock.sleep(3600)
    assert api.job(job["id"])["status"] == "running"
    assert api.http.post(f"{JOBS}/{job['id']}/cancel").json()["status"] == "cancelled"


def test_other_suffixes_and_sandbox_models_just_train(api: Api) -> None:
    job = api.create(model="sandbox-anything", suffix="fail-server-not")
    assert api.after_a_life(job["id"])["status"] == "succeeded"


def test_every_script_is_in_the_table_of_its_module() -> None:
    for name in scripts._SCRIPTS:
        assert f"| `{name}`" in (scripts.__doc__ or "")
