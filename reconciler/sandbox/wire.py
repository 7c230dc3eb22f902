"""Records as the API's objects: the shape of every successful answer.

Pure; the field names and the nulls are those of the API reference and of answers
seen in practice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import lifecycle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .job import Job
    from .lifecycle import Checkpoint, Event
    from .store import File

Object = dict[str, object]


def job(record: Job, now: float) -> Object:
    status = lifecycle.status(record, now)
    succeeded = status == "succeeded"
    method = record.method
    return {
        "object": "fine_tuning.job",
        "id": record.id,
        "model": record.model,
        "created_at": int(record.created),
        "finished_at": _seconds(lifecycle.finished_at(record, now)),
        "estimated_finish": _seconds(lifecycle.estimated_finish(record, now)),
        "fine_tuned_model": record.fine_tuned_model if succeeded else None,
        "organization_id": "org-sandbox",
        "result_files": [],
        "status": status,
        "validation_file": record.validation_file,
        "training_file": record.training_file,
        # The older form; the API leaves it null for every other method.
        "hyperparameters": dict(method.hyperparameters) if method.type == "supervised" else None,
        "method": {
            "type": method.type,
            method.type: {"hyperparameters": dict(method.hyperparameters), **method.extras},
        },
        "trained_tokens": record.tokens * record.epochs if succeeded else None,
        "integrations": [_with_run(integration, record.id) for integration in record.integrations],
        "seed": record.seed,
        "user_provided_suffix": record.suffix,
        "metadata": record.metadata,
        "error": _error(record, status),
        "usage_metrics": None,
        "shared_with_openai": False,
    }


def event(record: Job, happened: Event) -> Object:
    return {
        "object": "fine_tuning.job.event",
        "id": lifecycle.event_id(record, happened),
        "created_at": int(happened.at),
        "level": happened.level,
        "message": happened.message,
        "type": happened.type,
        "data": happened.data,
    }


def checkpoint(record: Job, saved: Checkpoint) -> Object:
    return {
        "object": "fine_tuning.job.checkpoint",
        "id": lifecycle.checkpoint_id(record, saved),
        "created_at": int(saved.at),
        "fine_tuned_model_checkpoint": saved.model,
        "fine_tuning_job_id": record.id,
        "step_number": saved.step,
        "metrics": saved.metrics,
    }


def file(record: File) -> Object:
    return {
        "object": "file",
        "id": record.id,
        "bytes": record.bytes,
        "created_at": int(record.created),
        "expires_at": None,
        "filename": record.filename,
        "purpose": record.purpose,
        "status": "processed",
        "status_details": None,
    }


def model(name: str, *, created: float = 0, owner: str = "sandbox") -> Object:
    return {"object": "model", "id": name, "created": int(created), "owned_by": owner}


def listing(objects: Sequence[Object], *, has_more: bool) -> Object:
    return {"object": "list", "data": objects, "has_more": has_more}


def bounded_listing(objects: Sequence[Object], *, has_more: bool) -> Object:
    """A list that also says where it begins and ends."""
    ids = [item["id"] for item in objects] or [None]
    return {**listing(objects, has_more=has_more), "first_id": ids[0], "last_id": ids[-1]}


def _seconds(at: float | None) -> int | None:
    return None if at is None else int(at)


def _error(record: Job, status: str) -> Object:
    """All null while nothing is wrong, as the API answers."""
    if status != "failed" or record.failure is None:
        return {"code": None, "message": None, "param": None}
    failure = record.failure
    return {"code": failure.code, "message": failure.message, "param": failure.param}


def _with_run(integration: object, run_id: str) -> Object:
    match integration:
        case {"type": kind, "wandb": {**wandb}}:
            return {"type": kind, "wandb": {"entity": None, **wandb, "run_id": run_id}}
        case _:
            return {}
