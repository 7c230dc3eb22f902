"""The training files of one pass's creates at the provider: the same bytes once, and several beside each other.

`sending` opens an `Uploads` for the writes of a pass and says which files they need; `act` asks for the id of each, and
waits for that one alone. A file that the account has is found by its name (one listing for all of them), or is the one
that the journal says was uploaded; any other is sent once. Which create is sent when is no affair of this module.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from msgspec import Struct

from reconciler.core.documents import TrainingFile, content_of
from reconciler.core.file_marks import marks_of_file
from reconciler.engine.ports import Ports
from reconciler.errors import NotSent, Refused
from reconciler.provider.request import Upload
from reconciler.state.uploads import Uploaded


class Needed(Struct, frozen=True):
    """A local file of a job's create, and the names under which the provider may have it.

    Under the first of them it is uploaded.
    """

    job: str
    file: TrainingFile
    names: tuple[str, ...]

    @property
    def key(self) -> str:
        """The same for files of which one will do."""
        return content_of(self.names[0])

    def is_met_by(self, uploaded: Uploaded) -> bool:
        """Whether a file that was uploaded before will do: of the same bytes, and where its name must tell, of that."""
        named = self.names[0] in {self.file.upload_name, uploaded.name}
        return named and uploaded.sha256 == self.file.sha256


class Uploads:
    """The files of one pass, within a block of `open`."""

    def __init__(self, ports: Ports, expected: Callable[[], Iterable[Needed]], stack: ExitStack) -> None:
        """As `open` says; ``stack`` ends with the block."""
        self._ports = ports
        self._expected = expected
        self._stack = stack
        self._ids: dict[str, Callable[[], str]] = {}
        self._sent: dict[str, Uploaded] = {}
        self._missing: dict[str, Needed] = {}  # what is uploaded, until the first create that waits for it has said so
        self._over = False

    @classmethod
    @contextmanager
    def open(cls, ports: Ports, expected: Callable[[], Iterable[Needed]]) -> Iterator["Uploads"]:
        """``expected`` says what the creates of this pass need; it is asked for when the first of them is sent.

        What is still on its way when the block ends is given up: no create will name it.
        """
        with ExitStack() as stack:
            uploads = cls(ports, expected, stack)
            try:
                yield uploads
                for key in tuple(uploads._sent):
                    uploads._record(key)
            finally:
                uploads._over = True

    def file_id(self, needed: Needed) -> str:
        """The provider's id of a file, once it can be used there.

        Raises:
            ProviderError: it could not be looked for, uploaded or waited for.
            SourceError: it has changed since it was read.
            JournalError: what was uploaded could not be recorded.
        """
        if needed.key not in self._ids:
            self._begin([needed, *self._expected()])
        if (missing := self._missing.pop(needed.key, None)) is not None:
            # Of each in its turn, in whatever order they are sent.
            log, file = self._ports.log, missing.file
            log.info("file.awaited", job=needed.job, path=file.path, size=file.size)
        try:
            return self._ids[needed.key]()
        finally:
            self._record(needed.key)

    def of_digest(self, named: str) -> str:
        """The id of a file that the provider has, of whatever size, by `sha256:` and 64 hex digits of its bytes.

        Raises:
            Refused: no file there is known to hold them; a create of it is tried again as a rejected one is.
        """
        provider, digest = self._ports.provider, named.removeprefix("sha256:")
        wanted = (f"-{digest[:16]}.jsonl", None)
        # What was recorded is proof of all its bytes; a name holds a quarter of their digest.
        found = self._recorded(digest) or provider.find_files({wanted}).get(wanted)
        if found is None:
            raise Refused(
                f"no file there is known to hold the bytes {named}: write the path of a local "
                "file, or the id that the provider has for it"
            )
        provider.wait_for_file(found)
        return found

    def _recorded(self, digest: str) -> str | None:
        journal = self._ports.journal
        echoes = journal.memory().echoes
        # Where the file's name is the mark of a job, no other job may be made of it.
        same = (one for one in journal.uploads.by_id().values() if one.sha256 == digest)
        return self._still_there(one for one in same if echoes or marks_of_file(one.name) is None)

    def _begin(self, needed: Iterable[Needed]) -> None:
        """Look for all of them at once, and begin to upload what is not there."""
        by_key: dict[str, Needed] = {}
        for one in needed:
            if one.key not in self._ids:
                by_key.setdefault(one.key, one)
        wanted = {(name, one.file.size) for one in by_key.values() for name in one.names}
        there = self._ports.provider.find_files(wanted)
        known = self._ports.journal.uploads.by_id()
        work = [self._task(one, there, known) for one in by_key.values()]
        results = self._stack.enter_context(self._ports.beside(work))
        self._ids |= dict(zip(by_key, results, strict=True))

    def _task(
        self, needed: Needed, there: Mapping[tuple[str, int | None], str], known: Mapping[str, Uploaded]
    ) -> Callable[[], str]:
        """All that is done for one file; in a thread of its own, so the journal is written elsewhere."""
        found = next(
            (there[name, needed.file.size] for name in needed.names if (name, needed.file.size) in there), None
        )
        recorded = [one for one in known.values() if needed.is_met_by(one)]
        if not found and not recorded:
            self._missing[needed.key] = needed

        def task() -> str:
            file_id = found or self._still_there(recorded) or self._upload(needed)
            self._ports.provider.wait_for_file(file_id)
            return file_id

        return task

    def _still_there(self, recorded: Iterable[Uploaded]) -> str | None:
        """One that was uploaded before and that no listing shows: it is too new, or this server lists no files."""
        shown = (one.file_id for one in recorded if self._ports.provider.file_name(one.file_id) == one.name)
        return next(shown, None)

    def _upload(self, needed: Needed) -> str:
        ports, file, name = self._ports, needed.file, needed.names[0]
        log = ports.log.bind(job=needed.job)
        log.info("file.upload_started", path=file.path, filename=name, size=file.size)
        file_id = ports.provider.upload_file(Upload(name, file.size, lambda: self._pieces(file)))
        self._sent[needed.key] = Uploaded(file_id, name, file.sha256, file.size)
        log.info("file.uploaded", path=file.path, file_id=file_id)
        return file_id

    def _pieces(self, file: TrainingFile) -> Iterator[bytes]:
        """Its bytes, as long as somebody wants them: an upload may take longer than there is time to stop in."""
        for piece in self._ports.pieces_of(file):
            if self._over or self._ports.stopping():
                raise NotSent("this run is stopping")
            yield piece

    def _record(self, key: str) -> None:
        sent = self._sent.pop(key, None)
        if sent is not None:
            self._ports.journal.uploads.record(sent)
