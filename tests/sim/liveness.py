"""What must be true some time after the faults stop, judged from the ledger, the manifests and the status files.

A name that is not as its manifest wants must say why in its status, and the ledger must bear it out.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from reconciler.core.probe import NAME as PROBE
from tests.sim.checkout import JobWish, Wish
from tests.sim.server import FLEET, PROBES, SimJob
from tests.sim.world import SimWorld, Site


def l1_converges(world: SimWorld) -> Iterator[str]:
    """L1: within settle window + 3 passes, for every name exactly one job of its revision, live or succeeded (or held or waiting, with a status that says why), no other live job of ours but those that rows 4, 5, 15 and `Ahead` leave."""
    if world.calm_at is None:
        return
    wish = world.sites[0].checkout.wish
    for name, job in wish.jobs:
        yield from _name_stands(_Name(world, wish, name, job))
        yield from _stands_still(_Name(world, wish, name, job))
    for found in world.server.jobs.values() if world.server.identifies else ():
        if found.marks and _counts(world, found) and found.live(world.engine.now):
            yield from _may_live(_Name(world, wish, found.marks.name, wish.get(found.marks.name)), found)


def s3c_no_other_job_goes_on(world: SimWorld) -> Iterator[str]:
    """S3c: a job that a server made with another method than asked is never left running."""
    if world.calm_at is None:
        return
    wish = world.sites[0].checkout.wish
    for job in world.server.jobs.values():
        if job.lost and job.marks and _counts(world, job) and job.live(world.engine.now):
            it = _Name(world, wish, job.marks.name, wish.get(job.marks.name))
            if job not in it.current() and not _sent_is_known(world, job):
                continue
            recorded = any(job.id in site.state.cancels() for site in world.sites)
            if not (world.server.identifies or recorded) and it.told:
                continue  # neither marks nor the answer to a create say whose it is: it is told, and left to a person
            # What a person said of its name comes first. Without marks it is told, and left to a person.
            others = it.told - {"MethodLost"} if world.server.echoes else it.told
            if it.job is not None and not any(reason in EXCUSES and EXCUSES[reason](it) for reason in others):
                yield f"{job.id} ({it.name}) has another method than was asked for and runs; told: {sorted(it.told)}"


def _sent_is_known(world: SimWorld, job: SimJob) -> bool:
    """Whether a state directory still has the spec that it was made of: of an earlier one nothing else tells."""
    post = job.post
    return post is not None and any(
        site.name == post.writer.site and site.state.remembers(site.state.generation, post.generation, post.sent)
        for site in world.sites
    )


def l2_unknowns_resolved(world: SimWorld) -> Iterator[str]:
    """L2: every unknown outcome is resolved without a human within settle window + 2 passes.

    But for that of a probe, which nothing looks for while its fleet is suspended.
    """
    if world.calm_at is None or not _marks_seen(world):
        return
    for site in world.sites:
        suspended = site.checkout.wish.state == "suspended"
        for name, _, attempt in site.state.intents():
            if suspended and name == PROBE:
                continue
            yield f"{site.name}: the create of {name} (attempt {attempt}) is still unresolved"


# How the log tells an end; of a cancelled job it depends on who asked, and both may have.
_TOLD_AS: Mapping[str, frozenset[str]] = {
    "succeeded": frozenset({"job.succeeded"}),
    "failed": frozenset({"job.failed"}),
    "cancelled": frozenset({"job.cancelled", "job.ended"}),
}


def l3b_ends_told(world: SimWorld) -> Iterator[str]:
    """L3b: every end of a job is told at least once, also when the process is killed between learning it and telling it.

    By each state directory that once recorded the job as live; of what it found ended, by it or a rival.
    """
    if world.calm_at is None:
        return
    ends = {
        site.name: {end for process in (*site.processes, *site.probes) for end in process.ends_told}
        for site in world.sites
    }
    anybodys = frozenset[tuple[str, str]]().union(*ends.values())
    for site in world.sites:
        for job_id in sorted(site.state.once_live | _made_here(site)):
            job, told = world.server.jobs[job_id], ends[site.name] if job_id in site.state.once_live else anybodys
            if job.marks and job.marks.fleet == PROBES and not _ends_probe(site, job_id):
                continue
            status = job.status(world.engine.now)
            events = _TOLD_AS.get(status, frozenset())
            if events and job.gone_at is None and not any((job_id, event) in told for event in events):
                yield f"{site.name} never told that {job_id} {status}"


def _ends_probe(site: Site, job_id: str) -> bool:
    """Whether a probe's end is looked for: not while its fleet is suspended, nor where an older copy does not know it."""
    return site.checkout.wish.state != "suspended" and job_id in site.state.records()


def _made_here(site: Site) -> set[str]:
    """The jobs that the state directory knows of which it recorded the create."""
    state, jobs = site.state, site.world.server.jobs
    return {
        job_id
        for job_id in state.records()
        if (post := jobs[job_id].post) is not None
        and post.writer.site == site.name
        and state.remembers(state.generation, post.generation, post.sent)
    }


@dataclass(frozen=True)
class _Name:
    """One name at the end; ``job`` is None where no manifest names it."""

    world: SimWorld
    wish: Wish
    name: str
    job: JobWish | None

    @property
    def policy(self) -> JobWish:
        return self.job or JobWish()

    def jobs(self, name: str | None = None) -> list[SimJob]:
        of = name or self.name
        return [j for j in self.world.server.jobs.values() if _counts(self.world, j) and j.marks and j.marks.name == of]

    def current(self, name: str | None = None) -> list[SimJob]:
        revision = self.wish.revisions().get(name or self.name)
        return [j for j in self.jobs(name) if j.marks and j.marks.revision == revision]

    def status_of(self, jobs: list[SimJob], *words: str) -> list[SimJob]:
        return [j for j in jobs if j.status(self.world.engine.now) in words]

    def live(self, jobs: list[SimJob]) -> list[SimJob]:
        return [j for j in jobs if j.live(self.world.engine.now)]

    @property
    def told(self) -> set[str]:
        """Why, in the words of its status files."""
        reports = [site.state.status.report(self.name) for site in self.world.sites]
        return {c["reason"] for report in reports for c in report.get("conditions", [])}

    def excused_but_paused(self) -> bool:
        """Whether a reason other than a pause is given, and is true."""
        others = self.told - {"Paused", "Pausing", "CannotPause"}
        return any(reason in EXCUSES and EXCUSES[reason](self) for reason in others)

    def excused(self) -> bool:
        """Whether one of the reasons it gives is true."""
        return any(reason in EXCUSES and EXCUSES[reason](self) for reason in self.told)


def _counts(world: SimWorld, job: SimJob) -> bool:
    return job.marks is not None and job.marks.fleet == FLEET and job.gone_at is None


def _marks_seen(world: SimWorld) -> bool:
    """Whether this provider shows marks that prove it echoes them: without, no create is sent again."""
    jobs = world.server.jobs.values()
    # A person's job on the very file of a lost create may be that create's.
    clear = world.server.echoes or not any(job.by_hand for job in jobs)
    return world.server.identifies and clear and any(_counts(world, job) for job in jobs)


def _jobs_were_deleted(it: _Name) -> bool:
    return any(j.gone_at is not None for j in it.world.server.jobs.values())


def _failed(it: _Name) -> bool:
    failed = it.status_of(it.current(), "failed")
    return bool(failed) and (len(failed) > it.policy.retries or any(j.error and j.error.param for j in failed))


def _cancellable(it: _Name) -> bool:
    return it.world.server.identifies and bool(it.live(it.jobs()))


def _somebody_else_cancelled(it: _Name) -> bool:
    """Whether the latest attempt was cancelled by a human, or by a run whose memory is not here."""
    # The oldest of several, as a client sees it: its clock has seconds, and ids break ties.
    latest = min(it.current(), key=lambda j: (-j.marks.attempt if j.marks else 0, int(j.committed), j.id), default=None)
    if latest is None or not it.status_of([latest], "cancelled"):
        return False
    states = {site.name: site.state for site in it.world.sites}
    ours = [
        p
        for p in latest.cancel_posts
        if (state := states[p.writer.site]).remembers(state.generation, p.generation, p.sent)
    ]
    # Seen live after its sender was dead, a cancel is void; it may still take effect then.
    late = [p for p in ours if p.took is not None and p.writer.ended is not None and p.took > p.writer.ended]
    return len(ours) == len(late) or len(states) > 1


def _known_model(it: _Name, upstream: str) -> bool:
    """Whether the model that it builds on exists, and could be recognised."""
    made = it.status_of([j for j in it.current(upstream) if not j.lost], "succeeded")
    return bool(made) and it.world.server.identifies


def _gate_may_hold(it: _Name) -> bool:
    """Whether a limit may refuse a create, or all jobs are gone."""
    return it.wish.max_cancels != "100%" or it.wish.max_cost is not None or _jobs_were_deleted(it)


def _full(it: _Name) -> bool:
    live = sum(_counts(it.world, j) and j.live(it.world.engine.now) for j in it.world.server.jobs.values())
    held = _gate_may_hold(it)  # a place is kept for a create that a gate holds
    return it.wish.max_active is not None and (live >= it.wish.max_active or held)


def _may_be_anybodys(it: _Name) -> bool:
    """Whether a job is there that only its seed, which does not come back or is not ours, would tell from ours."""
    server = it.world.server
    return not (server.returns_files and server.returns_seeds) or any(j.by_hand for j in server.jobs.values())


def _unrecognisable(it: _Name) -> bool:
    return not it.world.server.echoes and _may_be_anybodys(it)


def _not_tried_again(it: _Name) -> bool:
    """Its last refusal is told as long as its back-off lasts; what keeps it from being tried again comes after."""
    return _gate_may_hold(it) or _full(it) or _unrecognisable(it)


EXCUSES: Mapping[str, Callable[[_Name], bool]] = {
    "Suspended": lambda it: "suspended" in {it.wish.state, it.policy.state},
    "Paused": lambda it: it.policy.state == "paused",
    "Pausing": lambda it: it.policy.state == "paused",
    "CannotPause": lambda it: (
        it.policy.state == "paused" and not (it.world.server.pauses and it.world.server.identifies)
    ),
    "CancelRequested": lambda it: "cancelled" in {it.wish.state, it.policy.state} and not _cancellable(it),
    "Failed": _failed,
    "Cancelled": lambda it: it.policy.on_cancelled == "hold" and _somebody_else_cancelled(it),
    "Missing": _jobs_were_deleted,
    # While a name is to be paused, the live jobs of its earlier specs are told of, too.
    "MethodLost": lambda it: any(j.lost for j in (it.live(it.jobs()) if it.policy.state == "paused" else it.current())),
    "WaitingForJob": lambda it: not _known_model(it, it.policy.model_from or ""),
    "DependencyFailed": lambda it: not _known_model(it, it.policy.model_from or ""),
    "WaitingForPrevious": lambda it: bool(it.live(it.jobs())),
    "WaitingForCapacity": _full,
    "CreateRejected": _not_tried_again,
    "CreateRefused": _not_tried_again,
    "Blocked": _gate_may_hold,
    "NoIdentity": _unrecognisable,
    "CreateUnresolved": lambda it: not _marks_seen(it.world),
}


def _name_stands(it: _Name) -> Iterator[str]:
    asked_for = [j for j in it.current() if not j.lost]
    good = it.live(asked_for) or it.status_of(asked_for, "succeeded")[:1]
    if not it.told:
        yield f"{it.name} has no status"
    elif len(good) != 1 and not it.excused():
        yield f"{it.name} has {len(good)} jobs of its revision, and its status says {sorted(it.told)}"


def _stands_still(it: _Name) -> Iterator[str]:
    """A job whose manifest says so is paused, and one that was paused for it goes on when it does not any more."""
    world, server = it.world, it.world.server
    if it.job is None or it.wish.state != "active" or not server.pauses or not server.identifies:
        return
    for job in it.live(it.jobs()):
        still = bool(it.status_of([job], "paused"))
        if it.job.state == "paused" and not still and not it.excused_but_paused():
            yield f"{job.id} ({it.name}) goes on although its manifest says that it is paused; {sorted(it.told)}"
        alone = len(world.sites) == 1 and world.sites[0].state.generation == 0
        # One that a gate keeps only until its successor exists stands still till then.
        replaced = job not in it.current() and it.excused()
        if it.job.state == "active" and alone and still and not replaced and job.id in world.sites[0].state.paused():
            yield f"{job.id} ({it.name}) was paused by {job.paused_by}, and does not go on; {sorted(it.told)}"


def _once_orphan(it: _Name, job: SimJob) -> bool:
    """Whether its mark, or a manifest of its name, ever said `on_remove: orphan`."""
    versions = (version for site in it.world.sites for version in site.checkout.versions)
    told = any((wish := version.wish.get(it.name)) and wish.on_remove == "orphan" for version in versions)
    return told or (job.marks is not None and job.marks.orphan)


def _cannot_be_told(it: _Name, job: SimJob) -> bool:
    """Whether only a journal could tell it from a person's job on our file, and none holds it: its answer was lost."""
    server, sites = it.world.server, it.world.sites
    shown = server.echoes or server.returns_seeds or any(job.id in site.state.records() for site in sites)
    return not shown and any(j.marks == job.marks and j.committed < job.committed for j in it.jobs())


def _may_live(it: _Name, job: SimJob) -> Iterator[str]:
    current = job in it.current()
    if current and not it.status_of(it.current(), "succeeded"):
        return
    left = it.job is not None and it.job.on_change == "wait" and not current
    left |= it.job is None and "Orphaned" in it.told and _once_orphan(it, job)
    # Without marks it is never cancelled from here, and the status says so.
    left |= not it.world.server.identifies and bool({"Orphaned", "NoIdentity"} & it.told)
    left |= _cannot_be_told(it, job)
    # Another directory's job, or one that a state directory wanted which is not here any more.
    left |= bool({"Ahead", "Overtaken"} & it.told) and (
        len(it.world.sites) > 1 or it.world.sites[0].state.generation > 0
    )
    if not left and not it.excused():
        yield f"{job.id} ({it.name}) is still live and nothing wants it; the status says {sorted(it.told)}"
