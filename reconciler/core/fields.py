"""The job's spec, field by field: each with its bounds and its fate (sent? hashed? ours?), declared where the field is.

Pure. `documents` puts `JobSpec` under ``spec``; `desired` and `revision` ask each field's fate, and read what the
manifest sets by `as_written`. Nothing here knows of another document, or of a file's bytes. Methods and graders,
which are large, stand in `methods`.

To add a field, declare it in `JobSpec` with its bounds and its `Fate`. The body, the revision, the JSON Schema and
what `extra_body` may not hold follow. Besides that:

* one that is hashed ``AS_NAMED`` says in `revision.form` what is hashed in its place (a KeyError until it does);
* one of ``policy`` is a field of `desired.Policy` too (a TypeError until it is), and one that is neither sent nor
  hashed needs a reader: a field that changes nothing fails a test;
* tests/unit/test_fields.py asks for a job with it and one without; `revision` says in words what is hashed.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from reconciler.core.methods import Hyperparameters, Method
from reconciler.core.placeholder import name_fault, path_fault
from reconciler.core.scalars import UNSET, FilePath, Integer, Name, Strict, Word, all_filled, meant
from reconciler.errors import escaped

# The API takes 16 pairs of metadata; six are kept for our marks (job.py).
_METADATA_PAIRS = 10
_OUR_PREFIX = "reconciler_"

ONE_MODEL = "exactly one of model and model_from is needed"


class State(StrEnum):
    """What is to be done with jobs: work, nothing, or end them."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CANCELLED = "cancelled"


class OnChange(StrEnum):
    """When the spec changes while a job is live."""

    REPLACE = "replace"
    WAIT = "wait"


class OnRemove(StrEnum):
    """When the manifest goes while a job is live."""

    CANCEL = "cancel"
    ORPHAN = "orphan"


class OnCancelled(StrEnum):
    """When somebody else cancelled the job."""

    HOLD = "hold"
    RECREATE = "recreate"


# What `job.check_id` accepts of a server.
_JobId = Annotated[
    str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$"), meant(name_fault)
]
_Revision = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]


class WandB(Strict):
    """A Weights & Biases run."""

    project: Word
    name: Word | None = None
    entity: Word | None = None
    tags: list[Word] | None = None


class Integration(Strict):
    """Where the provider reports the training."""

    type: Literal["wandb"]
    wandb: WandB


class _ModelFrom(Strict):
    job: Name
    checkpoint: Literal["last"] = "last"


class _AdoptSpec(Strict):
    job_id: _JobId
    revision: _Revision


class _PolicySpec(Strict):
    state: Annotated[State, Field(strict=False)] = State.ACTIVE
    on_change: Annotated[OnChange, Field(strict=False)] = OnChange.REPLACE
    on_remove: Annotated[OnRemove, Field(strict=False)] = OnRemove.CANCEL
    on_cancelled: Annotated[OnCancelled, Field(strict=False)] = OnCancelled.HOLD
    retries: Annotated[Integer, Field(ge=0, le=10)] = 0
    adopt: _AdoptSpec | None = None


class Hashed(Enum):
    """How a field of the spec counts for the revision."""

    NO = "not at all"
    AS_WRITTEN = "as the manifest sets it"
    AS_NAMED = "as what it names: a file's bytes, another job's revision"


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a field of the spec. Each field declares its own; what is sent and hashed follows from it.

    ``sent``: it is a field of the API's create body, under the same name.
    """

    sent: bool
    hashed: Hashed


_SENT = Fate(sent=True, hashed=Hashed.NO)
_SENT_AND_HASHED = Fate(sent=True, hashed=Hashed.AS_WRITTEN)
_OURS = Fate(sent=False, hashed=Hashed.NO)
_OURS_AND_HASHED = Fate(sent=False, hashed=Hashed.AS_WRITTEN)


def _bounded_pairs(schema: dict[str, Any]) -> None:
    """What `_within_bounds` says, for editors."""
    schema["anyOf"][0] |= {
        "maxProperties": _METADATA_PAIRS,
        "propertyNames": {"minLength": 1, "maxLength": 64, "not": {"pattern": f"^{_OUR_PREFIX}"}},
        "additionalProperties": {"type": "string", "maxLength": 512},
    }


def _no_body_fields(schema: dict[str, Any]) -> None:
    schema["anyOf"][0]["propertyNames"] = {"not": {"enum": list(BODY_FIELDS)}}


_PairText = Annotated[str, meant(path_fault)]


def _set(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"not": UNSET}}}


# What `_consistent` says, for editors.
_OLD_FORM_TOO: dict[str, Any] = {
    "allOf": [
        _set("hyperparameters"),
        _set("method"),
        {
            "not": {
                "properties": {
                    "method": {"properties": {"type": {"const": "supervised"}, "supervised": UNSET}},
                }
            }
        },
    ]
}


class JobSpec(Strict):
    model_config = ConfigDict(
        json_schema_extra={"oneOf": [_set("model"), _set("model_from")], "not": _OLD_FORM_TOO},
    )

    model: Annotated[Word | None, _SENT_AND_HASHED] = None
    training_file: Annotated[
        FilePath,
        Field(description="A path relative to this manifest, or a file id (file-…)."),
        Fate(sent=True, hashed=Hashed.AS_NAMED),
    ]
    validation_file: Annotated[FilePath | None, Fate(sent=True, hashed=Hashed.AS_NAMED)] = None
    suffix: Annotated[
        Annotated[str, StringConstraints(min_length=1, max_length=64), meant(name_fault)] | None, _SENT_AND_HASHED
    ] = None
    seed: Annotated[Annotated[Integer, Field(ge=0, le=2_147_483_647)] | None, _SENT_AND_HASHED] = None
    method: Annotated[Method | None, _SENT_AND_HASHED] = None
    hyperparameters: Annotated[Hyperparameters | None, _SENT_AND_HASHED] = None
    integrations: Annotated[list[Integration] | None, _SENT] = None
    metadata: Annotated[dict[_PairText, _PairText] | None, _SENT, Field(json_schema_extra=_bounded_pairs)] = None
    model_from: Annotated[_ModelFrom | None, Fate(sent=False, hashed=Hashed.AS_NAMED)] = None
    # Its own fields are sent, after those of the spec (body.py).
    extra_body: Annotated[dict[str, Any] | None, _OURS_AND_HASHED, Field(json_schema_extra=_no_body_fields)] = None
    rerun: Annotated[Integer, Field(ge=0, le=1_000_000), _OURS_AND_HASHED] = 0
    policy: Annotated[_PolicySpec, _OURS] = _PolicySpec()

    @field_validator("metadata")
    @classmethod
    def _within_bounds(cls, pairs: dict[str, str] | None) -> dict[str, str] | None:
        for key, value in (pairs or {}).items():
            if key.startswith(_OUR_PREFIX):
                raise ValueError(f"{escaped(key)} starts with {_OUR_PREFIX}, which is kept for this program's marks")
            if not 1 <= len(key) <= 64 or len(value) > 512:  # noqa: PLR2004 - the API's own bounds
                raise ValueError(f"{escaped(key)}: a key has 1 to 64 characters, a value at most 512")
        if pairs and len(pairs) > _METADATA_PAIRS:
            raise ValueError(f"at most {_METADATA_PAIRS} pairs; the API's other 6 are kept for this program's marks")
        return pairs

    @field_validator("extra_body")
    @classmethod
    def _not_of_the_api(cls, extra: dict[str, Any] | None) -> dict[str, Any] | None:
        misplaced = sorted(set(extra or {}) & set(BODY_FIELDS))
        if misplaced:
            raise ValueError(f"{misplaced[0]} is a field of the API: write it as spec.{misplaced[0]}")
        all_filled(extra)
        return extra

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.model is None) == (self.model_from is None):
            raise ValueError(ONE_MODEL)
        method = self.method
        if self.hyperparameters and method and not (method.type == "supervised" and method.supervised is None):
            raise ValueError("hyperparameters is the old form of method.supervised.hyperparameters: write one of them")
        return self


def fates_of(spec: type[BaseModel]) -> Mapping[str, Fate]:
    """The fate of each field. Raises TypeError for a field that does not declare one: it would silently be dropped."""
    fates = {name: [m for m in info.metadata if isinstance(m, Fate)] for name, info in spec.model_fields.items()}
    for name, found in fates.items():
        if len(found) != 1:
            raise TypeError(f"{spec.__name__}.{name} must declare one Fate, not {len(found)}")
    return {name: found[0] for name, found in fates.items()}


FATES = fates_of(JobSpec)
# Fields of the API's create body: they are written as fields of the spec, never in extra_body.
BODY_FIELDS = tuple(name for name, fate in FATES.items() if fate.sent)


def is_file_id(value: str) -> bool:
    """Whether a training file is named by a provider's id; everything else is a path."""
    return re.fullmatch(r"file-[A-Za-z0-9_-]+", value) is not None


def as_written(spec: JobSpec, fields: Iterable[str]) -> dict[str, object]:
    """What the manifest sets of ``fields``; maps that hold nothing are unset, except within ``extra_body``."""
    written = spec.model_dump(include=set(fields), exclude_unset=True)
    kept = {key: value if key == "extra_body" else _without_empty(value) for key, value in written.items()}
    return {key: value for key, value in kept.items() if value != {}}


def _without_empty(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    kept = {key: _without_empty(item) for key, item in value.items()}
    return {key: item for key, item in kept.items() if item is not None and item != {}}
