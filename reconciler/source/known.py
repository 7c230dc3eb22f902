"""Files whose bytes were read before: what manifests declare, what was found in training files, and their tokens.

`reading` and `training_files` ask with the SHA-256 of what they have just read, so that nothing is ever believed over
the bytes: what is saved is parsing, never reading. Only what gave rise to no remark is remembered, as JSON in the state
directory, and only `apply` and `run` write it (`save`), in passes that write anyway. A file that is torn, of another
program or of another version of it, or that cannot be read, is none.
"""

import contextlib
import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct, field
from msgspec.json import decode

from reconciler import __version__

FILE = "manifests.cache"

# Far beyond 10,000 manifests; what is longer is neither read nor written.
_BYTES_LIMIT = 64 * 1024 * 1024
# Of another program, or another version of one of these, the same bytes may mean something else.
_PROGRAM = ("reconciler.core", "reconciler.dataset", "reconciler.source")
_LIBRARIES = ("pydantic", "pydantic_core", "yaml")


class Declared(NamedTuple):
    """What one valid document declares, made of nothing but JSON's values.

    ``line`` is where it begins, ``place`` its number among the documents of ours in its file, from 0. ``spec`` holds
    what the document sets (`core.models`). ``revision`` as in `Entry`.
    """

    kind: str
    name: str
    line: int
    place: int
    spec: Mapping[str, Any]
    revision: str | None = None


class Known(Struct):
    """What is known of bytes, for as long as a command or a daemon reads; ``file`` is where it outlives the process."""

    file: Path | None = None
    _before: dict[str, Any] | None = None  # None: the file was not looked at yet
    _now: dict[str, Any] = field(default_factory=dict)
    _learned: bool = False

    def begin(self) -> None:
        """A reading begins: what it does not ask for will be forgotten."""
        if self._before is None:
            self._before = _loaded(self.file) if self.file else {}
        else:
            self._before = self._now
        self._now = {}

    def find(self, digest: str, *, json: bool) -> Iterable[Declared] | None:
        """What a manifest of these bytes declares; None where nobody has read them."""
        key = _key(digest, json=json)
        rows = (self._before or {}).get(key)
        if rows is None:
            return None
        self._now[key] = rows
        return [Declared(*row) for row in rows]

    def learn(self, digest: str, declared: Iterable[Declared] | None, *, json: bool) -> None:
        """These bytes have been read; None where there was something to remark."""
        if declared is not None:
            self._now[_key(digest, json=json)] = declared
            self._learned = True

    def find_look(self, key: str) -> Any:
        """What came of a look at training files that had no error; None where nobody has looked."""
        found = self._now.get(f"look {key}", (self._before or {}).get(f"look {key}"))
        if found is not None:
            self._now[f"look {key}"] = found
        return found

    def learn_look(self, key: str, found: Any) -> None:
        """A look has found this, made of JSON's values; ``key`` names the bytes and what was asked of them."""
        self._now[f"look {key}"] = found
        self._learned = True

    def find_measure(self, sha256: str, way: str) -> list[Any] | None:
        """What a training file of these bytes was found to hold, counted this way."""
        rows = self._measures(sha256)
        return rows.get(way) if rows is not None else None

    def learn_measure(self, sha256: str, way: str, row: list[Any]) -> None:
        """A training file of these bytes holds that much, counted this way."""
        self._now[f"measures {sha256}"] = {**(self._measures(sha256) or {}), way: row}
        self._learned = True

    def keep_measures(self, sha256: str) -> None:
        """A manifest names a file of these bytes: whatever was counted of it is kept."""
        self._measures(sha256)

    def _measures(self, sha256: str) -> dict[str, list[Any]] | None:
        """By the way of counting; what is asked for is kept."""
        key = f"measures {sha256}"
        if key not in self._now and key in (self._before or {}):
            self._now[key] = (self._before or {})[key]
        found: dict[str, list[Any]] | None = self._now.get(key)
        return found

    def save(self) -> None:
        """Write down what the last reading knew, where it learned anything. A disk that fails costs time, later."""
        if self.file is None or not self._learned:
            return
        content = _dumped(self._now)
        new = self.file.with_name(f"{self.file.name}.new")
        with contextlib.suppress(OSError):
            if len(content) <= _BYTES_LIMIT:
                new.write_bytes(content)
                new.replace(self.file)
        self._learned = False


def _key(digest: str, *, json: bool) -> str:
    """JSON is read with its tabs as spaces."""
    return f"json {digest}" if json else digest


def _dumped(known: Mapping[str, Any]) -> bytes:
    """A line that proves the next: whose it is, and the digest of its bytes."""
    rows = json.dumps(known, ensure_ascii=False, separators=(",", ":")).encode()
    return f"{_stamp()} {hashlib.sha256(rows).hexdigest()}\n".encode() + rows


def _loaded(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > _BYTES_LIMIT:
            return {}
        head, _, rows = file.read_bytes().partition(b"\n")
        if head.decode() != f"{_stamp()} {hashlib.sha256(rows).hexdigest()}":
            return {}
        known: dict[str, Any] = decode(rows)
    except (OSError, ValueError):
        return {}
    return known


def _stamp() -> str:
    """This program and the libraries that it reads with: files by name, size and time, as Python caches them."""
    facts = [__version__, sys.version, *_PROGRAM, *_files()]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def _files() -> Iterator[str]:
    for name in (*_PROGRAM, *_LIBRARIES):
        spec = importlib.util.find_spec(name)
        for directory in (spec.submodule_search_locations or ()) if spec else ():
            with contextlib.suppress(OSError):  # within an archive, whose version says it
                for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
                    if entry.name.endswith((".py", ".so")):
                        found = entry.stat()
                        yield f"{directory} {entry.name} {found.st_size} {found.st_mtime_ns}"
