"""The daemon on a clock that nobody waits for: when it passes, what it believes, what it says."""

import contextlib
import io
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.cli.running import DaemonSetup, run_daemons
from reconciler.cli.wiring import Credentials, Service
from reconciler.core.body import create_body
from reconciler.core.desired import Desired
from reconciler.core.gates import Permission
from reconciler.core.job import Checkpoint, Event, Job, Marks
from reconciler.engine.apply import Patience, Result, apply
from reconciler.engine.daemon import DaemonListener, Pace
from reconciler.engine.follow import in_turn
from reconciler.engine.reconcile import Reconciler
from reconciler.engine.steps import Pass
from reconciler.engine.wakeups import ThreadWakeups
from reconciler.errors import NotSent, OutcomeUnknown, ProviderError, RateLimited, Refused, StateReplaced, Unreadable
from reconciler.log import configure
from reconciler.provider.key import Key
from reconciler.provider.port import NONE_KNOWN
from reconciler.settings import Settings
from reconciler.source.directory import read_directory
from reconciler.source.reader import DirectoryReader
from reconciler.state.opening import open_journal
from reconciler.state.schema import Identity
from reconciler.state.yaml_form import from_yaml
from tests.fakes.clocks import SkippingClock
from tests.fakes.daemons import DaemonHarness
from tests.fakes.fleets import SILENT, FleetDirectory


@pytest.fixture
def fleet(tmp_path: Path) -> FleetDirectory:
    return FleetDirectory(tmp_path / "fleet")


@pytest.fixture
def world(fleet: FleetDirectory) -> DaemonHarness:
    return DaemonHarness(fleet)


@pytest.fixture
def settled(world: DaemonHarness) -> DaemonHarness:
    """Two jobs are live, and the daemon has stopped."""
    world.fleet.job("a")
    world.fleet.job("b", seed=2)
    world.live(100)
    assert len(world.provider.live()) == 2
    world.provider.calls.clear()
    return world


# ── when ─────────────────────────────────────────────────────────────────────────────────────


def test_a_save_is_acted_on_when_it_has_been_at_rest_for_the_stability_window(world: DaemonHarness) -> None:
    world.at(30, lambda: world.fleet.job("a"))
    world.live(40)
    (created,) = world.provider.times("create")
    assert created == pytest.approx(31, abs=0.01)


def test_a_file_that_keeps_changing_is_not_acted_on(world: DaemonHarness) -> None:
    for n in range(20):
        world.at(30 + n * 0.5, partial(world.fleet.job, "a", seed=n))
    world.live(60)
    (created,) = world.provider.times("create")
    assert created == pytest.approx(40.5, abs=0.01)


def test_a_change_without_an_event_is_acted_on_within_the_interval(world: DaemonHarness) -> None:
    world.at(70, lambda: world.fleet.job("a"))
    world.live(300, deaf=True)
    (created,) = world.provider.times("create")
    assert 70 < created < 70 + 60 + 2


def test_polling_does_without_events_and_without_waiting_for_the_interval(world: DaemonHarness) -> None:
    world.at(30, lambda: world.fleet.job("a"))
    world.live(50, deaf=True, pace=Pace(poll=2.0))
    (created,) = world.provider.times("create")
    assert 31 <= created <= 34


def test_a_day_without_changes_is_a_listing_and_a_look_at_what_is_live_a_minute_and_nothing_else(
    settled: DaemonHarness,
) -> None:
    before = settled.fleet.times()
    settled.live(24 * 3600)
    assert 1400 <= len(settled.provider.times("list")) <= 1480
    assert {operation for _, operation, _ in settled.provider.calls} == {"list", "retrieve", "events"}
    assert settled.fleet.times() == before


def test_the_interval_varies_by_a_tenth(world: DaemonHarness) -> None:
    world.live(1000)
    listed = world.provider.times("list")
    gaps = {round(b - a, 3) for a, b in pairwise(listed)}
    assert all(54 <= gap <= 66 for gap in gaps)


def test_a_replacement_is_finished_at_once(settled: DaemonHarness) -> None:
    settled.at(settled.clock.now + 5, lambda: settled.fleet.job("a", seed=9))
    settled.live(10)
    assert [o for _, o, _ in settled.provider.calls if o in {"create", "cancel"}] == ["create", "cancel"]


# ── faults are waited out ────────────────────────────────────────────────────────────────────


def test_a_failing_pass_is_tried_again_later_and_later_and_said_with_its_age(world: DaemonHarness) -> None:
    world.fleet.job("a")
    world.fail_next("list", *(Unreadable("not JSON") for _ in range(12)))
    world.live(2000)
    listed = world.provider.times("list")
    gaps = [b - a for a, b in pairwise(listed)][:11]
    assert gaps == pytest.approx([0.5 * min(300, 2**n) for n in range(11)], abs=0.01)
    said = [(line["error"], line.get("since"), line.get("times")) for line in world.lines("pass.failed")]
    assert said == [("not JSON", None, None), ("not JSON", 64, 8), ("not JSON", 406, 11)], "as one was due"
    (recovered,) = world.lines("pass.recovered")
    assert (recovered["since"], recovered["times"]) == (706, 12)
    assert len(world.provider.live()) == 1


def test_what_a_server_asks_to_wait_is_waited(world: DaemonHarness) -> None:
    world.fail_next("list", RateLimited("slow down", retry_after=400.0))
    world.live(600)
    first, second = world.provider.times("list")[:2]
    assert second - first == pytest.approx(400, abs=1)


def test_a_bug_in_a_pass_is_logged_with_its_trace_and_the_daemon_goes_on(world: DaemonHarness) -> None:
    world.fleet.job("a")
    world.fail_next("list", ZeroDivisionError("a bug"))
    world.live(100)
    (line,) = world.lines("pass.failed")
    assert line["kind"] == "ZeroDivisionError"
    assert "Traceback" in line["exception"]
    assert len(world.provider.live()) == 1


def test_a_save_during_a_back_off_is_tried_at_once(world: DaemonHarness) -> None:
    world.fail_next("list", *(NotSent("no connection") for _ in range(9)))
    world.at(100, lambda: world.fleet.job("a"))
    world.live(102)
    assert any(100 < at <= 101.1 for at in world.provider.times("list"))


def test_a_lost_answer_is_looked_for_after_the_settle_window(world: DaemonHarness) -> None:
    world.settle = 30.0
    world.fleet.job("a")
    world.live(40)
    world.fail_next("create", OutcomeUnknown("reset"))
    world.fleet.job("b", seed=1)
    world.live(80)
    assert [line["created"] for line in world.lines("create.resolved")] == [False]
    assert len(world.provider.live("b")) == 1


# ── what is believed ─────────────────────────────────────────────────────────────────────────


def test_a_removed_name_is_believed_after_ten_seconds(settled: DaemonHarness) -> None:
    start = settled.clock.now
    settled.at(start + 20, lambda: settled.fleet.remove("a"))
    settled.live(60)
    (cancelled,) = settled.provider.times("cancel")
    assert start + 30 <= cancelled < start + 31
    assert len(settled.provider.live("b")) == 1
    assert [line["gate"] for line in settled.lines("pass.blocked")] == ["removal_evidence"]


def test_a_name_that_comes_back_in_time_is_never_missed(settled: DaemonHarness) -> None:
    start = settled.clock.now
    settled.at(start + 20, lambda: settled.fleet.remove("a"))
    settled.at(start + 28, lambda: settled.fleet.job("a"))
    settled.live(200)
    assert settled.provider.times("cancel") == []


def _truncate(root: Path) -> None:
    for path in root.rglob("*.yaml"):
        path.write_bytes(b"")


def _empty(root: Path) -> None:
    for path in root.glob("*.yaml"):
        path.unlink()


def _move_away(root: Path) -> None:
    root.rename(root.with_name("away"))


def _unreadable(root: Path) -> None:
    path = root / "a.yaml"
    path.rename(root / "a.saved")
    path.mkdir()


def _dangling(root: Path) -> None:
    (root / "a.yaml").unlink()
    (root / "a.yaml").symlink_to("nowhere")


def _doubled(root: Path) -> None:
    shutil.copy(root / "a.yaml", root / "c.yaml")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "the directory is gone": shutil.rmtree,
    "the directory was moved away": _move_away,
    "the directory is empty": _empty,
    "every file is truncated": _truncate,
    "one file cannot be read": _unreadable,
    "one file is a dangling link": _dangling,
    "one syntax error": lambda root: (root / "a.yaml").write_text("kind: ["),
    "one file cut in the middle": lambda root: os.truncate(root / "a.yaml", 90),
    "no fleet document": lambda root: (root / "fleet.yaml").unlink(),
    "a broken fleet document": lambda root: (root / "fleet.yaml").write_text(
        "kind: Fleet\napiVersion: reconciler/v1\n"
    ),
    "a doubled name": _doubled,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_whatever_happens_to_the_files_nothing_is_cancelled_while_it_lasts_and_work_goes_on_after(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    fleet = FleetDirectory(tmp_path / "fleet")
    world = DaemonHarness(fleet, elsewhere=tmp_path / "state")
    fleet.job("a")
    fleet.job("b", seed=2)
    kept = tmp_path / "kept"

    def mend() -> None:
        shutil.rmtree(fleet.root, ignore_errors=True)
        shutil.copytree(kept, fleet.root)
        fleet.job("b", seed=3)

    world.at(100, lambda: shutil.copytree(fleet.root, kept))
    world.at(101, lambda: damage(fleet.root))
    world.at(1000, mend)
    world.live(900)
    assert world.provider.times("cancel") == []
    assert len(world.provider.times("create")) == 2
    assert world.lines("source.invalid") or damage is _dangling, "a link that leads nowhere is a gap, and no error"
    world.live(300)
    assert len(world.provider.times("create")) == 3
    assert len(world.provider.times("cancel")) == 1
    assert sorted(world.provider.live()) == ["j1", "j3"]


def test_a_broken_file_holds_its_name_and_the_others_go_on(settled: DaemonHarness) -> None:
    start = settled.clock.now
    settled.at(start + 10, lambda: (settled.fleet.root / "a.yaml").write_text("kind: ["))
    settled.at(start + 20, lambda: settled.fleet.job("c", seed=3))
    settled.at(start + 30, lambda: settled.fleet.remove("b"))
    settled.live(300)
    assert [settled.provider.live(name) for name in "abc"] == [["j1"], ["j2"], ["j3"]]
    assert "reason: SourceInvalid" in (settled.state / "status" / "a.yaml").read_text()
    assert [line.get("since") for line in settled.lines("source.invalid")] == [None, 81], "not once a pass"


def test_a_held_name_is_held_after_a_restart_too(settled: DaemonHarness) -> None:
    (settled.fleet.root / "a.yaml").write_text("kind: [")
    settled.live(100)
    assert "reason: SourceInvalid" in (settled.state / "status" / "a.yaml").read_text()
    assert settled.provider.times("cancel") == []


def test_a_branch_and_back_again_cancels_what_the_branch_lacks_only_after_it_lacked_it_long(
    settled: DaemonHarness,
) -> None:
    start = settled.clock.now
    for n in range(20):
        settled.at(start + 10 + n * 15, lambda: settled.fleet.remove("a"))
        settled.at(start + 15 + n * 15, lambda: settled.fleet.job("a"))
    settled.live(400)
    assert settled.provider.times("cancel") == []
    assert settled.provider.times("create") == []


def _applied(world: DaemonHarness, name: str) -> Desired:
    """What an apply on the same state directory remembers of a name that it has just read."""
    wanted = {name: read_directory(world.fleet.root).desired[name]}
    journal = open_journal(world.state, Identity(world.fleet.name, "http://memory/v1"), now=world.clock.time)
    with journal:
        journal.wanted.record(wanted, str(world.fleet.root.absolute()))
        journal.manifests.record(wanted, complete=False)
    return wanted[name]


def test_a_name_that_only_an_apply_here_has_seen_must_be_gone_for_as_long(settled: DaemonHarness) -> None:
    start = settled.clock.now

    def somebody_applies() -> None:
        settled.fleet.job("c", seed=3)
        wanted = _applied(settled, "c")
        marks = Marks(settled.fleet.name, "c", wanted.revision, 1)
        settled.provider.create_job(create_body(wanted, marks, model=None, training="file-1", validation=None))

    settled.at(start + 100, somebody_applies)
    settled.at(start + 200, lambda: settled.fleet.remove("c"))
    settled.live(700, deaf=True, pace=Pace(interval=300))
    (cancelled,) = settled.provider.times("cancel")
    assert start + 210 <= cancelled < start + 312


def _away(world: DaemonHarness) -> Path:
    """A place outside of the fleet directory: a file that only has another suffix still stands."""
    return world.fleet.root.with_name("a.away")


def test_a_name_that_an_apply_has_read_again_must_be_gone_for_as_long_from_then_on(settled: DaemonHarness) -> None:
    start = settled.clock.now

    def back() -> None:
        _away(settled).rename(settled.fleet.root / "a.yaml")
        _applied(settled, "a")

    def away() -> None:
        (settled.fleet.root / "a.yaml").rename(_away(settled))

    settled.at(start + 100, away)  # the daemon, which hears nothing, sees it at 120, and looks again at 130
    settled.at(start + 125, back)
    settled.at(start + 126, away)
    settled.live(700, deaf=True, pace=Pace(interval=300))
    (cancelled,) = settled.provider.times("cancel")
    assert start + 136 <= cancelled < start + 170


def test_a_name_that_came_back_under_a_pass_must_be_gone_for_as_long_from_then_on(settled: DaemonHarness) -> None:
    start = settled.clock.now
    file, aside = settled.fleet.root / "a.yaml", _away(settled)
    listing = settled.provider.list_jobs

    def back_while_it_lists(known: Mapping[str, Job] = NONE_KNOWN) -> tuple[Job, ...]:
        if settled.clock.now >= start + 105 and not came_back:
            came_back.append(settled.clock.now)
            aside.rename(file)
            settled.at(settled.clock.now + 0.5, lambda: file.rename(aside))
        return listing(known)

    came_back: list[float] = []
    settled.provider.list_jobs = back_while_it_lists  # type: ignore[method-assign]
    settled.at(start + 100, lambda: file.rename(aside))
    settled.at(start + 105, lambda: settled.fleet.job("c", seed=3))
    settled.live(700, pace=Pace(interval=300))
    (cancelled,) = settled.provider.times("cancel")
    assert came_back[0] + 10.5 <= cancelled < came_back[0] + 45


def test_a_volume_swap_is_one_change(tmp_path: Path) -> None:
    fleet = FleetDirectory(tmp_path / "fleet")
    first, second, root = tmp_path / "fleet", tmp_path / "second", tmp_path / "mounted"
    fleet.job("a")
    shutil.copytree(first, second)
    second_fleet = FleetDirectory.__new__(FleetDirectory)
    second_fleet.root, second_fleet.name = second, fleet.name
    second_fleet.job("a", seed=5)
    root.mkdir()
    shutil.move(first, root / "..1")
    shutil.move(second, root / "..2")
    (root / "..data").symlink_to("..1")
    for name in ("fleet.yaml", "a.yaml", "data"):
        (root / name).symlink_to(f"..data/{name}")
    fleet.root = root
    world = DaemonHarness(fleet)

    def swap() -> None:
        (root / "..new").symlink_to("..2")
        (root / "..new").rename(root / "..data")

    world.at(50, swap)
    world.live(100)
    assert [o for _, o, _ in world.provider.calls if o in {"create", "cancel"}] == ["create", "create", "cancel"]


def test_a_retargeted_root_is_followed(tmp_path: Path) -> None:
    fleet = FleetDirectory(tmp_path / "one")
    fleet.job("a")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    link = tmp_path / "current"
    link.symlink_to("one")
    fleet.root = tmp_path / "two"
    fleet.job("b", seed=1)
    fleet.root = link
    world = DaemonHarness(fleet, elsewhere=tmp_path / "state")

    def retarget() -> None:
        link.unlink()
        link.symlink_to("two")

    world.at(50, retarget)
    world.live(200, deaf=True)
    assert world.provider.live() == ["j1", "j2"]


def test_a_state_directory_that_was_swapped_is_noticed_before_the_next_write(settled: DaemonHarness) -> None:
    start = settled.clock.now

    def swap() -> None:
        settled.state.rename(settled.state.with_name(".old"))
        shutil.copytree(settled.state.with_name(".old"), settled.state)

    settled.at(start + 10, swap)
    settled.at(start + 20, lambda: settled.fleet.job("c", seed=3))
    with pytest.raises(StateReplaced, match="was replaced"):
        settled.live(100)
    assert settled.provider.times("create") == []
    settled.live(100)
    assert len(settled.provider.live("c")) == 1


def test_another_fleet_name_ends_the_daemon_so_that_its_memory_is_opened_anew(settled: DaemonHarness) -> None:
    start = settled.clock.now

    def rename() -> None:
        settled.fleet.name = "another"
        settled.fleet.fleet()

    settled.at(start + 10, rename)
    settled.live(100)
    assert settled.clock.now < start + 12
    assert [o for _, o, _ in settled.provider.calls if o in {"create", "cancel"}] == []


class Scripted(ThreadWakeups):
    """Every wait is over at once; what happens in it is told beforehand, and after the last the daemon stops."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        super().__init__()
        self._steps = [*steps, self.stop]

    def wait(self, seconds: float) -> None:
        self._steps.pop(0)()


def _run_scripted(fleet: FleetDirectory, settings: Settings, *steps: Callable[[], object]) -> list[dict[str, Any]]:
    """What daemons log one after the other, each step of a script being a wait."""
    logged, clock = io.StringIO(), SkippingClock()

    class Ticking(Scripted):
        def wait(self, seconds: float) -> None:
            clock.sleep(seconds)
            super().wait(seconds)

    wakeups = Ticking(*steps)
    service = Service(clock, lambda: wakeups.stopping, in_turn, lambda _: None, Credentials(Key(str)))
    run_daemons(
        DaemonSetup(
            settings,
            pace=Pace(stability=0),
            first_run=False,
            wakeups=wakeups,
            reader=DirectoryReader(fleet.root),
            listener=DaemonListener(),
            service=service,
            log=configure(form="json", secrets=[], stream=logged),
            place="here/fleet",
        )
    )
    return [json.loads(line) for line in logged.getvalue().splitlines()]


@pytest.mark.parametrize("swapped", [False, True], ids=["another document", "another state directory"])
def test_a_trouble_that_comes_back_is_told_again(fleet: FleetDirectory, *, swapped: bool) -> None:
    settings = Settings(fleet.root, base_url="http://127.0.0.1:9/v1", state_dir=fleet.root / ".state")
    spoil = partial(fleet.fleet, expect={"host": "elsewhere.invalid"})

    def swap() -> None:
        shutil.rmtree(settings.state_directory)
        fleet.job("a")

    steps: tuple[Callable[[], object], ...] = (
        spoil,
        lambda: None,
        fleet.fleet,
        *([swap] if swapped else []),
        spoil,
        lambda: None,
    )
    settings.state_directory.mkdir()
    events = [line["event"] for line in _run_scripted(fleet, settings, *steps)]
    assert events == ["daemon.not_started", *(["state.replaced"] if swapped else []), "daemon.not_started"]


def test_a_daemon_that_cannot_start_again_says_so_again_with_its_age(fleet: FleetDirectory) -> None:
    settings = Settings(fleet.root, base_url="http://127.0.0.1:9/v1", state_dir=fleet.root / ".state")
    settings.state_directory.mkdir()
    spoil = partial(fleet.fleet, expect={"host": "elsewhere.invalid"})
    lines = _run_scripted(fleet, settings, spoil, *[lambda: None] * 80)
    # The machine's own time is in it, too.
    assert [(line["event"], line.get("since", 0) // 10 * 10, line.get("times")) for line in lines] == [
        ("daemon.not_started", 0, None),
        ("daemon.not_started", 60, 13),
        ("daemon.not_started", 300, 61),
    ]


def test_a_daemon_without_a_fleet_says_at_once_that_it_waits_and_says_it_again(fleet: FleetDirectory) -> None:
    (fleet.root / "fleet.yaml").unlink()
    lines = _run_scripted(fleet, Settings(fleet.root), *[lambda: None] * 20)
    assert [(line["event"], line.get("since", 0) // 10 * 10) for line in lines] == [
        ("source.invalid", 0),
        ("daemon.waiting", 0),
        ("source.invalid", 60),
        ("daemon.waiting", 0),
    ]


def test_what_is_wrong_is_named_as_other_commands_name_it(world: DaemonHarness) -> None:
    root = world.fleet.root
    (root / "a.yaml").write_text("kind: Nonsense\n")
    (root / "b.yaml").write_text("apiVersion: v1\nkind: ConfigMap\n")
    world.named = lambda problem: f"here/{problem}"
    world.live(5)
    assert {line["problem"].partition(": ")[0] for line in world.lines("source.invalid")} == {"here/a.yaml:1:1"}
    assert {line["document"].partition(": ")[0] for line in world.lines("source.left_out")} == {"here/b.yaml:1:1"}
    (root / "fleet.yaml").unlink()
    lines = _run_scripted(world.fleet, Settings(root), lambda: None)
    named = {line["problem"].partition(": ")[0] for line in lines if "problem" in line}
    assert named == {"here/fleet", "here/fleet/a.yaml:1:1"}


def test_limits_apply_from_the_next_pass_on(settled: DaemonHarness) -> None:
    settled.at(settled.clock.now + 5, lambda: settled.fleet.fleet(state="cancelled"))
    settled.live(60)
    assert settled.provider.live() == []


def test_a_stop_between_two_writes_leaves_the_second(world: DaemonHarness) -> None:
    world.fleet.job("a")
    world.fleet.job("b", seed=2)
    stopped: list[bool] = []
    make = world.provider.create_job

    def make_and_stop(body: object) -> object:
        stopped.append(True)
        world.clock.now += 1000
        return make(body)  # type: ignore[arg-type]

    world.provider.create_job = make_and_stop  # type: ignore[method-assign, assignment]
    world.live(100)
    assert len(stopped) == 1
    assert world.provider.live() == ["j1"]
    world.live(2000)
    assert len(world.provider.live()) == 2


# ── following ────────────────────────────────────────────────────────────────────────────────


def test_every_event_is_logged_once_also_across_restarts(settled: DaemonHarness) -> None:
    start, settled.verbose = settled.clock.now, True
    settled.provider.tell("j1", "created", "queued")
    settled.at(start + 100, lambda: settled.provider.tell("j1", "running"))
    settled.live(200)
    settled.provider.tell("j1", "step", step=3, total_steps=9, train_loss=0.5)
    settled.live(200)
    status = (settled.state / "status" / "a.yaml").read_text()
    assert "step: 3" in status
    assert "train_loss: 0.5" in status
    settled.provider.tell("j1", "done")
    settled.provider.end("j1", "succeeded")
    settled.live(200)
    told = settled.lines("job.event")
    assert [line["message"] for line in told] == ["created", "queued", "running", "step", "done"]
    assert {"fleet", "job", "job_id"} - told[0].keys() == {"fleet"}, "the fleet is bound where the log is made"
    (done,) = settled.lines("job.succeeded")
    assert done["fine_tuned_model"] == "ft:j1"
    assert "progress: null" in (settled.state / "status" / "a.yaml").read_text()
    calls = len(settled.provider.times("events"))
    settled.live(200)
    assert {job for _, operation, job in settled.provider.calls[-6:] if operation == "events"} <= {"j2"}
    assert len(settled.provider.times("events")) > calls


def test_a_long_story_is_read_to_its_beginning_once(settled: DaemonHarness) -> None:
    settled.provider.tell("j1", *(f"n{n}" for n in range(450)))
    settled.live(70)
    settled.provider.tell("j1", *(f"m{n}" for n in range(150)))
    settled.live(70)
    told = [line["message"] for line in settled.lines("job.event")]
    assert told == [*(f"n{n}" for n in range(450)), *(f"m{n}" for n in range(150))]


def test_a_job_whose_events_cannot_be_read_is_left_out_of_more_and_more_passes_and_loses_none(
    settled: DaemonHarness,
) -> None:
    settled.provider.tell("j1", "hello")
    settled.fail_next("events", *(Unreadable("no") for _ in range(8)))
    settled.live(3000)
    assert [line["message"] for line in settled.lines("job.event")] == ["hello"]
    told = settled.lines("events.unavailable")
    assert len([line for line in told if "since" not in line]) == 2, "at once for each job"


def test_the_last_events_of_a_job_are_read_although_its_end_came_first(settled: DaemonHarness) -> None:
    settled.live(100)
    settled.provider.tell("j1", "the end")
    settled.provider.end("j1", "failed")
    settled.fail_next("events", Unreadable("no"))
    settled.live(300)
    assert [line["message"] for line in settled.lines("job.event")] == ["the end"]
    assert len(settled.lines("job.failed")) == 1


@pytest.mark.parametrize(
    ("kind", "level", "metrics", "logged"),
    [
        ("message", "info", {}, "info"),
        ("message", "warn", {}, "warning"),
        ("message", "WARNING", {}, "warning"),
        ("message", "error", {}, "error"),
        ("message", "a word of its own", {}, "info"),
        ("message", "info", {"examples": 8.0}, "info"),
        ("message", "info", {"step": 3.0}, "debug"),
        ("metrics", "info", {}, "debug"),
        ("metrics", "info", {"step": 3.0}, "debug"),
        ("metrics", "warn", {"step": 3.0}, "warning"),
        ("metrics", "error", {"step": 3.0}, "error"),
    ],
)
def test_an_event_is_as_loud_as_the_provider_says_and_a_step_of_training_is_for_who_debugs(
    settled: DaemonHarness, kind: str, level: str, metrics: Mapping[str, float], logged: str
) -> None:
    settled.provider.events["j1"] = [Event("e1", 0, level, kind, "hello", metrics)]
    settled.verbose = True
    settled.live(10)
    (line,) = settled.lines("job.event")
    assert line["level"] == logged


def test_events_that_cannot_be_read_are_said_again_unless_the_server_has_none(settled: DaemonHarness) -> None:
    def events(job_id: str, *, limit: int | None = None) -> tuple[Event, ...]:
        raise Unreadable("no") if job_id == "j1" else Refused("no such path", status=404)

    settled.provider.list_events = events  # type: ignore[method-assign]
    settled.live(8000)
    said = [(line["job_id"], line.get("since", 0) // 60) for line in settled.lines("events.unavailable")]
    assert said == [("j1", 0), ("j2", 0), ("j1", 2), ("j1", 5), ("j1", 69)], "when it was tried"


def test_a_server_without_events_is_named_once_and_asked_for_one_job_now_and_then(settled: DaemonHarness) -> None:
    asked: list[str] = []
    whole = settled.provider.list_events

    def events(job_id: str, *, limit: int | None = None) -> tuple[Event, ...]:
        asked.append(job_id)
        raise Refused("HTTP 404: no such route", status=404)

    settled.provider.list_events = events  # type: ignore[method-assign]
    settled.live(3000)
    (said,) = settled.lines("events.unavailable")
    assert "job_id" not in said
    assert (asked[:2], set(asked[2:])) == (["j1", "j2"], {"j1"})
    assert len(asked) <= 10, "in fifty passes"
    settled.live(600)
    assert len(settled.lines("events.unavailable")) == 1, "nor by the next daemon"
    settled.provider.list_events = whole  # type: ignore[method-assign]
    settled.provider.tell("j2", "hello")
    settled.live(3000)
    assert [line["message"] for line in settled.lines("job.event")] == ["hello"]


def test_a_server_without_checkpoints_is_named_once(settled: DaemonHarness) -> None:
    asked: list[str] = []

    def checkpoints(job_id: str) -> tuple[Checkpoint, ...]:
        asked.append(job_id)
        raise Refused("HTTP 404: no such route", status=404)

    settled.provider.list_checkpoints = checkpoints  # type: ignore[method-assign]
    for job_id in ("j1", "j2"):
        settled.provider.end(job_id, "failed")
        settled.live(70)
    assert len(settled.lines("checkpoints.unavailable")) == 1
    assert asked


def test_a_gate_that_goes_on_refusing_is_said_again_and_so_is_the_end_of_it(settled: DaemonHarness) -> None:
    start = settled.clock.now
    settled.at(start + 10, lambda: (settled.fleet.root / "a.yaml").write_text("kind: ["))
    settled.at(start + 20, lambda: settled.fleet.remove("b"))
    settled.at(start + 1000, lambda: settled.fleet.job("a"))
    settled.live(1200)
    blocked = settled.lines("pass.blocked")
    assert {line["gate"] for line in blocked} == {"removal_evidence"}
    assert [line.get("since", 0) // 60 for line in blocked] == [0, 1, 5, 16]
    assert blocked[-2]["why"] == blocked[0]["why"] != blocked[-1]["why"], "at once where it is for another reason"
    (over,) = settled.lines("pass.unblocked")
    assert (over["gate"], over["since"] // 60) == ("removal_evidence", 16)


# ── beside CI ────────────────────────────────────────────────────────────────────────────────


def ci_applies(world: DaemonHarness, directory: FleetDirectory) -> Result:
    """`reconciler apply --yes` of another checkout, with a state directory of its own, at the same provider."""
    journal = open_journal(
        directory.root / ".reconciler", Identity(directory.name, "http://memory/v1"), now=world.clock.time
    )
    with journal:
        ports = replace(world.ports(journal, directory.root), follower=None, stopping=lambda: False)
        run = Reconciler(ports, settle=0.0)
        return apply(run, read_directory(directory.root), Permission(first_run=True), Patience(), SILENT)


def test_a_daemon_a_commit_behind_undoes_nothing_trains_nothing_twice_and_agrees_when_it_has_caught_up(
    settled: DaemonHarness, tmp_path: Path
) -> None:
    newer = FleetDirectory(tmp_path / "ci")
    newer.job("a", seed=77)
    newer.job("b", seed=2)
    newer.job("c", seed=3)
    start = settled.clock.now
    settled.at(start + 100, lambda: ci_applies(settled, newer))
    settled.live(2000)
    made = [j.marks.name for j in settled.provider.jobs.values() if j.marks]
    assert made == ["a", "b", "a", "c"], "CI made two, the daemon none"
    assert [settled.provider.live(name) for name in "abc"] == [["j3"], ["j2"], ["j4"]]
    assert "reason: Ahead" in (settled.state / "status" / "a.yaml").read_text()
    writes = len(settled.provider.times("create")) + len(settled.provider.times("cancel"))
    settled.fleet.job("a", seed=77)
    settled.fleet.job("c", seed=3)
    settled.live(500)
    assert len(settled.provider.times("create")) + len(settled.provider.times("cancel")) == writes
    assert "reason: InProgress" in (settled.state / "status" / "a.yaml").read_text()
    assert ci_applies(settled, newer).outcomes == ()


# ── a long life ──────────────────────────────────────────────────────────────────────────────


def test_a_refused_create_is_tried_again_after_1_2_4_minutes(world: DaemonHarness) -> None:
    """Found by a reader: what was refused in this run was never tried again by a run that does not end."""
    world.fleet.job("a")
    world.fail_next("create", *(RateLimited("no money", code="insufficient_quota") for _ in range(3)))
    world.live(1000)
    asked = world.provider.times("create")
    assert [round(b - a) for a, b in pairwise(asked)] == [60, 120, 240]
    assert len(world.provider.live()) == 1


def test_a_refused_create_waits_as_long_as_the_server_asks(world: DaemonHarness) -> None:
    world.fleet.job("a")
    world.fail_next("create", RateLimited("tomorrow", code="daily_rate_limit_exceeded", retry_after=600.0))
    world.live(1000)
    first, second = world.provider.times("create")
    assert 600 <= second - first < 670


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "slow_down", ""])
def test_a_create_that_is_told_to_wait_goes_on_after_what_the_server_asked_for(world: DaemonHarness, code: str) -> None:
    """Found in the field: one server's `Retry-After: 1` held a whole fleet for 1, 2, 4 … minutes."""
    world.fleet.job("a")
    world.fleet.job("b", seed=2)
    world.fail_next("create", *(RateLimited("slow down", code=code, retry_after=3.0) for _ in range(40)))
    world.live(200)
    asked = world.provider.times("create")
    assert [round(b - a) for a, b in pairwise(asked)] == [3] * 40 + [0]
    assert len(world.provider.live()) == 2


def test_where_the_server_does_not_say_how_long_to_wait_it_is_1_2_4_to_60_seconds(world: DaemonHarness) -> None:
    world.fleet.job("a")
    world.fail_next("create", *(RateLimited("slow down", retry_after=wait) for wait in [None, 0.0] * 4))
    world.live(1000)
    asked = world.provider.times("create")
    assert [round(b - a) for a, b in pairwise(asked)] == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize(("asked", "waited"), [(0.2, 1), (600.0, 600), (1e9, 3600)])
def test_a_server_is_asked_neither_at_once_nor_after_days(world: DaemonHarness, asked: float, waited: int) -> None:
    world.fleet.job("a")
    world.fail_next("create", RateLimited("slow down", retry_after=asked))
    world.live(4000)
    first, second = world.provider.times("create")
    assert round(second - first) == waited


def test_a_create_that_is_put_off_says_so_in_its_status_and_is_not_blocked(world: DaemonHarness) -> None:
    world.fleet.job("a")
    world.fail_next("create", RateLimited("HTTP 429: slow down", retry_after=600.0))
    world.live(30)
    status = (world.state / "status" / "a.yaml").read_text()
    assert "the provider asks to wait 600 s (HTTP 429: slow down)" in status
    assert "Blocked" not in status


def test_a_file_that_is_not_ready_yet_is_waited_for_for_two_minutes(world: DaemonHarness) -> None:
    world.fleet.job("a")
    world.fleet.job("b", seed=2)
    not_ready = [Refused("the file is not ready, try again", status=400) for _ in range(100)]
    world.at(2, lambda: world.fail_next("create", *not_ready))
    world.fail_next("create", not_ready[0])
    world.live(150)
    mine = [at for at in world.provider.times("create")[2:] if at <= 130]
    assert [round(b - a) for a, b in pairwise(mine)] == [2, 4, 8, 16, 32, 57], "the last one after two minutes"
    assert [line["http_status"] for line in world.lines("create.refused")] == [400]
    assert world.provider.live("b"), "one file delays nobody else"


def test_a_file_that_becomes_ready_is_trained(world: DaemonHarness) -> None:
    world.fleet.job("a")
    world.fail_next("create", *(Refused("file-1 is pending", status=400) for _ in range(3)))
    world.live(20)
    assert world.provider.live("a")
    assert not world.lines("create.refused")
    world.provider.end("j1", "failed")
    world.fleet.job("a", seed=9)
    world.fail_next("create", Refused("file-1 is pending", status=400))
    world.live(20)
    assert world.provider.live("a"), "another create has patience of its own"


def known(world: DaemonHarness) -> int:
    """A server that has shown our marks: a lost create may be sent again there. How many creates that took."""
    world.fleet.job("z", seed=99)
    world.live(30)
    world.settle = 10.0
    return len(world.provider.times("create"))


def broken(text: str = "the licence has run out", status: int = 500) -> OutcomeUnknown:
    return OutcomeUnknown(f"POST /fine_tuning/jobs: HTTP {status}: {text}", status=status)


def test_a_server_that_answers_every_create_with_the_same_5xx_is_tried_1_2_4_minutes_later(
    world: DaemonHarness,
) -> None:
    """A licence gate: it was asked for each job again after each settle window, without an end."""
    before = known(world)
    for number, name in enumerate(("a", "b", "c", "d")):
        world.fleet.job(name, seed=number)
    world.fail_next("create", *(broken(f"no licence (request {n}-ab)") for n in range(7)))
    world.live(2000)
    asked = world.provider.times("create")[before:]
    assert max(asked[:4]) - min(asked[:4]) < 1, "all of them at first"
    assert [round(b - a) for a, b in pairwise(asked[3:9])] == [70, 130, 250, 490, 0], (
        "a settle window, and 1, 2, 4 minutes"
    )
    assert sorted(job.marks.name for job in world.provider.jobs.values() if job.marks) == [*"abcdz"]
    assert {line["job"] for line in world.lines("create.unresolved")} == {"a", "b", "c", "d"}


def test_a_5xx_now_and_then_is_no_refusal(world: DaemonHarness) -> None:
    before = known(world)
    world.fleet.job("a")
    errors = (broken(), broken(status=502), broken(), Refused("HTTP 400: bad", status=400), broken(), broken())
    world.fail_next("create", *errors)
    world.live(300)
    asked = world.provider.times("create")[before:]
    assert [round(b - a) for a, b in pairwise(asked)] == [10, 10, 10, 60, 10, 10], "as a lost answer, and as a 400"


def test_a_lost_try_slows_the_next_one_down_too(world: DaemonHarness) -> None:
    before = known(world)
    world.fleet.job("a")
    refused = Refused("POST /fine_tuning/jobs: HTTP 403: no", status=403)
    world.fail_next("create", refused, OutcomeUnknown("timed out"), OutcomeUnknown("timed out"))
    world.live(1000)
    assert [round(b - a) for a, b in pairwise(world.provider.times("create")[before:])] == [60, 130, 250]


def test_a_job_that_came_of_a_5xx_shows_that_the_provider_takes_jobs(world: DaemonHarness) -> None:
    known(world)
    for name in ("a", "b", "c"):
        world.fleet.job(name, seed=ord(name))
    made = world.provider.create_job
    bodies: list[Mapping[str, object]] = []

    def create(body: Mapping[str, object]) -> Job:
        bodies.append(body)
        if len(bodies) == 4:  # the careful try: made, and answered with the error all the same
            made(body)
        if len(bodies) <= 4:
            raise broken()
        return made(body)

    world.provider.create_job = create  # type: ignore[method-assign] # a server that lies
    world.live(300)
    assert len(world.provider.live()) == 4
    assert len(bodies) == 6, "one of them was not sent again"


def reported(path: Path) -> dict[str, Any]:
    """What a status file says."""
    document: Any = from_yaml(path.read_bytes())
    status: dict[str, Any] = document["status"]
    return status


def test_that_the_provider_takes_no_jobs_stands_once_in_the_fleets_own_file(world: DaemonHarness) -> None:
    names = ["a", "b", "c"]
    for name in names:
        world.fleet.job(name, seed=ord(name))
    world.fail_next("create", *(Refused("HTTP 403: no licence", status=403) for _ in range(2)))
    told = world.state / "fleet.yaml"
    world.live(30)
    first = reported(told)
    (condition,) = first["conditions"]
    assert (condition["type"], condition["reason"]) == ("Blocked", "CreateRefused")
    assert condition["message"] == "the provider takes no new jobs: HTTP 403: no licence (last refused: a)"
    assert first["waiting"] == names
    written = told.stat().st_mtime_ns
    world.live(20)
    assert told.stat().st_mtime_ns == written, "nothing has changed"
    world.live(60)
    second = reported(told)
    assert second["conditions"][0]["last_transition_time"] == condition["last_transition_time"]
    assert (second["last_refused"], second["next_try"] > first["next_try"] + 60) == ("b", True)
    own = [reported(world.state / "status" / f"{n}.yaml")["last_refusal"] for n in names]
    assert [one and (one["message"], one["reason"]) for one in own] == [
        ("HTTP 403: no licence", "CreateRefused")
    ] * 2 + [None]
    assert {one["next_try"] for one in own if one} == {second["next_try"]}
    world.live(300)
    assert not told.exists()
    assert len(world.provider.live()) == 3
    assert len(world.lines("fleet.unblocked")) == 1


def test_one_jobs_refusal_is_not_shown_as_anothers(world: DaemonHarness) -> None:
    world.fleet.job("a")
    world.fleet.job("b", seed=2)
    world.fail_next("create", Refused("HTTP 403: no access to model x", status=403))
    world.live(30)
    said = {"a": ": HTTP 403: no access to model x", "b": " at the moment (last refused: a)"}
    for name, words in said.items():
        status = (world.state / "status" / f"{name}.yaml").read_text()
        assert f"the provider takes no new jobs{words}" in " ".join(status.split())
        assert ("HTTP 403" in status) == (name == "a")


@pytest.mark.parametrize(
    ("error", "reason", "whose"),
    [
        (Refused("HTTP 403: no money", status=403), "CreateRefused", "fleet"),
        (Refused("HTTP 400: bad", status=400), "CreateRejected", "job"),
    ],
)
def test_a_daemon_that_starts_says_what_stands_in_trouble_and_says_it_again(
    world: DaemonHarness, error: Refused, reason: str, whose: str
) -> None:
    world.fleet.job("a")
    world.fail_next("create", error, error, error, error, error)
    world.live(20)
    assert len(world.lines("create.refused")) == 1
    assert world.lines(f"{whose}.blocked") == [], "the write has said it"
    world.live(20)
    (line,) = world.lines(f"{whose}.blocked")
    assert (line["reason"], "HTTP 40" in line["why"], "since" in line) == (reason, True, False)
    assert (line.get("job"), line.get("waiting")) == (("a", None) if whose == "job" else (None, 1))
    world.live(400)
    assert [line.get("since", 0) // 60 for line in world.lines(f"{whose}.blocked")[1:]] == [0, 1, 5], "and it lasts"
    assert world.lines(f"{whose}.unblocked") == []
    world.provider.trouble.clear()
    world.live(4000)
    assert world.provider.live("a")
    assert len(world.lines(f"{whose}.unblocked")) == 1


def test_what_holds_many_names_for_one_reason_is_one_trouble(world: DaemonHarness) -> None:
    for n in range(5):
        world.fleet.job(f"n{n}", seed=n)
    world.fail_next("create", Refused("HTTP 403: no money", status=403))
    world.live(20)
    world.logged = io.StringIO()
    world.live(20)
    assert world.lines("job.blocked") == []
    assert [line["waiting"] for line in world.lines("fleet.blocked")] == [5]


@pytest.mark.parametrize(
    ("error", "pauses"),
    [
        (OutcomeUnknown("reset"), [2, 4, 8, 16, 32, 60, 60]),
        (NotSent("no connection"), [2, 4, 8, 16, 32, 60, 60]),
        (OutcomeUnknown("lock", status=409), [2, 4, 8, 16, 32, 60, 60]),
        (OutcomeUnknown("slow", status=408), [2, 4, 8, 16, 32, 60, 60]),
        (OutcomeUnknown("down", status=503), [2, 4, 8, 16, 32, 60, 60]),
        (RateLimited("slow down"), [2, 4, 8, 16, 32, 60, 60]),
        (RateLimited("slow down", retry_after=20.0), [20, 20, 20, 20, 32, 60, 60]),
        (OutcomeUnknown("down", status=503, retry_after=20.0), [20, 20, 20, 20, 32, 60, 60]),
        (Refused("no", status=400), [60, 120, 240, 480, 960, 1920, 3600]),
        (Refused("no", status=403), [60, 120, 240, 480, 960, 1920, 3600]),
        (Refused("no", status=404), [60, 120, 240, 480, 960, 1920, 3600]),
        (OutcomeUnknown("no such method", status=405), [60, 120, 240, 480, 960, 1920, 3600]),
        (OutcomeUnknown("moved", status=307), [60, 120, 240, 480, 960, 1920, 3600]),
    ],
    ids=["lost", "not sent", "409", "408", "503", "429", "429 says", "503 says", "400", "403", "404", "405", "307"],
)
def test_a_cancel_that_does_not_take_is_tried_again_in_seconds_and_a_refused_one_in_minutes(
    settled: DaemonHarness, error: ProviderError, pauses: list[int]
) -> None:
    """Found in the field: a job that nobody wanted cost money for minutes because one answer was a 409."""
    start = settled.clock.now
    settled.fail_next("cancel", *[error] * 7)
    settled.at(start + 10, lambda: settled.fleet.remove("a"))
    settled.live(40 + sum(pauses) * 1.1)
    asked = settled.provider.times("cancel")
    assert [abs(b - a - pause) <= 2 for (a, b), pause in zip(pairwise(asked), pauses, strict=True)] == [True] * 7
    assert settled.provider.live("a") == []


def test_a_cancel_that_was_accepted_and_does_not_take_is_tried_again_in_seconds(settled: DaemonHarness) -> None:
    end, left = settled.provider.end, [3]

    def ignore(job_id: str, status: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            end(job_id, status)

    settled.provider.end = ignore  # type: ignore[method-assign]
    settled.fleet.remove("a")
    settled.live(60)
    assert [round(b - a) for a, b in pairwise(settled.provider.times("cancel"))] == [2, 4, 8]
    assert settled.provider.live("a") == []


def test_a_cancel_that_is_under_way_is_not_sent_every_other_second(settled: DaemonHarness) -> None:
    end = settled.provider.end
    settled.provider.end = lambda job_id, status: end(job_id, "cancelling")  # type: ignore[method-assign]
    start = settled.clock.now
    settled.fleet.remove("a")
    settled.at(start + 50, lambda: end("j1", "cancelled"))
    settled.live(100)
    assert len(settled.provider.times("cancel")) == 1


def test_a_job_that_outlives_its_cancel_is_told_when_it_succeeds(settled: DaemonHarness) -> None:
    start = settled.clock.now
    settled.fail_next("cancel", Refused("not now", status=400))
    settled.at(start + 10, lambda: settled.fleet.job("a", policy={"state": "cancelled"}))
    settled.at(start + 40, lambda: settled.provider.end("j1", "succeeded"))
    settled.live(300)
    (line,) = settled.lines("job.succeeded")
    assert line["job_id"] == "j1"


class Killed(BaseException):
    """The process is no more."""


class Deadly(io.StringIO):
    """A log; the process is killed when it comes to write the first line of an event."""

    def __init__(self, event: str) -> None:
        super().__init__()
        self._event: str | None = event

    def write(self, text: str) -> int:
        if self._event is not None and f'"event": "{self._event}"' in text:
            self._event = None
            raise Killed
        return super().write(text)


@pytest.mark.parametrize(
    ("status", "event"), [("succeeded", "job.succeeded"), ("failed", "job.failed"), ("cancelled", "job.ended")]
)
def test_an_end_is_told_although_the_process_is_killed_before_it_can_tell_it(
    settled: DaemonHarness, status: str, event: str
) -> None:
    """Found by a reader: it was recorded first, so a kill between the two lost it for ever."""
    settled.provider.end("j1", status)
    settled.logged = Deadly(event)
    with pytest.raises(Killed):
        settled.live(10)
    settled.live(300)
    assert [line["job_id"] for line in settled.lines(event)] == ["j1"]


def test_our_own_cancel_is_told_although_the_process_is_killed_before_it_can_tell_it(settled: DaemonHarness) -> None:
    settled.fleet.remove("a")
    settled.logged = Deadly("job.cancelled")
    with pytest.raises(Killed):
        settled.live(30)
    settled.live(300)
    assert [(line["job_id"], line["reason"]) for line in settled.lines("job.cancelled")] == [("j1", "Removed")]


def test_our_own_cancel_is_told_when_it_takes_later(settled: DaemonHarness) -> None:
    cancel = settled.provider.cancel_job

    def unread(job_id: str) -> None:
        cancel(job_id)
        settled.fail_next("retrieve", Unreadable("not now"))

    settled.provider.cancel_job = unread  # type: ignore[method-assign]
    settled.fleet.remove("a")
    settled.live(300)
    assert [(line["job_id"], line["reason"]) for line in settled.lines("job.cancelled")] == [("j1", "Removed")]
    assert not settled.lines("job.ended")


def test_a_created_job_is_told_although_the_process_is_killed_before_it_can_tell_it(world: DaemonHarness) -> None:
    world.fleet.job("a")
    world.logged = Deadly("job.created")
    with pytest.raises(Killed):
        world.live(30)
    world.live(300)
    assert [line["job_id"] for line in world.lines("create.resolved")] == ["j1"]
    assert len(world.provider.jobs) == 1


def test_a_job_that_ends_at_once_is_told_too(world: DaemonHarness) -> None:
    world.fleet.job("a")
    world.fleet.job("b", seed=2)
    create = world.provider.create_job

    def broken(body: Mapping[str, object]) -> Job:
        job = create(body)
        world.provider.end(job.id, "failed")
        return world.provider.jobs[job.id]

    world.provider.create_job = broken  # type: ignore[method-assign]
    world.live(100)
    assert {line["job_id"] for line in world.lines("job.failed")} == {"j1", "j2"}


@pytest.mark.parametrize("marked", [True, False], ids=["with marks", "known by its seed"])
def test_a_lost_create_whose_job_has_ended_meanwhile_is_told(settled: DaemonHarness, *, marked: bool) -> None:
    create = settled.provider.create_job

    def lost(body: Mapping[str, object]) -> Job:
        job = create(body)
        settled.provider.end(job.id, "succeeded")
        if not marked:
            ended = settled.provider.jobs[job.id]
            settled.provider.jobs[job.id] = replace(ended, marks=None, seed=int(str(body["seed"])))
        raise OutcomeUnknown("reset")

    settled.provider.create_job = lost  # type: ignore[method-assign]
    settled.fleet.job("c")
    settled.live(100)
    assert [line["job_id"] for line in settled.lines("job.succeeded")] == ["j3"]


def test_a_job_that_came_and_ended_between_two_looks_is_told_by_a_run_without_memory_too(world: DaemonHarness) -> None:
    world.fleet.job("a")

    def rival() -> None:
        made = world.provider.jobs["j1"]
        world.provider.jobs["j2"] = replace(made, id="j2", created_at=2, status="succeeded", fine_tuned_model="ft:j2")

    world.at(world.clock.now + 90, rival)
    world.live(200)
    assert [line["job_id"] for line in world.lines("job.succeeded")] == ["j2"]


def test_what_a_lost_create_says_of_the_provider_is_written_with_it(world: DaemonHarness) -> None:
    create, written = world.provider.create_job, list[bytes]()

    def lost(body: Mapping[str, object]) -> Job:
        job = create(body)
        world.provider.jobs[job.id] = replace(job, marks=None, seed=int(str(body["seed"])))
        raise OutcomeUnknown("reset")

    class Written(DaemonListener):
        def passed(self, done: Pass, seconds: float) -> None:
            if done.decided.seen.resolved or written:
                written.append((world.state / "journal.sqlite3").read_bytes())

    world.provider.create_job = lost  # type: ignore[method-assign]
    world.fleet.job("a")
    world.live(300, listener=Written())
    assert len(written) > 2
    assert len(set(written)) == 1, "a pass over an unchanged world writes nothing"


def test_an_end_that_cannot_be_recorded_is_told_once_a_process(settled: DaemonHarness) -> None:
    settled.provider.end("j1", "succeeded")
    state = settled.state / "journal.sqlite3"
    with contextlib.closing(sqlite3.connect(state)) as rival:
        rival.execute("CREATE TRIGGER full BEFORE UPDATE ON record BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        rival.commit()
    settled.live(300)
    assert [line.get("times") for line in settled.lines("pass.failed")] == [None, 8]
    assert len(settled.lines("job.succeeded")) == 1


def test_a_provider_that_limits_the_rate_is_asked_no_more_in_that_pass(settled: DaemonHarness) -> None:
    settled.fleet.job("b", seed=1)
    settled.live(100)
    for job_id in settled.provider.live():
        del settled.provider.jobs[job_id]
    settled.provider.calls.clear()
    settled.fail_next("retrieve", RateLimited("slow down", retry_after=70.0))
    settled.live(60)
    assert len(settled.provider.times("retrieve")) == 1


class Outcomes(DaemonListener):
    """Keeps what came of each write: done, sent, and the words."""

    def __init__(self) -> None:
        self.told: list[tuple[bool, bool, str]] = []

    def passed(self, done: Pass, seconds: float) -> None:
        self.told += [(o.ok, o.sent, o.message) for o in done.outcomes]


def test_a_cancel_that_was_not_sent_says_so_and_is_not_looked_for(settled: DaemonHarness) -> None:
    start, outcomes = settled.clock.now, Outcomes()
    settled.fail_next("cancel", NotSent("no connection"))
    settled.at(start + 10, lambda: settled.fleet.remove("a"))
    settled.live(22, listener=outcomes)
    assert outcomes.told == [(False, False, "not sent: no connection")]
    operations = [operation for _, operation, _ in settled.provider.calls]
    assert operations[operations.index("cancel") + 1] != "retrieve"
    assert len(settled.lines("cancel.not_sent")) == 1


@pytest.mark.parametrize("error", [OutcomeUnknown("reset"), Refused("no", status=409)], ids=["lost", "refused"])
def test_a_cancel_without_effect_was_sent(settled: DaemonHarness, error: ProviderError) -> None:
    start, outcomes = settled.clock.now, Outcomes()
    settled.fail_next("cancel", error)
    settled.at(start + 10, lambda: settled.fleet.remove("a"))
    settled.live(22, listener=outcomes)
    words = f"cancel sent, and job j1 is still running ({error}); tried again by a later run"
    assert outcomes.told == [(False, True, words)]


@pytest.mark.parametrize(
    ("error", "sent"),
    [(NotSent("no connection"), False), (Refused("no", status=400), True)],
    ids=["not sent", "refused"],
)
def test_a_create_is_sent_where_the_server_has_seen_it(
    world: DaemonHarness, error: ProviderError, *, sent: bool
) -> None:
    outcomes = Outcomes()
    world.fail_next("create", error)
    world.fleet.job("a")
    world.live(5, listener=outcomes)
    assert outcomes.told[0][:2] == (False, sent)


def test_a_wait_without_end_is_cut_and_the_loop_shows_signs_of_life(world: DaemonHarness) -> None:
    beats: list[float] = []

    class Watcher(DaemonListener):
        def alive(self) -> None:
            beats.append(world.clock.now)

    world.fail_next("list", RateLimited("slow down", retry_after=1e12))
    world.live(5000, listener=Watcher())
    assert len(world.provider.times("list")) > 1
    assert max(b - a for a, b in pairwise(beats)) <= 31


def test_an_error_while_looking_is_waited_out_too(world: DaemonHarness) -> None:
    world.fleet.job("a")
    trouble = [OSError("no more open files"), ZeroDivisionError("a bug")]
    world.before_reading = lambda: (_ for _ in ()).throw(trouble.pop()) if trouble else None
    world.live(100)
    assert len(world.lines("pass.failed")) == 2
    assert len(world.provider.live()) == 1


def test_a_server_without_checkpoints_tells_events_all_the_same(settled: DaemonHarness) -> None:
    settled.provider.tell("j1", "hello")
    settled.fail_next("checkpoints", *(Refused("no such thing", status=404) for _ in range(9)))
    settled.live(200)
    assert [line["message"] for line in settled.lines("job.event")] == ["hello"]


def test_a_fleet_directory_that_is_gone_is_not_made_again(settled: DaemonHarness) -> None:
    away = settled.fleet.root.with_name("away")
    settled.at(settled.clock.now + 10, lambda: settled.fleet.root.rename(away))
    with pytest.raises(StateReplaced):
        settled.live(300)
    assert not settled.fleet.root.exists()


def test_a_file_whose_name_is_no_text_is_an_error_like_any_other(settled: DaemonHarness) -> None:
    path = os.fsencode(settled.fleet.root) + b"/caf\xe9.yaml"
    settled.at(settled.clock.now + 10, lambda: Path(os.fsdecode(path)).write_text("kind: Fleet\n"))
    settled.live(60)
    (line,) = settled.lines("source.invalid")
    assert "its name is not UTF-8" in line["problem"]
    assert settled.provider.times("cancel") == []


@pytest.mark.parametrize("followed", [True, False], ids=["a daemon", "an apply"])
def test_a_pass_hands_on_the_statuses_that_it_wrote(settled: DaemonHarness, *, followed: bool) -> None:
    passes: list[Pass] = []

    class Passes(DaemonListener):
        def passed(self, done: Pass, seconds: float) -> None:
            passes.append(done)

    if followed:
        settled.live(100, listener=Passes())
    else:
        journal = open_journal(settled.state, Identity(settled.fleet.name, "http://memory/v1"), now=settled.clock.time)
        with journal:
            once = Reconciler(replace(settled.ports(journal, settled.fleet.root), follower=None), settle=0.0)
            passes.append(once.one_pass(read_directory(settled.fleet.root), Permission()))
    assert {name: status.job_status for name, status in passes[-1].report.items()} == {"a": "running", "b": "running"}


def test_what_a_gateway_posted_twice_is_looked_for_soon_after_the_create(tmp_path: Path) -> None:
    """Some gateways repeat a create by themselves: one POST of ours may be three jobs, of which some show late."""
    world = DaemonHarness(FleetDirectory(tmp_path / "fleet"), settle=30)
    create = world.provider.create_job

    def repeated(body: Mapping[str, object]) -> Job:
        made = create(body)

        def shows(number: int) -> None:
            world.provider.jobs[f"j1{number}"] = replace(made, id=f"j1{number}", created_at=1 + number)

        shows(1)
        world.at(world.clock.now + 20, lambda: shows(2))
        return made

    world.provider.create_job = repeated  # type: ignore[method-assign]
    world.fleet.job("a")
    world.live(100, pace=Pace(interval=3600))
    assert world.provider.live("a") == ["j1"]
    at = world.provider.times("cancel")
    (made,) = world.provider.times("create")
    assert (len(at), at[0] - made < 1, at[1] - made <= 31) == (2, True, True)


def test_a_server_that_loses_the_method_costs_one_job_and_one_line(tmp_path: Path) -> None:
    world = DaemonHarness(FleetDirectory(tmp_path / "fleet"))
    world.fleet.job("a", training_file="file-1", method={"type": "dpo", "dpo": {}})
    world.live(100, pace=Pace(interval=10))
    world.live(100, pace=Pace(interval=10))
    assert [job.status for job in world.provider.jobs.values()] == ["cancelled"]
    (line,) = world.lines("job.mismatched")
    assert (line["level"], line["job"], line["job_id"]) == ("error", "a", "j1")
    assert line["why"].endswith("method dpo was sent, and the server made it without one")
    assert len(world.provider.times("retrieve")) == 2, "before its cancel, and after it"


def test_what_is_odd_about_training_files_is_named_once(world: DaemonHarness) -> None:
    world.fleet.fleet(data_checks="error")
    world.fleet.job("a")
    world.live(5)
    (line,) = [line for line in world.lines("data.warned") if "system message" in line["problem"]]
    assert line["problem"].partition(": ")[0].endswith("data/train.jsonl")
