"""Which of the provider's files are this fleet's, and what still needs each of them.

Pure. `engine.prune` asks before it deletes any, and `cli.files` shows the answer. What cannot be shown to be ours is
never unused, and in doubt a file is needed: to keep one costs little. No job is made or ended for a file's sake.
"""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from reconciler.core.desired import Desired
from reconciler.core.documents import content_of
from reconciler.core.fields import FILES
from reconciler.core.file_marks import marks_of_file
from reconciler.core.job import Job, Marks
from reconciler.core.world import World


class ProviderFile(Struct, frozen=True):
    """A training file as it is listed; ``size`` in bytes and ``created_at`` in Unix seconds, 0 where not said."""

    id: str
    name: str
    size: int = 0
    created_at: int = 0


class FileUse(Struct, frozen=True):
    """A file, and the names of manifests and the ids of jobs that need it.

    ``ours``: its name is that of an attempt of this fleet, or the journal says that it was uploaded from here. Of any
    other one that is named by its content nobody knows who uploaded it.
    """

    file: ProviderFile
    ours: bool
    manifests: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()

    @property
    def unused(self) -> bool:
        """Whether it may be deleted."""
        return self.ours and not self.manifests and not self.jobs


class Traces(Struct, frozen=True):
    """What is known beside the world: name and SHA-256 of each upload of ours, and the files that live jobs name.

    ``recorded`` by file id; ``named``: the ids of jobs by what they call their training or validation file, "" where a
    server shows neither.
    """

    recorded: Mapping[str, tuple[str, str]]
    named: Mapping[str, tuple[str, ...]]


def file_uses(world: World, files: Iterable[ProviderFile], traces: Traces) -> tuple[FileUse, ...]:
    """Each file that is this fleet's, or may be; everybody else's are left out."""
    found: list[FileUse] = []
    files = tuple(files)
    owners = _owners(world)
    unclear = _unclear(world, files, traces.named, owners)
    for file in files:
        marks = marks_of_file(file.name)
        name, digest = traces.recorded.get(file.id, ("", ""))
        recorded = bool(name) and name == file.name
        mine = recorded or (marks is not None and marks.fleet == world.fleet.name)
        if not mine and (marks is not None or content_of(file.name) == file.name):
            continue
        one = _File(file, marks, f"sha256:{digest}" if recorded else "")
        manifests = tuple(name for name, desired in sorted(world.desired.items()) if _is_wanted(one, desired))
        jobs = dict.fromkeys((*traces.named.get(file.id, ()), *_jobs_on(one, world, owners), *unclear))
        found.append(FileUse(file, mine, manifests, tuple(jobs)))
    return tuple(found)


class _File(Struct, frozen=True):
    """``digest`` is `sha256:` and 64 digits, where the journal knows them."""

    file: ProviderFile
    marks: Marks | None
    digest: str

    def holds(self, named: object) -> bool:
        """Whether it holds the bytes of this digest, as far as its name or the journal tell."""
        if not isinstance(named, str) or not named.startswith("sha256:"):
            return named == self.file.id
        return named == self.digest or content_of(self.file.name) == f"-{named[7:23]}.jsonl"

    def is_of(self, marks: Marks | None) -> bool:
        """Whether it was uploaded for an attempt at the same spec."""
        mine = self.marks
        return mine is not None and marks is not None and (mine.name, mine.revision) == (marks.name, marks.revision)


def _is_wanted(one: _File, desired: Desired) -> bool:
    marks = one.marks
    made_for = marks is not None and (marks.name, marks.revision) == (desired.name, desired.revision)
    return made_for or any(one.holds(desired.form.get(field)) for field in FILES)


def _owners(world: World) -> Mapping[str, Marks]:
    """By id, whose each job is, be it by its marks, its seed or the journal; also one that cannot be read now."""
    fleet = world.fleet.name
    named = {n.job.id: Marks(fleet, name, n.revision, n.attempt) for name, c in world.cases.items() for n in c.jobs}
    recorded = {r.job_id: Marks(fleet, r.name, r.revision, r.attempt) for r in world.memory.records.values() if r.live}
    return {**recorded, **named}


def _unclear(
    world: World, files: Iterable[ProviderFile], named: Mapping[str, tuple[str, ...]], owners: Mapping[str, Marks]
) -> tuple[str, ...]:
    """Live jobs whose file is none that is listed: this server calls it otherwise there, so it may be any of them."""
    listed = {called for file in files for called in (file.id, file.name)} - {""}
    placed = {job_id for called in listed for job_id in named.get(called, ())}
    shown = {job_id for job_ids in named.values() for job_id in job_ids}
    asked_for = {job_id for job_id, marks in owners.items() if world.memory.wanted.get((marks.name, marks.revision))}
    return tuple(sorted(shown - placed - asked_for))


def _jobs_on(one: _File, world: World, owners: Mapping[str, Marks]) -> Iterator[str]:
    """The jobs that train on it or are known by it; and of creates whose answer was lost, what they were called."""
    memory = world.memory
    for job in world.jobs:
        # Where no marks come back, the file's name is what a job is known by, also one that ended long ago.
        if (job.live or not memory.echoes) and _is_on(one, job, world, owners.get(job.id)):
            yield job.id
    listed = {job.id for job in world.jobs}
    for job_id in sorted(owners.keys() - listed):
        if one.is_of(owners[job_id]) or _was_sent(one, owners[job_id], world):
            yield job_id
    for intent in memory.intents.values():
        marks = Marks(world.fleet.name, intent.name, intent.revision, intent.attempt)
        if one.is_of(marks) or _was_sent(one, marks, world):
            yield f"the lost create of {intent.name}"


def _is_on(one: _File, job: Job, world: World, stands_for: Marks | None) -> bool:
    names = {job.training_file, job.file_name}
    whose = (job.marks, stands_for)
    named = bool(names & {one.file.id, one.file.name})
    return named or any(one.is_of(marks) or _was_sent(one, marks, world) for marks in whose)


def _was_sent(one: _File, marks: Marks | None, world: World) -> bool:
    form = world.memory.wanted.get((marks.name, marks.revision)) if marks is not None else None
    return any(one.holds((form or {}).get(field)) for field in FILES)
