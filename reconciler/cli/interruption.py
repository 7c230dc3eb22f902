"""How a command ends early: SIGTERM and SIGHUP are Ctrl-C under other names. `program` runs within `interruptible`.

As process 1 of a container a signal that nobody handles is ignored by the kernel (pid_namespaces(7)): without
this, `docker stop` and a Kubernetes Job would wait out their grace period and kill. `run` and `sandbox` handle
what they are sent themselves, once they have begun. Work that leaves something to tell says it through `explained`.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import click

from reconciler.cli.suggestions import some
from reconciler.core.job import Job
from reconciler.errors import ReconcilerError, escaped
from reconciler.render.text import Typed

INTERRUPTED = 130
# Seconds: a signal to a process and then to its group is meant as one.
_ONE_SIGNAL = 0.3


class Interrupted(KeyboardInterrupt):
    """An interruption, and what a person must know of the work that it ended."""


@contextmanager
def explained(words: Callable[[], str]) -> Iterator[None]:
    """An interruption of the block says ``words()``, which is called then; any other says only that it was one.

    Raises:
        Interrupted: in the place of KeyboardInterrupt, and of click's Abort, which it is at a question.
    """
    try:
        yield
    except (KeyboardInterrupt, click.Abort) as error:
        if isinstance(error, Interrupted):
            raise
        try:
            said = words()
        except ReconcilerError:  # the memory cannot be read any more: that is no reason to say nothing
            said = "interrupted; nothing more is sent"
        raise Interrupted(said) from error


def words_of(error: BaseException) -> str:
    """What is said of an interruption: what `explained` knew of it, or that it was one."""
    found: BaseException | None = error  # click raises Abort from what it caught
    while found is not None and not isinstance(found, Interrupted):
        found = found.__cause__
    return str(found) if found is not None else "interrupted"


def nothing_sent() -> str:
    """What is said before the first write of a command that writes."""
    return "interrupted; nothing was sent"


def still_training(
    jobs: Sequence[tuple[str, str]], unresolved: Sequence[str], status: str, *, sent: bool = True
) -> str:
    """What is said while it writes, or waits: a person may think that the jobs end with the program.

    ``jobs`` are the names and ids of those that are live at the provider, ``unresolved`` the names whose create was
    sent without an answer, ``status`` the command that shows them ("": none can), ``sent`` whether anything was.
    """
    said = ["interrupted; nothing more is sent." if sent else f"{nothing_sent()}."]
    if unresolved:
        said.append(f"A create may have reached the provider for {some(unresolved)}: the next apply looks for it.")
    if jobs:
        where = f"; `{status}` shows them" if status else ""
        said.append(f"Still training at the provider: {some(f'{name} ({id_})' for name, id_ in jobs)}{where}")
    return " ".join(said).rstrip(".")


def followed(name: str, job: Job | None, typed: Typed) -> str:
    """What is said of a job that was only looked at. ``job`` is as it was last seen; None where it never was."""
    if job is None:
        return "interrupted"
    what = f"job {escaped(job.id)} of {escaped(name)}"
    if job.live:
        again = typed("events", name)  # as it was typed: with --follow
        return f"interrupted; {what} goes on training at the provider. To look again: {again}"
    return f"interrupted; {what} has ended ({escaped(job.status)}): {typed('describe', name)}"


@contextmanager
def interruptible() -> Iterator[None]:
    """The first signal raises KeyboardInterrupt, whatever the process inherited; a second one ends it at once.

    That is as safe as any other restart: what was sent is recorded before it is sent. A SIGHUP that is ignored
    stays ignored, which is what nohup asks for.
    """
    if threading.current_thread() is not threading.main_thread():  # where Python handles no signals
        yield
        return
    interrupted_at: float | None = None

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted_at
        if interrupted_at is not None:
            if time.monotonic() - interrupted_at < _ONE_SIGNAL:
                return
            os._exit(INTERRUPTED)
        interrupted_at = time.monotonic()
        raise KeyboardInterrupt

    caught = [signal.SIGTERM]
    caught += [n for n in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in caught}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
