"""The bytes of one manifest → what they declare, and every problem in them where it stands.

`reading` imports this module when it meets bytes that it does not know yet, and calls `parse`; `locate` when a problem
between documents asks where a field stands. YAML is imported by it, and by nothing else that reads.
What only shows between documents, or on the disk beside them, is not looked for here.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field

from reconciler.core.documents import Entry, TrainingFile
from reconciler.core.fields import FILES, ONE_MODEL, provided
from reconciler.core.models import Invalid, fleet_spec, job_spec
from reconciler.core.revision import form, revision_alone, revision_of
from reconciler.core.snapshot import ERRORS_LIMIT, Problem
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
from reconciler.source.known import Declared
from reconciler.source.manifest_files import STREAM_NAME, is_json
from reconciler.source.yaml_text import Document, ParsedFile, read_documents
from reconciler.source.yaml_text import Path as Keys

if TYPE_CHECKING:
    from reconciler.core.complaints import Complaint
    from reconciler.source.reading import Reading

_MODELS = (("spec", "model"), ("spec", "model_from"))
# Fields that decide what a training file has to hold.
_DECIDING = frozenset({(), ("spec",), ("spec", "method"), *_MODELS})
_ADOPTED_FOR = ("spec", "policy", "adopt", "revision")
_PATH_LIMIT = 515  # as the schema has it
_A_LIST = "a list of documents: write one after the other with --- between them, or as the items of a kind: List"
_NO_DOCUMENT = (
    "holds no document: a save under way looks like this; delete it if nothing is wanted of it, "
    "or name it in .reconcilerignore"
)


def parse(reading: "Reading", relative: str, content: bytes) -> tuple[Declared, ...] | None:
    """Gather what the file declares, and what is wrong with it; what it declares, where there is nothing to remark."""
    parser = _Parser(reading, relative)
    before = reading.remarks()
    parser.take(_read(relative, content))
    return tuple(parser.declared) if reading.remarks() == before else None


def locate(relative: str, content: bytes) -> list[Document]:
    """The documents of ours in a file, with the position of everything; the number of one is its `Declared.place`."""
    return [ours for document in _read(relative, content).documents for ours in _ours_in(document)]


def _read(relative: str, content: bytes) -> ParsedFile:
    # JSON may be indented with tabs, which YAML refuses; inside of its texts they are escaped.
    return read_documents(content.replace(b"\t", b" ") if is_json(relative) else content)


def _ours_in(document: Document) -> Iterator[Document]:
    whose = belongs(document.value) if isinstance(document.value, Mapping) else None
    if whose is Belongs.OURS:
        yield document
    elif whose is Belongs.LIST:
        for item in _items(document):
            yield from _ours_in(item)


class _Parser(Struct):
    """What one file is found to hold; ``place`` is the number of the next document of ours, from 0."""

    reading: "Reading"
    relative: str
    declared: list[Declared] = field(default_factory=list)
    place: int = 0

    def take(self, read: ParsedFile) -> None:
        reading, relative = self.reading, self.relative
        before = len(reading.problems)
        if read.unreadable:
            reading.unreadable.add(relative)
        elif not read.documents and relative != STREAM_NAME:
            reading.gaps.append(Problem(relative, 1, 1, "", _NO_DOCUMENT))
        # What another tool's document may hold (anchors, tags) is that tool's affair.
        theirs = {document.number for document in read.documents if document.flawed and is_of_others(document.value)}
        for flaw in (flaw for flaw in read.flaws if flaw.document not in theirs):
            reading.problem(relative, (flaw.line, flaw.column), flaw.path, flaw.message)
        for document in read.documents:
            self._document(document)
            if len(reading.problems) - before > ERRORS_LIMIT:
                reading.unreadable.add(relative)
                return

    def problem_in(self, document: Document, keys: Keys, message: str) -> None:
        """Something wrong in a document, where ``keys`` lead."""
        self.reading.problem(self.relative, document.position(keys), keys, message)

    def _document(self, document: Document) -> None:
        value = document.value
        if isinstance(value, list) and any(is_ours(item) for item in value):
            self.problem_in(document, (), _A_LIST)
        elif isinstance(value, list):
            self._leave_out(document)
        elif not isinstance(value, Mapping):
            self.problem_in(document, (), "a document must be a mapping of fields")
        else:
            self._mapping(document, value)

    def _mapping(self, document: Document, value: Mapping[str, object]) -> None:
        match belongs(value):
            case Belongs.OURS:
                self.reading.holding.add(self.relative)
                gather = self._fleet_document if value["kind"] == "Fleet" else self._job_document
                gather(document, value)
                self.place += 1
            case Belongs.MISSPELT:
                self.reading.broken.add(name_of(value))
                self.reading.fleet_misspelt |= may_be_fleet(value)
                for key, message in objections(value):
                    self.problem_in(document, (key,), message)
            case Belongs.LIST:
                items = tuple(_items(document))
                if not items:
                    self.reading.gaps.append(Problem(self.relative, *document.position(()), "", _NO_DOCUMENT))
                for item in items:
                    self._document(item)
            case Belongs.ELSEWHERE:
                self._leave_out(document)
            case Belongs.OUTPUT:  # what this program wrote wants nothing
                pass

    def _leave_out(self, document: Document) -> None:
        """Name what is not ours; of a file's later ones only how many they are."""
        self.reading.left_out[self.relative] += 1
        if self.reading.left_out[self.relative] <= ERRORS_LIMIT:
            self.reading.warnings.append(Problem(self.relative, *document.position(()), "", described(document.value)))

    def _fleet_document(self, document: Document, value: Mapping[str, object]) -> None:
        try:
            name, spec = fleet_spec(value)
        except Invalid as error:
            self.reading.fleet_places.append((self.relative, document.position(())[0], name_of(value)))
            self._invalid(document, error)
        else:
            self._declare("Fleet", document, name, spec)

    def _job_document(self, document: Document, value: Mapping[str, object]) -> None:
        try:
            name, spec = job_spec(value)
        except Invalid as error:
            self.reading.broken.add(name_of(value))
            found = self._invalid(document, error, value)
            named = any(one.message == ONE_MODEL or one.meant in _MODELS for one in found)
            unclear = document.flawed or any(_DECIDING.intersection((one.keys[:2], one.meant[:2])) for one in found)
            self._beside_invalid(document, value, no_model=named or document.flawed, unclear=unclear or named)
            return
        if document.flawed:
            self.reading.broken.add(name)
        else:
            self._declare("FineTuningJob", document, name, spec)

    def _declare(self, kind: str, document: Document, name: str, spec: Mapping[str, object]) -> None:
        revision = revision_alone(spec) if kind == "FineTuningJob" else None
        one = Declared(kind, name, document.position(())[0], self.place, spec, revision)
        self.declared.append(one)
        self.reading.declare(self.relative, one)

    def _invalid(
        self, document: Document, error: Invalid, job: Mapping[str, object] | None = None
    ) -> list["Complaint"]:
        """Report what is wrong with a document's fields; where it is that of a ``job``, with the line to write."""
        # Imported here: nearly every document is right.
        from reconciler.core.complaints import problems_of  # noqa: PLC0415

        # A key that is no text, or a merge key, was replaced by one of ours; its flaw is reported already.
        found = [one for one in problems_of(error) if not any(_is_stand_in(key) for key in one.keys)]
        for one in found:
            line = self._line_to_write(job) if job and one.keys == _ADOPTED_FOR else ""
            self.problem_in(document, one.keys, one.message + line)
        return found

    def _line_to_write(self, job: Mapping[str, object]) -> str:
        """Which revision this manifest has, for who names a job that stands for it; "" where that is not known.

        That of a job which is built on another is no affair of this file alone.
        """
        spec = job.get("spec")
        policy = spec.get("policy") if isinstance(spec, Mapping) else None
        if not isinstance(spec, Mapping) or not isinstance(policy, Mapping):
            return ""
        alone = {**spec, "policy": {key: policy[key] for key in policy if key != "adopt"}}
        try:
            name, written = job_spec({**job, "spec": alone})
        except Invalid:
            return ""
        given = [written.get(key) for key in FILES]
        files = [self.reading.look_at(self.relative, f) if f and provided(f) is None else None for f in given]
        training, validation = (None if isinstance(file, Unfit) else file for file in files)
        if "model_from" in written or any(isinstance(file, Unfit) for file in files):
            return ""
        entry = Entry(name, written, self.relative, 1, training, validation)
        # Quoted: sixteen digits, or 12e4567890123456, would be a number.
        return f'; for this manifest as it is now, write `revision: "{revision_of(form(entry, None))}"`'

    def _beside_invalid(
        self, document: Document, value: Mapping[str, object], *, no_model: bool, unclear: bool
    ) -> None:
        """Report what else is wrong with a job whose fields are invalid: one run reports every error, once.

        ``no_model`` says that the missing or doubled model is reported already, or cannot be judged; ``unclear`` that
        nobody can tell what its files should hold.
        """
        spec = value.get("spec")
        if not isinstance(spec, Mapping):
            return
        files: dict[str, TrainingFile | None] = {}
        for key in FILES:
            given = spec.get(key)
            named = isinstance(given, str) and 0 < len(given) <= _PATH_LIMIT and provided(given) is None
            files[key] = self.reading.find_file(self.relative, self.place, key, str(given)) if named else None
        name = name_of(value)
        if name and not unclear and isinstance(spec.get("model"), str):
            line, training, validation = document.position(())[0], files["training_file"], files["validation_file"]
            self.reading.invalid.append(Entry(name, spec, self.relative, line, training, validation))
        unset: tuple[object, ...] = (None, {})
        if not no_model and (spec.get("model") in unset) == (spec.get("model_from") in unset):
            self.problem_in(document, ("spec",), ONE_MODEL)


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
