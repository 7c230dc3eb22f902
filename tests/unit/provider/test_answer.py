"""What a server says reaches the person, without the key; what it says steers nothing."""

import json
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.job import Marks, parse_job
from reconciler.core.plain_job import PlainJob
from reconciler.errors import OutcomeUnknown, ProviderError, Refused, Unreadable
from reconciler.provider.answer import Answers
from reconciler.provider.client import OpenAIClient
from reconciler.provider.page import parse_page
from tests.bench import shapes
from tests.bench.shapes import Shape
from tests.fakes.clocks import SkippingClock
from tests.fakes.faulty import Reply, reply
from tests.fakes.servers import CREATE, JOB, KEY, Wire, an_account, asked, caught, script
from tests.fakes.strategies import bodies, hostile, jobs

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
    with Wire(lambda _: reply(body, 400)) as wire, pytest.raises(Refused) as raised:
        wire.client.create_job(CREATE)
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
    with Wire(lambda _: Reply(503, body)) as wire, pytest.raises(OutcomeUnknown) as raised:
        wire.client.create_job(CREATE)
    assert str(raised.value) == f"POST /fine_tuning/jobs: HTTP 503{said}"


@pytest.mark.parametrize("filler", ["", " " * 4090, "<p>" * 1500, "x" * 250, "x " * 2045])
def test_no_error_that_is_no_json_shows_a_part_of_the_key(filler: str) -> None:
    for body in (f"{filler}{KEY}", f"<title>{filler}{KEY}", f"<html>{filler}{KEY}"):
        for status in (200, 400, 503):
            with Wire(lambda _, body=body, status=status: Reply(status, body.encode())) as wire:  # type: ignore[misc]
                outcome = caught(lambda: wire.client.create_job(CREATE))
            assert isinstance(outcome, ProviderError)
            assert KEY[:8] not in f"{outcome} {wire.records}"
            assert len(str(outcome)) < 700


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_base_url_that_leads_nowhere_is_told_of(status: int) -> None:
    with Wire(lambda _: reply({"detail": "Not Found"}, status)) as wire:
        base_url = wire.server.base_url.removesuffix("/v1")
        with pytest.raises(ProviderError, match="Not Found .*is the base URL that of an API with fine-tuning?"):
            wire.client.list_jobs()
        assert len(wire.server.requests) == 1
        client = OpenAIClient(
            an_account(base_url),
            transport=wire.transport,
            clock=wire.clock,
            random=lambda: 0.5,
            on_request=wire.records.append,
        )
        with pytest.raises(ProviderError, match="the base URL does not end in /v1"):
            client.list_jobs()


def test_an_unknown_job_says_nothing_of_the_base_url() -> None:
    with Wire(lambda _: reply({"detail": "Not Found"}, 404)) as wire, pytest.raises(Refused) as raised:
        wire.client.retrieve_job("j")
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
    with Wire(lambda _: Reply(status, b"", {"location": location})) as wire:
        with pytest.raises(Unreadable) as raised:
            wire.client.list_jobs()
        assert said in str(raised.value)
        assert "s3cret" not in str(raised.value)
        assert KEY not in str(raised.value)
        assert len(wire.server.requests) == 1
        with pytest.raises(OutcomeUnknown, match="redirect"):
            wire.client.create_job(CREATE)


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
    with Wire(lambda _: Reply(200, body)) as wire, pytest.raises(OutcomeUnknown) as raised:
        wire.client.create_job(CREATE)
    assert said in str(raised.value)
    assert str(raised.value).endswith(said) or said.endswith("base URL")


def test_the_key_is_in_no_message_and_no_record() -> None:
    told = {"error": {"message": f"bad key {KEY}", "code": KEY}}
    answers = [reply(told, status) for status in (400, 401, 429, 500)] + [
        Reply(200, f'"{KEY}'.encode()),
        reply({"id": KEY, "x": 1}),
    ]
    for answer in answers:
        with Wire(script(answer), organization="o") as wire:
            for outcome in asked(wire.client):
                assert KEY not in f"{outcome!r} {outcome} {getattr(outcome, 'code', '')}"
            assert KEY not in repr(wire.records)
            assert wire.server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(an_account("http://x"))


def test_a_key_that_json_escapes_hide_is_found_all_the_same() -> None:
    hidden = "".join(f"\\u{ord(ch):04x}" for ch in KEY)
    told = {"id": "j", "status": "failed", "error": {"message": "not with KEY"}}
    body = json.dumps(told).replace("KEY", hidden).encode()
    with Wire(lambda _: Reply(200, body)) as wire:
        error = wire.client.retrieve_job("j").error
    assert error is not None
    assert error.message == "not with [redacted]"


def test_no_listing_hides_it_in_a_field_that_is_looked_into_later() -> None:
    answers = Answers("http://x/v1", [KEY], SkippingClock())
    hidden = "".join(f"\\u{ord(ch):04x}" for ch in KEY)
    for spelt in (KEY, hidden):
        told = json.dumps({**JOB, "method": {"type": "KEY"}, "hyperparameters": None}).replace("KEY", spelt)
        page = parse_page(answers._json(f'{{"data": [{told}], "has_more": false}}'.encode(), jobs=True), parse_job)
        assert page.items[0].training.method == "redacted"


KEYS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=6, max_size=12)


def read(content: bytes, key: str) -> tuple[object, object]:
    """What an answer is read as, and what it is as Python reads JSON, gone through for the key."""
    answers = Answers("http://x/v1", [key], SkippingClock())
    try:
        expected = answers._keyless(json.loads(content, parse_constant=lambda _: None))
    except (ValueError, RecursionError) as error:
        with pytest.raises(type(error)) as raised:
            answers._json(content)
        return str(raised.value), str(error)
    return answers._json(content), expected


@given(
    bodies | jobs.map(lambda job: json.dumps(job, ensure_ascii=False).encode(errors="surrogatepass")),
    st.integers(0, 300),
    st.sampled_from(["", "NaN", "1e999", "1" * 30, '"', "\\", "[" * 2000, "\ufeff", "\0", ","]),
)
def test_every_answer_is_read_as_python_reads_json(body: bytes, at: int, inserted: str) -> None:
    found, expected = read(body[:at] + inserted.encode() + body[at:], KEY)
    assert found == expected


@given(
    st.lists(jobs | hostile, max_size=3),
    st.dictionaries(st.sampled_from(["object", "total", "next", "data", "has_more"]), hostile, max_size=2),
    st.booleans(),
    st.integers(0, 400),
    st.sampled_from(
        [
            *[b""] * 4,
            b"NaN",
            b"1e999",
            b"01",
            b'"',
            b"\\",
            b"[" * 2000,
            b"\xef\xbb\xbf",
            b"\0",
            b",",
            b'"seed": 1, ',
            b"\\ud800",
            b"\xff",
        ]
    ),
)
def test_a_long_listing_is_read_as_any_answer(
    items: list[Any], others: dict[str, Any], has_more: bool, at: int, inserted: bytes
) -> None:
    """Of a page that says whether it is the last, no field beside the jobs matters."""
    body = json.dumps({"data": items, "has_more": has_more, **others}, ensure_ascii=False)
    content = body.encode(errors="surrogatepass")
    content = content[:at] + inserted + content[at:]
    answers = Answers("http://x/v1", [KEY], SkippingClock())

    def page(*, jobs: bool) -> object:
        try:
            found = parse_page(answers._json(content, jobs=jobs), parse_job)
        except (ValueError, RecursionError) as error:
            return str(error)
        return found if found.has_more is None else (found.items, found.has_more, found.silent)

    assert page(jobs=True) == page(jobs=False)


def test_a_long_listing_is_read_without_what_nobody_looks_at() -> None:
    answers = Answers("http://x/v1", [KEY], SkippingClock())
    content = json.dumps({"data": [{**JOB, "x": 1}], "has_more": False, "y": 1}).encode()
    assert answers._json(content, jobs=True) == {"data": [msgspec.convert(JOB, PlainJob)], "has_more": False}


def test_a_page_of_the_api_itself_holds_plain_jobs() -> None:
    content = b'{"data": [%s], "has_more": false}' % dict(shapes.jobs(Shape(1, 1)))["ftjob-00000000000000000001"]
    answers = Answers("http://x/v1", [KEY], SkippingClock())
    assert [type(one) for one in answers._json(content, jobs=True)["data"]] == [PlainJob]


@given(KEYS, st.data())
def test_no_spelling_hides_the_key(key: str, data: st.DataObject) -> None:
    escapes = {ch: f"\\u{ord(ch):04x}" for ch in key} | {"/": "\\/", '"': '\\"', "\\": "\\\\"}
    escaped = data.draw(st.frozensets(st.sampled_from(key))) | {'"', "\\"}
    spelt = "".join(escapes[ch] if ch in escaped else ch for ch in key)
    found, expected = read(f'{{"message": "with {spelt}"}}'.encode(), key)
    assert found == expected == {"message": "with [redacted]"}


@pytest.mark.parametrize("key", ["1", "test", "succeeded", "metadata", "reconciler"])
def test_a_key_that_is_a_word_of_every_answer_alters_none(key: str) -> None:
    marks = Marks("f", "test-bot", "0" * 16, 1)
    told = {"id": "ftjob-1", "status": "succeeded", "fine_tuned_model": "ft:m:test", "metadata": marks.as_metadata()}
    with Wire(lambda _: reply(told), api_key=key) as wire:
        job = wire.client.retrieve_job("ftjob-1")
    assert (job.succeeded, job.fine_tuned_model, job.marks) == (True, "ft:m:test", marks)


def test_a_short_key_changes_no_header() -> None:
    with Wire(script(reply({}, 429, **{"retry-after": "7"}), reply(JOB)), api_key="7") as wire:
        wire.client.retrieve_job("ftjob-1")
        assert wire.clock.slept == [7.5]


@pytest.mark.parametrize(
    "field", ["id", "status", "model", "suffix", "fine_tuned_model", "reconciler_job", "reconciler_fleet"]
)
def test_a_job_with_the_key_where_nothing_may_be_altered_is_no_answer(field: str) -> None:
    told: dict[str, Any] = {**JOB, "metadata": Marks("f", "a", "0" * 16, 1).as_metadata()}
    (told["metadata"] if field.startswith("reconciler_") else told)[field] = KEY
    with Wire(lambda _: reply({**told, "data": [told], "has_more": False})) as wire:
        for outcome, kind in zip(asked(wire.client), [OutcomeUnknown, Unreadable, Unreadable], strict=True):
            assert isinstance(outcome, kind)
            assert str(outcome).endswith(f"its {field} holds the API key")


def test_events_are_shown_without_the_key() -> None:
    told = {"id": "e", "level": KEY, "type": KEY, "message": f"with {KEY}", "data": {f"loss {KEY}": 1}}
    with Wire(lambda _: reply({"data": [told], "has_more": False})) as wire:
        (event,) = wire.client.list_events("j")
    assert (event.level, event.type, event.message) == ("[redacted]", "[redacted]", "with [redacted]")
    assert event.metrics == {"loss [redacted]": 1}


def test_a_key_in_what_nobody_reads_is_no_matter() -> None:
    told = {**JOB, "metadata": {**Marks("f", "a", "0" * 16, 1).as_metadata(), "note": KEY}, "echo": {"headers": [KEY]}}
    with Wire(lambda _: reply(told)) as wire:
        assert wire.client.retrieve_job("ftjob-1").marks == Marks("f", "a", "0" * 16, 1)


@pytest.mark.parametrize("name", ["x-request-id", "retry-after", "location", "set-cookie", "x-other"])
@pytest.mark.parametrize("status", [200, 302, 400, 429, 500])
def test_a_header_that_is_no_ascii_breaks_nothing(name: str, status: int) -> None:
    with Wire(lambda _: Reply(status, json.dumps(JOB).encode(), {name: "\xe9\xff"})) as wire:
        outcome = caught(lambda: wire.client.create_job(CREATE))
        assert str(outcome).isprintable()
        assert len(wire.server.requests) == 1


@pytest.mark.parametrize("location", ["http://x:y/", "mailto:x", "\x01", "a" * 66_000, "http://\xff"])
def test_a_redirect_to_nowhere_is_an_unknown_outcome(location: str) -> None:
    with Wire(lambda _: reply({}, 302, location=location)) as wire, pytest.raises(OutcomeUnknown):
        wire.client.create_job(CREATE)


def test_no_part_of_the_key_is_told_however_it_is_written() -> None:
    hidden = "".join(f"\\u{ord(ch):04x}" for ch in KEY)
    told = {"error": {"code": KEY, "message": KEY}, "id": "j", "fine_tuned_model": KEY}
    for body in (
        f'{{"error": {{"code": "{hidden}", "message": "{"x" * 240}{hidden}"}}}}'.encode(),
        json.dumps(told).encode("utf-16"),
        json.dumps(told).encode("utf-32"),
    ):
        for status in (200, 400, 429):
            with Wire(script(Reply(status, body))) as wire:
                outcome = caught(partial(wire.client.retrieve_job, "j"))
            assert KEY[:8] not in f"{outcome!r} {outcome} {getattr(outcome, 'code', '')} {wire.records}"
