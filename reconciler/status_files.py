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


class StatusFiles:
    """The directory ``status/`` of a state directory."""

    def __init__(self, state_directory: Path) -> None:
        self._directory = state_directory / "status"

    def read(self) -> dict[str, Mapping[str, object]]:
        """The last report of each name."""
        found = sorted(self._directory.glob("*.yaml"))
        reports = ((path.stem, _report(path)) for path in found)
        return {name: report for name, report in reports if report}

    def write(self, statuses: Mapping[str, Status]) -> int:
        """Make the files equal to ``statuses``; how many had to change.

        Raises:
            ReconcilerError: the directory cannot be written.
        """
        changed = 0
        try:
            for name, status in statuses.items():
                changed += self._replace(name, _text(status))
            for path in self._directory.glob("*.yaml"):
                if path.stem not in statuses:
                    path.unlink()
                    changed += 1
        except OSError as error:
            raise ReconcilerError(f"{self._directory}: the status cannot be written: {error.strerror}") from error
        return changed

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


def _report(path: Path) -> Mapping[str, object]:
    try:
        document = yaml.load(path.read_bytes(), Loader=_LOADER)  # noqa: S506 - both are safe loaders
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    report = document.get("status") if isinstance(document, Mapping) else None
    return report if isinstance(report, Mapping) else {}
