"""What a pass says: ends and refusals into the log, the status of every name into its file.

`reconcile` calls these. What a status says is decided in `core.status`, who ended a job in `core.ending`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from reconciler.clock import Clock
from reconciler.core.change import Adopt, Change, Plan
from reconciler.core.ending import By, end_of
from reconciler.core.gates import Gated, gate
from reconciler.core.intake import Intake, intake
from reconciler.core.job import Checkpoint, Job
from reconciler.core.memory import CHECKPOINTS, Memory
from reconciler.core.plan import plan
from reconciler.core.reason import Reason, Trouble
from reconciler.core.reminders import Reminders
from reconciler.core.status import Details, Status, statuses
from reconciler.core.world import World
from reconciler.engine.act import Outcome
from reconciler.engine.follow import NO_ROUTE, Followed
from reconciler.engine.ports import Ports
from reconciler.engine.steps import Decided
from reconciler.errors import ProviderError
from reconciler.log import Log
from reconciler.state.journal import Journal


def timestamp(clock: Clock) -> str:
    """Now, in ISO 8601 and UTC, to the second."""
    return datetime.fromtimestamp(int(clock.time()), UTC).isoformat().replace("+00:00", "Z")


def to_follow(world: World, journal: Journal) -> Mapping[str, tuple[str, Job]]:
    """The jobs that stand for a name and are live, or whose last events may not be logged yet; by id, with the name."""
    logged = journal.events.logged()
    named = ((name, n.job) for name, case in world.cases.items() for n in case.jobs)
    return {job.id: (name, job) for name, job in named if job.live or job.id in logged}


def follow(ports: Ports, jobs: Mapping[str, tuple[str, Job]], log: Log) -> tuple[Followed, ...]:
    """What a daemon reads of live jobs beside the listing."""
    if ports.follower is None or ports.stopping():
        return ()
    return ports.follower.follow(jobs, log, ports.clock.monotonic())


def details_of(followed: Iterable[Followed]) -> Details:
    """What following has read, for the report."""
    return Details(
        {one.job_id: one.checkpoints for one in followed if one.checkpoints is not None},
        {one.job_id: one.progress for one in followed if one.progress is not None},
    )


def write_statuses(  # noqa: PLR0913 - what a status is made of
    ports: Ports,
    log: Log,
    after: Decided,
    ended: Iterable[Job],
    read: Details,
    *,
    names: frozenset[str] | None = None,
) -> Mapping[str, Status]:
    """Every name's status; written where it differs from the last one. ``ended``: jobs that have just ended.

    ``names``: those of these names alone, where no other can differ.
    """
    unread = [job for job in ended if job.id not in read.checkpoints]
    after = _with_every_backoff(after, ports.journal.memory(every_backoff=True))
    report = statuses(
        after.seen.world,
        after.gated.plan,
        now=timestamp(ports.clock),
        previous=ports.status_files.read() if names is None else ports.status_files.last(names),
        details=replace(read, checkpoints={**_checkpoints(ports, unread, log), **read.checkpoints}),
        names=names,
    )
    ports.status_files.write(report, all_of_them=names is None)
    if names is None:
        _write_fleet(ports, after)
    return report


def _write_fleet(ports: Ports, after: Decided) -> None:
    """What is wrong for all of the fleet; no file where nothing is."""
    world, files = after.seen.world, ports.status_files
    found = intake(world, after.gated.plan, before=files.read_fleet(), now=timestamp(ports.clock))
    files.write_fleet(world.fleet.name, found.report if found else {})


def _with_every_backoff(after: Decided, memory: Memory) -> Decided:
    """What a command that only reads is to see: back-offs of earlier runs hold, although `apply` tries once."""
    world = after.seen.world
    waiting = {job_id for job_id, own in memory.cancels.items() if own.waiting}
    remembered = replace(
        world.memory,
        rejected={**memory.rejected, **world.memory.rejected},
        refused=world.memory.refused or memory.refused,
        cancels={
            job_id: replace(own, waiting=own.waiting or job_id in waiting)
            for job_id, own in world.memory.cancels.items()
        },
    )
    if remembered == world.memory:
        return after
    world = replace(world, memory=remembered)
    wanted = plan(world)
    gated = gate(wanted, world, after.permission)
    return replace(after, seen=replace(after.seen, world=world), plan=wanted, gated=gated)


def _checkpoints(ports: Ports, ended: Sequence[Job], log: Log) -> dict[str, tuple[Checkpoint, ...]]:
    """The checkpoints of jobs that have just ended. A server without them is asked for one job's, and named once."""
    read: dict[str, tuple[Checkpoint, ...]] = {}
    for job in ended:
        try:
            read[job.id] = ports.provider.list_checkpoints(job.id)
        except ProviderError as error:
            known = CHECKPOINTS in ports.journal.memory().lacks
            if not (known and error.status in NO_ROUTE):
                log.info("checkpoints.unavailable", job_id=job.id, error=str(error), http_status=error.status)
            if error.status in NO_ROUTE:
                ports.journal.record_route(CHECKPOINTS, there=False)
                break
        else:
            ports.journal.record_route(CHECKPOINTS, there=True)
    return read


def log_end(log: Log, job: Job, memory: Memory) -> None:
    """One line for a job that has ended: how, and whether it was our own doing."""
    end, own = end_of(memory, job), memory.cancels.get(job.id)
    if job.succeeded:
        log.info("job.succeeded", fine_tuned_model=job.fine_tuned_model, trained_tokens=job.trained_tokens)
    elif job.failed:
        log.error("job.failed", error=job.error.message if job.error else "", code=job.error.code if job.error else "")
    elif end.by is By.RECONCILER:
        if own is None or not own.confirmed:  # else `act` has logged it
            log.info("job.cancelled", reason=end.reason)
    else:
        log.warning("job.ended", ended_by=end.by or "not known here")


def log_adopted(plan: Plan, world: World, log: Log) -> None:
    """One line for each job that stands for its name from now on, and one where it is not as it was asked for."""
    for change in plan.changes:
        if not isinstance(change, Adopt):
            continue
        own_log = log.bind(job=change.name, job_id=change.job_id, revision=change.revision)
        own_log.info("job.adopted")
        case = world.cases[change.name]
        differing = [words for n in case.jobs if n.job.id == change.job_id for words in case.differing(n)]
        if differing:
            own_log.warning("job.mismatched", why="; ".join(differing))


def log_refusals(gated: Gated, before: Reminders, now: float, log: Log) -> Reminders:
    """What gates refuse, for the next pass to know: a line for what is new or lasts, and one for what is over."""
    verdicts = {verdict.gate: verdict for verdict in gated.refusals}
    refusals = before.met({gate: f"{v.count} of {v.limit}: {v.message}" for gate, v in verdicts.items()}, now)
    for name in refusals.said:
        v = verdicts[name]
        log.warning("pass.blocked", gate=name, limit=v.limit, count=v.count, why=v.message, **refusals.facts(name))
    for name in refusals.over:
        log.info("pass.unblocked", gate=name, **refusals.facts(name))
    return refusals


# Beside the names of jobs, which are never empty.
_FLEET = ""


class Troubles(Struct, frozen=True):
    """What keeps names from going on: of the whole fleet, and by name."""

    closed: Intake | None
    changes: Mapping[str, Change]
    texts: Mapping[str, str]


def troubles_of(after: Decided) -> Troubles:
    """As a decision shows them. A broken manifest is logged by the daemon, a gate by `log_refusals`.

    Names that wait for one and the same reason are one trouble; a provider that takes no new jobs is one of the whole
    fleet.
    """
    closed = intake(after.seen.world, after.gated.plan, before={}, now=None)
    own = (
        c
        for c in after.gated.plan.changes
        if c.reason.trouble is Trouble.OWN and c.reason not in {Reason.SOURCE_INVALID, Reason.CREATE_REFUSED}
    )
    first = {(change.reason, change.message): change for change in reversed(tuple(own))}
    changes = {change.name: change for change in sorted(first.values(), key=lambda change: change.name)}
    texts = {name: f"{change.reason}: {change.message}" for name, change in changes.items()}
    return Troubles(closed, changes, {**texts, **({_FLEET: closed.message} if closed else {})})


def log_troubles(found: Troubles, outcomes: Iterable[Outcome], before: Reminders, now: float, log: Log) -> Reminders:
    """What keeps names from going on, for the next pass to know: a line for what is new or lasts, and for its end.

    What a write of this pass came to is logged by it.
    """
    outcomes = tuple(outcomes)
    tried = {outcome.name for outcome in outcomes}
    closed, troubles = found.closed, before.met(found.texts, now)
    if closed and _FLEET in troubles.said and all(o.reason is not Reason.CREATE_REFUSED for o in outcomes):
        log.warning(
            "fleet.blocked",
            reason=Reason.CREATE_REFUSED,
            why=closed.words,
            waiting=len(closed.waiting),
            **troubles.facts(_FLEET),
        )
    for name in (name for name in troubles.said if name not in {*tried, _FLEET}):
        change = found.changes[name]
        log.warning("job.blocked", job=name, reason=change.reason, why=change.message, **troubles.facts(name))
    for name in troubles.over:
        own_log = log if name == _FLEET else log.bind(job=name)
        own_log.info("fleet.unblocked" if name == _FLEET else "job.unblocked", **troubles.facts(name))
    return troubles


def log_pass(log: Log, after: Decided, duration: float, *, writes: int, ends: int) -> None:
    """One line for a pass; one in which nothing happened is for who debugs."""
    level = log.info if writes or ends else log.debug
    level("pass.completed", duration=round(duration, 3), jobs=len(after.seen.world.jobs), writes=writes)
