"""A server that answers as a script says: whole, late, never, cut short, byte by byte; and a proxy that adds faults.

Real sockets on loopback. Every request is recorded as it arrives.
"""

import contextlib
import http.client
import io
import json
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def creates(self) -> bool:
        """Whether it asks for a new job."""
        return self.method == "POST" and self.path.partition("?")[0].endswith("/fine_tuning/jobs")


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back, and how: ``whole``, ``drop`` (reset), ``hang``, ``cut`` (half of the body), ``drip``, ``raw`` (nothing but the body)."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    how: str = "whole"


def reply(value: object, status: int = 200, **headers: str) -> Reply:
    """A JSON answer."""
    return Reply(status, json.dumps(value).encode(), {"content-type": "application/json", **headers})


DROP, HANG = Reply(how="drop"), Reply(how="hang")
Answer = Callable[[Request], Reply]


class FaultyServer:
    """Serves inside a `with` block; ``requests`` holds what arrived. ``tls``: a key and its certificate, in PEM."""

    def __init__(self, answer: Answer, tls: Path | None = None) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.stopping = threading.Event()
        self._server = _Quiet(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def base_url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}/v1"

    def posts(self) -> list[Request]:
        """The requests that write."""
        return [r for r in self.requests if r.method == "POST"]

    def creates(self) -> list[Request]:
        """The requests for a new job."""
        return [r for r in self.requests if r.creates]

    def drain(self) -> None:
        """Wait until everything that clients, dead by now, had sent is dealt with."""
        with socket.create_connection(("127.0.0.1", self._server.server_address[1])) as last:
            last.shutdown(socket.SHUT_WR)
            last.recv(1)  # connections are accepted in their order, so all of theirs are by now
        self._server.drain()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Quiet(ThreadingHTTPServer):
    """A client that was killed, as a test meant it, is no news."""

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._open = 0
        self._closed = threading.Condition()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._closed:
            self._open += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._closed:
                self._open -= 1
                self._closed.notify_all()

    def drain(self) -> None:
        """Wait until no connection is open."""
        with self._closed:
            assert self._closed.wait_for(lambda: self._open == 0, 30), f"{self._open} connections are still open"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Anything else is."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _send_head(handler: BaseHTTPRequestHandler, answer: Reply) -> None:
    if answer.how == "raw":
        return
    handler.send_response(answer.status)
    for name, value in {"content-length": str(len(answer.body)), **answer.headers}.items():
        handler.send_header(name, value)
    handler.end_headers()


def _read(stream: io.BufferedIOBase, length: int) -> bytes:
    """A client that was killed within its request has asked for nothing."""
    body = stream.read(length)
    if len(body) < length:
        raise ConnectionResetError
    return body


def _handler(server: FaultyServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = _read(self.rfile, length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, body)
            server.requests.append(request)
            self._send(server.answer(request))

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the names that http.server looks for

        def _send(self, answer: Reply) -> None:
            self.close_connection = answer.how != "whole"
            if answer.how == "drop":
                # A reset instead of a polite end.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            elif answer.how == "hang":
                server.stopping.wait()
            else:
                _send_head(self, answer)
                # Where the client gave up, as it should, there is nobody left to write to.
                with contextlib.suppress(OSError):
                    self._body(answer)

        def _body(self, answer: Reply) -> None:
            if answer.how != "drip":
                end = len(answer.body) // 2 if answer.how == "cut" else len(answer.body)
                self.wfile.write(answer.body[:end])
                return
            for i in range(len(answer.body)):
                self.wfile.write(answer.body[i : i + 1])
                server.stopping.wait(0.02)

        def log_message(self, *_: object) -> None:
            """Silence: pytest shows what matters."""

    return Handler


# ── a proxy before a real server ─────────────────────────────────────────────────────────────

Fault = Callable[[Request, Reply], Reply]


def as_it_is(_: Request, answer: Reply) -> Reply:
    """No fault."""
    return answer


class Proxy(FaultyServer):
    """Passes everything on to ``upstream`` (a base URL), and lets ``fault`` change the answers.

    A fault happens *after* the upstream has done what was asked: the outcome is unknown only to the client.
    """

    def __init__(self, upstream: str, fault: Fault = as_it_is) -> None:
        super().__init__(lambda request: self.fault(request, self.pass_on(request)))
        self._address, _, self._path = upstream.removeprefix("http://").partition("/")
        self.fault = fault

    @property
    def base_url(self) -> str:
        """Ends as that of the upstream."""
        return f"{super().base_url.removesuffix('v1')}{self._path}"

    def pass_on(self, request: Request) -> Reply:
        """What the upstream answers."""
        connection = http.client.HTTPConnection(self._address)
        skipped = {"host", "connection", "accept-encoding", "content-length"}
        passed = {name: value for name, value in request.headers.items() if name not in skipped}
        connection.request(request.method, request.path, request.body or None, passed)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return Reply(response.status, body, {"content-type": response.headers.get("content-type", "")})


def once(fault: Reply, when: Callable[[Request], bool]) -> Fault:
    """``fault`` for the first request that matches; afterwards all is well."""
    struck = threading.Event()

    def strike(request: Request, answer: Reply) -> Reply:
        if when(request) and not struck.is_set():
            struck.set()
            return fault
        return answer

    return strike
