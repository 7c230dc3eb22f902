"""A fleet at one kind of server, as the sandbox plays it, and the commands that are run over it.

`SERVERS` says how each is reached, and what identity can rest on there.
"""

import dataclasses
import itertools
from dataclasses import dataclass, field
from typing import Any

from reconciler.sandbox import Store
from reconciler.sandbox.job import Job
from reconciler.sandbox.lifecycle import TERMINAL, status
from tests.fakes.faulty import Proxy
from tests.fakes.fleets import FleetDirectory
from tests.fakes.shell import Ran, Shell
from tests.unit.sandbox.builders import a_job

KEY = "sk-a-key-that-must-appear-nowhere"


@dataclass(frozen=True)
class Server:
    """A mode as an operator meets it."""

    identity: str  # the strongest that it returns: marks | file | seed | id
    flags: tuple[str, ...] = ("--provider", "compatible")
    spec: dict[str, Any] = field(default_factory=dict)


SERVERS = {
    "openai": Server("marks"),
    "openai-2024": Server("file"),
    "azure": Server("file", ("--provider", "azure")),
    "azure-classic": Server("file", ("--provider", "azure", "--query", "api-version=2024-10-21")),
    "litellm": Server("file", ("--provider", "litellm")),
    "litellm-native": Server(
        "file",
        ("--provider", "litellm", "--query", "custom_llm_provider=openai"),
    ),
    "portkey": Server(
        "file",
        (
            *("--provider", "portkey", "--header", "x-portkey-api-key=$OPENAI_API_KEY"),
            *("--header", "x-portkey-provider=$PORTKEY_PROVIDER"),
        ),
    ),
    "nebius": Server("file", ("--provider", "nebius")),
    "llmariner": Server("seed"),
    "telnyx": Server("id", spec={"training_file": "file-on-their-side"}),
    "bare": Server("id"),
}


@dataclass
class Place:
    """A fleet, a server in one mode, and the commands that are run between them."""

    server: Server
    fleet: FleetDirectory
    ledger: Store
    base_url: str
    shell: Shell

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)

    def want(self, name: str = "a", **spec: Any) -> None:
        self.fleet.job(name, **{"suffix": "bot", **self.server.spec, **spec})

    def __call__(self, command: str, *arguments: object, via: Proxy | None = None) -> Ran:
        base_url = self.base_url if via is None else via.base_url
        return self.shell(command, self.fleet.root, "--base-url", base_url, *self.server.flags, *arguments)

    def apply(self, *arguments: object, via: Proxy | None = None) -> Ran:
        return self("apply", "--yes", "--first-run", *arguments, via=via)

    def apply_elsewhere(self) -> Ran:
        """On a machine that has never run it: without a state directory."""
        return self.apply("--state-dir", self.fleet.root.parent / f"runner-{next(self._numbers)}")

    def plan(self, *arguments: object, via: Proxy | None = None) -> list[str]:
        """What another apply would do, and why."""
        changes = self("plan", "-o", "json", *arguments, via=via).json["changes"]
        return sorted(f"{change['action']} {change['reason']}" for change in changes)

    @property
    def jobs(self) -> list[str]:
        """Every job that was ever made, the oldest first, by what became of it."""
        now = self.shell.clock.time()
        words = (status(job, now) for job in self.ledger.all_jobs())
        return [word if word in TERMINAL else "live" for word in words]

    def twin(self, **other: Any) -> None:
        """Another job like the newest, made by a rival; by a person, where something about it is ``other``."""
        newest = self.ledger.all_jobs()[-1]
        twin = dataclasses.replace(newest, id="ftjob-twin", created=newest.created + 5, made_as="", **other)
        self._keep(twin)

    def make_by_hand(self, job_id: str) -> None:
        """A job that nobody's manifest asks for."""
        now = self.shell.clock.time()
        self._keep(a_job(id=job_id, created=now, model="sandbox-slow", endless=True))

    def _keep(self, record: Job) -> None:
        self.ledger.add_job(record, lambda job, _: job)
