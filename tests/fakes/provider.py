"""A provider in memory: the port itself, for tests in which nothing need go over a wire.

What goes over one is served by `faulty`. The simulation has a provider of its own, whose every call is an effect that
a fault may strike, and whose listings lag behind its ledger.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from msgspec.structs import replace

from reconciler.clock import Clock
from reconciler.core.job import Checkpoint, Event, Job, marks_of
from reconciler.errors import Refused
from reconciler.provider.port import NONE_KNOWN, JobPage
from reconciler.provider.request import Upload


class MemoryProvider:
    """Does what it is asked. ``trouble`` are errors for the next calls of an operation, by name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.jobs: dict[str, Job] = {}
        self.events: dict[str, list[Event]] = {}
        self.calls: list[tuple[float, str, str]] = []
        self.trouble: dict[str, list[Exception]] = {}
        self.page_size = 100

    def _called(self, operation: str, about: str = "") -> None:
        self.calls.append((self._clock.monotonic(), operation, about))
        if self.trouble.get(operation):
            raise self.trouble[operation].pop(0)

    def times(self, operation: str) -> list[float]:
        """When it was asked for."""
        return [at for at, named, _ in self.calls if named == operation]

    def create_job(self, body: Mapping[str, object]) -> Job:
        self._called("create")
        number = len(self.jobs) + 1
        marks = marks_of(body["metadata"])
        job = Job(f"j{number}", "running", created_at=number, marks=marks)
        self.jobs[job.id] = job
        return job

    def list_jobs(self, known: Mapping[str, Job] = NONE_KNOWN) -> tuple[Job, ...]:
        return tuple(job for page in self.job_pages() for job in page.jobs)

    def job_pages(self) -> Iterator[JobPage]:
        """Each of so many jobs; every one but the first is called a page."""
        jobs = tuple(reversed(self.jobs.values()))
        for start in range(0, max(1, len(jobs)), self.page_size):
            self._called("page" if start else "list")
            yield JobPage(jobs[start : start + self.page_size], start + self.page_size >= len(jobs))

    def retrieve_job(self, job_id: str) -> Job:
        self._called("retrieve", job_id)
        if job_id not in self.jobs:
            raise Refused("no such job", status=404)
        return self.jobs[job_id]

    def cancel_job(self, job_id: str) -> None:
        self._called("cancel", job_id)
        self.end(job_id, "cancelled")

    def pause_job(self, job_id: str) -> None:
        self._called("pause", job_id)
        self.jobs[job_id] = replace(self.jobs[job_id], status="paused")

    def resume_job(self, job_id: str) -> None:
        self._called("resume", job_id)
        self.jobs[job_id] = replace(self.jobs[job_id], status="running")

    def list_events(self, job_id: str, *, limit: int | None = None) -> tuple[Event, ...]:
        self._called("events", job_id)
        return tuple(reversed(self.events.get(job_id, [])))[:limit]

    def list_checkpoints(self, job_id: str) -> tuple[Checkpoint, ...]:
        self._called("checkpoints", job_id)
        return ()

    def find_files(self, wanted: AbstractSet[tuple[str, int | None]]) -> Mapping[tuple[str, int | None], str]:
        return dict.fromkeys(wanted, "file-1")

    def file_name(self, file_id: str) -> str:
        return ""

    def file_names(self) -> Mapping[str, str]:
        return {}

    def upload_file(self, upload: Upload) -> str:
        raise AssertionError("every file is there already")

    def wait_for_file(self, file_id: str) -> None:
        """It is ready."""

    def end(self, job_id: str, status: str) -> None:
        """Whoever it is, a job ends."""
        model = f"ft:{job_id}" if status == "succeeded" else None
        self.jobs[job_id] = replace(self.jobs[job_id], status=status, fine_tuned_model=model)

    def tell(self, job_id: str, *texts: str, **metrics: float) -> None:
        """Something happens to a job."""
        events = self.events.setdefault(job_id, [])
        events += [Event(f"e{job_id}-{len(events) + i}", 0, "info", "message", t, metrics) for i, t in enumerate(texts)]

    def live(self, name: str = "") -> list[str]:
        """Ids of the jobs that have not ended."""
        return [j.id for j in self.jobs.values() if j.live and (not name or (j.marks and j.marks.name == name))]
