"""Where the fields of a document stand, and which of them a field that nobody knows was meant for.

Pure. `complaints` asks for each unknown field. What stands under a name is not looked at.
"""

import functools
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from msgspec import Struct

from reconciler.core.models import ClusterMetadata, FineTuningJobDocument, FleetDocument
from reconciler.core.nearest import nearest
from reconciler.core.scalars import Strict
from reconciler.core.spelling import folded

_Path = tuple[str, ...]

DOCUMENTS: Mapping[str, type[Strict]] = {kind.__name__: kind for kind in (FleetDocument, FineTuningJobDocument)}

# An item of a list, or what a map holds under any name.
_EACH = "*"
# Accepted as the API accepts it, and never proposed.
_OLD = ("spec", "hyperparameters")
# So many letters are the beginning of one field alone.
_TELLING = 8
_NOBODYS = ClusterMetadata.fields.keys() | {"status"}


class Meant(Struct, frozen=True):
    """What an unknown field was meant for: the ``path`` of the field, and in words how to get there."""

    path: _Path
    words: str


def meant_by(document: str, path: _Path, name: str) -> Meant | None:
    """The field that ``name``, found where ``path`` leads, was meant for; None where it is like none."""
    own = _places(document).get(path, ())
    near = nearest(name, own)
    if near is not None:
        return Meant((*path, near), f"did you mean {near}?")
    found = [place for place, names in _places(document).items() if name in names and (*place, name) != _OLD]
    found = [place for place in found if place != _OLD]
    if found:
        # Within a method it is that method's; else what stands highest.
        below = [place for place in found if len(path) > 1 and place[: len(path)] == path]
        best = min(below or found, key=len)
        return Meant(
            (*best, name), f"it belongs under {_dotted(best)}" if best else "it belongs at the top of the document"
        )
    for other in DOCUMENTS.keys() - {document}:
        for place, names in _places(other).items():
            if name in names:
                kind = other.removesuffix("Document")
                return Meant((), f"it belongs in the {kind} document, as {_dotted((*place, name))}")
    return _misspelt_elsewhere(document, path, name)


def _misspelt_elsewhere(document: str, path: _Path, name: str) -> Meant | None:
    """Neither its spelling (``nEpochs``, ``learning_rate``) nor its place is right."""
    plain = folded(name)
    fields = dict.fromkeys(field for names in _places(document).values() for field in names)
    same = (field for field in fields if folded(field) == plain)
    begun = (field for field in fields if len(plain) >= _TELLING and folded(field).startswith(plain))
    field = next(same, None) or next(begun, None)
    meant = None if field is None else meant_by(document, path, field)
    return None if meant is None else Meant(meant.path, f"did you mean {field}? {meant.words}")


@functools.cache
def _places(document: str) -> Mapping[_Path, tuple[str, ...]]:
    """The fields of each place, in the order in which they are declared."""
    places: dict[_Path, tuple[str, ...]] = {}
    waiting: list[tuple[_Path, type[Strict]]] = [((), DOCUMENTS[document])]
    while waiting:
        path, strict = waiting.pop(0)
        fields = {name: field for name, field in strict.fields.items() if name not in _NOBODYS}
        places[path] = tuple(dict.fromkeys([*places.get(path, ()), *fields]))
        waiting += [
            ((*path, name, *steps), held) for name, field in fields.items() for steps, held in _held(field.kind)
        ]
    return places


def _held(kind: Any) -> Iterator[tuple[_Path, type[Strict]]]:
    """The mappings that a field may hold, and the steps to them: one for each list or map around."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is None and issubclass(kind, Strict):
        yield (), kind
    elif origin is Annotated:
        yield from _held(arguments[0])
    elif origin in {Union, UnionType}:
        for argument in arguments:
            yield from _held(argument)
    elif origin in {list, dict}:
        for steps, held in _held(arguments[-1]):
            yield (_EACH, *steps), held


def _dotted(path: _Path) -> str:
    return ".".join(step for step in path if step != _EACH)
