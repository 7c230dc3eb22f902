"""What a run has seen of its provider so far, and when another look will tell it more.

Pure. `reconcile` keeps one `Watch` a run and replaces it after each listing and each write, as `daemon` does with
`Evidence` for files. All times are monotonic seconds: a wall clock proves nothing, and a new process begins anew.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.core.job import Job
from reconciler.core.memory import EVERY_CREATE, CreateKey, Intent
from reconciler.core.schedule import ASKED_LAST, Backoff, Due, Next
from reconciler.core.world import World

# A create that has to wait, nobody says how long, is sent again after 1, 2, 4 … 60 seconds.
_PUT_OFF = Backoff(first=1, last=60)
# Seconds for which a file that was just uploaded may be "not ready"; after that its create is rejected like any other.
_NOT_READY_LAST = 120.0


class PutOff(Struct, frozen=True):
    """A create, or every create, that is wanted later: how often in a row, since when, until when, and why."""

    tries: int
    since: float
    until: float
    why: str


class LostCreate(Struct, frozen=True):
    """A create whose answer was lost. ``until``: a listing begun from then on shows its job, if there is one."""

    token: str  # the journal's: the same create, sent again, has another
    until: float


class Watch(Struct, frozen=True):
    """What a run waits for, in monotonic seconds, before it may write or rest."""

    # The settle window, in seconds.
    settle: float
    # When the run began.
    started: float
    # Why it has to wait before its first write; "" where it need not (any more).
    cold: str = ""
    # The job ids of its first listing; None before it.
    seen_first: AbstractSet[str] | None = None
    # Its unresolved creates, by name.
    lost: Mapping[str, LostCreate] = field(default_factory=lambda: MappingProxyType({}))
    # Those of them that no further look resolves by waiting.
    in_vain: frozenset[str] = frozenset()
    # Recorded cancels whose job is still live, by job and number of tries: when a look will say that they did not take.
    doubted: Mapping[tuple[str, int], float] = field(default_factory=lambda: MappingProxyType({}))
    # The jobs whose cancel a look has found not to have taken.
    void: frozenset[str] = frozenset()
    # Jobs that were seen ended and are not yet recorded so: a listing that shows one live is doubted.
    ended: frozenset[str] = frozenset()
    # When the last create was sent; None once it was looked at again.
    created_at: float | None = None
    # Creates that have to wait.
    put_off: Mapping[CreateKey, PutOff] = field(default_factory=lambda: MappingProxyType({}))
    # The moment of the last decision.
    looked_at: float = 0.0

    @property
    def settled_at(self) -> float:
        """From when on a listing shows all that happened before this run began."""
        return self.started + self.settle

    def listed(self, job_ids: AbstractSet[str], intents: Mapping[str, Intent], at: float) -> "Watch":
        """A listing that began ``at`` is there, and these creates are without an answer."""
        first = self.seen_first if self.seen_first is not None else job_ids
        # Another run on this state directory may have resolved one and sent the next.
        fresh = {
            name: LostCreate(intent.token, at + self.settle)
            for name, intent in intents.items()
            if name not in self.lost or self.lost[name].token != intent.token
        }
        return replace(self, seen_first=first, lost={**self.lost, **fresh})

    @property
    def idle(self) -> bool:
        """Whether no look is waited for, and no moment."""
        waits = self.cold or self.lost or self.doubted or self.void or self.created_at is not None
        return not waits and not self.put_off_now

    def looked_long_enough(self, at: float) -> frozenset[str]:
        """Names whose lost create a listing begun ``at`` would show."""
        return frozenset(name for name, lost in self.lost.items() if at >= lost.until)

    def after(self, world: World, pending: AbstractSet[tuple[str, int]], at: float) -> "Watch":
        """All of a listing that began ``at`` is in ``world``. ``pending`` are recorded cancels not yet seen to take.

        A provider may take its time to cancel: one has failed where its job is live a settle window after it was
        first seen so.
        """
        intents = world.memory.intents
        going_on = {job.id for job in world.jobs if job.live and not job.ending}
        doubted = {key: self.doubted.get(key, at + self.settle) for key in pending if key[0] in going_on}
        over = self.created_at is not None and at >= self.created_at + self.settle
        records = world.memory.records.values()
        recorded_live = {record.job_id for record in records if record.live}
        return replace(
            self,
            lost={name: lost for name, lost in self.lost.items() if name in intents},
            in_vain=world.looked_for & intents.keys(),
            doubted={key: until for key, until in doubted.items() if at < until},
            void=frozenset(job_id for (job_id, _), until in doubted.items() if at >= until),
            ended=self.ended.union(job.id for job in world.jobs if not job.live and job.id in recorded_live),
            created_at=None if over else self.created_at,
        )

    def created(self, at: float) -> "Watch":
        """A create was sent: a rival may have made the same job at the same moment."""
        return replace(self, created_at=at)

    def lost_answer(self, name: str, token: str, at: float) -> "Watch":
        return replace(self, lost={**self.lost, name: LostCreate(token, at + self.settle)}, created_at=at)

    def read_back(self, job: Job) -> "Watch":
        """A job that has ended is looked at again while listings still show it live."""
        return self if job.live else replace(self, ended=self.ended | {job.id})

    def went_through(self, create: CreateKey) -> "Watch":
        """A create that was answered ends its own wait, and that of every create."""
        return replace(self, put_off={k: v for k, v in self.put_off.items() if k not in {EVERY_CREATE, create}})

    def was_put_off(self, create: CreateKey, asked: float, why: str, at: float) -> "Watch":
        """A create (`EVERY_CREATE`: each of them) is wanted later: after ``asked`` seconds, where that is above 0."""
        before = self.put_off.get(create)
        tries, since = (before.tries + 1, before.since) if before else (1, at)
        until = at + min(max(asked, _PUT_OFF.first) if asked else _PUT_OFF.wait(tries), ASKED_LAST)
        if create != EVERY_CREATE:
            until = min(until, since + _NOT_READY_LAST)
        return replace(self, put_off={**self.put_off, create: PutOff(tries, since, until, why)})

    def may_wait(self, create: CreateKey, at: float) -> bool:
        """Whether a create whose file is not ready yet may be put off once more."""
        first = self.put_off.get(create)
        return first is None or at < first.since + _NOT_READY_LAST

    def at(self, moment: float) -> "Watch":
        """What holds at this moment is what the next decision hears."""
        return replace(self, looked_at=moment)

    @property
    def put_off_now(self) -> Mapping[CreateKey, PutOff]:
        """The creates that the last decision left waiting for the provider's moment."""
        return {create: later for create, later in self.put_off.items() if self.looked_at < later.until}

    @property
    def next_create(self) -> PutOff | None:
        """What the next of them waits for; None where there is none."""
        return min(self.put_off_now.values(), key=lambda later: later.until, default=None)

    def next_passes(self, *, worked: bool, postponed: str, tried_again: float | None, now: float) -> tuple[Next, ...]:
        """Everything another pass is worth making for, after one that ended ``now``.

        ``worked``: something was sent and took. ``postponed``: why nothing could be sent yet. ``tried_again``: when a
        back-off ends.
        """
        later = self.next_create
        return (
            *([Next(now, Due.WORK)] if worked else []),
            *([Next(self.settled_at, Due.COLD, f"the settle window: {postponed}")] if postponed else []),
            *(Next(at, Due.LOOK, f"the settle window, to look for {what}") for at, what in self._looks()),
            *([Next(later.until, Due.LATER, f"the next create: {later.why}")] if later else []),
            *([Next(tried_again, Due.BACKOFF)] if tried_again is not None else []),
        )

    def _looks(self) -> Iterator[tuple[float, str]]:
        """When a look will tell more although nothing can be sent now, and of what."""
        for name, lost in self.lost.items():
            if name not in self.in_vain:
                yield lost.until, f"the job of {name}, whose answer was lost"
        for (job_id, _), until in self.doubted.items():
            yield until, f"the cancel of job {job_id} to take effect"
        if self.created_at is not None:
            yield self.created_at + self.settle, "jobs that another run may have made at the same moment"


def why_cold(*, settled: bool, moved: bool, lost: bool) -> str:
    """Why a run must wait one settle window before its first write; "" where it need not.

    ``settled``: a run on this state directory has waited out such a window. ``moved``: it is a copy. ``lost``: a
    create has no known outcome.
    """
    if not settled:
        return "this state directory is new, and an earlier run may have just created jobs"
    if moved:
        return "this state directory was last written elsewhere, or is a copy"
    return "an earlier create has no known outcome" if lost else ""
