"""Creating a job: a checked request and what exists, made into a job's record.

It asks `store` for the files and models a request names, looks up the script it
follows, and asks about twins within the transaction that keeps the job.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from . import method, models, scripts
from .errors import RefusalError
from .job import Failure, Job
from .store import File
from .training import ANYTHING, MIN_EXAMPLES, kind_of

if TYPE_CHECKING:
    from .mode import Mode
    from .request import JobRequest
    from .store import Store


@dataclass(frozen=True, slots=True)
class Birth:
    """What a request does not say: an id, time and chance."""

    id: str
    now: float
    speed: float
    seed: int


def create(store: Store, asked: JobRequest, birth: Birth, mode: Mode) -> Job:
    """Keep a new job; raise RefusalError when it names what is not there, or when its script says so."""
    script = scripts.find(suffix=asked.suffix, model=asked.model)
    if script is not None and script.refused is not None:
        raise script.refused.error()
    _check_model(store, asked.model, birth.now)

    def file(file_id: str, param: str) -> File:
        found = _usable(store.file(file_id) if mode.uploads else _object(file_id), file_id, param)
        if mode.is_pending(found, birth.now, birth.speed):
            raise RefusalError(f"File '{file_id}' is not ready yet.", param=param, code="invalid_file")
        return found

    training = file(asked.training_file, "training_file")
    validation = file(asked.validation_file, "validation_file") if asked.validation_file else None
    kind = ANYTHING if mode.trains_anything else kind_of(asked.method.type, _first_base(store, asked.model))
    draft = Job(
        id=birth.id,
        created=birth.now,
        speed=birth.speed,
        model=models.snapshot(asked.model),
        training_file=asked.training_file,
        validation_file=asked.validation_file,
        suffix=asked.suffix,
        seed=birth.seed if asked.seed is None else asked.seed,
        metadata=asked.metadata,
        integrations=asked.integrations,
        method=method.resolve(asked.method, training.examples),
        examples=training.examples,
        tokens=training.tokens,
        failure=_failure(kind, training, validation, asked.method.extras.get("grader")),
        script=None if script is None else script.name,
        endless=script is not None and script.endless,
        made_as=mode.model_name(models.snapshot(asked.model), birth.id, asked.suffix),
        auto=tuple(name for name, value in asked.method.hyperparameters.items() if value == method.AUTO),
        extra=asked.extra,
    )
    return store.add_job(draft, lambda job, has_older_twin: _scripted(job, script, has_older_twin=has_older_twin))


def _scripted(job: Job, script: scripts.Script | None, *, has_older_twin: bool) -> Job:
    """The job as its script wants it; on a bad file it fails of that, before a script can fail it."""
    if script is None or job.failure is not None or (script.once and has_older_twin):
        return job
    return replace(job, failure=script.failure)


def _check_model(store: Store, model: str, now: float) -> None:
    if not models.is_base(model) and not models.is_ready(model, now, store.job_by_model):
        raise models.unknown(model, status=400)


def _first_base(store: Store, model: str) -> str:
    """The base model at the beginning of a chain of fine-tuned ones."""
    while (job := store.job_by_model(model)) is not None:
        model = job.model
    return model


def _object(name: str) -> File:
    """A file that nobody uploads: the server finds it by its name."""
    return File(name, 0.0, 1, name, "fine-tune", MIN_EXAMPLES, MIN_EXAMPLES, None)


def _usable(file: File | None, file_id: str, param: str) -> File:
    if file is None:
        raise RefusalError(f"Invalid '{param}': no file '{file_id[:256]}' exists.", param=param, code="invalid_file")
    if file.purpose != "fine-tune":
        raise RefusalError(
            f"Invalid '{param}': file '{file_id}' has purpose '{file.purpose}', not 'fine-tune'.",
            param=param,
            code="invalid_file",
        )
    return file


def _failure(kind: str, training: File, validation: File | None, grader: object) -> Failure | None:
    if (failure := training.dataset.failure(kind, grader=grader)) is not None:
        return failure
    return None if validation is None else validation.dataset.failure(kind, "validation", grader)
