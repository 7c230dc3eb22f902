"""What one reading gathers, file by file and document by document: entries, fleets, and every problem where it stands.

`directory` gives a `Reading` the bytes of each file, and makes a `Snapshot` of what it gathered. Bytes that were read
before are `known`, and all others `parsing` reads. What only shows between documents (a doubled name, a missing fleet,
a job built on no other) is not looked for here.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from reconciler.core.desired import Fleet, fleet_of
from reconciler.core.documents import Entry, TrainingFile
from reconciler.core.fields import FILES, provided
from reconciler.core.snapshot import Problem
from reconciler.errors import escaped
from reconciler.source.files import Below, Unfit
from reconciler.source.fingerprint import digest_of_manifest
from reconciler.source.known import Declared, Known
from reconciler.source.manifest_files import is_json
from reconciler.source.training_files import TrainingFiles
from reconciler.startup import lean_imports

if TYPE_CHECKING:
    from reconciler.source.yaml_text import Document

_TWO_MEANINGS = (
    "the name of a file that the provider has, and of one that stands here: write ./ before it, or rename that one"
)
WHOLE = (0, 0)  # the position of what is wrong with a file or a directory as a whole


@cache
def _parse() -> "Callable[[Reading, str, bytes], tuple[Declared, ...] | None]":
    # Imported here: YAML and the fields of manifests (20 ms) are only for bytes that nobody has read before.
    with lean_imports():
        from reconciler.source.parsing import parse  # noqa: PLC0415

    return parse


class Reading(Struct):
    """What is gathered while files are read, one after the other.

    Files are named by their path relative to ``root``. ``unreadable``, ``gaps``, ``holding``, ``own`` and
    ``files_root`` are as in `Snapshot`; ``broken`` are names whose document is, "" where it has none that can be read.
    """

    root: Path
    below: Below
    training: TrainingFiles
    own: frozenset[Path] = frozenset()
    known: Known = field(default_factory=Known)
    files_root: Path | None = None
    seen: int = 0  # how many files are manifests, readable or not
    fleet_places: list[tuple[str, int, str]] = field(default_factory=list)  # file, line and name, valid or not
    fleet_misspelt: bool = False  # a document stands there that may have been meant as one
    entries: list[Entry] = field(default_factory=list)
    invalid: list[Entry] = field(default_factory=list)  # of invalid documents which say what they train and how
    files: list[TrainingFile] = field(default_factory=list)  # every one that a job names, valid or not
    fleets: list[Fleet] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)  # how many documents of a file are not ours
    data_warnings: list[Problem] = field(default_factory=list)  # of what is odd about training files
    gaps: list[Problem] = field(default_factory=list)
    holding: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)
    digests: list[tuple[str, str]] = field(default_factory=list)  # of each file, in their order
    places: dict[str, int] = field(default_factory=dict)  # which document of its file each entry is, by its name
    contents: dict[str, bytes] = field(default_factory=dict)  # of each file, for the lines that problems stand in
    located: "tuple[str, list[Document]]" = ("", [])  # of the file that was last asked for

    @classmethod
    def of(
        cls,
        root: Path,
        own: Iterable[Path] = (),
        known: Known | None = None,
        files_root: Path | None = None,
    ) -> "Reading":
        """One that has gathered nothing yet."""
        below = Below.of(root, files_root)
        return cls(root, below, TrainingFiles(below), frozenset(own), known or Known(), files_root)

    def problem(self, path: str, position: tuple[int, int], keys: Iterable[str | int], message: str) -> None:
        self.problems.append(Problem(path, *position, ".".join(map(str, keys)), message))

    def problem_at(self, relative: str, place: int, keys: tuple[str | int, ...], message: str) -> None:
        """Something wrong in a document of ours, where ``keys`` lead; ``place`` as in `Declared`."""
        if self.located[0] != relative:
            from reconciler.source.parsing import locate  # noqa: PLC0415 - as in `take`

            self.located = relative, locate(relative, self.contents[relative])
        self.problem(relative, self.located[1][place].position(keys), keys, message)

    def remarks(self) -> int:
        """What grows with each file of which there is something to say."""
        said = len(self.problems) + len(self.warnings) + len(self.gaps) + len(self.unreadable) + len(self.broken)
        return said + self.left_out.total() + self.fleet_misspelt

    def doubtful_texts(self) -> Iterator[str]:
        """Of each file that is not read to its end what stands in it; "" where nobody can tell."""
        for path in self.unreadable:
            yield self.contents.get(path, b"").decode(errors="replace")

    def take(self, relative: str, content: bytes | Unfit) -> None:
        """Gather what one file holds; or why it cannot be read."""
        digest = digest_of_manifest(content)
        self.digests.append((relative, digest))
        if isinstance(content, Unfit) and is_json(relative):
            # Nobody can see whether it is a manifest at all.
            self.gaps.append(Problem(relative, 1, 1, "", str(content)))
            return
        self.seen += 1
        if isinstance(content, Unfit):
            self.unreadable.add(relative)
            self.problem(relative, (1, 1), (), str(content))
            return
        self.contents[relative] = content
        declared = self.known.find(digest, json=is_json(relative))
        for one in declared or ():
            self.declare(relative, one)
        if declared is None:
            self.known.learn(digest, _parse()(self, relative, content), json=is_json(relative))

    def declare(self, relative: str, one: Declared) -> None:
        """Gather what a valid document says."""
        self.holding.add(relative)
        if one.kind == "Fleet":
            self.fleet_places.append((relative, one.line, one.name))
            self.fleets.append(fleet_of(one.name, one.spec))
            return
        files = {key: self._local(relative, one, key) for key in FILES}
        self.places.setdefault(one.name, one.place)
        training, validation = files["training_file"], files["validation_file"]
        self.entries.append(Entry(one.name, one.spec, relative, one.line, training, validation, one.revision))

    def _local(self, relative: str, one: Declared, key: str) -> TrainingFile | None:
        """The local file that a job names; None, and its job is broken, where it cannot be used."""
        given = one.spec.get(key)
        if given is None:
            return None
        if provided(given) is not None:
            if self.training.stands(relative, given):
                self.broken.add(one.name)
                self.problem_at(relative, one.place, ("spec", key), f"{escaped(given)}: {_TWO_MEANINGS}")
            return None
        found = self.find_file(relative, one.place, key, given)
        if found is None:
            self.broken.add(one.name)
        return found

    def look_at(self, relative: str, given: str) -> TrainingFile | Unfit:
        """A local training file, or why it cannot be used: nothing is said of it."""
        return self.training.find(relative, given)

    def find_file(self, relative: str, place: int, key: str, given: str) -> TrainingFile | None:
        """A local training file; None, and a problem, where it cannot be used."""
        found = self.look_at(relative, given)
        if isinstance(found, TrainingFile):
            self.files.append(found)
            return found
        self.problem_at(relative, place, ("spec", key), f"{escaped(given)}: {found}")
        return None
