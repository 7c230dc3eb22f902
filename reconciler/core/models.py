"""The documents a person writes, strict: `kind: Fleet` and `kind: FineTuningJob`.

Pure. `source` calls `fleet_spec` and `job_spec` for parsed YAML, and goes on with the plain values that they return;
`render` prints the JSON Schema. An unknown field is refused, but for those that a cluster adds. The fields of a job's
``spec`` stand in `spec`. Only who reads YAML imports this module, and pydantic only where a document is wrong.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from reconciler.core.acceptance import accepted
from reconciler.core.documents import ProviderName
from reconciler.core.fields import DataChecks, FleetState
from reconciler.core.scalars import Before, Bounds, ForEditors, Integer, Name, Number, Strict, Word, integral
from reconciler.core.spec import JobSpec, as_written

if TYPE_CHECKING:
    from pydantic import ValidationError

_PERCENT = r"^(?:0{0,2}[0-9]|0?[1-9][0-9]|100)%$"
_CLUSTERS = "What a cluster adds; ignored."


class ClusterMetadata(Strict):
    """What a cluster adds to what it prints: accepted in any shape, and read by nobody."""

    creationTimestamp: Any = None
    deletionGracePeriodSeconds: Any = None
    deletionTimestamp: Any = None
    finalizers: Any = None
    generateName: Any = None
    generation: Any = None
    managedFields: Any = None
    ownerReferences: Any = None
    resourceVersion: Any = None
    selfLink: Any = None
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


def _count_or_share(value: Any) -> Any:
    number = integral(value)
    if isinstance(number, int) and not isinstance(number, bool) and number >= 0:
        return number
    if not isinstance(value, str) or value.endswith("\n") or not re.match(_PERCENT, value):
        raise ValueError("must be a number from 0, or a share such as 30%")
    return value


def _either(schema: dict[str, Any]) -> None:
    """What `_count_or_share` says, for editors."""
    schema["anyOf"] = [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": _PERCENT}]


_CountOrShare = Annotated[
    int | str, Before(_count_or_share), ForEditors("A number, or a share of the live jobs such as 30%.", _either)
]


class _LimitsSpec(Strict):
    max_creates: Annotated[Integer, Bounds(ge=0)] = 20
    max_cancels: _CountOrShare = "30%"
    max_active: Annotated[Integer, Bounds(ge=1)] | None = None
    max_cost: Annotated[Number, Bounds(gt=0), ForEditors("US dollars.")] | None = None


class _FleetSpec(Strict):
    provider: ProviderName
    state: FleetState = FleetState.ACTIVE
    prune: bool = True
    data_checks: Annotated[
        DataChecks, ForEditors("What an error in a training file is: an error, a warning, or nothing.")
    ] = DataChecks.ERROR
    expect: _ExpectSpec | None = None
    limits: _LimitsSpec = _LimitsSpec()


class FleetDocument(Strict):
    """`kind: Fleet`: whose jobs these are, where, and how much may happen at once."""

    apiVersion: Literal["reconciler/v1"]
    kind: Literal["Fleet"]
    metadata: _Metadata
    spec: _FleetSpec
    status: Annotated[Any, ForEditors(_CLUSTERS)] = None


class FineTuningJobDocument(Strict):
    """`kind: FineTuningJob`: one job, in the API's own field names, and what this program does with it."""

    apiVersion: Literal["reconciler/v1"]
    kind: Literal["FineTuningJob"]
    metadata: _Metadata
    spec: JobSpec
    status: Annotated[Any, ForEditors(_CLUSTERS)] = None


class Invalid(Exception):
    """A document that is refused: what it should be, and each error as pydantic has it; `complaints` has the words."""

    def __init__(self, error: "ValidationError") -> None:
        super().__init__(str(error))
        self.document = error.title
        self.errors = error.errors()


def fleet_spec(value: Mapping[str, object]) -> tuple[str, Mapping[str, Any]]:
    """The name and the spec of a fleet, as far as its document sets it. Raises Invalid."""
    document = _document(FleetDocument, value)
    return document["metadata"]["name"], document["spec"]


def job_spec(value: Mapping[str, object]) -> tuple[str, Mapping[str, Any]]:
    """The same of a job. Raises Invalid."""
    document = _document(FineTuningJobDocument, value)
    spec = as_written(document["spec"])
    if "model_from" in spec:  # what is hashed says which checkpoint, written or not
        spec["model_from"].setdefault("checkpoint", "last")
    return document["metadata"]["name"], spec


def _document(kind: type[Strict], value: Mapping[str, object]) -> Mapping[str, Any]:
    document = accepted(kind, value)
    return _validated(kind, value) if document is None else document


def _validated(kind: type[Strict], value: Mapping[str, object]) -> Mapping[str, Any]:
    """The same with pydantic's word for it, which has all that is wrong. Raises Invalid."""
    # Imported here: it costs 120 ms, and nearly every document is right.
    from pydantic import ValidationError  # noqa: PLC0415

    from reconciler.core.validation import model_of  # noqa: PLC0415

    try:
        return model_of(kind).model_validate(value).model_dump(exclude_unset=True)
    except ValidationError as error:
        raise Invalid(error) from error
