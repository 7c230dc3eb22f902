"""Whether a name that is not read any more may still stand somewhere: a file that nobody has deleted.

`cli` hands `leftovers_of` to the engine, which asks before it believes that a manifest is gone. Nothing in here is
an error, and nothing is read that is not under the fleet directory.
"""

from collections.abc import Mapping
from pathlib import Path

from reconciler.core.documents import API_VERSION
from reconciler.core.snapshot import Snapshot
from reconciler.errors import escaped
from reconciler.source.envelope import Belongs, belongs, documents_in, name_of
from reconciler.source.files import Below, Unfit, is_unicode, read_bounded
from reconciler.source.manifest_files import BYTES_LIMIT
from reconciler.source.tree import others


def leftovers_of(snapshot: Snapshot, last_seen: Mapping[str, str]) -> dict[str, str]:
    """Names without a manifest that cannot be called gone: name → the file that may still hold it.

    ``last_seen`` is the file in which each name was last valid ("" where nobody knows). Such a file may be ignored
    now, or hidden, renamed, unreadable, or of another kind; as long as it stands, nobody has deleted the name.
    """
    below = Below.of(snapshot.root)
    real = below.root
    found = {
        name: path
        for name, path in last_seen.items()
        if path and path not in snapshot.holding and _may_stand(real / path)
    }
    rest = last_seen.keys() - found.keys()
    for relative, path in others(snapshot.root, snapshot.holding) if rest else ():
        for name in rest & _names_in(path, below):
            found.setdefault(name, relative if is_unicode(relative) else escaped(ascii(relative)))
    return found


def _may_stand(path: Path) -> bool:
    """Whether something is there, or nobody can tell: only "no such file" means that there is none."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, UnicodeEncodeError):
        return True
    return True


def _names_in(path: Path, below: Below) -> frozenset[str]:
    """The jobs that a file would hold, were it read as a manifest."""
    try:
        content = read_bounded(str(path), below, BYTES_LIMIT)
    except Unfit:  # nothing that could be a manifest now
        return frozenset()
    if API_VERSION.encode() not in content:
        return frozenset()
    # Imported here: YAML is only for a file that may hold what is missed.
    from reconciler.source.yaml_text import read_documents  # noqa: PLC0415

    values = (value for document in read_documents(content).documents for value in documents_in(document.value))
    ours = (value for value in values if isinstance(value, Mapping) and belongs(value) is Belongs.OURS)
    return frozenset(map(name_of, ours))
