"""A name that is not read any more, over whole applies and a daemon: nothing is cancelled that nobody deleted."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.core.gates import Permission, approval_key
from reconciler.engine.apply import Result
from reconciler.sandbox import EmbeddedSandbox
from tests.fakes.daemons import DaemonHarness
from tests.fakes.fleets import FleetDirectory, apply_once, jobs_at, live


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with EmbeddedSandbox(tmp_path / "sandbox", speed=1000) as running:
        yield running.base_url


@pytest.fixture
def fleet(tmp_path: Path) -> FleetDirectory:
    """A fleet with one job of its own, and one in a subdirectory."""
    made = FleetDirectory(tmp_path / "fleet")
    made.job("a")
    (made.root / "team").mkdir()
    made.job("team/b", training_file="../data/train.jsonl")
    path = made.root / "team" / "b.yaml"
    path.write_text(path.read_text().replace("team/b", "b"))
    return made


def emptied(root: Path) -> None:
    (root / "team" / "b.yaml").unlink()


def linked_to_nowhere(root: Path) -> None:
    shutil.rmtree(root / "team")
    (root / "team").symlink_to("nowhere")


def linked_out(root: Path) -> None:
    (root / "team").rename(root.parent / "elsewhere")
    (root / "team").symlink_to(root.parent / "elsewhere")


def renamed(name: str) -> Callable[[Path], None]:
    def rename(root: Path) -> None:
        (root / "team" / "b.yaml").rename(root / "team" / name)

    return rename


def hidden(root: Path) -> None:
    (root / "team").rename(root / ".team")


def ignored(root: Path) -> None:
    (root / ".reconcilerignore").write_text("team/\n")


def commented_out(root: Path) -> None:
    (root / "team" / "b.yaml").write_text("# not now\n")


def not_cloned(root: Path) -> None:
    (root / ".git").mkdir()
    shutil.rmtree(root / "team")
    (root / ".gitmodules").write_text('[submodule "team"]\n\tpath = team\n\turl = x\n')


def sparse(root: Path) -> None:
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("[core]\n\tsparseCheckout = true\n")
    shutil.rmtree(root / "team")


# How team/b.yaml ceases to be read, and what the message names.
VANISHED: dict[str, tuple[Callable[[Path], None], str]] = {
    "an empty directory": (emptied, "team: an empty directory"),
    "a link to nowhere": (linked_to_nowhere, "team: a link that leads nowhere"),
    "a link out of the directory": (linked_out, "team: a link to a directory outside"),
    "another suffix": (renamed("b.yaml.disabled"), "b in team/b.yaml.disabled"),
    "a hidden file": (renamed(".b.yaml"), "b in team/.b.yaml"),
    "a hidden directory": (hidden, "b in .team/b.yaml"),
    "ignored": (ignored, "b in team/b.yaml"),
    "commented out": (commented_out, "team/b.yaml: holds no document"),
    "a submodule that was not cloned": (not_cloned, "git submodule update --init"),
    "a sparse checkout": (sparse, "git sparse-checkout disable"),
}


def verdicts(result: Result) -> list[tuple[str, str]]:
    return [(v.gate, v.message) for v in result.last.after.gated.refusals]


@pytest.mark.parametrize("memory", [True, False], ids=["with memory", "without"])
@pytest.mark.parametrize(("vanish", "told"), VANISHED.values(), ids=VANISHED.keys())
def test_an_apply_cancels_nothing_that_nobody_deleted(
    fleet: FleetDirectory, server: str, vanish: Callable[[Path], None], told: str, *, memory: bool
) -> None:
    apply_once(fleet, server)
    if not memory:
        shutil.rmtree(fleet.root / ".reconciler")
    vanish(fleet.root)
    fleet.job("c", seed=3)
    for _ in range(2):
        result = apply_once(fleet, server)
        assert result.exit_code == 3
        ((gate, message),) = verdicts(result)
        assert gate == "removal_evidence"
        assert told in message
    assert len(live(jobs_at(server))) == 3, "the others go on"


def test_an_approval_never_stands_in_for_evidence(fleet: FleetDirectory, server: str) -> None:
    apply_once(fleet, server)
    emptied(fleet.root)
    blocked = apply_once(fleet, server).last.after.plan.changes
    keys = frozenset(approval_key(change.write) for change in blocked if change.write is not None)
    assert keys
    approved = Permission(first_run=True, approved=keys, limits_waived=True)
    assert apply_once(fleet, server, permission=approved).exit_code == 3
    assert len(live(jobs_at(server))) == 2


@pytest.mark.parametrize("name", ["b.YAML", "b.yml", "b.json", "B.Json"])
def test_a_suffix_that_is_read_too_changes_nothing(fleet: FleetDirectory, server: str, name: str) -> None:
    apply_once(fleet, server)
    renamed(name)(fleet.root)
    result = apply_once(fleet, server)
    assert (result.exit_code, result.outcomes) == (0, ())
    assert len(live(jobs_at(server))) == 2


def test_the_way_on_is_to_delete_the_place_or_to_name_it(fleet: FleetDirectory, server: str) -> None:
    apply_once(fleet, server)
    emptied(fleet.root)
    assert apply_once(fleet, server).exit_code == 3
    (fleet.root / ".reconcilerignore").write_text("/team/\n")
    assert apply_once(fleet, server).exit_code == 0
    assert len(live(jobs_at(server))) == 1


def test_a_state_directory_among_the_manifests_is_no_part_of_them(fleet: FleetDirectory, server: str) -> None:
    state = fleet.root / "state"
    for _ in range(2):
        assert apply_once(fleet, server, state_dir=state).exit_code == 0
    assert (state / "status" / "b.yaml").exists()
    shutil.copy(state / "status" / "b.yaml", fleet.root / "copied.yaml")
    (fleet.root / "team" / "b.yaml").unlink()
    (fleet.root / "team").rmdir()
    assert apply_once(fleet, server, state_dir=state).exit_code == 0
    assert len(live(jobs_at(server))) == 1


# ── the daemon ──


def test_a_mount_that_goes_away_costs_waiting_and_its_end_is_believed_once_it_is_deleted(
    fleet: FleetDirectory, tmp_path: Path
) -> None:
    world = DaemonHarness(fleet, elsewhere=tmp_path / "state")
    world.live(60)
    assert sorted(world.provider.live()) == ["j1", "j2"]
    start = world.clock.now
    world.at(start + 10, lambda: emptied(fleet.root))
    world.live(3600)
    assert world.provider.times("cancel") == []
    blocked = [(line["gate"], line.get("since", 0) // 60) for line in world.lines("pass.blocked")]
    assert blocked == [("removal_evidence", 0), ("removal_evidence", 1), ("removal_evidence", 5)], "as one was due"
    assert len([at for at in world.provider.times("list") if at > start]) < 80, "one look an interval, not one a second"
    assert "reason: Blocked" in (tmp_path / "state" / "status" / "b.yaml").read_text()
    deleted = world.clock.now
    (fleet.root / "team").rmdir()
    world.live(120)
    (cancelled,) = world.provider.times("cancel")
    assert deleted + 10 <= cancelled


def test_what_comes_back_is_as_it_was(fleet: FleetDirectory, tmp_path: Path) -> None:
    world = DaemonHarness(fleet, elsewhere=tmp_path / "state")
    content = (fleet.root / "team" / "b.yaml").read_text()
    world.at(100, lambda: emptied(fleet.root))
    world.at(500, lambda: (fleet.root / "team" / "b.yaml").write_text(content))
    world.live(900)
    assert (world.provider.times("cancel"), len(world.provider.times("create"))) == ([], 2)


def test_a_document_that_is_left_out_is_logged_once(fleet: FleetDirectory, tmp_path: Path) -> None:
    (fleet.root / "compose.yaml").write_text("services: {}\n")
    world = DaemonHarness(fleet, elsewhere=tmp_path / "state")
    world.live(600)
    (line,) = world.lines("source.left_out")
    assert line["document"].startswith("compose.yaml:1:1: a document is left out")
