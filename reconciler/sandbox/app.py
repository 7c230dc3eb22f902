"""The HTTP API: which path leads where, and what every request must show.

Made by `create_app` for `server`, or for a test that needs no socket. The work is
done by the resources: `job_resource`, `file_resource`, `model_resource`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import Route

from . import answers
from .errors import RefusalError
from .file_resource import FileResource
from .job_resource import JobResource
from .model_resource import ModelResource
from .modes import OPENAI

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from .mode import Mode
    from .store import Store


def create_app(store: Store, *, clock: Callable[[], float], speed: float, mode: Mode = OPENAI) -> Starlette:
    """The API over a store, as `mode` speaks it; `speed` is that of the jobs created through this app."""
    app = Starlette(
        routes=[Route("/healthz", _health, methods=["GET"]), *_routes(store, clock, speed, mode)],
        exception_handlers=answers.handlers(mode.refusal),
        middleware=[Middleware(_Guard, mode=mode)],
    )
    # The API answers a trailing slash with 404, not with a redirect.
    app.router.redirect_slashes = False
    return app


def _routes(store: Store, clock: Callable[[], float], speed: float, mode: Mode) -> list[Route]:
    jobs = JobResource(store, clock, speed, mode)
    files = FileResource(store, clock, speed, mode)
    models = ModelResource(store, clock)
    rows = {
        "jobs": ("/fine_tuning/jobs", jobs.collection, ["GET", "POST"]),
        "job": ("/fine_tuning/jobs/{id}", jobs.retrieve, ["GET"]),
        "cancel": ("/fine_tuning/jobs/{id}/cancel", jobs.cancel, ["POST"]),
        "pause": ("/fine_tuning/jobs/{id}/pause", jobs.pause, ["POST"]),
        "resume": ("/fine_tuning/jobs/{id}/resume", jobs.resume, ["POST"]),
        "events": ("/fine_tuning/jobs/{id}/events", jobs.events, ["GET"]),
        "checkpoints": ("/fine_tuning/jobs/{id}/checkpoints", jobs.checkpoints, ["GET"]),
        "files": ("/files", files.collection, ["GET", "POST"]),
        "file": ("/files/{id}", files.single, ["GET", "DELETE"]),
        "content": ("/files/{id}/content", files.content, ["GET"]),
        "models": ("/models", models.collection, ["GET"]),
        "model": ("/models/{id}", models.retrieve, ["GET"]),
    }
    return [
        Route(mode.base_path + path, endpoint, methods=methods)
        for name, (path, endpoint, methods) in rows.items()
        if name not in mode.missing
    ]


class _Guard:
    """Refuses a request that lacks what its server asks of every one."""

    def __init__(self, app: ASGIApp, mode: Mode) -> None:
        self._app = app
        self._mode = mode

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(self._mode.base_path):
            http = Request(scope)
            try:
                self._mode.check_request(http.method, http.query_params, http.headers)
            except RefusalError as error:
                await answers.refuse(error, self._mode.refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _health(_request: Request) -> Response:
    return answers.answer({"status": "ok"})
