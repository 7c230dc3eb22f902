"""A job as nearly every server writes it: what a decoder makes of JSON in one step.

Pure. `provider` decodes pages of jobs to it, and `job.parse_job` reads it. A job with anything in it of another type,
or out of bounds, is none: its page is decoded to plain values, which `parse_job` reads leniently.
"""

from typing import Annotated

from msgspec import Meta, Raw, Struct

from reconciler.core.spelling import NUMBER_LIMIT, SECONDS_LIMIT

# Beyond any id, name or message of an honest server; what is longer is cut, but an id is refused.
ID_LIMIT = 512
TEXT_LIMIT = 4096

_Id = Annotated[str, Meta(max_length=ID_LIMIT, pattern=r"^[^\x00-\x1f\x7f-\x9f]+\Z")]
_Text = Annotated[str, Meta(max_length=TEXT_LIMIT)]
_Seconds = Annotated[int, Meta(gt=0, lt=SECONDS_LIMIT)]
_Whole = Annotated[int, Meta(ge=0, lt=NUMBER_LIMIT)]


class PlainMarks(Struct, kw_only=True, gc=False):
    """Of its metadata, what `job.marks_of` looks at."""

    reconciler_fleet: str | None = None
    reconciler_job: str | None = None
    reconciler_revision: str | None = None
    reconciler_attempt: str | None = None
    reconciler_on_remove: str | None = None


class PlainJob(Struct, kw_only=True, gc=False):
    """All that `job.parse_job` looks at."""

    id: _Id
    status: _Text | None = None
    created_at: _Seconds | None = None
    finished_at: _Seconds | None = None
    estimated_finish: _Seconds | None = None
    model: _Text | None = None
    fine_tuned_model: _Text | None = None
    trained_tokens: _Whole | None = None
    training_file: _Text | None = None
    seed: _Whole | None = None
    user_provided_suffix: _Text | None = None
    suffix: _Text | None = None
    error: object = None
    metadata: PlainMarks | None = None
    method: Raw = Raw()
    hyperparameters: Raw = Raw()
