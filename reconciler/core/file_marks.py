"""Marks in the name of a training file: whose job it is, at servers that drop metadata and return the file.

Pure. `act` names the file of one attempt by `upload_names`, `review` counts what is missing; `engine.identity` hands
each job without marks, and the name of its training file, to `marked_by_file`. From there on nobody asks where marks
come from. A person may train on our file by hand: without the seed that we sent, such a job carries no marks.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from reconciler.core.body import derived_seed, same_suffix
from reconciler.core.desired import Desired
from reconciler.core.documents import TrainingFile
from reconciler.core.fields import OnRemove
from reconciler.core.job import ATTEMPT_MARK, FLEET_MARK, JOB_MARK, REVISION_MARK, Job, Marks, marks_of
from reconciler.core.memory import Memory, Record

# FLEET.JOB.REVISION.ATTEMPT.jsonl: no part can hold a dot. The mark of `on_remove: orphan` is one part more.
_ENDS = (["jsonl"], ["orphan", "jsonl"])
_KEYS = (FLEET_MARK, JOB_MARK, REVISION_MARK, ATTEMPT_MARK)


def file_name(marks: Marks) -> str:
    """The name of the file that is uploaded for this attempt alone."""
    parts = (marks.fleet, marks.name, marks.revision, str(marks.attempt), *_ENDS[marks.orphan])
    return ".".join(parts)


def marks_of_file(name: str) -> Marks | None:
    """The marks that a file's name stands for; None where it is no name of ours, or of any other fleet."""
    parts = name.split(".")
    given, end = parts[: len(_KEYS)], parts[len(_KEYS) :]
    marks = marks_of(dict(zip(_KEYS, given, strict=True))) if end in _ENDS else None
    return replace(marks, orphan=end == _ENDS[True]) if marks else None


def upload_names(file: TrainingFile, marks: Marks, memory: Memory) -> tuple[str, ...]:
    """The name under which it is uploaded, and others under which the provider may have the same bytes.

    By its content, where our marks have been seen to come back; else by the attempt that it is uploaded for.
    """
    if not memory.echoes:
        return (file_name(marks),)
    content = f"sha256:{file.sha256}"
    same = (r for r in memory.records.values() if _trained_on(memory, r) == content)
    return (file.upload_name, *(file_name(Marks(marks.fleet, r.name, r.revision, r.attempt)) for r in same))


def _trained_on(memory: Memory, record: Record) -> object:
    return (memory.wanted.get((record.name, record.revision)) or {}).get("training_file")


def marks_of_create(fleet: str, desired: Desired, attempt: int) -> Marks:
    """Those of this attempt at what its manifest wants."""
    orphan = desired.policy.on_remove is OnRemove.ORPHAN
    return Marks(fleet, desired.name, desired.revision, attempt, orphan=orphan)


def uploads_of(desired: Desired, marks: Marks, memory: Memory) -> tuple[tuple[TrainingFile, tuple[str, ...]], ...]:
    """The local files of this attempt, each with the names under which the provider may have it."""
    training = [(desired.training, upload_names(desired.training, marks, memory))] if desired.training else []
    validation = [(desired.validation, (desired.validation.upload_name,))] if desired.validation else []
    return (*training, *validation)


def on_another_file(job: Job, marks: Marks, *, exact: bool) -> bool:
    """Whether its training file's name says that it is another job than that of these marks, whose file bears its name.

    ``exact``: names have been seen to come back, so that one which says nothing is another file's.
    """
    named = marks_of_file(job.file_name)
    if named is None:
        return exact and bool(job.file_name)
    return replace(named, orphan=marks.orphan) != marks


class Sent(Struct, frozen=True):
    """What is known of what this fleet's creates sent."""

    fleet: str
    desired: Mapping[str, Desired]
    memory: Memory

    def body(self, marks: Marks) -> Mapping[str, object] | None:
        """What that create said of seed and suffix; None where nobody here knows any more."""
        desired = self.desired.get(marks.name)
        if desired is not None and desired.revision == marks.revision:
            return {**desired.body, **desired.extra_body}
        form = self.memory.wanted.get((marks.name, marks.revision))
        extra = (form or {}).get("extra_body")
        return form and {**form, **(extra if isinstance(extra, Mapping) else {})}

    def seed(self, marks: Marks) -> int:
        """The recorded one of an unresolved create, the manifest's, or the one that follows from the marks."""
        intent = self.memory.intents.get(marks.name)
        if intent is not None and (intent.revision, intent.attempt) == (marks.revision, marks.attempt):
            seed: object = intent.seed
        else:
            seed = (self.body(marks) or {}).get("seed")
        return seed if isinstance(seed, int) else derived_seed(marks)


def marked_by_file(job: Job, name: str, sent: Sent, *, seeds: bool) -> Job:
    """With the name of its training file, and its marks where that file was uploaded for this very job.

    ``seeds``: this server shows seeds, so that a job without one was sent none.
    """
    if job.marks is not None or not name:
        return job
    marks = marks_of_file(name)
    mine = marks is not None and (marks.fleet != sent.fleet or _is_that_create(job, marks, sent, seeds=seeds))
    return replace(job, file_name=name, marks=marks if mine else None)


def _is_that_create(job: Job, marks: Marks, sent: Sent, *, seeds: bool) -> bool:
    """Whether what came back can be of our create: the seed is proof, a suffix of others speaks against it."""
    body, record = sent.body(marks), sent.memory.records.get(job.id)
    if body is not None and not same_suffix(body, job):
        return False
    if job.seed == sent.seed(marks):
        return True
    # Another job of ours may have been given the file of this one by its id.
    recorded = record is None or (record.name, record.revision, record.attempt) == (
        marks.name,
        marks.revision,
        marks.attempt,
    )
    # 0 is what some servers show where there is none.
    return not job.seed and not seeds and recorded


def told_apart(jobs: Sequence[Job], memory: Memory) -> tuple[Job, ...]:
    """Of jobs on one file that no seed tells apart, only the oldest carries its marks: it was uploaded for that one.

    And those that the journal holds: a rival run may have found the same file and made a job on it, too.
    """
    oldest: dict[str, Job] = {}
    for job in sorted((j for j in jobs if j.by_file and not j.seed), key=lambda j: j.age_key):
        oldest.setdefault(job.file_name, job)
    if not oldest:
        return tuple(jobs)
    known = memory.records

    def is_told(job: Job) -> bool:
        return bool(job.seed) or job.id in known or oldest.get(job.file_name, job) is job

    return tuple(job if is_told(job) else replace(job, marks=None) for job in jobs)
