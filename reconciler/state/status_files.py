"""Status on disk: one YAML file a name, and one of the fleet while the provider takes no new jobs.

Each is written whole or not at all, and only when it differs.

`publish` is its only writer. It and the commands of `cli` read it for what they keep of the report before, such as
when a condition changed. Nothing here is ever read as a fact about a job: a file that cannot be read counts as absent,
because the next report makes it again.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Protocol

from msgspec.structs import fields

from reconciler.core.memory import Refusal
from reconciler.core.reason import Reason
from reconciler.core.status import Condition, Status
from reconciler.errors import ReconcilerError, system_words

# What other fields say already.
_NOT_SHOWN = frozenset({"name", "past", "refusal", "differs"})
_SHOWN = tuple(field.name for field in fields(Status) if field.name not in _NOT_SHOWN)
_CONDITION = tuple(field.name for field in fields(Condition))
_shown_of, _facts_of = attrgetter(*_SHOWN), attrgetter(*_CONDITION)


class FileOperations(Protocol):
    """The file operations that a report on disk is made of. Each raises OSError."""

    def reports(self, directory: Path) -> Iterable[Path]:
        """The ``*.yaml`` in it; none where it does not exist."""
        ...

    def place(self, directory: Path) -> object:
        """Another value whenever a file was made, replaced or removed in it."""
        ...

    def read(self, path: Path) -> bytes: ...

    def changed_at(self, path: Path) -> float:
        """When it was last written, in Unix seconds."""
        ...

    def write(self, path: Path, content: bytes) -> None:
        """Make a new file, and its directory where needed; on disk when it returns, torn when it does not."""
        ...

    def replace(self, old: Path, new: Path) -> None:
        """Rename, whole or not at all."""
        ...

    def remove(self, path: Path) -> None: ...


class Disk:
    """The real ones."""

    def reports(self, directory: Path) -> Iterable[Path]:
        return directory.glob("*.yaml")

    def place(self, directory: Path) -> object:
        try:
            found = directory.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_ctime_ns

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def changed_at(self, path: Path) -> float:
        return path.stat().st_mtime

    def write(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def replace(self, old: Path, new: Path) -> None:
        old.replace(new)

    def remove(self, path: Path) -> None:
        path.unlink()


class StatusFiles:
    """The directory ``status/`` of a state directory."""

    def __init__(self, state_directory: Path, files: FileOperations | None = None) -> None:
        self._directory = state_directory / "status"
        self._of_fleet = state_directory / "fleet.yaml"
        self._fleet: tuple[bytes, Mapping[str, object]] = (b"", {})
        self._files: FileOperations = Disk() if files is None else files
        self._known: dict[str, tuple[bytes, Mapping[str, object]]] = {}  # by name: digest, and what the bytes say
        self._place: object = None  # as it was after the last write

    def read(self) -> dict[str, Mapping[str, object]]:
        """The last report of each name; bytes that have not changed are not parsed again."""
        known: dict[str, tuple[bytes, Mapping[str, object]]] = {}
        for path in sorted(self._files.reports(self._directory)):
            with contextlib.suppress(OSError):  # a file that cannot be read counts as absent
                content = self._files.read(path)
                digest, before = _digest(content), self._known.get(path.stem)
                known[path.stem] = before if before and before[0] == digest else (digest, self._report(content))
        self._known = known
        return {name: report for name, (_, report) in known.items() if report}

    def read_fleet(self) -> Mapping[str, object]:
        """The last report of the fleet; empty where there is none."""
        content = b""
        with contextlib.suppress(OSError):  # a file that cannot be read counts as absent
            content = self._files.read(self._of_fleet)
        if content != self._fleet[0]:
            self._fleet = (content, self._report(content))
        return self._fleet[1]

    def write_fleet(self, name: str, report: Mapping[str, object]) -> None:
        """Make the fleet's file equal to ``report``, or remove it where that is empty.

        Raises:
            ReconcilerError: the state directory cannot be written.
        """
        if report == self.read_fleet():
            return
        try:
            if report:
                text = self._text(name, report, kind="FleetStatus")
                self._replace(self._of_fleet, text)
                self._fleet = (text, report)
            else:
                self._files.remove(self._of_fleet)
        except OSError as error:
            raise ReconcilerError(f"{self._of_fleet}: the status cannot be written: {error.strerror}") from error

    def untouched(self) -> bool:
        """Whether no file was made, replaced or removed there since the last `write`."""
        return self._place is not None and self._place == self._files.place(self._directory)

    def last(self, names: Iterable[str]) -> dict[str, Mapping[str, object]]:
        """The last reports of these names, as they were read or written; the disk is not asked."""
        return {name: self._known[name][1] for name in names if name in self._known}

    def recorded(self) -> tuple[dict[str, Status], float]:
        """The statuses as last reported, and when a report last changed (Unix seconds; 0 where there is none)."""
        statuses = {name: as_status(name, report) for name, report in self.read().items()}
        times = [0.0]
        for path in self._files.reports(self._directory):
            with contextlib.suppress(OSError):
                times.append(self._files.changed_at(path))
        return {name: status for name, status in statuses.items() if status.conditions}, max(times)

    def write(self, statuses: Mapping[str, Status], *, all_of_them: bool = True) -> int:
        """Make the files equal to ``statuses``; how many had to change. ``all_of_them``: there is to be no other.

        Raises:
            ReconcilerError: the directory cannot be written.
        """
        changed = 0
        try:
            for name, status in statuses.items():
                report = as_report(status)
                digest, before = self._known.get(name, (b"", None))
                if report != before:
                    text = self._text(name, report)
                    changed += self._replace(self._directory / f"{name}.yaml", text)
                    digest = _digest(text)
                self._known[name] = (digest, report)  # also where it is equal: its history is the status's own
            for path in list(self._files.reports(self._directory)) if all_of_them else ():
                if path.stem not in statuses:
                    self._files.remove(path)
                    changed += 1
        except OSError as error:
            raise ReconcilerError(f"{self._directory}: the status cannot be written: {system_words(error)}") from error
        self._place = self._files.place(self._directory)
        return changed

    def _text(self, name: str, report: Mapping[str, object], kind: str = "FineTuningJobStatus") -> bytes:
        document = {
            "apiVersion": "reconciler/v1",
            "kind": kind,
            "metadata": {"name": name},
            "status": report,
        }
        # Imported here, as in `_report`: who neither writes nor reads a report needs no YAML (17 ms).
        from reconciler.state.yaml_form import as_yaml  # noqa: PLC0415

        return as_yaml(document).encode("utf-8")

    def _report(self, content: bytes) -> Mapping[str, object]:
        from reconciler.state.yaml_form import from_yaml  # noqa: PLC0415

        document = from_yaml(content)
        report = document.get("status") if isinstance(document, Mapping) else None
        return report if isinstance(report, Mapping) else {}

    def _replace(self, path: Path, text: bytes) -> bool:
        with contextlib.suppress(FileNotFoundError):
            if self._files.read(path) == text:
                return False
        temporary = path.with_name(f".{path.stem}.new")
        self._files.write(temporary, text)
        self._files.replace(temporary, path)
        return True


def as_item(status: Status) -> dict[str, object]:
    """A status as plain data, in the order in which it is shown."""
    return {"name": status.name, **as_report(status)}


def as_report(status: Status) -> dict[str, object]:
    """What its file says under ``status``; the name stands under ``metadata``."""
    report: dict[str, object] = dict(zip(_SHOWN, _shown_of(status), strict=True))
    report["conditions"] = [dict(zip(_CONDITION, _facts_of(c), strict=True)) for c in status.conditions]
    report["history"] = list(status.history)
    report["last_refusal"] = _last_refusal(status)
    return report


def as_status(name: str, report: Mapping[str, object]) -> Status:
    """A status as a report on disk holds it; what makes no sense there is unknown, and without *Synced* all of it."""
    conditions = tuple(_condition(c) for c in _maps(report, "conditions"))
    reasons = {c.type: c.reason for c in conditions}
    return Status(
        name=name,
        revision=_text(report, "revision"),
        job_id=_text(report, "job_id"),
        job_status=_text(report, "job_status"),
        fine_tuned_model=_text(report, "fine_tuned_model"),
        latest_model=_map(report, "latest_model", "model"),
        trained_tokens=_number(report, "trained_tokens"),
        estimated_finish=_number(report, "estimated_finish"),
        progress=_map(report, "progress", "step"),
        checkpoints=_maps(report, "checkpoints") or None,
        error={key: str(value) for key, value in (_map(report, "error", "message") or {}).items()} or None,
        conditions=conditions if {"Synced", "Succeeded"} <= reasons.keys() else (),
        history=tuple(job for job in _maps(report, "history") if "job_id" in job),
        created_at=_number(report, "created_at"),
        past=reasons.get("Synced") == "Done",
        refusal=_refusal(name, report),
    )


def _last_refusal(status: Status) -> Mapping[str, object] | None:
    """What the provider said to this very job, while that is why it waits; of all jobs the fleet's report tells."""
    refusal = status.refusal
    if refusal is None or refusal.name != status.name:
        return None
    return {"reason": str(refusal.reason), "message": refusal.message, "next_try": refusal.next_at}


def _refusal(name: str, report: Mapping[str, object]) -> Refusal | None:
    told = _map(report, "last_refusal", "message")
    at = None if told is None else _number(told, "next_try")
    if told is None or at is None:
        return None
    of_all = told.get("reason") == Reason.CREATE_REFUSED
    return Refusal(name, _text(report, "revision") or "", str(told["message"]), at, of_all=of_all)


def _text(report: Mapping[str, object], key: str) -> str | None:
    value = report.get(key)
    return value if isinstance(value, str) else None


def _number(report: Mapping[str, object], key: str) -> int | None:
    value = report.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _map(report: Mapping[str, object], key: str, needs: str) -> Mapping[str, object] | None:
    value = report.get(key)
    return value if isinstance(value, Mapping) and needs in value else None


def _maps(report: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    items = report.get(key)
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []


def _condition(report: Mapping[str, object]) -> Condition:
    since = report.get("last_transition_time")
    kind, status, reason, message = (str(report.get(key, "")) for key in _CONDITION[:4])
    return Condition(kind, status, reason, message, None if since is None else str(since))


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
