"""The models a job may start from.

Which names are known is pure; whether a fine-tuned model exists is answered by the
job that makes it, which the caller looks up.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import lifecycle
from .errors import RefusalError
from .scripts import MODEL_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable

    from .job import Job

# The API takes the alias and answers with the snapshot.
_SNAPSHOTS = {
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-4.1-nano": "gpt-4.1-nano-2025-04-14",
}
_FAMILIES = ("gpt-4o", "gpt-4.1", "gpt-3.5-turbo", "o4-mini", MODEL_PREFIX)
BASES = (*_SNAPSHOTS.values(), "gpt-3.5-turbo-0125", "o4-mini-2025-04-16", "babbage-002", "davinci-002")

# Within the name of a model that a job made, where it does not begin with `ft:`.
MADE = ".ft-"

_CHECKPOINT = re.compile(r":ckpt-step-\d+$")


def snapshot(model: str) -> str:
    """The dated name of a base model; any other name is its own."""
    return _SNAPSHOTS.get(model, model)


def is_base(model: str) -> bool:
    return model in BASES or (model.startswith(_FAMILIES) and MADE not in model)


def is_ready(model: str, now: float, job_by_model: Callable[[str], Job | None]) -> bool:
    """Whether a fine-tuned model, or a checkpoint of one, can be trained further."""
    job = job_by_model(_CHECKPOINT.sub("", model))
    if job is None or lifecycle.status(job, now) != "succeeded":
        return False
    return model == job.fine_tuned_model or any(saved.model == model for saved in lifecycle.checkpoints(job, now))


def unknown(model: str, *, status: int) -> RefusalError:
    return RefusalError(
        f"The model '{model[:256]}' does not exist or is not available for fine-tuning.",
        status=status,
        param="model",
        code="model_not_found",
    )
