"""The writes, each with an `Outcome`; and the first of them, a create, with everything that must be durable before it.

`sending` calls `create` for each of a gated plan, `cancelling.cancel` and `pausing.pause_or_resume` for the others.
Which writes there are is decided in `core`; here one is recorded, sent once, and its outcome said. No create leaves
here twice.
"""

from collections.abc import Callable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from reconciler.core.body import create_body
from reconciler.core.change import Action, Cancel, Create, Write
from reconciler.core.desired import Desired
from reconciler.core.fields import FILES
from reconciler.core.file_marks import marks_of_create, uploads_of
from reconciler.core.job import Job, Marks
from reconciler.core.memory import Intent, Memory, Record
from reconciler.core.mismatch import differences, lost_method, lost_words, same_seed
from reconciler.core.reason import Reason
from reconciler.engine.uploads import Needed, Uploads
from reconciler.errors import NotSent, OutcomeUnknown, ProviderError, RateLimited, Refused, SourceError, escaped
from reconciler.log import Log
from reconciler.provider.port import Provider, is_lasting, is_not_ready, takes_no_jobs
from reconciler.state.journal import Journal

# HTTP statuses from this one on say that the server is broken.
BROKEN = 500


class Outcome(Struct, frozen=True):
    """What came of one write. ``job`` is the job as the provider showed it afterwards.

    ``token`` names the journal's intent of a create that may have happened: it stays until a listing tells.
    ``stop``: no further create is worth sending in this pass. ``sent``: the create or the cancel itself has left.
    ``put_off``: the provider wants this create later, after so many seconds (0 where it does not say how many).
    ``ends``: the cancel of the job that was made, where it is another one than was asked for.
    """

    name: str
    action: Action
    reason: Reason
    job_id: str | None
    ok: bool
    message: str
    job: Job | None = None
    token: str | None = None
    stop: bool = False
    sent: bool = True
    put_off: float | None = None
    ends: Cancel | None = None

    @property
    def unknown(self) -> bool:
        """Whether it may have happened: its answer was lost."""
        return self.token is not None


class WriteTools(Struct, frozen=True):
    """What a write needs at hand."""

    fleet: str
    provider: Provider
    journal: Journal
    log: Log


class CreateTools(WriteTools, frozen=True):
    """What a create needs besides.

    ``may_wait``: whether a create whose file is not ready yet may be put off once more. ``method_assumed``: as a
    `World` has it.
    """

    uploads: Uploads
    may_wait: Callable[[Create], bool]
    method_assumed: bool = False


def needed(fleet: str, change: Create, desired: Desired, memory: Memory) -> tuple[Needed, ...]:
    """The local files of a create: for training, for validation."""
    marks = marks_of_create(fleet, desired, change.attempt)
    return tuple(Needed(desired.name, file, names) for file, names in uploads_of(desired, marks, memory))


def create(tools: CreateTools, change: Create, desired: Desired) -> Outcome:
    """Upload what is needed, record the intent, post once, record the answer and compare it with what was sent.

    Raises:
        JournalError: the intent could not be made durable; nothing was sent.
    """
    marks = marks_of_create(tools.fleet, desired, change.attempt)
    log = tools.log.bind(job=desired.name, revision=desired.revision, attempt=change.attempt, reason=change.reason)
    try:
        files = needed(tools.fleet, change, desired, tools.journal.memory())
        ids = dict(zip(desired.local_fields, [tools.uploads.file_id(one) for one in files], strict=True))
        ids |= {field: tools.uploads.of_digest(named) for field, named in desired.by_digest.items()}
    except SourceError as error:
        return _unsent(tools, change, f"nothing was sent: {error}")
    except Refused as error:
        return _refused(tools, change, error, log, sent=False)
    except ProviderError as error:
        if error.retry_after is not None:
            return _put_off(change, error, log, sent=False)
        log.warning("file.upload_failed", error=str(error), http_status=error.status, request_id=error.request_id)
        message = f"its training file could not be uploaded: {error}"
        return failed(change, message, stop=True) if isinstance(error, NotSent) else _unsent(tools, change, message)
    training, validation = map(ids.get, FILES)
    body = create_body(desired, marks, model=change.model, training=training, validation=validation)
    outcome = _post_once(tools, change, body, marks, log, filed=desired.training is not None)
    return _compared(tools, desired, marks, outcome, log)


def _post_once(  # noqa: PLR0913 - what one attempt is
    tools: CreateTools, change: Create, body: Mapping[str, object], marks: Marks, log: Log, *, filed: bool
) -> Outcome:
    """Recorded, sent, and then bound, refused or lost: nothing in here sends a second time."""
    seed = body["seed"]
    token = tools.journal.record_intent(
        Intent(change.name, change.revision, change.attempt, seed=seed if isinstance(seed, int) else None, filed=filed)
    )
    log.info("create.recorded")
    try:
        job = _own(tools, tools.provider.create_job(body), marks)
    except NotSent as error:
        tools.journal.drop_intent(change.name)
        log.warning("create.not_sent", error=str(error))
        return failed(change, f"not sent: {error}", stop=True)
    except Refused as error:
        tools.journal.drop_intent(change.name)
        return _refused(tools, change, error, log)
    except OutcomeUnknown as error:
        if error.status is not None and error.status >= BROKEN:
            tools.journal.record_answer(change.name, str(error))
        log.warning("create.unresolved", error=str(error), http_status=error.status, request_id=error.request_id)
        message = f"sent, and the answer was lost ({error}); it is looked for before anything else is done"
        return Outcome(change.name, Action.CREATE, Reason.CREATE_UNRESOLVED, None, False, message, token=token)
    return _bound(tools, change, job, log)


def _bound(tools: CreateTools, change: Create, job: Job, log: Log) -> Outcome:
    """The create was answered with its job."""
    # Logged before it is recorded: a kill between the two is made good by the intent. Live until its end is logged.
    log.info("job.created", job_id=job.id, status=job.status)
    tools.journal.record_job(Record(job.id, change.name, change.revision, change.attempt, live=True))
    if job.marks is None:
        tools.journal.record_echo(echoes=False)
    # What a listing shows, and so what a job is recognised by, only the next one can tell.
    memory = tools.journal.memory()
    stop = job.marks is None and not (memory.files or memory.seeds)
    if stop:
        log.warning("metadata.not_echoed", job_id=job.id)
    return Outcome(change.name, Action.CREATE, change.reason, job.id, True, f"created job {job.id}", job=job, stop=stop)


def _compared(tools: CreateTools, desired: Desired, marks: Marks, outcome: Outcome, log: Log) -> Outcome:
    """With the end of the job, where its answer says that it has another method; what else differs is only logged."""
    job, form = outcome.job, desired.form
    if job is None:
        return outcome
    lost, others = lost_method(form, job, assumed=tools.method_assumed), differences(form, job, marks)
    if not lost:
        if others:
            log.warning("job.mismatched", job_id=job.id, why="; ".join(others))
        return outcome
    answered = job.marks is None and same_seed(form, job, marks)
    message = f"another job than was asked for: {lost_words(lost, job)}"
    end = Cancel(
        marks.name,
        Reason.METHOD_LOST,
        message,
        job.id,
        marks.revision,
        marks.attempt,
        lost=lost,
        answered=answered,
    )
    return replace(outcome, ends=end)


def _own(tools: CreateTools, job: Job, marks: Marks) -> Job:
    """The answer to a create, if it is about that create.

    Raises:
        OutcomeUnknown: it carries other marks, or is a job that was known before.
    """
    if (job.marks is not None and job.marks != marks) or tools.journal.records.holds(job.id):
        raise OutcomeUnknown(f"the answer is about job {escaped(job.id)}, which is another one")
    return job


def _refused(tools: CreateTools, change: Create, error: Refused, log: Log, *, sent: bool = True) -> Outcome:
    """Row 14: the provider said no, to this create or to every create. Where it only says "later", it is put off."""
    if isinstance(error, RateLimited) and not is_lasting(error):
        return _put_off(change, error, log, sent=sent)
    none_at_all = takes_no_jobs(error)
    if not none_at_all and is_not_ready(error) and tools.may_wait(change):
        return _put_off(change, error, log, sent=sent, alone=True)
    reason = Reason.CREATE_REFUSED if none_at_all else Reason.CREATE_REJECTED
    wait = (error.retry_after or 0.0) if isinstance(error, RateLimited) else 0.0
    record = tools.journal.refusals.record_of_all if none_at_all else tools.journal.refusals.record
    record(*change.key, str(error), at_least=wait)
    log.error(
        "create.refused", error=str(error), http_status=error.status, code=error.code, request_id=error.request_id
    )
    said = "the provider takes no new jobs" if none_at_all else "the provider rejected it"
    return Outcome(change.name, Action.CREATE, reason, None, False, f"{said}: {error}", stop=none_at_all, sent=sent)


def _put_off(change: Create, error: ProviderError, log: Log, *, sent: bool, alone: bool = False) -> Outcome:
    """The provider says "later": to every create, or ``alone`` to this one, whose file it is still taking in."""
    log.warning(
        "create.put_off",
        error=str(error),
        http_status=error.status,
        code=error.code,
        request_id=error.request_id,
        retry_after=error.retry_after,
    )
    asks = "its file is not ready" if alone else "the provider asks to wait"
    seconds = f" {error.retry_after:g} s" if error.retry_after and not alone else ""
    message = f"{asks}{seconds} ({error})"
    wait = error.retry_after or 0.0
    return Outcome(
        change.name, Action.CREATE, change.reason, None, False, message, stop=not alone, sent=sent, put_off=wait
    )


def _unsent(tools: CreateTools, change: Create, message: str) -> Outcome:
    """Nothing was sent, for a reason of this create alone."""
    tools.journal.refusals.record_unsent(*change.key, message)
    return failed(change, message)


def failed(change: Write, message: str, *, stop: bool = False, sent: bool = False) -> Outcome:
    """The outcome of a write that is not known to have had any effect."""
    return Outcome(change.name, change.action, change.reason, change.job_id, False, message, stop=stop, sent=sent)
