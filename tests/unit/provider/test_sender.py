"""A write is sent once, and its outcome classified; a read is asked again, within reason, with the key of the moment."""

import dataclasses
import gzip
import io
import json
from collections.abc import Callable, Mapping
from email.utils import formatdate
from pathlib import Path

import pytest

from reconciler.errors import NotSent, OutcomeUnknown, RateLimited, Refused, Unreadable
from reconciler.log import configure
from reconciler.provider.client import OpenAIClient
from reconciler.provider.key import KeyFile, Secrets
from reconciler.provider.port import takes_no_jobs
from reconciler.provider.retry import used_up
from reconciler.provider.transport import ANSWER_LIMIT
from tests.fakes.clocks import SkippingClock
from tests.fakes.faulty import DROP, HANG, FaultyServer, Reply, Request, reply
from tests.fakes.servers import CREATE, HTML, JOB, KEY, Wire, an_upload, caught, script

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
    with Wire(lambda _: answer, deadline=0.4 if answer.how in {"hang", "drip"} else 30.0) as wire:
        with pytest.raises(OutcomeUnknown):
            wire.client.create_job(CREATE)
        assert len(wire.server.requests) == 1
        assert wire.clock.slept == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_refusal_says_that_nothing_was_created(status: int) -> None:
    told = {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": "bad_thing"}}
    with Wire(lambda _: reply(told, status, **{"x-request-id": "req-7"})) as wire:
        with pytest.raises(Refused) as raised:
            wire.client.create_job(CREATE)
        assert len(wire.server.requests) == 1
    assert (raised.value.status, raised.value.code, raised.value.request_id) == (status, "bad_thing", "req-7")
    assert str(raised.value) == f"POST /fine_tuning/jobs: HTTP {status} bad_thing: no"


def test_a_429_on_a_create_is_told_and_not_repeated() -> None:
    with Wire(lambda _: reply({"error": {"code": "rate_limit_exceeded"}}, 429, **{"retry-after": "3"})) as wire:
        with pytest.raises(RateLimited) as raised:
            wire.client.create_job(CREATE)
        assert len(wire.server.requests) == 1
    assert raised.value.retry_after == 3
    assert not takes_no_jobs(raised.value)


def test_no_connection_means_not_sent() -> None:
    with Wire(lambda _: reply(JOB)) as wire:
        gone = wire.server.base_url
    with Wire(lambda _: reply(JOB), base_url=gone) as wire, pytest.raises(NotSent):
        wire.client.create_job(CREATE)


def test_an_unknown_host_means_not_sent() -> None:
    with Wire(lambda _: reply(JOB), base_url="http://no-such-host.invalid/v1") as wire, pytest.raises(NotSent):
        wire.client.create_job(CREATE)


def test_a_wait_is_told_before_it_begins_and_once() -> None:
    with Wire(script(reply({}, 429, **{"retry-after": "24"}), reply(JOB))) as wire:
        wire.client.retrieve_job("ftjob-1")
    assert wire.pauses == [(24.5, "GET /fine_tuning/jobs/ftjob-1: HTTP 429")]


def test_a_server_that_is_weak_may_say_how_long() -> None:
    with Wire(lambda _: reply({}, 503, **{"retry-after": "9"})) as wire:
        with pytest.raises(OutcomeUnknown) as raised:
            wire.client.upload_file(an_upload(b"{}", "x.jsonl"))
        with pytest.raises(OutcomeUnknown):
            wire.client.create_job(CREATE)
    assert raised.value.retry_after == 9


@pytest.mark.parametrize("fault", [DROP, HANG, HTML, reply({}, 500), reply({}, 409), Reply(200, b"{", {})], ids=repr)
def test_a_read_is_asked_again(fault: Reply) -> None:
    with Wire(script(fault, fault, reply(JOB)), deadline=1.0 if fault is HANG else 30.0) as wire:
        assert wire.client.retrieve_job("ftjob-1").id == "ftjob-1"
        assert len(wire.server.requests) == 3
        assert wire.clock.slept == [0.5, 1.0], "half of what the jitter allows"


def test_a_read_is_given_up_after_four_tries() -> None:
    with Wire(lambda _: reply({}, 503)) as wire:
        with pytest.raises(Unreadable, match="HTTP 503"):
            wire.client.retrieve_job("ftjob-1")
        assert len(wire.server.requests) == 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 422])
def test_a_refused_read_is_not_repeated(status: int) -> None:
    with Wire(lambda _: reply({}, status)) as wire:
        with pytest.raises(Refused) as raised:
            wire.client.retrieve_job("ftjob-1")
        assert len(wire.server.requests) == 1
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
    with Wire(script(reply({}, 429, **headers), reply(JOB))) as wire:
        wire.client.retrieve_job("ftjob-1")
        assert wire.clock.slept == [waited]


def test_retry_after_may_be_a_date() -> None:
    with Wire(lambda _: reply(JOB)) as wire:
        date = formatdate(wire.clock.time() + 30, usegmt=True)
        wire.server.answer = script(reply({}, 429, **{"retry-after": date}), reply(JOB))
        wire.client.retrieve_job("ftjob-1")
        assert 28 < wire.clock.slept[0] <= 31


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
    with Wire(lambda _: answer) as wire:
        with pytest.raises(RateLimited):
            wire.client.list_jobs()
        assert len(wire.server.requests) == 1


def test_no_redirect_is_followed_and_the_key_goes_nowhere_else() -> None:
    with FaultyServer(lambda _: reply(JOB)) as other:
        with (
            Wire(lambda _: reply({}, 302, location=f"{other.base_url}/fine_tuning/jobs/ftjob-1")) as wire,
            pytest.raises(Unreadable),
        ):
            wire.client.retrieve_job("ftjob-1")
        assert other.requests == []


ROTATED = "sk-the-key-that-came-after-it"


def a_file(path: Path, key: str = KEY) -> KeyFile:
    """A key file that was read once."""
    path.write_text(key)
    file = KeyFile(path, Secrets(), configure(form="json", secrets=[], stream=io.StringIO()))
    file.current()
    return file


def sent_keys(wire: Wire) -> list[str]:
    return [request.headers["authorization"].removeprefix("Bearer ") for request in wire.server.requests]


def test_a_key_file_that_changed_counts_from_the_next_request(tmp_path: Path) -> None:
    with Wire(lambda _: reply(JOB), api_key=a_file(tmp_path / "key")) as wire:
        wire.client.retrieve_job("ftjob-1")
        (tmp_path / "key").write_text(ROTATED)
        wire.client.cancel_job("ftjob-1")
    assert sent_keys(wire) == [KEY, ROTATED]


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
    with Wire(by_key, api_key=unseen(tmp_path / "key")) as wire:
        wire.client.retrieve_job("ftjob-1")
    assert sent_keys(wire) == [KEY, ROTATED]
    assert [record.status for record in wire.records] == [401, 200]


def test_a_read_is_asked_once_more_only(tmp_path: Path) -> None:
    with Wire(lambda _: reply({}, 401), api_key=unseen(tmp_path / "key")) as wire, pytest.raises(Refused):
        wire.client.retrieve_job("ftjob-1")
    assert sent_keys(wire) == [KEY, ROTATED]


@pytest.mark.parametrize("gone", [False, True], ids=["the same key", "no file"])
def test_a_401_for_the_only_key_there_is_ends_the_read(tmp_path: Path, *, gone: bool) -> None:
    with Wire(lambda _: reply({}, 401), api_key=a_file(tmp_path / "key")) as wire:
        if gone:
            (tmp_path / "key").unlink()
        with pytest.raises(Refused, match="HTTP 401"):
            wire.client.list_jobs()
    assert sent_keys(wire) == [KEY]


@pytest.mark.parametrize(
    "write",
    [
        lambda client: client.create_job(CREATE),
        lambda client: client.cancel_job("ftjob-1"),
        lambda client: client.upload_file(an_upload(b"{}", "f.jsonl")),
    ],
    ids=["create", "cancel", "upload"],
)
def test_a_write_that_met_a_401_is_refused_and_not_repeated(
    tmp_path: Path, write: Callable[[OpenAIClient], object]
) -> None:
    def answer(request: Request) -> Reply:
        (tmp_path / "key").write_text(ROTATED)  # rotated while the request is under way
        return by_key(request)

    with Wire(answer, api_key=a_file(tmp_path / "key")) as wire:
        with pytest.raises(Refused, match="HTTP 401"):
            write(wire.client)
        assert sent_keys(wire) == [KEY]
        wire.client.retrieve_job("ftjob-1")
    assert sent_keys(wire) == [KEY, ROTATED]


def test_a_read_asked_once_more_ends_as_that_answer_says(tmp_path: Path) -> None:
    with Wire(script(reply({}, 401), reply({}, 500), reply(JOB)), api_key=unseen(tmp_path / "key")) as wire:
        wire.client.retrieve_job("ftjob-1")
    assert [record.status for record in wire.records] == [401, 500, 200]


def test_every_key_ever_held_is_in_no_message(tmp_path: Path) -> None:
    told = {"error": {"message": f"neither {KEY} nor {ROTATED}"}, "id": "j", "status": "running"}
    with Wire(lambda _: reply(told), api_key=a_file(tmp_path / "key")) as wire:
        (tmp_path / "key").write_text(ROTATED)
        job = wire.client.retrieve_job("j")
        assert job.error is not None
        assert job.error.message == "neither [redacted] nor [redacted]"
        wire.server.answer = lambda _: reply(told, 401)
        outcome = caught(lambda: wire.client.create_job(CREATE))
    assert ": neither [redacted] nor [redacted] (the key is that of --api-key-file " in str(outcome)
    assert not any(key in repr(wire.records) for key in (KEY, ROTATED))


def test_no_empty_key_is_sent_while_the_file_is_rotated(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with Wire(lambda _: reply(JOB), api_key=a_file(path)) as wire:
        for rotate in (path.unlink, lambda: path.write_text(""), lambda: path.write_text(f"{ROTATED}\n")):
            rotate()
            wire.client.retrieve_job("ftjob-1")
    assert sent_keys(wire) == [KEY, KEY, ROTATED]


def test_every_request_is_recorded() -> None:
    with Wire(script(reply({}, 500, **{"x-request-id": "r1"}), reply(JOB))) as wire:
        wire.client.retrieve_job("ftjob-1")
    assert [(r.operation, r.method, r.path, r.status) for r in wire.records] == [
        ("retrieve", "GET", "/fine_tuning/jobs/ftjob-1", 500),
        ("retrieve", "GET", "/fine_tuning/jobs/ftjob-1", 200),
    ]
    assert wire.records[0].request_id == "r1"
    assert wire.records[0].error.startswith("GET /fine_tuning/jobs/ftjob-1: HTTP 500")
    assert all(r.duration >= 0 for r in wire.records)


def test_a_429_slows_every_request_down_not_only_the_one_that_met_it() -> None:
    answers = iter([Reply(429, b"{}", {"retry-after": "20"})])
    with Wire(lambda _: next(answers, reply({"id": "j", "status": "running"}))) as wire:
        slept: list[float] = []
        wire.clock.sleep = slept.append  # type: ignore[method-assign, assignment]
        wire.client.retrieve_job("j")
        assert slept[0] == pytest.approx(20.5)
        wire.client.retrieve_job("j")
        assert len(slept) == 3, "on a clock that stood still, the retry and the next request waited as well"
        assert slept[1:] == [pytest.approx(20.5, abs=0.5)] * 2


def test_a_cookie_is_not_kept() -> None:
    with Wire(lambda _: reply(JOB, 200, **{"set-cookie": "a=b; Path=/"})) as wire:
        wire.client.retrieve_job("ftjob-1")
        wire.client.retrieve_job("ftjob-1")
        assert all("cookie" not in request.headers for request in wire.server.requests)


# ── a server's limit of requests ──


def with_headers(answer: Reply, headers: Mapping[str, str]) -> Reply:
    return dataclasses.replace(answer, headers={**answer.headers, **headers})


class Limited:
    """A server that takes ``limit`` creates in ``window`` seconds: a window that ends, or a bucket that fills."""

    def __init__(self, limit: int, window: float, *, bucket: bool) -> None:
        self.limit, self.window, self.bucket = limit, window, bucket
        self.clock = SkippingClock()
        self.left, self.since = float(limit), 0.0
        self.refused = 0

    def __call__(self, request: Request) -> Reply:
        now = self.clock.monotonic()
        if self.bucket:
            self.left = min(self.limit, self.left + (now - self.since) * self.limit / self.window)
            self.since = now
        elif now >= self.since + self.window:
            self.left, self.since = float(self.limit), now
        if self.left < 1:
            self.refused += 1
            return reply({}, 429)
        self.left -= 1
        reset = (self.limit - self.left) * self.window / self.limit if self.bucket else self.since + self.window - now
        headers = {
            "x-ratelimit-limit-requests": str(self.limit),
            "x-ratelimit-remaining-requests": str(int(self.left)),
            "x-ratelimit-reset-requests": f"{int(reset // 60)}m{reset % 60:.3f}s",
        }
        return with_headers(reply(JOB), headers)


@pytest.mark.parametrize("bucket", [True, False], ids=["bucket", "window"])
@pytest.mark.parametrize(("limit", "window"), [(3, 60.0), (20, 60.0), (5, 2.0)])
def test_a_burst_of_creates_uses_all_of_a_limit_and_is_never_refused(
    limit: int, window: float, *, bucket: bool
) -> None:
    server = Limited(limit, window, bucket=bucket)
    with Wire(server) as wire:
        server.clock = wire.clock
        server.since = began = wire.clock.monotonic()
        created = 0
        while created < 6 * limit:
            try:
                wire.client.create_job(CREATE)
            except RateLimited as error:
                wire.clock.sleep(error.retry_after or 0.0)
            else:
                created += 1
        took = wire.clock.monotonic() - began
    assert server.refused == 0
    # The first burst needs no wait; what follows is as much as the limit allows.
    assert created - limit >= 0.95 * limit * took / window - 1


def test_a_create_that_would_wait_long_is_not_sent_and_says_how_long() -> None:
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "50s"}
    with Wire(lambda _: with_headers(reply(JOB), headers)) as wire:
        wire.client.create_job(CREATE)
        with pytest.raises(RateLimited, match="not sent, since this server's limit of requests is used up") as raised:
            wire.client.create_job(CREATE)
        assert raised.value.retry_after == pytest.approx(51, abs=1)
        wire.client.retrieve_job("ftjob-1")
        wire.client.cancel_job("ftjob-1")
        assert [request.creates for request in wire.server.requests] == [True, False, False]
        wire.clock.sleep(52)
        wire.client.create_job(CREATE)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, 0),
        ({"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "50s"}, 0),
        ({"x-ratelimit-remaining-requests": "0"}, 0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "soon"}, 0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "99h"}, 0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 361),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20ms"}, 0.0206),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m0.5s"}, 61.5),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "10"}, 10.3),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1700000010"}, 10.3),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1600000000"}, 0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "10s"}, 0),
    ],
)
def test_what_headers_say_of_a_limit(headers: dict[str, str], wait: float) -> None:
    assert used_up(headers, 1_700_000_000) == pytest.approx(wait)
