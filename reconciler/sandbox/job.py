"""A job as the sandbox remembers it: what was asked, and when a client intervened.

Built by `creation`, kept by `store`, read by `lifecycle` and `wire`. It holds no
status: that follows from this record and the time, so reading never writes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from .ids import derived

Hyperparameters = Mapping[str, int | float | str]


@dataclass(frozen=True, slots=True)
class Failure:
    """The end a job will come to. `training` tells a failure halfway through training from one in validation."""

    code: str
    message: str
    param: str | None = None
    training: bool = False


@dataclass(frozen=True, slots=True)
class Method:
    """How to train; every `"auto"` is already a number. `extras` are echoed: the grader, the response format."""

    type: str
    hyperparameters: Hyperparameters
    extras: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Pause:
    """Seconds since the epoch; `end` is None while the job is still paused."""

    start: float
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """Times are seconds since the epoch, with fractions; `speed` divides every duration."""

    id: str
    created: float
    speed: float
    model: str
    training_file: str
    validation_file: str | None
    suffix: str | None
    seed: int
    metadata: Mapping[str, str] | None
    integrations: tuple[Mapping[str, object], ...]
    method: Method
    examples: int
    tokens: int
    script: str | None = None
    failure: Failure | None = None
    endless: bool = False
    cancelled: float | None = None
    pauses: tuple[Pause, ...] = ()
    made_as: str = ""  # the name of its model, where a mode has names of its own
    auto: tuple[str, ...] = ()  # hyperparameters that were left to the server
    extra: Mapping[str, object] = field(default_factory=dict)  # fields that only some servers have, as they show them

    @property
    def fine_tuned_model(self) -> str:
        """The name its model gets once it succeeds; training a fine-tuned model again keeps the first base."""
        if self.made_as:
            return self.made_as
        base = self.model.split(":")[1] if self.model.startswith("ft:") else self.model
        suffix = re.sub(r"[^A-Za-z0-9_.-]+", "-", self.suffix or "")
        return f"ft:{base}:sandbox:{suffix}:{derived(self.id, 'model', length=8)}"

    @property
    def epochs(self) -> int:
        return int(self.method.hyperparameters["n_epochs"])

    @property
    def steps_per_epoch(self) -> int:
        return max(1, -(-self.examples // int(self.method.hyperparameters["batch_size"])))


def dump(job: Job) -> str:
    return json.dumps(asdict(job))


def load(text: str) -> Job:
    """The inverse of `dump`."""
    fields = json.loads(text)
    failure = fields.pop("failure")
    return Job(
        method=Method(**fields.pop("method")),
        failure=failure and Failure(**failure),
        integrations=tuple(fields.pop("integrations")),
        pauses=tuple(Pause(**pause) for pause in fields.pop("pauses")),
        auto=tuple(fields.pop("auto", ())),
        **fields,
    )
