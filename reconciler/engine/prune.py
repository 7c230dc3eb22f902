"""The fleet's files at the provider: what needs each of them, and the end of those that nothing needs.

`cli.files` calls `look`, shows what it found, and after a person's yes `prune`, which looks again: at every job of the
account, at each live one by itself, and at each file right before its DELETE. Each is sent once. No job is touched.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from msgspec import Struct

from reconciler.core.file_uses import FileUse, ProviderFile, Traces, file_uses
from reconciler.core.job import Job
from reconciler.core.snapshot import Snapshot
from reconciler.engine.reconcile import Reconciler
from reconciler.errors import GateRefused, ProviderError, Refused

_GONE = 404


class FileStore(Protocol):
    """What is asked of the provider beside a pass."""

    def list_files(self) -> tuple[ProviderFile, ...]:
        """All training files. Raises where they cannot be listed to the end."""
        ...

    def file_name(self, file_id: str) -> str:
        """As `Provider` has it."""
        ...

    def delete_file(self, file_id: str) -> None:
        """One DELETE."""
        ...

    def job_as_shown(self, job_id: str) -> Mapping[str, object]:
        """All that the server shows of a job."""
        ...


class Deleted(Struct, frozen=True):
    """What came of one delete."""

    file: ProviderFile
    ok: bool
    message: str


def look(run: Reconciler, store: FileStore, snapshot: Snapshot) -> tuple[FileUse, ...]:
    """Every file of the fleet, and what needs it. Raises ProviderError where not everything could be looked at."""
    # The files before the jobs: a job that is made of a file meanwhile is seen.
    files = store.list_files()
    world = run.observe(snapshot).world
    recorded = {one.file_id: (one.name, one.sha256) for one in run.ports.journal.uploads.by_id().values()}
    named: dict[str, tuple[str, ...]] = {}
    for job in world.jobs:
        if job.live:
            for file_id in _named(store.job_as_shown(job.id), job) or {""}:
                named[file_id] = (*named.get(file_id, ()), job.id)
    return file_uses(world, files, Traces(recorded, named))


def _named(shown: Mapping[str, object], job: Job) -> set[str]:
    """What a job calls its files; a listing leaves out the second."""
    return {str(name) for name in (job.training_file, shown.get("training_file"), shown.get("validation_file")) if name}


def prune(
    run: Reconciler,
    store: FileStore,
    snapshot: Snapshot,
    agreed: frozenset[str],
    deleting: Callable[[FileUse], None] = lambda _: None,
) -> Iterator[Deleted]:
    """Delete those of the ``agreed`` files, by id, that nothing needs now either.

    Raises:
        GateRefused: the manifests do not show for certain what is wanted; nothing was deleted.
        ProviderError: not everything could be looked at; nothing was deleted.
    """
    ports = run.ports
    with ports.pass_lock():
        if snapshot.problems or snapshot.gaps or not ports.unchanged(snapshot):
            raise GateRefused(
                "gate evidence refuses: the manifests have errors or gaps, or changed meanwhile; nothing was deleted"
            )
        uploaded = ports.journal.uploads.by_id()
        for use in look(run, store, snapshot):
            if use.file.id in agreed and use.unused and not _is_young(run, use.file, known=use.file.id in uploaded):
                deleting(use)
                yield _deleted(run, store, use.file)


def _is_young(run: Reconciler, file: ProviderFile, *, known: bool) -> bool:
    """Whether a job may have been made of it that the listing does not show yet.

    Where the server does not say how old it is, one that was uploaded from here (``known``) is not: its create came
    under the same lock.
    """
    if not file.created_at:
        return not known
    return file.created_at > run.clock.time() - run.watch.settle


def _deleted(run: Reconciler, store: FileStore, file: ProviderFile) -> Deleted:
    log = run.ports.log.bind(file_id=file.id, filename=file.name)
    try:
        if store.file_name(file.id) != file.name:
            return Deleted(file, ok=False, message="not deleted: it is not there by that name any more")
        log.info("file.delete_started")
        store.delete_file(file.id)
    except ProviderError as error:
        if not (isinstance(error, Refused) and error.status == _GONE):
            log.warning("file.delete_failed", error=str(error), http_status=error.status)
            return Deleted(file, ok=False, message=f"not deleted, as far as is known: {error}")
    run.ports.journal.uploads.drop(file.id)
    log.info("file.deleted")
    return Deleted(file, ok=True, message="deleted")
