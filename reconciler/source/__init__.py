"""A fleet directory or a stream of manifests, read into a `Snapshot`."""
