"""Training and validation files by their content: found for a manifest, and read once more to be uploaded.

`reading` asks `TrainingFiles` for each file that a job names; `cli` hands `uploaded_pieces` to the engine, which
calls it for each upload. Nothing outside of the fleet directory, and of the one that the operator names beside it, is
read, and no byte is changed but CRLF, read as LF.
"""

import hashlib
import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, field

from reconciler.core.documents import TrainingFile
from reconciler.core.nearest import nearest
from reconciler.errors import SourceError, escaped
from reconciler.source.files import (
    Absent,
    Below,
    Outside,
    Unfit,
    is_unicode,
    training_digest,
    training_pieces,
    unnamed,
)


def uploaded_pieces(root: Path, file: TrainingFile, files_root: Path | None = None) -> Iterator[bytes]:
    """The bytes to upload, CRLF read as LF: what the revision was computed from, or an error before the last piece.

    Raises:
        SourceError: the file has changed since, or cannot be read. A receiver never has all bytes of another file.
    """
    below = Below.of(root, files_root)
    digest, size, held = hashlib.sha256(), 0, b""
    try:
        for piece in training_pieces(below.place(file.path), below):
            digest.update(piece)
            size += len(piece)
            if size > file.size:
                break
            if piece and held:
                yield held
            held = piece or held
    except Unfit as unfit:
        raise SourceError([f"{escaped(file.path)}: {unfit}"]) from unfit
    if (digest.hexdigest(), size) != (file.sha256, file.size):
        raise SourceError([f"{escaped(file.path)}: it has changed since the manifests were read; run again"])
    yield held


# A hint compares a name with all that stand beside it; a few show what is wrong.
_HINTS = 20


class TrainingFiles(Struct):
    """The local files of one reading; each is read once, however many jobs use it. ``below`` is the fleet directory."""

    below: Below
    _found: dict[tuple[str, str], TrainingFile | Unfit] = field(default_factory=dict)
    _read: dict[str, TrainingFile | Unfit] = field(default_factory=dict)
    _hints: int = _HINTS

    def find(self, manifest: str, given: str) -> TrainingFile | Unfit:
        """The file that a manifest, by its path below the fleet directory, names; or why it cannot be used."""
        base = posixpath.dirname(manifest)
        if (base, given) not in self._found:
            self._found[base, given] = self._find(base, given)
        return self._found[base, given]

    def stands(self, manifest: str, given: str) -> bool:
        """Whether a file stands where a manifest would name it by what is the name of the provider's file, too."""
        if given.startswith("file-"):  # an id, whatever file stands there: ids came before the other forms
            return False
        return os.path.lexists(f"{self.below.root}/{posixpath.dirname(manifest)}/{given}")

    def _find(self, base: str, given: str) -> TrainingFile | Unfit:
        if given.startswith("~"):
            return Unfit("~ is not expanded: write a path relative to its manifest")
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", given):
            return Unfit(
                "a URL, from which nothing is read: download the file, and write its path, or put id: before it where "
                "it is what this server calls a file"
            )
        if (given.startswith("/") and not self.below.also) or "\0" in given:
            return Unfit("must be a path relative to its manifest")
        path = given if given.startswith("/") else f"{self.below.root}/{base}/{given}"
        try:
            real = self._where(path)
        except UnicodeEncodeError:
            return unnamed()
        except OSError as error:
            return Unfit(f"cannot be read ({error.strerror})")
        if real not in self._read:
            self._read[real] = self._training_file(real)
        found = self._read[real]
        if isinstance(found, Outside):
            return Unfit(f"{found}{self._allowed}")
        if not isinstance(found, Absent) or self._hints == 0:
            return found
        self._hints -= 1
        return Unfit(f"{found}{_hint(Path(real), given)}")

    @property
    def _allowed(self) -> str:
        """Where else it may stand."""
        return " and --files-root" if self.below.also else "; --files-root DIR lets training files stand below DIR, too"

    def _where(self, path: str) -> str:
        """Where it really stands, or would."""
        try:
            return self.below.resolve(path)
        except (FileNotFoundError, NotADirectoryError):  # whoever opens it says so
            return os.path.realpath(path)

    def _training_file(self, real: str) -> TrainingFile | Unfit:
        try:
            sha256, size = training_digest(real, self.below)
        except Unfit as unfit:
            return unfit
        relative = self.below.relative(real)
        if not is_unicode(relative):
            return Unfit("leads to a file whose name is not UTF-8")
        return TrainingFile(relative, sha256, size)


def _hint(path: Path, given: str) -> str:
    """What may have been meant by a path that leads to no file."""
    if "\\" in given:
        return "; write / for \\"
    if given.lower().startswith("sha256:"):
        return "; bytes that the provider has are named by sha256: and all 64 hex digits"
    if re.fullmatch(r"file_[A-Za-z0-9]+", given):
        return f"; did you mean the file id {given.replace('_', '-', 1)}?"
    try:
        names = sorted(entry.name for entry in os.scandir(path.parent) if not entry.name.startswith("."))
    except OSError:
        return ""
    close = nearest(path.name, filter(is_unicode, names))
    return f"; did you mean {escaped(given[: len(given) - len(path.name)] + close)}?" if close else ""
