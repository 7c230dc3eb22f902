"""One request to a provider, as a value: a read, which may be sent again, or a write, which may not.

`client`, `files` and `listing` make them, `sender` sends them. No function takes a `WriteRequest` or a `DeleteRequest`
where a `ReadRequest` is asked for: the type checker keeps a create from being sent twice.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar
from urllib.parse import quote

from msgspec import Struct, field

from reconciler.core.job import check_id
from reconciler.errors import Unreadable, escaped

# Seconds for everything about one request, from its first packet to the answer's last byte.
REQUEST_DEADLINE = 10.0
# As a step of a path these lead elsewhere, and `quote` leaves their dots as they are.
_DOTS = frozenset({".", ".."})


class ReadRequest(Struct, frozen=True):
    """A GET. It changes nothing, so it may be sent again."""

    operation: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    all_jobs: bool = False  # the listing that what is written depends on
    method: ClassVar[str] = "GET"


class Upload(Struct, frozen=True):
    """A file to upload. ``pieces`` gives its bytes, anew at each call; ``size`` is their number.

    ``pieces`` raises before the last piece where the file is not what it should be, so that it never arrives whole.
    """

    name: str
    size: int
    pieces: Callable[[], Iterable[bytes]]


class WriteRequest(Struct, frozen=True):
    """A POST. It may have taken effect though its answer was lost, so it is sent once. It is no kind of `ReadRequest`.

    Its content is ``body`` as JSON, or ``upload`` in a form.
    """

    operation: str
    path: str
    body: Mapping[str, object] | None = None
    upload: Upload | None = None
    method: ClassVar[str] = "POST"


class DeleteRequest(Struct, frozen=True):
    """A DELETE of one file. Like every write it is sent once; it makes nothing, so it is no `WriteRequest`."""

    operation: str
    path: str
    method: ClassVar[str] = "DELETE"


Request = ReadRequest | WriteRequest | DeleteRequest


class RequestRecord(Struct, frozen=True):
    """One request as it went, for the log: ``duration`` in seconds, ``status`` None where none came."""

    operation: str
    method: str
    path: str
    status: int | None
    duration: float
    request_id: str
    error: str


def step(identifier: str) -> str:
    """An id as one step of a path, percent-encoded. Raises Unreadable where it cannot be one."""
    try:
        check_id(identifier, "path")
    except ValueError as error:
        raise Unreadable(f"the id {escaped(identifier)} cannot be used in a path: {error}") from error
    return "".join(
        part.replace(".", "%2E") if part in _DOTS else quote(part, safe="") for part in re.split(r"([/\\])", identifier)
    )
