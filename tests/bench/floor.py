"""The floor: the same bytes from disk and server, decoded as fast as is known how, and nothing decided.

`python -I tests/bench/floor.py DIR URL`. No program that reads these manifests and these jobs can need less. YAML is read
over libyaml's events, JSON by orjson or msgspec where one is installed, and pages come over a bare socket.
"""

import json
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import yaml
from yaml._yaml import CParser

_INTEGER = re.compile("[0-9]+")


def decoder() -> tuple[str, Callable[[bytes], Any]]:
    """The fastest JSON decoder that is installed, and its name."""
    try:
        import orjson
    except ImportError:
        try:
            import msgspec
        except ImportError:
            return "json", json.loads
        return "msgspec", msgspec.json.decode
    return "orjson", orjson.loads


def documents(directory: str) -> Iterator[Any]:
    """Every YAML document below a directory, as values."""
    for place, _, files in os.walk(directory):
        for file in files:
            if file.endswith(".yaml"):
                with open(os.path.join(place, file), "rb") as opened:  # noqa: PTH118, PTH123 - a floor pays for no Path
                    yield from _values(opened.read())


def _values(content: bytes) -> Iterator[Any]:
    parser = CParser(content)
    try:
        following = parser.get_event
        while type(event := following()) is not yaml.StreamEndEvent:
            if type(event) is yaml.DocumentStartEvent:
                yield _value(following(), following)
    finally:
        parser.dispose()


def _value(event: Any, following: Callable[[], Any]) -> Any:
    kind = type(event)
    if kind is yaml.ScalarEvent:
        text = event.value
        return int(text) if event.implicit[0] and _INTEGER.fullmatch(text) else text
    if kind is yaml.MappingStartEvent:
        found = {}
        while type(key := following()) is not yaml.MappingEndEvent:
            found[key.value] = _value(following(), following)
        return found
    items = []
    while type(item := following()) is not yaml.SequenceEndEvent:
        items.append(_value(item, following))
    return items


def pages(url: str, decode: Callable[[bytes], Any]) -> Iterator[list[Any]]:
    """The items of each page of a listing."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 80)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        after = ""
        while True:
            target = f"{parts.path}/fine_tuning/jobs?limit=100{after}"
            connection.sendall(f"GET {target} HTTP/1.1\r\nhost: {parts.netloc}\r\n\r\n".encode())
            page = decode(_body(connection))
            yield page["data"]
            if not page["has_more"]:
                return
            after = f"&after={page['data'][-1]['id']}"


def _body(connection: socket.socket) -> bytes:
    received = connection.recv(262144)
    end = received.index(b"\r\n\r\n") + 4
    length = int(received[:end].lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    parts, missing = [received[end:]], length - (len(received) - end)
    while missing > 0:
        parts.append(connection.recv(262144))
        missing -= len(parts[-1])
    return b"".join(parts)


def main() -> None:
    directory, url = sys.argv[1:]
    wanted = list(documents(directory))
    jobs = [job for page in pages(url, decoder()[1]) for job in page]
    print(len(wanted), len(jobs))


if __name__ == "__main__":
    main()
