"""Training files by their content."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.core.documents import TrainingFile
from reconciler.errors import SourceError, foreign
from reconciler.source.examples import checked_lines
from reconciler.source.files import Unfit, digest_of, open_regular, real_path, training_lines, unnamed
from reconciler.source.yaml_text import is_unicode


def read_training_bytes(root: Path, file: TrainingFile) -> bytes:
    """The bytes to upload, CRLF read as LF; they are what the revision was computed from.

    Raises:
        SourceError: the file has changed since, or cannot be read.
    """
    real = real_path(root)
    try:
        content = b"".join(training_lines(real / file.path, real))
    except Unfit as unfit:
        raise SourceError([f"{foreign(file.path)}: {unfit}"]) from unfit
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise SourceError([f"{foreign(file.path)}: it has changed since the manifests were read; run again"])
    return content


@dataclass(slots=True)
class TrainingFiles:
    root: Path
    training: dict[Path, TrainingFile | Unfit] = field(default_factory=dict)

    def training_file(self, base: Path, given: str) -> TrainingFile | Unfit:
        """A training file by its content; read once, however many jobs use it."""
        real = real_path(self.root)
        if given.startswith("/") or "\0" in given:
            return Unfit("must be a path relative to its manifest")
        try:
            path = (base / given).resolve()
        except UnicodeEncodeError:
            return unnamed()
        except (OSError, RuntimeError) as error:
            return Unfit(f"cannot be read ({type(error).__name__})")
        if path not in self.training:
            try:
                open_regular(path, real).close()
                sha256, size = digest_of(checked_lines(training_lines(path, real)))
                relative = path.relative_to(real).as_posix()
                known = TrainingFile(relative, sha256, size) if is_unicode(relative) else None
                self.training[path] = known or Unfit("leads to a file whose name is not UTF-8")
            except Unfit as unfit:
                self.training[path] = unfit
        return self.training[path]
