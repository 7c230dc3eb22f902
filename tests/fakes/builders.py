"""Small worlds for tests: every builder has a default for what a test does not care about."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from reconciler.core.desired import Adoption, Desired, Fleet, Limits, Policy
from reconciler.core.job import Job, JobError, Marks
from reconciler.core.memory import Intent, Memory, OwnCancel, Record
from reconciler.core.world import World

FLEET = "fleet-1"
R1, R2, R3 = "1" * 16, "2" * 16, "3" * 16
# A failure after which a retry may help.
CURABLE = JobError("server_error", "try again", "")


def job(
    job_id: str = "j1",
    name: str = "a",
    revision: str = R1,
    attempt: int = 1,
    status: str = "running",
    *,
    created: int = 100,
    fleet: str = FLEET,
    orphan: bool = False,
    marked: bool = True,
    error: JobError | None = None,
    model: str | None = None,
    **more: Any,
) -> Job:
    """A job with marks; a succeeded one has a model."""
    marks = Marks(fleet, name, revision, attempt, orphan=orphan) if marked else None
    made = model or (f"ft:{job_id}" if status == "succeeded" else None)
    return Job(id=job_id, status=status, created_at=created, marks=marks, error=error, fine_tuned_model=made, **more)


def desired(name: str = "a", revision: str = R1, *, model_from: str | None = None, **policy: Any) -> Desired:
    """What a manifest of this name and revision wants."""
    adopt = policy.pop("adopt", None)
    return Desired(
        name,
        revision,
        form={"model": "m"},
        body={"model": "m", "training_file": "file-1"},
        model_from=model_from,
        policy=Policy(adopt=Adoption(*adopt) if adopt else None, **policy),
    )


def asked_for_dpo(name: str = "a", revision: str = R1, **policy: Any) -> Desired:
    """What a manifest wants that trains by preferences."""
    wanted = desired(name, revision, **policy)
    method = {"method": {"type": "dpo"}}
    return replace(wanted, form={**wanted.form, **method}, body={**wanted.body, **method})


def fleet(**fields: Any) -> Fleet:
    """A fleet; ``max_creates``, ``max_cancels``, ``max_active`` and ``max_cost`` go into its limits."""
    limits = {key: fields.pop(key) for key in ("max_creates", "max_cancels", "max_active", "max_cost") if key in fields}
    return Fleet(fields.pop("name", FLEET), limits=Limits(**limits), **fields)


def record(job_id: str = "j1", name: str = "a", revision: str = R1, attempt: int = 1, **more: Any) -> Record:
    """What the journal holds of a job; live unless said otherwise."""
    return Record(job_id, name, revision, attempt, live=more.pop("live", True), **more)


def memory(
    *,
    records: Iterable[Record] = (),
    wanted: Iterable[tuple[str, str]] = (),
    cancels: Mapping[str, OwnCancel | str] | None = None,
    intents: Iterable[Intent] = (),
    inherited: bool = True,
    **more: Any,
) -> Memory:
    """A run's memory; ``cancels`` may give the reason alone."""
    return Memory(
        inherited=inherited,
        records={r.job_id: r for r in records},
        wanted=dict.fromkeys(wanted),
        cancels={k: v if isinstance(v, OwnCancel) else OwnCancel(v) for k, v in (cancels or {}).items()},
        intents={i.name: i for i in intents},
        **more,
    )


def world(
    jobs: Iterable[Job] = (),
    wants: Iterable[Desired] = (),
    *,
    remembers: Memory | None = None,
    of: Fleet | None = None,
    **more: Any,
) -> World:
    """A world. Without ``remembers`` it is a run that knows all it sees: every revision was once wanted."""
    seen, wishes = tuple(jobs), tuple(wants)
    if remembers is None:
        ours = [j for j in seen if j.marks is not None and j.marks.fleet == FLEET]
        remembers = memory(
            records=[
                record(j.id, j.marks.name, j.marks.revision, j.marks.attempt, live=j.live) for j in ours if j.marks
            ],
            wanted={(j.marks.name, j.marks.revision) for j in ours if j.marks},
            echoes=True,
        )
    return World(of or fleet(), {d.name: d for d in wishes}, seen, remembers, **more)
