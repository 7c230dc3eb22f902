"""The account as the looks of a run have shown it so far, and what a look at its newest jobs tells beside that.

Pure. `reconcile` keeps one `Looks` a run. A *complete* look reads every page of the listing. An *incremental* one reads
the newest pages, and one by one the jobs that may still move: it shows what is new, and proves nothing about the
rest. Nothing is ever created or cancelled on what an incremental look shows: `reconcile` makes a complete one first.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.core.job import Job

# After so many passes, or so many seconds, everything is looked at and decided anew, whatever seems to be unchanged.
PASSES_BETWEEN, SECONDS_BETWEEN = 10, 900.0

# A complete look costs a request a page, an incremental one a request a job that may still move. So many of those are
# worth it in any account (some servers move a job only when it is asked for), more only where the pages are more.
_ASKED_ANYWAY = 10
_PAGE = 100


class Looks(Struct, frozen=True):
    """``jobs`` by id, as the last look at each has shown it.

    ``young``: since when (monotonic) the jobs are known that no look has walked past a settle window later: a
    listing may lag, and what was made before one of them need not have been shown with it. ``newest_first``: the
    last complete listing was in that order. ``version``: another one whenever a job has changed that matters here.
    ``anew_at``: when everything was last looked at and decided anew, and so many ``passes`` were made since.
    """

    jobs: Mapping[str, Job] = field(default_factory=lambda: MappingProxyType({}))
    young: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    newest_first: bool = False
    version: int = 0
    anew_at: float = float("-inf")
    passes: int = 0

    def after_complete(
        self, listed: Sequence[Job], at: float, settle: float, matters: Callable[[Job], bool] = lambda _: True
    ) -> "Looks":
        """After a complete look that began ``at``, which showed ``listed`` in this order."""
        jobs = {job.id: job for job in listed}
        gone = (job for job_id, job in self.jobs.items() if job_id not in jobs)
        seen = self._with(jobs, [*self._otherwise(jobs), *gone], matters)
        in_order = is_newest_first(listed, strictly=True)
        return replace(seen, young=self._young(jobs, at, settle), newest_first=in_order)

    def after_incremental(
        self, shown: Mapping[str, Job], at: float, settle: float, matters: Callable[[Job], bool] = lambda _: True
    ) -> "Looks":
        """After an incremental look that began ``at`` and showed these, whatever their order."""
        otherwise = list(self._otherwise(shown))
        seen = self._with({**self.jobs, **shown}, otherwise, matters) if otherwise else self
        return replace(seen, young=self._young(shown, at, settle))

    def anew(self, at: float) -> "Looks":
        """Everything is looked at, and decided, ``at`` this moment."""
        return replace(self, anew_at=at, passes=0)

    def passed(self) -> "Looks":
        """One more pass goes by without that."""
        return replace(self, passes=self.passes + 1)

    def tells(self, asked: int) -> bool:
        """Whether an incremental look is worth it, where so many jobs would be asked for one by one."""
        short = self.newest_first or len(self.jobs) <= _PAGE
        return short and asked <= max(_ASKED_ANYWAY, len(self.jobs) // _PAGE)

    def is_old(self, at: float) -> bool:
        """Whether everything is to be looked at and decided anew."""
        return self.passes >= PASSES_BETWEEN or at - self.anew_at >= SECONDS_BETWEEN

    def reaches(self, page: Collection[Job]) -> bool:
        """Whether nothing new can follow this page: jobs come newest first, and all of these have long been known.

        They were known a settle window before an earlier look passed them.
        """
        return (
            self.newest_first and bool(page) and all(job.id in self.jobs and job.id not in self.young for job in page)
        )

    def strangers(self, shown: Mapping[str, Job], fleet: str, *, echoes: bool) -> bool:
        """Whether a job is shown that nobody knew, and that may be this fleet's; ``echoes``: its own bear its mark."""
        unknown = (job for job_id, job in shown.items() if job_id not in self.jobs)
        return any(job.belongs_to(fleet) or (job.marks is None and not echoes) for job in unknown)

    def _young(self, shown: Iterable[str], at: float, settle: float) -> Mapping[str, float]:
        since = {**{job_id: at for job_id in shown if job_id not in self.jobs}, **self.young}
        return {job_id: first for job_id, first in since.items() if first > at - settle}

    def _otherwise(self, shown: Mapping[str, Job]) -> Iterator[Job]:
        """The jobs that are shown otherwise than they are known, as they were and as they are."""
        for job_id, job in shown.items():
            before = self.jobs.get(job_id)
            if before is None or before != job:
                yield from (job,) if before is None else (before, job)

    def _with(self, jobs: Mapping[str, Job], otherwise: Sequence[Job], matters: Callable[[Job], bool]) -> "Looks":
        """With these jobs, of which so many are ``otherwise``."""
        if not otherwise:
            return self
        return replace(self, jobs=jobs, version=self.version + any(map(matters, otherwise)))


def shared(listed: Iterable[Job], known: Mapping[str, Job]) -> tuple[Job, ...]:
    """``listed``, where a job that is ``known`` as it is shown is that very object: a history is kept once."""
    return tuple(before if (before := known.get(job.id)) == job else job for job in listed)


def is_newest_first(jobs: Sequence[Job], *, strictly: bool = False) -> bool:
    """Whether a listing says so; ``strictly``: it does not show every job as made at the same moment, or at none."""
    in_order = all(before.created_at >= after.created_at for before, after in pairwise(jobs))
    return in_order and (not strictly or (bool(jobs) and jobs[0].created_at > jobs[-1].created_at > 0))
