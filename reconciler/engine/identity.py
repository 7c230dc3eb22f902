"""Whose a job is where the server drops metadata: each job it shows, with the marks of its training file's name.

`reconcile` looks through a `MarkedProvider` and hands it to every write, so that a listing, a fresh look and a job
that is read back say the same. What a name means is decided in `core.file_marks`; in here names are asked for, as few
as possible: each file once a run, and none where our marks come back.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from reconciler.core.file_marks import Sent, marked_by_file, marks_of_file
from reconciler.core.job import Job, is_id
from reconciler.core.looks import shared
from reconciler.core.recognition import learned
from reconciler.errors import NotSent, ProviderError, RateLimited
from reconciler.provider.port import NONE_KNOWN, JobPage, Provider

# Beyond so many unknown names, the listing of files is read; so many more are asked for one by one in one look.
_BEFORE_LISTING, _ONE_BY_ONE = 3, 20


class FileNames:
    """The names of training files, as far as this run has asked for them."""

    def __init__(self, provider: Provider, now: Callable[[], float], settle: float) -> None:
        """``now``: monotonic. A file that is not there may only be slow to appear, for ``settle`` seconds."""
        self._provider = provider
        self._now = now
        self._settle = settle
        self._names: dict[str, str] = {}
        self._missed: dict[str, float] = {}  # since when a file was not there
        self._tries: dict[str, int] = {}
        self.seeds = False  # this server shows seeds
        self.every = False  # a run that looks only once must ask for all names now

    def of(self, job: Job) -> str:
        """The name of its training file, "" where it is not known; some servers show the name for the id."""
        own = job.training_file
        return own if marks_of_file(own) is not None else self._names.get(own, "")

    def learn(self, jobs: Iterable[Job]) -> None:
        """Ask for what is not known yet of these jobs' files; what cannot be read now is left for another look.

        Raises:
            NotSent, RateLimited: the next request would fail alike.
        """
        ids = dict.fromkeys(job.training_file for job in jobs if is_id(job.training_file))
        unknown = [file_id for file_id in ids if file_id not in self._names and marks_of_file(file_id) is None]
        if len(unknown) > _BEFORE_LISTING:
            listed = self._provider.file_names()
            self._names |= {file_id: listed[file_id] for file_id in unknown if listed.get(file_id)}
            unknown = [file_id for file_id in unknown if file_id not in self._names]
        for file_id in sorted(unknown, key=lambda one: self._tries.get(one, 0))[: None if self.every else _ONE_BY_ONE]:
            self._tries[file_id] = self._tries.get(file_id, 0) + 1
            try:
                self._learn_one(file_id)
            except (NotSent, RateLimited):
                raise
            except ProviderError:
                return

    def _learn_one(self, file_id: str) -> None:
        now = self._now()
        name = self._provider.file_name(file_id)
        if name or now >= self._missed.setdefault(file_id, now) + self._settle:
            self._names[file_id] = name


class MarkedProvider:
    """A `Provider` whose jobs carry the marks of their files, where they carry none in their metadata."""

    def __init__(self, provider: Provider, names: FileNames, sent: Sent) -> None:
        self._provider = provider
        self._names = names
        self._sent = sent
        # The answer to a create as it is: no further request may stand between it and the journal.
        self.create_job = provider.create_job
        self.cancel_job = provider.cancel_job
        self.pause_job = provider.pause_job
        self.resume_job = provider.resume_job
        self.list_events = provider.list_events
        self.list_checkpoints = provider.list_checkpoints
        self.find_files = provider.find_files
        self.file_name = provider.file_name
        self.file_names = provider.file_names
        self.upload_file = provider.upload_file
        self.wait_for_file = provider.wait_for_file

    def list_jobs(self, known: Mapping[str, Job] = NONE_KNOWN) -> tuple[Job, ...]:
        """As `Provider` says."""
        return shared(self._marked(self._provider.list_jobs(known)), known)

    def job_pages(self) -> Iterator[JobPage]:
        """As `Provider` says."""
        for page in self._provider.job_pages():
            yield JobPage(self._marked(page.jobs), page.last)

    def retrieve_job(self, job_id: str) -> Job:
        """As `Provider` says."""
        (job,) = self._marked((self._provider.retrieve_job(job_id),))
        return job

    def _marked(self, jobs: Sequence[Job]) -> tuple[Job, ...]:
        """Each job with its marks. Where ours come back as metadata, a job without them is not ours."""
        sent, names = self._sent, self._names
        if learned(sent.memory, jobs, sent.fleet).echoes:
            return tuple(jobs)
        names.learn(job for job in jobs if job.marks is None)
        names.seeds |= any(job.seed for job in jobs)
        return tuple(marked_by_file(job, names.of(job), sent, seeds=names.seeds) for job in jobs)
