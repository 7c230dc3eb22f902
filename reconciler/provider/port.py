"""What the rest of the program asks of a provider, and what a refusal by it means for other creates.

`client` is the real one; the simulation and the tests have others. Nothing here sends anything.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import NamedTuple, Protocol

from reconciler.core.job import Checkpoint, Event, Job
from reconciler.core.spelling import mentions
from reconciler.errors import RateLimited, Refused
from reconciler.provider.request import Upload

# Answers that say "no create at all can succeed now": key, permission. (Money is a 429 that lasts.)
_NO_JOBS = frozenset({401, 403})

# 429s that no waiting of ours cures.
_LASTING = ("quota", "credit", "spend_limit", "daily", "billing")

# "That file is not ready yet", as servers say it in a code or a sentence, letters only; the second row says
# so only where it is about a file.
_NOT_READY = re.compile(
    r"not(yet)?(ready|processed|imported)|ntready|notbeen(fully)?(processed|imported)|notfinished(processing|importing)"
    r"|still(being)?(process|import|validat|upload|pending)|(is|are)(currently)?being(process|import|validat)"
    r"|pendingimport|importpending|processinginprogress|notyetavailable|notavailableyet"
)
_ABOUT_A_FILE = re.compile(r"file|upload|dataset")
# Of a file that was uploaded a moment ago, and is not known everywhere yet.
_NO_SUCH_FILE = re.compile(r"nosuchfile|file\w*(not(be)?found|doesnotexist|doesntexist|notexist)|unknownfile")
_PASSING_WORDS = re.compile(r"tryagain|retry|inprogress|pending|notyet|notinavalidstate|mustbeprocessed")
_NOT_READY_STATUSES = frozenset({400, 404, 422})


NONE_KNOWN: Mapping[str, Job] = MappingProxyType({})


class JobPage(NamedTuple):
    """One page of the listing of all jobs; ``last``: none follows."""

    jobs: Sequence[Job]
    last: bool


class Provider(Protocol):
    """The operations of the fine-tuning API, and its files.

    Reads raise `NotSent`, `Refused` or `Unreadable`; a listing is complete or raises. Writes are sent
    once and raise `NotSent`, `Refused` (it was not done) or `OutcomeUnknown` (it may have been).
    """

    def create_job(self, body: Mapping[str, object]) -> Job:
        """Send one POST; the answer is the new job."""
        ...

    def list_jobs(self, known: Mapping[str, Job] = NONE_KNOWN) -> tuple[Job, ...]:
        """Every job of the account, each once. Raises `NoData` where it has no `data` at all.

        A job that is shown as it is in ``known`` may be that very object, so that a history is in memory only once.
        """
        ...

    def job_pages(self) -> Iterator[JobPage]:
        """The pages of `list_jobs` in the server's order, each asked for when it is wanted."""
        ...

    def retrieve_job(self, job_id: str) -> Job:
        """One job as it is now. An unknown id raises `Refused` with status 404."""
        ...

    def cancel_job(self, job_id: str) -> None:
        """Send one POST; what came of it is read with `retrieve_job`."""
        ...

    def pause_job(self, job_id: str) -> None:
        """Send one POST; what came of it is read with `retrieve_job`."""
        ...

    def resume_job(self, job_id: str) -> None:
        """Send one POST; what came of it is read with `retrieve_job`."""
        ...

    def list_events(self, job_id: str, *, limit: int | None = None) -> tuple[Event, ...]:
        """The newest first; all of them, or at least the ``limit`` newest."""
        ...

    def list_checkpoints(self, job_id: str) -> tuple[Checkpoint, ...]:
        """The highest step first."""
        ...

    def find_files(self, wanted: AbstractSet[tuple[str, int | None]]) -> Mapping[tuple[str, int | None], str]:
        """The ids of those training files that the account has, in one look: name, and bytes or None for any size."""
        ...

    def file_name(self, file_id: str) -> str:
        """The name under which a file was uploaded; "" where there is no such file, or it has none."""
        ...

    def file_names(self) -> Mapping[str, str]:
        """The names of the account's training files by id, as far as one bounded look tells."""
        ...

    def upload_file(self, upload: Upload) -> str:
        """Upload a training file; its id. Raises as a write does, and whatever its ``pieces`` raise."""
        ...

    def wait_for_file(self, file_id: str) -> None:
        """Return when the file can be used. Raises `Refused` where the server cannot use it."""
        ...


def takes_no_jobs(error: Refused) -> bool:
    """Whether this refusal is about every create, not about this one's content (row 14)."""
    return error.status in _NO_JOBS or (isinstance(error, RateLimited) and is_lasting(error))


def is_lasting(error: RateLimited) -> bool:
    """Whether this 429 means hours, or a human who must pay; any other one asks for a moment's patience.

    The code says so; where a server gives none, its sentence does, unless it names the wait beside it.
    """
    sentence = re.sub(r"https?://\S+", "", str(error))  # where to ask for more is no reason
    said = error.code or (sentence if error.retry_after is None else "")
    return mentions(said, _LASTING)


def is_not_ready(error: Refused) -> bool:
    """Whether a refused create only came too early: a file that it names is still being taken in.

    Told by the words of the code and the message. Nothing was created, and the same create can succeed in seconds.
    """
    if error.status not in _NOT_READY_STATUSES:
        return False
    # Codes are written file_not_ready, FileNotReady or in words.
    request, colon, sentence = str(error).partition(": ")
    said = re.sub(r"[^a-z]", "", f"{error.code} {sentence if colon else request}".lower())
    if _NO_SUCH_FILE.search(said):
        return True
    return bool(_NOT_READY.search(said) or (_ABOUT_A_FILE.search(said) and _PASSING_WORDS.search(said)))
