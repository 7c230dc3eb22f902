"""Every answer of the sandbox: JSON, with a request id, and errors in the API's form.

Used by `app` and its resources.
"""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from .errors import RefusalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response


def request_id() -> dict[str, str]:
    return {"x-request-id": f"req_{secrets.token_hex(16)}"}


def answer(body: Mapping[str, object]) -> Response:
    return JSONResponse(body, headers=request_id())


def refuse(error: RefusalError, headers: Mapping[str, str] | None = None) -> Response:
    body = {"message": error.message, "type": error.kind, "param": error.param, "code": error.code}
    return JSONResponse({"error": body}, status_code=error.status, headers={**(headers or {}), **request_id()})


def on_refusal(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RefusalError):
        raise error
    return refuse(error)


def on_http_error(request: Request, error: Exception) -> Response:
    """What the framework itself refuses: unknown paths, wrong methods, broken forms."""
    if not isinstance(error, HTTPException):
        raise error
    messages = {
        HTTPStatus.NOT_FOUND: f"Invalid URL ({request.method} {request.url.path})",
        HTTPStatus.METHOD_NOT_ALLOWED: f"Not allowed to {request.method} on {request.url.path}",
    }
    message = messages.get(HTTPStatus(error.status_code), error.detail)
    return refuse(RefusalError(message, status=error.status_code), error.headers)


def on_bug(_request: Request, error: Exception) -> Response:
    message = f"The sandbox failed: {type(error).__name__}."
    return refuse(RefusalError(message, status=500, code="server_error", kind="server_error"))
