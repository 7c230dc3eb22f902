"""What may be sent twice and what may not are two types, and no call can take the one for the other."""

import itertools

import pytest
from msgspec import Struct

from reconciler.provider.request import DeleteRequest, ReadRequest, Request, WriteRequest
from reconciler.provider.sender import Sender

CREATE = WriteRequest("create", "/fine_tuning/jobs", {"model": "m"})
DELETE = DeleteRequest("delete_file", "/files/file-1")
LIST = ReadRequest("list", "/fine_tuning/jobs")


def confused(sender: Sender) -> None:
    """Called by nobody: strict mypy reads it, and fails if one of these calls is ever allowed."""
    sender.read(CREATE, str)  # type: ignore[arg-type]
    sender.read(DELETE, str)  # type: ignore[arg-type]
    sender.read_sized(CREATE, str)  # type: ignore[arg-type]
    sender._asked(CREATE)  # type: ignore[arg-type]
    sender.write(LIST, str)  # type: ignore[arg-type]
    sender.send_once(LIST)  # type: ignore[arg-type]


def test_a_write_is_no_kind_of_read() -> None:
    for one, other in itertools.combinations((ReadRequest, WriteRequest, DeleteRequest), 2):
        assert set(one.__mro__) & set(other.__mro__) == set(Struct.__mro__)


@pytest.mark.parametrize(("request_", "method"), [(CREATE, "POST"), (LIST, "GET"), (DELETE, "DELETE")])
def test_a_method_follows_from_the_type(request_: Request, method: str) -> None:
    assert request_.method == method
    with pytest.raises(TypeError, match="Unexpected keyword argument 'method'"):
        type(request_)("x", "/", method="PUT")  # type: ignore[call-arg]
