"""HTTP's messages: where a request goes, what it holds, and how an answer's headers are read."""

from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import pytest

from reconciler.provider.message import Origin, base_of, form_around, headers_of, json_body, target_of


@pytest.mark.parametrize(
    ("url", "origin", "path", "host"),
    [
        ("https://api.openai.com/v1", Origin("https", "api.openai.com", None), "/v1", "api.openai.com"),
        ("https://API.openai.com:443/v1/", Origin("https", "api.openai.com", 443), "/v1", "api.openai.com"),
        ("http://127.0.0.1:8080", Origin("http", "127.0.0.1", 8080), "", "127.0.0.1:8080"),
        ("http://[::1]:80/a|b/%7B", Origin("http", "::1", 80), "/a%7Cb/%7B", "[::1]"),
    ],
)
def test_a_base_url_is_a_server_and_a_path(url: str, origin: Origin, path: str, host: str) -> None:
    found, base = base_of(url)
    assert (found, base, found.netloc) == (origin, path, host)


@pytest.mark.parametrize("url", ["http://[", "http://x:99999/", "http://x:y/"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="."):
        base_of(url)


def test_no_value_of_a_query_can_end_it() -> None:
    assert target_of("/v1/x", {}) == "/v1/x"
    assert (
        target_of("/v1/x", {"after": "a&b=c#d é/?", "limit": "1"}) == "/v1/x?after=a%26b%3Dc%23d+%C3%A9%2F%3F&limit=1"
    )


def test_json_is_as_short_as_it_can_be_and_never_a_nan() -> None:
    assert json_body({"a": ["é", 1]}) == ("application/json", '{"a":["é",1]}'.encode())
    with pytest.raises(ValueError, match="JSON"):
        json_body({"a": float("nan")})


def test_a_form_holds_its_fields_and_the_very_bytes_of_the_file() -> None:
    content = b'{"a": 1}\n--not-the-boundary\r\n\x00\xff\n'
    kind, before, after = form_around({"purpose": "fine-tune"}, 'a"b\r\nx: y.jsonl')
    body = before + content + after
    message: Any = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    purpose, file = message.get_payload()
    assert (purpose.get_param("name", header="content-disposition"), purpose.get_payload()) == ("purpose", "fine-tune")
    assert file["content-disposition"] == 'form-data; name="file"; filename="a%22b%0D%0Ax: y.jsonl"'
    assert (file["content-type"], file.get_payload(decode=True)) == ("application/jsonl", content)


def test_a_header_that_comes_twice_is_one() -> None:
    assert headers_of([(b"X-A", b"1"), (b"x-a", b"2"), (b"\xff", b"\xe9")]) == {"x-a": "1, 2", "\ufffd": "\ufffd"}
