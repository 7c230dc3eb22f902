"""Whether a directory is as it was when it was surveyed, by its names and by `stat` alone: no file is opened.

`reader` asks before it serves what it read last. Directories are listed again, since not every file system gives one
another time when something in it changes.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from reconciler.core.snapshot import Snapshot
from reconciler.source.files import Unfit, real_path
from reconciler.source.tree import Surveyed, is_state, left_out_by_git, survey

# Of each file: inode, size, and the times of the last change of its content and of the file, in nanoseconds; zeros
# where there is none. All in one list: of tens of thousands of small tuples the garbage collector takes notice.
_OF_EACH = 4
_NOTHING = (0,) * _OF_EACH


class Stamp(Struct, frozen=True):
    """What a sweep found; two are equal where another survey, and another reading, would find the same."""

    real: Path
    names: tuple[list[str] | None, ...]
    times: list[int]
    states: tuple[bool, ...]
    git: dict[str, str]

    @property
    def newest(self) -> float:
        """When the last of the files changed, in Unix seconds."""
        return max(self.times[_OF_EACH - 1 :: _OF_EACH], default=0) / 1e9


class Sweep(Struct, frozen=True):
    """What a survey of ``root``, and the reading after it, depended on.

    ``paths`` are all that `stat` tells of, from the root on where they stand below it.
    """

    root: Path
    seen: Surveyed
    paths: tuple[str, ...]

    def stamp(self) -> Stamp:
        """How all of it is now."""
        real = real_path(self.root)
        return Stamp(
            real,
            tuple(_names(directory) for directory in self.seen.directories),
            _times(real, self.paths),
            tuple(map(is_state, self.seen.states)),
            left_out_by_git(real, self.seen),
        )


def sweep_of(snapshot: Snapshot) -> Sweep:
    """The sweep that tells whether this reading would be made again."""
    root = snapshot.root
    real, tree = real_path(root), survey(root, snapshot.own)
    paths = [real / name if isinstance(found, Unfit) else found for name, found in tree.files]
    paths += [real / name for name, _ in tree.gaps]
    paths += [*tree.seen.links, *tree.seen.rules]
    training = {file.path for desired in snapshot.desired.values() for file in desired.local_files}
    paths += [real / path for path in sorted(training)]
    below = f"{real}{os.sep}"
    return Sweep(root, tree.seen, tuple(str(path).removeprefix(below) for path in paths))


def _names(directory: Path) -> list[str] | None:
    """What a directory holds, each name with a mark of its kind; None where nobody can tell."""
    try:
        with os.scandir(directory) as scan:
            # Nearly all are files, and a call for each of them would be felt.
            return sorted([entry.name if entry.is_file(follow_symlinks=False) else _marked(entry) for entry in scan])
    except OSError:
        return None


def _marked(entry: os.DirEntry[str]) -> str:
    """The name of what is no regular file; no name holds a slash."""
    if entry.is_dir(follow_symlinks=False):
        return f"{entry.name}/"
    return f"{entry.name}//{'link' if entry.is_symlink() else ''}"


def _times(root: Path, paths: Iterable[str]) -> list[int]:
    """The times of each path; none where the root cannot be read. The root is opened once, not for each path."""
    try:
        place = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return []
    try:
        return _times_from(place, paths)
    finally:
        os.close(place)


def _times_from(place: int, paths: Iterable[str]) -> list[int]:
    times: list[int] = []
    for path in paths:
        try:
            found = os.stat(path, dir_fd=place)  # a link counts as what it leads to
        except OSError:
            times += _NOTHING
        else:
            times += (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return times
