"""Status on disk: one YAML file a name, whole or not at all, and written only when it differs.

`reconcile` is its only writer. Nothing here is ever read as a fact about a job: a file that
cannot be read counts as absent, because the next report makes it again.
"""

import contextlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import yaml

from reconciler.errors import ReconcilerError
from reconciler.status import Status

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


_Signature = tuple[int, int, int] | None


class StatusFiles:
    """The directory ``status/`` of a state directory."""

    def __init__(self, state_directory: Path) -> None:
        self._directory = state_directory / "status"
        self._known: dict[str, tuple[_Signature, Mapping[str, object]]] = {}

    def read(self) -> dict[str, Mapping[str, object]]:
        """The last report of each name; a file that has not changed since is not parsed again."""
        known: dict[str, tuple[_Signature, Mapping[str, object]]] = {}
        for path in sorted(self._directory.glob("*.yaml")):
            signature = _signature(path)
            before = self._known.get(path.stem)
            known[path.stem] = before if before and before[0] == signature else (signature, _report(path))
        self._known = known
        return {name: report for name, (_, report) in known.items() if report}

    def write(self, statuses: Mapping[str, Status]) -> int:
        """Make the files equal to ``statuses``; how many had to change.

        Raises:
            ReconcilerError: the directory cannot be written.
        """
        changed = 0
        try:
            for name, status in statuses.items():
                changed += self._differs(name, status) and self._replace(name, _text(status))
            for path in self._directory.glob("*.yaml"):
                if path.stem not in statuses:
                    path.unlink()
                    changed += 1
        except OSError as error:
            raise ReconcilerError(f"{self._directory}: the status cannot be written: {error.strerror}") from error
        return changed

    def _differs(self, name: str, status: Status) -> bool:
        """Whether the file may hold something else; dumping YAML to find out costs 300 µs a name."""
        signature, report = self._known.get(name, (None, {}))
        if signature is None or signature != _signature(self._directory / f"{name}.yaml"):
            return True
        item = as_item(status)
        del item["name"]
        return item != report

    def _replace(self, name: str, text: bytes) -> bool:
        path = self._directory / f"{name}.yaml"
        with contextlib.suppress(FileNotFoundError):
            if path.read_bytes() == text:
                return False
        self._directory.mkdir(parents=True, exist_ok=True)
        temporary = self._directory / f".{name}.{secrets.token_hex(8)}"
        with temporary.open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        return True


def as_item(status: Status) -> dict[str, object]:
    """A status as plain data, in the order in which it is shown."""
    item = asdict(status)
    item.pop("created_at")
    item["conditions"] = list(item["conditions"])
    item["history"] = list(item["history"])
    return item


def _text(status: Status) -> bytes:
    item = as_item(status)
    document = {
        "apiVersion": "reconciler/v1",
        "kind": "FineTuningJobStatus",
        "metadata": {"name": item.pop("name")},
        "status": item,
    }
    text: bytes = yaml.dump(document, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, encoding="utf-8")
    return text


def _signature(path: Path) -> _Signature:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _report(path: Path) -> Mapping[str, object]:
    try:
        document = yaml.load(path.read_bytes(), Loader=_LOADER)  # noqa: S506 - both are safe loaders
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    report = document.get("status") if isinstance(document, Mapping) else None
    return report if isinstance(report, Mapping) else {}
