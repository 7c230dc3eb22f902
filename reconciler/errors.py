"""Every deliberate exception, split by what the reader does next.

    ReconcilerError                  exit 1
    ├── UsageError                   call it differently                  exit 64
    ├── SourceError                  fix the files it names               exit 1
    ├── ProviderError                what a server answered, or did not
    │   ├── NotSent                  nothing left this machine: try again
    │   │   └── Untrusted            ... once something there or here is changed
    │   ├── Refused                  the server said no: nothing was created
    │   │   └── RateLimited          ... and when it may be asked again
    │   ├── OutcomeUnknown           it may have happened: look before doing anything
    │   └── Unreadable               an answer that cannot be true: no listing, no writes
    │       └── NoData               ... or an empty listing, where nothing is known that ought to be in it
    ├── JournalError                 the memory cannot be trusted: ask a human
    │   ├── Locked                   another process holds it: wait
    │   └── StateReplaced            the state directory is another one now: open it again
    ├── GateRefused                  read the numbers, then approve or change   exit 3
    ├── Declined                     a person was asked and said no: nothing
    ├── StalePlan                    the world moved on: plan again       exit 4
    └── Stopped                      the daemon was asked to stop         exit 0

`cli` turns the ``exit_code`` of what nobody caught into the process's. A library's own
exceptions never pass the module that owns it. Beside them stands what makes another's text fit for a message.
"""

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Long enough for any honest message, short enough for a log line and a terminal.
FOREIGN_TEXT_LIMIT = 256

# Shorter than any real key; replacing shorter ones would shred the text around them.
_SECRET_MIN = 6

# What PyYAML lets escape beside its own errors, on some malformed text.
YAML_ESCAPES = (ValueError, LookupError, AttributeError, RecursionError)


def printable(text: str) -> str:
    """Text of our own that may hold another's: what could steer a terminal is escaped, nothing is cut."""
    return text if text.isprintable() else "".join(ch if ch.isprintable() else f"\\x{ord(ch):02x}" for ch in text)


def escaped(text: str) -> str:
    """Text that a server or a file chose: control characters escaped, cut at 256 characters."""
    shown = printable(text[: FOREIGN_TEXT_LIMIT + 1])
    return shown if len(shown) <= FOREIGN_TEXT_LIMIT else shown[: FOREIGN_TEXT_LIMIT - 1] + "…"


def plural(count: int, noun: str) -> str:
    """``1 job``, ``2 jobs``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def system_words(error: BaseException) -> str:
    """What the operating system says, in a sentence's middle: neither its number nor a capital."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    text = text.partition("] ")[2] if text.startswith("[Errno ") else text
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def scrub(text: str, secrets: "Iterable[str]") -> str:
    """``text`` without any of ``secrets``, but for those that are too short to be one."""
    for secret in secrets:
        if len(secret) >= _SECRET_MIN:
            text = text.replace(secret, "[redacted]")
    return text


class ReconcilerError(Exception):
    """The root: anything the program itself decided to raise."""

    exit_code: ClassVar[int] = 1


class UsageError(ReconcilerError):
    """The command line or the environment asks for something that cannot be done."""

    exit_code = 64


class SourceError(ReconcilerError):
    """The manifests or training files are wrong.

    Attributes:
        problems: one line for each error, as a person reads them.
        details: the same errors for programs, each ``{path, line, column, field, message}``; none where no manifest
            holds the error.
    """

    def __init__(self, problems: "Sequence[str]", details: "Iterable[Mapping[str, object]]" = ()) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)
        self.details = tuple(details)


class ProviderError(ReconcilerError):
    """What came of a request.

    Attributes:
        status: the HTTP status, or None where there was no readable answer.
        code: the error's code as the server gave it ("" where it gave none).
        request_id: the server's own name for the request ("" where it gave none).
        retry_after: the wait that the server asked for, in seconds, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str = "",
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after


class NotSent(ProviderError):
    """No connection could be made: the server has seen nothing."""


class Untrusted(NotSent):
    """The TLS handshake failed in a way that no further try cures: a certificate, or no TLS at all."""


class Refused(ProviderError):
    """The server read the request and said no: nothing was created.

    A write is refused by 400, 401, 403, 404, 413 and 422, a read by any 4xx but 408, 409 and 425.
    """


class RateLimited(Refused):
    """429: not now, or not until somebody pays (`provider.is_lasting`)."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, status=429, code=code, request_id=request_id, retry_after=retry_after)


class OutcomeUnknown(ProviderError):
    """No answer to a write, one that cannot be read, or one that is no refusal: it may have taken effect."""


class Unreadable(ProviderError):
    """An answer to a read that cannot be true or cannot be read: treated as no answer at all."""


class NoData(Unreadable):
    """A listing of jobs whose `data` is null or left out: empty, if nothing is known that ought to be in it."""


class JournalError(ReconcilerError):
    """The journal is corrupt, of another version, or cannot be written: no write may follow."""


class Locked(JournalError):
    """Another process works on this state directory."""


class StateReplaced(JournalError):
    """The journal's file is not the one that was opened: the state directory was swapped, deleted or restored."""


class GateRefused(ReconcilerError):
    """A gate refused part of the plan."""

    exit_code = 3


class Declined(ReconcilerError):
    """A person was asked and said no. That is an answer, not an error, but what was asked for was not done."""


class StalePlan(ReconcilerError):
    """The plan that was approved is not the plan that would run now."""

    exit_code = 4


class Stopped(ReconcilerError):
    """A wait ended because the daemon was asked to stop."""

    exit_code = 0
