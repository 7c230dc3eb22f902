"""The manifest of a job that exists already, as `reconciler import` writes it.

Pure. It says what the provider shows of the job, as far as a manifest can say it, and adopts the job for just that.
What it has to leave out is named; a job of which too little is shown has no manifest.
"""

import re
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from reconciler.core.complaints import problems_of
from reconciler.core.documents import API_VERSION
from reconciler.core.fields import FILES, as_written
from reconciler.core.job import text_of
from reconciler.core.models import Invalid, job_spec
from reconciler.core.spelling import number, whole_number
from reconciler.core.training import METHODS
from reconciler.errors import escaped
from reconciler.source.directory import read_stream
from reconciler.state.yaml_form import as_yaml

_LABEL = 63
_OUR_PREFIX = "reconciler_"
_UNKNOWN_REVISION = "0" * 16
# Fields that are left out because a manifest cannot hold them; no honest answer has more.
_LEFT_OUT_LIMIT = 200
# Without them there is no job.
_NEEDED = ("model", "training_file")


class UnfitError(Exception):
    """The job cannot be written as a manifest; the message says why."""


class JobManifest(Struct, frozen=True):
    """A manifest to write. ``left_out`` are fields that the provider shows and a manifest cannot say, each with why."""

    name: str
    job_id: str
    revision: str
    text: str
    left_out: tuple[str, ...] = ()


def manifest_of(answer: Mapping[str, object], job_id: str, name: str) -> JobManifest:
    """The manifest of that name for a job as a provider shows it. Raises UnfitError where there is none."""
    spec, left_out = _fitting(dict(_spec(answer)), name)
    revision = _revision(_text(spec, job_id, name, _UNKNOWN_REVISION, left_out), name)
    return JobManifest(name, job_id, revision, _text(spec, job_id, name, revision, left_out), left_out)


def name_for(wish: str, taken: Container[str]) -> str:
    """A DNS label that reads like a suffix or a model, and that nobody has yet."""
    label = re.sub(r"[^a-z0-9]+", "-", wish.casefold()).strip("-") or "job"
    number, name = 1, label[:_LABEL].strip("-")
    while name in taken:
        number += 1
        name = f"{label[: _LABEL - len(str(number)) - 1].strip('-')}-{number}"
    return name


def _spec(answer: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """The fields of the API that the provider shows of the job, in the order of a manifest."""
    for field in ("model", "training_file", "validation_file"):
        yield field, text_of(answer, field)
    yield "suffix", text_of(answer, "user_provided_suffix") or text_of(answer, "suffix")
    yield "seed", whole_number(answer.get("seed"))
    method = answer.get("method")
    if isinstance(method, Mapping) and method.get("type") in METHODS:
        # Servers show the other methods too, as null or empty.
        yield "method", _numbered({key: value for key, value in method.items() if key in {"type", method["type"]}})
    else:
        yield "hyperparameters", _numbered({"hyperparameters": answer.get("hyperparameters")})["hyperparameters"]
    yield "integrations", answer.get("integrations")
    metadata = answer.get("metadata")
    if isinstance(metadata, Mapping):
        yield "metadata", {key: value for key, value in metadata.items() if not str(key).startswith(_OUR_PREFIX)}


def _numbered(value: Any, *, inside: bool = False) -> Any:
    """With hyperparameters as numbers where they are written as texts, as some servers do."""
    if isinstance(value, Mapping):
        return {key: _numbered(item, inside=inside or key == "hyperparameters") for key, item in value.items()}
    found = number(value) if inside and isinstance(value, str) else None
    return value if found is None else found


def _fitting(spec: dict[str, Any], name: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """As much of it as a manifest may say, and what was left out. Raises UnfitError where a needed field is missing."""
    left_out: list[str] = []
    spec = _filled(spec)
    for field in FILES:
        if field not in spec:
            continue
        named = as_written(spec[field])
        if named is None:
            _leave_out(spec, (field,), f"{escaped(spec[field])} is no file id that a manifest can name", left_out)
        else:
            spec[field] = named
    for _ in range(_LEFT_OUT_LIMIT):
        try:
            _, written = job_spec(_document(spec, name))
        except Invalid as error:
            complaint = problems_of(error)[0]
            _leave_out(spec, complaint.keys[1:], complaint.message, left_out)
            spec = _filled(spec)
        else:
            return dict(written), tuple(left_out)
    raise UnfitError("what the provider shows of it is nothing that a manifest can say")


def _filled(value: Any) -> Any:
    """Without nulls, empty lists and empty maps: so servers write what is not set."""
    if isinstance(value, Mapping):
        kept = {key: _filled(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item is not None and item not in ({}, [])}
    return [_filled(item) for item in value] if isinstance(value, list) else value


def _leave_out(spec: dict[str, Any], keys: tuple[str | int, ...], why: str, left_out: list[str]) -> None:
    """Take out what ``keys`` lead to, or as much of the way as there is. Raises UnfitError where the job needs it."""
    if not keys or keys[0] in _NEEDED:
        raise UnfitError(f"{escaped('.'.join(map(str, keys)))}: {why}" if keys else why)
    held: Any = spec
    for depth, key in enumerate(keys):
        inner = _inner(held, key)
        if depth + 1 == len(keys) or not isinstance(inner, dict | list) or not _has(inner, keys[depth + 1]):
            break
        held = inner
    if not _has(held, keys[depth]):
        raise UnfitError(f"{escaped('.'.join(map(str, keys)))}: {why}")
    del held[keys[depth]]
    left_out.append(f"{escaped('.'.join(map(str, keys)))}: {why}")


def _has(held: Any, key: str | int) -> bool:
    return key in held if isinstance(held, dict) else isinstance(key, int) and 0 <= key < len(held)


def _inner(held: Any, key: str | int) -> Any:
    return held[key] if _has(held, key) else None


def _document(spec: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": "FineTuningJob", "metadata": {"name": name}, "spec": dict(spec)}


def _text(spec: Mapping[str, Any], job_id: str, name: str, revision: str, left_out: tuple[str, ...]) -> str:
    adopting = {**spec, "policy": {"adopt": {"job_id": job_id, "revision": revision}}}
    comments = "".join(f"# not imported: {' '.join(reason.split())}\n" for reason in left_out)
    return comments + as_yaml(_document(adopting, name))


def _revision(text: str, name: str) -> str:
    """The revision that this very text has when it is read."""
    snapshot = read_stream(text.encode(), Path())
    if name not in snapshot.desired:
        raise UnfitError(next((p.message for p in snapshot.problems if p.field), "it cannot be read back"))
    return snapshot.desired[name].revision
