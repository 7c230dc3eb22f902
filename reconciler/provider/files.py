"""Training files at the provider: find, upload, wait until one can be used, delete.

`client` offers these operations as its own.
"""

import contextlib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from itertools import islice

from msgspec import Struct

from reconciler.clock import Clock
from reconciler.core.documents import content_of
from reconciler.core.file_uses import ProviderFile
from reconciler.core.job import id_of, object_of, text_of
from reconciler.core.spelling import status_word, unix_seconds, whole_number
from reconciler.errors import OutcomeUnknown, ProviderError, RateLimited, Refused, Unreadable, escaped
from reconciler.provider.answer import NO_ROUTE
from reconciler.provider.listing import Listings
from reconciler.provider.request import DeleteRequest, ReadRequest, Upload, WriteRequest, step
from reconciler.provider.sender import Sender

_FILE_POLL = 1.0
_FILE_PENDING = frozenset({"pending", "running", "processing", "importing", "queued", "validating", "uploading"})
_NOT_SHOWN = "not shown"
# How often a file is asked for, by its status. Some servers never say more than one of the last two.
_FILE_POLLS = dict.fromkeys(_FILE_PENDING, 120) | {"uploaded": 20, _NOT_SHOWN: 10}
_FILE_UNFIT = frozenset({"error", "failed", "deleted", "deleting", "canceled", "cancelled"})

# Files whose names one look reads; any other is asked for by itself.
_NAMES_LIMIT = 2000

_NOT_FOUND = 404
# Answers of a server that does not take our parameters.
_WRONG_QUESTION = frozenset({400, 422})


class Files:
    """The training files of one account. Safe to use from several threads."""

    def __init__(self, sender: Sender, listings: Listings, clock: Clock) -> None:
        self._sender = sender
        self._listings = listings
        self._clock = clock
        self._last_words: set[str] = set()  # statuses beyond which this server says no more of a file

    def find(self, wanted: AbstractSet[tuple[str, int | None]]) -> Mapping[tuple[str, int | None], str]:
        """The usable ones among training files of these names and sizes in bytes, in one walk.

        A file counts as absent where the listing does not exist, or ends before it is shown: a second upload costs
        nothing.
        """
        found: dict[tuple[str, int | None], str] = {}
        if not wanted:
            return found
        read = ReadRequest("list_files", "/files", params={"purpose": "fine-tune"})
        try:
            for file in self._listings.items(read, _parse_file, lambda file: file.id):
                if file.status not in _FILE_UNFIT:
                    found |= dict.fromkeys((one for one in wanted - found.keys() if file.holds(*one)), file.id)
                if len(found) == len(wanted):
                    break
        except (Refused, Unreadable) as error:
            if error.status is not None and error.status not in NO_ROUTE | _WRONG_QUESTION:
                raise
        return found

    def every(self) -> tuple[ProviderFile, ...]:
        """All training files. Raises as a listing does, also where it cannot be walked to its end."""
        read = ReadRequest("list_files", "/files", params={"purpose": "fine-tune"})
        files = {file.id: file for file in self._listings.items(read, _parse_file, lambda file: file.id)}
        mine = (file for file in files.values() if file.purpose in {"", "fine_tune"})
        return tuple(ProviderFile(file.id, file.name, file.size or 0, file.created_at) for file in mine)

    def ask(self) -> None:
        """Whether the server lists files. Raises as a listing does where it does not."""
        read = ReadRequest("list_files", "/files", params={"purpose": "fine-tune"})
        next(self._listings.pages(read, _parse_file, lambda file: file.id, enough=1))

    def name(self, file_id: str) -> str:
        """The name of one file; "" where there is no such file, or the server shows another one."""
        try:
            file = self._sender.read(ReadRequest("retrieve_file", f"/files/{step(file_id)}"), _parse_file)
        except (Refused, Unreadable) as error:
            if error.status not in NO_ROUTE:
                raise
            return ""
        return file.name if file.id == file_id else ""

    def names(self) -> Mapping[str, str]:
        """The names of the newest of all training files by id; none where there is no such listing."""
        read = ReadRequest("list_files", "/files", params={"purpose": "fine-tune"})
        names: dict[str, str] = {}
        try:
            for file in islice(self._listings.items(read, _parse_file, lambda file: file.id), _NAMES_LIMIT):
                names[file.id] = file.name
        except RateLimited:
            raise
        except (Refused, Unreadable):
            return names
        return names

    def upload(self, upload: Upload) -> str:
        """Upload a training file. Sent once; one that is lost is found again by its name.

        Raises:
            OutcomeUnknown: also where the server kept another number of bytes. Such a file is deleted; where that
                fails, `find` passes it over, because it compares the size.
        """
        file = self._sender.write(WriteRequest("upload", "/files", upload=upload), _parse_file)
        if file.size in {None, upload.size}:
            return file.id
        with contextlib.suppress(ProviderError):
            self.delete(file.id)
        raise OutcomeUnknown(
            f"of the {upload.size} bytes that were sent, the server says it has {file.size} as {escaped(file.id)}; "
            "that file is not used"
        )

    def delete(self, file_id: str) -> None:
        """Delete one file: one DELETE, whatever comes back."""
        self._sender.send_once(DeleteRequest("delete_file", f"/files/{step(file_id)}"))

    def wait_for(self, file_id: str) -> None:
        """Ask until the server has taken the file in, for two minutes at most.

        Some servers show no single file, or never say more than `uploaded`. Such a one is asked for some seconds, once
        in its life here: what it makes of a file shows in the answer to the create.
        """
        read = ReadRequest("retrieve_file", f"/files/{step(file_id)}")
        polls = 1
        while True:
            status = self._status(read)
            if status in _FILE_UNFIT:
                raise Refused(f"file {escaped(file_id)} cannot be used: the server says {escaped(status)}", status=400)
            if status not in _FILE_POLLS or status in self._last_words:
                return
            if polls >= _FILE_POLLS[status]:
                break
            self._clock.sleep(_FILE_POLL)
            polls += 1
        if status in _FILE_PENDING:
            raise Unreadable(f"file {escaped(file_id)} is still {escaped(status)} after {_FILE_POLL * polls:g} s")
        self._last_words.add(status)

    def _status(self, read: ReadRequest) -> str:
        """What the server says of one file; `_NOT_SHOWN` where it is not there, or not yet."""
        try:
            return self._sender.read(read, _status_of)
        except (Refused, Unreadable) as error:
            if error.status not in NO_ROUTE:
                raise
            return _NOT_SHOWN if error.status == _NOT_FOUND else ""


class _File(Struct, frozen=True):
    id: str
    name: str
    size: int | None
    purpose: str
    status: str
    created_at: int

    def holds(self, name: str, size: int | None) -> bool:
        """Whether it is that training file, as far as the server says; ``size`` None: of any size."""
        return (
            content_of(self.name) == content_of(name)
            and (size is None or self.size in {None, size})
            and self.purpose in {"", "fine_tune"}
        )


def _parse_file(answer: object) -> _File:
    """A file from the API's JSON. Raises ValueError where it has no id."""
    fields = object_of(answer, "file")
    return _File(
        id=id_of(fields, "file"),
        name=text_of(fields, "filename") or "",
        size=whole_number(fields.get("bytes")) or None,  # 0 is how some servers write that they do not know
        purpose=status_word(text_of(fields, "purpose") or ""),
        status=_status_of(fields),
        created_at=unix_seconds(fields.get("created_at")) or 0,
    )


def _status_of(answer: object) -> str:
    return status_word(text_of(object_of(answer, "file"), "status") or "")
