"""One request under one deadline: TLS that cannot be trusted, answers cut, inflated or in many chunks."""

import gzip
import itertools
import json
import socket
import ssl
import threading
import tracemalloc
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import httpcore
import pytest

from reconciler.errors import NotSent, OutcomeUnknown, Untrusted, UsageError
from reconciler.provider.client import OpenAIClient
from reconciler.provider.message import HttpRequest, base_of
from reconciler.provider.transport import DeadlineTransport, _bounded, _words
from tests.fakes.clocks import SkippingClock
from tests.fakes.faulty import DROP, Reply, reply
from tests.fakes.servers import CREATE, JOB, TLS, Wire, an_account, asked

if TYPE_CHECKING:
    from reconciler.provider.request import RequestRecord


def test_a_connection_that_died_while_idle_is_not_used_for_a_create() -> None:
    with Wire(lambda _: Reply(200, json.dumps(JOB).encode(), {"connection": "close"})) as wire:
        for _ in range(3):
            wire.client.create_job(CREATE)
        assert len(wire.server.requests) == 3


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_answer_is_read(encoding: str) -> None:
    content = json.dumps(JOB).encode()
    packed = gzip.compress(content) if encoding == "gzip" else zlib.compress(content)
    with Wire(lambda _: Reply(200, packed, {"content-encoding": encoding})) as wire:
        assert wire.client.retrieve_job("ftjob-1").id == "ftjob-1"


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
    with Wire(lambda _: reply(JOB), TLS / f"{served}.pem") as wire:
        for outcome in asked(wire.client):
            assert isinstance(outcome, Untrusted)
            assert said in str(outcome)
        assert wire.clock.slept == []
        assert len(wire.records) == 3
        assert wire.server.requests == []


def test_a_certificate_that_the_operator_trusts_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "loopback.pem"))
    with Wire(lambda _: reply(JOB), TLS / "loopback.pem") as wire:
        assert wire.client.create_job(CREATE).id == "ftjob-1"


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


@pytest.mark.parametrize(
    ("why", "words"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "connection refused"),
        (OSError(101, "Network is unreachable"), "network is unreachable"),
        (OSError(113, "No route to host"), "no route to host"),
        (TimeoutError(110, "Connection timed out"), "connection timed out"),
        (OSError("odd"), "odd"),
        (ssl.SSLEOFError(8, "EOF in violation of protocol"), "the TLS connection broke (EOF in violation of protocol)"),
        (OSError(), "no connection"),
    ],
)
def test_what_the_system_says_is_said_in_words(why: OSError, words: str) -> None:
    error = httpcore.ConnectError(why)
    error.__cause__ = why
    assert _words(error, "no connection") == words


def test_a_server_that_is_not_there_is_said_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    with DeadlineTransport(SkippingClock(), proxies=dict) as transport:
        for url, words in ((address, "connection refused"), ("http://nowhere.invalid/v1", "cannot resolve nowhere")):
            origin, path = base_of(url)
            with pytest.raises(NotSent) as raised:
                transport.exchange(HttpRequest("GET", origin, path, {}))
            assert str(raised.value).startswith(words)
            assert "Errno" not in str(raised.value)


def test_a_server_that_hangs_up_is_said_in_words() -> None:
    with Wire(lambda _: DROP) as wire, pytest.raises(OutcomeUnknown) as raised:
        wire.client.create_job(CREATE)
    said = str(raised.value).partition("jobs: ")[2]
    assert said[:1].islower(), said
    assert "Errno" not in said


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
    with Wire(lambda _: DROP) as wire:
        base_url = wire.server.base_url.replace("http:", "https:")
    with Wire(lambda _: DROP, base_url=base_url) as wire, pytest.raises(UsageError, match="SSL_CERT_FILE"):
        wire.client.list_jobs()


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
    with Wire(lambda _: Reply(body=sent, how="raw")) as wire:
        with pytest.raises(OutcomeUnknown) as raised:
            wire.client.create_job(CREATE)
        assert len(wire.server.requests) == 1
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
