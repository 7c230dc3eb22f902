"""Whose document is it? Ours, this program's own output, a list of documents, somebody else's, or ours misspelt.

Pure. `reading` asks for every document of a manifest, `manifest_files` for JSON that may be none, `leftovers` for
files that are not read. A document that could be ours misspelt is never left out: its job would look removed.
"""

import functools
import re
from collections.abc import Mapping
from enum import Enum, auto

from reconciler.core.documents import API_VERSION
from reconciler.errors import escaped

STATUS_KINDS = frozenset({"FineTuningJobStatus", "FleetStatus"})
_KINDS = ("Fleet", "FineTuningJob")
_LISTS = frozenset({("v1", "List"), (API_VERSION, "List"), (API_VERSION, "FineTuningJobList")})

# Fields that no file of another tool's holds at its top: a manifest whose first lines were lost looks like this.
_TELLING = frozenset({"metadata", "spec", "training_file"})
_ENVELOPE = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
# Stricter than `nearest`, because this decides whether a document is an error or left out.
_ALIKE = 0.75
_LONGEST = 64  # no misspelling of ours is longer


class Belongs(Enum):
    """What a document counts as."""

    OURS = auto()
    OUTPUT = auto()  # a status file: what this program wrote itself
    LIST = auto()
    ELSEWHERE = auto()
    MISSPELT = auto()


def belongs(value: Mapping[str, object]) -> Belongs:
    """Whose it is, by apiVersion and kind."""
    version, kind = value.get("apiVersion"), value.get("kind")
    if version is None and kind is None:
        return Belongs.MISSPELT if _lacks_its_head(value) else Belongs.ELSEWHERE
    if version == API_VERSION and kind in _KINDS:
        return Belongs.OURS
    if version == API_VERSION and isinstance(kind, str) and kind in STATUS_KINDS:
        return Belongs.OUTPUT
    if isinstance(value.get("items"), list) and (version, kind) in _LISTS:
        return Belongs.LIST
    if _is_alike(version, API_VERSION) or any(_is_alike(kind, ours) for ours in _KINDS):
        return Belongs.MISSPELT
    return Belongs.MISSPELT if version is None and _lacks_its_head(value) else Belongs.ELSEWHERE


def is_ours(value: object) -> bool:
    """Whether it is a document of ours, perhaps misspelt."""
    return isinstance(value, Mapping) and belongs(value) in {Belongs.OURS, Belongs.MISSPELT}


def is_of_others(value: object) -> bool:
    """Whether it is left out: a list, or a mapping, that is nobody's or another tool's."""
    if isinstance(value, list):
        return not any(is_ours(item) for item in value)
    return isinstance(value, Mapping) and belongs(value) in {Belongs.ELSEWHERE, Belongs.OUTPUT}


def documents_in(value: object) -> list[object]:
    """The documents that a value may stand for: itself, or the items of an array or of a `kind: List`."""
    return value if isinstance(value, list) else [value, *listed(value)]


def listed(value: object) -> list[object]:
    """The items of a `kind: List`; none of anything else."""
    items = value.get("items") if isinstance(value, Mapping) and belongs(value) is Belongs.LIST else None
    return items if isinstance(items, list) else []


def name_of(value: Mapping[str, object]) -> str:
    """The name of a document as far as it can be read; "" where it cannot."""
    metadata = value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return name if isinstance(name, str) else ""


def objections(value: Mapping[str, object]) -> list[tuple[str, str]]:
    """What is wrong with the envelope of a document of ours, by field."""
    found: list[tuple[str, str]] = []
    version, kind = value.get("apiVersion"), value.get("kind")
    if version != API_VERSION:
        theirs = isinstance(version, str) and version and not _is_alike(version, API_VERSION)
        way_on = "; if it is another tool's, name its file in .reconcilerignore" if theirs else ""
        words = f"must be {API_VERSION}{_not(version)}{way_on}"
        found.append(_misnamed(value, "apiVersion") or ("apiVersion", words))
    if kind not in _KINDS:
        meant = next((ours for ours in _KINDS if _is_alike(kind, ours) and kind), None)
        hint = f"; did you mean {meant}?" if meant else ""
        words = f"must be Fleet or FineTuningJob{_not(kind)}{hint}"
        found.append(_misnamed(value, "kind") or ("kind", words))
    return found


def _misnamed(value: Mapping[str, object], field: str) -> tuple[str, str] | None:
    """A field of the envelope under another name: api_version, Kind."""
    others = [key for key in value if key not in _ENVELOPE and _plain(key) == _plain(field)]
    return (others[0], f"unknown field; did you mean {field}?") if others else None


def may_be_fleet(value: Mapping[str, object]) -> bool:
    """Whether a misspelt document was meant as the fleet's."""
    kind, spec = value.get("kind"), value.get("spec")
    if kind is None:
        return isinstance(spec, Mapping) and "provider" in spec
    return _is_alike(kind, "Fleet")


def described(value: object) -> str:
    """Somebody else's document in a few words: its kind and name, as far as it has them."""
    if not isinstance(value, Mapping):
        return "a list is left out: a document of ours is a mapping of fields"
    words = " ".join(escaped(part) for part in (value.get("kind"), name_of(value)) if isinstance(part, str) and part)
    version = value.get("apiVersion")
    whose = "it has no apiVersion" if version is None else f"its apiVersion is {escaped(str(version))}"
    return f"{words or 'a document'} is left out: {whose} (ours is {API_VERSION})"


def _not(given: object) -> str:
    return f", not {escaped(given)}" if isinstance(given, str) and given else ""


def _is_alike(given: object, ours: str) -> bool:
    """Whether it may have been meant for ours: another case or spelling, or cut short in a save under way."""
    return isinstance(given, str) and _sounds_like(given.strip()[:_LONGEST], ours)


# A stream holds thousands of documents of a few kinds.
@functools.lru_cache(maxsize=1024)
def _sounds_like(given: str, ours: str) -> bool:
    # Imported here: most readings find no mistake, and need not wait for what explains one.
    import difflib  # noqa: PLC0415

    plain, wanted = _plain(given), _plain(ours)
    return (
        ours.startswith(given)
        or (ours == API_VERSION and plain.startswith("reconcil"))
        or bool(difflib.get_close_matches(plain, [wanted], cutoff=_ALIKE))
    )


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _lacks_its_head(value: Mapping[str, object]) -> bool:
    return bool(value.keys() & _TELLING) or value.keys() <= _ENVELOPE
