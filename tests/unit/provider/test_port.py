"""What a refusal is about: every create, this one, or one that came too early."""

import pytest

from reconciler.errors import RateLimited, Refused
from reconciler.provider.port import is_lasting, is_not_ready, takes_no_jobs
from tests.fakes.faulty import reply
from tests.fakes.servers import CREATE, Wire


@pytest.mark.parametrize(
    ("status", "every"), [(401, True), (403, True), (413, False), (400, False), (404, False), (422, False)]
)
def test_which_refusals_are_about_every_create(status: int, every: bool) -> None:
    assert takes_no_jobs(Refused("", status=status)) is every


@pytest.mark.parametrize(
    ("code", "said", "early"),
    [
        ("", "not ready, try again", True),
        ("file_not_ready", "", True),
        ("FileNotReady", "no", True),
        (
            "",
            "File 'file-1' is still being processed and cannot be used for fine-tuning. Please try again later.",
            True,
        ),
        ("invalidPayload", "The file file-1 has status Pending; wait until it is processed.", True),
        ("", "file file-1 isn't ready", True),
        ("", "pending import", True),
        ("", "The training file has not been processed", True),
        ("", "Upload in progress", True),
        ("", "No such File object: file-1", True),
        ("file_not_found", "", True),
        ("", "The file file-1 could not be found", True),
        ("", "file 'file-1' does not exist", True),
        ("model_not_found", "the model m does not exist", False),
        ("invalid_file", "the file has 3 lines, and 10 are needed", False),
        ("", "the model m is already retired, try another", False),
        ("", "your request was wrong, please correct it and try again", False),
        ("", "", False),
    ],
)
def test_a_create_that_came_too_early_is_told_from_one_that_is_wrong(code: str, said: str, early: bool) -> None:
    error = Refused(f"POST /fine_tuning/jobs: HTTP 400{code and f' {code}'}: {said}", status=400, code=code)
    assert is_not_ready(error) is early


@pytest.mark.parametrize("status", [401, 403, 413, 429])
def test_no_other_refusal_is_one_that_came_too_early(status: int) -> None:
    assert not is_not_ready(Refused("the file is not ready", status=status))


@pytest.mark.parametrize(
    ("body", "retry_after", "lasts"),
    [
        ({"code": "insufficient_quota"}, None, True),
        ({"code": "InsufficientQuota"}, "1", True),
        ({"code": "credit_balance_exhausted"}, None, True),
        ({"code": "project_spend_limit_exceeded"}, None, True),
        ({"code": "daily_rate_limit_exceeded", "type": "invalid_request_error"}, None, True),
        ({"code": "billing_not_active"}, None, True),
        ({"type": "insufficient_quota"}, None, True),
        ({"message": "You exceeded your current quota, please check your plan"}, None, True),
        ({"message": "your spend limit is reached"}, None, True),
        ({"message": "call rate limit exceeded; see https://aka.ms/quotaincrease"}, "7", False),
        ({"code": "429", "message": "call rate limit exceeded; see https://aka.ms/quotaincrease"}, None, False),
        ({"code": "rate_limit_exceeded"}, None, False),
        ({"code": "slow_down"}, "1", False),
        ({"message": "slow down"}, None, False),
        ({}, None, False),
    ],
)
def test_which_429s_last(body: dict[str, str], retry_after: str | None, *, lasts: bool) -> None:
    headers = {"retry-after": retry_after} if retry_after else {}
    with Wire(lambda _: reply({"error": body}, 429, **headers)) as wire, pytest.raises(RateLimited) as raised:
        wire.client.create_job(CREATE)
    assert is_lasting(raised.value) is lasts
    assert takes_no_jobs(raised.value) is lasts
