"""A key file that somebody rotates under a running process: the last good key goes on, and no key is ever shown."""

import io
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.errors import UsageError
from reconciler.log import configure
from reconciler.provider.key import KeyFile, Secrets
from tests.fakes.clocks import ManualClock

OLD, NEW = "sk-old-key-that-was-sent", "sk-new-key-that-came-after"


class Rotated:
    """A key file, and what was logged about it."""

    def __init__(self, path: Path, content: str = f"{OLD}\n") -> None:
        self.path = path
        self.secrets = Secrets()
        self._out = io.StringIO()
        self.log = configure(form="json", secrets=self.secrets, stream=self._out)
        path.write_text(content)
        self.clock = ManualClock()
        self.key = KeyFile(path, self.secrets, self.log, self.clock.monotonic)

    @property
    def said(self) -> str:
        return self._out.getvalue()

    @property
    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.said.splitlines()]


@pytest.fixture
def rotated(tmp_path: Path) -> Rotated:
    found = Rotated(tmp_path / "key")
    assert found.key.current() == OLD
    return found


def same_size(rotated: Rotated) -> None:
    """In place, with the times of before, as `cp -p` leaves them."""
    status = rotated.path.stat()
    rotated.path.write_text(NEW.ljust(status.st_size)[: status.st_size])
    os.utime(rotated.path, ns=(status.st_atime_ns, status.st_mtime_ns))


def renamed(rotated: Rotated) -> None:
    """A new file in its place, as editors and agents write it."""
    fresh = rotated.path.with_name("fresh")
    fresh.write_text(NEW)
    fresh.replace(rotated.path)


@pytest.mark.parametrize("rotate", [renamed, lambda rotated: rotated.path.write_text(NEW)], ids=["renamed", "in place"])
def test_a_file_that_changed_is_read_again(rotated: Rotated, rotate: Callable[[Rotated], object]) -> None:
    rotate(rotated)
    assert [rotated.key.current(), rotated.key.current()] == [NEW, NEW]
    assert rotated.events == ["key.changed"]


def test_a_change_that_the_files_size_and_time_do_not_show_is_found_after_a_401(tmp_path: Path) -> None:
    rotated = Rotated(tmp_path / "key", OLD.ljust(len(NEW)))
    assert rotated.key.current() == OLD
    same_size(rotated)
    assert rotated.key.renewed(OLD) == NEW


def test_a_kubernetes_secret_is_followed_through_its_links(tmp_path: Path) -> None:
    for name, content in (("..1", OLD), ("..2", NEW)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key").write_text(content)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "key").symlink_to("..data/key")
    key = KeyFile(tmp_path / "key", Secrets(), configure(form="json", secrets=[], stream=io.StringIO()))
    assert key.current() == OLD
    (tmp_path / "..tmp").symlink_to("..2")
    (tmp_path / "..tmp").replace(tmp_path / "..data")
    assert key.current() == NEW


def test_a_file_that_did_not_change_is_not_read(rotated: Rotated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("it was opened"))
    assert rotated.key.current() == OLD


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


TROUBLES: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_text(""),
    "blank": lambda path: path.write_text(" \n"),
    "two keys": lambda path: path.write_text(f"{OLD}\n{NEW}\n"),
    "UTF-16": lambda path: path.write_bytes(NEW.encode("utf-16")),
    "cut in a character": lambda path: path.write_bytes(NEW.encode() + b"\xc3"),
    "no header": lambda path: path.write_text(f"{NEW} x"),
    "a directory": directory,
    "a FIFO": fifo,
}


@pytest.mark.parametrize("spoil", TROUBLES.values(), ids=TROUBLES.keys())
def test_the_last_good_key_stays_while_the_file_holds_none(rotated: Rotated, spoil: Callable[[Path], object]) -> None:
    spoil(rotated.path)
    assert [rotated.key.current(), rotated.key.renewed(OLD), rotated.key.current()] == [OLD] * 3
    assert rotated.events == ["key.unreadable"], "said once"
    assert OLD not in rotated.said
    assert NEW not in rotated.said
    if rotated.path.is_dir():
        rotated.path.rmdir()
    renamed(rotated)
    assert rotated.key.current() == NEW
    rotated.path.unlink()
    assert rotated.key.current() == NEW
    assert rotated.events == ["key.unreadable", "key.changed", "key.unreadable"], "and again when it happens again"


def test_the_same_key_after_a_trouble_is_no_change(rotated: Rotated) -> None:
    rotated.path.write_text("")
    rotated.key.current()
    rotated.path.write_text(OLD)
    assert rotated.key.current() == OLD
    assert rotated.events == ["key.unreadable", "key.readable"]


def test_a_key_that_stays_unreadable_is_said_again_with_its_age(rotated: Rotated) -> None:
    rotated.path.unlink()
    for seconds in (0, 59, 60, 300, 3600, 7199):
        rotated.clock.now = float(seconds)
        assert rotated.key.current() == OLD
    lines = [json.loads(line) for line in rotated.said.splitlines()]
    assert {line["event"] for line in lines} == {"key.unreadable"}
    assert [(line.get("since"), line.get("times")) for line in lines] == [(None, None), (60, 3), (300, 4), (3600, 5)]


def test_a_file_that_never_held_a_key_is_an_error_until_it_does(tmp_path: Path) -> None:
    rotated = Rotated(tmp_path / "key", "\n")
    for ask in (rotated.key.current, rotated.key.current):
        with pytest.raises(UsageError, match="it holds no key"):
            ask()
    rotated.path.write_text(OLD)
    assert rotated.key.current() == OLD


def test_a_pipe_gives_its_key_once() -> None:
    reading, writing = os.pipe()
    key = KeyFile(Path(f"/dev/fd/{reading}"), Secrets(), configure(form="json", secrets=[], stream=io.StringIO()))
    try:
        os.write(writing, OLD.encode())
        os.close(writing)
        assert [key.current(), key.current(), key.renewed(OLD)] == [OLD] * 3
    finally:
        os.close(reading)
    assert [key.current(), key.renewed(OLD)] == [OLD] * 2


def test_a_log_that_was_made_before_knows_every_key_since(rotated: Rotated) -> None:
    renamed(rotated)
    rotated.key.current()
    rotated.log.info("job.event", message=f"{OLD} and {NEW}, {NEW}{OLD}")
    assert json.loads(rotated.said.splitlines()[-1])["message"] == "[redacted] and [redacted], [redacted][redacted]"


def test_a_key_that_holds_another_is_removed_as_a_whole() -> None:
    secrets = Secrets()
    for secret in ("sk-short", "", "sk-short-and-long", "sk-short"):
        secrets.add(secret)
    assert list(secrets) == ["sk-short-and-long", "sk-short"]


def test_many_threads_never_get_anything_but_one_of_the_keys(rotated: Rotated) -> None:
    got: set[str] = set()
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            got.update({rotated.key.current(), rotated.key.renewed(OLD)})

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        rotated.path.write_text("")
        renamed(rotated)
        rotated.path.unlink()
        rotated.path.write_text(OLD)
    stop.set()
    for thread in threads:
        thread.join()
    assert got <= {OLD, NEW}
    assert rotated.key.current() == OLD
    assert set(rotated.secrets) <= {OLD, NEW}
