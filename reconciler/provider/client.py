"""The operations on jobs and files over HTTP, for one account of one server.

The engine and the commands call it through the `Provider` port. It says what each operation asks, and as which type: a
`ReadRequest`, which may be sent again, or a `WriteRequest`, which may not. Sending, judging and walking pages is left
to its parts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import starmap

from reconciler.clock import Clock
from reconciler.core.job import Checkpoint, Event, Job, object_of, parse_checkpoint, parse_event, parse_job
from reconciler.core.looks import shared
from reconciler.errors import Unreadable, escaped
from reconciler.provider.files import Files
from reconciler.provider.listing import Listings
from reconciler.provider.page import parse_page
from reconciler.provider.port import NONE_KNOWN, JobPage
from reconciler.provider.profile import Account
from reconciler.provider.request import ReadRequest, RequestRecord, WriteRequest, step
from reconciler.provider.sender import Sender
from reconciler.provider.transport import DeadlineTransport


class OpenAIClient:
    """A `Provider` over HTTP. Safe to use from several threads."""

    def __init__(  # noqa: PLR0913 - each a port
        self,
        account: Account,
        *,
        transport: DeadlineTransport,
        clock: Clock,
        random: Callable[[], float],
        on_request: Callable[[RequestRecord], None],
        on_pause: Callable[[float, str], None] = lambda _seconds, _why: None,
    ) -> None:
        """``random`` gives numbers from 0 to 1 for the jitter. The caller closes the transport.

        ``on_request`` gets every request that is over, ``on_pause`` every wait before one: seconds, and why.
        """
        self._words = account.assumed.words
        self._body = account.body
        self._sender = Sender(
            account, transport=transport, clock=clock, random=random, on_request=on_request, on_pause=on_pause
        )
        self._listings = Listings(self._sender, clock, account.assumed.that)
        # The operations on files are those of `Files`.
        files = Files(self._sender, self._listings, clock)
        self.ask_for_files = files.ask
        self.find_files = files.find
        self.file_name = files.name
        self.file_names = files.names
        self.upload_file = files.upload
        self.delete_file = files.delete
        self.list_files = files.every
        self.wait_for_file = files.wait_for

    def create_job(self, body: Mapping[str, object]) -> Job:
        """Send one POST; never again, whatever happens."""
        return self._sender.write(WriteRequest("create", "/fine_tuning/jobs", {**body, **self._body}), self._job)

    def list_jobs(self, known: Mapping[str, Job] = NONE_KNOWN) -> tuple[Job, ...]:
        """Every job of the account, page by page; complete, or it raises."""
        # The later of two showings is the fresher one.
        return tuple({job.id: job for page in self.job_pages() for job in shared(page.jobs, known)}.values())

    def job_pages(self) -> Iterator[JobPage]:
        """The pages of that listing, each asked for when it is wanted. A pass begins here, with a key that lasts."""
        self._sender.before_pass()
        read = ReadRequest("list", "/fine_tuning/jobs", all_jobs=True)
        return starmap(JobPage, self._listings.pages(read, self._job, lambda job: job.id))

    def jobs_with(self, name: str, value: str) -> Sequence[Job]:
        """A first page of jobs with this pair in their metadata, as the server says: it may ignore the filter."""
        read = ReadRequest("list", "/fine_tuning/jobs", params={f"metadata[{name}]": value})
        return next(self._listings.pages(read, self._job, lambda job: job.id, enough=1))[0]

    def retrieve_job(self, job_id: str) -> Job:
        """One job as it is now."""
        job = self._sender.read(ReadRequest("retrieve", f"/fine_tuning/jobs/{step(job_id)}"), self._job)
        if job.id != job_id:
            raise Unreadable(f"asked for job {escaped(job_id)}, the server answered with {escaped(job.id)}")
        return job

    def job_as_shown(self, job_id: str) -> Mapping[str, object]:
        """All that the server shows of a job, to be written down. What counts for a decision is in `Job`."""
        return self._sender.read(
            ReadRequest("retrieve", f"/fine_tuning/jobs/{step(job_id)}"), lambda answer: object_of(answer, "job")
        )

    def ask_for_models(self) -> None:
        """Whether the server lists models. Raises as every read where it does not."""
        self._sender.read(ReadRequest("models", "/models"), lambda answer: parse_page(answer, lambda model: model))

    def cancel_job(self, job_id: str) -> None:
        """Send one POST."""
        self._sender.send_once(WriteRequest("cancel", f"/fine_tuning/jobs/{step(job_id)}/cancel"))

    def pause_job(self, job_id: str) -> None:
        """Send one POST."""
        self._sender.send_once(WriteRequest("pause", f"/fine_tuning/jobs/{step(job_id)}/pause"))

    def resume_job(self, job_id: str) -> None:
        """Send one POST."""
        self._sender.send_once(WriteRequest("resume", f"/fine_tuning/jobs/{step(job_id)}/resume"))

    def list_events(self, job_id: str, *, limit: int | None = None) -> tuple[Event, ...]:
        """The newest first; with ``limit`` no further page is read than is needed for as many."""
        read = ReadRequest("events", f"/fine_tuning/jobs/{step(job_id)}/events")
        events = self._listings.items(read, parse_event, lambda event: event.id, enough=limit)
        return tuple({event.id: event for event in events}.values())

    def list_checkpoints(self, job_id: str) -> tuple[Checkpoint, ...]:
        """The highest step first."""
        read = ReadRequest("checkpoints", f"/fine_tuning/jobs/{step(job_id)}/checkpoints")
        found = self._listings.items(read, parse_checkpoint, lambda checkpoint: checkpoint.id)
        return tuple({checkpoint.id: checkpoint for checkpoint in found}.values())

    def _job(self, answer: object) -> Job:
        return parse_job(answer, self._words)
