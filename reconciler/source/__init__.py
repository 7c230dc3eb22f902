"""A fleet directory or a stream of manifests, read into a `Snapshot`."""

from reconciler.source.directory import read_directory, read_stream
from reconciler.source.files import real_path
from reconciler.source.fingerprint import fingerprint
from reconciler.source.leftovers import leftovers_of
from reconciler.source.reader import DirectoryReader
from reconciler.source.training_files import read_training_bytes

__all__ = [
    "DirectoryReader",
    "fingerprint",
    "leftovers_of",
    "read_directory",
    "read_stream",
    "read_training_bytes",
    "real_path",
]
