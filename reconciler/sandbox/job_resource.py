"""Jobs over HTTP: create, list, retrieve, cancel, pause, resume, events, checkpoints.

Routed to by `app`. Methods that only read are synchronous: the framework runs them
in threads, so that a database held by another process does not stop the server.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

from starlette.concurrency import run_in_threadpool

from . import creation, ids, lifecycle, request, scripts, wire
from .answers import answer
from .errors import RefusalError
from .job import Pause
from .store import JobFilter

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.datastructures import QueryParams
    from starlette.requests import Request
    from starlette.responses import Response

    from .job import Job
    from .mode import Mode
    from .store import Store

_METADATA_KEY = re.compile(r"metadata\[(.*)\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class JobResource:
    store: Store
    clock: Callable[[], float]
    speed: float
    mode: Mode

    async def collection(self, http: Request) -> Response:
        if http.method == "POST":
            body = await _bounded_body(http)
            return await run_in_threadpool(self._create, body)
        return await run_in_threadpool(self._list, http.query_params)

    def retrieve(self, http: Request) -> Response:
        return self._shown(self._job(http), self.clock())

    async def cancel(self, http: Request) -> Response:
        def change(job: Job, now: float) -> Job:
            return replace(job, cancelled=now)

        if self.mode.body:
            self.mode.check_body(request.object_of(await _bounded_body(http) or b"{}"))
        return await run_in_threadpool(self._change, http, "cancel", change)

    def pause(self, http: Request) -> Response:
        def change(job: Job, now: float) -> Job:
            if lifecycle.status(job, now) == "paused":
                raise RefusalError(f"Job {job.id} is paused already.")
            return replace(job, pauses=(*job.pauses, Pause(now)))

        return self._change(http, "pause", change)

    def resume(self, http: Request) -> Response:
        def change(job: Job, now: float) -> Job:
            if lifecycle.status(job, now) != "paused":
                raise RefusalError(f"Job {job.id} is not paused.")
            return replace(job, pauses=(*job.pauses[:-1], replace(job.pauses[-1], end=now)))

        return self._change(http, "resume", change)

    def events(self, http: Request) -> Response:
        job = self._job(http)
        happened = lifecycle.events(job, self.clock())
        events, has_more = self.mode.cut(
            "events", happened, http.query_params, lambda event: lifecycle.event_id(job, event)
        )
        return self._listing("events", wire.listing([wire.event(job, event) for event in events], has_more=has_more))

    def checkpoints(self, http: Request) -> Response:
        job = self._job(http)
        kept = lifecycle.checkpoints(job, self.clock())
        saved, has_more = self.mode.cut(
            "checkpoints", kept, http.query_params, lambda checkpoint: lifecycle.checkpoint_id(job, checkpoint)
        )
        page = wire.bounded_listing([wire.checkpoint(job, one) for one in saved], has_more=has_more)
        return self._listing("checkpoints", page)

    def _create(self, body: bytes) -> Response:
        asked = request.parse(body, self.mode)
        now = self.clock()
        script = scripts.find(suffix=asked.suffix, model=asked.model)
        for _ in range(self.mode.repeats if script is not None and script.repeated else 1):
            birth = creation.Birth(
                id=ids.fresh("ftjob-"), now=now, speed=self.speed, seed=secrets.randbelow(request.MAX_SEED + 1)
            )
            job = creation.create(self.store, asked, birth, self.mode)
        location = self.mode.location.format(path="fine_tuning/jobs", id=job.id)
        shown = self.mode.single_job_of(job, wire.job(job, now), self.mode.born)
        return answer(shown, status=self.mode.created, location=location)

    def _list(self, query: QueryParams) -> Response:
        page = self.mode.page("jobs", query)
        jobs, has_more = self.store.jobs(page, _filter(query))
        now = self.clock()
        shown = [self.mode.job_of(job, wire.job(job, now), self.mode.listed) for job in jobs]
        return self._listing("jobs", wire.listing(shown, has_more=has_more))

    def _listing(self, what: str, page: wire.Object) -> Response:
        return answer(self.mode.listing(what, page))

    def _shown(self, job: Job, now: float) -> Response:
        return answer(self.mode.single_job_of(job, wire.job(job, now)))

    def _job(self, http: Request) -> Job:
        job_id: str = http.path_params["id"]
        return self.store.job(job_id) or _raise_not_found(job_id)

    def _change(self, http: Request, verb: str, change: Callable[[Job, float], Job]) -> Response:
        """Save what `change` makes of a live job."""
        now = self.clock()

        def change_live(job: Job) -> Job:
            status = lifecycle.status(job, now)
            if status in lifecycle.TERMINAL:
                raise RefusalError(f"Cannot {verb} job {job.id}: it is {status} already.")
            return change(job, now)

        job_id: str = http.path_params["id"]
        job = self.store.change_job(job_id, change_live) or _raise_not_found(job_id)
        return self._shown(job, now)


def _filter(query: QueryParams) -> JobFilter:
    unmarked = query.get("metadata")
    if unmarked not in (None, "null"):
        raise RefusalError("Invalid 'metadata': expected null or metadata[key]=value.", param="metadata")
    pairs = [(_METADATA_KEY.fullmatch(name), value) for name, value in query.multi_items()]
    return JobFilter(tuple((match[1], value) for match, value in pairs if match), unmarked is not None)


async def _bounded_body(http: Request) -> bytes:
    body = bytearray()
    async for chunk in http.stream():
        body += chunk
        if len(body) > request.MAX_BODY_BYTES:
            raise RefusalError(f"The body is larger than {request.MAX_BODY_BYTES} bytes.", status=413)
    return bytes(body)


def _raise_not_found(job_id: str) -> NoReturn:
    raise RefusalError(
        f"Could not find fine tune: {job_id[:256]}", status=404, param="fine_tune_id", code="fine_tune_not_found"
    )
