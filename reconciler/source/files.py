"""Files under the fleet directory: found, opened and read without ever leaving it or blocking.

Manifests, ignore files and training files are opened here alone. A link counts as what it leads to, and must lead to
a regular file there, or under the directory that the operator names beside it (--files-root); a FIFO or a device is
refused, and never waited for.
"""

import hashlib
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from io import BufferedReader, FileIO
from pathlib import Path

from msgspec import Struct, field

from reconciler.errors import escaped

# The API takes files of at most 512 MB.
TRAINING_LIMIT = 512 * 1000 * 1000
_LINE_LIMIT = 64 * 1024 * 1024
_CHUNK = 1024 * 1024
_TOO_LONG = f"longer than {TRAINING_LIMIT} bytes, the most that the API takes"


class Unfit(Exception):
    """A file that cannot be used, and why; its message completes ``PATH: …``."""


class TooLong(Unfit):
    """It is longer than what is asked for can be."""


class Absent(Unfit):
    """There is none."""


class Outside(Unfit):
    """It does not stand below the directory that it has to stand in."""


def is_unicode(text: str) -> bool:
    """Whether it can be written: no half of a surrogate pair, as an escape or an odd file name may leave one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def unnamed() -> Unfit:
    """A name that is no text: the fault of the name, or of a locale that knows fewer characters than it has."""
    encoding = sys.getfilesystemencoding()
    if encoding == "utf-8":
        return Unfit("its name is not UTF-8")
    return Unfit(f"its name cannot be written in this locale, whose encoding is {encoding}; set LC_ALL=C.UTF-8")


def real_path(path: Path) -> Path:
    """Where it really stands; the path itself where its links go in a circle, as whoever reads there will find."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path


class Below(Struct):
    """A fleet directory, where it really stands, as far as one reading opens files below it.

    Where a directory below really stands is asked once: thousands of files stand in a few.
    """

    root: Path
    also: str = ""  # data may stand below this directory, too: the operator says so
    _real: dict[str, str] = field(default_factory=dict)
    _prefix: str = ""

    def __post_init__(self) -> None:
        self._prefix = os.path.join(self.root, "")  # noqa: PTH118 - with a slash at its end

    @classmethod
    def of(cls, root: Path, files_root: Path | None = None) -> "Below":
        """Below ``root``, be it a link or not, and below ``files_root``."""
        return cls(real_path(root), os.path.join(real_path(files_root), "") if files_root else "")  # noqa: PTH118

    def place(self, path: str) -> str:
        """Where a file stands of which `relative` said ``path``."""
        return os.path.join(self.root, path)  # noqa: PTH118 - text is four times as fast

    def resolve(self, path: str) -> str:
        """Where a file really stands, links included. Raises OSError where nothing stands there."""
        found = self.in_real_directory(path)
        return os.path.realpath(found, strict=True) if stat.S_ISLNK(os.lstat(found).st_mode) else found

    def in_real_directory(self, path: str) -> str:
        """The same, but for a link that stands there itself. Raises OSError where its directory is none."""
        cut = path.rfind("/") + 1
        directory, name = path[:cut], path[cut:]
        if name in {"", ".", ".."}:
            return os.path.realpath(path, strict=True)
        if directory not in self._real:
            self._real[directory] = os.path.join(os.path.realpath(directory, strict=True), "")  # noqa: PTH118
        return self._real[directory] + name

    def holds(self, real: str) -> bool:
        """Whether a real path leads there."""
        return real.startswith(self._prefix) or real == str(self.root) or bool(self.also and real.startswith(self.also))

    def relative(self, real: str) -> str:
        """A real path below it, as seen from there; one below the other directory as it is."""
        return real.removeprefix(self._prefix)


def open_regular(path: str, below: Below) -> FileIO:
    """Open a file that resolves, links included, to a regular one below the fleet directory.

    Raises:
        Unfit: it does not, or cannot be read.
    """
    return FileIO(_opened(path, below)[0], "rb")


def _opened(path: str, below: Below) -> tuple[int, int]:
    """The descriptor of such a file, and its size in bytes. Raises Unfit as `open_regular` does."""
    try:
        try:
            handle = _open(below.in_real_directory(path), below)
        except OSError:  # a link, which is not followed blindly; or what is wrong is said now
            handle = _open(below.resolve(path), below)
    except FileNotFoundError as error:
        raise Absent("no such file") from error
    except (OSError, ValueError) as error:
        raise Unfit(f"cannot be read ({escaped(getattr(error, 'strerror', None) or str(error))})") from error
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise Unfit("a directory, not a file" if stat.S_ISDIR(found.st_mode) else "not a regular file")
    return handle, found.st_size


def _open(real: str, below: Below) -> int:
    if not below.holds(real):
        raise Outside("leads outside the fleet directory")
    # Not blocking: opening a FIFO would otherwise wait for its writer.
    return os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)


def read_bounded(path: str, below: Below, limit: int) -> bytes:
    """The bytes of a regular file below it. Raises Unfit as `open_regular` does, or where it is longer."""
    handle, size = _opened(path, below)
    try:
        content = os.read(handle, min(limit, size) + 1)
        # One byte more than its size was asked for: where exactly its size came, that was the end.
        while len(content) != size and len(content) <= limit and (more := os.read(handle, limit + 1 - len(content))):
            content += more
    except OSError as error:
        raise Unfit(f"cannot be read ({error.strerror})") from error
    finally:
        os.close(handle)
    if len(content) > limit:
        raise TooLong(f"longer than {limit} bytes")
    return content


def _piece(file: FileIO) -> bytes:
    """The next megabyte, or what is left."""
    piece = b""
    try:
        while len(piece) < _CHUNK and (more := file.read(_CHUNK - len(piece))):
            piece += more
    except OSError as error:
        raise Unfit(f"cannot be read ({error.strerror})") from error
    return piece


def training_lines(path: str, below: Below) -> Iterator[bytes]:
    """A training file line by line, CRLF read as LF. Raises Unfit where it cannot be read or is too long."""
    size = 0
    with BufferedReader(open_regular(path, below)) as file:
        while True:
            try:
                line = file.readline(_LINE_LIMIT + 1)
            except OSError as error:
                raise Unfit(f"cannot be read ({error.strerror})") from error
            if not line:
                return
            size += len(line)
            if len(line) > _LINE_LIMIT:
                raise Unfit(f"a line longer than {_LINE_LIMIT} bytes")
            if size > TRAINING_LIMIT:
                raise Unfit(_TOO_LONG)
            yield line[:-2] + b"\n" if line.endswith(b"\r\n") else line


def hashed(lines: Iterable[bytes], digest: "hashlib._Hash") -> Iterator[bytes]:
    """The same lines; the digest has each of them once it has gone by."""
    for line in lines:
        digest.update(line)
        yield line


def training_digest(path: str, below: Below) -> tuple[str, int]:
    """A training file's SHA-256 in hex and size in bytes, CRLF read as LF.

    Raises Unfit where it cannot be read or is too long.
    """
    return digest_of(training_pieces(path, below))


def training_pieces(path: str, below: Below) -> Iterator[bytes]:
    """The bytes of a training file, CRLF read as LF, at least one piece; none is longer than a megabyte and a byte.

    Raises Unfit where it cannot be read or is too long.
    """
    given, held = 0, b""
    with open_regular(path, below) as file:
        ended = False
        while not ended:
            chunk = _piece(file)
            ended, given, text = len(chunk) < _CHUNK, given + len(chunk), held + chunk
            if given > TRAINING_LIMIT:
                raise Unfit(_TOO_LONG)
            # What follows a CR at the end may be its LF.
            held = b"\r" if text.endswith(b"\r") and not ended else b""
            if b"\r" in text:
                text = text.removesuffix(held).replace(b"\r\n", b"\n")
            yield text


def digest_of(pieces: Iterator[bytes]) -> tuple[str, int]:
    """SHA-256 in hex, and the size in bytes."""
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size
