"""The bodies in which servers say no, made of one refusal. Pure; `modes` names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .errors import RefusalError

Object = dict[str, object]

# google.rpc.Code: what grpc-gateway writes beside these statuses.
_GRPC = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 429: 8}


def openai(error: RefusalError) -> Object:
    return {"error": {"message": error.message, "type": error.kind, "param": error.param, "code": error.code}}


def azure(error: RefusalError) -> Object:
    """Of the v1 routes: without an envelope."""
    code = error.code or "invalidPayload"
    return {
        "code": code,
        "message": error.message,
        "param": error.param,
        "type": error.kind,
        "inner_error": {"code": code},
    }


def azure_classic(error: RefusalError) -> Object:
    code = error.code or "invalidPayload"
    return {
        "error": {
            "code": code,
            "message": error.message,
            "target": error.param,
            "details": [],
            "innererror": {"code": code},
        }
    }


def litellm(error: RefusalError) -> Object:
    message = f"Error code: {error.status} - {error.message}"
    return {"error": {"message": message, "type": error.kind, "param": error.param, "code": str(error.status)}}


def detail(error: RefusalError) -> Object:
    return {"detail": error.message}


def grpc(error: RefusalError) -> Object:
    return {"code": _GRPC.get(error.status, 2), "message": error.message, "details": []}


def errors(error: RefusalError) -> Object:
    return {"errors": [{"code": str(error.status), "title": error.code or "Bad Request", "detail": error.message}]}


def text(error: RefusalError) -> str:
    return error.message
