"""What must never happen and what must always happen, judged from the ledger and the disk alone.

Each oracle is one pure function over a finished `SimWorld`; its docstring quotes its property. None of
them asks the program why it did something: only what was done, and what could be known then.
"""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Callable, Iterator

from reconciler.core.job import TERMINAL
from tests.sim.checkout import JobWish, Version, data_sha
from tests.sim.engine import Process
from tests.sim.liveness import l1_converges, l2_unknowns_resolved, l3b_ends_told, s3c_no_other_job_goes_on
from tests.sim.server import DEADLINE, FLEET, PROBES, Post, SimJob
from tests.sim.world import SimWorld, Site

# Slack for the time between a look and what follows from it, beside the look itself.
_MOMENT = 0.001


def _ours(world: SimWorld) -> list[SimJob]:
    return [j for j in world.server.jobs.values() if j.post is not None and j.marks is not None]


def _of_manifests(world: SimWorld) -> list[SimJob]:
    return [j for j in _ours(world) if j.marks and j.marks.fleet == FLEET]


def _same(world: SimWorld, job: SimJob) -> list[SimJob]:
    """The other jobs of its name and revision, in the order in which they were made."""
    mine = job.marks
    return [
        k
        for k in world.server.jobs.values()
        if k is not job
        and k.marks
        and mine
        and (k.marks.fleet, k.marks.name, k.marks.revision) == (mine.fleet, mine.name, mine.revision)
    ]


def _site(world: SimWorld, process: Process) -> Site:
    return next(s for s in world.sites if s.name == process.site)


def _process(world: SimWorld, name: str) -> Process | None:
    return next((p for s in world.sites for p in s.processes if p.name == name), None)


def _version(world: SimWorld, post: Post, number: int) -> Version:
    """A version of the directory, as whoever made this write could know it.

    That a manifest still stands in another shape where it was read before, only those know who remember where.
    """
    site, name = _site(world, post.writer), _name_of(world, post)
    version = site.checkout.versions[number]
    if post.kind != "cancel" or version.waits != "hurt" or name not in version.hurt:
        return version
    if site.state.last_read(post.generation, name, post.sent) == version.wish.path(name):
        return version
    return dataclasses.replace(version, wish=version.wish.having(name, None), hurt=version.hurt - {name})


def _wish(world: SimWorld, post: Post, name: str) -> JobWish | None:
    return _version(world, post, post.version).wish.get(name)


def _revision(world: SimWorld, post: Post, name: str) -> str | None:
    return _version(world, post, post.version).wish.revisions().get(name)


def _cancels(world: SimWorld) -> Iterator[tuple[Post, SimJob]]:
    for post in world.server.posts:
        if post.kind == "cancel":
            yield post, world.server.jobs[post.job_id]


def _says(job: SimJob) -> str:
    return f"{job.id} ({job.marks.name} {job.marks.revision[:6]} attempt {job.marks.attempt})" if job.marks else job.id


# ── safety ───────────────────────────────────────────────────────────────────────────────────


def s1_one_live_job(world: SimWorld) -> Iterator[str]:
    """S1: at most one live job of ours per (name, revision).

    Without a common lock S1b bounds the surplus; but a run without memory waits, and sees what stood before it.
    """
    for job in _ours(world):
        for other in _same(world, job):
            rivals = len(world.sites) > 1 and job.post is not None
            if rivals and job.post and (job.post.writer.known_at_start or other.committed > job.post.writer.started):
                continue
            if (
                other.committed <= job.committed
                and other.live(job.committed)
                and (other.committed, other.id) < (job.committed, job.id)
            ):
                yield f"{_says(job)} was made while {other.id} was live"


def s1b_bounded_surplus(world: SimWorld) -> Iterator[str]:
    """S1b: with k writers and no common lock, at most k-1 surplus creates per (revision, attempt); all keep the same one."""
    groups: defaultdict[tuple[str, str, int], list[SimJob]] = defaultdict(list)
    for job in _ours(world):
        if job.marks and job.gone_at is None:
            groups[job.marks.name, job.marks.revision, job.marks.attempt].append(job)
    for jobs in groups.values():
        if len(jobs) > len(world.sites):
            yield f"{len(jobs)} jobs of one attempt: {', '.join(_says(j) for j in jobs)}"
    for post, job in _cancels(world):
        if post.took is None or job.marks is None or _revision(world, post, job.marks.name) != job.marks.revision:
            continue
        if job.lost:
            continue
        wish = _wish(world, post, job.marks.name)
        kept = [
            k
            for k in _same(world, job)
            if k.committed <= post.sent and k.status(post.sent) not in {"failed", "cancelled"}
        ]
        active = wish is not None and wish.state == "active" and _fleet_state(world, post) == "active"
        better = [
            k
            for k in kept
            if k.status(post.sent) == "succeeded" or (int(k.committed), k.id) < (int(job.committed), job.id)
        ]
        if active and kept and not better:
            yield f"{_says(job)} was cancelled although it is the oldest; {', '.join(k.id for k in kept)} stayed"


def _fleet_state(world: SimWorld, post: Post) -> str:
    return _site(world, post.writer).checkout.versions[post.version].wish.state


def s1c_nobody_undoes_others(world: SimWorld) -> Iterator[str]:
    """S1c: no job is cancelled by a run that never wanted it; a run without memory retires what its first listing showed."""
    for post, job in _cancels(world):
        if post.took is None or job.marks is None or job.marks.fleet != FLEET:
            continue
        site = _site(world, post.writer)
        wish = _wish(world, post, job.marks.name)
        stopped = _fleet_state(world, post) != "active" or (wish is not None and wish.state != "active")
        if stopped or (wish is not None and _revision(world, post, job.marks.name) == job.marks.revision):
            continue
        runs = [p for p in site.processes if _remembered(site, post, p) and p.started <= post.sent]
        read = [site.checkout.versions[v].wish.revisions() for p in runs for v in p.versions]
        wanted = any(job.marks.name in r if wish is None else r.get(job.marks.name) == job.marks.revision for r in read)
        memory, first = post.writer.known_at_start, post.writer.first_listing
        shown = not memory and first is not None and job.id in first[1]
        if not (wanted or shown or (memory and _taken_over(world, site, post, job, by_name=wish is None))):
            yield f"{_says(job)} was cancelled by {post.writer.name}, which never wanted it"


def _remembered(site: Site, post: Post, run: Process) -> bool:
    """Whether the state directory of this write knows what that run read and saw."""
    return site.state.remembers(post.generation, run.generation, run.started)


def _taken_over(world: SimWorld, site: Site, post: Post, job: SimJob, *, by_name: bool) -> bool:
    """A journal that begins empty takes what its first settled listing shows as once wanted."""
    witnesses = [p.started for p in site.processes if _remembered(site, post, p) and p.known_at_start]
    alike = [job, *(_of_name(world, job) if by_name else _same(world, job))]
    return bool(witnesses) and any(k.committed <= min(witnesses) for k in alike)


def _of_name(world: SimWorld, job: SimJob) -> list[SimJob]:
    return [k for k in world.server.jobs.values() if _stands(world, job, k)]


def s2_nothing_trained_twice(world: SimWorld) -> Iterator[str]:
    """S2: what succeeded is never created again; what failed only as `retries` allow; what somebody else cancelled only as `on_cancelled` allows."""
    for job in _of_manifests(world):
        post = job.post
        if post is None or job.marks is None:
            continue
        found = list(_trained_twice(world, job, post, post.sent))
        if len(world.sites) > 1:
            # Without a common lock a rival's job may be too young to be seen; whether it was, nobody can tell.
            found = found and list(_trained_twice(world, job, post, post.listed_at - world.server.lag))
        yield from found


def _trained_twice(world: SimWorld, job: SimJob, post: Post, since: float) -> Iterator[str]:
    """What speaks against a create that could see everything up to ``since``."""
    if job.marks is None:
        return
    wish = _wish(world, post, job.marks.name) or JobWish()
    earlier = [k for k in _same(world, job) if k.committed <= since and k.gone_at is None]
    if any(k.status(post.sent) == "succeeded" for k in earlier):
        yield f"{_says(job)} was made although that spec had succeeded"
    failed = [k for k in earlier if k.status(post.sent) == "failed"]
    attempts = {k.marks.attempt for k in failed if k.marks}  # a rival's surplus is no further attempt
    latest = min(earlier, key=lambda k: (-k.marks.attempt if k.marks else 0, int(k.committed), k.id), default=None)
    if latest is None:
        return
    if latest in failed and (len(attempts) > wish.retries or (latest.error and latest.error.param)):
        yield f"{_says(job)} was made after {len(attempts)} failures; retries: {wish.retries}"
    cancelled = latest.status(post.sent) == "cancelled"
    if cancelled and wish.on_cancelled == "hold" and not _ours_to_restore(world, latest, post):
        yield f"{_says(job)} was made although {latest.cancelled_by} had cancelled {latest.id}"


def _ours_to_restore(world: SimWorld, latest: SimJob, post: Post) -> bool:
    """Row 10: this state directory asked for the cancel, or nobody can know who did and it looks like a replacement."""
    site = _site(world, post.writer)
    asked = any(
        p.kind == "cancel"
        and p.job_id == latest.id
        and p.writer.site == site.name
        and site.state.remembers(post.generation, p.generation, p.sent)
        for p in world.server.posts
    )
    # Recorded, and then killed before it was sent: a human who ended the job meanwhile did what was about to be done.
    if asked or latest.id in post.recorded:
        return True
    if latest.marks is None or latest.cancelled_at is None:
        return False
    firsts = [p.started for p in site.processes if _remembered(site, post, p) and p.known_at_start]
    unwitnessed = not post.writer.known_at_start or (bool(firsts) and latest.cancelled_at <= min(firsts))
    younger = any(
        k.marks
        and k.marks.fleet == FLEET
        and k.marks.name == latest.marks.name
        and k.marks.revision != latest.marks.revision
        and (int(k.committed), k.id) > (int(latest.committed), latest.id)
        for k in world.server.jobs.values()
    )
    return unwitnessed and latest.marks.attempt == 1 and younger


def s2b_nothing_lost_to_a_replacement(world: SimWorld) -> Iterator[str]:
    """S2b: a running job is never lost to a replacement that could not be created; nor to a keeper that is gone."""
    for post, job in _cancels(world):
        if job.marks is None or post.took is None or job.lost:
            continue
        wish = _wish(world, post, job.marks.name)
        if wish is None or wish.state != "active" or _fleet_state(world, post) != "active":
            continue
        looked = {job_id: status for _, job_id, status in post.looks if job_id != job.id}
        if not any(
            _stands(world, job, world.server.jobs[k]) and looked[k] not in {"failed", "cancelled"} for k in looked
        ):
            yield f"{_says(job)} was cancelled and nothing was seen to take its place"


def _stands(world: SimWorld, job: SimJob, other: SimJob) -> bool:
    return (
        other.marks is not None
        and job.marks is not None
        and other.marks.fleet == FLEET
        and other.marks.name == job.marks.name
    )


def s3_only_ours(world: SimWorld) -> Iterator[str]:
    """S3: nothing that is not ours is ever cancelled: unmarked, another fleet's, same suffix, same name.

    To a fleet its probes are another fleet's, and to a probe nothing else is its own.
    """
    for post, job in _cancels(world):
        if job.marks is None or job.marks.fleet != post.fleet:
            yield f"{_says(job)} is not ours and was cancelled by {post.writer.name}"


def s3c_another_job_is_not_made_again(world: SimWorld) -> Iterator[str]:
    """S3c: a job that a server made with another method than asked is never left running, nor made again by itself."""
    for job in _of_manifests(world):
        post = job.post
        if post is not None:
            # Without a common lock a rival's job may be too young to be seen.
            since = post.sent if len(world.sites) == 1 else post.listed_at - world.server.lag
            lost = [k for k in _same(world, job) if k.lost and k.committed <= since and k.gone_at is None]
            yield from (f"{_says(job)} was made although the server had lost the method of {k.id}" for k in lost[:1])
    yield from s3c_no_other_job_goes_on(world)


def s3d_only_our_own_pauses_end(world: SimWorld) -> Iterator[str]:
    """S3d: what somebody else paused is never resumed; what its manifest says is paused stands still, and is not made."""
    for post in world.server.posts:
        name = _name_of(world, post)
        wish = _wish(world, post, name)
        if post.kind in {"create", "resume"} and wish is not None and wish.state == "paused":
            yield f"{post.writer.name} sent a {post.kind} for {name}, which its manifest says is paused"
        if post.kind == "resume" and post.paused_by == "human" and not _lost_a_pause(world, post):
            yield f"{post.writer.name} resumed {post.job_id}, which a human had paused"


def _lost_a_pause(world: SimWorld, post: Post) -> bool:
    """Whether nobody there could know that it was a human's.

    A pause of their own had no known outcome, be it that it was recorded and never sent; or the human came after a
    resume of theirs, before they had seen the job go on; or their state directory is an older copy, which knows of their
    pause and not of its end.
    """
    before = [p for p in world.server.posts if p.job_id == post.job_id and p.sent < post.sent]
    theirs = [p for p in before if p.writer.site == post.writer.site]
    unsent = (post.writer.site, post.job_id) in world.unsent_pauses
    if unsent or any(p.kind == "pause" and p.took is None for p in theirs):
        return True
    ended = [p for p in theirs if p.kind == "resume" and p.took]
    remembers = _site(world, post.writer).state.remembers
    forgotten = any(not remembers(post.generation, p.generation, p.sent) for p in ended)
    return forgotten or any(_nobody_saw(world, p, post.paused_at) for p in ended)


def _nobody_saw(world: SimWorld, resume: Post, until: float) -> bool:
    """Whether no run of that site was there after a resume, but for a moment the one that sent it."""
    took = resume.took or 0.0
    if not took <= until:
        return False
    theirs = [p for p in _site(world, resume.writer).processes if p.started < until]
    gone = all((p.ended or math.inf) < took + (DEADLINE if p is resume.writer else 0.0) for p in theirs)
    return gone or until - took < DEADLINE


def s4_evidence(world: SimWorld) -> Iterator[str]:
    """S4: every write needs manifests that were whole, and equal in two reads; every cancel a fresh GET that says live."""
    for post in world.server.posts:
        if not post.complete:
            yield f"{post.writer.name} wrote after a look that left out part of the listing"
        if post.fleet == FLEET:  # a probe rests on no manifest
            yield from _trusted(world, post)
            yield from _read_twice(world, post)
        if post.kind == "cancel":
            seen = [status for _, job_id, status in post.looks if job_id == post.job_id]
            if not seen or seen[-1] in TERMINAL:
                yield f"{post.writer.name} cancelled {post.job_id} without a fresh look that says live"


def _read_twice(world: SimWorld, post: Post) -> Iterator[str]:
    read = _version(world, post, post.version)
    if post.rechecked is None or not post.rechecked[2]:
        yield f"{post.writer.name} wrote without a second read of the manifests"
    elif _changed(world, post, _version(world, post, post.rechecked[1]), read):
        yield f"{post.writer.name} wrote although the manifests had changed since it read them"


def _changed(world: SimWorld, post: Post, again: Version, read: Version) -> bool:
    """Whether the second read was of something else.

    A directory that hides a manifest hides no create, and a fleet document that ends every job ends it too.
    """
    removal = post.kind == "cancel" and again.wish.state != "cancelled"
    hurt = _name_of(world, post) in again.hurt and (again.waits == "all" or removal)
    return hurt or again.wish != read.wish


# Seconds for which a name must be gone before a daemon cancels its job.
_ABSENCE = 10.0


def _name_of(world: SimWorld, post: Post) -> str:
    """The name that a write is for; "" where it carries no marks, and its job none either."""
    job = world.server.jobs.get(post.job_id)
    marks = post.marks or (job.marks if job else None)
    return marks.name if marks else ""


def _trusted(world: SimWorld, post: Post) -> Iterator[str]:
    """What was read when this write was decided must have been fit for it."""
    versions = [_version(world, post, number) for number in range(_site(world, post.writer).checkout.version + 1)]
    read = versions[post.version]
    name = _name_of(world, post)
    removal = post.kind == "cancel" and read.wish.get(name) is None and read.wish.state == "active"
    if _must_wait(read, post, name, removal=removal):
        yield f"{post.writer.name} wrote for {name} after reading a directory that was damaged ({read.damage})"
    if removal and post.writer.daemon:
        # What nobody read, because its event was lost, proves nothing either way: the name was gone before, and after.
        # One whose file is no manifest any more is gone; that the file is there is looked at before it is believed.
        # An edit after the second read began belongs to the next pass.
        checked = post.rechecked[0] if post.rechecked else post.sent
        read_here = {i for p in _site(world, post.writer).processes for i in p.versions | p.read_again}
        there = [
            i
            for i, v in enumerate(versions)
            if v.at <= checked
            and (
                (v.wish.get(name) is not None and i in read_here and not (v.waits == "hurt" and name in v.hurt))
                or (v.damage and v.waits == "all" and i in post.writer.versions and i <= post.version)
            )
        ]
        gone_at = versions[there[-1] + 1].at if there and there[-1] + 1 < len(versions) else 0.0
        if post.sent - gone_at < _ABSENCE:
            yield f"{post.writer.name} cancelled {post.job_id} {post.sent - gone_at:.1f} s after its manifest was gone"


def _must_wait(read: Version, post: Post, name: str, *, removal: bool) -> bool:
    """Whether what was read is no evidence for this write."""
    if not read.damage:
        return False
    if read.waits == "all":
        return removal or name in read.hurt or not post.writer.daemon
    # The rest of the directory is valid, its fleet document too: what that one asks for needs no manifest.
    gone = name in read.hurt and post.kind == "cancel" and read.wish.state == "active"
    return gone or (removal and read.waits == "removals")


def s5_no_job_lost(world: SimWorld) -> Iterator[str]:
    """S5: each job that the ledger holds for us is in the journal, or named by an unresolved intent, or findable by its marks."""
    yield from (f"nothing leads to {job_id}" for job_id in world.unfindable)
    for job in world.server.jobs.values():
        if job.post is not None and (job.marks is None or job.marks.fleet != job.post.fleet):
            yield f"{job.id} carries no marks of ours"


def s6_intent_first(world: SimWorld) -> Iterator[str]:
    """S6: the intent is durable before the first byte of the POST leaves; so is a pause."""
    for post in world.server.posts:
        if post.kind in {"pause", "resume"} and not post.intent_durable:
            yield f"{post.writer.name} posted a {post.kind} of {post.job_id} before it was durable"
        if post.kind == "create" and not post.intent_durable:
            yield f"{post.writer.name} posted {post.marks.name if post.marks else '?'} before its intent was durable"


def s7_nothing_torn(world: SimWorld) -> Iterator[str]:
    """S7: status and journal are never torn; a corrupt journal stops writes and is never read as an empty one."""
    for site in world.sites:
        yield from (f"a reader of {site.name} found {name} torn" for name in site.state.status.torn)
    for post in world.server.posts:
        since = _site(world, post.writer).state.corrupt_since.get(post.generation)
        if since is not None and post.sent > since:
            yield f"{post.writer.name} wrote although its journal is corrupt"


def s9_posted_as_hashed(world: SimWorld) -> Iterator[str]:
    """S9: what is posted is exactly what its revision was computed from: one read of one file."""
    for job in _of_manifests(world):
        post = job.post
        if post is None or job.marks is None:
            continue
        wish, revision = _wish(world, post, job.marks.name), _revision(world, post, job.marks.name)
        if wish is None or revision != job.marks.revision:
            yield f"{_says(job)} is not what {post.writer.name} read"
            continue
        _, _, sha = world.server.files.get(str(job.body.get("training_file")), ("", 0, ""))
        if sha != data_sha(wish.data, dpo=wish.dpo) or (wish.seed is not None and job.body.get("seed") != wish.seed):
            yield f"{_says(job)} was posted with other content than its revision says"
        base = world.server.jobs.get(str(job.body.get("model")).removeprefix("ft:"))
        if wish.model_from is not None and (
            base is None
            or base.marks is None
            or base.status(post.sent) != "succeeded"
            or base.marks.revision != _revision(world, post, wish.model_from)
        ):
            yield f"{_says(job)} was not built on a model of {wish.model_from}'s revision"


def max_cost_holds(world: SimWorld) -> Iterator[str]:
    """A pass never posts creates whose estimates come to more than `limits.max_cost`, nor one of unknown cost."""
    passes: defaultdict[tuple[str, float, int], list[Post]] = defaultdict(list)
    for post in world.server.posts:
        if post.kind == "create" and post.marks is not None:
            passes[post.writer.name, post.listed_at, post.version].append(post)
    for (writer, _, _), posts in passes.items():
        limit = _version(world, posts[0], posts[0].version).wish.max_cost
        if limit is None:
            continue
        wishes = [_wish(world, post, _name_of(world, post)) for post in posts]
        costs = [wish.usd for wish in wishes if wish is not None]
        if None in costs:
            yield f"{writer} posted a create of which nobody knows the cost"
        elif (usd := sum(cost for cost in costs if cost is not None)) > limit:
            yield f"{writer} posted creates for {usd:g} in one pass, where max_cost is {limit:g}"


def one_careful_create(world: SimWorld) -> Iterator[str]:
    """What was refused to every create is tried again with one create, alone."""
    passes: defaultdict[tuple[str, float, int], list[Post]] = defaultdict(list)
    for post in world.server.posts:
        if post.kind == "create" and post.halted:
            passes[post.writer.name, post.listed_at, post.version].append(post)
    for (writer, _, _), posts in passes.items():
        if len(posts) > 1:
            yield f"{writer} tried with {len(posts)} creates in one pass whether the provider takes jobs again"


def probes_end(world: SimWorld) -> Iterator[str]:
    """No probe runs on once an apply or a daemon came after it whose state directory knows of it."""
    # Where a server shows nothing of a job, nobody can tell later that it was a probe.
    told = world.calm_at is not None and world.server.identifies
    if not told or world.sites[0].checkout.wish.state == "suspended":
        return
    for job in _ours(world):
        if job.marks is None or job.marks.fleet != PROBES or job.post is None or not job.live(world.engine.now):
            continue
        site, post = _site(world, job.post.writer), job.post
        if site.state.remembers(site.state.generation, post.generation, post.sent):
            yield f"{_says(job)}, a probe of {post.writer.name}, runs on"


def s11_no_foreign_exception(world: SimWorld) -> Iterator[str]:
    """S11: never a crash of our own making."""
    for process, error in world.engine.foreign:
        yield f"{process.name} died of {type(error).__name__}: {error}"


ORACLES: dict[str, Callable[[SimWorld], Iterator[str]]] = {
    "S1": s1_one_live_job,
    "S1b": s1b_bounded_surplus,
    "S1c": s1c_nobody_undoes_others,
    "S2": s2_nothing_trained_twice,
    "S2b": s2b_nothing_lost_to_a_replacement,
    "S3": s3_only_ours,
    "S3c": s3c_another_job_is_not_made_again,
    "S3d": s3d_only_our_own_pauses_end,
    "S4": s4_evidence,
    "S5": s5_no_job_lost,
    "S6": s6_intent_first,
    "S7": s7_nothing_torn,
    "S9": s9_posted_as_hashed,
    "S11": s11_no_foreign_exception,
    "max_cost": max_cost_holds,
    "careful": one_careful_create,
    "probes": probes_end,
    "L1": l1_converges,
    "L2": l2_unknowns_resolved,
    "L3b": l3b_ends_told,
}


def judge(world: SimWorld) -> list[tuple[str, str]]:
    """Every violation, by oracle. S8 was judged while it could be seen."""
    return [*world.found, *((name, message) for name, oracle in ORACLES.items() for message in oracle(world))]
