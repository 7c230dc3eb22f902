"""A fleet directory or a stream of manifests, read into a `Snapshot`."""

from reconciler.source.directory import fingerprint, read_directory, read_stream, read_training_bytes
from reconciler.source.files import real_path
from reconciler.source.reader import DirectoryReader
from reconciler.source.standing import still_standing

__all__ = [
    "DirectoryReader",
    "fingerprint",
    "read_directory",
    "read_stream",
    "read_training_bytes",
    "real_path",
    "still_standing",
]
