"""One pause, or one resume, with everything that must be durable before it.

`sending` calls `pause_or_resume` for each of a gated plan. As a cancel, it is left out where a fresh look speaks
against it, else recorded, sent once, and read back. Which job may be resumed is decided in `core`, from what is
recorded here: one that was paused from here, and no other.
"""

from reconciler.core.change import Pause, Resume
from reconciler.core.job import Job
from reconciler.engine.act import Outcome, WriteTools
from reconciler.errors import NotSent, ProviderError, Refused
from reconciler.log import Log

# Answers of a server that has no such route; the job itself has just been read.
_NO_ROUTE = frozenset({404, 405, 501})


def pause_or_resume(tools: WriteTools, change: Pause | Resume) -> Outcome:
    """Look at the job; record; send; read the job back.

    Raises:
        JournalError: it could not be recorded; nothing was sent.
    """
    log = tools.log.bind(job=change.name, job_id=change.job_id, revision=change.revision, reason=change.reason)
    log = log.bind(action=change.action)
    try:
        job = tools.provider.retrieve_job(change.job_id)
    except ProviderError as error:
        log.warning("pausing.not_sent", error=str(error), http_status=error.status)
        return _outcome(change, f"not sent: a fresh look at it was not possible ({error})", sent=False)
    if not job.belongs_to(tools.fleet):
        log.warning("pausing.not_sent", error="it does not carry this fleet's marks")
        return _outcome(change, "not sent: it does not carry this fleet's marks", sent=False)
    if not job.live or job.paused is isinstance(change, Pause):
        log.info("pausing.unneeded", status=job.status)
        if not job.paused:  # whoever pauses it from now on, it was not us
            tools.journal.pauses.drop(job.id)
        return _outcome(change, f"not needed: it is {job.status}", job, ok=True, sent=False)
    return _sent(tools, change, log)


def _sent(tools: WriteTools, change: Pause | Resume, log: Log) -> Outcome:
    """Recorded, sent once, and read back."""
    resumes = isinstance(change, Resume)
    ours_before = tools.journal.pauses.record(change.job_id, resumed=resumes)
    log.info("pausing.recorded")
    send = tools.provider.resume_job if resumes else tools.provider.pause_job
    trouble = ""
    try:
        send(change.job_id)
    except ProviderError as error:
        log.warning("pausing.unconfirmed", error=str(error), http_status=error.status, request_id=error.request_id)
        if isinstance(error, NotSent | Refused) or error.status in _NO_ROUTE:
            return _undone(tools, change, error, ours_before=ours_before)
        trouble = f" ({error})"
    try:
        job = tools.provider.retrieve_job(change.job_id)
    except ProviderError as error:
        return _outcome(change, f"{change.action} sent; whether it took could not be read ({error})")
    return _read_back(tools, change, job, trouble, log)


def _undone(tools: WriteTools, change: Pause | Resume, error: ProviderError, *, ours_before: bool) -> Outcome:
    """Nothing came of it. A server without the route is remembered as one, and not asked again for a day.

    Of one that was seen to pause it takes two such answers: the first may be a gateway's.
    """
    pauses = tools.journal.pauses
    if isinstance(change, Pause) and error.status in _NO_ROUTE:
        paused_before = bool(pauses.able())
        pauses.record_ability(able=None if paused_before else False)
        if not paused_before:
            pauses.drop(change.job_id)
            return _outcome(change, "this server has no way to pause a job: it trains on", sent=False)
    if not isinstance(error, NotSent):
        pauses.postpone(change.job_id)
    elif isinstance(change, Pause) and not ours_before:
        pauses.drop(change.job_id)  # whoever pauses it from now on, it was not us
    return _outcome(change, f"not done: {error}", sent=False)


def _read_back(tools: WriteTools, change: Pause | Resume, job: Job, trouble: str, log: Log) -> Outcome:
    pauses = tools.journal.pauses
    if not job.live:
        pauses.drop(job.id)
        return _outcome(change, f"it ended by itself ({job.status})", job, ok=True)
    if job.paused is not isinstance(change, Pause):
        log.warning("pausing.without_effect", status=job.status)
        return _outcome(change, f"{change.action} sent, and job {job.id} is still {job.status}{trouble}", job)
    if isinstance(change, Resume):
        pauses.drop(job.id)
        log.info("job.resumed", status=job.status)
        return _outcome(change, f"resumed job {job.id}", job, ok=True)
    pauses.mark_confirmed(job.id)
    if not pauses.able():
        pauses.record_ability(able=True)
    log.info("job.paused", status=job.status)
    return _outcome(change, f"paused job {job.id}", job, ok=True)


def _outcome(
    change: Pause | Resume, message: str, job: Job | None = None, *, ok: bool = False, sent: bool = True
) -> Outcome:
    return Outcome(change.name, change.action, change.reason, change.job_id, ok, message, job, sent=sent)
