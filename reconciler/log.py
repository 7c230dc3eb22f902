"""Structured logs on stderr: one JSON object a line, or readable lines at a terminal.

The commands that talk to a provider call `configure`: `cli.wiring` for each opening of a fleet and for a key file,
`cli.running` for the daemon's own lines. A command that speaks to a person instead has a `Narrator`, which needs no
structlog (70 ms to import). Event names are constant and dotted; facts are keys. Every line passes
`redact`, so that a key gets into no log whatever a server echoes.
"""

import contextlib
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from shutil import get_terminal_size
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Protocol, Self, TextIO

from reconciler.errors import printable, scrub

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger


# Of what does not fit on the line that it belongs to.
_INDENT = "    "


class Log(Protocol):
    """Where events go: structlog's logger, or a `Narrator`."""

    def bind(self, **facts: Any) -> Self:
        """The same, with facts that every event of it has."""
        ...

    def debug(self, event: str, **facts: Any) -> Any:
        """What merely repeats itself."""
        ...

    def info(self, event: str, **facts: Any) -> Any:
        """What happened."""
        ...

    def warning(self, event: str, **facts: Any) -> Any:
        """What somebody may have to see to."""
        ...

    def error(self, event: str, **facts: Any) -> Any:
        """What ended something."""
        ...


def configure(*, form: str, secrets: Iterable[str], verbose: bool = False, stream: TextIO | None = None) -> Log:
    """A logger. ``form`` is ``json``, ``text`` or ``auto`` (text at a terminal); ``stream`` None is stderr.

    ``secrets`` may grow: they are gone through for each line.
    """
    # Imported here: only who logs pays for it.
    import structlog  # noqa: PLC0415

    out = stream or sys.stderr
    readable = form == "text" or (form == "auto" and out.isatty())
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, pad_level=False)
        if readable
        else structlog.processors.JSONRenderer(ensure_ascii=True)
    )
    stamp = structlog.processors.TimeStamper(fmt="%H:%M:%S" if readable else "iso", utc=not readable)
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        stamp,
        structlog.processors.format_exc_info,  # before the redaction: a traceback is text like any other
        redact(secrets),
        _printable if readable else _leading,
        renderer,
    ]
    printed = SteadyStream(out).printed
    on_screen = readable and out.isatty()
    logger: Log = structlog.wrap_logger(
        _Sayer((lambda line: printed(_fitted(line, get_terminal_size().columns))) if on_screen else printed),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger("debug" if verbose else "info"),
    )
    return logger


class _Sayer:
    """What structlog calls with a line that is ready."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.debug = self.info = self.warning = self.error = self.msg = say


def _fitted(line: str, columns: int) -> str:
    """Broken at words, where a terminal of so many columns would break it within one; nothing is cut."""
    parts = (
        wrap(one, columns, subsequent_indent=_INDENT, break_long_words=False, break_on_hyphens=False) or [one]
        for one in line.split("\n")
    )
    return "\n".join(part for found in parts for part in found)


class Narrator:
    """A log for a person: each event as the ``sentence`` that it is worth, if it is worth any."""

    def __init__(
        self,
        say: Callable[[str], None],
        sentence: Callable[[Mapping[str, object]], str | None],
        secrets: Iterable[str],
        facts: Mapping[str, object] | None = None,
    ) -> None:
        self._say = say
        self._sentence = sentence
        self._secrets = secrets
        self._facts = facts or {}

    def bind(self, **facts: object) -> "Narrator":
        """The same, with facts that every event of it has."""
        return Narrator(self._say, self._sentence, self._secrets, {**self._facts, **facts})

    def debug(self, event: str, **facts: object) -> None:
        """Not said to a person."""

    def info(self, event: str, **facts: object) -> None:
        """Said where it is worth a sentence."""
        line = self._sentence(_redacted({**self._facts, **facts, "event": event}, self._secrets))
        if line is not None:
            self._say(line)

    warning = error = info


class SteadyStream:
    """A stream whose reader may go away and whose disk may fill: a line is lost then, and nothing else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:
        """As the stream's own."""
        return self._stream.encoding

    def printed(self, line: str) -> None:
        """Write a line, at once."""
        self.write(f"{line}\n")
        self.flush()

    def write(self, text: str) -> None:
        """Write it if that is possible."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        """Push it out if that is possible."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def _leading(_logger: "WrappedLogger", _method: str, event: "EventDict") -> "EventDict":
    """When, how bad, what: first in every line."""
    first = {key: event[key] for key in ("timestamp", "level", "event") if key in event}
    return {**first, **event}


def _printable(_logger: "WrappedLogger", _method: str, event: "EventDict") -> "EventDict":
    """Escape what a server said and a terminal could obey; JSON does so by itself.

    Without what every line of a terminal session shares: the fleet stands in the first line of the output.
    """
    return {
        key: "\n".join(printable(line) for line in value.split("\n")) if isinstance(value, str) else value
        for key, value in event.items()
        if key not in {"fleet", "pass_id"}
    }


def redact(secrets: Iterable[str]) -> "Processor":
    """A processor that removes every secret from every value of a line, however deep."""

    def process(_logger: "WrappedLogger", _method: str, event: "EventDict") -> "EventDict":
        return _redacted(event, secrets)

    return process


def _redacted(event: Mapping[str, object], secrets: Iterable[str]) -> dict[str, object]:
    hidden = sorted(secrets, key=len, reverse=True)
    return {str(_without(hidden, key)): _without(hidden, value) for key, value in event.items()}


def _without(secrets: Sequence[str], value: object) -> object:
    if isinstance(value, str):
        return scrub(value, secrets)
    if isinstance(value, MutableMapping):
        return {_without(secrets, key): _without(secrets, item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_without(secrets, item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return scrub(str(value), secrets)
