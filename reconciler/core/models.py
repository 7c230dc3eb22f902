"""The documents a person writes, strict: `kind: Fleet` and `kind: FineTuningJob`.

Pure. `source` calls `fleet_spec` and `job_spec` for parsed YAML, and goes on with the plain values that they return;
`render` prints the JSON Schema. An unknown field is refused, but for those that a cluster adds. The fields of a job's
``spec`` stand in `spec`. Only who reads YAML imports this module: pydantic costs 100 ms.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from reconciler.core.documents import ProviderName
from reconciler.core.fields import DataChecks, FleetState
from reconciler.core.scalars import Integer, Name, Number, Strict, Word, integral
from reconciler.core.spec import JobSpec, as_written

_PERCENT = r"^(?:0{0,2}[0-9]|0?[1-9][0-9]|100)%$"
_CLUSTERS = "What a cluster adds; ignored."


class ClusterMetadata(Strict):
    """What a cluster adds to what it prints: accepted in any shape, and read by nobody."""

    model_config = ConfigDict(alias_generator=to_camel)

    creation_timestamp: Any = None
    deletion_grace_period_seconds: Any = None
    deletion_timestamp: Any = None
    finalizers: Any = None
    generate_name: Any = None
    generation: Any = None
    managed_fields: Any = None
    owner_references: Any = None
    resource_version: Any = None
    self_link: Any = None
    uid: Any = None


class _Metadata(ClusterMetadata):
    name: Name
    namespace: Word | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class _ExpectSpec(Strict):
    host: Word | None = None
    organization: Word | None = None
    project: Word | None = None


def _count_or_share(schema: dict[str, Any]) -> None:
    """What the field's validator says, for editors."""
    schema["anyOf"] = [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": _PERCENT}]


class _LimitsSpec(Strict):
    max_creates: Annotated[Integer, Field(ge=0)] = 20
    max_cancels: int | str = Field(
        default="30%",
        description="A number, or a share of the live jobs such as 30%.",
        json_schema_extra=_count_or_share,
    )
    max_active: Annotated[Integer, Field(ge=1)] | None = None
    max_cost: Annotated[Number, Field(gt=0, description="US dollars.")] | None = None

    @field_validator("max_cancels", mode="before")
    @classmethod
    def _count_or_share(cls, value: Any) -> Any:
        number = integral(value)
        if isinstance(number, int) and not isinstance(number, bool) and number >= 0:
            return number
        if not isinstance(value, str) or value.endswith("\n") or not re.match(_PERCENT, value):
            raise ValueError("must be a number from 0, or a share such as 30%")
        return value


class _FleetSpec(Strict):
    provider: Annotated[ProviderName, Field(strict=False)]
    state: Annotated[FleetState, Field(strict=False)] = FleetState.ACTIVE
    prune: bool = True
    data_checks: Annotated[DataChecks, Field(strict=False)] = Field(
        default=DataChecks.ERROR,
        description="What an error in a training file is: an error, a warning, or nothing.",
    )
    expect: _ExpectSpec | None = None
    limits: _LimitsSpec = _LimitsSpec()


class FleetDocument(Strict):
    """`kind: Fleet`: whose jobs these are, where, and how much may happen at once."""

    apiVersion: Literal["reconciler/v1"]  # noqa: N815 - Kubernetes' envelope
    kind: Literal["Fleet"]
    metadata: _Metadata
    spec: _FleetSpec
    status: Any = Field(default=None, description=_CLUSTERS)


class FineTuningJobDocument(Strict):
    """`kind: FineTuningJob`: one job, in the API's own field names, and what this program does with it."""

    apiVersion: Literal["reconciler/v1"]  # noqa: N815 - Kubernetes' envelope
    kind: Literal["FineTuningJob"]
    metadata: _Metadata
    spec: JobSpec
    status: Any = Field(default=None, description=_CLUSTERS)


def fleet_spec(value: Mapping[str, object]) -> tuple[str, Mapping[str, Any]]:
    """The name and the spec of a fleet, as far as its document sets it. Raises pydantic's ValidationError."""
    document = FleetDocument.model_validate(value)
    return document.metadata.name, document.spec.model_dump(exclude_unset=True)


def job_spec(value: Mapping[str, object]) -> tuple[str, Mapping[str, Any]]:
    """The same of a job. Raises pydantic's ValidationError."""
    document = FineTuningJobDocument.model_validate(value)
    spec = as_written(document.spec)
    if document.spec.model_from is not None:
        spec["model_from"] = dict(document.spec.model_from)  # what is hashed says which checkpoint, written or not
    return document.metadata.name, spec
