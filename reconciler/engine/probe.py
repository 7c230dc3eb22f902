"""The probe of `doctor --probe-create`: made, read, and ended, by the same protocol as every job of a fleet.

`cli.probing` calls `probe` once a person has said yes. Its fleet is its own, so everything that a pass decides holds
for it and touches no other job: the intent is durable before the POST, a lost answer is looked for, a live job of an
earlier probe is read instead of a second one being made, and whatever was made is cancelled after a fresh look.
"""

from msgspec import Struct
from msgspec.structs import replace

from reconciler.core.change import Action, Cancel, Create
from reconciler.core.desired import Desired
from reconciler.core.file_marks import marks_of_create, upload_names
from reconciler.core.gates import Permission
from reconciler.core.job import Marks
from reconciler.core.memory import Memory
from reconciler.core.mismatch import differences
from reconciler.core.probe import NAME, Compared, compared
from reconciler.core.reason import Reason
from reconciler.core.recognition import NamedJob
from reconciler.core.schedule import Due, Next
from reconciler.core.snapshot import Snapshot
from reconciler.engine.act import Outcome, WriteTools
from reconciler.engine.apply import Listener
from reconciler.engine.cancelling import cancel
from reconciler.engine.ports import Ports
from reconciler.engine.probe_ending import end_probes, live_probes
from reconciler.engine.reconcile import Reconciler
from reconciler.engine.steps import Pass
from reconciler.errors import ProviderError

# The person has agreed to this one job, of a fleet that has none before.
_AGREED = Permission(first_run=True)
_MESSAGE = "a probe ends as soon as it has been read"
_TRIES = 3


class Probed(Struct, frozen=True):
    """What came of it. ``job_id`` None: there is no job, and ``why`` says so. ``made``: by this call.

    ``live`` are the jobs of probes that still run, ``memory`` what this server has shown by them.
    """

    memory: Memory
    job_id: str | None = None
    made: bool = False
    compared: tuple[Compared, ...] = ()
    live: tuple[str, ...] = ()
    why: str = ""


def probe(ports: Ports, settle: float, snapshot: Snapshot, listener: Listener) -> Probed:
    """Make the one job of ``snapshot``, read it, end it, and look again one settle window later.

    Raises:
        ProviderError: the provider could not be listed; what is unresolved is looked for by the next probe.
        JournalError: the memory failed; nothing followed.
    """
    run = Reconciler(ports, settle=settle)
    done = _made(run, snapshot, listener)
    outcome = next((o for o in done.outcomes if o.action is Action.CREATE), None)
    found: tuple[Compared, ...] = ()
    if outcome is not None and outcome.job_id is not None:
        try:
            found = _read(run, snapshot, outcome.job_id, done)
        finally:  # whatever could not be read, the job is paid for
            _end(run, ports, snapshot, done, outcome)
    last = end_probes(run, snapshot, listener)
    job_id = _subject(snapshot, done, last)
    if job_id is not None and not found:
        found = _read(run, snapshot, job_id, last)
    return Probed(
        memory=last.after.seen.world.memory,
        job_id=job_id,
        made=bool(outcome and (outcome.job_id or outcome.unknown)),
        compared=found,
        live=live_probes(last),
        why=_why(done, last, outcome),
    )


def _subject(snapshot: Snapshot, done: Pass, last: Pass) -> str | None:
    """The job to be read: the latest of this spec, as the pass that wanted it knew it, or one that was found since."""
    revision = snapshot.desired[NAME].revision
    made = [o.job_id for o in done.outcomes if o.action is Action.CREATE and o.job_id]
    cases = [p.after.seen.world.cases.get(NAME) for p in (done, last)]
    known = [n.job.id for case in cases if case for n in reversed(case.jobs) if n.revision == revision]
    return next(iter([*made, *known]), None)


def _made(run: Reconciler, snapshot: Snapshot, listener: Listener) -> Pass:
    """The pass that sends it; before it the settle window of a run that has to wait one."""
    for _ in range(_TRIES):
        done = run.one_pass(snapshot, _AGREED, wrote=listener.wrote)
        if not done.postponed:
            break
        seconds = max(0.0, run.watch.settled_at - run.clock.monotonic())
        listener.waiting(seconds, Next(run.watch.settled_at, Due.COLD, done.postponed))
        run.clock.sleep(seconds)
        listener.waited()
    return done


def _read(run: Reconciler, snapshot: Snapshot, job_id: str, done: Pass) -> tuple[Compared, ...]:
    """What the server shows of it now; nothing where it cannot be read."""
    wanted = snapshot.desired[NAME]
    ports = run.marking(snapshot)
    named = _named(done, job_id)
    if named is None:
        return ()
    marks = marks_of_create(run.checkout.fleet(snapshot).name, wanted, named.attempt)
    try:
        # As the server shows it: marks that come from its file's name are no metadata.
        job = ports.provider.retrieve_job(job_id)
        name = ports.provider.file_name(job.training_file) if job.training_file else ""
    except ProviderError as error:
        ports.log.warning("probe.unread", job_id=job_id, error=str(error))
        return ()
    job = replace(job, marks=None) if job.by_file else job
    names = upload_names(wanted.training, marks, ports.journal.memory()) if wanted.training else ()
    return compared(wanted, marks, job, name, names)


def _named(done: Pass, job_id: str) -> NamedJob | None:
    case = done.after.seen.world.cases.get(NAME)
    return next((n for n in case.jobs if n.job.id == job_id), None) if case else None


def _end(run: Reconciler, ports: Ports, snapshot: Snapshot, done: Pass, made: Outcome) -> None:
    """Cancel it, whether or not this server says whose it is: its id came in the answer to our own create."""
    if any(o.action is Action.CANCEL and o.job_id == made.job_id for o in done.outcomes) or made.job_id is None:
        return
    sent = next(write for write in done.decided.gated.plan.writes if isinstance(write, Create))
    wanted = snapshot.desired[NAME]
    fleet, provider = run.checkout.fleet(snapshot).name, run.marking(snapshot).provider
    end = Cancel(
        NAME,
        Reason.CANCEL_REQUESTED,
        _MESSAGE,
        made.job_id,
        sent.revision,
        sent.attempt,
        answered=_is_answer(done, made, wanted, marks_of_create(fleet, wanted, sent.attempt)),
    )
    with ports.pass_lock():
        cancel(WriteTools(fleet, provider, ports.journal, ports.log), end)


def _is_answer(done: Pass, made: Outcome, wanted: Desired, marks: Marks) -> bool:
    """Whether the answer alone says that a job without marks is ours.

    One that was there before, or that shows what nobody sent, is somebody's, whatever a gateway answers.
    """
    job, before = made.job, {job.id for job in done.decided.seen.world.jobs}
    if job is None or job.marks is not None or job.id in before:
        return False
    return not differences(wanted.form, job, marks)


def _why(done: Pass, last: Pass, outcome: Outcome | None) -> str:
    """Why there is no job of it, or what is still unknown."""
    unresolved = next((c for c in last.after.plan.changes if c.reason is Reason.CREATE_UNRESOLVED), None)
    if unresolved is not None:
        return unresolved.message
    if outcome is not None and outcome.unknown:
        return "its answer was lost"
    if outcome is not None:
        return "" if outcome.ok else outcome.message
    return next((c.message for c in done.after.gated.plan.changes if c.name == NAME), "")
