"""Every answer of the sandbox: JSON, with a request id, and errors in the form of its mode.

Used by `app` and its resources.
"""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse

from .errors import RefusalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    Body = Mapping[str, object] | str
    Handler = Callable[[Request, Exception], Response]


def request_id() -> dict[str, str]:
    return {"x-request-id": f"req_{secrets.token_hex(16)}"}


def answer(body: Mapping[str, object], *, status: int = 200, location: str = "") -> Response:
    return JSONResponse(body, status, headers={**({"location": location} if location else {}), **request_id()})


def handlers(body_of: Callable[[RefusalError], Body]) -> Mapping[type[Exception], Handler]:
    """What becomes of every error; ``body_of`` is the form in which the server says no."""

    def on_refusal(_request: Request, error: Exception) -> Response:
        if not isinstance(error, RefusalError):
            raise error
        return refuse(error, body_of)

    def on_http_error(request: Request, error: Exception) -> Response:
        """What the framework itself refuses: unknown paths, wrong methods, broken forms."""
        if not isinstance(error, HTTPException):
            raise error
        messages = {
            HTTPStatus.NOT_FOUND: f"Invalid URL ({request.method} {request.url.path})",
            HTTPStatus.METHOD_NOT_ALLOWED: f"Not allowed to {request.method} on {request.url.path}",
        }
        message = messages.get(HTTPStatus(error.status_code), error.detail)
        return refuse(RefusalError(message, status=error.status_code), body_of, error.headers)

    def on_bug(_request: Request, error: Exception) -> Response:
        message = f"The sandbox failed: {type(error).__name__}."
        return refuse(RefusalError(message, status=500, code="server_error", kind="server_error"), body_of)

    return {RefusalError: on_refusal, HTTPException: on_http_error, Exception: on_bug}


def refuse(
    error: RefusalError, body_of: Callable[[RefusalError], Body], headers: Mapping[str, str] | None = None
) -> Response:
    body, every = body_of(error), {**(headers or {}), **request_id()}
    answer_in = PlainTextResponse if isinstance(body, str) else JSONResponse
    return answer_in(body, error.status, headers=every)
