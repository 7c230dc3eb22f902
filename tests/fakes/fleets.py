"""Fleets on disk, and runs over them against any base URL, on a clock that does not sleep."""

import contextlib
import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from msgspec.structs import replace

from reconciler.cli.wiring import RunContext, run_context
from reconciler.clock import Clock
from reconciler.core.documents import ProviderName
from reconciler.core.gates import Permission
from reconciler.engine.apply import Listener, Patience, Result, apply
from reconciler.engine.steps import Decided, Pass
from reconciler.settings import Settings
from reconciler.source.directory import read_directory
from reconciler.source.known import Known
from tests.fakes.clocks import SkippingClock
from tests.fakes.manifests import as_json

# For servers of this machine: to load the certificates of the world takes longer than a hundred requests, and a
# connection that is kept would outlive its server.
LOOPBACK = httpx.Client(
    verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
)

BEGIN = Permission(first_run=True)
SILENT = Listener(
    announce=lambda _: None,
    wrote=lambda _: None,
    waiting=lambda _seconds, _what: None,
    waited=lambda: None,
    passed=lambda _: None,
)


class FleetDirectory:
    """A fleet directory that a test edits; everything it holds is valid until a test breaks it."""

    def __init__(self, root: Path, name: str = "fleet-1") -> None:
        self.root = root
        self.name = name
        (root / "data").mkdir(parents=True)
        self.fleet()
        self.data("train", 12)

    def fleet(self, **spec: Any) -> None:
        """Write the fleet document."""
        self._write("fleet.yaml", "Fleet", self.name, {"provider": "compatible", "data_checks": "off", **spec})

    def job(self, name: str, **spec: Any) -> None:
        """Write a job; ``slow`` (the default model) runs until it is cancelled."""
        fields = {"model": "sandbox-slow", "training_file": "data/train.jsonl", **spec}
        self._write(f"{name}.yaml", "FineTuningJob", name, fields)

    def data(self, stem: str, lines: int) -> None:
        """Write a training file."""
        messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
        text = "".join(json.dumps({"messages": messages, "n": i}) + "\n" for i in range(lines))
        (self.root / "data" / f"{stem}.jsonl").write_text(text)

    def remove(self, name: str) -> None:
        """Delete a job's manifest."""
        (self.root / f"{name}.yaml").unlink()

    def _write(self, path: str, kind: str, name: str, spec: dict[str, Any]) -> None:
        (self.root / path).write_text(as_json(kind, name, spec, indent=1))

    def times(self) -> dict[str, int]:
        """When each file was last changed, in nanoseconds."""
        return {str(p.relative_to(self.root)): p.stat().st_mtime_ns for p in self.root.rglob("*") if p.is_file()}


@contextlib.contextmanager
def run_of(
    directory: FleetDirectory,
    base_url: str,
    *,
    settle: float = 30.0,
    clock: Clock | None = None,
    writes: bool = True,
    known: Known | None = None,
    **settings: Any,
) -> Iterator[RunContext]:
    """One run over a fleet; ``settle`` seconds pass at once, unless a ``clock`` is given."""
    chosen = Settings(
        root=directory.root,
        provider=ProviderName.COMPATIBLE,
        base_url=base_url,
        settle=settle,
        log_format="json",
        **settings,
    )
    snapshot = read_directory(directory.root, (), known)
    with run_context(chosen, snapshot, writes=writes, clock=clock or SkippingClock(), known=known) as opened:
        yield opened


def apply_once(
    directory: FleetDirectory,
    base_url: str,
    *,
    permission: Permission = BEGIN,
    patience: Patience | None = None,
    announce: Callable[[Decided], None] = lambda _: None,
    passed: Callable[[Pass], None] = lambda _: None,
    waiting: Callable[[float, object], None] = lambda _seconds, _what: None,
    **settings: Any,
) -> Result:
    """`reconciler apply --yes`, in this process."""
    with run_of(directory, base_url, **settings) as opened:
        snapshot = read_directory(directory.root)
        listener = replace(SILENT, announce=announce, passed=passed, waiting=waiting)
        return apply(opened.reconciler, snapshot, permission, patience or Patience(), listener)


def jobs_at(base_url: str, **marks: str) -> list[dict[str, Any]]:
    """What the provider has, in the order it was made: the ledger, read without any code of ours."""
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        answer = LOOPBACK.get(
            f"{base_url}/fine_tuning/jobs", params={"limit": "100", **({"after": after} if after else {})}
        ).json()
        found += answer["data"]
        if not answer["has_more"]:
            break
        after = answer["data"][-1]["id"]
    chosen = [j for j in found if all((j["metadata"] or {}).get(f"reconciler_{k}") == v for k, v in marks.items())]
    return chosen[::-1]


def live(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that have not ended."""
    return [j for j in jobs if j["status"] not in {"succeeded", "failed", "cancelled"}]


_CHATS = 10 * b'{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}\n'
_PAIRS = 10 * (
    b'{"input": {"messages": [{"role": "user", "content": "q"}]}, "preferred_output": [{"role": "assistant", '
    b'"content": "a"}], "non_preferred_output": [{"role": "assistant", "content": "b"}]}\n'
)


def make_job(base_url: str, **body: Any) -> str:
    """A job that somebody else makes."""
    form = {"purpose": "fine-tune"}
    content = _PAIRS if "dpo" in str(body.get("method")) else _CHATS
    file_id = LOOPBACK.post(f"{base_url}/files", data=form, files={"file": ("x.jsonl", content)}).json()["id"]
    answer = LOOPBACK.post(
        f"{base_url}/fine_tuning/jobs", json={"model": "sandbox-slow", "training_file": file_id, **body}
    )
    return str(answer.json()["id"])
