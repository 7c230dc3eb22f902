"""kill -9 of `apply` before and after each call by which a create becomes durable or leaves, and all that lies between."""

import sys
from pathlib import Path

import pytest

from tests.e2e.syscalls import STORIES, Point, play, points, struck, undisturbed, why_not


def test_each_call_is_a_kill_point_before_and_after_and_is_counted_for_its_thread() -> None:
    lines = [
        "11  fsync(3</a>) = 0",
        '12  sendto(4<socket:[1]>, "GET /"..., 5, 0, NULL, 0 <unfinished ...>',
        "11  fsync(3</b>) = 0",
        "12  <... sendto resumed>)             = 5",
        "12  fsync(3</c>) = 0",
        '11  write(2<pipe:[7]>, "{", 1) = 1',
        '11  write(3</b>, "kind"..., 9) = 9',
        "11  +++ exited with 0 +++",
    ]
    found = points(lines)
    assert [str(point) for point in found] == [
        "fsync:1:before",
        "fsync:1:after",
        "sendto:1:before",
        "sendto:1:after",
        "fsync:2:before",
        "fsync:2:after",
        "write:2:before",
        "write:2:after",
    ]
    assert [Point.read(str(point)) for point in found] == [
        Point(point.call, point.number, after=point.after) for point in found
    ]


@pytest.fixture
def strace() -> None:
    trouble = why_not()
    if trouble:
        pytest.skip(trouble)


@pytest.mark.parametrize(("after", "written"), [(False, "one"), (True, "onetwo")])
def test_before_and_after_are_what_they_say(strace: None, tmp_path: Path, after: bool, written: str) -> None:
    path = tmp_path / "file"
    text = f"import os; f = os.open({str(path)!r}, os.O_CREAT | os.O_WRONLY)\nfor b in b'one', b'two', b'three': os.write(f, b)"
    assert struck([sys.executable, "-c", text], Point("write", 2, after=after))
    assert path.read_text() == written


def test_apply_killed_around_a_create_neither_doubles_nor_loses_it(strace: None) -> None:
    everything = undisturbed(STORIES["apply"])
    sent = next(i for i, point in enumerate(everything) if '"POST /v1/fine_tuning/jobs HTTP' in point.what)
    # Around the intent's commit, before its seal, after its head and its body, and when the answer begins to be durable.
    # What is left out differs from one of these by nothing on disk or on the wire.
    chosen = [everything[sent + i] for i in (-6, -5, -2, 1, 3, 4)]
    figures, violations = play("apply", chosen)
    assert violations == []
    assert (figures["total"], figures["not_reached"]) == (len(chosen), 0)
    assert "journal.sqlite3-journal" in chosen[0].what
    assert "seal" in chosen[2].what
    assert "journal" in chosen[-1].what
