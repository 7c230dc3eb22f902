"""Files over HTTP: upload, list, retrieve, content, delete.

Routed to by `app`. A file's name is echoed and never used as a path.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NoReturn

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import FileResponse

from . import ids, wire
from .answers import answer, request_id
from .errors import RefusalError
from .store import File
from .training import inspect

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from .mode import Mode
    from .store import Store

_PURPOSES = ("fine-tune", "assistants", "batch", "vision", "user_data", "evals")
_ORDERS = ("desc", "asc")


@dataclass(frozen=True, slots=True)
class FileResource:
    store: Store
    clock: Callable[[], float]
    speed: float
    mode: Mode

    async def collection(self, http: Request) -> Response:
        if http.method != "POST":
            return await run_in_threadpool(self._list, http)
        try:
            await http.form()
        except OSError as error:
            raise RefusalError(
                f"The sandbox cannot keep the file while it arrives ({error.strerror}): set TMPDIR to a directory that "
                "can be written.",
                status=500,
                code="server_error",
                kind="server_error",
            ) from error
        async with http.form() as form:  # what was just parsed
            upload, purpose = form.get("file"), form.get("purpose")
            if not isinstance(upload, UploadFile):
                raise RefusalError(
                    "Missing required parameter: 'file'.", param="file", code="missing_required_parameter"
                )
            if purpose not in _PURPOSES:
                expected = ", ".join(_PURPOSES)
                raise RefusalError(
                    f"Invalid 'purpose': expected one of {expected}.", param="purpose", code="invalid_value"
                )
            return await run_in_threadpool(self._add, upload, str(purpose))

    def single(self, http: Request) -> Response:
        if http.method != "DELETE":
            return answer(self._shown(self._file(http)))
        file_id: str = http.path_params["id"]
        if not self.store.remove_file(file_id):
            _raise_not_found(file_id)
        return answer({"id": file_id, "object": "file", "deleted": True})

    def content(self, http: Request) -> Response:
        path = self.store.path(self._file(http).id)
        return FileResponse(path, media_type="application/octet-stream", headers=request_id())

    def _add(self, upload: UploadFile, purpose: str) -> Response:
        upload.file.seek(0)
        dataset = inspect(upload.file)
        size = upload.file.tell()
        upload.file.seek(0)
        file = File(
            id=ids.fresh("file-"),
            created=self.clock(),
            bytes=size,
            filename=_base_name(upload.filename),
            purpose=purpose,
            examples=dataset.examples,
            tokens=dataset.tokens,
            problem=dataset.problem,
        )
        self.store.add_file(file, upload.file)
        location = self.mode.location.format(path="files", id=file.id)
        return answer(self._shown(file), status=self.mode.created, location=location)

    def _list(self, http: Request) -> Response:
        query = http.query_params
        order = query.get("order", _ORDERS[0])
        if order not in _ORDERS:
            raise RefusalError("Invalid 'order': expected asc or desc.", param="order", code="invalid_value")
        purpose = query.get("purpose")
        files = [file for file in self.store.files() if purpose in (None, file.purpose)]
        files = files if order == "desc" else files[::-1]
        files, has_more = self.mode.cut("files", files, query, lambda file: file.id)
        page = wire.bounded_listing([self._shown(file) for file in files], has_more=has_more)
        return answer(self.mode.listing("files", page))

    def _shown(self, file: File) -> wire.Object:
        pending = self.mode.is_pending(file, self.clock(), self.speed)
        return self.mode.file.of({**wire.file(file), **({"status": "pending"} if pending else {})})

    def _file(self, http: Request) -> File:
        file_id: str = http.path_params["id"]
        return self.store.file(file_id) or _raise_not_found(file_id)


def _base_name(name: str | None) -> str:
    return PurePosixPath((name or "").replace("\\", "/")).name or "file"


def _raise_not_found(file_id: str) -> NoReturn:
    raise RefusalError(f"No such File object: {file_id[:256]}", status=404, param="id")
