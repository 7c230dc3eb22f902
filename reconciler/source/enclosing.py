"""Whether a directory holds a fleet, or stands in one, by a look at the documents beside each other.

`directory` asks where no manifest was found, `cli.authoring` before it begins a fleet: one inside another would make
both of them wrong. What a document says besides its kind is not read here.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from reconciler.core.documents import API_VERSION
from reconciler.source.files import Below, Unfit, read_bounded
from reconciler.source.manifest_files import BYTES_LIMIT
from reconciler.source.tree import MANIFEST_SUFFIXES

# Not compiled here: only who looks for a fleet pays for it.
_OF_FLEET = rb"(?m)^kind:\s*['\"]?Fleet['\"]?\s*(?:#.*)?$"
# More than this beside each other is a store of files, and where one could stand above a fleet nobody waits for it.
_LOOKED_AT = 200


def enclosing_fleet(directory: Path) -> Path | None:
    """The nearest directory above that holds a fleet's document, as the reader of ``directory`` would write it.

    None where there is none in its repository: what happens to lie further up, in a home or in /tmp, is no fleet of it.
    """
    try:
        place = directory.absolute()
    except OSError:  # taken away under whoever stands in it, as who reads it will say
        return None
    above = list(place.parents)
    root = next((n for n, parent in enumerate([place, *above]) if os.path.lexists(parent / ".git")), 0)
    found = next((parent for parent in above[:root] if fleet_document(parent)), None)
    return found if found is None or directory.is_absolute() else Path(os.path.relpath(found))


def fleet_document(directory: Path) -> Path | None:
    """The file directly in it that holds a fleet's document; None where none does."""
    below = Below.of(directory)
    for name in _manifests_in(directory):
        try:
            content = read_bounded(str(directory / name), below, BYTES_LIMIT)
        except Unfit:
            continue
        if API_VERSION.encode() in content and re.search(_OF_FLEET, content.replace(b"\r", b"")):
            return directory / name
    return None


def _manifests_in(directory: Path) -> Iterator[str]:
    try:
        names = sorted(os.listdir(directory))  # noqa: PTH208 - names alone
    except OSError:
        return
    yield from [name for name in names if name.lower().endswith(MANIFEST_SUFFIXES)][:_LOOKED_AT]
