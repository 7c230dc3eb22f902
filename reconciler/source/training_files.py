"""Training and validation files by their content: found for a manifest, and read once more to be uploaded.

`reading` asks `TrainingFiles` for each file that a job names; `cli` hands `read_training_bytes` to the engine, which
calls it right before an upload. Nothing outside of the fleet directory is read, and no byte of it is changed but
CRLF, read as LF.
"""

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.core.documents import TrainingFile
from reconciler.core.nearest import nearest
from reconciler.errors import SourceError, escaped
from reconciler.source.examples import checked_lines
from reconciler.source.files import (
    Absent,
    Unfit,
    digest_of,
    is_unicode,
    open_regular,
    real_path,
    training_lines,
    unnamed,
)


def read_training_bytes(root: Path, file: TrainingFile) -> bytes:
    """The bytes to upload, CRLF read as LF; they are what the revision was computed from.

    Raises:
        SourceError: the file has changed since, or cannot be read.
    """
    real = real_path(root)
    try:
        content = b"".join(training_lines(real / file.path, real))
    except Unfit as unfit:
        raise SourceError([f"{escaped(file.path)}: {unfit}"]) from unfit
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise SourceError([f"{escaped(file.path)}: it has changed since the manifests were read; run again"])
    return content


@dataclass(slots=True)
class TrainingFiles:
    """The local files of one reading; each is read once, however many jobs use it."""

    root: Path
    _read: dict[Path, TrainingFile | Unfit] = field(default_factory=dict)

    def find(self, base: Path, given: str) -> TrainingFile | Unfit:
        """The file that a manifest in the directory ``base`` names; or why it cannot be used."""
        real = real_path(self.root)
        if given.startswith("~"):
            return Unfit("~ is not expanded: write a path relative to its manifest")
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", given):
            return Unfit("a URL, from which nothing is read: download the file, and write its path")
        if given.startswith("/") or "\0" in given:
            return Unfit("must be a path relative to its manifest")
        try:
            path = (base / given).resolve()
        except UnicodeEncodeError:
            return unnamed()
        except (OSError, RuntimeError) as error:
            return Unfit(f"cannot be read ({type(error).__name__})")
        if path not in self._read:
            self._read[path] = _training_file(path, real)
        found = self._read[path]
        return Unfit(f"{found}{_hint(path, given)}") if isinstance(found, Absent) else found


def _hint(path: Path, given: str) -> str:
    """What may have been meant by a path that leads to no file."""
    if "\\" in given:
        return "; write / for \\"
    if re.fullmatch(r"file_[A-Za-z0-9]+", given):
        return f"; did you mean the file id {given.replace('_', '-', 1)}?"
    try:
        names = sorted(entry.name for entry in os.scandir(path.parent) if not entry.name.startswith("."))
    except OSError:
        return ""
    close = nearest(path.name, filter(is_unicode, names))
    return f"; did you mean {escaped(given[: len(given) - len(path.name)] + close)}?" if close else ""


def _training_file(path: Path, real_root: Path) -> TrainingFile | Unfit:
    try:
        open_regular(path, real_root).close()
        sha256, size = digest_of(checked_lines(training_lines(path, real_root)))
    except Unfit as unfit:
        return unfit
    relative = path.relative_to(real_root).as_posix()
    if not is_unicode(relative):
        return Unfit("leads to a file whose name is not UTF-8")
    return TrainingFile(relative, sha256, size)
