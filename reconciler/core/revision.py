"""A job's revision: the form that is hashed, and its digest.

Pure. `desired` calls `form` and `revision_of` for each job. Which fields are hashed, and how, each field declares
itself (`fields`); how a value becomes bytes is `canonical`'s. This docstring is the specification, and
tests/unit/test_revision.py holds it against another implementation.

**The revision** is the first 16 hex digits of SHA-256 over the RFC 8785 form of the object that
`form` builds: of ``model``, ``suffix``, ``seed``, ``method``, ``hyperparameters``, ``extra_body`` and
``rerun`` those that the manifest sets, as it sets them (null, an empty map and ``rerun: 0`` are unset);
``training_file`` and ``validation_file`` as the file id (without the `id:` that may stand before it), or as ``sha256:``
and the 64 hex digits of the local file's bytes with CRLF read as LF (as the manifest may write it itself, for a file
that the provider has); ``model_from`` as ``{"job", "checkpoint", "revision"}`` with the revision of that job.
Nothing else changes it.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from reconciler.core.canonical import canonical
from reconciler.core.documents import Entry, TrainingFile
from reconciler.core.fields import FATES, FILES, Hashed, provided

_AS_WRITTEN = tuple(name for name, fate in FATES.items() if fate.hashed is Hashed.AS_WRITTEN)
_AS_NAMED = tuple(name for name, fate in FATES.items() if fate.hashed is Hashed.AS_NAMED)


def form(entry: Entry, upstream_revision: str | None) -> dict[str, object]:
    """The object whose canonical form is hashed into the revision (see the module's docstring)."""
    spec = entry.spec
    hashed = {key: spec[key] for key in _AS_WRITTEN if key in spec}
    if hashed.get("rerun") == 0:
        del hashed["rerun"]
    source = spec.get("model_from")
    named: dict[str, object] = {
        "training_file": _content(entry.training, spec["training_file"]),
        "validation_file": _content(entry.validation, spec.get("validation_file")),
        "model_from": {**source, "revision": upstream_revision} if source else None,
    }
    return hashed | {key: named[key] for key in _AS_NAMED if named[key] is not None}


def _content(file: TrainingFile | None, given: str | None) -> str | None:
    if file:
        return f"sha256:{file.sha256}"
    return given and provided(given)


def revision_alone(spec: Mapping[str, Any]) -> str | None:
    """The revision of a spec that names neither a local file nor another job; None of any other.

    So it is of one without a canonical form: what is wrong with it is said where the fleet is put together.
    """
    if spec.get("model_from") or any(spec.get(key) and provided(spec[key]) is None for key in FILES):
        return None
    try:
        return revision_of(form(Entry("", spec, "", 1), None))
    except ValueError:
        return None


def revision_of(hashed: Mapping[str, object]) -> str:
    """16 hex digits. Raises ValueError where there is no canonical form."""
    return hashlib.sha256(canonical(hashed)).hexdigest()[:16]
