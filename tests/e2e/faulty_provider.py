"""A provider that misbehaves, as a process of its own: `python -m tests.e2e.faulty_provider DIR --seed N --rate P`.

Prints two base URLs: the faulty one that the program under test gets, and the honest one by which the
ledger is read. A line `calm` on standard input ends the faults. Faults happen after the sandbox behind it
has done what it was asked: the outcome is unknown to the client alone.
"""

import argparse
import random
import sys
import threading
from pathlib import Path

from reconciler.sandbox import EmbeddedSandbox
from tests.fakes.faulty import DROP, Proxy, Reply, Request, reply

_HTML = Reply(200, b"<html>bad gateway</html>", {"content-type": "text/html"})


class Weather:
    """Which answer is replaced by a fault; one seed decides."""

    def __init__(self, seed: int, rate: float) -> None:
        self._random = random.Random(seed)
        self._rate = rate
        self._lock = threading.Lock()
        self.counts: dict[str, int] = {}

    def calm(self) -> None:
        """No more faults."""
        self._rate = 0.0

    def __call__(self, request: Request, answer: Reply) -> Reply:
        """The answer, or what the client gets instead."""
        with self._lock:
            if self._random.random() >= self._rate:
                return answer
            name, fault = self._random.choice(
                [
                    ("dropped", DROP),
                    ("cut", Reply(answer.status, answer.body, answer.headers, how="cut")),
                    ("500", reply({"error": {"message": "sorry", "code": "server_error"}}, 500)),
                    ("502", Reply(502, b"<html/>", {"content-type": "text/html"})),
                    ("html", _HTML),
                    ("409", reply({"error": {"message": "lock"}}, 409)),
                ]
            )
            self.counts[f"{request.method} {name}"] = self.counts.get(f"{request.method} {name}", 0) + 1
            return fault


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0.2)
    parser.add_argument("--speed", type=float, default=1.0)
    told = parser.parse_args()
    weather = Weather(told.seed, told.rate)
    with EmbeddedSandbox(told.directory, speed=told.speed) as sandbox, Proxy(sandbox.base_url, weather) as proxy:
        sys.stdout.write(f"{proxy.base_url} {sandbox.base_url}\n")
        sys.stdout.flush()
        for line in sys.stdin:
            if line.strip() == "calm":
                weather.calm()
                sys.stdout.write(f"{weather.counts}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
