"""What a job wants of a file: the format, and what else its method, model and grader ask.

Pure. `source` makes one for each file of a job; two jobs that want the same share one look at the file.
"""

import re
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from reconciler.dataset.formats import Format

_ITEM = re.compile(r"\{\{\s*item\.([A-Za-z_][A-Za-z0-9_]*)")


class Wanted(Struct, frozen=True):
    """``format`` None: JSON objects, and nothing else is asked. ``keys`` are those that a grader names.

    ``context`` is how many tokens of an example the model sees; None where it is not known. ``training``: it is no
    validation file, which may be shorter; None: nobody says what it is for.
    """

    format: Format | None = None
    keys: frozenset[str] = frozenset()
    context: int | None = None
    training: bool | None = True

    def for_validation(self) -> "Wanted":
        """The same of the file that a job validates on."""
        return replace(self, training=False)


def grader_keys(grader: object) -> frozenset[str]:
    """The fields of a line that a grader's templates name (``{{ item.answer }}``), at any depth of it."""
    if isinstance(grader, str):
        return frozenset(_ITEM.findall(grader))
    if isinstance(grader, Mapping):
        # A script may do with the item whatever it likes.
        inner = [value for key, value in grader.items() if key != "source"]
    else:
        inner = list(grader) if isinstance(grader, list | tuple) else []
    return frozenset[str]().union(*map(grader_keys, inner))
