"""The provider of a bench, in a process of its own: jobs that were encoded before anybody asks.

`workbench` starts `python -m tests.bench.server`, which prints its base URL, and then a line for each request that a
row may want to know of: ``list`` (a listing begins) and ``post`` with the machine's monotonic time (a create arrived).
The first step of a path is the word of a `Shape`; its jobs are made when they are first asked for. It is no sandbox:
it checks nothing, and a job that is created has succeeded at once.
"""

import argparse
import json
import os
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BufferedIOBase
from urllib.parse import parse_qs, unquote, urlsplit

from tests.bench import shapes
from tests.bench.shapes import Shape

_TOP = "/v1/fine_tuning/jobs"
_EMPTY = b'{"object":"list","data":[],"has_more":false}'


@dataclass(slots=True)
class Account:
    """The jobs of one shape, the newest first, each already in JSON; pages are kept once they were asked for."""

    ids: list[str]
    encoded: dict[str, bytes]
    pages: dict[tuple[str, int], bytes] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def page(self, after: str, size: int) -> bytes:
        """The page after that job, of at most ``size``."""
        with self.lock:
            if (after, size) not in self.pages:
                start = self._place(after) + 1 if after else 0
                ids = self.ids[start : start + size]
                more = b"true" if start + size < len(self.ids) else b"false"
                data = b",".join(map(self.encoded.__getitem__, ids))
                self.pages[after, size] = b'{"object":"list","data":[%s],"has_more":%s}' % (data, more)
            return self.pages[after, size]

    def create(self, body: bytes) -> bytes:
        """One job more, as it was asked for."""
        asked = json.loads(body)
        with self.lock:
            job_id = f"ftjob-new-{len(self.ids):016}"
            made = shapes.job(job_id, int(time.time()), "succeeded", index=0, seed=asked["seed"], marks={})
            made |= {key: asked[key] for key in ("model", "training_file", "metadata")}
            self.encoded[job_id] = json.dumps(made).encode()
            self.ids.insert(0, job_id)
            self.pages.clear()
            self.places.clear()
        return self.encoded[job_id]

    def _place(self, job_id: str) -> int:
        if not self.places:
            self.places = {known: place for place, known in enumerate(self.ids)}
        return self.places[job_id]


class Accounts:
    """The jobs, and the DNS records, of each shape; made when they are first asked for."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, bool], Account] = {}
        self._lock = threading.Lock()

    def of(self, word: str, *, records: bool = False) -> Account:
        """The account of a shape, or a zone of as many records."""
        with self._lock:
            if (word, records) not in self._made:
                encoded = dict((shapes.records if records else shapes.jobs)(Shape.of_word(word)))
                self._made[word, records] = Account(list(encoded), encoded)
            return self._made[word, records]


def answer(account: Account, method: str, target: str, body: bytes, say: Callable[[str], None]) -> bytes | None:
    """The JSON that answers one request, whose path begins at `/v1`; None where there is no such thing."""
    parts = urlsplit(target)
    asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
    after, size = asked.get("after", ""), min(int(asked.get("limit", 20)), shapes.PAGE)
    if parts.path == "/v1/records":
        return account.page(after, size)
    if parts.path == _TOP and method == "POST":
        say(f"post {time.monotonic()}")
        return account.create(body)
    if parts.path == _TOP:
        if not after:
            say("list")
        return account.page(after, size)
    if parts.path.startswith(f"{_TOP}/"):
        job_id, _, rest = unquote(parts.path.removeprefix(f"{_TOP}/")).partition("/")
        return account.encoded.get(job_id) if rest in {"", "cancel"} else _EMPTY
    if parts.path == "/v1/files":
        return _EMPTY
    return None


class _Connection(socketserver.StreamRequestHandler):
    """HTTP/1.1, as much of it as our clients speak; the connection stays."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        while request := _request(self.rfile):
            method, target, body = request
            word, _, rest = target.removeprefix("/").partition("/")
            account = server.accounts.of(word, records=rest.startswith("v1/records"))
            found = answer(account, method, f"/{rest}", body, server.say)
            if server.latency:
                time.sleep(server.latency)
            status, content = ("200 OK", found) if found is not None else ("404 Not Found", b"{}")
            head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
            self.wfile.write(head.encode() + content)


def _request(source: BufferedIOBase) -> tuple[str, str, bytes] | None:
    """Method, target and body of the next request; None where the other side has gone."""
    line = source.readline()
    if not line.strip():
        return None
    method, target, _ = line.decode().split(" ", 2)
    length = 0
    while header := source.readline().strip():
        key, _, value = header.partition(b":")
        if key.lower() == b"content-length":
            length = int(value)
    return method, target, source.read(length)


class Server(socketserver.ThreadingTCPServer):
    """Answers each request after ``latency`` seconds."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, latency: float = 0.0, say: Callable[[str], None] = lambda _: None) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.accounts = Accounts()
        self.latency = latency
        self.say = say

    @property
    def base_url(self) -> str:
        """Before the word of a shape and `/v1`."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was stopped in the middle of a request is no news."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _say(line: str) -> None:
    """One write a line, so that lines of two threads never mix."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.server", description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    with Server(parser.parse_args().latency, _say) as server:
        _say(server.base_url)
        server.serve_forever()


if __name__ == "__main__":
    main()
