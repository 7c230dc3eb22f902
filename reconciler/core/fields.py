"""What becomes of each field of a job's spec (sent? hashed? ours?), and the words that its policy may say.

Pure, and read by everything that decides: it needs no library. `desired` and `revision` ask each field's fate. The
bounds of a field stand in `spec`, where its declaration is.

To add a field, declare it in `spec.JobSpec` with its bounds, and its fate in `FATES`: one without the other is a
TypeError. The body, the revision, the JSON Schema and what `extra_body` may not hold follow. Besides that:

* one that is hashed ``AS_NAMED`` says in `revision.form` what is hashed in its place (a KeyError until it does);
* one of ``policy`` is a field of `desired.Policy` too (a TypeError until it is), and one that is neither sent nor
  hashed needs a reader: a field that changes nothing fails a test;
* tests/unit/test_fields.py asks for a job with it and one without; `revision` says in words what is hashed.
"""

import re
from collections.abc import Mapping
from enum import Enum, StrEnum

from msgspec import Struct

ONE_MODEL = "exactly one of model and model_from is needed"


class State(StrEnum):
    """What is to be done with a job: work, nothing, end it, or let it stand still where its server can."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CANCELLED = "cancelled"
    PAUSED = "paused"


class FleetState(StrEnum):
    """What is to be done with all of them."""

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


class DataChecks(StrEnum):
    """What becomes of an error in a training file."""

    ERROR = "error"
    WARN = "warn"
    OFF = "off"


class Hashed(Enum):
    """How a field of the spec counts for the revision."""

    NO = "not at all"
    AS_WRITTEN = "as the manifest sets it"
    AS_NAMED = "as what it names: a file's bytes, another job's revision"


class Fate(Struct, frozen=True):
    """What becomes of a field of the spec; what is sent and hashed follows from it.

    ``sent``: it is a field of the API's create body, under the same name.
    """

    sent: bool
    hashed: Hashed


_SENT = Fate(sent=True, hashed=Hashed.NO)
_SENT_AND_HASHED = Fate(sent=True, hashed=Hashed.AS_WRITTEN)
_SENT_AND_NAMED = Fate(sent=True, hashed=Hashed.AS_NAMED)
_OURS = Fate(sent=False, hashed=Hashed.NO)
_OURS_AND_HASHED = Fate(sent=False, hashed=Hashed.AS_WRITTEN)


# In the order in which they are declared.
FATES: Mapping[str, Fate] = {
    "model": _SENT_AND_HASHED,
    "training_file": _SENT_AND_NAMED,
    "validation_file": _SENT_AND_NAMED,
    "suffix": _SENT_AND_HASHED,
    "seed": _SENT_AND_HASHED,
    "method": _SENT_AND_HASHED,
    "hyperparameters": _SENT_AND_HASHED,
    "integrations": _SENT,
    "metadata": _SENT,
    "model_from": Fate(sent=False, hashed=Hashed.AS_NAMED),
    "extra_body": _OURS_AND_HASHED,  # its own fields are sent, after those of the spec (body.py)
    "rerun": _OURS_AND_HASHED,
    "policy": _OURS,
}
# Those that name a file.
FILES = ("training_file", "validation_file")
# Fields of the API's create body: they are written as fields of the spec, never in extra_body.
BODY_FIELDS = tuple(name for name, fate in FATES.items() if fate.sent)


# How a file is named that the provider has: ids of kinds that no path looks like, any id after `id:`, or its bytes.
_ID = re.compile(
    r"file-[A-Za-z0-9_-]+|gs://[^\x00-\x20\x7f]+|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
    r"|id:(?!sha256:)[^\x00-\x1f\x7f]{1,512}"
)
_DIGEST = re.compile(r"sha256:[0-9A-Fa-f]{64}")
_EXPLICIT = "id:"


def provided(given: str) -> str | None:
    """A file that the provider has, as body and revision name it: its id, or `sha256:` and 64 hex digits; None: a path.

    Bytes count as those of a local file do.
    """
    if _DIGEST.fullmatch(given):
        return given.lower()
    return given.removeprefix(_EXPLICIT) if _ID.fullmatch(given) else None


def is_digest(given: object) -> bool:
    """Whether a file is named by its bytes."""
    return isinstance(given, str) and _DIGEST.fullmatch(given) is not None


def as_written(file_id: str) -> str | None:
    """What a manifest writes for an id; None where it cannot."""
    shapes = (file_id, f"{_EXPLICIT}{file_id}")
    return next((shape for shape in shapes if provided(shape) == file_id and not is_digest(shape)), None)
