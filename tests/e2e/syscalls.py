"""kill -9 at each system call that matters: `python -m tests.e2e.syscalls`.

strace counts the calls of one undisturbed life of `apply` or `run` by which something becomes durable or leaves the
process. Then that life begins again once for each of them, and ends there: ``before`` the call takes effect, or
``after`` it has and before its caller knows. Another life follows, undisturbed, whose first listing does not show yet
what the first one created. The judge reads the provider's ledger, the journal and the status files. It ends with a
line of figures, and exits 1 on a violation.
"""

import argparse
import contextlib
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Self

import yaml

from reconciler.errors import JournalError, ReconcilerError
from reconciler.sandbox import EmbeddedSandbox
from tests.e2e.chaos import Key, declared, marked, program, unfinished
from tests.fakes.faulty import Fault, Proxy, Reply, Request, as_it_is
from tests.fakes.fleets import FleetDirectory, apply_once, jobs_at, live, run_of

SETTLE = 0.1
CALLS = (
    *("fsync", "fdatasync", "sync_file_range"),
    *("rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat"),
    *("sendto", "sendmsg", "sendmmsg"),
    "write",
)
_ELSEWHERE = re.compile(r"write\(\d+<(pipe:|socket:|anon_inode:|/dev/)")  # its log, its output, a wake-up
LIFE_SECONDS = 60.0
_STRACE = ("strace", "-f", "-y")
_FAST = "--seccomp-bpf"  # stop at the traced calls only; a signal at the entry of a call is lost with it
_HELD = "delay_exit=600000000"  # microseconds, of which the first few pass
_LINE = re.compile(r"(?P<thread>\d+) +(?P<call>\w+)\((?P<what>.*)")


def why_not() -> str:
    """Why system calls cannot be intercepted here; "" where they can."""
    told = [*_STRACE, _FAST, "-e", f"inject=fsync:{_HELD}:when=1", "-o", os.devnull, "true"]
    try:
        done = subprocess.run(told, capture_output=True, text=True, timeout=20, check=False)
    except FileNotFoundError:
        return "strace is not installed"
    return "" if done.returncode == 0 else f"strace may not trace here: {done.stderr.strip()}"


# ── where to kill ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Point:
    """The ``number``-th ``call`` of a thread, before or after it took effect; ``what`` are its arguments."""

    call: str
    number: int
    after: bool
    what: str = ""

    def __str__(self) -> str:
        """As `--only` reads it."""
        return f"{self.call}:{self.number}:{'after' if self.after else 'before'}"

    @classmethod
    def read(cls, text: str) -> Self:
        """The other way round."""
        call, number, when = text.split(":")
        return cls(call, int(number), after=when == "after")


def points(lines: Sequence[str]) -> list[Point]:
    """Two for each call in what strace wrote, in their order; strace counts for each thread."""
    seen: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, int], str] = {}
    for line in lines:
        match = _LINE.match(line)
        if match:
            who = match["thread"], match["call"]
            seen[who] += 1
            if not _ELSEWHERE.search(line):
                found.setdefault((match["call"], seen[who]), match["what"].strip())
    return [Point(call, n, after=after, what=what) for (call, n), what in found.items() for after in (False, True)]


def every(nth: int, found: Sequence[Point]) -> list[Point]:
    """Both points of each ``nth`` call."""
    return [point for i, point in enumerate(found) if i // 2 % nth == 0]


def intercepted(told: Sequence[str], options: Sequence[str], on_line: Callable[[str], bool]) -> int:
    """Run under strace until its end, or until ``on_line`` says to kill it; the exit code.

    Raises:
        TimeoutError: it went on for too long.
    """
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [*_STRACE, *options, "-o", f"/dev/fd/{writer}", *told],
        pass_fds=[writer],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(writer)
    late = threading.Event()

    def kill() -> None:
        # Both at once: a tracer that is gone lets its tracee go on.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def give_up() -> None:
        late.set()
        kill()

    timer = threading.Timer(LIFE_SECONDS, give_up)
    timer.start()
    try:
        with os.fdopen(reader) as lines:
            for line in lines:  # to its end, when both processes are gone
                if on_line(line):
                    kill()
    except BaseException:
        kill()
        raise
    finally:
        timer.cancel()
        code = process.wait()
    if late.is_set():
        raise TimeoutError
    return code


def struck(told: Sequence[str], point: Point) -> bool:
    """Live up to this point; False where it never came."""
    what, how = (_HELD, [_FAST]) if point.after else ("signal=SIGKILL", [])
    options = [*how, "-e", f"trace={point.call}", "-e", f"inject={point.call}:{what}:when={point.number}"]
    try:
        return intercepted(told, options, lambda line: "(DELAYED)" in line) == -signal.SIGKILL
    except TimeoutError:
        return False


# ── one life and the next ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Story:
    """What a life is to do: a ``command``, in a directory as ``begin`` and then ``change`` leave it."""

    command: str
    begin: Callable[[FleetDirectory], None] | None
    change: Callable[[FleetDirectory], None]


def _three(fleet: FleetDirectory) -> None:
    for seed, name in enumerate("abc"):
        fleet.job(name, seed=seed)


def _edit(fleet: FleetDirectory, end: Callable[[FleetDirectory], None]) -> None:
    """Replace one, end one, keep one, and a new one with a file of its own."""
    fleet.job("a", seed=100)
    end(fleet)
    fleet.data("more", 14)
    fleet.job("d", training_file="data/more.jsonl")


def _two(fleet: FleetDirectory) -> None:
    fleet.job("a", seed=1)
    fleet.job("b", seed=2)


STORIES = {
    "apply": Story("apply", _three, partial(_edit, end=lambda fleet: fleet.remove("b"))),
    "first-apply": Story("apply", None, _two),
    # A daemon waits ten seconds before it believes that a manifest is gone.
    "run": Story(
        "run", _three, partial(_edit, end=lambda fleet: fleet.job("b", seed=1, policy={"state": "cancelled"}))
    ),
    "first-run": Story("run", None, _two),
}


@dataclass
class Stage:
    """A provider, and a fleet that is about to be changed."""

    server: Proxy
    ledger: str
    fleet: FleetDirectory
    told: list[str]
    before: frozenset[str]
    ever: set[Key]
    want: set[Key]

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """The ledger."""
        return jobs_at(self.ledger)

    @property
    def created(self) -> set[str]:
        """The jobs that were made since the change."""
        return {job["id"] for job in self.jobs} - self.before


@contextmanager
def stage(story: Story) -> Iterator[Stage]:
    """The same beginning, each time."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        EmbeddedSandbox(Path(scratch) / "provider", speed=0.001) as sandbox,
        Proxy(sandbox.base_url) as server,
    ):
        fleet = FleetDirectory(Path(scratch) / "fleet")
        fleet.fleet(limits={"max_cancels": 10})
        if story.begin:
            story.begin(fleet)
            apply_once(fleet, server.base_url, settle=SETTLE)
        before = declared(fleet)
        story.change(fleet)
        want = declared(fleet)
        server.drain()
        server.requests.clear()
        told = program(story.command, fleet.root, server.base_url, SETTLE)
        made = frozenset(job["id"] for job in jobs_at(sandbox.base_url))
        yield Stage(server, sandbox.base_url, fleet, told, made, before | want, want)


def undisturbed(story: Story, calls: Sequence[str] = CALLS) -> list[Point]:
    """All kill points of one life."""
    with stage(story) as on:
        lines: list[str] = []
        came = time.monotonic()

        def enough(line: str) -> bool:
            # A daemon has done its work where nothing is left to do and nothing happens for half of its interval.
            nonlocal came
            silence, came = time.monotonic() - came, time.monotonic()
            lines.append(line)
            return story.command == "run" and silence > 0.5 and not unfinished(on.want, on.jobs)

        code = intercepted(on.told, [_FAST, "-e", "trace=" + ",".join(f"?{call}" for call in calls)], enough)
        if code != (-signal.SIGKILL if story.command == "run" else 0):
            raise AssertionError(f"the undisturbed life of {story.command} ended with {code}")
        return points(lines)


def _lists(request: Request) -> bool:
    return request.method == "GET" and "/fine_tuning/jobs?" in request.path


def stale_once(hidden: set[str]) -> Fault:
    """The next listing is from before these jobs were made; all later ones are up to date."""
    lag = threading.Event()

    def fault(request: Request, answer: Reply) -> Reply:
        if not _lists(request) or lag.is_set():
            return answer
        lag.set()
        page = json.loads(answer.body)
        page["data"] = [job for job in page["data"] if job["id"] not in hidden]
        return Reply(answer.status, json.dumps(page).encode(), answer.headers)

    return fault


def kill_and_go_on(name: str, point: Point) -> tuple[bool, list[str]]:
    """Whether the point was reached, and what is wrong afterwards."""
    story = STORIES[name]
    with stage(story) as on:
        reached = struck(on.told, point)
        on.server.drain()
        found = _as_it_was_left(on)
        on.server.fault = stale_once(on.created)
        try:
            found += _next_life(story, on)
            on.server.drain()
            on.server.fault = as_it_is
            found += _in_the_end(story, on)
        except ReconcilerError as error:
            found.append(f"L1: it cannot go on: {error}")
        return reached, found


def _as_it_was_left(on: Stage) -> list[str]:
    """At the moment of death: whole files, and no job that the journal does not know of."""
    found = []
    for path in (on.fleet.root / ".reconciler" / "status").glob("*.yaml"):
        document = yaml.safe_load(path.read_bytes())
        if not isinstance(document, dict) or document.get("kind") != "FineTuningJobStatus":
            found.append(f"S7: {path.name} is torn")
    try:
        with run_of(on.fleet, on.server.base_url, writes=False) as opened:
            memory = opened.ports.journal.memory()
    except JournalError as error:
        return [*found, f"S7: {error}"]
    known = set(memory.records)
    intended = {(i.name, i.revision) for i in memory.intents.values()}
    lost = [job for job in on.jobs if job["id"] not in known and marked(job) not in intended]
    return found + [f"S6: {marked(job)} was created and the journal does not know of it" for job in lost]


def _next_life(story: Story, on: Stage) -> list[str]:
    """Start it again; `apply` ends by itself, `run` when it has looked twice and there is nothing more to do."""
    found: list[str] = []
    with (on.fleet.root.parent / "log").open("w+") as log:
        process = subprocess.Popen(on.told, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
        try:
            if story.command == "run":
                found += _work_of_a_daemon(on)
                process.terminate()
            code = process.wait(LIFE_SECONDS)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            process.kill()
            process.wait()
        log.seek(0)
        lines = log.readlines()
    found += [f"crash: {line.strip()[:400]}" for line in lines if '"exception"' in line or "Traceback" in line]
    if code != 0:
        last = " ".join(line.strip() for line in lines[-2:])
        found.append(f"L1: the next life ended with {code or 'no end'}: {last[:600]}")
    return found


def _work_of_a_daemon(on: Stage) -> list[str]:
    """Let it look twice and do its work; what it leaves undone."""
    seen = len(on.server.requests)
    end = time.monotonic() + LIFE_SECONDS
    while time.monotonic() < end:
        left = _left_to_do(on)
        if not left and sum(map(_lists, on.server.requests[seen:])) > 1:
            break
        time.sleep(0.05)
    return _left_to_do(on)


def _left_to_do(on: Stage) -> list[str]:
    """What a daemon has still to do: not a cancel that it recorded, may have sent, and tries again after a minute."""
    left = unfinished(on.want, on.jobs)
    if left and all(job["id"] in _pending_cancels(on) for job in live(on.jobs) if marked(job) not in on.want):
        left = [line for line in left if "not wanted" not in line]
    return left


def _pending_cancels(on: Stage) -> set[str]:
    with run_of(on.fleet, on.server.base_url, writes=False) as opened:
        return {job_id for job_id, _ in opened.ports.journal.cancels.pending()}


def _in_the_end(story: Story, on: Stage) -> list[str]:
    """Another apply finds nothing to do (or a cancel that a daemon puts off); then the ledger is judged."""
    done = len(on.server.posts())
    apply_once(on.fleet, on.server.base_url, settle=SETTLE)
    more = [r for r in on.server.posts()[done:] if story.command == "apply" or not r.path.endswith("/cancel")]
    jobs = on.jobs
    name_of = {job["id"]: marked(job) for job in jobs}
    times = Counter(name_of.values())
    ended = [name_of.get(r.path.split("/")[-2]) for r in on.server.posts() if r.path.endswith("/cancel")]
    return [
        *(f"S8: {r.method} {r.path} although nothing was left to do" for r in more),
        *(f"S1: {key} was created {times[key]} times" for key in sorted(on.ever | set(times)) if times[key] != 1),
        *(f"S1: {key} was created and never wanted" for key in sorted(set(times) - on.ever)),
        *(f"S3: a cancel of {key}, which is wanted, was sent" for key in ended if key in on.want or key is None),
        *unfinished(on.want, jobs),
    ]


# ── all of them ──────────────────────────────────────────────────────────────────────────────


def _silent() -> None:
    """Nobody reads the log of what is played within a worker."""
    sys.stderr = io.StringIO()


def play(name: str, chosen: Sequence[Point], workers: int = 2) -> tuple[dict[str, Any], list[str]]:
    """Kill at each of these points; figures and violations, each with the command that repeats it."""
    began = time.monotonic()
    # Processes: a fork in another thread would share the lock that an apply within this one holds.
    with ProcessPoolExecutor(workers, get_context("spawn"), _silent) as pool:
        results = list(pool.map(partial(kill_and_go_on, name), chosen))
    kills: dict[str, dict[str, int]] = {}
    for point, (reached, _) in zip(chosen, results, strict=True):
        if reached:
            sides = kills.setdefault(point.call, {"before": 0, "after": 0})
            sides["after" if point.after else "before"] += 1
    violations = [
        f"{name} {point} ({point.what}): {line}\n    python -m tests.e2e.syscalls {name} --only {shlex.quote(str(point))}"
        for point, (_, found) in zip(chosen, results, strict=True)
        for line in found
    ]
    figures = {
        "story": name,
        "kills": kills,
        "total": sum(sum(sides.values()) for sides in kills.values()),
        "not_reached": sum(not reached for reached, _ in results),
        "violations": len(violations),
        "seconds": round(time.monotonic() - began, 1),
    }
    return figures, violations


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("stories", nargs="*", default=list(STORIES), metavar="STORY", help=f"of {', '.join(STORIES)}")
    parser.add_argument("--only", type=Point.read, metavar="CALL:N:before|after", help="kill at this point only")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="kill at every N-th call")
    parser.add_argument("--calls", type=lambda text: text.split(","), default=CALLS, help="kill at these system calls")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="lives at the same time")
    told = parser.parse_args()
    trouble = why_not()
    if trouble:
        parser.exit(1, f"{trouble}\n")
    failed = False
    for name in told.stories:
        with contextlib.redirect_stderr(io.StringIO()):  # the log of what is played within this process
            chosen = [told.only] if told.only else every(told.every, undisturbed(STORIES[name], told.calls))
            figures, violations = play(name, chosen, told.workers)
        sys.stdout.write("".join(f"{line}\n" for line in [*violations, json.dumps(figures)]))
        sys.stdout.flush()
        failed = failed or bool(violations)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
