"""What a directory held, in one digest: equal where every manifest and every training file has the same bytes."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from reconciler.core.desired import Desired
from reconciler.core.documents import TrainingFile
from reconciler.core.snapshot import Snapshot
from reconciler.source.files import Unfit, digest_of, real_path, training_lines
from reconciler.source.manifest_files import read_files
from reconciler.source.tree import survey


def fingerprint(snapshot: Snapshot) -> str:
    """Read the disk again: what ``snapshot.fingerprint`` would be now."""
    real = real_path(snapshot.root)
    contents = snapshot.contents if snapshot.stream else contents_of(_again(snapshot.root, snapshot.own))
    files = {file for d in snapshot.desired.values() for file in (d.training, d.validation) if file is not None}
    digests: list[tuple[str, str]] = []
    for file in sorted(files, key=lambda f: f.path):
        try:
            digests.append((file.path, digest_of(training_lines(real / file.path, real))[0]))
        except Unfit as unfit:
            digests.append((file.path, str(unfit)))
    return digest_of_all(contents, digests)


def _again(root: Path, own: frozenset[Path]) -> Iterator[tuple[str, str]]:
    tree = survey(root, own)
    yield from ((relative, digest(content)) for relative, content in read_files(root, tree))
    yield from tree.gaps


def digest(content: bytes | Unfit) -> str:
    return str(content) if isinstance(content, Unfit) else hashlib.sha256(content).hexdigest()


def contents_of(digests: Iterable[tuple[str, str]]) -> str:
    return hashlib.sha256("\n".join(f"{path}\0{digest}" for path, digest in digests).encode()).hexdigest()


def digest_of_all(contents: str, files: Iterable[tuple[str, str]]) -> str:
    return hashlib.sha256("\n".join([contents, *(f"{path}\0{digest}" for path, digest in files)]).encode()).hexdigest()


def training_files(desired: Iterable[Desired]) -> Iterable[TrainingFile]:
    return (file for d in desired for file in (d.training, d.validation) if file is not None)
