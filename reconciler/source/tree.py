"""What stands under a fleet directory: its manifests, and the places that prove nothing by being empty.

`directory`, `fingerprint` and `reader` call `survey` for each look; `leftovers` asks for the `others`.
A name can vanish from a reading although nobody deleted it: a mount that went away and a submodule that was
not cloned leave an empty directory, a link leads nowhere, git leaves files out. Such a place is a *gap*: it is
no error, and it is no evidence of a removal either. Nothing in here reads a manifest.
"""

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct, field

from reconciler.source.files import Below, Unfit, is_unicode, read_bounded, real_path, unnamed

MANIFEST_SUFFIXES = (".yaml", ".yml")
JSON_SUFFIX = ".json"
IGNORE_FILE = ".reconcilerignore"

_KUSTOMIZATIONS = frozenset({"kustomization.yaml", "kustomization.yml", "kustomization"})
# A file system's own, at the root of a volume; only root may look into it.
_OF_THE_FILE_SYSTEM = frozenset({"lost+found"})
_VERSION_CONTROL = frozenset({".git", ".hg", ".svn"})
# What a state directory holds from its first use on: the journal, or the lock that is taken before it is made.
_OF_STATE = frozenset({"journal.sqlite3", "pass.lock", "run.lock"})

_DEPTH_LIMIT = 50
_IGNORE_BYTES = 1024 * 1024

_SUBMODULE_PATH = re.compile(r"^\s*path\s*=\s*(.+?)\s*$", re.MULTILINE)
_SPARSE = re.compile(r"^\s*sparsecheckout\s*(?:=\s*(?:true|yes|on|1)\s*)?$", re.MULTILINE | re.IGNORECASE)

_WAY_ON = f"if it is meant to be so, delete it or name it in {IGNORE_FILE}"
_EMPTY = (
    "an empty directory, hidden names aside: a mount that is gone and a submodule that was not cloned look like this; "
    + _WAY_ON
)
_NOWHERE = f"a link that leads nowhere; {_WAY_ON}"
_OUTSIDE = f"a link to a directory outside the fleet directory, where nothing is read; {_WAY_ON}"
_SUBMODULE = "a submodule that was not cloned (.gitmodules names it): run `git submodule update --init`"
_SPARSELY = "a sparse checkout, from which git leaves files out: run `git sparse-checkout disable`"


class Surveyed(Struct):
    """What a survey has looked at beside the manifests, for whoever asks whether another would find the same.

    ``directories`` were walked, ``states`` left out as state directories; ``links`` and ``rules`` (ignore files) may
    lead elsewhere, or say something else. ``with_submodules`` are directories with a `.gitmodules`, ``ignored`` paths
    that an ignore file names.
    """

    directories: list[Path] = field(default_factory=list)
    states: list[Path] = field(default_factory=list)
    links: list[Path] = field(default_factory=list)
    rules: list[Path] = field(default_factory=list)
    with_submodules: list[Path] = field(default_factory=list)
    ignored: set[str] = field(default_factory=set)


class Tree(Struct):
    """One look at a directory; paths are relative to it and sorted.

    ``files`` are manifests, and JSON files that may be some; or why one cannot be read. ``gaps`` are places whose
    emptiness proves nothing, each with a sentence that says why and how to go on. ``seen`` is what it depends on.
    """

    files: list[tuple[str, str | Unfit]] = field(default_factory=list)
    gaps: list[tuple[str, str]] = field(default_factory=list)
    seen: Surveyed = field(default_factory=Surveyed)


def survey(root: Path, own: frozenset[Path] = frozenset()) -> Tree:
    """Look at everything under ``root`` but hidden and ignored names, and this program's ``own`` directories."""
    real = real_path(root)
    walk = _Walk(real, frozenset(real_path(path) for path in own), _outputs())
    walk.directory(real, "", ())
    walk.tree.gaps = sorted({**dict(walk.tree.gaps), **left_out_by_git(real, walk.tree.seen)}.items())
    return walk.tree


def left_out_by_git(real: Path, seen: Surveyed) -> dict[str, str]:
    """The gaps that git makes, where the directory is, or holds, a work tree of its."""
    found: dict[str, str] = {}
    try:
        repository = _repository(real)
        for directory in dict.fromkeys([*repository, *seen.with_submodules]):
            found |= _submodule_gaps(directory, real, ignored=seen.ignored)
        if any(map(_is_sparse, repository)):
            found["."] = _SPARSELY
    except OSError as error:
        found["."] = f"nobody can tell what git left out: {error.filename} cannot be read ({error.strerror})"
    return found


def others(root: Path, read: frozenset[str]) -> Iterator[tuple[str, Path]]:
    """Every regular file under ``root`` that is not among those ``read``: hidden, ignored, or of another suffix."""
    real = real_path(root)
    for base, directories, names in os.walk(real):
        directories[:] = sorted(name for name in directories if name not in _VERSION_CONTROL)
        for name in sorted(names):
            path = Path(base) / name
            relative = path.relative_to(real).as_posix()
            if relative not in read:
                yield relative, path


# Whether a path, relative to the root (a directory with its slash), is ignored; None: these rules do not say.
_Rule = Callable[[str], bool | None]


class _Walk(Struct):
    root: Path
    own: frozenset[Path]
    written: frozenset[tuple[int, int]]
    tree: Tree = field(default_factory=Tree)
    walked: set[tuple[int, int]] = field(default_factory=set)

    def directory(self, directory: Path, prefix: str, rules: tuple[_Rule, ...]) -> None:
        """Take everything in it, and below."""
        try:
            entries = self._entries(directory, prefix.count("/"))
            rules = (*rules, *self._rules(entries, prefix))
        except Unfit as unfit:
            self.tree.files.append((prefix or ".", unfit))
            return
        if prefix and entries is not None and all(_says_nothing(entry.name) for entry in entries):
            self.tree.gaps.append((prefix.rstrip("/"), _EMPTY))
        for entry in entries or ():
            if entry.name == ".gitmodules":
                self.tree.seen.with_submodules.append(directory)
            if not _is_skipped(entry.name):
                self._entry(entry, f"{prefix}{entry.name}", rules)

    def _entry(self, entry: os.DirEntry[str], relative: str, rules: tuple[_Rule, ...]) -> None:
        might_be_manifest = entry.name.lower().endswith(MANIFEST_SUFFIXES)
        if not is_unicode(entry.name):
            if might_be_manifest or entry.is_dir():
                escaped = relative.encode(errors="backslashreplace").decode()
                self.tree.files.append((escaped, unnamed()))
            return
        descend = self._descend(entry)
        if _says(rules, f"{relative}/" if descend else relative):
            self.tree.seen.ignored.add(relative)
        elif isinstance(descend, str):
            self.tree.gaps.append((relative, descend))
        elif descend and might_be_manifest:
            # A container engine makes a directory where a file to be mounted is missing.
            self.tree.files.append((relative, Unfit("a directory where a manifest is expected")))
        elif descend:
            self.directory(Path(entry.path), f"{relative}/", rules)
        elif descend is not None and entry.name.lower().endswith((*MANIFEST_SUFFIXES, JSON_SUFFIX)):
            self._file(entry, relative)

    def _file(self, entry: os.DirEntry[str], relative: str) -> None:
        if not self.written or _inode(entry) not in self.written:
            self.tree.files.append((relative, entry.path))

    def _descend(self, entry: os.DirEntry[str]) -> bool | str | None:
        """Whether it is a directory to read; None for one that is not ours to read, or is read where it really stands.

        A text says why what it leads to is a gap.
        """
        if not entry.is_symlink() and not entry.is_dir(follow_symlinks=False):
            return False
        path = Path(entry.path)
        if not entry.is_symlink():
            if path not in self.own and is_state(path):
                self.tree.seen.states.append(path)
                return None
            return None if path in self.own else True
        self.tree.seen.links.append(path)
        try:
            target = path.resolve(strict=True)
        except (FileNotFoundError, NotADirectoryError, RuntimeError):
            return _NOWHERE
        except OSError as error:
            # A circle of links is a RuntimeError to some versions of Python, and this to others.
            return _NOWHERE if error.errno == errno.ELOOP else f"a link that cannot be followed ({error.strerror})"
        if not target.is_dir():
            return False
        if not target.is_relative_to(self.root):
            return _OUTSIDE
        # A volume that Kubernetes updates is reached through a name that starts with a dot.
        hidden = any(part.startswith(".") for part in target.relative_to(self.root).parts)
        return True if hidden else None

    def _entries(self, directory: Path, depth: int) -> list[os.DirEntry[str]] | None:
        """What stands in a directory, sorted; None where it was walked already: links in a circle have no end.

        Raises:
            Unfit: it cannot be read, or is nested too deeply.
        """
        if depth > _DEPTH_LIMIT:
            raise Unfit(f"nested more than {_DEPTH_LIMIT} levels deep")
        try:
            found = os.stat(directory)  # noqa: PTH116 - of each directory at each look
            if (found.st_dev, found.st_ino) in self.walked:
                return None
            self.walked.add((found.st_dev, found.st_ino))
            self.tree.seen.directories.append(directory)
            with os.scandir(directory) as scan:
                return sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            raise Unfit(f"cannot be read ({error.strerror})") from error

    def _rules(self, entries: list[os.DirEntry[str]] | None, prefix: str) -> Iterator[_Rule]:
        """The directory's own ignore file. Raises Unfit where it cannot be read."""
        for entry in entries or ():
            if entry.name == IGNORE_FILE:
                self.tree.seen.rules.append(Path(entry.path))
                try:
                    text = read_bounded(entry.path, Below(self.root), _IGNORE_BYTES).decode()
                except Unfit as unfit:
                    raise Unfit(f"{IGNORE_FILE}: {unfit}") from unfit
                except UnicodeDecodeError as error:
                    raise Unfit(f"{IGNORE_FILE}: not UTF-8") from error
                yield _rule(text, prefix)


def _rule(text: str, prefix: str) -> _Rule:
    """What an ignore file says, in gitignore's syntax, of the paths below its directory."""
    # Imported here: few directories have one, and the others need not wait for it.
    from pathspec import GitIgnoreSpec  # noqa: PLC0415

    spec = GitIgnoreSpec.from_lines(text.splitlines())
    return lambda path: spec.check_file(path.removeprefix(prefix)).include


def _says(rules: tuple[_Rule, ...], path: str) -> bool:
    """Whether it is ignored: as in git, the nearest file that speaks of it decides."""
    said = (rule(path) for rule in reversed(rules))
    return next((ignored for ignored in said if ignored is not None), False)


def _says_nothing(name: str) -> bool:
    """Whether a directory that holds only such names may be a mount point: git keeps one by a hidden file."""
    return (name.startswith(".") and name != IGNORE_FILE) or name in _OF_THE_FILE_SYSTEM


def _is_skipped(name: str) -> bool:
    return name.startswith(".") or name.lower() in _KUSTOMIZATIONS or name in _OF_THE_FILE_SYSTEM


def _outputs() -> frozenset[tuple[int, int]]:
    """The files that this very process prints into (`plan -o json > DIR/plan.json`): empty yet, and no manifests."""
    return frozenset((found.st_dev, found.st_ino) for number in (1, 2) if (found := _open_file(number)) is not None)


def _open_file(number: int) -> os.stat_result | None:
    try:
        found = os.fstat(number)
    except OSError:  # closed (`>&-`)
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _inode(entry: os.DirEntry[str]) -> tuple[int, int] | None:
    try:
        found = entry.stat()
    except OSError:  # gone by now, as whoever opens it will say
        return None
    return found.st_dev, found.st_ino


def is_state(directory: Path) -> bool:
    """Whether it is a state directory of this program, by what it holds; the walk says of others why it cannot look."""
    return any(os.path.isfile(f"{directory}/{name}") for name in _OF_STATE)  # noqa: PTH113 - raises nothing


def _repository(real: Path) -> tuple[Path, ...]:
    """The work tree that the directory belongs to; empty where it belongs to none."""
    return next(((place,) for place in (real, *real.parents) if os.path.lexists(f"{place}/.git")), ())


def _submodule_gaps(repository: Path, root: Path, *, ignored: set[str]) -> dict[str, str]:
    """Submodules of ``repository`` that ought to stand under ``root`` and hold nothing."""
    found: dict[str, str] = {}
    for match in _SUBMODULE_PATH.finditer(_text(repository / ".gitmodules")):
        place = repository / match[1].strip('"')
        if not place.is_relative_to(root) or place == root or _holds_something(place):
            continue
        relative = place.relative_to(root).as_posix()
        parents = {parent.as_posix() for parent in place.relative_to(root).parents}
        if relative not in ignored and not parents & ignored:
            found[relative] = _SUBMODULE
    return found


def _holds_something(directory: Path) -> bool:
    """Whether anything but git's own file stands there."""
    try:
        return any(name != ".git" for name in os.listdir(directory))  # noqa: PTH208 - names are enough
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # the walk says that it cannot be read
        return True


def _is_sparse(repository: Path) -> bool:
    """Whether git leaves files out (``core.sparseCheckout``, gitrepository-layout)."""
    git = repository / ".git"
    link = _text(git) if git.is_file() else ""
    if link.startswith("gitdir:"):
        git = repository / link.removeprefix("gitdir:").strip()
    common = git / (_text(git / "commondir").strip() or ".")
    return any(_SPARSE.search(_text(path)) for path in (common / "config", git / "config.worktree"))


def _text(path: Path) -> str:
    """A small file of git's; "" where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""
