"""Scripted failures: what a job's suffix or model can make the sandbox do.

A script is chosen by a suffix equal to its name, or by the model `sandbox-` plus
its name. It changes the fate of that one job and nothing else.

| script             | what happens                                                             |
|--------------------|--------------------------------------------------------------------------|
| `fail-server`      | the job fails halfway through training, code `server_error`              |
| `fail-server-once` | the same, but only for the first job of its model and mark (the metadata |
|                    | key `reconciler_job`), or, without a mark, of its training file          |
| `fail-file`        | the job fails in validation, code `invalid_training_file`                |
| `slow`             | the job trains for 24 hours (divided by the speed), until it is cancelled |
| `repeated`         | the same; and a gateway that repeats creates makes three jobs of one     |
| `refuse-quota`     | create answers 429, code `insufficient_quota`                            |
| `refuse-403`       | create answers 403, code `training_not_available`                        |
| `refuse-400`       | create answers 400                                                       |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import RefusalError
from .job import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

MODEL_PREFIX = "sandbox-"
# The metadata key that tells two jobs of one model and one file apart.
MARK = "reconciler_job"


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer to create, in place of a job."""

    status: int
    message: str
    code: str | None = None
    kind: str = "invalid_request_error"

    def error(self) -> RefusalError:
        return RefusalError(self.message, status=self.status, code=self.code, kind=self.kind)


@dataclass(frozen=True, slots=True)
class Script:
    name: str
    refused: Refused | None = None
    failure: Failure | None = None
    once: bool = False
    endless: bool = False
    repeated: bool = False


_SERVER_ERROR = Failure("server_error", "The server had an error while training. Please try again.", training=True)

_SCRIPTS: Mapping[str, Script] = {
    script.name: script
    for script in (
        Script("fail-server", failure=_SERVER_ERROR),
        Script("fail-server-once", failure=_SERVER_ERROR, once=True),
        Script(
            "fail-file",
            failure=Failure(
                "invalid_training_file", "The job failed due to an invalid training file.", "training_file"
            ),
        ),
        Script("slow", endless=True),
        Script("repeated", endless=True, repeated=True),
        Script(
            "refuse-quota",
            refused=Refused(
                429,
                "You exceeded your current quota, please check your plan and billing details.",
                "insufficient_quota",
                "insufficient_quota",
            ),
        ),
        Script(
            "refuse-403",
            refused=Refused(403, "Fine-tuning is not available for this organization.", "training_not_available"),
        ),
        Script("refuse-400", refused=Refused(400, "The request was refused, as its script asks.")),
    )
}


def find(*, suffix: str | None, model: str) -> Script | None:
    """The script a job asks for; the suffix wins over the model."""
    by_model = _SCRIPTS.get(model.removeprefix(MODEL_PREFIX)) if model.startswith(MODEL_PREFIX) else None
    return _SCRIPTS.get(suffix or "", by_model)
