"""The files that were uploaded from here: table `upload`. `engine.uploads` and `engine.prune` read and write it.

A file's name at the provider says as much where it is ours; this is for servers that list no files, or show one late,
and it is the proof that a file of such a name is no colleague's.
"""

from msgspec import Struct
from msgspec.structs import asdict

from reconciler.state.rows import Rows, put


class Uploaded(Struct, frozen=True):
    """A file at the provider: its name there, SHA-256 in hex and size in bytes."""

    file_id: str
    name: str
    sha256: str
    size: int


class UploadRecords:
    """Every file that was uploaded for an identity, and not deleted from here since."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def by_id(self) -> dict[str, Uploaded]:
        """Whoever gets them leaves them as they are; the oldest first."""
        return self._rows.once(self._read)

    def _read(self) -> dict[str, Uploaded]:
        rows = self._rows.read(
            "SELECT file_id, name, sha256, size FROM upload WHERE identity = :identity ORDER BY rowid"
        )
        return {row["file_id"]: Uploaded(**dict(row)) for row in rows}

    def record(self, uploaded: Uploaded) -> None:
        """An upload was answered."""
        self._rows.write(put("upload", [asdict(uploaded)]))

    def drop(self, file_id: str) -> None:
        """It was deleted at the provider."""
        statement = "DELETE FROM upload WHERE identity = :identity AND file_id = :file_id"
        self._rows.write((statement, [{"file_id": file_id}]))
