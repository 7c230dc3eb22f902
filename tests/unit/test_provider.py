"""The client against a server that misbehaves: one POST, whatever comes back; every answer classified; no foreign exception."""

import gzip
import io
import itertools
import json
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.job import Marks
from reconciler.core.manifest import ProviderName
from reconciler.errors import (
    NoData,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    Refused,
    Unreadable,
    Untrusted,
    UsageError,
)
from reconciler.log import configure
from reconciler.provider import (
    PROFILES,
    Account,
    Assumed,
    Assumption,
    DeadlineTransport,
    OpenAIClient,
    Profile,
    RequestRecord,
    is_lasting,
    is_not_ready,
    takes_no_jobs,
)
from reconciler.provider import listing as listing_module
from reconciler.provider.key import Key, KeyFile, Secrets
from reconciler.provider.transport import ANSWER_LIMIT, _bounded
from tests.fakes.clocks import SkippingClock
from tests.fakes.faulty import DROP, HANG, Answer, FaultyServer, Reply, Request, reply
from tests.fakes.strategies import bodies, headers, statuses

KEY = "sk-a-key-that-must-appear-nowhere"
JOB = {"id": "ftjob-1", "status": "running", "metadata": Marks("f", "a", "0" * 16, 1).as_metadata()}
CREATE = {"model": "m", "training_file": "file-1"}


def caught(call: Callable[[], object]) -> object:
    """What a call returns, or the error of ours that it raises."""
    try:
        return call()
    except ProviderError as error:
        return error


def a_key(key: str | Key) -> Key:
    """A key that stays as it is, or the one given."""
    return key if isinstance(key, Key) else Key(lambda: key)


def an_account(base_url: str, key: Key | None = None, **account: Any) -> Account:
    """An account of a server that is compatible, unless it says another profile."""
    return Account(
        **{"profile": PROFILES[ProviderName.COMPATIBLE], "key": key or a_key(KEY), **account}, base_url=base_url
    )


def asked(client: OpenAIClient) -> list[object]:
    """What a write, a listing and a read come to."""
    return [
        caught(lambda: client.create_job(CREATE)),
        caught(client.list_jobs),
        caught(lambda: client.retrieve_job("j")),
    ]


class House:
    """A client, its server, and everything that went over the wire."""

    def __init__(self, answer: Answer, tls: Path | None = None, **account: Any) -> None:
        self.clock = SkippingClock()
        self.server = FaultyServer(answer, tls)
        self.records: list[RequestRecord] = []
        self.transport = DeadlineTransport(self.clock, deadline=0.4, proxies=dict)
        base_url = account.pop("base_url", self.server.base_url)
        self.client = OpenAIClient(
            an_account(base_url, a_key(account.pop("api_key", KEY)), **account),
            transport=self.transport,
            clock=self.clock,
            random=lambda: 0.5,
            on_request=self.records.append,
        )

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.transport.close()
        self.server.__exit__()


def script(*answers: Reply) -> Answer:
    """These answers, one after the other; the last one for ever."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


# ── a create is sent once, and its outcome is classified ─────────────────────────────────────

HTML = Reply(200, b"<html>Bad gateway</html>", {"content-type": "text/html"})
UNKNOWN = {
    "dropped": DROP,
    "hanging": HANG,
    "cut": Reply(200, json.dumps(JOB).encode(), how="cut"),
    "dripping": Reply(200, json.dumps(JOB).encode(), how="drip"),
    "html": HTML,
    "no id": reply({"status": "running"}),
    "a list": reply([1]),
    "empty": Reply(200, b""),
    "deep": Reply(200, b"[" * 100_000),
    "408": reply({}, 408),
    "409": reply({"error": {"message": "lock"}}, 409),
    "500": reply({}, 500),
    "502": Reply(502, b"<html>", {}),
    "503": reply({}, 503),
    "redirect": reply({}, 307, location="/v1/elsewhere"),
    "405": reply({}, 405),
    "too long": Reply(200, b" " * (ANSWER_LIMIT + 1)),
    "bomb": Reply(200, gzip.compress(b" " * (ANSWER_LIMIT + 1)), {"content-encoding": "gzip"}),
    "bad gzip": Reply(200, b"not gzip", {"content-encoding": "gzip"}),
    "cut gzip": Reply(200, gzip.compress(b"{}" * 5000)[:40], {"content-encoding": "gzip"}),
    "brotli": Reply(200, b"x", {"content-encoding": "br"}),
}


@pytest.mark.parametrize("answer", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_an_unknown_outcome_is_posted_once(answer: Reply) -> None:
    with House(lambda _: answer) as house:
        with pytest.raises(OutcomeUnknown):
            house.client.create_job(CREATE)
        assert len(house.server.requests) == 1
        assert house.clock.slept == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_refusal_says_that_nothing_was_created(status: int) -> None:
    told = {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": "bad_thing"}}
    with House(lambda _: reply(told, status, **{"x-request-id": "req-7"})) as house:
        with pytest.raises(Refused) as raised:
            house.client.create_job(CREATE)
        assert len(house.server.requests) == 1
    assert (raised.value.status, raised.value.code, raised.value.request_id) == (status, "bad_thing", "req-7")
    assert str(raised.value) == f"POST /fine_tuning/jobs: HTTP {status} bad_thing: no"


# Bodies of a 400 as servers send them, and what a person reads of each.
COMPLAINTS: list[tuple[object, str]] = [
    (
        {"error": {"message": "bad file", "type": "invalid_request_error", "code": None}},
        " invalid_request_error: bad file",
    ),
    (
        {"error": {"code": "bad_thing", "message": "no", "target": "x", "details": [], "innererror": None}},
        " bad_thing: no",
    ),
    (
        {"error": {"code": "BadRequest", "message": "no", "innererror": {"code": "TooLong", "message": "suffix"}}},
        " BadRequest: no: suffix",
    ),
    (
        {"code": "InvalidPayload", "message": "no", "param": None, "type": None, "inner_error": None},
        " InvalidPayload: no",
    ),
    ({"detail": "x"}, ": x"),
    ({"detail": "Not Found"}, ": Not Found"),
    (
        {"detail": [{"loc": ["body", "model"], "msg": "Field required"}, {"loc": ["body", 0], "msg": "no"}]},
        ": body.model: Field required; body.0: no",
    ),
    ({"detail": {"error": {"message": "deep", "code": "c"}}}, " c: deep"),
    (
        {"object": "error", "message": "no such model", "type": "BadRequestError", "code": 400},
        " BadRequestError: no such model",
    ),
    ({"object": "error", "message": "no such model"}, ": no such model"),
    ({"code": 3, "message": "suffix: too long", "details": []}, " 3: suffix: too long"),
    ({"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}, " INVALID_ARGUMENT: no"),
    ([{"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}], " INVALID_ARGUMENT: no"),
    (
        {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": "model is unknown"},
        ": Bad Request: model is unknown",
    ),
    ({"type": "https://x.example/errors/a", "title": "Bad Request"}, ": Bad Request"),
    ({"errors": ["one", "two"]}, ": one; two"),
    ({"success": False, "errors": [{"code": 1000, "message": "bad"}]}, " 1000: bad"),
    ({"errors": {"model": ["is unknown", "is empty"]}}, ": model: is unknown; is empty"),
    ({"error": "text"}, ": text"),
    ({"error": "invalid_grant", "error_description": "expired"}, " invalid_grant: invalid_grant: expired"),
    ({"error": "insufficient_quota"}, " insufficient_quota"),
    (
        {"error": "Bad Request", "message": "model is unknown", "status": 400, "path": "/x"},
        ": Bad Request: model is unknown",
    ),
    ({"error": {"message": {"error": "deeper"}}}, ": deeper"),
    ({"message": "m"}, ": m"),
    ({"Message": "m"}, ": m"),
    ({"msg": "m"}, ": m"),
    ({"errorMessage": "m"}, ": m"),
    ({"fault": {"faultstring": "quota", "detail": {"errorcode": "x"}}}, ": quota: errorcode: x"),
    ({"error": {"code": "bad_thing"}}, " bad_thing"),
    ({"whatever": "stands here"}, ": whatever: stands here"),
    ("just a text", ": just a text"),
    ({"error": None}, ""),
    ({"error": {}}, ""),
    ({}, ""),
    ([], ""),
    (None, ""),
    (7, ""),
]


@pytest.mark.parametrize(("body", "said"), COMPLAINTS, ids=[json.dumps(body)[:60] for body, _ in COMPLAINTS])
def test_what_a_server_says_in_an_error_reaches_the_person(body: object, said: str) -> None:
    with House(lambda _: reply(body, 400)) as house, pytest.raises(Refused) as raised:
        house.client.create_job(CREATE)
    assert str(raised.value) == f"POST /fine_tuning/jobs: HTTP 400{said}"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"upstream  request\ntimeout", ": upstream request timeout"),
        (b"<html><head><title>Bad Gateway</title></head><body><h1>502</h1>", ": Bad Gateway"),
        (b"<h1>no</h1> <p>title</p>", ": no title"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", ": AccessDenied"),
        (b"\x00\x01\x02", ""),
        (b"\xff\xfe", ": \ufffd\ufffd"),
        (b"", ""),
        (b"   ", ""),
    ],
)
def test_an_error_that_is_no_json_is_read_too(body: bytes, said: str) -> None:
    with House(lambda _: Reply(503, body)) as house, pytest.raises(OutcomeUnknown) as raised:
        house.client.create_job(CREATE)
    assert str(raised.value) == f"POST /fine_tuning/jobs: HTTP 503{said}"


@pytest.mark.parametrize("filler", ["", " " * 4090, "<p>" * 1500, "x" * 250, "x " * 2045])
def test_no_error_that_is_no_json_shows_a_part_of_the_key(filler: str) -> None:
    for body in (f"{filler}{KEY}", f"<title>{filler}{KEY}", f"<html>{filler}{KEY}"):
        for status in (200, 400, 503):
            with House(lambda _, body=body, status=status: Reply(status, body.encode())) as house:  # type: ignore[misc]
                outcome = caught(lambda: house.client.create_job(CREATE))
            assert isinstance(outcome, ProviderError)
            assert KEY[:8] not in f"{outcome} {house.records}"
            assert len(str(outcome)) < 700


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_base_url_that_leads_nowhere_is_told_of(status: int) -> None:
    with House(lambda _: reply({"detail": "Not Found"}, status)) as house:
        base_url = house.server.base_url.removesuffix("/v1")
        with pytest.raises(ProviderError, match="Not Found .*is the base URL that of an API with fine-tuning?"):
            house.client.list_jobs()
        assert len(house.server.requests) == 1
        client = OpenAIClient(
            an_account(base_url),
            transport=house.transport,
            clock=house.clock,
            random=lambda: 0.5,
            on_request=house.records.append,
        )
        with pytest.raises(ProviderError, match="the base URL does not end in /v1"):
            client.list_jobs()


def test_an_unknown_job_says_nothing_of_the_base_url() -> None:
    with House(lambda _: reply({"detail": "Not Found"}, 404)) as house, pytest.raises(Refused) as raised:
        house.client.retrieve_job("j")
    assert "base URL" not in str(raised.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("https://login.example.com/start?token=s3cret#s3cret", "it redirects to https://login.example.com, which"),
        ("https://user:s3cret@api.example.com:8443/v1", "it redirects to https://api.example.com:8443, which"),
        ("//other.example/s3cret", "it redirects to http://other.example, which"),
        ("/login?next=s3cret", "it redirects to the path /login of the same host, which"),
        ("jobs/", "jobs/ of the same host, which"),
        ("mailto:s3cret", "a redirect is not followed"),
        ("http://[s3cret", "a redirect is not followed"),
        ("http://x:s3cret/", "a redirect is not followed"),
        ("", "a redirect is not followed"),
        (f"https://{KEY}.example/{KEY}", "a redirect is not followed"),
        (f"/{KEY}", "it redirects to the path /[redacted] of the same host, which"),
    ],
)
def test_a_redirect_is_told_of_once_and_says_where_it_points(status: int, location: str, said: str) -> None:
    with House(lambda _: Reply(status, b"", {"location": location})) as house:
        with pytest.raises(Unreadable) as raised:
            house.client.list_jobs()
        assert said in str(raised.value)
        assert "s3cret" not in str(raised.value)
        assert KEY not in str(raised.value)
        assert len(house.server.requests) == 1
        with pytest.raises(OutcomeUnknown, match="redirect"):
            house.client.create_job(CREATE)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            b"<!DOCTYPE html><html><head><title>Sign in</title>",
            "HTTP 200, an HTML page: Sign in (a login page or a proxy's, not the API's answer; is the base URL",
        ),
        (
            b"\xef\xbb\xbf\n<HTML>",
            "HTTP 200, an HTML page (a login page or a proxy's, not the API's answer; is the base URL",
        ),
        (b"", "HTTP 200, an empty answer"),
        (b"\n", "HTTP 200, an empty answer"),
        (b"healthy", "HTTP 200, not JSON: healthy"),
        (b'"overloaded"', "HTTP 200, a job that is not an object: overloaded"),
        (b'{"error": {"message": "overloaded"}}', "HTTP 200, a job without an id: overloaded"),
        (b'{"status": "running"}', "HTTP 200, a job without an id"),
    ],
)
def test_a_success_that_is_none_says_what_it_is(body: bytes, said: str) -> None:
    with House(lambda _: Reply(200, body)) as house, pytest.raises(OutcomeUnknown) as raised:
        house.client.create_job(CREATE)
    assert said in str(raised.value)
    assert str(raised.value).endswith(said) or said.endswith("base URL")


def test_a_429_on_a_create_is_told_and_not_repeated() -> None:
    with House(lambda _: reply({"error": {"code": "rate_limit_exceeded"}}, 429, **{"retry-after": "3"})) as house:
        with pytest.raises(RateLimited) as raised:
            house.client.create_job(CREATE)
        assert len(house.server.requests) == 1
    assert raised.value.retry_after == 3
    assert not takes_no_jobs(raised.value)


def test_no_connection_means_not_sent() -> None:
    with House(lambda _: reply(JOB)) as house:
        gone = house.server.base_url
    with House(lambda _: reply(JOB), base_url=gone) as house, pytest.raises(NotSent):
        house.client.create_job(CREATE)


def test_an_unknown_host_means_not_sent() -> None:
    with House(lambda _: reply(JOB), base_url="http://no-such-host.invalid/v1") as house, pytest.raises(NotSent):
        house.client.create_job(CREATE)


@pytest.mark.parametrize("status", [200, 201])
def test_a_created_job(status: int) -> None:
    with House(lambda _: reply(JOB, status)) as house:
        job = house.client.create_job(CREATE)
        assert house.server.requests[0].json == CREATE
    assert (job.id, job.status) == ("ftjob-1", "running")
    assert job.marks == Marks("f", "a", "0" * 16, 1)


def test_a_connection_that_died_while_idle_is_not_used_for_a_create() -> None:
    with House(lambda _: Reply(200, json.dumps(JOB).encode(), {"connection": "close"})) as house:
        for _ in range(3):
            house.client.create_job(CREATE)
        assert len(house.server.requests) == 3


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
    with House(lambda _: reply({"error": body}, 429, **headers)) as house, pytest.raises(RateLimited) as raised:
        house.client.create_job(CREATE)
    assert is_lasting(raised.value) is lasts
    assert takes_no_jobs(raised.value) is lasts


def test_a_server_that_is_weak_may_say_how_long() -> None:
    with House(lambda _: reply({}, 503, **{"retry-after": "9"})) as house:
        with pytest.raises(OutcomeUnknown) as raised:
            house.client.upload_file("x.jsonl", b"{}")
        with pytest.raises(OutcomeUnknown):
            house.client.create_job(CREATE)
    assert raised.value.retry_after == 9


def test_a_cancel_is_sent_once() -> None:
    with House(lambda _: HANG) as house:
        with pytest.raises(OutcomeUnknown):
            house.client.cancel_job("ftjob-1")
        assert [(r.method, r.path) for r in house.server.requests] == [("POST", "/v1/fine_tuning/jobs/ftjob-1/cancel")]
    with House(lambda _: Reply(200, b"whatever")) as house:
        house.client.cancel_job("ftjob-1")


# ── reads are repeated, within reason ────────────────────────────────────────────────────────


@pytest.mark.parametrize("fault", [DROP, HANG, HTML, reply({}, 500), reply({}, 409), Reply(200, b"{", {})], ids=repr)
def test_a_read_is_asked_again(fault: Reply) -> None:
    with House(script(fault, fault, reply(JOB))) as house:
        assert house.client.retrieve_job("ftjob-1").id == "ftjob-1"
        assert len(house.server.requests) == 3
        assert house.clock.slept == [0.5, 1.0], "half of what the jitter allows"


def test_a_read_is_given_up_after_four_tries() -> None:
    with House(lambda _: reply({}, 503)) as house:
        with pytest.raises(Unreadable, match="HTTP 503"):
            house.client.retrieve_job("ftjob-1")
        assert len(house.server.requests) == 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 422])
def test_a_refused_read_is_not_repeated(status: int) -> None:
    with House(lambda _: reply({}, status)) as house:
        with pytest.raises(Refused) as raised:
            house.client.retrieve_job("ftjob-1")
        assert len(house.server.requests) == 1
    assert raised.value.status == status


@pytest.mark.parametrize(
    ("headers", "waited"),
    [
        ({"retry-after": "7"}, 7.5),
        ({"retry-after": "1.5"}, 2.0),
        ({"retry-after-ms": "2500", "retry-after": "60"}, 3.0),
        ({"retry-after": "soon"}, 0.5),
        ({}, 0.5),
    ],
)
def test_retry_after_is_obeyed(headers: dict[str, str], waited: float) -> None:
    with House(script(reply({}, 429, **headers), reply(JOB))) as house:
        house.client.retrieve_job("ftjob-1")
        assert house.clock.slept == [waited]


def test_retry_after_may_be_a_date() -> None:
    with House(lambda _: reply(JOB)) as house:
        date = formatdate(house.clock.time() + 30, usegmt=True)
        house.server.answer = script(reply({}, 429, **{"retry-after": date}), reply(JOB))
        house.client.retrieve_job("ftjob-1")
        assert 28 < house.clock.slept[0] <= 31


@pytest.mark.parametrize(
    "answer",
    [
        reply({}, 429, **{"retry-after": "121"}),
        reply({"error": {"code": "insufficient_quota"}}, 429),
        reply({"error": {"code": "SpendLimitReached"}}, 429),
        reply({"message": "pay first", "type": "insufficient_quota"}, 429),
        reply({"error": "insufficient_quota"}, 429),
        reply({"error": {"code": "daily_rate_limit_exceeded"}}, 429, **{"retry-after": "5"}),
    ],
    ids=["too long", "quota", "camel case", "flat", "a text", "daily"],
)
def test_a_limit_that_will_not_pass_is_told_at_once(answer: Reply) -> None:
    with House(lambda _: answer) as house:
        with pytest.raises(RateLimited):
            house.client.list_jobs()
        assert len(house.server.requests) == 1


def test_an_answer_about_another_job_is_no_answer() -> None:
    with House(lambda _: reply({"id": "ftjob-2"})) as house, pytest.raises(Unreadable, match="ftjob-2"):
        house.client.retrieve_job("ftjob-1")


# ── listings are complete, or there is none ──────────────────────────────────────────────────


def page(*ids: str, has_more: object = False, **more: object) -> Reply:
    told = {"object": "list", "data": [{"id": i, "status": "running", **more} for i in ids]}
    return reply(told if has_more is None else {**told, "has_more": has_more})


def by_cursor(pages: dict[str, Reply]) -> Answer:
    def answer(request: Request) -> Reply:
        _, _, after = request.path.partition("after=")
        return pages[after.partition("&")[0]]

    return answer


def listed(answer: Answer) -> list[str]:
    with House(answer) as house:
        return [job.id for job in house.client.list_jobs()]


def test_pages_are_walked_to_the_last() -> None:
    assert listed(by_cursor({"": page("a", "b", has_more=True), "b": page("c")})) == ["a", "b", "c"]


def test_a_server_that_does_not_say_is_asked_until_a_page_is_empty() -> None:
    assert listed(
        by_cursor({"": page("a", has_more=None), "a": page("b", has_more=None), "b": page(has_more=None)})
    ) == ["a", "b"]


def test_a_server_that_always_says_more_is_asked_until_a_page_is_empty() -> None:
    assert listed(by_cursor({"": page("a", has_more=True), "a": page(has_more=True)})) == ["a"]


def test_jobs_that_were_pushed_down_are_counted_once_and_the_later_showing_wins() -> None:
    first = page("a", "b", has_more=True)
    second = reply({"data": [{"id": "b", "status": "failed"}, {"id": "c"}], "has_more": False})
    with House(by_cursor({"": first, "b": second})) as house:
        assert [(j.id, j.status) for j in house.client.list_jobs()] == [
            ("a", "running"),
            ("b", "failed"),
            ("c", "unknown"),
        ]


IMPOSSIBLE: dict[str, Answer] = {
    "repeats": lambda _: page("a", "b", has_more=True),
    "repeats and ends": by_cursor({"": page("a", "b", has_more=True), "b": page("a")}),
    "cursor back": by_cursor({"": page("a", "b", has_more=True), "b": page("c", "a", has_more=True), "a": page("d")}),
    "cursor back, silently": by_cursor({"": page("a", "b", has_more=None), "b": page("c", "a", has_more=None)}),
    "another key": lambda _: reply({"jobs": []}),
    "an error": lambda _: reply({"error": {"message": "overloaded"}}),
    "an error beside null": lambda _: reply({"data": None, "error": {"message": "overloaded"}}),
    "a detail": lambda _: reply({"detail": "Not Found"}),
    "no object": lambda _: reply("a"),
    "a number": lambda _: reply(0),
    "null": lambda _: reply(None),
    "data is an object": lambda _: reply({"data": {}, "has_more": False}),
    "data is a text": lambda _: reply({"data": "", "has_more": False}),
    "more without data": lambda _: reply({"has_more": True}),
    "no id": lambda _: reply({"data": [{"status": "running"}], "has_more": False}),
    "an item that is none": lambda _: reply({"data": ["x"], "has_more": False}),
    "an item that is null": lambda _: reply({"data": [None], "has_more": False}),
    "odd more": lambda _: page("a", has_more="yes"),
    "odd more, a number": lambda _: page("a", has_more=2),
    "odd more, a list": lambda _: page("a", has_more=[]),
    "odd more, an empty text": lambda _: page("a", has_more=""),
    "nothing, and more": lambda _: page(has_more=True),
    "null, and more": lambda _: reply({"data": None, "has_more": True}),
    "nothing where more was to follow": by_cursor({"": page("a", has_more=True), "a": reply({})}),
    "null where more was to follow": by_cursor({"": page("a", has_more=True), "a": reply({"data": None})}),
    "500": by_cursor({"": page("a", has_more=True), "a": reply({}, 500)}),
    "html": by_cursor({"": page("a", has_more=True), "a": HTML}),
    "drop": by_cursor({"": page("a", has_more=True), "a": DROP}),
}


@pytest.mark.parametrize("answer", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_an_impossible_or_broken_listing_is_no_listing(answer: Answer) -> None:
    with pytest.raises(Unreadable) as raised:
        listed(answer)
    assert not isinstance(raised.value, NoData)


@pytest.mark.parametrize("told", [{}, {"object": "list"}, {"data": None}, {"data": None, "has_more": False}, []])
def test_a_listing_without_data_is_told_from_an_empty_one(told: object) -> None:
    with pytest.raises(NoData):
        listed(lambda _: reply(told))
    with House(lambda _: reply(told)) as house:
        assert house.client.list_events("j") == ()
        assert house.client.list_checkpoints("j") == ()
        assert house.client.find_file("n", 1) is None


def test_an_empty_page_that_says_more_is_asked_for_once_more() -> None:
    assert listed(script(page(has_more=True), page("a"))) == ["a"]
    with House(lambda _: page(has_more=True)) as house:
        with pytest.raises(Unreadable, match="--assume empty-listing"):
            house.client.list_jobs()
        assert len(house.server.requests) == 2


@pytest.mark.parametrize("told", [page(has_more=True), page(has_more="true"), page(has_more=1)])
def test_an_operator_may_say_that_a_server_answers_so_where_there_is_nothing(told: Reply) -> None:
    assumed = Assumed(frozenset({Assumption.EMPTY_LISTING}))
    with House(lambda _: told, assumed=assumed) as house:
        assert house.client.list_jobs() == ()


@pytest.mark.parametrize(
    "last", [page(has_more=True), page(), page(has_more=None), reply({"data": None, "has_more": False})]
)
def test_an_empty_page_ends_a_listing_that_held_items(last: Reply) -> None:
    assert listed(by_cursor({"": page("a", has_more=True), "a": last})) == ["a"]


@pytest.mark.parametrize(("more", "no_more"), [("true", "false"), ("True", "False"), (1, 0)])
def test_whether_more_follows_may_be_spelt_in_another_way(more: object, no_more: object) -> None:
    assert listed(by_cursor({"": page("a", has_more=more), "a": page("b", has_more=no_more)})) == ["a", "b"]


@pytest.mark.parametrize("count", [1, 3, 99, 101, 150])
@pytest.mark.parametrize("bare", [False, True])
def test_a_server_without_pages_shows_everything_at_once(count: int, bare: bool) -> None:
    jobs = [{"id": f"j{i}", "status": "running"} for i in range(count)]
    with House(lambda _: reply(jobs if bare else {"data": jobs})) as house:
        assert [job.id for job in house.client.list_jobs()] == [f"j{i}" for i in range(count)]
        assert len(house.server.requests) == 2


@pytest.mark.parametrize(
    ("beside", "told"),
    [
        ({"next_page_token": "t"}, "goes on by next_page_token"),
        ({"nextPageToken": "t"}, "goes on by nextPageToken"),
        ({"next": "https://x/?page=2"}, "goes on by next"),
        ({"@odata.nextLink": "https://x"}, "goes on by @odata.nextLink"),
        ({"links": {"self": "x", "next": "y"}}, "goes on by links.next"),
        ({"meta": {"cursor": "c"}}, "goes on by meta.cursor"),
        ({"pageInfo": {"hasNextPage": True}}, "goes on by pageInfo.hasNextPage"),
        ({"total": 5}, "it has 5 jobs, and shows 2"),
        ({"total_count": "5"}, "it has 5 jobs, and shows 2"),
    ],
)
def test_a_listing_that_says_in_its_own_way_that_it_goes_on_is_not_whole(beside: dict[str, Any], told: str) -> None:
    page = {"data": [JOB | {"id": "j1"}, JOB | {"id": "j2"}], **beside}
    with House(lambda _: reply(page)) as house, pytest.raises(Unreadable, match=told):
        house.client.list_jobs()


@pytest.mark.parametrize(
    "beside",
    [
        {"next": None, "next_page_token": "", "links": {"next": None}},
        {"total": 2, "meta": {"page": 1}},
        {"total": 5, "next": "x", "has_more": False},
    ],
)
def test_a_listing_that_says_that_this_was_all_is_whole(beside: dict[str, Any]) -> None:
    page = {"data": [JOB | {"id": "j1"}, JOB | {"id": "j2"}], **beside}
    with House(lambda _: reply(page)) as house:
        assert [job.id for job in house.client.list_jobs()] == ["j1", "j2"]


def test_what_is_made_while_a_server_without_pages_is_listed_is_seen() -> None:
    assert listed(script(page("a", "b", has_more=None), page("c", "a", "b", has_more=None))) == ["a", "b", "c"]


@pytest.mark.parametrize("count", [20, 100])
def test_a_page_that_may_have_been_cut_is_no_whole_listing(count: int) -> None:
    """A server that obeys `limit` (or has the API's own) and not `after` would show the youngest jobs only."""
    ids = [f"j{i}" for i in range(count)]
    with pytest.raises(Unreadable, match="which may not be all .*--assume whole-listing"):
        listed(lambda _: page(*ids, has_more=None))
    with House(lambda _: page(*ids, has_more=None), assumed=Assumed(frozenset({Assumption.WHOLE_LISTING}))) as house:
        assert len(house.client.list_jobs()) == count
        assert len(house.client.list_events("j")) == count


def test_a_server_that_begins_again_after_its_last_page_has_been_walked() -> None:
    first, second = [f"a{i}" for i in range(100)], ["b"]
    walked = by_cursor(
        {"": page(*first, has_more=None), "a99": page(*second, has_more=None), "b": page(*first, has_more=None)}
    )
    assert listed(walked) == [*first, *second]


def test_an_operators_status_words_reach_every_job() -> None:
    told = {**JOB, "status": "Finished", "data": [{**JOB, "status": "FINISHED"}], "has_more": False}
    with House(lambda _: reply(told), assumed=Assumed(words={"finished": "succeeded"})) as house:
        jobs = [house.client.create_job(CREATE), *house.client.list_jobs(), house.client.retrieve_job("ftjob-1")]
    assert [job.status for job in jobs] == ["succeeded"] * 3


def test_a_listing_that_is_refused_on_its_second_page_is_no_listing() -> None:
    with pytest.raises(Refused):
        listed(by_cursor({"": page("a", has_more=True), "a": reply({}, 403)}))


def test_cursors_are_escaped() -> None:
    with House(by_cursor({"": page("a/../b?c&d", has_more=True), "a%2F..%2Fb%3Fc%26d": page("e")})) as house:
        assert [j.id for j in house.client.list_jobs()] == ["a/../b?c&d", "e"]


def test_events_stop_when_there_are_enough() -> None:
    def answer(request: Request) -> Reply:
        assert "limit=2" in request.path
        return page("e1", "e2", has_more=True)

    with House(answer) as house:
        assert [e.id for e in house.client.list_events("ftjob-1", limit=2)] == ["e1", "e2"]
        assert len(house.server.requests) == 1


def test_checkpoints() -> None:
    with House(lambda _: page("c2", "c1", step_number=5)) as house:
        assert [(c.id, c.step) for c in house.client.list_checkpoints("ftjob-1")] == [("c2", 5), ("c1", 5)]
        assert house.server.requests[0].path.startswith("/v1/fine_tuning/jobs/ftjob-1/checkpoints?")


# ── files ────────────────────────────────────────────────────────────────────────────────────


def file(
    file_id: str, name: str = "n.jsonl", size: object = 3, purpose: object = "fine-tune", status: object = "processed"
) -> dict[str, object]:
    return {"id": file_id, "filename": name, "bytes": size, "purpose": purpose, "status": status}


@pytest.mark.parametrize(
    ("there", "found"),
    [
        ([], None),
        ([file("file-1")], "file-1"),
        ([file("file-0", name="m.jsonl"), file("file-1")], "file-1"),
        ([file("file-1", size=4)], None),
        ([file("file-1", purpose="batch")], None),
        ([file("file-1", status="error")], None),
        ([{"id": "file-1"}], None),
        ([file("file-1", size="3")], "file-1"),
        ([file("file-1", size=3.0)], "file-1"),
        ([file("file-1", size=" 3.0 ")], "file-1"),
        ([file("file-1", size=None)], "file-1"),
        ([file("file-1", size="0")], "file-1"),
        ([file("file-1", size="4")], None),
        ([file("file-1", purpose="Fine_Tune")], "file-1"),
        ([file("file-1", purpose=None)], "file-1"),
        ([file("file-1", purpose="fine-tune-results")], None),
        ([file("file-1", status="Error")], None),
        ([file("file-1", status=None)], "file-1"),
        ([file("file-0", status="DELETED"), file("a/b")], "a/b"),
        ([file("x" * 282 + "==")], "x" * 282 + "=="),
    ],
)
def test_a_file_is_found_by_name_size_and_purpose(there: list[dict[str, object]], found: str | None) -> None:
    with House(lambda _: reply({"data": there, "has_more": False})) as house:
        assert house.client.find_file("n.jsonl", 3) == found
        assert "purpose=fine-tune" in house.server.requests[0].path


@pytest.mark.parametrize("name", ["n.jsonl", "other.jsonl"])
def test_a_listing_of_files_without_pages_stops_no_upload(name: str) -> None:
    with House(lambda _: reply({"data": [file("file-1"), file("file-2", name="m.jsonl")]})) as house:
        assert house.client.find_file(name, 3) == ("file-1" if name == "n.jsonl" else None)
        assert all(request.method == "GET" for request in house.server.requests)


@pytest.mark.parametrize("answer", [HTML, reply({"files": []}), reply({}, 500)], ids=["html", "no page", "500"])
def test_a_listing_of_files_that_is_none_is_told(answer: Reply) -> None:
    with House(lambda _: answer) as house, pytest.raises(Unreadable):
        house.client.find_file("n.jsonl", 3)


@pytest.mark.parametrize("status", [400, 404, 405, 422, 501])
def test_a_server_that_lists_no_files_has_none(status: int) -> None:
    with House(lambda _: reply({"detail": "Not Found"}, status)) as house:
        assert house.client.find_file("n.jsonl", 3) is None
        assert len(house.server.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_files_that_may_not_be_listed_are_no_absent_files(status: int) -> None:
    with House(lambda _: reply({}, status)) as house, pytest.raises(Refused):
        house.client.find_file("n.jsonl", 3)


def test_an_upload() -> None:
    with House(lambda _: reply(file("file-9"))) as house:
        assert house.client.upload_file("n.jsonl", b"{}\n") == "file-9"
        (request,) = house.server.requests
        assert b'name="purpose"\r\n\r\nfine-tune' in request.body
        assert b'name="file"; filename="n.jsonl"' in request.body
        assert b"\r\n\r\n{}\n\r\n" in request.body


def test_an_upload_is_sent_once() -> None:
    with House(lambda _: reply({}, 500)) as house:
        with pytest.raises(OutcomeUnknown):
            house.client.upload_file("n.jsonl", b"{}\n")
        assert len(house.server.requests) == 1


def test_a_file_is_waited_for() -> None:
    with House(
        script(reply(file("f", status="pending")), reply(file("f", status="running")), reply(file("f")))
    ) as house:
        house.client.wait_for_file("f")
        assert house.clock.slept == [1.0, 1.0]


@pytest.mark.parametrize(
    "first",
    [
        reply(file("f", status="uploaded")),
        reply(file("f", status="Pending")),
        reply(file("f", status="PROCESSING")),
        reply({"error": {"message": "No such File object: f"}}, 404),
    ],
    ids=["uploaded", "Pending", "PROCESSING", "404"],
)
def test_a_file_that_is_not_there_yet_is_waited_for(first: Reply) -> None:
    with House(script(first, first, first, reply(file("f")))) as house:
        house.client.wait_for_file("f")
        assert house.clock.slept == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "answer", [reply(file("f", status=None)), reply({"id": "f"}), reply({}), reply({}, 405), reply({}, 501)], ids=repr
)
def test_a_file_of_which_a_server_says_nothing_is_left_to_the_create(answer: Reply) -> None:
    with House(lambda _: answer) as house:
        house.client.wait_for_file("f")
        assert len(house.server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "polls"), [(reply(file("f", status="uploaded")), 20), (reply({}, 404), 10)], ids=["uploaded", "404"]
)
def test_what_may_be_a_servers_last_word_on_a_file_is_waited_for_once(answer: Reply, polls: int) -> None:
    with House(lambda _: answer) as house:
        house.client.wait_for_file("f")
        assert len(house.server.requests) == polls
        house.client.wait_for_file("g")
        assert len(house.server.requests) == polls + 1


@pytest.mark.parametrize("status", ["error", "Failed", "DELETED"])
def test_a_file_that_the_server_cannot_use_is_a_refusal(status: str) -> None:
    with House(lambda _: reply(file("f", status=status))) as house, pytest.raises(Refused, match="cannot be used"):
        house.client.wait_for_file("f")


def test_a_file_that_never_gets_ready_is_given_up() -> None:
    with House(lambda _: reply(file("f", status="pending"))) as house:
        with pytest.raises(Unreadable, match="still pending after 120 s"):
            house.client.wait_for_file("f")
        assert len(house.server.requests) == 120


# ── what may not be ──────────────────────────────────────────────────────────────────────────


CALLS = ["retrieve_job", "cancel_job", "list_events", "list_checkpoints", "wait_for_file"]
ODD_IDS = {
    ".": "%2E",
    "..": "%2E%2E",
    "...": "...",
    "a/b": "a%2Fb",
    "../files/x": "%2E%2E%2Ffiles%2Fx",
    "a/../../x": "a%2F%2E%2E%2F%2E%2E%2Fx",
    "a\\..\\b": "a%5C%2E%2E%5Cb",
    "/": "%2F",
    "//host/x": "%2F%2Fhost%2Fx",
    "http://host/x": "http%3A%2F%2Fhost%2Fx",
    "a?b": "a%3Fb",
    "a#b": "a%23b",
    "a;b": "a%3Bb",
    "a b": "a%20b",
    "é": "%C3%A9",
    "\u202e": "%E2%80%AE",
    "YWJj==": "YWJj%3D%3D",
    "%2e%2e": "%252e%252e",
    "%": "%25",
    "a.b~c_d-e": "a.b~c_d-e",
    "x" * 129: "x" * 129,
    "\U0001f600" * 512: "%F0%9F%98%80" * 512,
}


@pytest.mark.parametrize("job_id", ["", "a\nb", "\x00", "\x7f", "\x85", "\ud800", "x" * 513])
@pytest.mark.parametrize("call", CALLS)
def test_what_is_no_id_is_never_asked_for(call: str, job_id: str) -> None:
    with House(lambda _: reply(JOB)) as house:
        with pytest.raises(Unreadable, match="cannot be used in a path"):
            getattr(house.client, call)(job_id)
        assert house.server.requests == []


@pytest.mark.parametrize("job_id", ODD_IDS)
@pytest.mark.parametrize("call", CALLS)
def test_an_id_is_one_step_of_a_path_and_arrives_as_it_is(call: str, job_id: str) -> None:
    told = {"id": job_id, "status": "processed", "data": [], "has_more": False}
    start = "/v1/files/" if call == "wait_for_file" else "/v1/fine_tuning/jobs/"
    end = {"cancel_job": "/cancel", "list_events": "/events", "list_checkpoints": "/checkpoints"}.get(call, "")
    with House(lambda _: reply(told)) as house:
        getattr(house.client, call)(job_id)
        (request,) = house.server.requests
    assert request.path.partition("?")[0] == f"{start}{ODD_IDS[job_id]}{end}"


@given(job_id=st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=512))
def test_no_id_reaches_another_path(hostile_house: tuple["House", list[Reply]], job_id: str) -> None:
    house, answers = hostile_house
    house.server.requests.clear()
    answers[:] = [reply({"id": job_id, "status": "running"}, connection="close")]
    assert house.client.retrieve_job(job_id).id == job_id
    house.client.cancel_job(job_id)
    asked_for, cancelled = (request.path.split("/") for request in house.server.requests)
    assert [*asked_for, "cancel"] == cancelled
    assert asked_for[:4] == ["", "v1", "fine_tuning", "jobs"]
    assert len(asked_for) == 5
    assert unquote(asked_for[4]) == job_id
    assert asked_for[4] not in {".", ".."}


@pytest.mark.parametrize("told", [{"id": "a\nb"}, {"id": "x" * 513}, {"id": "\ud800"}, {"id": None}])
def test_a_file_whose_id_cannot_be_used_is_no_file(told: dict[str, object]) -> None:
    """Judged before a job is created that would be paid for."""
    with House(lambda _: reply(told)) as house, pytest.raises(OutcomeUnknown, match="a file"):
        house.client.upload_file("n.jsonl", b"{}\n")


def test_no_redirect_is_followed_and_the_key_goes_nowhere_else() -> None:
    with FaultyServer(lambda _: reply(JOB)) as other:
        with (
            House(lambda _: reply({}, 302, location=f"{other.base_url}/fine_tuning/jobs/ftjob-1")) as house,
            pytest.raises(Unreadable),
        ):
            house.client.retrieve_job("ftjob-1")
        assert other.requests == []


def test_the_key_is_in_no_message_and_no_record() -> None:
    told = {"error": {"message": f"bad key {KEY}", "code": KEY}}
    answers = [reply(told, status) for status in (400, 401, 429, 500)] + [
        Reply(200, f'"{KEY}'.encode()),
        reply({"id": KEY, "x": 1}),
    ]
    for answer in answers:
        with House(script(answer), organization="o") as house:
            for outcome in asked(house.client):
                assert KEY not in f"{outcome!r} {outcome} {getattr(outcome, 'code', '')}"
            assert KEY not in repr(house.records)
            assert house.server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(an_account("http://x"))


def test_headers() -> None:
    with House(
        lambda _: reply(JOB), organization="org-1", project="p-1", profile=PROFILES[ProviderName.AZURE]
    ) as house:
        house.client.retrieve_job("ftjob-1")
        headers = house.server.requests[0].headers
    assert headers["api-key"] == KEY
    assert "authorization" not in headers
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-1", "p-1")
    assert headers["user-agent"].startswith("finetune-reconciler/")
    with House(lambda _: reply(JOB), api_key="") as house:
        house.client.retrieve_job("ftjob-1")
        assert not {"authorization", "openai-organization", "api-key"} & set(house.server.requests[0].headers)


def test_a_profile_adds_to_every_request() -> None:
    profile = Profile(
        ProviderName.COMPATIBLE, auth=lambda key: {"x-token": key[:2]}, query={"api-version": "1"}, headers={"x-a": "b"}
    )
    with House(script(reply(JOB), reply(JOB), reply({"data": []})), profile=profile) as house:
        house.client.create_job(CREATE)
        house.client.retrieve_job("ftjob-1")
        house.client.find_file("n", 1)
        requests = house.server.requests
    assert [request.headers["x-token"] for request in requests] == ["sk"] * 3
    assert [request.headers["x-a"] for request in requests] == ["b"] * 3
    assert [request.path.partition("?")[2] for request in requests] == [
        *["api-version=1"] * 2,
        "api-version=1&purpose=fine-tune&limit=100",
    ]


def test_every_provider_has_a_profile() -> None:
    assert PROFILES.keys() == set(ProviderName)


@pytest.mark.parametrize("key", ["a\nb", "a b", "é", "a\x00"])
def test_a_key_that_no_header_may_hold_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(UsageError) as raised:
        an_account("http://x", a_key(key))
    assert key not in str(raised.value)


# ── a key file that is rotated ───────────────────────────────────────────────────────────────

ROTATED = "sk-the-key-that-came-after-it"


def a_file(path: Path, key: str = KEY) -> KeyFile:
    """A key file that was read once."""
    path.write_text(key)
    file = KeyFile(path, Secrets(), configure(form="json", secrets=[], stream=io.StringIO()))
    file.current()
    return file


def sent_keys(house: House) -> list[str]:
    return [request.headers["authorization"].removeprefix("Bearer ") for request in house.server.requests]


def test_a_key_file_that_changed_counts_from_the_next_request(tmp_path: Path) -> None:
    with House(lambda _: reply(JOB), api_key=a_file(tmp_path / "key")) as house:
        house.client.retrieve_job("ftjob-1")
        (tmp_path / "key").write_text(ROTATED)
        house.client.cancel_job("ftjob-1")
    assert sent_keys(house) == [KEY, ROTATED]


class Unseen(KeyFile):
    """A file system that does not show yet that the file changed."""

    def current(self) -> str:
        return KEY


def unseen(path: Path) -> Unseen:
    file = Unseen(path, Secrets(), configure(form="json", secrets=[], stream=io.StringIO()))
    path.write_text(KEY)
    KeyFile.current(file)
    path.write_text(ROTATED)
    return file


def by_key(request: Request) -> Reply:
    """An answer that refuses the old key, and echoes both."""
    refused = request.headers["authorization"] != f"Bearer {ROTATED}"
    return reply({"error": {"message": f"not {KEY}, {ROTATED}"}}, 401) if refused else reply(JOB)


def test_a_read_that_met_a_401_is_asked_once_more_with_another_key(tmp_path: Path) -> None:
    with House(by_key, api_key=unseen(tmp_path / "key")) as house:
        house.client.retrieve_job("ftjob-1")
    assert sent_keys(house) == [KEY, ROTATED]
    assert [record.status for record in house.records] == [401, 200]


def test_a_read_is_asked_once_more_only(tmp_path: Path) -> None:
    with House(lambda _: reply({}, 401), api_key=unseen(tmp_path / "key")) as house, pytest.raises(Refused):
        house.client.retrieve_job("ftjob-1")
    assert sent_keys(house) == [KEY, ROTATED]


@pytest.mark.parametrize("gone", [False, True], ids=["the same key", "no file"])
def test_a_401_for_the_only_key_there_is_ends_the_read(tmp_path: Path, *, gone: bool) -> None:
    with House(lambda _: reply({}, 401), api_key=a_file(tmp_path / "key")) as house:
        if gone:
            (tmp_path / "key").unlink()
        with pytest.raises(Refused, match="HTTP 401"):
            house.client.list_jobs()
    assert sent_keys(house) == [KEY]


@pytest.mark.parametrize(
    "write",
    [
        lambda client: client.create_job(CREATE),
        lambda client: client.cancel_job("ftjob-1"),
        lambda client: client.upload_file("f.jsonl", b"{}"),
    ],
    ids=["create", "cancel", "upload"],
)
def test_a_write_that_met_a_401_is_refused_and_not_repeated(
    tmp_path: Path, write: Callable[[OpenAIClient], object]
) -> None:
    def answer(request: Request) -> Reply:
        (tmp_path / "key").write_text(ROTATED)  # rotated while the request is under way
        return by_key(request)

    with House(answer, api_key=a_file(tmp_path / "key")) as house:
        with pytest.raises(Refused, match="HTTP 401"):
            write(house.client)
        assert sent_keys(house) == [KEY]
        house.client.retrieve_job("ftjob-1")
    assert sent_keys(house) == [KEY, ROTATED]


def test_a_read_asked_once_more_ends_as_that_answer_says(tmp_path: Path) -> None:
    with House(script(reply({}, 401), reply({}, 500), reply(JOB)), api_key=unseen(tmp_path / "key")) as house:
        house.client.retrieve_job("ftjob-1")
    assert [record.status for record in house.records] == [401, 500, 200]


def test_every_key_ever_held_is_in_no_message(tmp_path: Path) -> None:
    told = {"error": {"message": f"neither {KEY} nor {ROTATED}"}, "id": "j", "status": "running"}
    with House(lambda _: reply(told), api_key=a_file(tmp_path / "key")) as house:
        (tmp_path / "key").write_text(ROTATED)
        job = house.client.retrieve_job("j")
        assert job.error is not None
        assert job.error.message == "neither [redacted] nor [redacted]"
        house.server.answer = lambda _: reply(told, 401)
        outcome = caught(lambda: house.client.create_job(CREATE))
    assert str(outcome).endswith(": neither [redacted] nor [redacted]")
    assert not any(key in repr(house.records) for key in (KEY, ROTATED))


def test_no_empty_key_is_sent_while_the_file_is_rotated(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with House(lambda _: reply(JOB), api_key=a_file(path)) as house:
        for rotate in (path.unlink, lambda: path.write_text(""), lambda: path.write_text(f"{ROTATED}\n")):
            rotate()
            house.client.retrieve_job("ftjob-1")
    assert sent_keys(house) == [KEY, KEY, ROTATED]


def test_every_request_is_recorded() -> None:
    with House(script(reply({}, 500, **{"x-request-id": "r1"}), reply(JOB))) as house:
        house.client.retrieve_job("ftjob-1")
    assert [(r.operation, r.method, r.path, r.status) for r in house.records] == [
        ("retrieve", "GET", "/fine_tuning/jobs/ftjob-1", 500),
        ("retrieve", "GET", "/fine_tuning/jobs/ftjob-1", 200),
    ]
    assert house.records[0].request_id == "r1"
    assert house.records[0].error.startswith("GET /fine_tuning/jobs/ftjob-1: HTTP 500")
    assert all(r.duration >= 0 for r in house.records)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_answer_is_read(encoding: str) -> None:
    content = json.dumps(JOB).encode()
    packed = gzip.compress(content) if encoding == "gzip" else zlib.compress(content)
    with House(lambda _: Reply(200, packed, {"content-encoding": encoding})) as house:
        assert house.client.retrieve_job("ftjob-1").id == "ftjob-1"


# ── TLS ──────────────────────────────────────────────────────────────────────────────────────


TLS = Path(__file__).parent.parent / "fixtures" / "tls"
CERTIFICATES = {
    "signed by nobody known": ("loopback", "", "is signed by nobody known here; set SSL_CERT_FILE"),
    "signed by somebody else": ("loopback", "elsewhere", "is signed by nobody known here; set SSL_CERT_FILE"),
    "of another host": ("elsewhere", "elsewhere", "is another host's"),
    "expired": ("expired", "expired", "has expired"),
}


@pytest.mark.parametrize(("served", "known", "said"), CERTIFICATES.values(), ids=CERTIFICATES.keys())
def test_a_certificate_that_cannot_be_trusted_is_tried_once(
    served: str, known: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS / f"{known}.pem") if known else "")
    with House(lambda _: reply(JOB), TLS / f"{served}.pem") as house:
        for outcome in asked(house.client):
            assert isinstance(outcome, Untrusted)
            assert said in str(outcome)
        assert house.clock.slept == []
        assert len(house.records) == 3
        assert house.server.requests == []


def test_a_certificate_that_the_operator_trusts_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "loopback.pem"))
    with House(lambda _: reply(JOB), TLS / "loopback.pem") as house:
        assert house.client.create_job(CREATE).id == "ftjob-1"


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 mail.example ESMTP\r\n"])
def test_a_server_that_speaks_no_tls_is_tried_once(greeting: bytes) -> None:
    clock = SkippingClock()
    records: list[RequestRecord] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(greeting)
                connection.recv(65536)

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        with DeadlineTransport(clock, deadline=5.0, proxies=dict) as transport:
            base_url = f"https://127.0.0.1:{listener.getsockname()[1]}/v1"
            client = OpenAIClient(
                an_account(base_url),
                transport=transport,
                clock=clock,
                random=lambda: 0.5,
                on_request=records.append,
            )
            with pytest.raises(Untrusted, match="should the URL begin with http://"):
                client.list_jobs()
        thread.join()
    assert (clock.slept, len(records)) == ([], 1)


def test_a_connection_that_ends_within_the_handshake_is_tried_again() -> None:
    clock = SkippingClock()
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        DeadlineTransport(clock, deadline=5.0, proxies=dict) as transport,
    ):

        def hang_up() -> None:
            for _ in range(4):
                connection, _ = listener.accept()
                connection.recv(1)
                connection.close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        base_url = f"https://127.0.0.1:{listener.getsockname()[1]}/v1"
        client = OpenAIClient(
            an_account(base_url),
            transport=transport,
            clock=clock,
            random=lambda: 0.5,
            on_request=lambda _: None,
        )
        with pytest.raises(NotSent) as raised:
            client.list_jobs()
        thread.join()
    assert not isinstance(raised.value, Untrusted)
    assert len(clock.slept) == 3


@pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "malformed"])
def test_certificates_that_cannot_be_read_are_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with House(lambda _: DROP) as house:
        base_url = house.server.base_url.replace("http:", "https:")
    with House(lambda _: DROP, base_url=base_url) as house, pytest.raises(UsageError, match="SSL_CERT_FILE"):
        house.client.list_jobs()


# ── hostile answers ──────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def hostile_house() -> Iterator[tuple[House, list[Reply]]]:
    answers: list[Reply] = []
    with House(lambda _: answers[0]) as house:
        yield house, answers


@settings(max_examples=250)
@given(
    status=statuses,
    body=bodies,
    headers=headers,
    call=st.sampled_from(["create", "list", "retrieve", "cancel", "events", "checkpoints", "find", "upload", "wait"]),
)
def test_whatever_a_server_answers_ends_in_a_value_or_in_our_own_error(
    hostile_house: tuple[House, list[Reply]], status: int, body: bytes, headers: dict[str, str], call: str
) -> None:
    house, answers = hostile_house
    answers[:] = [Reply(status, b"" if status in {204, 205, 304} else body, {**headers, "connection": "close"})]
    client = house.client
    calls: dict[str, Callable[[], object]] = {
        "create": lambda: client.create_job(CREATE),
        "list": client.list_jobs,
        "retrieve": lambda: client.retrieve_job("j"),
        "cancel": lambda: client.cancel_job("j"),
        "events": lambda: client.list_events("j"),
        "checkpoints": lambda: client.list_checkpoints("j"),
        "find": lambda: client.find_file("n", 1),
        "upload": lambda: client.upload_file("n", b"{}"),
        "wait": lambda: client.wait_for_file("f"),
    }
    outcome = caught(calls[call])
    assert str(outcome).isprintable()
    if call == "create" and isinstance(outcome, ProviderError):
        refused = status in {400, 401, 403, 404, 413, 422, 429}
        assert isinstance(outcome, Refused if refused else OutcomeUnknown)


def test_a_key_that_json_escapes_hide_is_found_all_the_same() -> None:
    hidden = "".join(f"\\u{ord(ch):04x}" for ch in KEY)
    told = {"id": "j", "status": "failed", "error": {"message": "not with KEY"}}
    body = json.dumps(told).replace("KEY", hidden).encode()
    with House(lambda _: Reply(200, body)) as house:
        error = house.client.retrieve_job("j").error
    assert error is not None
    assert error.message == "not with [redacted]"


@pytest.mark.parametrize("key", ["1", "test", "succeeded", "metadata", "reconciler"])
def test_a_key_that_is_a_word_of_every_answer_alters_none(key: str) -> None:
    marks = Marks("f", "test-bot", "0" * 16, 1)
    told = {"id": "ftjob-1", "status": "succeeded", "fine_tuned_model": "ft:m:test", "metadata": marks.as_metadata()}
    with House(lambda _: reply(told), api_key=key) as house:
        job = house.client.retrieve_job("ftjob-1")
    assert (job.succeeded, job.fine_tuned_model, job.marks) == (True, "ft:m:test", marks)


def test_a_short_key_changes_no_header() -> None:
    with House(script(reply({}, 429, **{"retry-after": "7"}), reply(JOB)), api_key="7") as house:
        house.client.retrieve_job("ftjob-1")
        assert house.clock.slept == [7.5]


@pytest.mark.parametrize(
    "field", ["id", "status", "model", "suffix", "fine_tuned_model", "reconciler_job", "reconciler_fleet"]
)
def test_a_job_with_the_key_where_nothing_may_be_altered_is_no_answer(field: str) -> None:
    told: dict[str, Any] = {**JOB, "metadata": Marks("f", "a", "0" * 16, 1).as_metadata()}
    (told["metadata"] if field.startswith("reconciler_") else told)[field] = KEY
    with House(lambda _: reply({**told, "data": [told], "has_more": False})) as house:
        for outcome, kind in zip(asked(house.client), [OutcomeUnknown, Unreadable, Unreadable], strict=True):
            assert isinstance(outcome, kind)
            assert str(outcome).endswith(f"its {field} holds the API key")


def test_events_are_shown_without_the_key() -> None:
    told = {"id": "e", "level": KEY, "type": KEY, "message": f"with {KEY}", "data": {f"loss {KEY}": 1}}
    with House(lambda _: reply({"data": [told], "has_more": False})) as house:
        (event,) = house.client.list_events("j")
    assert (event.level, event.type, event.message) == ("[redacted]", "[redacted]", "with [redacted]")
    assert event.metrics == {"loss [redacted]": 1}


def test_a_key_in_what_nobody_reads_is_no_matter() -> None:
    told = {**JOB, "metadata": {**Marks("f", "a", "0" * 16, 1).as_metadata(), "note": KEY}, "echo": {"headers": [KEY]}}
    with House(lambda _: reply(told)) as house:
        assert house.client.retrieve_job("ftjob-1").marks == Marks("f", "a", "0" * 16, 1)


def test_a_429_slows_every_request_down_not_only_the_one_that_met_it() -> None:
    answers = iter([Reply(429, b"{}", {"retry-after": "20"})])
    with House(lambda _: next(answers, reply({"id": "j", "status": "running"}))) as house:
        slept: list[float] = []
        house.clock.sleep = slept.append  # type: ignore[method-assign, assignment]
        house.client.retrieve_job("j")
        assert slept[0] == pytest.approx(20.5)
        house.client.retrieve_job("j")
        assert len(slept) == 3, "on a clock that stood still, the retry and the next request waited as well"
        assert slept[1:] == [pytest.approx(20.5, abs=0.5)] * 2


# ── what a server says steers nothing ────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["x-request-id", "retry-after", "location", "set-cookie", "x-other"])
@pytest.mark.parametrize("status", [200, 302, 400, 429, 500])
def test_a_header_that_is_no_ascii_breaks_nothing(name: str, status: int) -> None:
    with House(lambda _: Reply(status, json.dumps(JOB).encode(), {name: "\xe9\xff"})) as house:
        outcome = caught(lambda: house.client.create_job(CREATE))
        assert str(outcome).isprintable()
        assert len(house.server.requests) == 1


@pytest.mark.parametrize("location", ["http://x:y/", "mailto:x", "\x01", "a" * 66_000, "http://\xff"])
def test_a_redirect_to_nowhere_is_an_unknown_outcome(location: str) -> None:
    with House(lambda _: reply({}, 302, location=location)) as house, pytest.raises(OutcomeUnknown):
        house.client.create_job(CREATE)


def test_a_cookie_is_not_kept() -> None:
    with House(lambda _: reply(JOB, 200, **{"set-cookie": "a=b; Path=/"})) as house:
        house.client.retrieve_job("ftjob-1")
        house.client.retrieve_job("ftjob-1")
        assert all("cookie" not in request.headers for request in house.server.requests)


def test_no_part_of_the_key_is_told_however_it_is_written() -> None:
    hidden = "".join(f"\\u{ord(ch):04x}" for ch in KEY)
    told = {"error": {"code": KEY, "message": KEY}, "id": "j", "fine_tuned_model": KEY}
    for body in (
        f'{{"error": {{"code": "{hidden}", "message": "{"x" * 240}{hidden}"}}}}'.encode(),
        json.dumps(told).encode("utf-16"),
        json.dumps(told).encode("utf-32"),
    ):
        for status in (200, 400, 429):
            with House(script(Reply(status, body))) as house:
                outcome = caught(partial(house.client.retrieve_job, "j"))
            assert KEY[:8] not in f"{outcome!r} {outcome} {getattr(outcome, 'code', '')} {house.records}"


@pytest.mark.parametrize("file_id", ["\ud800", "\x00", "x" * 100_000])
def test_a_files_id_is_checked_like_any_other(file_id: str) -> None:
    with House(lambda _: reply({"data": [{"id": file_id}], "has_more": False})) as house:
        outcome = caught(lambda: house.client.find_file("n", 1))
        assert outcome is None or isinstance(outcome, Unreadable)
    with House(lambda _: reply({"id": file_id})) as house:
        outcome = caught(lambda: house.client.upload_file("n", b"{}"))
        assert isinstance(outcome, OutcomeUnknown)


def endless(_: Request, count: Iterator[int] = itertools.count()) -> Reply:  # noqa: B008 - one counter for all
    return page(f"job-{next(count)}", has_more=True)


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [("_PAGES_LIMIT", 5, "more than 5 pages"), ("_LISTING_BYTES", 300, "more than 300 bytes")],
)
def test_a_listing_that_never_ends_is_given_up(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int, words: str
) -> None:
    assert getattr(listing_module, limit) <= 256 * 1024 * 1024
    monkeypatch.setattr(listing_module, limit, value)
    with House(endless) as house:
        with pytest.raises(Unreadable, match=words):
            house.client.list_jobs()
        assert len(house.server.requests) <= 6


def test_a_listing_that_trickles_in_is_given_up_after_a_quarter_of_an_hour() -> None:
    late = itertools.cycle([reply({}, 429, **{"retry-after": "100"}), None])
    with House(lambda request: next(late) or endless(request)) as house:
        with pytest.raises(Unreadable, match="no end after 900 s"):
            house.client.list_jobs()
        assert len(house.server.requests) < 20


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000,
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1_000_000,
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20_000,
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"\0" * 200_000,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffffffffff\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"1;" + b"x" * 200_000,
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: " + b"9" * 5000 + b"\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
    ],
    ids=["headers", "header", "hints", "switch", "status", "nul", "chunk", "extension", "minus", "digits", "two"],
)
def test_an_answer_that_is_no_http_is_an_unknown_outcome(sent: bytes) -> None:
    with House(lambda _: Reply(body=sent, how="raw")) as house:
        with pytest.raises(OutcomeUnknown) as raised:
            house.client.create_job(CREATE)
        assert len(house.server.requests) == 1
    assert len(str(raised.value)) < 1000
    assert str(raised.value).isprintable()


def test_an_answer_in_many_chunks_takes_no_more_memory_than_it_has_bytes() -> None:
    tracemalloc.start()
    try:
        assert _bounded(bytes([n % 256, 0]) for n in range(200_000)) != b""
        assert tracemalloc.get_traced_memory()[1] < 2 * 1024 * 1024
        tracemalloc.reset_peak()
        with pytest.raises(OutcomeUnknown, match="more than"):
            _bounded(itertools.repeat(b"x" * 65_536))
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    finally:
        tracemalloc.stop()
