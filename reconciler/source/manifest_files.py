"""The manifests that a survey found, as bytes; or why a file has none.

`directory` and `fingerprint` read them with `read_manifests`. Of a JSON file it is asked here whether it is a manifest
at all, since other tools' JSON stands beside ours; what a manifest says is not.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from reconciler.source.envelope import documents_in, is_ours
from reconciler.source.files import Below, TooLong, Unfit, read_bounded
from reconciler.source.tree import JSON_SUFFIX, Tree

STREAM_NAME = "-"
# Far beyond any manifest, and small enough to be read in a blink.
BYTES_LIMIT = 4 * 1024 * 1024


def read_manifests(root: Path, tree: Tree) -> Iterator[tuple[str, bytes | Unfit]]:
    """Each manifest's bytes, or why there are none; JSON that is not ours is no manifest."""
    below = Below.of(root)
    for relative, found in tree.files:
        content = found if isinstance(found, Unfit) else _manifest_bytes(found, below)
        if is_json(relative) and not isinstance(content, Unfit) and not _may_be_ours(content):
            continue
        yield relative, content


def _manifest_bytes(path: str, below: Below) -> bytes | Unfit:
    try:
        content = read_bounded(path, below, BYTES_LIMIT)
    except Unfit as unfit:
        # Longer than any manifest: a file of data, where it is JSON.
        return b"{}" if is_json(path) and isinstance(unfit, TooLong) else unfit
    if not content.strip():
        # Between an editor's truncate and its write every manifest looks like this.
        return Unfit("empty: a save under way looks like this; delete the file if nothing is wanted of it")
    return content


def is_json(path: str) -> bool:
    return path[-len(JSON_SUFFIX) :].lower() == JSON_SUFFIX


def _may_be_ours(content: bytes) -> bool:
    """Whether a JSON file is a manifest: its apiVersion says so, or it was cut short before anyone could tell.

    One in UTF-16 is none that can be read, as `read_documents` says.
    """
    if b'"apiVersion"' not in content.replace(b"\0", b""):
        return False
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return True
    return any(is_ours(document) for document in documents_in(value))
