"""What one reading gathers, file by file and document by document: entries, fleets, and every problem where it stands.

`directory` gives a `Reading` the bytes of each file, and makes a `Snapshot` of what it gathered. What only shows
between documents (a doubled name, a missing fleet, a job built on no other) is not looked for here.
"""

import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from reconciler.core.complaints import ERRORS_LIMIT, Complaint, problems_of
from reconciler.core.documents import Entry, FineTuningJobDocument, FleetDocument, TrainingFile
from reconciler.core.fields import ONE_MODEL, is_file_id
from reconciler.core.snapshot import Problem
from reconciler.errors import escaped
from reconciler.source.envelope import (
    Belongs,
    belongs,
    described,
    is_of_others,
    is_ours,
    listed,
    may_be_fleet,
    name_of,
    objections,
)
from reconciler.source.files import Unfit
from reconciler.source.fingerprint import digest_of_manifest
from reconciler.source.manifest_files import is_json
from reconciler.source.training_files import TrainingFiles
from reconciler.source.yaml_text import Document, read_documents
from reconciler.source.yaml_text import Path as Keys

STREAM_NAME = "-"
WHOLE = (0, 0)  # the position of what is wrong with a file or a directory as a whole

_MODELS = (("spec", "model"), ("spec", "model_from"))
_PATH_LIMIT = 256  # as the schema has it
_A_LIST = "a list of documents: write one after the other with --- between them, or as the items of a kind: List"
_NO_DOCUMENT = (
    "holds no document: a save under way looks like this; delete it if nothing is wanted of it, "
    "or name it in .reconcilerignore"
)


@dataclass(slots=True)
class Reading:
    """What is gathered while files are read, one after the other.

    Files are named by their path relative to ``root``. ``unreadable``, ``gaps``, ``holding`` and ``own`` are as in
    `Snapshot`; ``broken`` are names whose document is, "" where it has none that can be read.
    """

    root: Path
    own: frozenset[Path] = frozenset()
    seen: int = 0  # how many files are manifests, readable or not
    fleet_places: list[tuple[str, int, str]] = field(default_factory=list)  # file, line and name, valid or not
    fleet_misspelt: bool = False  # a document stands there that may have been meant as one
    entries: list[Entry] = field(default_factory=list)
    fleets: list[tuple[FleetDocument, str, int]] = field(default_factory=list)  # each with its file and line
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)  # how many documents of a file are not ours
    gaps: list[Problem] = field(default_factory=list)
    holding: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)
    digests: list[tuple[str, str]] = field(default_factory=list)  # of each file, in their order
    documents: dict[str, Document] = field(default_factory=dict)  # of each entry, by its name
    contents: dict[str, bytes] = field(default_factory=dict)  # of each file, for the lines that problems stand in
    _training: TrainingFiles = field(init=False)

    def __post_init__(self) -> None:
        self._training = TrainingFiles(self.root)

    def problem(self, path: str, position: tuple[int, int], keys: str, message: str) -> None:
        self.problems.append(Problem(path, *position, keys, message))

    def problem_in(self, relative: str, document: Document, keys: Keys, message: str) -> None:
        """Something wrong in a document of the file ``relative``, where ``keys`` lead."""
        self.problem(relative, document.position(keys), _dotted(keys), message)

    def doubtful_texts(self) -> Iterator[str]:
        """Of each file that is not read to its end what stands in it; "" where nobody can tell."""
        for path in self.unreadable:
            yield self.contents.get(path, b"").decode(errors="replace")

    def take(self, relative: str, content: bytes | Unfit) -> None:
        """Gather what one file holds; or why it cannot be read."""
        self.digests.append((relative, digest_of_manifest(content)))
        if isinstance(content, Unfit) and is_json(relative):
            # Nobody can see whether it is a manifest at all.
            self.gaps.append(Problem(relative, 1, 1, "", str(content)))
            return
        self.seen += 1
        if isinstance(content, Unfit):
            self.unreadable.add(relative)
            self.problem(relative, (1, 1), "", str(content))
            return
        self.contents[relative] = content
        before = len(self.problems)
        # JSON may be indented with tabs, which YAML refuses; inside of its texts they are escaped.
        read = read_documents(content.replace(b"\t", b" ") if is_json(relative) else content)
        if read.unreadable:
            self.unreadable.add(relative)
        elif not read.documents and relative != STREAM_NAME:
            self.gaps.append(Problem(relative, 1, 1, "", _NO_DOCUMENT))
        # What another tool's document may hold (anchors, tags) is that tool's affair.
        theirs = {document.number for document in read.documents if document.flawed and is_of_others(document.value)}
        for flaw in (flaw for flaw in read.flaws if flaw.document not in theirs):
            self.problem(relative, (flaw.line, flaw.column), _dotted(flaw.path), flaw.message)
        for document in read.documents:
            self._document(relative, document)
            if len(self.problems) - before > ERRORS_LIMIT:
                self.unreadable.add(relative)
                return

    def _document(self, relative: str, document: Document) -> None:
        value = document.value
        if isinstance(value, list) and any(is_ours(item) for item in value):
            self.problem_in(relative, document, (), _A_LIST)
        elif isinstance(value, list):
            self._leave_out(relative, document)
        elif not isinstance(value, Mapping):
            self.problem_in(relative, document, (), "a document must be a mapping of fields")
        else:
            self._mapping(relative, document, value)

    def _mapping(self, relative: str, document: Document, value: Mapping[str, object]) -> None:
        match belongs(value):
            case Belongs.OURS:
                self.holding.add(relative)
                gather = self._fleet_document if value["kind"] == "Fleet" else self._job_document
                gather(relative, document, value)
            case Belongs.MISSPELT:
                self.broken.add(name_of(value))
                self.fleet_misspelt |= may_be_fleet(value)
                for key, message in objections(value):
                    self.problem_in(relative, document, (key,), message)
            case Belongs.LIST:
                items = tuple(_items(document))
                if not items:
                    self.gaps.append(Problem(relative, *document.position(()), "", _NO_DOCUMENT))
                for item in items:
                    self._document(relative, item)
            case Belongs.ELSEWHERE:
                self._leave_out(relative, document)
            case Belongs.OUTPUT:  # what this program wrote wants nothing
                pass

    def _leave_out(self, relative: str, document: Document) -> None:
        """Name what is not ours; of a file's later ones only how many they are."""
        self.left_out[relative] += 1
        if self.left_out[relative] <= ERRORS_LIMIT:
            self.warnings.append(Problem(relative, *document.position(()), "", described(document.value)))

    def _fleet_document(self, relative: str, document: Document, value: Mapping[str, object]) -> None:
        self.fleet_places.append((relative, document.position(())[0], name_of(value)))
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
            found = self._invalid(relative, document, error)
            named = any(one.message == ONE_MODEL or one.meant in _MODELS for one in found)
            self._beside_invalid(relative, document, value, no_model=named or document.flawed)
            return
        if document.flawed:
            self.broken.add(name_of(value))
        else:
            self._job(relative, document, job)

    def _invalid(self, relative: str, document: Document, error: ValidationError) -> list[Complaint]:
        """Report what is wrong with a document's fields."""
        # In the place of a key that is no text stands one of ours; that flaw, as a merge key, is reported as such.
        found = [one for one in problems_of(error) if not any(_is_stand_in(key) for key in one.keys)]
        for one in found:
            self.problem_in(relative, document, one.keys, one.message)
        return found

    def _beside_invalid(
        self, relative: str, document: Document, value: Mapping[str, object], *, no_model: bool
    ) -> None:
        """Report what else is wrong with a job whose fields are invalid: one run reports every error, once.

        ``no_model`` says that the missing or doubled model is reported already, or cannot be judged.
        """
        spec = value.get("spec")
        if not isinstance(spec, Mapping):
            return
        for key in ("training_file", "validation_file"):
            given = spec.get(key)
            if isinstance(given, str) and 0 < len(given) <= _PATH_LIMIT and not is_file_id(given):
                self._file(relative, document, key, given)
        unset: tuple[object, ...] = (None, {})
        if not no_model and (spec.get("model") in unset) == (spec.get("model_from") in unset):
            self.problem_in(relative, document, ("spec",), ONE_MODEL)

    def _file(self, relative: str, document: Document, key: str, given: str) -> TrainingFile | None:
        """A local training file; None, and a problem, where it cannot be used."""
        found = self._training.find((self.root / relative).parent, given)
        if isinstance(found, TrainingFile):
            return found
        self.problem_in(relative, document, ("spec", key), f"{escaped(given)}: {found}")
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


def _items(document: Document) -> Iterator[Document]:
    """The documents of a `kind: List`, each with its own positions."""
    below: dict[int, dict[Keys, tuple[int, int]]] = {}
    for path, position in document.find_positions().items():
        if len(path) > 1 and path[0] == "items" and isinstance(path[1], int):
            below.setdefault(path[1], {})[path[2:]] = position
    for index, value in enumerate(listed(document.value)):
        yield Document(value, below[index][()], functools.partial(dict, below[index]), document.flawed)


def _is_stand_in(key: str | int) -> bool:
    return isinstance(key, str) and (key.startswith("\0") or key == "<<")


def _dotted(keys: Iterable[str | int]) -> str:
    return ".".join(str(key) for key in keys)
