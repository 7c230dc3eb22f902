"""Files under one directory: found, opened and read without ever leaving it or blocking.

Manifests, ignore files and training files are opened here alone. A link counts as what it leads to, and must lead to
a regular file under the fleet directory; a FIFO or a device is refused, and never waited for.
"""

import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from reconciler.errors import escaped

# The API takes files of at most 512 MB.
TRAINING_LIMIT = 512 * 1000 * 1000
_LINE_LIMIT = 64 * 1024 * 1024


class Unfit(Exception):
    """A file that cannot be used, and why; its message completes ``PATH: …``."""


class TooLong(Unfit):
    """It is longer than what is asked for can be."""


class Absent(Unfit):
    """There is none."""


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


def open_regular(path: Path, real_root: Path) -> BinaryIO:
    """Open a file that resolves, links included, to a regular one under ``real_root``.

    Raises:
        Unfit: it does not, or cannot be read.
    """
    try:
        resolved = path.resolve(strict=True)
        if not resolved.is_relative_to(real_root):
            raise Unfit("leads outside the fleet directory")
        # Not blocking: opening a FIFO would otherwise wait for its writer.
        handle = os.open(resolved, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise Absent("no such file") from error
    except (OSError, RuntimeError, ValueError) as error:
        raise Unfit(f"cannot be read ({escaped(getattr(error, 'strerror', None) or str(error))})") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        directory = stat.S_ISDIR(os.fstat(handle).st_mode)
        os.close(handle)
        raise Unfit("a directory, not a file" if directory else "not a regular file")
    return os.fdopen(handle, "rb")


def read_bounded(path: Path, real_root: Path, limit: int) -> bytes:
    """The bytes of a regular file under ``real_root``. Raises Unfit as `open_regular` does, or where it is longer."""
    with open_regular(path, real_root) as file:
        try:
            content = file.read(limit + 1)
        except OSError as error:
            raise Unfit(f"cannot be read ({error.strerror})") from error
    if len(content) > limit:
        raise TooLong(f"longer than {limit} bytes")
    return content


def training_lines(path: Path, real_root: Path) -> Iterator[bytes]:
    """A training file line by line, CRLF read as LF. Raises Unfit where it cannot be read or is too long."""
    size = 0
    with open_regular(path, real_root) as file:
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
                raise Unfit(f"longer than {TRAINING_LIMIT} bytes, the most that the API takes")
            yield line[:-2] + b"\n" if line.endswith(b"\r\n") else line


def digest_of(lines: Iterator[bytes]) -> tuple[str, int]:
    """SHA-256 in hex, and the size in bytes."""
    digest, size = hashlib.sha256(), 0
    for line in lines:
        digest.update(line)
        size += len(line)
    return digest.hexdigest(), size
