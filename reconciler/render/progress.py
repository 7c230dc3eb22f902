"""How far live jobs and uploads have come, as values and as one line each.

Pure. `apply` shows it while it waits; `voice` lays it out at a terminal, and now and then elsewhere.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from reconciler.core.job import Job
from reconciler.core.status import Progress
from reconciler.errors import escaped
from reconciler.render.text import about, age


class JobProgress(Struct, frozen=True):
    """One job that is waited for.

    ``step`` of ``total``, ``loss`` and ``pace`` (seconds a step) are None where the provider does not tell. ``since``
    and ``finish`` are Unix seconds: when the job was made, and when the provider expects its end. ``status`` is
    escaped.
    """

    name: str
    job_id: str
    status: str
    since: int | None = None
    finish: int | None = None
    step: int | None = None
    total: int | None = None
    loss: float | None = None

    pace: float | None = None

    def left(self, now: float) -> float | None:
        """Seconds until its end, as `time_left` says."""
        return time_left(self.finish, Reached(self.step, self.total, self.pace), self.since, now)


class Reached(Struct, frozen=True):
    """How far a job is; ``pace`` is in seconds a step. None where it is not known."""

    step: int | None
    total: int | None
    pace: float | None


def time_left(finish: int | None, reached: Reached, since: int | None, now: float) -> float | None:
    """Seconds until a job may end: as the provider estimates, else at its pace so far; None where nobody knows.

    ``finish`` and ``since`` are Unix seconds: the estimated end, and when the job was made.
    """
    if finish is not None:
        return finish - now if finish > now else None
    step, total = reached.step, reached.total
    if not step or not total or step >= total:
        return None
    if reached.pace is not None:
        return reached.pace * (total - step)
    elapsed = now - since if since else 0.0
    return elapsed / step * (total - step) if elapsed > 0 else None


def job_progress(jobs: Iterable[tuple[str, Job]], read: Mapping[str, Progress]) -> tuple[JobProgress, ...]:
    """The live ones of ``jobs`` (name and job), by name; ``read`` is how far each has come, by job id."""
    return tuple(_progress(name, job, read.get(job.id)) for name, job in sorted(jobs, key=lambda j: j[0]) if job.live)


def _progress(name: str, job: Job, read: Progress | None) -> JobProgress:
    losses = read.losses if read else {}
    return JobProgress(
        name,
        job.id,
        escaped(job.status),
        job.created_at or None,
        job.estimated_finish,
        read.step if read else None,
        read.total_steps if read else None,
        losses.get("train_loss"),
        read.pace if read else None,
    )


def progress_line(job: JobProgress, now: float) -> str:
    """As in ``tone: running, step 40 of 100, loss 0.42, 3m20s so far, about 5m left``."""
    parts = [job.status, *measures(job)]
    if job.since is not None:
        parts.append(f"{age(now - job.since)} so far")
    left = job.left(now)
    if left is not None:
        parts.append(f"about {about(left)} left")
    return f"{job.name}: {', '.join(parts)}"


def measures(job: JobProgress) -> tuple[str, ...]:
    """Its step and its loss, as far as they are known."""
    step = () if job.step is None else (f"step {job.step} of {job.total}" if job.total else f"step {job.step}",)
    return (*step, *(() if job.loss is None else (f"loss {job.loss:.4g}",)))


class UploadProgress(Struct, frozen=True):
    """One file that is being sent: ``sent`` of ``size`` bytes; ``path`` is as its manifest's reader sees it."""

    path: str
    sent: int
    size: int


def upload_line(upload: UploadProgress) -> str:
    """As in ``uploading data/train.jsonl: 120.0 of 512.0 MB``."""
    return f"uploading {escaped(upload.path)}: {sent_of(upload)}"


def sent_of(upload: UploadProgress) -> str:
    """How much of it has been sent."""
    return f"{upload.sent / 1e6:.1f} of {upload.size / 1e6:.1f} MB"
