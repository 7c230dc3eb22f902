"""What goes wrong in the sandbox: one error for its host, one for its clients.

Raised by every module of the sandbox. `SandboxError` reaches whoever starts the
sandbox; `RefusalError` becomes an HTTP answer in `app` and never leaves it.
"""


class SandboxError(Exception):
    """The sandbox cannot start: its address is taken, or its directory is unusable."""


class RefusalError(Exception):
    """A request the sandbox turns down, in the terms of the API's error body."""

    def __init__(
        self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None, kind: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.param = param
        self.code = code
        self.kind = kind or "invalid_request_error"
