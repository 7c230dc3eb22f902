"""The job's spec as a person writes it: each field with its bounds.

Pure. `models` puts `JobSpec` under ``spec``, and takes what a manifest sets out of it by `as_written`. Nothing in here
knows of another document, or of a file's bytes. Methods and graders, which are large, stand in `methods`; what becomes
of a field stands in `fields`. Only who reads YAML imports this module.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from reconciler.core.fields import BODY_FIELDS, FATES, ONE_MODEL, OnCancelled, OnChange, OnRemove, State
from reconciler.core.methods import Hyperparameters, Method
from reconciler.core.placeholder import name_fault, path_fault
from reconciler.core.scalars import (
    UNSET,
    After,
    Bounds,
    FilePath,
    ForEditors,
    Integer,
    Name,
    Strict,
    Word,
    all_filled,
    meant,
)
from reconciler.errors import escaped

# The API takes 16 pairs of metadata; six are kept for our marks (job.py).
_METADATA_PAIRS = 10
_OUR_PREFIX = "reconciler_"


# What `job.check_id` accepts of a server.
_JobId = Annotated[str, Bounds(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$"), meant(name_fault)]
_Revision = Annotated[str, Bounds(pattern=r"^[0-9a-f]{16}$")]


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


class PolicySpec(Strict):
    state: State = State.ACTIVE
    on_change: OnChange = OnChange.REPLACE
    on_remove: OnRemove = OnRemove.CANCEL
    on_cancelled: OnCancelled = OnCancelled.HOLD
    retries: Annotated[Integer, Bounds(ge=0, le=10)] = 0
    adopt: _AdoptSpec | None = None


def _bounded_pairs(schema: dict[str, Any]) -> None:
    """What `_within_bounds` says, for editors."""
    schema["anyOf"][0] |= {
        "maxProperties": _METADATA_PAIRS,
        "propertyNames": {"minLength": 1, "maxLength": 64, "not": {"pattern": f"^{_OUR_PREFIX}"}},
        "additionalProperties": {"type": "string", "maxLength": 512},
    }


def _no_body_fields(schema: dict[str, Any]) -> None:
    schema["anyOf"][0]["propertyNames"] = {"not": {"enum": list(BODY_FIELDS)}}


def _within_bounds(pairs: Mapping[str, str]) -> Mapping[str, str]:
    for key, value in pairs.items():
        if key.startswith(_OUR_PREFIX):
            raise ValueError(f"{escaped(key)} starts with {_OUR_PREFIX}, which is kept for this program's marks")
        if not 1 <= len(key) <= 64 or len(value) > 512:  # noqa: PLR2004 - the API's own bounds
            raise ValueError(f"{escaped(key)}: a key has 1 to 64 characters, a value at most 512")
    if len(pairs) > _METADATA_PAIRS:
        raise ValueError(f"at most {_METADATA_PAIRS} pairs; the API's other 6 are kept for this program's marks")
    return pairs


def _not_of_the_api(extra: Mapping[str, Any]) -> Mapping[str, Any]:
    misplaced = sorted(set(extra) & set(BODY_FIELDS))
    if misplaced:
        raise ValueError(f"{misplaced[0]} is a field of the API: write it as spec.{misplaced[0]}")
    all_filled(extra)
    return extra


_PairText = Annotated[str, meant(path_fault)]
_Pairs = Annotated[dict[_PairText, _PairText], After(_within_bounds)]
_Extra = Annotated[dict[str, Any], After(_not_of_the_api)]


def _set(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"not": UNSET}}}


# What `JobSpec.check` says, for editors.
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


class JobSpec(Strict, schema={"oneOf": [_set("model"), _set("model_from")], "not": _OLD_FORM_TOO}):
    model: Word | None = None
    training_file: Annotated[
        FilePath,
        ForEditors(
            "A path relative to this manifest; or a file that the provider has: "
            "file-…, gs://…, a UUID, id:ANY, or sha256:HEX."
        ),
    ]
    validation_file: FilePath | None = None
    suffix: Annotated[str, Bounds(min_length=1, max_length=64), meant(name_fault)] | None = None
    seed: Annotated[Integer, Bounds(ge=0, le=2_147_483_647)] | None = None
    method: Method | None = None
    hyperparameters: Hyperparameters | None = None
    integrations: list[Integration] | None = None
    metadata: Annotated[_Pairs | None, ForEditors(adjust=_bounded_pairs)] = None
    model_from: _ModelFrom | None = None
    # Its own fields are sent, after those of the spec (body.py).
    extra_body: Annotated[_Extra | None, ForEditors(adjust=_no_body_fields)] = None
    rerun: Annotated[Integer, Bounds(ge=0, le=1_000_000)] = 0
    policy: PolicySpec = PolicySpec()

    @classmethod
    def check(cls, written: Mapping[str, Any]) -> None:
        if ("model" in written) == ("model_from" in written):
            raise ValueError(ONE_MODEL)
        method = written.get("method")
        if "hyperparameters" in written and method and not (method["type"] == "supervised" and len(method) == 1):
            raise ValueError("hyperparameters is the old form of method.supervised.hyperparameters: write one of them")


def check_fates(spec: type[JobSpec]) -> None:
    """Raises TypeError where a field has no fate: it would silently be dropped."""
    differing = sorted(spec.fields.keys() ^ FATES.keys())
    if differing:
        raise TypeError(f"{spec.__name__} and FATES differ: {', '.join(differing)}")


check_fates(JobSpec)


def as_written(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What the manifest sets; maps that hold nothing are unset, except within ``extra_body``."""
    kept = {key: value if key == "extra_body" else _without_empty(value) for key, value in spec.items()}
    return {key: value for key, value in kept.items() if value != {}}


def _without_empty(value: object) -> object:
    if not isinstance(value, dict):
        return value
    kept = {key: _without_empty(item) for key, item in value.items()}
    return {key: item for key, item in kept.items() if item is not None and item != {}}
