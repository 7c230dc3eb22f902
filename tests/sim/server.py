"""The provider: what it really did (the ledger), and what it shows of it.

A listing shows the account as it was up to L seconds ago; a POST whose sender gave up takes effect
within R seconds or never. `SimProvider` is one process's connection to it: the port, faults included.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from reconciler.core.desired import Fleet
from reconciler.core.job import TERMINAL, Checkpoint, Event, Job, JobError, Marks, marks_of
from reconciler.core.probe import fleet_of_probe
from reconciler.core.training import Training, training_of
from reconciler.errors import NotSent, OutcomeUnknown, RateLimited, Refused, Unreadable
from reconciler.provider.port import NONE_KNOWN, JobPage
from reconciler.provider.request import Upload
from tests.sim.engine import EPOCH, Engine, Process

FLEET = "fleet-1"
PROBES = fleet_of_probe(Fleet(FLEET)).name
_PAGE = 2
DEADLINE = 10.0  # seconds: the client's total deadline for a request


@dataclass(slots=True)
class Post:
    """A write as it arrived: by whom, with what evidence behind it."""

    kind: str  # create | cancel | pause | resume
    sent: float
    writer: Process
    looks: tuple[tuple[float, str, str], ...]
    listed_at: float
    complete: bool  # its last look at the account came to the end of the listing
    version: int
    rechecked: tuple[float, int, bool] | None
    body: Mapping[str, Any] = field(default_factory=dict)
    job_id: str = ""
    marks: Marks | None = None
    intent_durable: bool = True
    recorded: frozenset[str] = frozenset()  # the jobs whose cancel the writer's journal knew of
    halted: bool = False  # that journal said that the provider takes no jobs
    generation: int = 0  # of the writer's state directory
    fleet: str = FLEET  # as whose it was sent
    took: float | None = None  # when it took effect
    paused_by: str = ""  # of a resume that did: who had paused the job
    paused_at: float = 0.0  # ... and when


@dataclass(slots=True)
class SimJob:
    """One job, with its whole life: (time, status) in order."""

    id: str
    committed: float
    body: Mapping[str, Any]
    marks: Marks | None
    life: list[tuple[float, str]]
    post: Post | None = None  # None: somebody else made it
    error: JobError | None = None
    cancelled_by: str = ""  # "human", or the process's name
    cancelled_at: float | None = None
    gone_at: float | None = None  # deleted by its owner
    by_hand: bool = False  # somebody started it on a file of ours
    cancel_posts: list[Post] = field(default_factory=list)
    paused_by: str | None = None  # "human", or the process's name; None: it was not paused, or goes on
    paused_at: float = 0.0
    before_pause: list[tuple[float, str]] = field(default_factory=list)
    lost: bool = False  # it is trained by another method than was asked for

    def status(self, time: float) -> str:
        current = self.life[0][1]
        for at, status in self.life:
            if at > time:
                break
            current = status
        return current

    def live(self, time: float) -> bool:
        return self.status(time) not in TERMINAL and not (self.gone_at is not None and self.gone_at <= time)

    def end(self, time: float, status: str, *, after: float = 0.0) -> None:
        self.paused_by = None
        self.life = [entry for entry in self.life if entry[0] <= time]
        if after:
            self.life.append((time, "canceling"))
        self.life.append((time + after, status))


class Server:
    """The account, seen from the provider's side."""

    def __init__(
        self, engine: Engine, *, lag: float, late: float, echoes: bool = True, returns_files: bool = False
    ) -> None:
        self.engine = engine
        self.lag = lag  # L
        self.late = late  # R
        self.echoes = echoes
        self.returns_files = returns_files  # a job's training file, and that file's name
        self.returns_seeds = True
        self.cancel_delay = 0.0
        self.get_lags = False
        self.pauses = True  # whether it has the routes
        self.jobs: dict[str, SimJob] = {}
        self.posts: list[Post] = []
        self.files: dict[str, tuple[str, int, str]] = {}  # id → name, size, sha256
        self.frozen = False
        self.newest_first = True  # in its listing
        self.loses: Callable[[], bool] = lambda: False  # the method of the job that is made now
        self.shown_instead = ""  # what a job shows whose method was lost; "": none
        self.lives: list[tuple[tuple[float, str], ...]] = [((5.0, "queued"), (10.0, "running"))]
        self._born = 0
        self._pending: list[tuple[float, int, Post]] = []

    @property
    def identifies(self) -> bool:
        """Whether it shows of every job whose it is: by its marks, or by its training file."""
        return self.echoes or self.returns_files

    # ── what really happens ──

    def flush(self) -> None:
        """Late POSTs take effect in the order of their time."""
        while self._pending and self._pending[0][0] <= self.engine.now:
            at, _, post = self._pending.pop(0)
            self.commit(post, at)

    def later(self, post: Post, at: float) -> None:
        self._pending.append((at, len(self.posts), post))
        self._pending.sort(key=lambda entry: entry[:2])

    def commit(self, post: Post, at: float) -> SimJob | None:
        post.took = at
        if post.kind == "create":
            return self.make(post.body, post.marks, at, post)
        job = self.jobs[post.job_id]
        if post.kind in {"pause", "resume"}:
            self._turn(job, post, at)
        elif job.live(at):
            job.cancel_posts.append(post)
            if job.status(at) != "canceling":
                job.cancelled_by, job.cancelled_at = post.writer.name, at
                job.end(at, "cancelled", after=self.cancel_delay)
            self.engine.say(f"server: {job.id} is cancelled, as {post.writer.name} asked")
        return job

    def _turn(self, job: SimJob, post: Post, at: float) -> None:
        """A job stands still, or goes on where it stood: what was to come is that much later."""
        if not job.live(at) or (job.paused_by is None) is (post.kind == "resume"):
            post.took = None
        elif post.kind == "pause":
            self.pause(job, post.writer.name, at)
        else:
            post.paused_by, post.paused_at = str(job.paused_by), job.paused_at
            self.resume(job, post.writer.name, at)

    def pause(self, job: SimJob, who: str, at: float) -> None:
        job.paused_by, job.paused_at, job.before_pause = who, at, list(job.life)
        job.life = [*(entry for entry in job.life if entry[0] <= at), (at, "paused")]
        self.engine.say(f"server: {job.id} is paused, as {who} asked")

    def resume(self, job: SimJob, who: str, at: float) -> None:
        past, later = job.paused_at, at - job.paused_at
        # One that has been paused is not paused by the server itself as well: nobody could tell whose pause it is.
        coming = [(time, status) for time, status in job.before_pause if time > past and status != "paused"]
        ahead = [] if self.frozen else [(time + later, status) for time, status in coming]
        job.paused_by = None
        job.life = [*(entry for entry in job.life if entry[0] <= at), (at, "running"), *ahead]
        self.engine.say(f"server: {job.id} goes on, as {who} asked")

    def make(self, body: Mapping[str, Any], marks: Marks | None, at: float, post: Post | None = None) -> SimJob:
        self._born += 1
        # Ids do not sort by age: ties of created_at are broken by them.
        job_id = f"ftjob-{hashlib.sha256(str(self._born).encode()).hexdigest()[:4]}{self._born:03}"
        told = self.lives[self._born % len(self.lives)] if not self.frozen else ()
        life = [(at, "validating_files"), *((at + after, status) for after, status in told)]
        error = JobError(*_ERRORS[self._born % 2]) if any(status == "failed" for _, status in told) else None
        job = SimJob(job_id, at, body, marks, life, post, error=error)
        job.lost = "method" in body and self.loses()
        self.jobs[job_id] = job
        who = post.writer.name if post else "somebody else"
        what = f"{marks.fleet}/{marks.name} {marks.revision[:6]} attempt {marks.attempt}" if marks else "no marks"
        self.engine.say(f"server: {job_id} is made for {who} ({what})")
        return job

    def human_cancels(self, job: SimJob) -> None:
        job.cancelled_by, job.cancelled_at = "human", self.engine.now
        job.end(self.engine.now, "cancelled")
        self.engine.say(f"a human cancels {job.id}")

    def freeze(self) -> None:
        """From now on no job moves by itself."""
        self.flush()
        self.frozen = True
        for job in self.jobs.values():
            if job.cancelled_at is None:
                job.life = [entry for entry in job.life if entry[0] <= self.engine.now]

    # ── what it shows ──

    def shown(self, job: SimJob, time: float) -> Job:
        status = job.status(time)
        sent = job.body.get("seed")
        ended = status in TERMINAL
        return Job(
            id=job.id,
            status=status,
            created_at=int(EPOCH + job.committed),
            model=str(job.body.get("model", "")),
            fine_tuned_model=f"ft:{job.id}" if status == "succeeded" else None,
            trained_tokens=100 if ended else None,
            # Where none was sent, the server has drawn one.
            seed=None if not self.returns_seeds else sent if isinstance(sent, int) else zlib.crc32(job.id.encode()),
            suffix=str(job.body["suffix"]) if self.returns_files and job.body.get("suffix") else None,
            training_file=str(job.body.get("training_file", "")) if self.returns_files else "",
            error=job.error if status == "failed" else None,
            # A gateway that drops metadata drops ours; whoever came by another way still has theirs.
            marks=job.marks if self.echoes or (job.post is None and not self.returns_files) else None,
            training=Training(self.shown_instead) if job.lost else training_of(job.body),
        )

    def listing(self, time: float) -> tuple[Job, ...]:
        """The account as it was at ``time``."""
        return tuple(
            self.shown(job, time)
            for job in sorted(self.jobs.values(), key=lambda job: job.committed, reverse=self.newest_first)
            if job.committed <= time and (job.gone_at is None or job.gone_at > time)
        )


_ERRORS = (("server_error", "the machine broke", ""), ("invalid_training_file", "line 1 is bad", "training_file"))

_STATUS_OF = {
    "refused 400": 400,
    "refused 401": 401,
    "refused 403": 403,
    "refused 404": 404,
    "refused 413": 413,
    "refused 422": 422,
}


class SimProvider:
    """One process's connection to the server: `reconciler.provider.Provider`.

    Not the one of `tests.fakes.provider`, which does at once what it is asked: here every call takes time in which the
    other processes go on, may be struck by a fault, and leaves behind what the oracles ask for.
    """

    def __init__(self, process: Process, server: Server, witness: Callable[[Post], None]) -> None:
        self._process = process
        self._server = server
        self._engine = process.engine
        self._witness = witness
        self.fleet = FLEET  # for which it is used

    # ── reads ──

    def list_jobs(self, known: Mapping[str, Job] = NONE_KNOWN) -> tuple[Job, ...]:
        begun = self._engine.now
        shown = self._shown()
        self._process.listed_at, self._process.complete = begun, True
        if self._process.first_listing is None:
            self._process.first_listing = (self._engine.now, frozenset(job.id for job in shown))
        return self.understood(shown)

    def job_pages(self) -> Iterator[JobPage]:
        """Each page as the account is when it is asked for: a listing may shift between two of them."""
        begun, after, last = self._engine.now, None, False
        self._process.listed_at, self._process.complete = begun, False
        while not last:
            shown = self._shown()
            places = [job.id for job in shown]
            if after is not None and after not in places:
                raise Unreadable("the cursor is of no job", status=400)
            start = 0 if after is None else places.index(after) + 1
            page, last = shown[start : start + _PAGE], start + _PAGE >= len(shown)
            self._process.complete = last
            yield JobPage(self.understood(page), last)
            after = page[-1].id if page else None

    def _shown(self) -> tuple[Job, ...]:
        process, server, begun = self._process, self._server, self._engine.now
        fault = process.effect("list", self._engine.source.between(0.05, 1.0))
        server.flush()
        shown = server.listing(max(begun, self._engine.now) - self._engine.source.between(0.0, server.lag))
        if fault == "cut":
            shown = self.cut(shown[: len(shown) // 2])
        self._read_fault("list", fault)
        return shown

    def understood(self, jobs: tuple[Job, ...]) -> tuple[Job, ...]:
        """What the client makes of them."""
        return jobs

    def cut(self, shown: tuple[Job, ...]) -> tuple[Job, ...]:
        """A listing that breaks off is no listing."""
        raise Unreadable("the second page repeats the first")

    def retrieve_job(self, job_id: str) -> Job:
        fault = self._process.effect("retrieve", self._engine.source.between(0.02, 0.5))
        server = self._server
        server.flush()
        job = server.jobs.get(job_id)
        self._read_fault("retrieve", fault)
        now = self._engine.now
        unseen = job is not None and server.get_lags and job.committed > now - server.lag
        if job is None or unseen or (job.gone_at is not None and job.gone_at <= now):
            raise Refused("no such job", status=404)
        self._process.looks.append((now, job_id, job.status(now)))
        return server.shown(job, now)

    def list_events(self, job_id: str, *, limit: int | None = None) -> tuple[Event, ...]:
        self._read_fault("events", self._process.effect("events", 0.05))
        job = self._server.jobs.get(job_id)
        told = [(at, status) for at, status in job.life if at <= self._engine.now] if job else []
        events = [Event(f"{job_id}-{i}", int(at), "info", "message", status, {}) for i, (at, status) in enumerate(told)]
        return tuple(reversed(events))

    def list_checkpoints(self, job_id: str) -> tuple[Checkpoint, ...]:
        fault = self._process.effect("checkpoints", 0.05)
        self._read_fault("checkpoints", fault)
        return (Checkpoint("ckpt-1", 10, f"ft:{job_id}:10", 1, {"train_loss": 0.5}),)

    # ── files ──

    def find_files(self, wanted: AbstractSet[tuple[str, int | None]]) -> Mapping[tuple[str, int | None], str]:
        fault = self._process.effect("find file", 0.05)
        self._read_fault("find file", fault)
        there = {(name, size): file_id for file_id, (name, size, _) in reversed(self._server.files.items())}
        return {one: there[one] for one in wanted if one in there}

    def file_name(self, file_id: str) -> str:
        self._read_fault("file name", self._process.effect("file name", 0.05))
        return self._server.files.get(file_id, ("", 0, ""))[0]

    def file_names(self) -> Mapping[str, str]:
        self._read_fault("file names", self._process.effect("file names", 0.05))
        return {file_id: name for file_id, (name, _, _) in self._server.files.items()}

    def upload_file(self, upload: Upload) -> str:
        name, content = upload.name, b"".join(upload.pieces())
        fault = self._process.effect("upload", 0.2)
        if fault in {None, "unknown: lost", "crash after"}:
            file_id = f"file-{len(self._server.files) + 1}"
            self._server.files[file_id] = (name, len(content), hashlib.sha256(content).hexdigest())
        self._write_fault("upload", fault)
        return file_id

    def wait_for_file(self, file_id: str) -> None:
        self._read_fault("wait for file", self._process.effect("wait for file"))

    # ── writes ──

    def create_job(self, body: Mapping[str, object]) -> Job:
        post = self._post("create", body=body)
        job = self._send(post)
        shown = self._server.shown(job, self._engine.now) if job else Job("", "")
        return replace(shown, status=job.status(self._engine.now)) if job else shown

    def cancel_job(self, job_id: str) -> None:
        self._send(self._post("cancel", job_id=job_id))

    def pause_job(self, job_id: str) -> None:
        self._turn("pause", job_id)

    def resume_job(self, job_id: str) -> None:
        self._turn("resume", job_id)

    def _turn(self, kind: str, job_id: str) -> None:
        post = self._post(kind, job_id=job_id)
        if not self._server.pauses:
            self._process.effect(kind)
            raise Refused("no such route", status=404)
        self._send(post)

    def _post(self, kind: str, *, body: Mapping[str, Any] | None = None, job_id: str = "") -> Post:
        process = self._process
        marks = marks_of((body or {}).get("metadata"))
        return Post(
            kind,
            self._engine.now,
            process,
            tuple(process.looks),
            process.listed_at,
            process.complete,
            process.version,
            process.unchanged,
            dict(body or {}),
            job_id,
            marks,
            generation=process.generation,
            fleet=self.fleet,
        )

    def _send(self, post: Post) -> SimJob | None:
        process, engine, server, kind = self._process, self._engine, self._server, post.kind
        fault = process.effect(kind)
        what = f"{post.marks.name} attempt {post.marks.attempt}" if post.marks else post.job_id
        engine.say(f"{process.name} posts {kind} {what}{f' — {fault}' if fault else ''}")
        process.looks.clear()
        if fault == "not sent":
            engine.pause(0.1)
            self._alive()
            raise NotSent("connection refused")
        self._witness(post)
        server.posts.append(post)
        delay = engine.source.between(0.05, DEADLINE if fault and fault != "crash after" else 2.0)
        first = engine.source.between(0.0, delay)
        lost = fault is not None and fault.endswith(": lost")
        job = None
        if fault in {None, "crash after"} or lost:
            engine.pause(first)  # a killed client's request is on its way nevertheless
            server.flush()
            if kind != "create" and not server.jobs[post.job_id].live(engine.now):
                fault = "refused 400" if fault is None else fault
            else:
                job = server.commit(post, engine.now)
            engine.pause(delay - first)
        else:
            engine.pause(delay)
            if fault is not None and fault.endswith(": late"):
                server.later(post, engine.now + engine.source.between(0.0, server.late))
        self._alive()
        engine.jump(self._process)
        self._write_fault(kind, fault)
        return job

    # ── what goes wrong ──

    def _alive(self) -> None:
        if self._process.dead:
            self._process.crash("while it waits")

    def _read_fault(self, kind: str, fault: str | None) -> None:
        if fault is not None:
            self._engine.say(f"{self._process.name}: {kind} — {fault}")
        if fault in {"unreadable", "cut"}:
            raise Unreadable("an answer that cannot be true", status=500)
        self._write_fault(kind, fault)

    def _write_fault(self, kind: str, fault: str | None) -> None:
        if fault is None or fault == "without effect":
            return
        if fault.startswith("crash"):
            self._process.crash(f"{fault.removeprefix('crash').strip(' :')} {kind}")
        if fault == "not sent":
            raise NotSent("connection refused")
        if fault == "rate limited":
            raise RateLimited("slow down", retry_after=5.0)
        if fault in _STATUS_OF:
            raise Refused("the server says no", status=_STATUS_OF[fault])
        if fault == "unknown: never" and kind == "create":
            raise OutcomeUnknown("POST /fine_tuning/jobs: HTTP 500: the licence has run out", status=500)
        if fault.startswith("unknown"):
            raise OutcomeUnknown("no answer within 10 s")
