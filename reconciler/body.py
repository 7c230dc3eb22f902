"""The body of one create: the manifest's fields, the files' ids, and the marks.

Pure. `act` calls `create_body` right before it sends; `case` knows a job without marks by its seed.
"""

import hashlib
from collections.abc import Mapping

from reconciler.job import Marks
from reconciler.manifest import Desired

# The API's seed is 0..2147483647.
_SEED_BITS = 31


def derived_seed(marks: Marks) -> int:
    """The seed that is sent where the manifest sets none, 0..2147483647.

    It follows from the marks alone, so that a repeated training is the same one, and so that a
    server which drops metadata still returns a trace of whose job it is.
    """
    text = f"{marks.fleet}/{marks.name}/{marks.revision}/{marks.attempt}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> (64 - _SEED_BITS)


def create_body(
    desired: Desired, marks: Marks, *, model: str | None, training: str | None, validation: str | None
) -> Mapping[str, object]:
    """What is posted to ``/fine_tuning/jobs``.

    ``model`` is what ``model_from`` stands for, ``training`` and ``validation`` the ids of
    uploaded files; each None where the manifest names the model or the file id itself.
    """
    ours = {"model": model, "training_file": training, "validation_file": validation}
    body: dict[str, object] = {"seed": derived_seed(marks), **desired.body}
    body |= {field: value for field, value in ours.items() if value is not None}
    told = body.get("metadata")
    body["metadata"] = {**(told if isinstance(told, Mapping) else {}), **marks.as_metadata()}
    return body | dict(desired.extra_body)
