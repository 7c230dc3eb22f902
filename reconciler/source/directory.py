"""A fleet directory, or a stream, → a `Snapshot`: every job it wants and every error it holds.

`cli` and `daemon` call `read_directory` and `read_stream`; `reconcile` asks `fingerprint` whether what
was read still stands there, and `read_training_bytes` for the bytes to upload. Nothing in here
decides about jobs, and no foreign exception leaves.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from pydantic import ValidationError

from reconciler.core.complaints import ERRORS_LIMIT, problems_of
from reconciler.core.desired import Desired, Fleet, desire, fleet_of
from reconciler.core.documents import Entry, FineTuningJobDocument, FleetDocument, TrainingFile
from reconciler.core.fields import ONE_MODEL, is_file_id
from reconciler.core.snapshot import Problem, Snapshot
from reconciler.errors import SourceError, foreign
from reconciler.source.envelope import (
    Belongs,
    belongs,
    described,
    held_by,
    is_of_others,
    is_ours,
    listed,
    name_of,
    objections,
)
from reconciler.source.examples import checked_lines
from reconciler.source.files import (
    TooLong,
    Unfit,
    digest_of,
    open_regular,
    read_bounded,
    real_path,
    training_lines,
    unnamed,
)
from reconciler.source.tree import JSON_SUFFIX, Tree, survey
from reconciler.source.yaml_text import BYTES_LIMIT, Document, is_unicode, read_documents
from reconciler.source.yaml_text import Path as Keys

STREAM_NAME = "-"

# A directory that changes faster than this is read at the next pass; two equal readings are needed anyway.
_GENERATIONS = 3
_PATH_LIMIT = 256  # as the schema has it


def read_directory(root: Path, own: Iterable[Path] = ()) -> Snapshot:
    """Read every manifest and training file under ``root``, all of one generation.

    ``own`` are this program's directories, which hold no manifests: one may stand there before it is filled.

    A volume that Kubernetes updates changes as a whole, by another target of its link ``..data``;
    a root that is a link may be retargeted. Either during the reading makes it begin again.
    """
    for _ in range(_GENERATIONS):
        generation = _generation(root)
        snapshot = _read_directory(root, frozenset(own))
        if _generation(root) == generation:
            break
    return snapshot


def _generation(root: Path) -> tuple[str, str]:
    """What the root leads to, and what its volume's link does."""
    links = []
    for link in (root, root / "..data"):
        try:
            links.append(str(link.resolve(strict=True)))
        except (OSError, RuntimeError):  # missing, or a loop of links
            links.append("")
    return links[0], links[1]


def _read_directory(root: Path, own: frozenset[Path]) -> Snapshot:
    tree = survey(root, own)
    reading = _Reading(root, own)
    reading.gaps = [Problem(place, 1, 1, "", why) for place, why in tree.gaps]
    for relative, content in _read_files(root, tree):
        reading.take(relative, content)
    reading.digests += tree.gaps
    if not reading.seen:
        there = "no manifests in" if root.is_dir() else "no such directory:"
        reading.problem(".", (1, 1), "", f"{there} {root}; an empty or missing directory changes nothing")
    return reading.snapshot(stream=False)


def read_stream(content: bytes, root: Path) -> Snapshot:
    """Read one multi-document stream; its paths start at ``root``."""
    reading = _Reading(root)
    reading.take(STREAM_NAME, content)
    if content and not content.endswith((b"\n", b"\r")):
        line = content.count(b"\n") + 1
        reading.problem(STREAM_NAME, (line, 1), "", "the stream ends within a line: it may have been cut short")
    return reading.snapshot(stream=True)


def fingerprint(snapshot: Snapshot) -> str:
    """Read the disk again: what ``snapshot.fingerprint`` would be now."""
    real = real_path(snapshot.root)
    contents = snapshot.contents if snapshot.stream else _contents(_again(snapshot.root, snapshot.own))
    files = {file for d in snapshot.desired.values() for file in (d.training, d.validation) if file is not None}
    digests: list[tuple[str, str]] = []
    for file in sorted(files, key=lambda f: f.path):
        try:
            digests.append((file.path, digest_of(training_lines(real / file.path, real))[0]))
        except Unfit as unfit:
            digests.append((file.path, str(unfit)))
    return _fingerprint(contents, digests)


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
class _Reading:
    """What is gathered while files are read, one after the other."""

    root: Path
    own: frozenset[Path] = frozenset()
    seen: int = 0
    fleet_seen: bool = False  # a Fleet document stands there, valid or not
    entries: list[Entry] = field(default_factory=list)
    fleets: list[tuple[FleetDocument, str, int]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    gaps: list[Problem] = field(default_factory=list)
    holding: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)
    digests: list[tuple[str, str]] = field(default_factory=list)
    documents: dict[str, Document] = field(default_factory=dict)
    training: dict[Path, TrainingFile | Unfit] = field(default_factory=dict)

    def problem(self, path: str, position: tuple[int, int], keys: str, message: str) -> None:
        self.problems.append(Problem(path, *position, keys, message))

    def take(self, relative: str, content: bytes | Unfit) -> None:
        """Take one file."""
        self.digests.append((relative, _digest(content)))
        if isinstance(content, Unfit) and _is_json(relative):
            # Whether it is a manifest at all nobody can see.
            self.gaps.append(Problem(relative, 1, 1, "", str(content)))
            return
        self.seen += 1
        if isinstance(content, Unfit):
            self.unreadable.add(relative)
            self.problem(relative, (1, 1), "", str(content))
            return
        before = len(self.problems)
        # JSON may be indented with tabs, which YAML refuses; inside of its texts they are escaped.
        read = read_documents(content.replace(b"\t", b" ") if _is_json(relative) else content)
        if not read.whole:
            self.unreadable.add(relative)
        elif not read.documents and relative != STREAM_NAME:
            self.gaps.append(Problem(relative, 1, 1, "", _NO_DOCUMENT))
        # What another tool's document may hold (anchors, tags) is that tool's affair.
        theirs = {document.number for document in read.documents if document.flawed and is_of_others(document.value)}
        for flaw in (flaw for flaw in read.flaws if flaw.document not in theirs):
            self.problem(relative, (flaw.line, flaw.column), _field(flaw.path), flaw.message)
        for document in read.documents:
            self._document(relative, document)
            if len(self.problems) - before > ERRORS_LIMIT:
                self.unreadable.add(relative)
                return

    def _document(self, relative: str, document: Document) -> None:
        value = document.value
        if isinstance(value, list) and any(is_ours(item) for item in value):
            self.problem(relative, document.position(()), "", _A_LIST)
        elif isinstance(value, list):
            self._leave_out(relative, document)
        elif not isinstance(value, Mapping):
            self.problem(relative, document.position(()), "", "a document must be a mapping of fields")
        else:
            self._mapping(relative, document, value)

    def _mapping(self, relative: str, document: Document, value: Mapping[str, object]) -> None:
        whose = belongs(value)
        if whose is Belongs.ELSEWHERE:
            self._leave_out(relative, document)
        elif whose is Belongs.LIST:
            items = tuple(_items(document))
            if not items:
                self.gaps.append(Problem(relative, *document.position(()), "", _NO_DOCUMENT))
            for item in items:
                self._document(relative, item)
        elif whose is Belongs.MISSPELT:
            self.broken.add(name_of(value))
            for key, message in objections(value):
                self.problem(relative, document.position((key,)), key, message)
        elif whose is Belongs.OURS:
            self.holding.add(relative)
            take = self._fleet_document if value["kind"] == "Fleet" else self._job_document
            take(relative, document, value)

    def _leave_out(self, relative: str, document: Document) -> None:
        """Name what is not ours; of a file's later ones only how many they are."""
        self.left_out[relative] += 1
        if self.left_out[relative] <= ERRORS_LIMIT:
            self.warnings.append(Problem(relative, *document.position(()), "", described(document.value)))

    def _fleet_document(self, relative: str, document: Document, value: Mapping[str, object]) -> None:
        self.fleet_seen = True
        try:
            fleet = FleetDocument.model_validate(value)
        except ValidationError as error:
            self._invalid(relative, document, error)
        else:
            self.fleets.append((fleet, relative, document.position(())[0]))

    def _job_document(self, relative: str, document: Document, value: Mapping[str, object]) -> None:
        try:
            job = FineTuningJobDocument.model_validate(value)
        except ValidationError as error:
            self.broken.add(name_of(value))
            told = self._invalid(relative, document, error)
            self._rest(relative, document, value, models_told=ONE_MODEL in told or document.flawed)
            return
        if document.flawed:
            self.broken.add(name_of(value))
        else:
            self._job(relative, document, job)

    def _invalid(self, relative: str, document: Document, error: ValidationError) -> frozenset[str]:
        """Tell what is wrong with a document's fields; returns the sentences."""
        # In the place of a key that is no text stands one of ours; that flaw was told already.
        told = [(keys, message) for keys, message in problems_of(error) if not any(_is_stand_in(key) for key in keys)]
        for keys, message in told:
            self.problem(relative, document.position(keys), _field(keys), message)
        return frozenset(message for _, message in told)

    def _rest(self, relative: str, document: Document, value: Mapping[str, object], *, models_told: bool) -> None:
        """What else is wrong with a job whose fields are: every error is told in one run, once."""
        spec = value.get("spec")
        if not isinstance(spec, Mapping):
            return
        for key in ("training_file", "validation_file"):
            given = spec.get(key)
            if isinstance(given, str) and 0 < len(given) <= _PATH_LIMIT and not is_file_id(given):
                self._file(relative, document, key, given)
        unset: tuple[object, ...] = (None, {})
        if not models_told and (spec.get("model") in unset) == (spec.get("model_from") in unset):
            self.problem(relative, document.position(("spec",)), "spec", ONE_MODEL)

    def _file(self, relative: str, document: Document, key: str, given: str) -> TrainingFile | None:
        """A local training file, or the problem with it."""
        found = self._training((self.root / relative).parent, given)
        if isinstance(found, TrainingFile):
            return found
        keys: Keys = ("spec", key)
        self.problem(relative, document.position(keys), _field(keys), f"{foreign(given)}: {found}")
        return None

    def _job(self, relative: str, document: Document, job: FineTuningJobDocument) -> None:
        files: dict[str, TrainingFile | None] = {}
        for key, given in (("training_file", job.spec.training_file), ("validation_file", job.spec.validation_file)):
            files[key] = None
            if given is None or is_file_id(given):
                continue
            files[key] = self._file(relative, document, key, given)
            if files[key] is None:
                self.broken.add(job.metadata.name)
        line = document.position(())[0]
        self.documents.setdefault(job.metadata.name, document)
        self.entries.append(Entry(job, relative, line, files["training_file"], files["validation_file"]))

    def _training(self, base: Path, given: str) -> TrainingFile | Unfit:
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

    def snapshot(self, *, stream: bool) -> Snapshot:
        """Everything together: what only shows between documents is found here."""
        fleet = self._fleet()
        single = self._without_doubles()
        broken = frozenset(self.broken - {""})
        desired, faults = desire([e for e in single if e.name not in broken], broken)
        paths = {entry.name: entry.path for entry in single}
        for fault in faults:
            document = self.documents[fault.name]
            self.problem(paths[fault.name], document.position(fault.path), _field(fault.path), fault.message)
        contents = _contents(self.digests)
        files = sorted({(f.path, f.sha256) for f in _files(desired.values())})
        return Snapshot(
            root=self.root,
            fleet=fleet,
            desired=desired,
            broken=broken | {fault.name for fault in faults},
            problems=tuple(_told(sorted(self.problems), self.unreadable)),
            unreadable=frozenset(self.unreadable),
            fingerprint=_fingerprint(contents, files),
            stream=stream,
            contents=contents,
            warnings=tuple(sorted([*self.warnings, *self._more_left_out()])),
            gaps=tuple(sorted(self.gaps)),
            holding=frozenset(self.holding),
            own=self.own,
        )

    def _more_left_out(self) -> Iterator[Problem]:
        for relative, count in self.left_out.items():
            if count > ERRORS_LIMIT:
                yield Problem(
                    relative, 1, 1, "", f"documents left out beyond the first {ERRORS_LIMIT}: {count - ERRORS_LIMIT}"
                )

    def _fleet(self) -> Fleet | None:
        if len(self.fleets) == 1:
            return fleet_of(self.fleets[0][0])
        if self.seen and not self.fleet_seen:
            where = STREAM_NAME if any(path == STREAM_NAME for path, _ in self.digests) else "."
            self.problem(where, (1, 1), "", "no `kind: Fleet` document: without one nothing is touched")
        for _, path, line in self.fleets[1:]:
            first, first_line = self.fleets[0][1:]
            self.problem(
                path, (line, 1), "kind", f"a second Fleet document; the first is {foreign(first)}:{first_line}"
            )
        return None

    def _without_doubles(self) -> list[Entry]:
        first: dict[str, Entry] = {}
        for entry in self.entries:
            other = first.setdefault(entry.name, entry)
            if other is not entry:
                self.broken.add(entry.name)
                message = f"the name {entry.name} is taken by {foreign(other.path)}:{other.line}"
                self.problem(entry.path, (entry.line, 1), "metadata.name", message)
        return list(first.values())


def _told(problems: Iterable[Problem], unreadable: Container[str]) -> Iterable[Problem]:
    """The first of each file's problems, and how many more were found."""
    for path, of_file in groupby(problems, key=lambda problem: problem.path):
        found = list(of_file)
        yield from found[:ERRORS_LIMIT]
        for first in found[ERRORS_LIMIT : ERRORS_LIMIT + 1]:
            rest = "; the file was not read to its end" if path in unreadable else ""
            message = f"errors beyond the first {ERRORS_LIMIT}: {len(found) - ERRORS_LIMIT}{rest}"
            yield Problem(path, first.line, first.column, "", message)


_A_LIST = "a list of documents: write one after the other with --- between them, or as the items of a kind: List"
_NO_DOCUMENT = (
    "holds no document: a save under way looks like this; delete it if nothing is wanted of it, "
    "or name it in .reconcilerignore"
)


def _read_files(root: Path, tree: Tree) -> Iterator[tuple[str, bytes | Unfit]]:
    """Each manifest's bytes, or why there are none; JSON that is not ours is no manifest."""
    real = real_path(root)
    for relative, found in tree.files:
        content = found if isinstance(found, Unfit) else _manifest_bytes(found, real)
        if _is_json(relative) and not isinstance(content, Unfit) and not _may_be_ours(content):
            continue
        yield relative, content


def _manifest_bytes(path: Path, real_root: Path) -> bytes | Unfit:
    try:
        content = read_bounded(path, real_root, BYTES_LIMIT)
    except Unfit as unfit:
        # Longer than any manifest: a file of data, where it is JSON.
        return b"{}" if _is_json(path.name) and isinstance(unfit, TooLong) else unfit
    if not content.strip():
        # Between an editor's truncate and its write every manifest looks like this.
        return Unfit("empty: a save under way looks like this; delete the file if nothing is wanted of it")
    return content


def _is_json(path: str) -> bool:
    return path.lower().endswith(JSON_SUFFIX)


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
    return any(is_ours(held) for held in held_by(value))


def _items(document: Document) -> Iterator[Document]:
    """The documents of a `kind: List`, each with its own positions."""
    below: dict[int, dict[Keys, tuple[int, int]]] = {}
    for path, position in document.positions.items():
        if len(path) > 1 and path[0] == "items" and isinstance(path[1], int):
            below.setdefault(path[1], {})[path[2:]] = position
    for index, value in enumerate(listed(document.value)):
        yield Document(value, below[index], document.flawed)


def _again(root: Path, own: frozenset[Path]) -> Iterator[tuple[str, str]]:
    tree = survey(root, own)
    yield from ((relative, _digest(content)) for relative, content in _read_files(root, tree))
    yield from tree.gaps


def _digest(content: bytes | Unfit) -> str:
    return str(content) if isinstance(content, Unfit) else hashlib.sha256(content).hexdigest()


def _contents(digests: Iterable[tuple[str, str]]) -> str:
    return hashlib.sha256("\n".join(f"{path}\0{digest}" for path, digest in digests).encode()).hexdigest()


def _fingerprint(contents: str, files: Iterable[tuple[str, str]]) -> str:
    return hashlib.sha256("\n".join([contents, *(f"{path}\0{digest}" for path, digest in files)]).encode()).hexdigest()


def _files(desired: Iterable[Desired]) -> Iterable[TrainingFile]:
    return (file for d in desired for file in (d.training, d.validation) if file is not None)


def _is_stand_in(key: str | int) -> bool:
    return isinstance(key, str) and key.startswith("\0")


def _field(keys: Iterable[str | int]) -> str:
    return ".".join(str(key) for key in keys)
