"""One cancel, with everything that must be durable before it.

`sending` calls `cancel` for each of a gated plan, `engine.probe` for the end of what it made. It is left out where a
fresh look speaks against it, else recorded, sent once, and read back. No cancel leaves here twice; which job is to end
is decided in `core`.
"""

from reconciler.core.change import Action, Cancel
from reconciler.core.job import Job
from reconciler.engine.act import BROKEN, Outcome, WriteTools, failed
from reconciler.errors import NotSent, ProviderError, Refused
from reconciler.log import Log

# HTTP statuses after which the same cancel may work later, as it may where the server is broken.
_WEAK = frozenset({408, 409, 425, 429})


def cancel(tools: WriteTools, change: Cancel) -> Outcome:
    """Look at the job, and at the one that is kept; record; cancel; read the job back.

    Raises:
        JournalError: the cancel could not be recorded; nothing was sent.
    """
    log = tools.log.bind(job=change.name, job_id=change.job_id, revision=change.revision, reason=change.reason)
    job_id = change.job_id
    if change.lost:
        log.error("job.mismatched", why=change.message)
    if change.answered:  # no marks will say later that it is ours, so it is recorded before anything can go wrong
        tools.journal.cancels.record(job_id, change.reason)
    unsent = _looked_at(tools, change, log)
    if unsent is not None:
        return unsent
    if not change.answered:
        tools.journal.cancels.record(job_id, change.reason)
    log.info("cancel.recorded")
    trouble: ProviderError | None = None
    try:
        tools.provider.cancel_job(job_id)
    except NotSent as error:
        tools.journal.cancels.mark_failed(job_id)
        log.warning("cancel.not_sent", error=str(error))
        return failed(change, f"not sent: {error}")
    except ProviderError as error:
        trouble = error
        log.warning("cancel.unconfirmed", error=str(error), http_status=error.status, request_id=error.request_id)
    outcome = _read_back(tools, change, str(trouble or ""), log)
    if outcome.job is None or outcome.job.live:
        _postpone(tools, job_id, trouble, under_way=outcome.ok)
    return outcome


def _looked_at(tools: WriteTools, change: Cancel, log: Log) -> Outcome | None:
    """What a fresh look makes of it where it is not to be sent; None where nothing speaks against it."""
    try:
        job = tools.provider.retrieve_job(change.job_id)
        objection = _objection(tools, change, job)
    except ProviderError as error:
        _unrecord(tools, change)
        log.warning("cancel.not_sent", error=str(error), http_status=error.status, request_id=error.request_id)
        return failed(change, f"not cancelled: a fresh look at it was not possible ({error})")
    if not job.live or _is_right(change, job):
        if change.answered:
            tools.journal.cancels.mark_unneeded(change.job_id)
        log.info("cancel.unneeded", status=job.status)
        message = "it shows the method that was sent" if job.live else f"it had ended already ({job.status})"
        return Outcome(change.name, Action.CANCEL, change.reason, change.job_id, True, message, job, sent=False)
    if objection:
        _unrecord(tools, change)
        log.warning("cancel.not_sent", error=objection)
        return failed(change, f"not cancelled: {objection}")
    return None


def _unrecord(tools: WriteTools, change: Cancel) -> None:
    """Take back what was recorded: whoever ends the job from now on, it was not this cancel."""
    if change.answered:
        tools.journal.cancels.mark_unsent(change.job_id)


def _postpone(tools: WriteTools, job_id: str, trouble: ProviderError | None, *, under_way: bool) -> None:
    """A cancel has not taken: it is sent again in seconds, or later where that would be no use."""
    if isinstance(trouble, Refused):
        tools.journal.cancels.mark_failed(job_id)
    status = trouble.status if trouble else None
    refused = status is not None and status not in _WEAK and status < BROKEN
    wait = (trouble.retry_after if trouble else None) or 0.0
    # One that is under way gains nothing by being asked for again.
    if refused or under_way or wait:
        tools.journal.cancels.postpone(job_id, at_least=wait, in_minutes=refused or under_way)


def _is_right(change: Cancel, job: Job) -> bool:
    """Whether a look at the job alone shows the method that its listing, or the answer to its create, left out."""
    return bool(change.lost) and job.training.method == change.lost


def _objection(tools: WriteTools, change: Cancel, job: Job) -> str:
    """Why this job may not be cancelled after all; "" where nothing speaks against it."""
    if not job.belongs_to(tools.fleet) and not (change.answered and job.marks is None):
        return "it does not carry this fleet's marks"
    if change.keeper is None or not job.live:
        return ""
    keeper = tools.provider.retrieve_job(change.keeper)
    stays = keeper.succeeded or (keeper.live and not keeper.ending)
    return "" if stays else f"job {keeper.id}, which was to stay, is {keeper.status} by now"


def _read_back(tools: WriteTools, change: Cancel, trouble: str, log: Log) -> Outcome:
    job_id = change.job_id
    try:
        job = tools.provider.retrieve_job(job_id)
    except ProviderError as error:
        return failed(change, f"cancel sent; whether it took could not be read ({error})", sent=True)
    if job.cancelled:
        log.info("job.cancelled")  # before it is confirmed: one that is not is logged by the next pass
        tools.journal.cancels.mark_confirmed(job_id)
        return Outcome(change.name, Action.CANCEL, change.reason, job_id, True, f"cancelled job {job_id}", job)
    if not job.live:
        tools.journal.cancels.mark_unneeded(job_id)
        log.info("cancel.unneeded", status=job.status)
        return Outcome(
            change.name, Action.CANCEL, change.reason, job_id, True, f"it ended by itself ({job.status})", job
        )
    if job.ending:
        return Outcome(change.name, Action.CANCEL, change.reason, job_id, True, f"job {job_id} is being cancelled", job)
    log.warning("cancel.without_effect", status=job.status, error=trouble)
    why = f" ({trouble})" if trouble else ""
    message = f"cancel sent, and job {job_id} is still {job.status}{why}; tried again by a later run"
    return failed(change, message, sent=True)
