"""The body of a create request: bytes in, a checked request out.

It knows what one body may say, and nothing of the files and models that exist:
whether those are there is `creation`'s question to `store`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING, NoReturn

from . import method
from .errors import RefusalError
from .method import Field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .job import Method
    from .mode import Mode

MAX_BODY_BYTES = 1024 * 1024

_REQUIRED = ("model", "training_file")
_KNOWN = {
    *_REQUIRED,
    "validation_file",
    "suffix",
    "seed",
    "metadata",
    "integrations",
    "method",
    "hyperparameters",
}
# Room for the extra fields of other servers; they change nothing here.
_IGNORED_PREFIX = "x_"

# Bounds of the API reference.
MAX_SEED = 2**31 - 1
_MAX_PAIRS = 16
_MAX_KEY = 64
_MAX_VALUE = 512


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a client asked for; `method` may still say `"auto"`, `extra` is what only some servers take."""

    model: str
    training_file: str
    validation_file: str | None
    suffix: str | None
    seed: int | None
    metadata: Mapping[str, str] | None
    integrations: tuple[Mapping[str, object], ...]
    method: Method
    extra: Mapping[str, object] = dataclass_field(default_factory=dict)


def parse(body: bytes, mode: Mode) -> JobRequest:
    """Check a create body; raise RefusalError for the first thing that is wrong with it."""
    fields = mode.taken(object_of(body))
    for name in fields:
        if name not in _KNOWN | mode.extra and not name.startswith(_IGNORED_PREFIX):
            raise RefusalError(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    for name in _REQUIRED:
        if fields.get(name) is None:
            raise RefusalError(f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")
    return JobRequest(
        model=_text(Field("model", fields["model"])) or "",
        training_file=_text(Field("training_file", fields["training_file"])) or "",
        validation_file=_text(Field("validation_file", fields.get("validation_file"))),
        suffix=_suffix(Field("suffix", fields.get("suffix")), *mode.suffix),
        seed=_seed(Field("seed", fields.get("seed"))),
        metadata=_metadata(Field("metadata", fields.get("metadata"))),
        integrations=_integrations(Field("integrations", fields.get("integrations"))),
        method=method.parse(
            Field("method", fields.get("method")), Field("hyperparameters", fields.get("hyperparameters"))
        ),
        extra={name: _recased(fields[name]) for name in sorted(mode.extra & fields.keys())},
    )


def object_of(body: bytes) -> dict[str, object]:
    """Its fields. Raises RefusalError where it is no JSON object."""
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
        # A lone surrogate is legal JSON but no legal text: it could never be sent back.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise RefusalError(
            "We could not parse the JSON body of your request: it is not valid JSON.", code="invalid_json"
        ) from None
    if not isinstance(value, dict):
        raise RefusalError("The body of the request must be a JSON object.", code="invalid_type")
    return value


def _recased(value: object) -> object:
    """As the server that has such fields writes them: `GlobalStandard` comes back as `globalStandard`."""
    return value[:1].lower() + value[1:] if isinstance(value, str) else value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _text(field: Field) -> str | None:
    if field.value is None:
        return None
    if not isinstance(field.value, str) or not field.value:
        raise field.refusal("expected a non-empty string", "invalid_type")
    return field.value


def _suffix(field: Field, shortest: int, longest: int) -> str | None:
    text = _text(field)
    if not shortest <= len(text or "") <= longest:
        raise field.refusal(f"expected 1 to {longest} characters")
    return text


def _seed(field: Field) -> int | None:
    if field.value is None:
        return None
    if isinstance(field.value, bool) or not isinstance(field.value, int):
        raise field.refusal("expected an integer", "invalid_type")
    if not 0 <= field.value <= MAX_SEED:
        raise field.refusal(f"expected 0 to {MAX_SEED}")
    return field.value


def _metadata(field: Field) -> dict[str, str] | None:
    if field.value is None:
        return None
    pairs = field.mapping()
    if len(pairs) > _MAX_PAIRS:
        raise field.refusal(f"expected at most {_MAX_PAIRS} pairs")
    checked = {}
    for key, value in pairs.items():
        pair = Field(f"metadata.{key[:_MAX_KEY]}", value)
        if len(key) > _MAX_KEY:
            raise pair.refusal(f"expected a key of at most {_MAX_KEY} characters")
        if not isinstance(value, str):
            raise pair.refusal("expected a string", "invalid_type")
        if len(value) > _MAX_VALUE:
            raise pair.refusal(f"expected at most {_MAX_VALUE} characters")
        checked[key] = value
    return checked


def _integrations(field: Field) -> tuple[Mapping[str, object], ...]:
    if field.value is None:
        return ()
    if not isinstance(field.value, list):
        raise field.refusal("expected a list", "invalid_type")
    return tuple(_integration(Field(f"integrations[{index}]", item)) for index, item in enumerate(field.value))


def _integration(field: Field) -> Mapping[str, object]:
    integration = field.mapping()
    if integration.get("type") != "wandb":
        raise Field(f"{field.path}.type", None).refusal("expected wandb")
    wandb = Field(f"{field.path}.wandb", integration.get("wandb")).mapping()
    if not isinstance(wandb.get("project"), str):
        raise Field(f"{field.path}.wandb.project", None).refusal("expected a string", "invalid_type")
    return {"type": "wandb", "wandb": wandb}
