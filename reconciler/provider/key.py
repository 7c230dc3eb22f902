"""The API key, as people and platforms hand it over: an environment variable, or a file that is rotated.

`cli.wiring` makes the `Key`, `sender` asks it before each request; `token_command` and `header` hold theirs as one.
Quotes, line ends and byte order marks around a key are taken off. What cannot be a key is refused, with what it seems
to be. No message shows a key, or a path that may be one.
"""

import os
import re
import select
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from reconciler.core.placeholder import template_in
from reconciler.core.reminders import Reminders
from reconciler.errors import UsageError, escaped, system_words
from reconciler.log import Log

# A token signed with a long certificate chain has a tenth of this.
_LIMIT = 65_536
# Seconds that a command such as `pass show`, which may ask a person, has to write the key into a pipe.
_PIPE_SECONDS = 60.0

# What no eye sees at the ends of a copied value: Unicode's spaces, and characters without a width.
_AROUND = re.compile(r"^[\s\ufeff\u200b-\u200f\u2060]+|[\s\ufeff\u200b-\u200f\u2060]+$")
_QUOTES = ('"', "'")
_SCHEME = re.compile(r"^(?:authorization\s*:\s*)?bearer(?:\s+|$)", re.IGNORECASE)
_ASSIGNMENT = re.compile(r"(?:export\s+|set\s+)?\w*(?:KEY|TOKEN|SECRET)\s*(?:=\s*|:\s+)[^\s=]", re.IGNORECASE)
_PRINTED = re.compile(r"[\x21-\x7e]*")

# The names by which a shell hands over its own pipes; any other FIFO may have nobody at its other end.
_PIPE = re.compile(r"/dev/stdin|/dev/fd/\d+|/proc/(?:self|\d+)/fd/\d+")
_KEY_FOR_A_PATH = re.compile(r"sk-.*|[\w+=~.-]{32,}", re.DOTALL)


class Secrets:
    """Every key that this process ever held, the longest first; it only grows. Safe to use from several threads."""

    def __init__(self) -> None:
        self._held: tuple[str, ...] = ()
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def add(self, secret: str) -> None:
        """Remember one, before it is used anywhere."""
        with self._lock:
            self._held = tuple(sorted({*self._held, secret} - {""}, key=len, reverse=True))


class Key:
    """A key that stays as it is, read when it is asked for; "" is none. Safe to use from several threads."""

    token = False  # whether it is an OAuth token, which is always sent as Bearer

    def __init__(self, read: Callable[[], str], secrets: Secrets | None = None, *, origin: str = "") -> None:
        """``origin``: the variable, flag or file that a person gave it in, as a message may show it."""
        self.secrets = secrets or Secrets()
        self.origin = origin
        self._read = read

    def current(self) -> str:
        """The key for the next request. Raises UsageError where there is nothing that can be one."""
        key = self._read()
        self.secrets.add(key)
        return key

    def held(self) -> str:
        """The key for a write, without anything that takes time."""
        return self.current()

    def before_pass(self) -> None:
        """Make sure that the key lasts for a while, before a pass sends anything."""

    def refused(self, key: str) -> None:
        """The server refused this key (401): use another from now on, if there is one."""
        del key

    def renewed(self, refused: str) -> str:
        """The key after the server refused that one, for the same read once more."""
        self.refused(refused)
        return self.current()


class LastGood:
    """Logs that a key cannot be had anew and the one before is used: at once, and again as long as that lasts."""

    def __init__(self, log: Log, now: Callable[[], float]) -> None:
        self._log = log
        self._now = now
        self._troubles = Reminders()

    def met(self, error: UsageError) -> None:
        """It could not be had again."""
        self._troubles = troubles = self._troubles.met({"key": str(error)}, self._now())
        if troubles.said:
            facts = troubles.facts("key")
            self._log.warning("key.unreadable", error=f"{error}; the key that was read before is used", **facts)

    def mended(self, *, changed: bool, **facts: str) -> None:
        """It could."""
        self._troubles = troubles = self._troubles.met({}, self._now())
        if changed:
            self._log.info("key.changed", **facts)
        elif troubles.over:
            self._log.info("key.readable", **facts, **troubles.facts("key"))


class KeyFile(Key):
    """A key in a file, which is read again when the file changes, and after a 401.

    Whoever rotates it may remove, empty or half write it for a moment: the last good key stays meanwhile, which is
    logged, and again as long as it lasts. A pipe is read once. ``flag`` is the one that names the file.
    """

    def __init__(
        self,
        path: Path,
        secrets: Secrets,
        log: Log,
        now: Callable[[], float] = time.monotonic,
        flag: "FileFlag | None" = None,
    ) -> None:
        self._path = path
        self._flag = flag or API_KEY_FILE
        super().__init__(lambda: self._key, secrets, origin=_named(path, self._flag))
        self._last_good = LastGood(log, now)
        self._lock = threading.Lock()
        self._key = ""
        self._stamp: _Stamp | None = None

    def current(self) -> str:
        """The key for the next request; the file is looked at. Raises UsageError where it never held one."""
        with self._lock:
            if not self._key:  # at the start there is no other to go on with
                self._take(read_key(self._path, self._flag))
            elif self._stamp is not None and self._stamp != _stamp_at(self._path):
                self._read_again()
            return self._key

    def refused(self, key: str) -> None:
        """Read anew, as not every file system shows a change at once."""
        del key
        with self._lock:
            if self._stamp is not None:
                self._read_again()

    def renewed(self, refused: str) -> str:
        """What was read anew."""
        self.refused(refused)
        return self._key

    def _read_again(self) -> None:
        before = self._key
        try:
            self._take(read_key(self._path, self._flag))
        except UsageError as error:
            self._last_good.met(error)
        else:
            self._last_good.mended(changed=self._key != before, file=escaped(str(self._path)))

    def _take(self, found: "_Found") -> None:
        for secret in self._flag.secrets(found.key):
            self.secrets.add(secret)
        self._key, self._stamp = found


class _Stamp(NamedTuple):
    """What tells that a file is another, or has another content."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int


class _Found(NamedTuple):
    """A key, and the file it was in; None where it came out of a pipe, which gives it once."""

    key: str
    stamp: _Stamp | None


def _stamp_of(status: os.stat_result) -> _Stamp | None:
    """None of what is no regular file."""
    if not stat.S_ISREG(status.st_mode):
        return None
    return _Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _stamp_at(path: Path) -> _Stamp | None:
    """None also where nothing can be seen of the file: reading it says why."""
    try:
        return _stamp_of(path.stat())
    except OSError:
        return None


def bare(value: str) -> str:
    """A value without the white space and the one pair of quotes around it, which dotenv files and secrets keep."""
    text = _AROUND.sub("", value)
    if len(text) > 1 and text[0] == text[-1] and text[0] in _QUOTES:
        text = _AROUND.sub("", text[1:-1])
    return text


def key_of(value: str) -> str:
    """The key that a text stands for; "" where it holds none.

    Raises:
        ValueError: it cannot be a key; the message says what it seems to be, and does not show it.
    """
    text = bare(_SCHEME.sub("", bare(value), count=1))
    lines = len(text.splitlines())
    faults = (
        (_ASSIGNMENT.match(text), "it seems to be an assignment, NAME=KEY: give the key alone"),
        (text and template_in(text) == text, "it is a template that was not filled in"),
        (text.startswith(("{", "[")), "it seems to be JSON: give the key alone"),
        (lines > 1, f"it holds {lines} lines, and a key is one"),
        (text.startswith(_QUOTES) or text.endswith(_QUOTES), "a quotation mark stands at one end of the key"),
        (not _PRINTED.fullmatch(text), "the key holds a space or a character that no HTTP header may hold"),
    )
    for found, fault in faults:
        if found:
            raise ValueError(fault)
    return text


# The variable that holds the key where no file does.
VARIABLE = "OPENAI_API_KEY"


def key_of_environment(environment: Mapping[str, str]) -> str:
    """The key where no file holds it; "" where there is none. Raises UsageError where it cannot be one."""
    try:
        return key_of(environment.get(VARIABLE, ""))
    except ValueError as error:
        raise UsageError(f"{VARIABLE}: {error}") from error


class FileFlag(NamedTuple):
    """A flag that names a file with a secret in it.

    ``what`` the file holds is a word for a message; ``read`` makes the value of its text, ``secrets`` says what of the
    value is secret, ``otherwise`` what to do with a value that was given in the place of a file's name.
    """

    name: str
    what: str
    read: Callable[[str], str]
    secrets: Callable[[str], tuple[str, ...]]
    otherwise: str


API_KEY_FILE = FileFlag(
    "--api-key-file", "key", key_of, lambda key: (key,), "takes a file's name (a key itself goes into OPENAI_API_KEY)"
)


def read_key(path: Path, flag: FileFlag = API_KEY_FILE, *, patience: float = _PIPE_SECONDS) -> _Found:
    """The key in a file, or in a pipe of the shell's (`/dev/stdin`, `<(command)`) that ends within ``patience`` s.

    Raises:
        UsageError: there is none that can be read.
    """
    try:
        with _opened(path) as descriptor:
            # Taken before the content: a change while it is read shows in the next stamp.
            stamp = _stamp_of(os.fstat(descriptor))
            key = flag.read(_decoded(_content(descriptor, path, patience)))
    except (OSError, ValueError) as error:
        why = system_words(error)
        raise UsageError(f"{_shown(path, flag)}: {why}") from None  # a decoder's error holds what it could not decode
    if not key:
        raise UsageError(f"{_shown(path, flag)}: it holds no {flag.what}")
    return _Found(key, stamp)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _content(descriptor: int, path: Path, patience: float) -> bytes:
    """What an open file holds. Raises ValueError where it is of another kind, too long, or does not end."""
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        raise ValueError("it is a directory")
    if not stat.S_ISREG(mode) and not (stat.S_ISFIFO(mode) and _PIPE.fullmatch(str(path))):
        raise ValueError("it is no regular file; name one, or let the shell make a pipe: <(command)")
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    content, end = b"", time.monotonic() + patience
    while len(content) <= _LIMIT:
        if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
            raise ValueError(f"the pipe did not end within {patience:g} s")
        piece = os.read(descriptor, _LIMIT + 1)
        if not piece:
            return content
        content += piece
    raise ValueError(f"it holds more than {_LIMIT} bytes, which is no key")


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError("it is UTF-16 (as PowerShell's > writes it): save it as UTF-8")
    if b"\0" in content:
        raise ValueError("it is UTF-16 or no text: save it as UTF-8")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None


def _shown(path: Path, flag: FileFlag) -> str:
    """The flag and its path, for an error; a path that may be the key itself is left out, and what to do is said."""
    named = _named(path, flag)
    return f"{named} {flag.otherwise}" if named == flag.name else named


def _named(path: Path, flag: FileFlag) -> str:
    """The flag and its path; the flag alone where the path may be the key itself."""
    return flag.name if _KEY_FOR_A_PATH.fullmatch(str(path)) else f"{flag.name} {escaped(str(path))}"
