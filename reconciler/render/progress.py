"""How far live jobs have come, as values and as one line each.

Pure. `apply --wait` shows it while it waits; `voice` lays it out at a terminal, and now and then elsewhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.core.job import Job
from reconciler.core.status import Progress
from reconciler.errors import escaped
from reconciler.render.text import age


@dataclass(frozen=True, slots=True)
class JobProgress:
    """One job that is waited for.

    ``step`` of ``total``, and ``loss``, are None where the provider does not tell. ``since`` and ``finish`` are Unix
    seconds: when the job was made, and when the provider expects its end. ``status`` is escaped.
    """

    name: str
    job_id: str
    status: str
    since: int | None = None
    finish: int | None = None
    step: int | None = None
    total: int | None = None
    loss: float | None = None

    def left(self, now: float) -> float | None:
        """Seconds until its end: as the provider says, else as its steps so far let expect; None where nobody knows."""
        if self.finish is not None and self.finish > now:
            return self.finish - now
        if not self.step or not self.total or self.since is None or now <= self.since:
            return None
        return (now - self.since) * max(0, self.total - self.step) / self.step


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
    )


def progress_line(job: JobProgress, now: float) -> str:
    """As in ``tone: running, step 40 of 100, loss 0.42, 3m20s so far, about 5m left``."""
    parts = [job.status, *measures(job)]
    if job.since is not None:
        parts.append(f"{age(now - job.since)} so far")
    left = job.left(now)
    if left is not None:
        parts.append(f"about {age(left)} left")
    return f"{job.name}: {', '.join(parts)}"


def measures(job: JobProgress) -> tuple[str, ...]:
    """Its step and its loss, as far as they are known."""
    step = () if job.step is None else (f"step {job.step} of {job.total}" if job.total else f"step {job.step}",)
    return (*step, *(() if job.loss is None else (f"loss {job.loss:.4g}",)))
