"""A fleet directory or a stream of manifests, read into a `Snapshot`."""

from reconciler.source.directory import (
    Problem,
    Snapshot,
    fingerprint,
    read_directory,
    read_stream,
    read_training_bytes,
)

__all__ = ["Problem", "Snapshot", "fingerprint", "read_directory", "read_stream", "read_training_bytes"]
