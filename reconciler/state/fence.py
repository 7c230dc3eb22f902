"""Which file a journal is."""

import errno
from pathlib import Path


def file_of(path: Path) -> tuple[int, int] | None:
    """Which file stands there now: device and inode; None where there is none. Raises OSError where nobody can tell."""
    try:
        stat = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ESTALE:  # NFS: it was deleted on the server
            return None
        raise
    return stat.st_dev, stat.st_ino
