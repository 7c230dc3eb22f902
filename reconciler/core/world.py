"""Everything a decision may look at, as frozen values: one moment, and in it the case of each name.

Pure. `reconcile` fills a `World` from the source, the provider and the journal; the decision reads it and nothing else:
no clock, no file, no socket.
"""

from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import cached_property
from types import MappingProxyType

from msgspec import Struct, field

from reconciler.core.desired import Desired, Fleet, Policy
from reconciler.core.job import Job, Marks
from reconciler.core.memory import Memory, Record
from reconciler.core.mismatch import differences, lost_method
from reconciler.core.reason import Reason
from reconciler.core.recognition import Listing, NamedJob, recognise


class Moment(Struct, frozen=True):
    """What is desired, what is observed, what is remembered."""

    fleet: Fleet
    desired: Mapping[str, Desired]
    jobs: tuple[Job, ...]  # a complete listing, and the recorded jobs that were looked up beside it
    memory: Memory = field(default_factory=Memory)
    broken: frozenset[str] = frozenset()  # names whose manifest cannot be trusted
    missing: frozenset[str] = frozenset()  # recorded or adopted job ids that are not listed and answered 404
    unseen: frozenset[str] = frozenset()  # those that were asked for beside the listing and could not be read
    overtaken: frozenset[str] = frozenset()  # names of which another run here has since wanted something else
    looked_for: frozenset[str] = frozenset()  # names whose lost create this listing would show: it began late enough
    seen_first: AbstractSet[str] = frozenset()  # the job ids of this run's first listing
    approved_ahead: frozenset[str] = frozenset()  # the `Ahead` jobs that a person agreed to retire
    gaps: tuple[str, ...] = ()  # places that could hold a name and hold nothing: why nothing is gone for certain
    # Names without a manifest, and the file that may still hold each.
    leftovers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    # Names whose spec is not sent to this server, and why: it would train something else.
    objections: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    prune: bool = True  # a job whose manifest is gone may be ended, as far as this run goes
    # The operator says that this server trains the method that it is sent, shown or not.
    method_assumed: bool = False

    def owns(self, job: Job) -> bool:
        """Whether it carries this fleet's mark."""
        return job.belongs_to(self.fleet.name)

    @property
    def unmanaged(self) -> int:
        """How many jobs at the provider do not carry this fleet's mark."""
        return sum(not self.owns(job) for job in self.jobs)

    @property
    def ours(self) -> tuple[Job, ...]:
        """The jobs of this fleet, live or not."""
        return tuple(job for job in self.jobs if self.owns(job))


class World(Moment, frozen=True, dict=True):
    """One moment, and in it the case of each name."""

    @cached_property
    def cases(self) -> Mapping[str, "Case"]:
        """Every name that is desired, has jobs, or is held up by something remembered; grouped once."""
        memory = self.memory
        recognised = recognise(Listing(self.fleet.name, self.desired, self.jobs, memory))
        records: defaultdict[str, list[Record]] = defaultdict(list)
        for record in memory.records.values():
            records[record.name].append(record)
        absent = {r.name for r in memory.records.values() if r.job_id in self.missing | self.unseen}
        once_wanted = {name for name, revision in memory.wanted if memory.wanted_here(name, revision)}
        names = set(self.desired) | set(recognised.by_name) | set(memory.intents) | self.broken | absent
        names |= recognised.unproven.keys()
        # Not this world itself: one that its own cases hold, with all its jobs, would outlast its use until somebody
        # looks for such circles.
        moment = Moment(**{name: getattr(self, name) for name in Moment.__struct_fields__})
        return {
            name: Case(
                name,
                moment,
                self.desired.get(name),
                recognised.by_name.get(name, ()),
                tuple(records.get(name, ())),
                once_wanted=name in once_wanted,
                suspects=recognised.suspects.get(name, ()),
                unproven=recognised.unproven.get(name, ()),
                anonymous=recognised.anonymous,
            )
            for name in sorted(names)  # not in the order of the hash seed: the same world gives the same log
        }


class Case(Struct, frozen=True, dict=True):
    """One name and everything its row depends on; ``jobs`` holds the oldest first."""

    name: str
    world: Moment
    desired: Desired | None
    jobs: tuple[NamedJob, ...]
    records: tuple[Record, ...] = ()  # what the journal holds of this name
    once_wanted: bool = False  # some revision of this name is among what `wanted_here` says
    suspects: tuple[Job, ...] = ()  # without marks: each might be a job of its present revision
    unproven: tuple[NamedJob, ...] = ()  # live on a file of an earlier spec, whose seed nobody here remembers
    anonymous: bool = False  # jobs of unknown origin are listed, and no job with anything to know it by but its id

    @property
    def policy(self) -> Policy:
        """The manifest's policy; row 5 has taken the names without a manifest before anyone asks."""
        return self.desired.policy if self.desired else Policy()

    @property
    def revision(self) -> str | None:
        """The revision its manifest has now."""
        return self.desired.revision if self.desired else None

    @cached_property
    def live(self) -> tuple[NamedJob, ...]:
        return tuple(n for n in self.jobs if n.live)

    @cached_property
    def current(self) -> tuple[NamedJob, ...]:
        """The jobs that stand for the revision the manifest has now."""
        return tuple(n for n in self.jobs if n.revision == self.revision)

    @property
    def objected(self) -> bool:
        """Whether its spec is not sent to this server."""
        return self.name in self.world.objections

    @property
    def others(self) -> tuple[NamedJob, ...]:
        """Live jobs of other revisions."""
        return tuple(n for n in self.live if n.revision != self.revision)

    @cached_property
    def good(self) -> tuple[NamedJob, ...]:
        """Those of them that are what was asked for."""
        return tuple(n for n in self.current if not self.lost(n))

    @cached_property
    def succeeded(self) -> tuple[NamedJob, ...]:
        """Those of them that succeeded; the one to keep and to build on comes first: the adopted, else the oldest."""
        return tuple(sorted((n for n in self.good if n.job.succeeded), key=lambda n: not n.adopted))

    def sent(self, named: NamedJob) -> Mapping[str, object]:
        """The hashed form that one of its jobs was made from, as far as this run knows; adopted ones were not."""
        if named.adopted or not named.attempt:
            return {}
        if self.desired is not None and self.desired.revision == named.revision:
            return self.desired.form
        return self.world.memory.wanted.get((self.name, named.revision)) or {}

    def lost(self, named: NamedJob) -> str:
        """The method that was sent where that job has another one, or shows none although it would; else ""."""
        return lost_method(self.sent(named), named.job, assumed=self.world.method_assumed)

    def differing(self, named: NamedJob) -> tuple[str, ...]:
        """What else of that job contradicts what was sent, in words; nobody here has sent an adopted one."""
        form = self.sent(named)
        if not form or named.adopted:
            return ()
        return differences(form, named.job, Marks(self.world.fleet.name, self.name, named.revision, named.attempt))

    @cached_property
    def producer(self) -> NamedJob | None:
        """The job whose model is the present revision's."""
        return next((n for n in self.succeeded if n.job.fine_tuned_model), None)

    @cached_property
    def latest(self) -> NamedJob | None:
        """The latest attempt: of several, the succeeded, else the live, else the oldest.

        A duplicate that was cancelled to leave one says nothing of its revision, unless there is nothing else.
        """
        cancels = self.world.memory.cancels
        healed = {i for n in self.current if (i := n.job.id) in cancels and cancels[i].reason == Reason.DUPLICATE}
        counted = tuple(n for n in self.current if n.job.id not in healed or not n.job.cancelled) or self.current
        top = max((n.attempt for n in counted), default=None)
        ranked = sorted(counted, key=lambda n: (n.attempt != top, not n.job.succeeded, not n.live))
        return next(iter(ranked), None)
