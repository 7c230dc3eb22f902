"""What a job wants of a file: the format, and what else its method, model and grader ask.

Pure. `source` makes one for each file of a job; two jobs that want the same share one look at the file.
"""

from msgspec import Struct
from msgspec.structs import replace

from reconciler.dataset.formats import Format


class Wanted(Struct, frozen=True):
    """``format`` None: JSON objects, and nothing else is asked. ``keys`` are those that a grader names.

    ``context`` is how many tokens of an example the model sees; None where it is not known. ``training``: it is no
    validation file, which may be shorter.
    """

    format: Format | None = None
    keys: frozenset[str] = frozenset()
    context: int | None = None
    training: bool = True

    def for_validation(self) -> "Wanted":
        """The same of the file that a job validates on."""
        return replace(self, training=False)
