"""The fingerprint of a reading: equal where every manifest, every training file and every gap is the same.

`directory` puts one into each `Snapshot`; `cli` hands `fingerprint` to the engine, which asks it right before a write
whether what was read still stands there, and `reader` asks the same before it trusts `stat`. Every byte is read anew,
and nothing is parsed but JSON that may be no manifest.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from reconciler.core.snapshot import Snapshot
from reconciler.source.files import Below, Unfit, training_digest
from reconciler.source.manifest_files import read_manifests
from reconciler.source.tree import survey


def fingerprint(snapshot: Snapshot) -> str:
    """Read the disk again: what ``snapshot.fingerprint`` would be now."""
    below = Below.of(snapshot.root, snapshot.files_root)
    contents = snapshot.contents if snapshot.stream else _contents_now(snapshot.root, snapshot.own)
    files = {file for desired in snapshot.desired.values() for file in desired.local_files}
    digests: list[tuple[str, str]] = []
    for file in sorted(files, key=lambda f: f.path):
        try:
            digests.append((file.path, training_digest(below.place(file.path), below)[0]))
        except Unfit as unfit:
            digests.append((file.path, str(unfit)))
    return fingerprint_of(contents, digests)


def fingerprint_of(contents: str, files: Iterable[tuple[str, str]]) -> str:
    """Of the manifests' digest, and of each training file's path and digest, sorted."""
    return hashlib.sha256("\n".join([contents, *_lines(files)]).encode()).hexdigest()


def digest_of_manifests(digests: Iterable[tuple[str, str]]) -> str:
    """Of each manifest's path and digest, and of each gap and its reason."""
    return hashlib.sha256("\n".join(_lines(digests)).encode()).hexdigest()


def digest_of_manifest(content: bytes | Unfit) -> str:
    """Of one file's bytes; of a file that cannot be read, why."""
    return str(content) if isinstance(content, Unfit) else hashlib.sha256(content).hexdigest()


def _contents_now(root: Path, own: frozenset[Path]) -> str:
    tree = survey(root, own)
    digests = [(relative, digest_of_manifest(content)) for relative, content in read_manifests(root, tree)]
    return digest_of_manifests([*digests, *tree.gaps])


def _lines(digests: Iterable[tuple[str, str]]) -> Iterator[str]:
    return (f"{path}\0{digest}" for path, digest in digests)
