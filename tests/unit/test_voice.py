"""How a command speaks while it works: each line new, few of them, and at a terminal lines that move."""

import importlib
import io
import json
import subprocess
import sys

import pyte
import pytest
from msgspec.structs import replace

from reconciler.cli import terminal
from reconciler.cli.voice import Logged, Ordered, Plain, Silent, Voice
from reconciler.log import configure
from reconciler.render.progress import JobProgress, UploadProgress, progress_line
from reconciler.startup import allow_rich, postpone_rich
from tests.fakes.clocks import ManualClock

allow_rich()
from reconciler.cli.live import Live  # noqa: E402 - as `voice_of` does

NOW = 1_800_000_000.0
JOB = JobProgress("tone", "j1", "running", int(NOW) - 200, step=40, total=100, loss=0.42)


def test_a_line_says_how_far_a_job_is_and_how_long_still() -> None:
    assert progress_line(JOB, NOW) == "tone: running, step 40 of 100, loss 0.42, 3m20s so far, about 5m left"
    assert progress_line(replace(JOB, finish=int(NOW) + 60), NOW).endswith("about 1m left")
    assert progress_line(replace(JOB, finish=int(NOW) + 332), NOW).endswith("about 6m left"), "as status says it"
    assert progress_line(replace(JOB, finish=int(NOW) + 1), NOW + 0.9).endswith("about 1s left"), "never 0s"
    assert progress_line(JobProgress("tone", "j1", "queued"), NOW) == "tone: queued"
    assert progress_line(replace(JOB, total=None, loss=None), NOW) == "tone: running, step 40, 3m20s so far"


def test_where_lines_stay_a_job_is_told_when_its_status_changes_and_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = ManualClock()
    voice = Plain(clock)
    for step in range(200):
        voice.jobs([replace(JOB, step=step)])
        clock.sleep(1.0)
    voice.jobs([replace(JOB, status="cancelling")])
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 5
    assert said[-1].startswith("tone: cancelling")


def test_what_is_held_back_is_said_in_its_order_and_never_lost(capsys: pytest.CaptureFixture[str]) -> None:
    voice = Ordered(Plain(ManualClock()))
    voice.hold()
    voice.say("tone: failed")
    voice.waiting(30, "the settle window")
    assert capsys.readouterr().err == "waiting 30 s for the settle window\n"
    voice.release()
    voice.say("done")
    assert capsys.readouterr().err == "tone: failed\ndone\n"
    voice.hold()
    voice.say("at the end")
    voice.close()
    assert capsys.readouterr().err == "at the end\n"


def test_a_job_that_does_not_move_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    clock = ManualClock()
    voice = Plain(clock)
    for _ in range(10):
        voice.jobs([JOB])
        clock.sleep(100.0)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_wait_is_said_once_and_a_short_one_not(capsys: pytest.CaptureFixture[str]) -> None:
    voice = Plain(ManualClock())
    for seconds, what in ((0.2, "a moment"), (30, "the settle window"), (30, "the settle window"), (5, "\x1b[31m")):
        voice.waiting(seconds, what)
    assert capsys.readouterr().err == "waiting 30 s for the settle window\nwaiting 5 s for \\x1b[31m\n"


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    speak(Silent())
    assert capsys.readouterr() == ("", "")


def test_as_json_every_line_is_an_event() -> None:
    out = io.StringIO()
    speak(Logged(configure(form="json", secrets=[], stream=out), ManualClock()))
    events = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [e["event"] for e in events] == ["wait.started", "job.progressed"]
    assert (events[1]["step"], events[1]["total_steps"], events[1]["train_loss"]) == (40, 100, 0.42)


def speak(voice: Voice) -> None:
    voice.say("something happened")
    voice.waiting(30, "the settle window")
    voice.go_on()
    voice.jobs([JOB])
    voice.jobs([JOB])
    voice.waiting(10, "")
    voice.close()


def sending(voice: Voice, clock: ManualClock) -> None:
    for sent in range(0, 512_000_000, 4_000_000):
        voice.uploading(UploadProgress("data/train.jsonl", sent, 512_000_000))
        clock.sleep(1.0)
    voice.sent("data/train.jsonl")
    voice.uploading(UploadProgress("data/train.jsonl", 0, 512_000_000))


def test_where_lines_stay_an_upload_is_told_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    clock = ManualClock()
    sending(Ordered(Plain(clock)), clock)
    assert capsys.readouterr().err.splitlines() == [
        "uploading data/train.jsonl: 240.0 of 512.0 MB",
        "uploading data/train.jsonl: 480.0 of 512.0 MB",
    ]
    sending(Silent(), clock)
    assert capsys.readouterr().err == ""


def test_in_a_log_an_upload_is_an_event_now_and_then() -> None:
    out, clock = io.StringIO(), ManualClock()
    sending(Logged(configure(form="json", secrets=[], stream=out), clock), clock)
    events = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(e["event"], e["sent"], e["size"]) for e in events] == [
        ("file.upload_progressed", 240_000_000, 512_000_000),
        ("file.upload_progressed", 480_000_000, 512_000_000),
    ]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def screen_of(written: str, columns: int = 80, lines: int = 24) -> list[str]:
    screen = pyte.Screen(columns, lines)
    pyte.Stream(screen).feed(written.replace("\n", "\r\n"))
    return [line.rstrip() for line in screen.display if line.strip()]


def test_at_a_terminal_each_job_has_one_line_that_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    out = _Terminal()
    voice = Live(ManualClock(), out)
    voice.jobs([replace(JOB, step=10), JobProgress("base", "j2", "queued", int(NOW) - 5)])
    voice.waiting(10, "")
    voice.say("✓ other: succeeded")
    voice.jobs([JOB, JobProgress("base", "j2", "queued", int(NOW) - 5)])
    shown = screen_of(out.getvalue())
    assert shown[0] == "✓ other: succeeded"
    assert len(shown) == 3
    assert shown[1].startswith("tone  ━")
    assert shown[1].endswith("step 40 of 100, loss 0.42  3m20s  about 5m left")
    assert shown[2].split() == ["base", "queued", "5s"]
    voice.close()
    assert screen_of(out.getvalue()) == ["✓ other: succeeded"], "and leaves a clean screen"


def test_at_a_terminal_each_upload_has_one_line_that_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    clock, out = ManualClock(), _Terminal()
    voice = Live(clock, out)
    for path, sent in (("a.jsonl", 1_000_000), ("b.jsonl", 2_000_000), ("a.jsonl", 8_000_000)):
        voice.uploading(UploadProgress(path, sent, 16_000_000))
    voice.say("✓ other: created")
    voice.waiting(30, "the server")
    shown = screen_of(out.getvalue())
    assert [line.split()[0] for line in shown] == ["✓", "a.jsonl", "b.jsonl", "waiting"]
    assert shown[1].endswith("8.0 of 16.0 MB")
    voice.sent("a.jsonl")
    voice.go_on()
    voice.sent("b.jsonl")
    assert screen_of(out.getvalue()) == ["✓ other: created"], "a clean screen when nothing moves"


def test_a_wait_counts_down_and_more_jobs_than_lines_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "8")
    clock, out = ManualClock(), _Terminal()
    voice = Live(clock, out)
    voice.waiting(30, "the settle window")
    clock.now += 12
    voice.jobs([replace(JOB, name=f"n{i}", job_id=f"j{i}") for i in range(9)])
    shown = screen_of(out.getvalue(), lines=8)
    assert shown[-2:] == ["… and 4 more", "waiting 18 s for the settle window"]
    voice.close()


def test_a_reason_to_wait_is_whole_on_as_many_lines_as_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "8")
    out = _Terminal()
    voice = Live(ManualClock(), out)
    voice.waiting(30, "the settle window: this state directory is new, and an earlier run may have just created jobs")
    voice.jobs([replace(JOB, name=f"n{i}", job_id=f"j{i}") for i in range(9)])
    assert screen_of(out.getvalue(), 60, 8)[-3:] == [
        "… and 5 more",
        "waiting 30 s for the settle window: this state directory is",
        "  new, and an earlier run may have just created jobs",
    ]
    voice.close()


@pytest.mark.parametrize("err", [False, True])
def test_what_is_printed_meanwhile_stands_on_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch, *, err: bool) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    clock, out = ManualClock(), _Terminal()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", out)
    voice = Live(clock, out)
    voice.jobs([JOB])
    voice.waiting(30, "api.example.com: HTTP 503")
    terminal.echo("fleet f at api.example.com", err=err)
    assert screen_of(out.getvalue()) == ["fleet f at api.example.com"]
    voice.waiting(30, "")
    assert len(screen_of(out.getvalue())) == 2, "and the lines move on below it"
    voice.close()
    assert screen_of(out.getvalue()) == ["fleet f at api.example.com"]


@pytest.mark.parametrize("columns", [80, 120])
def test_long_names_differ_at_their_ends_and_cut_nothing_off(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", "24")
    out = _Terminal()
    voice = Live(ManualClock(), out)
    voice.jobs(
        [replace(JOB, name=f"a-very-long-name-of-a-job-of-team-{i}", job_id=str(i), step=44 + i) for i in (1, 2)]
    )
    voice.waiting(10, "")
    for i, line in enumerate(screen_of(out.getvalue(), columns), start=1):
        assert line.split()[0].endswith(f"-{i}"), line
        assert f"step {44 + i} of 100, loss 0.42" in line
        assert line.split("loss 0.42")[1].split()[0] == "3m20s", line
        assert line.endswith("left"), line
    voice.close()


def test_a_countdown_that_is_over_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    clock, out = ManualClock(), _Terminal()
    voice = Live(clock, out)
    voice.jobs([JOB])
    voice.waiting(3, "api.example.com: HTTP 503")
    clock.now += 3
    voice.jobs([JOB])
    assert len(screen_of(out.getvalue())) == 1
    voice.close()


def test_no_command_imports_rich_before_a_terminal_needs_it() -> None:
    program = (
        "import sys, reconciler.cli.program, reconciler.cli.reconciling, reconciler.cli.inspecting, structlog; "
        "print(sorted(n for n in ('rich.console', 'rich.traceback', 'pygments') if n in sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_rich_is_there_once_it_is_allowed() -> None:
    postpone_rich()
    allow_rich()
    assert importlib.import_module("rich.console").Console
