"""What a daemon does about a probe that was killed: a pass at a time, as long as anything is left, and no more."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from msgspec.structs import replace

from reconciler.core.job import Job, Marks
from reconciler.core.memory import Intent, Record
from reconciler.core.probe import NAME, fleet_of_probe
from reconciler.core.schedule import Due, Next
from reconciler.core.snapshot import Snapshot
from reconciler.engine.probe_ending import ending_beside
from reconciler.engine.reconcile import Reconciler
from reconciler.errors import OutcomeUnknown, StateReplaced, Unreadable
from reconciler.source.directory import read_directory
from reconciler.state.journal import Journal
from reconciler.state.opening import open_journal
from reconciler.state.schema import Identity
from tests.fakes.daemons import DaemonHarness
from tests.fakes.fleets import FleetDirectory

URL = "http://memory/v1"
REVISION = "0" * 16


class Place:
    """A fleet, its journal, and that of its probes; ``end`` is what its daemon calls after each pass."""

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self.fleet = FleetDirectory(root / "fleet")
        self.harness = DaemonHarness(self.fleet)
        self.probes = fleet_of_probe(self.snapshot.fleet).name if self.snapshot.fleet else ""
        for name in (self.fleet.name, self.probes):
            with self._journal(name) as journal:
                journal.mark_settled()
        self.own, self.theirs = (stack.enter_context(self._journal(name)) for name in (self.fleet.name, self.probes))
        self.begun = 0
        ports = replace(self.harness.ports(self.theirs, self.fleet.root), unchanged=lambda _: True, follower=None)

        def begin() -> Reconciler:
            self.begun += 1
            return Reconciler(ports, settle=30.0, every_backoff=True)

        self._end = ending_beside(self.own, begin, ports.log)

    def _journal(self, fleet: str) -> Journal:
        return open_journal(self.harness.state, Identity(fleet, URL), now=self.harness.clock.time)

    @property
    def snapshot(self) -> Snapshot:
        return read_directory(self.fleet.root)

    @property
    def lists(self) -> int:
        return len(self.harness.provider.times("list"))

    def has(self, job_id: str, fleet: str) -> None:
        """A job is live at the provider."""
        self.harness.provider.jobs[job_id] = Job(job_id, "running", created_at=1, marks=Marks(fleet, NAME, REVISION, 1))

    def left(self, job_id: str) -> None:
        """A probe made this one, and was killed."""
        self.has(job_id, self.probes)
        self.theirs.record_job(Record(job_id, NAME, REVISION, 1, live=True))

    def end(self, seconds: float = 0.0) -> tuple[Next, ...]:
        """The daemon's next pass, after so long."""
        clock = self.harness.clock
        clock.advance(clock.now + seconds)
        return self._end(self.snapshot)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        yield Place(tmp_path, stack)


def test_where_nothing_is_left_nobody_is_asked(place: Place) -> None:
    place.own.record_job(Record("j0", "a", REVISION, 1, live=True))
    assert (place.end(), place.lists, place.begun) == ((), 0, 0)


def test_what_is_left_is_cancelled_and_nothing_else_is(place: Place) -> None:
    place.left("j1")
    place.has("j2", place.fleet.name)
    place.has("j3", "doctor-0123456789ab")
    (following,) = place.end()
    assert (place.harness.provider.live(), following.due) == (["j2", "j3"], Due.WORK)
    place.end()
    lists = place.lists
    assert (place.end(60), place.lists, place.begun) == ((), lists, 1)


def test_a_lost_create_is_looked_for_until_the_settle_window_is_over(place: Place) -> None:
    place.theirs.record_intent(Intent(NAME, REVISION, 1, seed=1))
    (following,) = place.end()
    lists = place.lists
    assert (following.at, place.end(10), place.lists) == (30.0, (following,), lists)
    place.has("j1", place.probes)
    place.end(25)
    assert (place.harness.provider.live(), place.theirs.memory().intents) == ([], {})


def test_where_nothing_tells_whose_a_job_is_nobody_looks_for_that_of_a_lost_create(place: Place) -> None:
    place.theirs.record_intent(Intent(NAME, REVISION, 1, seed=1))
    place.own.record_echo(echoes=False)
    assert (place.end(), place.lists) == ((), 0)
    place.own.record_echo(echoes=False, seeds=True)
    place.end()
    assert place.lists == 1


def test_one_that_does_not_end_is_looked_at_again_and_not_at_every_pass(place: Place) -> None:
    place.left("j1")
    place.harness.provider.trouble["cancel"] = [OutcomeUnknown("no", status=500)] * 99
    place.end()
    lists, cancels = place.lists, len(place.harness.provider.times("cancel"))
    for _ in range(10):
        place.end(10)
    assert (cancels, len(place.harness.provider.times("cancel")), place.lists - lists) == (1, 6, 6)
    place.harness.provider.trouble.clear()
    place.end(60)
    assert place.harness.provider.live() == []


def test_where_the_account_cannot_be_read_the_next_pass_tries_again(place: Place) -> None:
    place.left("j1")
    place.harness.fail_next("list", Unreadable("no"))
    assert (place.end(), place.harness.provider.live()) == ((), ["j1"])
    place.end(60)
    assert place.harness.provider.live() == []


def test_a_fleet_that_is_suspended_ends_no_probe(place: Place) -> None:
    place.left("j1")
    place.fleet.fleet(state="suspended")
    assert (place.end(), place.lists) == ((), 0)


def test_a_state_directory_that_was_replaced_is_the_daemons_to_open_again(place: Place) -> None:
    place.left("j1")
    place.theirs.fence.path.rename(place.harness.state / "away")
    with pytest.raises(StateReplaced):
        place.end()
