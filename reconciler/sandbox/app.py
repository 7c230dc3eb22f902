"""The HTTP API: which path leads where.

Made by `create_app` for `server`, or for a test that needs no socket. The work is
done by the resources: `job_resource`, `file_resource`, `model_resource`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from . import answers
from .errors import RefusalError
from .file_resource import FileResource
from .job_resource import JobResource
from .model_resource import ModelResource

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from .store import Store


def create_app(store: Store, *, clock: Callable[[], float], speed: float) -> Starlette:
    """The API over a store; `speed` is that of the jobs created through this app."""
    jobs = JobResource(store, clock, speed)
    files = FileResource(store, clock)
    models = ModelResource(store, clock)
    every_job, one_job = "/v1/fine_tuning/jobs", "/v1/fine_tuning/jobs/{id}"
    every_file, one_file = "/v1/files", "/v1/files/{id}"
    app = Starlette(
        routes=[
            Route("/healthz", _health, methods=["GET"]),
            Route(every_job, jobs.collection, methods=["GET", "POST"]),
            Route(one_job, jobs.retrieve, methods=["GET"]),
            Route(f"{one_job}/cancel", jobs.cancel, methods=["POST"]),
            Route(f"{one_job}/pause", jobs.pause, methods=["POST"]),
            Route(f"{one_job}/resume", jobs.resume, methods=["POST"]),
            Route(f"{one_job}/events", jobs.events, methods=["GET"]),
            Route(f"{one_job}/checkpoints", jobs.checkpoints, methods=["GET"]),
            Route(every_file, files.collection, methods=["GET", "POST"]),
            Route(one_file, files.single, methods=["GET", "DELETE"]),
            Route(f"{one_file}/content", files.content, methods=["GET"]),
            Route("/v1/models", models.collection, methods=["GET"]),
            Route("/v1/models/{id}", models.retrieve, methods=["GET"]),
        ],
        exception_handlers={
            RefusalError: answers.on_refusal,
            HTTPException: answers.on_http_error,
            Exception: answers.on_bug,
        },
    )
    # The API answers a trailing slash with 404, not with a redirect.
    app.router.redirect_slashes = False
    return app


def _health(_request: Request) -> Response:
    return answers.answer({"status": "ok"})
