"""A token that expires, as a command of the operator's prints it: `az account get-access-token`, `gcloud auth …`.

`cli.wiring` makes one of ``--token-command``, and of ``--entra``, whose command is `entra`. It is run without a shell,
before a pass, when its token has expired, and once after a 401. It is never run while a request is under way and its
deadline runs, and never for a write, whose intent may already be recorded. What it says on stderr is
shown where it fails, without secrets.
"""

import contextlib
import json
import os
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import IO, cast

from msgspec import Struct

from reconciler.core.credentials import without_keys
from reconciler.core.spelling import unix_seconds
from reconciler.errors import UsageError, escaped, scrub, system_words
from reconciler.log import Log
from reconciler.provider.key import Key, LastGood, Secrets, key_of

# Seconds. `az` takes three, a command that asks the metadata service ten; a daemon that is stopped has 28 in all.
COMMAND_SECONDS = 20.0
# Before a pass, a token that expires sooner is renewed; azure-identity has the same 300 s.
_SOON_SECONDS = 300.0
# A command whose tokens have expired when they are printed is not run before every request, but this seldom.
_AGAIN_SECONDS = 60.0
_OUTPUT_LIMIT, _ERROR_LIMIT = 65_536, 4_096
_TOKENS = ("token", "accessToken", "access_token")
# `expires_on` counts seconds; the `expiresOn` of `az` beside it is local time, and says no zone.
_EXPIRIES = ("expires_on", "expiresOn", "expirationTimestamp", "expiry")
_SHORTEST = 16  # characters of a token; a shorter word on stdout may be an ordinary one, and stand on stderr too
_JWT = re.compile(r"eyJ[\w-]+\.[\w.-]+")


class Token(Struct, frozen=True):
    """``expires`` in Unix seconds; None where the command does not say."""

    text: str
    expires: int | None = None


class TokenCommand(Key):
    """The token that a command prints. Safe to use from several threads."""

    token = True

    def __init__(  # noqa: PLR0913 - each a port
        self,
        command: Sequence[str],
        secrets: Secrets,
        log: Log,
        *,
        flag: str = "--token-command",
        seconds: float = COMMAND_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        """``flag`` is how the command is called in a message: its arguments may hold a secret."""
        super().__init__(self.held, secrets, origin=flag)
        self._command = tuple(command)
        self._flag = flag
        self._seconds = seconds
        self._now = now
        self._last_good = LastGood(log, time.monotonic)
        self._lock = threading.Lock()
        self._token = Token("")
        self._ran_at = 0.0
        self._void = False  # the server refused it
        self._fresh = False  # no pass has begun with it

    def current(self) -> str:
        """The token for the next read. Raises UsageError where the command never printed one."""
        with self._lock:
            over = self._over_within(0.0) and self._now() - self._ran_at >= _AGAIN_SECONDS
            if not self._token.text or self._void or over:
                self._run()
            return self._token.text

    def held(self) -> str:
        """The token as it is: a write waits for no command."""
        return self._token.text

    def before_pass(self) -> None:
        """Run the command, unless its token lasts, or no pass has begun with it yet."""
        with self._lock:
            lasts = self._token.expires is not None and not self._over_within(_SOON_SECONDS)
            if self._void or not (lasts or self._fresh):
                self._run()
            self._fresh = False

    def refused(self, key: str) -> None:
        """Let the next read run the command; of several threads whose token was refused, only one does."""
        with self._lock:
            self._void = self._void or key == self._token.text

    def _over_within(self, seconds: float) -> bool:
        return self._token.expires is not None and self._token.expires - self._now() <= seconds

    def _run(self) -> None:
        self._ran_at, self._void = self._now(), False
        try:
            token = _printed_by(self._command, self._flag, self._seconds, self.secrets)
        except UsageError as error:
            if not self._token.text:  # at the start there is no other to go on with
                raise
            self._last_good.met(error)
        else:
            self._token, self._fresh = token, True
            self._last_good.mended(changed=False, command=self._flag)


def command_of(text: str) -> list[str]:
    """The words of a command, its program by its path. Raises UsageError where there is none."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"--token-command: {error}") from None
    program = shutil.which(words[0]) if words else None
    if program is None:
        raise UsageError(f"--token-command: {escaped(words[0]) if words else 'it'} is no program that can be found")
    return [os.path.abspath(program), *words[1:]]  # noqa: PTH100 - `resolve` would leave the links of a venv


def entra_command(scope: str) -> list[str]:
    """What prints a token of Microsoft Entra for this scope."""
    return [sys.executable, "-m", "reconciler.provider.entra", scope]


def _printed_by(command: Sequence[str], flag: str, seconds: float, secrets: Secrets) -> Token:
    """The token that it prints. Raises UsageError, with what it says on stderr, where it prints none."""
    out, err, fault = _output(command, seconds)
    printed = out.decode("utf-8", errors="replace")
    if not fault:
        try:
            token = token_of(printed)
        except ValueError as error:
            fault = f"it printed no token: {error}"
        else:
            secrets.add(token.text)
            return token
    said = scrub(
        err.decode("utf-8", errors="replace"), [*secrets, *(word for word in printed.split() if len(word) >= _SHORTEST)]
    )
    said = " ".join(without_keys(_JWT.sub("[redacted]", said)).split())
    raise UsageError(f"{flag}: {fault}{f'; it says: {escaped(said)}' if said else ''}")


def token_of(printed: str) -> Token:
    """The token in what was printed: plain text, or a JSON object that says its end. Raises ValueError for none."""
    try:
        answer = json.loads(printed)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, Mapping):
        text = next((value for name in _TOKENS if isinstance(value := answer.get(name), str)), "")
        expires = next(filter(None, (_moment(answer.get(name)) for name in _EXPIRIES)), None)
    else:
        text, expires = printed, None
    token = key_of(text)
    if not token:
        raise ValueError(f"there is no {' or '.join(_TOKENS)} in its JSON" if answer else "it printed nothing")
    return Token(token, expires)


def _moment(value: object) -> int | None:
    """A time in Unix seconds; a date without a zone is local time, as `az` writes it."""
    if isinstance(value, str) and "-" in value:
        with contextlib.suppress(ValueError, OverflowError):
            return int(datetime.fromisoformat(value).timestamp())
    return unix_seconds(value)


def _output(command: Sequence[str], seconds: float) -> tuple[bytes, bytes, str]:
    """What it wrote to stdout and stderr, and what went wrong. It has ended then, with all that it started."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # so that what it started ends with it, and asks nobody at the terminal
        )
    except OSError as error:
        return b"", b"", f"it cannot be run: {system_words(error)}"
    with process:
        fault = "it was interrupted"
        try:
            out, err, fault = _read(process, seconds)
        finally:
            if fault:
                _end(process)
    if not fault and process.returncode:
        fault = f"it ended with exit code {process.returncode}"
    return out, err, fault


def _read(process: "subprocess.Popen[bytes]", seconds: float) -> tuple[bytes, bytes, str]:
    """Both streams to their ends, within time and size; of stderr only the end is kept."""
    end = time.monotonic() + seconds
    late = f"it did not end within {seconds:g} s"
    out, err, fault = bytearray(), bytearray(), ""
    with selectors.DefaultSelector() as selector:
        selector.register(cast("IO[bytes]", process.stdout), selectors.EVENT_READ, out)
        selector.register(cast("IO[bytes]", process.stderr), selectors.EVENT_READ, err)
        while selector.get_map() and not fault:
            left = end - time.monotonic()
            ready = selector.select(left) if left > 0 else []
            for key, _ in ready:
                piece = os.read(key.fd, _OUTPUT_LIMIT)
                key.data.extend(piece)
                if not piece:
                    selector.unregister(key.fileobj)
            del err[:-_ERROR_LIMIT]
            if len(out) > _OUTPUT_LIMIT:
                fault = f"it printed more than {_OUTPUT_LIMIT} bytes, which is no token"
            elif not ready:
                fault = late
    if not fault:
        try:
            process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            fault = late
    return bytes(out), bytes(err), fault


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End its whole session. Nobody has waited for it yet, so no other process has its number."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
