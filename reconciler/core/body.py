"""The body of one create: the manifest's fields, the files' ids, and the marks; and what a server returns of it.

Pure. `act` calls `create_body` right before it sends; `recognition`, which knows a job without marks by its seed, asks
here whether the rest of it can be that of one create.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache

from reconciler.core.canonical import canonical
from reconciler.core.desired import Desired
from reconciler.core.fields import FATES, Hashed, OnRemove
from reconciler.core.job import Job, Marks
from reconciler.core.spelling import folded

# The API's seed is 0..2147483647.
_SEED_BITS = 31


# Sent, and no part of the revision: an approval has to name them all the same.
_UNHASHED = sorted(name for name, fate in FATES.items() if fate.sent and fate.hashed is Hashed.NO)


# Of each name a dozen attempts are looked for at every look, where nothing but the seed tells whose a job is.
@lru_cache(maxsize=1024)
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
    metadata = body.get("metadata")
    body["metadata"] = {**(metadata if isinstance(metadata, Mapping) else {}), **marks.as_metadata()}
    return body | dict(desired.extra_body)


def unhashed(desired: Desired) -> str:
    """What its create sends besides what the revision stands for, in canonical JSON; "" where that is nothing."""
    sent: dict[str, object] = {name: desired.body[name] for name in _UNHASHED if desired.body.get(name)}
    if desired.policy.on_remove is OnRemove.ORPHAN:
        sent["on_remove"] = OnRemove.ORPHAN.value
    return canonical(sent).decode() if sent else ""


def same_suffix(sent: Mapping[str, object], shown: Job) -> bool:
    """Whether the suffix that came back can be the one of that create; none at all proves nothing."""
    suffix = sent.get("suffix")
    return not shown.suffix or folded(shown.suffix) == folded(suffix if isinstance(suffix, str) else "")


def alike(sent: Mapping[str, object], shown: Job) -> bool:
    """Whether all that came back (suffix, model, training file) can be of that create; what did not proves nothing."""
    return same_suffix(sent, shown) and same_model(sent, shown) and same_file(sent, shown)


def same_model(sent: Mapping[str, object], shown: Job) -> bool:
    """A name may come back dated and in another case: gpt-4.1 as gpt-4.1-2025-04-14, ministral-3b as Ministral-3B."""
    model = sent.get("model")
    # A server that does not even return the training file is a gateway, and so is one that puts a path before
    # the name (openai/gpt-4o, azure/my-deployment): what it calls a model is its own affair.
    if (
        not isinstance(model, str)
        or not shown.model
        or not shown.training_file
        or ("/" in model) != ("/" in shown.model)
    ):
        return True
    short, long = sorted((folded(name).removesuffix("latest") for name in (model, shown.model)), key=len)
    return long.startswith(short) and not long.removeprefix(short).strip("0123456789")


def same_file(sent: Mapping[str, object], shown: Job) -> bool:
    """Some servers show their own name for a file: only two ids of the API's own kind can contradict each other."""
    ids = (str(sent.get("training_file", "")), shown.training_file)
    return ids[0] == ids[1] or not all(file_id.startswith("file-") for file_id in ids)
