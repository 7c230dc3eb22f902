"""A plan as a reader sees it: every change with what it costs and what is different, and all of it in numbers.

Pure. `cli` fills a `Review`; `plan_text`, `plan_data` and `plan_markdown` lay it out. A write that a gate refuses is
still shown as itself, a create or a cancel with its own reason, and the gate beside it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import cached_property

from msgspec import Struct, field

from reconciler.core.body import unhashed
from reconciler.core.change import Action, Adopt, Cancel, Change, Create, Hold, Keep, Plan, Wait
from reconciler.core.documents import TrainingFile, content_of
from reconciler.core.estimate import Estimate, Total, total
from reconciler.core.fields import FILES
from reconciler.core.file_marks import marks_of_create, uploads_of
from reconciler.core.gates import WAIVABLE, Verdict
from reconciler.core.job import Job
from reconciler.core.memory import Elsewhere, Refusal
from reconciler.core.reason import Reason
from reconciler.core.schedule import goes_on
from reconciler.core.snapshot import Problem
from reconciler.core.status import Progress
from reconciler.core.world import World
from reconciler.errors import escaped

_RECHECK_SECONDS = 60


class Difference(Struct, frozen=True):
    """A field of the spec that has changed; ``old`` or ``new`` is None where it was not set, or is not any more."""

    field: str
    old: object
    new: object


class Since(Struct, frozen=True):
    """What changed since an earlier job of the name; ``differences`` is None where its spec is not known here."""

    job: Job
    revision: str
    differences: tuple[Difference, ...] | None
    unchanged: int = 0


class ReviewEntry(Struct, frozen=True):
    """One change; ``refused`` are the gates that refuse it. ``ends`` are the live jobs that it ends.

    ``outlived`` are live jobs of the name that a create leaves running: they are not ours to end. ``elsewhere`` are
    jobs of the name that are known at other accounts.
    """

    change: Change
    refused: tuple[str, ...] = ()
    ends: tuple[Job, ...] = ()
    since: Since | None = None
    outlived: tuple[Job, ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()

    @property
    def follows(self) -> bool:
        """Whether it is shown with the create that it follows."""
        return isinstance(self.change, Cancel) and self.change.follows

    @property
    def word(self) -> str:
        """Its action, and ``replace`` for a create that ends a live job."""
        return "replace" if isinstance(self.change, Create) and self.change.replaces else self.change.action


def needed(world: World, change: Create) -> tuple[tuple[TrainingFile, tuple[str, ...]], ...]:
    """The local files of a create, each with the names under which the provider may have it."""
    desired = world.desired[change.name]
    return uploads_of(desired, marks_of_create(world.fleet.name, desired, change.attempt), world.memory)


class Review(Struct, frozen=True, dict=True):
    """A gated plan and what a reader needs beside it.

    ``now`` is in Unix seconds. ``progress`` is how far each job has come that would be cancelled, as far as the
    provider tells, ``so_far`` what it has cost in US dollars. ``estimates`` are what the creates will cost, by name.
    ``there`` are the upload names of local files that the provider has already; None where that is not
    known. ``note`` is said before anything else. ``command`` does exactly this plan. ``warnings`` are those of the
    reading: what is odd about training files, and documents that were left out.
    """

    fleet: str
    provider: str
    base_url: str
    host: str
    organization: str
    digest: str
    plan: Plan
    verdicts: tuple[Verdict, ...]
    world: World
    now: float
    progress: Mapping[str, Progress] = field(default_factory=dict)
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    so_far: Mapping[str, float] = field(default_factory=dict)
    there: AbstractSet[str] | None = None
    note: str = ""
    command: str = ""
    warnings: tuple[Problem, ...] = ()

    @cached_property
    def entries(self) -> tuple[ReviewEntry, ...]:
        """Every change, in the order of the plan."""
        waits = [c for c in self.plan.changes if isinstance(c, Wait) and c.gates]
        creates = {c.name for c in waits if isinstance(c.write, Create)}
        # By the name of a refused create, the gates of the first of its changes.
        refused = {c.name: c.gates for c in reversed(waits) if c.name in creates}
        return tuple(self._entry(change, refused) for change in self.plan.changes)

    @cached_property
    def jobs(self) -> Mapping[str, Job]:
        """All that the provider shows, by id."""
        return {job.id: job for job in self.world.jobs}

    @property
    def refusals(self) -> tuple[Verdict, ...]:
        """The gates that say no."""
        return tuple(v for v in self.verdicts if v.refused)

    @property
    def summary(self) -> dict[str, int]:
        """How many changes of each action, refused ones included; ``upload`` counts local files that are not there."""
        counts = Counter(entry.change.action for entry in self.entries)
        creates = (e.change for e in self.entries if isinstance(e.change, Create))
        files = {content_of(names[0]) for change in creates for _, names in self._missing(change)}
        return {
            "create": counts[Action.CREATE],
            "cancel": counts[Action.CANCEL],
            "upload": len(files),
            "adopt": counts[Action.ADOPT],
            "keep": counts[Action.KEEP],
            "wait": counts[Action.WAIT],
            "hold": counts[Action.HOLD],
            **{a: counts[a] for a in (Action.PAUSE, Action.RESUME) if counts[a]},
        }

    @property
    def refused(self) -> int:
        """How many of its creates and cancels a gate refuses."""
        return sum(1 for entry in self.entries if entry.refused)

    @cached_property
    def left_elsewhere(self) -> tuple[Elsewhere, ...]:
        """The jobs that were live at other accounts, where a name of theirs is to be trained here."""
        moved = any(entry.elsewhere for entry in self.entries)
        return tuple(job for job in self.world.memory.elsewhere if job.live) if moved else ()

    @property
    def approvable(self) -> bool:
        """Whether approving its digest would write anything: evidence is not a person's to give."""
        refused = [e for e in self.entries if not WAIVABLE.issuperset(e.refused)]
        stuck = Reason.DEPENDENCY_FAILED  # approving it sends nothing before its job is mended
        writes = [e for e in self.entries if e.change.write is not None and e.change.reason is not stuck]
        return bool(writes) and len(refused) < len(writes)

    @property
    def ends_if_approved(self) -> tuple[str, ...]:
        """The `Ahead` jobs: left alone by a plain apply, ended where a person approves this very plan."""
        return tuple(end.job_id for end in self.plan.ahead)

    @property
    def changes_present(self) -> bool:
        """Whether anything would be written at the provider, now or after waiting."""
        return any(c.write is not None and not isinstance(c, Hold) for c in self.plan.changes)

    @property
    def converged(self) -> bool:
        """Whether everything is as the manifests say: nothing to send, nothing to wait for, nothing in doubt."""
        return not self.changes_present and not any(
            isinstance(c, Wait | Adopt) or not c.reason.as_declared for c in self.plan.changes
        )

    @property
    def requeue_after(self) -> int | None:
        """Seconds after which another pass is worth making; None where only a person can change anything."""
        if self.plan.writes:
            return 0
        live = {job.id for job in self.world.jobs if job.live}
        moving = any(goes_on(change, live) for change in self.plan.changes)
        return _RECHECK_SECONDS if moving else None

    @cached_property
    def cost(self) -> Total | None:
        """What the creates of this plan will cost together; None where nothing was estimated."""
        return total(self.estimates.values()) if self.estimates else None

    def model(self, change: Create) -> str | None:
        """The model that it is trained from; None while the job that makes it has none."""
        model = change.model or self.world.desired[change.name].body.get("model")
        return None if model is None else str(model)

    def trained_on(self, change: Create) -> tuple[str, ...]:
        """Its training and validation files: paths, the provider's ids, or digests."""
        desired = self.world.desired[change.name]
        local = {key: file.path for key, file in desired.local_fields.items()}
        named = {**desired.body, **desired.by_digest, **local}
        return tuple(str(named[key]) for key in FILES if key in named)

    def besides(self, change: Create) -> str:
        """What is sent beside what the revision stands for, as JSON; "" where that is nothing."""
        return unhashed(self.world.desired[change.name])

    def refusal(self, change: Create) -> tuple[Refusal, str] | None:
        """The last refusal of this very create, or of every create; and what the provider said, in words."""
        memory = self.world.memory
        last = memory.last_refusal(*change.key)
        if last is None:
            return None
        return last, memory.held_back(*change.key)[1]

    def uploads(self, change: Create) -> tuple[TrainingFile, ...]:
        """The local files of its job that the provider does not have yet, or may not have."""
        return tuple(file for file, _ in self._missing(change))

    def _missing(self, change: Create) -> tuple[tuple[TrainingFile, tuple[str, ...]], ...]:
        named = needed(self.world, change)
        return tuple((file, names) for file, names in named if self.there is None or self.there.isdisjoint(names))

    def _entry(self, change: Change, refused: Mapping[str, tuple[str, ...]]) -> ReviewEntry:
        gates = change.gates if isinstance(change, Wait) else ()
        shown: Change = change.write if isinstance(change, Wait) and gates else change
        if isinstance(change, Keep) and change.write is not None and change.name in refused:
            shown, gates = change.write, refused[change.name]
        if isinstance(shown, Create):
            return ReviewEntry(
                shown,
                gates,
                tuple(self.jobs[i] for i in shown.replaces),
                self._since(shown),
                outlived=tuple(n.job for n in self.world.cases[shown.name].others if not n.ours),
                elsewhere=self._elsewhere.get(shown.name, ()),
            )
        ends = (self.jobs[shown.job_id],) if isinstance(shown, Cancel) and shown.job_id in self.jobs else ()
        return ReviewEntry(shown, gates, ends)

    @cached_property
    def _elsewhere(self) -> Mapping[str, tuple[Elsewhere, ...]]:
        """By name."""
        by_name: dict[str, list[Elsewhere]] = {}
        for job in self.world.memory.elsewhere:
            by_name.setdefault(job.name, []).append(job)
        return {name: tuple(jobs) for name, jobs in by_name.items()}

    def _since(self, change: Create) -> Since | None:
        """What changed since the job that is replaced, or else since the last job of another revision."""
        others = [n for n in self.world.cases[change.name].jobs if n.revision != change.revision]
        before = next((n for n in others if n.job.id in change.replaces[-1:]), others[-1] if others else None)
        if before is None:
            return None
        old = self.world.memory.wanted.get((change.name, before.revision))
        if old is None:
            return Since(before.job, before.revision, None)
        new = self.world.desired[change.name].form
        found = tuple(differences(old, new))
        return Since(before.job, before.revision, found, len(dict(_leaves(new)).keys() - {d.field for d in found}))


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[Difference]:
    """Each leaf that differs."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) != new.get(path):
            yield Difference(path, old.get(path), new.get(path))


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def header(fleet: str, host: str, organization: str) -> str:
    """The first line of `plan` and `apply`: where this would happen."""
    return f"fleet {fleet} at {escaped(host)}{f' (organization {escaped(organization)})' if organization else ''}"
