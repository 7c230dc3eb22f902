"""A fleet directory, or a stream, → a `Snapshot`: every job it wants and every error it holds.

`cli` and `daemon` call `read_directory` and `read_stream`; `reconcile` asks `fingerprint` whether what
was read still stands there, and `read_training_bytes` for the bytes to upload. Nothing in here
decides about jobs, and no foreign exception leaves.
"""

import hashlib
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path

from pydantic import ValidationError

from reconciler.errors import SourceError, foreign
from reconciler.manifest import (
    API_VERSION,
    ERRORS_LIMIT,
    ONE_MODEL,
    Desired,
    Entry,
    FineTuningJobDocument,
    Fleet,
    FleetDocument,
    TrainingFile,
    desire,
    fleet_of,
    is_file_id,
    problems_of,
)
from reconciler.source.documents import BYTES_LIMIT, Document, is_unicode, read_documents
from reconciler.source.documents import Path as Keys
from reconciler.source.files import (
    Unfit,
    checked_lines,
    digest_of,
    manifests,
    open_regular,
    read_bounded,
    real_path,
    training_lines,
)

STREAM_NAME = "-"

# A directory that changes faster than this is read at the next pass; two equal readings are needed anyway.
_GENERATIONS = 3
_KINDS = ("Fleet", "FineTuningJob")
_PATH_LIMIT = 256  # as the schema has it


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One error, where a person finds it; line and column count from 1."""

    path: str
    line: int
    column: int
    field: str
    message: str

    def __str__(self) -> str:
        where = f"{foreign(self.path)}:{self.line}:{self.column}"
        return f"{where}: {foreign(self.field)}: {self.message}" if self.field else f"{where}: {self.message}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One reading of a fleet.

    ``broken`` are names whose manifest cannot be trusted, ``unreadable`` files that could not be read
    to the end. Without ``problems`` there is a ``fleet``. ``fingerprint`` stands for every byte of it.
    """

    root: Path
    fleet: Fleet | None
    desired: Mapping[str, Desired]
    broken: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()
    unreadable: frozenset[str] = frozenset()
    fingerprint: str = ""
    stream: bool = False
    contents: str = ""  # a digest of the manifests' bytes: a stream cannot be read twice


def read_directory(root: Path) -> Snapshot:
    """Read every manifest and training file under ``root``, all of one generation.

    A volume that Kubernetes updates changes as a whole, by another target of its link ``..data``;
    a root that is a link may be retargeted. Either during the reading makes it begin again.
    """
    for _ in range(_GENERATIONS):
        generation = _generation(root)
        snapshot = _read_directory(root)
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


def _read_directory(root: Path) -> Snapshot:
    reading, real = _Reading(root), real_path(root)
    for relative, found in manifests(root):
        reading.take(relative, partial(_manifest_bytes, found, real))
    if not reading.seen:
        there = "no manifests in" if root.is_dir() else "no such directory:"
        reading.problem(".", (1, 1), "", f"{there} {root}; an empty or missing directory changes nothing")
    return reading.snapshot(stream=False)


def read_stream(content: bytes, root: Path) -> Snapshot:
    """Read one multi-document stream; its paths start at ``root``."""
    reading = _Reading(root)
    reading.take(STREAM_NAME, lambda: content)
    if content and not content.endswith((b"\n", b"\r")):
        line = content.count(b"\n") + 1
        reading.problem(STREAM_NAME, (line, 1), "", "the stream ends within a line: it may have been cut short")
    return reading.snapshot(stream=True)


def fingerprint(snapshot: Snapshot) -> str:
    """Read the disk again: what ``snapshot.fingerprint`` would be now."""
    real = real_path(snapshot.root)
    contents = snapshot.contents if snapshot.stream else _contents(_again(snapshot.root))
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
    seen: int = 0
    fleet_seen: bool = False  # a Fleet document stands there, valid or not
    entries: list[Entry] = field(default_factory=list)
    fleets: list[tuple[FleetDocument, str, int]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)
    digests: list[tuple[str, str]] = field(default_factory=list)
    documents: dict[str, Document] = field(default_factory=dict)
    training: dict[Path, TrainingFile | Unfit] = field(default_factory=dict)

    def problem(self, path: str, position: tuple[int, int], keys: str, message: str) -> None:
        self.problems.append(Problem(path, *position, keys, message))

    def take(self, relative: str, content: Callable[[], bytes]) -> None:
        """Read one file."""
        self.seen += 1
        before = len(self.problems)
        try:
            text = content()
        except Unfit as unfit:
            self.digests.append((relative, str(unfit)))
            self.unreadable.add(relative)
            self.problem(relative, (1, 1), "", str(unfit))
            return
        self.digests.append((relative, hashlib.sha256(text).hexdigest()))
        read = read_documents(text)
        if not read.whole:
            self.unreadable.add(relative)
        for flaw in read.flaws:
            self.problem(relative, (flaw.line, flaw.column), _field(flaw.path), flaw.message)
        for document in read.documents:
            self._document(relative, document)
            if len(self.problems) - before > ERRORS_LIMIT:
                self.unreadable.add(relative)
                return

    def _document(self, relative: str, document: Document) -> None:
        value = document.value
        if not isinstance(value, Mapping):
            self.problem(relative, document.position(()), "", "a document must be a mapping of fields")
            return
        kind = value.get("kind")
        if kind not in _KINDS or value.get("apiVersion") != API_VERSION:
            self.broken.add(_name(value))
            self._envelope(relative, document, value)
        elif kind == "Fleet":
            self._fleet_document(relative, document, value)
        else:
            self._job_document(relative, document, value)

    def _envelope(self, relative: str, document: Document, value: Mapping[str, object]) -> None:
        for key, right, needed in (
            ("apiVersion", value.get("apiVersion") == API_VERSION, API_VERSION),
            ("kind", value.get("kind") in _KINDS, "Fleet or FineTuningJob"),
        ):
            if not right:
                self.problem(relative, document.position((key,)), key, f"must be {needed}")

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
            self.broken.add(_name(value))
            told = self._invalid(relative, document, error)
            self._rest(relative, document, value, models_told=ONE_MODEL in told or document.flawed)
            return
        if document.flawed:
            self.broken.add(_name(value))
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


def _manifest_bytes(found: Path | Unfit, real_root: Path) -> bytes:
    if isinstance(found, Unfit):
        raise found
    content = read_bounded(found, real_root, BYTES_LIMIT)
    if not content.strip():
        # Between an editor's truncate and its write every manifest looks like this.
        raise Unfit("empty: a save under way looks like this; delete the file if nothing is wanted of it")
    return content


def _again(root: Path) -> Iterable[tuple[str, str]]:
    real = real_path(root)
    for relative, found in manifests(root):
        try:
            yield relative, hashlib.sha256(_manifest_bytes(found, real)).hexdigest()
        except Unfit as unfit:
            yield relative, str(unfit)


def _contents(digests: Iterable[tuple[str, str]]) -> str:
    return hashlib.sha256("\n".join(f"{path}\0{digest}" for path, digest in digests).encode()).hexdigest()


def _fingerprint(contents: str, files: Iterable[tuple[str, str]]) -> str:
    return hashlib.sha256("\n".join([contents, *(f"{path}\0{digest}" for path, digest in files)]).encode()).hexdigest()


def _files(desired: Iterable[Desired]) -> Iterable[TrainingFile]:
    return (file for d in desired for file in (d.training, d.validation) if file is not None)


def _name(value: Mapping[str, object]) -> str:
    """The name of a document as far as it can be read; "" where it cannot."""
    metadata = value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return name if isinstance(name, str) else ""


def _is_stand_in(key: str | int) -> bool:
    return isinstance(key, str) and key.startswith("\0")


def _field(keys: Iterable[str | int]) -> str:
    return ".".join(str(key) for key in keys)
