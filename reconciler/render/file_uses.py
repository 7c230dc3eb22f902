"""The fleet's files at the provider as a table: what each is called, how large it is, and what needs it.

Pure. `cli.files` prints it.
"""

from collections.abc import Sequence

from reconciler.core.file_uses import FileUse
from reconciler.errors import escaped, plural
from reconciler.render.text import clip, table

_ROW_WIDTH = 120


def use_of(use: FileUse) -> str:
    """`used`, `unused`, or `unknown`: nobody can say who uploaded it."""
    if use.manifests or use.jobs:
        return "used"
    return "unused" if use.ours else "unknown"


def file_table(uses: Sequence[FileUse], fleet: str, *, width: int | None) -> str:
    """A row a file, and in a sentence how many could be deleted."""
    if not uses:
        return f"fleet {fleet} has no file at this provider"
    rows = [("FILE", "SIZE", "USED BY", "NAME")]
    rows += [(escaped(u.file.id), _size(u.file.size), _needs(u), escaped(u.file.name)) for u in uses]
    shown = [clip(line.rstrip(), width or _ROW_WIDTH) for line in table(rows).splitlines()]
    unused = [use for use in uses if use.unused]
    unknown = sum(use_of(use) == "unknown" for use in uses)
    some = f"{len(unused)} unused ({_size(sum(u.file.size for u in unused))})"
    said = f"{plural(len(uses), 'file')}, {some if unused else 'none unused'}"
    if unknown:
        said += f"; of {unknown} nobody here knows who uploaded it, and it is never deleted"
    return "\n".join([*shown, "", f"{said}."])


def _needs(use: FileUse) -> str:
    """What needs it; of several things, how many of each kind, since a manifest often comes with its job."""
    needs = (*use.manifests, *use.jobs)
    if not needs:
        return "- (unknown)" if not use.ours else "-"
    if len(needs) == 1:
        return escaped(needs[0])
    return ", ".join(plural(len(n), word) for n, word in ((use.manifests, "manifest"), (use.jobs, "job")) if n)


def _size(size: int) -> str:
    for unit, bytes_ in (("MB", 1_000_000), ("kB", 1000)):
        if size >= bytes_:
            return f"{size / bytes_:.1f} {unit}"
    return f"{size} B" if size else "-"
