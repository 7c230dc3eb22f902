"""`reconciler run` as a process of its own: signals, locks, endpoints, saves; and a few lives under kill -9."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox import EmbeddedSandbox
from tests.e2e.chaos import Judge, chaos
from tests.fakes.faulty import HANG, Proxy, Reply, Request
from tests.fakes.fleets import LOOPBACK, FleetDirectory, jobs_at, live, make_job
from tests.fakes.forked import program

KEY = "sk-a-key-that-must-appear-nowhere"


STARTED = (sys.executable, "-m", "reconciler")


class Running:
    """A daemon, and its log as it comes."""

    def __init__(self, fleet: FleetDirectory, *options: str, words: Sequence[str] | None = None) -> None:
        told = ["--first-run", "--settle", "0", "--stability", "100ms", "--interval", "300ms", "--log-format", "json"]
        self.process = subprocess.Popen(
            [*(words or program()), "run", str(fleet.root), *told, *options],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENAI_API_KEY": KEY},
        )
        self.lines: list[dict[str, Any]] = []
        self.plain: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                if line.startswith("{"):
                    self.lines.append(json.loads(line))
                else:
                    self.plain.append(line)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def until(self, event: str, times: int = 1) -> dict[str, Any]:
        """Wait for a log line."""

        def seen() -> bool:
            return len([line for line in self.lines if line["event"] == event]) >= times

        with self._news:
            assert self._news.wait_for(seen, 60), f"{event}: {self.lines[-3:]} {self.plain}"
            found = [line for line in self.lines if line["event"] == event]
        return found[times - 1]

    def ended(self, seconds: float = 60) -> int:
        """Wait for its end; the exit code."""
        code = self.process.wait(seconds)
        self._reader.join(10)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


@contextmanager
def running(fleet: FleetDirectory, *options: str, words: Sequence[str] | None = None) -> Iterator[Running]:
    daemon = Running(fleet, *options, words=words)
    try:
        yield daemon
    finally:
        if daemon.process.poll() is None:
            daemon.process.kill()
        daemon.ended()


@pytest.fixture
def fleet(tmp_path: Path) -> FleetDirectory:
    return FleetDirectory(tmp_path / "fleet")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with EmbeddedSandbox(tmp_path / "served", speed=1) as sandbox, Proxy(sandbox.base_url) as proxy:
        monkeypatch.setenv("OPENAI_BASE_URL", proxy.base_url)
        yield proxy


def in_place(path: Path, text: bytes) -> None:
    path.write_bytes(text)


def atomic(path: Path, text: bytes) -> None:
    other = path.with_name(".new")
    other.write_bytes(text)
    other.replace(path)


def with_backup(path: Path, text: bytes) -> None:
    path.rename(path.with_name(f"{path.name}~"))
    path.write_bytes(text)


@pytest.mark.parametrize("save", [in_place, atomic, with_backup])
def test_a_save_becomes_a_job_long_before_the_interval(
    fleet: FleetDirectory, server: Proxy, save: Callable[[Path, bytes], None]
) -> None:
    fleet.job("a")
    with running(fleet, "--interval", "1h") as daemon:
        daemon.until("job.created")
        path = fleet.root / "a.yaml"
        save(path, path.read_bytes().replace(b'"model"', b'"seed": 5, "model"'))
        daemon.until("job.created", 2)
        daemon.until("job.cancelled")
    assert len(live(jobs_at(server.base_url))) == 1


def test_the_first_signal_lets_the_request_in_flight_finish(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    arrived, go_on = threading.Event(), threading.Event()

    def hold(request: Request, answer: Reply) -> Reply:
        if request.creates:
            arrived.set()
            go_on.wait(60)
        return answer

    server.fault = hold
    with running(fleet) as daemon:
        assert arrived.wait(60)
        daemon.process.send_signal(signal.SIGTERM)
        go_on.set()
        assert daemon.ended() == 0
        daemon.until("job.created")
        daemon.until("daemon.stopped")
    with running(fleet) as again:
        again.until("daemon.started")
        again.process.send_signal(signal.SIGINT)
        assert again.ended() == 0
    assert len(jobs_at(server.base_url)) == 1


def test_the_second_signal_ends_it_at_once(fleet: FleetDirectory, server: Proxy) -> None:
    arrived = threading.Event()

    def hang(request: Request, answer: Reply) -> Reply:
        arrived.set()
        return HANG

    server.fault = hang
    with running(fleet) as daemon:
        assert arrived.wait(60)
        daemon.process.send_signal(signal.SIGTERM)
        daemon.process.send_signal(signal.SIGINT)
        assert daemon.ended() in {128 + signal.SIGINT, 128 + signal.SIGTERM}


def test_a_second_daemon_on_one_state_directory_stops_and_says_why(fleet: FleetDirectory, server: Proxy) -> None:
    with running(fleet) as first:
        first.until("daemon.started")
        with running(fleet) as second:
            assert second.ended() == 1
            assert "another `reconciler run` works on" in second.until("command.failed")["message"]
        assert first.process.poll() is None


def test_the_endpoints_tell_health_readiness_and_numbers(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    with running(fleet, "--listen", "127.0.0.1:0") as daemon:
        port = daemon.until("endpoints.started")["port"]
        daemon.until("job.created")
        daemon.until("job.event")
        url = f"http://127.0.0.1:{port}"
        assert LOOPBACK.get(f"{url}/healthz").status_code == 200
        answers = (LOOPBACK.get(f"{url}/readyz", params={"verbose": ""}) for _ in range(5000))
        ready = next(answer for answer in answers if answer.status_code == 200)  # once its first pass has ended
        lines = [f"[+]{check} ok" for check in ("listing", "source", "lock", "provider", "pass")]
        assert ready.text.splitlines() == [*lines, "ok"]
        numbers = LOOPBACK.get(f"{url}/metrics").text
    for pattern in (
        r'^reconciler_passes_total\{fleet="\S+",result="success"\} [1-9]',
        r'^reconciler_jobs\{fleet="\S+",status="(validating_files|queued|running)"\} 1.0',
        r'^reconciler_job_condition\{fleet="\S+",job="a",status="true",type="Synced"\} 1.0',
        r'^reconciler_api_requests_total\{code="200",fleet="\S+",operation="create"\} 1.0',
        r"^process_resident_memory_bytes [1-9]",
    ):
        assert re.search(pattern, numbers, re.MULTILINE), pattern


def test_it_waits_for_a_fleet_and_begins_when_there_is_one(fleet: FleetDirectory, server: Proxy) -> None:
    document = (fleet.root / "fleet.yaml").read_bytes()
    (fleet.root / "fleet.yaml").unlink()
    fleet.job("a")
    with running(fleet) as daemon:
        daemon.until("source.invalid")
        (fleet.root / "fleet.yaml").write_bytes(document)
        daemon.until("job.created")


@pytest.mark.parametrize("link", [False, True], ids=["an empty directory", "a link whose place is mounted later"])
def test_it_waits_for_a_volume_that_is_mounted_late_and_says_so_at_once(
    fleet: FleetDirectory, server: Proxy, tmp_path: Path, *, link: bool
) -> None:
    fleet.job("a")
    kept = fleet.root.rename(tmp_path / "kept")
    if link:
        fleet.root.symlink_to("later")
    else:
        fleet.root.mkdir()
    with running(fleet, "--state-dir", str(tmp_path / "state")) as daemon:
        assert daemon.until("daemon.waiting")["directory"] == str(fleet.root)
        shutil.copytree(kept, fleet.root.resolve(), dirs_exist_ok=True)
        daemon.until("job.created")


def test_a_path_that_leads_nowhere_ends_it_at_once(fleet: FleetDirectory) -> None:
    shutil.rmtree(fleet.root)
    with running(fleet) as daemon:
        assert daemon.ended() == 64
    assert "no such directory" in daemon.until("command.failed")["message"]


def _two_fleets(root: Path) -> None:
    for name in ("one", "two"):
        (root / name).mkdir(exist_ok=True)
        (root / name / "fleet.yaml").write_bytes((root / "fleet.yaml").read_bytes())
    (root / "fleet.yaml").unlink()


def test_a_directory_of_several_fleets_ends_it_at_once_and_names_them(fleet: FleetDirectory) -> None:
    _two_fleets(fleet.root)
    with running(fleet) as daemon:
        assert daemon.ended() == 64
        said = daemon.until("command.failed")["message"]
    assert "is not a fleet, but holds 2 of them" in said
    assert f"run {fleet.root}/one" in said
    assert not (fleet.root / ".reconciler").exists()


def test_a_fleet_that_becomes_several_is_watched_on_also_after_a_restart(fleet: FleetDirectory, server: Proxy) -> None:
    document = (fleet.root / "fleet.yaml").read_bytes()
    with running(fleet) as daemon:
        daemon.until("daemon.started")
        _two_fleets(fleet.root)
        daemon.until("source.invalid")
    with running(fleet) as daemon:
        daemon.until("daemon.waiting")
        shutil.rmtree(fleet.root / "one")
        shutil.rmtree(fleet.root / "two")
        (fleet.root / "fleet.yaml").write_bytes(document)
        fleet.job("a")
        daemon.until("job.created")
    assert len(live(jobs_at(server.base_url))) == 1


def test_a_state_directory_that_is_deleted_costs_nothing_but_waiting(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    with running(fleet) as daemon:
        daemon.until("job.created")
        state = fleet.root / ".reconciler"
        state.rename(fleet.root / ".away")
        fleet.job("b", seed=1)
        daemon.until("state.replaced")
        daemon.until("job.created", 2)
    assert len(jobs_at(server.base_url)) == 2


def test_the_key_is_in_no_line_and_no_argument(fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    server.fault = lambda request, answer: Reply(500, f"<html>{request.headers['authorization']}</html>".encode())
    with running(fleet, "--verbose", words=STARTED) as daemon:
        daemon.until("pass.failed")
        assert KEY.encode() not in Path(f"/proc/{daemon.process.pid}/cmdline").read_bytes()
    assert KEY not in json.dumps([daemon.lines, daemon.plain])


def test_kill_minus_nine_against_a_faulty_provider_doubles_loses_and_cancels_nothing() -> None:
    _, violations = chaos(minutes=0.1, seed=3, rate=0.15)
    assert violations == []


@pytest.mark.parametrize(
    ("edit", "wrong"),
    [
        (lambda fleet: None, True),
        (lambda fleet: (fleet.root / "a.yaml").write_text("kind: ["), True),
        (lambda fleet: fleet.remove("a"), False),
        (lambda fleet: fleet.job("a", seed=2), False),
    ],
    ids=["untouched", "broken", "removed", "changed"],
)
def test_the_judge_objects_to_a_cancel_of_what_was_wanted_all_its_life(
    fleet: FleetDirectory, server: Proxy, edit: Callable[[FleetDirectory], None], *, wrong: bool
) -> None:
    judge = Judge(fleet, server.base_url)
    fleet.job("a")
    judge.note()
    judge.wanted["a"] = [(0.0, "another"), (1.0, judge.wanted["a"][0][1])]  # before the job was made
    marks = {"reconciler_job": "a", "reconciler_revision": judge.wanted["a"][-1][1]}
    job_id = make_job(server.base_url, metadata=marks)
    edit(fleet)
    judge.note()
    LOOPBACK.post(f"{server.base_url}/fine_tuning/jobs/{job_id}/cancel").raise_for_status()
    judge.look()
    assert bool(judge.violations) is wrong


def test_the_watcher_follows_a_directory_that_was_deleted_and_made_again(
    fleet: FleetDirectory, server: Proxy, tmp_path: Path
) -> None:
    fleet.job("a")
    kept = tmp_path / "kept"
    shutil.copytree(fleet.root, kept)
    with running(fleet, "--interval", "1h", "--state-dir", str(tmp_path / "deep" / "er" / "state")) as daemon:
        daemon.until("job.created")
        shutil.rmtree(fleet.root)
        daemon.until("source.invalid")
        shutil.copytree(kept, fleet.root)
        daemon.until("source.mended")
        fleet.job("b", seed=1)
        saved = time.monotonic()
        daemon.until("job.created", 2)
        assert time.monotonic() - saved < 25, "by an event: without one it is looked at every 30 seconds"
    assert len(live(jobs_at(server.base_url))) == 2
