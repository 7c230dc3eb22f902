"""The locks of a state directory: who is let in, who waits, and what is no lock at all."""

import errno
import fcntl
from pathlib import Path

import pytest

from reconciler.errors import JournalError, Locked, Stopped
from reconciler.state.lock import Lock
from tests.fakes.journals import NO_LOCKS, Time, failing


def test_one_at_a_time(tmp_path: Path, time: Time) -> None:
    def sleep(seconds: float) -> None:
        time.now += seconds

    first, second = Lock(tmp_path), Lock(tmp_path)
    first.acquire(timeout=0, clock=time, sleep=sleep)
    with pytest.raises(Locked, match="waited 2 s; --lock-timeout"):
        second.acquire(timeout=2, clock=time, sleep=sleep)
    assert time.now >= 1002
    first.release()
    first.release()
    second.acquire(timeout=0, clock=time, sleep=sleep)
    second.release()


def test_a_lock_is_taken_as_soon_as_it_is_free(tmp_path: Path, time: Time) -> None:
    first, second = Lock(tmp_path), Lock(tmp_path)
    first.acquire(timeout=0, clock=time, sleep=lambda _: None)
    second.acquire(timeout=30, clock=time, sleep=lambda _: first.release())
    second.release()


def test_a_lock_whose_file_was_taken_away_while_it_was_waited_for_locks_nothing(state: Path, time: Time) -> None:
    first, third = Lock(state), Lock(state)
    first.acquire(timeout=0, clock=time, sleep=lambda _: None)

    def flock(handle: int, operation: int) -> None:
        if (state / "pass.lock").exists() and not gone:
            (state / "pass.lock").unlink()
            gone.append(handle)
            first.release()
        fcntl.flock(handle, operation)

    gone: list[int] = []
    second = Lock(state, flock=flock)
    second.acquire(timeout=30, clock=time, sleep=lambda _: None)
    with pytest.raises(Locked):
        third.acquire(timeout=0, clock=time, sleep=never)
    second.release()


def never(_: float) -> None:
    raise AssertionError("nothing is waited for")


@pytest.mark.parametrize("number", NO_LOCKS, ids=lambda number: errno.errorcode[number])
def test_a_file_system_without_locks_is_named_at_once(tmp_path: Path, time: Time, number: int) -> None:
    lock = Lock(tmp_path, flock=failing(number))
    with pytest.raises(JournalError, match="no locks that work .*--state-dir") as raised:
        lock.acquire(timeout=30, clock=time, sleep=never)
    assert not isinstance(raised.value, Locked), "nobody holds it"


@pytest.mark.parametrize("number", [errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES])
def test_only_held_by_another_means_held_by_another(tmp_path: Path, time: Time, number: int) -> None:
    with pytest.raises(Locked):
        Lock(tmp_path, flock=failing(number)).acquire(timeout=0, clock=time, sleep=never)


def test_an_interrupted_lock_is_asked_for_again(tmp_path: Path, time: Time) -> None:
    lock = Lock(tmp_path, flock=failing(errno.EINTR, errno.EINTR))
    lock.acquire(timeout=0, clock=time, sleep=never)
    lock.release()


def test_a_lock_in_a_directory_that_cannot_be_written_says_the_way_on(tmp_path: Path, time: Time) -> None:
    (tmp_path / "pass.lock").mkdir()
    with pytest.raises(JournalError, match="is a directory.*--state-dir"):
        Lock(tmp_path).acquire(timeout=30, clock=time, sleep=never)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc here")
def test_files_do_not_pile_up(tmp_path: Path, time: Time) -> None:
    def handles() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    before = handles()
    for _ in range(20):
        lock = Lock(tmp_path)
        lock.acquire(timeout=0, clock=time, sleep=lambda _: None)
        with pytest.raises(Locked):
            Lock(tmp_path).acquire(timeout=0, clock=time, sleep=lambda _: None)
        lock.release()
    assert handles() == before


def test_a_lock_that_is_not_got_holds_no_file_open(state: Path) -> None:
    state.mkdir(exist_ok=True)
    holder, waiter = Lock(state), Lock(state)
    holder.acquire(timeout=0, clock=lambda: 0.0, sleep=lambda _: None)

    def stop(_: float) -> None:
        raise Stopped("stopped while waiting")

    before = len(list(Path("/dev/fd").iterdir()))
    with pytest.raises(Stopped):
        waiter.acquire(timeout=60, clock=lambda: 0.0, sleep=stop)
    assert len(list(Path("/dev/fd").iterdir())) == before
    holder.release()
