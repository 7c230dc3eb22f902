"""What is measured over: a fleet of so many manifests, and an account of so many jobs whose marks fit.

Pure. `fleets` writes the manifests, `server` serves the jobs; neither asks the program what it would make of them, so
that a row over another commit measures the same bytes.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

PAGE = 100
_BEGAN = 1_700_000_000  # Unix time of the oldest job
_MODEL = "gpt-4o-mini-2024-07-18"
_METHOD = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}}
# What became of the jobs of earlier revisions, over and over.
_ENDS = ("succeeded", "succeeded", "failed", "succeeded", "cancelled")


@dataclass(frozen=True, slots=True)
class Shape:
    """``manifests`` of one fleet; ``jobs`` of theirs at the provider, the newest ``live`` of which still run.

    Each manifest has one job of its revision. All others are history: ended jobs of earlier revisions.
    """

    manifests: int
    jobs: int
    live: int = 0

    def __post_init__(self) -> None:
        if not self.live <= self.manifests <= self.jobs:
            raise ValueError(f"{self}: each manifest has a job, and no more of them can run")

    @property
    def word(self) -> str:
        """As a step of a path, and as the name of a directory."""
        return f"{self.manifests}-{self.jobs}-{self.live}"

    @classmethod
    def of_word(cls, word: str) -> Self:
        """The shape of that word. Raises ValueError where it is none."""
        manifests, jobs, live = map(int, word.split("-"))
        return cls(manifests, jobs, live)

    @property
    def fleet(self) -> str:
        return f"bench-{self.word}"

    def __str__(self) -> str:
        running = f", {self.live} live" if self.live else ""
        return f"{self.manifests:,} manifests × {self.jobs:,} jobs{running}"


def name_of(index: int) -> str:
    """What the manifest of that number calls its job."""
    return f"model-{index:05}"


def _address(index: int) -> str:
    return f"10.{index // 65536}.{index // 256 % 256}.{index % 256}"


def record_document(index: int) -> str:
    """One DNS record in octoDNS's YAML."""
    return f"{name_of(index)}:\n  ttl: 300\n  type: A\n  value: {_address(index)}\n"


def records(shape: Shape) -> Iterator[tuple[str, bytes]]:
    """As many DNS records as manifests, by name and in JSON, for a peer to plan."""
    for index in range(shape.manifests):
        record = {"name": name_of(index), "type": "A", "ttl": 300, "value": _address(index)}
        yield str(record["name"]), json.dumps(record).encode()


def fleet_document(fleet: str) -> str:
    """The document that declares the fleet."""
    return (
        f"apiVersion: reconciler/v1\nkind: Fleet\nmetadata:\n  name: {fleet}\n"
        "spec:\n  provider: compatible\n  limits:\n    max_creates: 20\n"
    )


def manifest(index: int, seed: int = 7) -> str:
    """The document that declares one job, as a person writes it."""
    return f"""\
# Owned by team support.
apiVersion: reconciler/v1
kind: FineTuningJob
metadata:
  name: {name_of(index)}
  labels: {{team: support}}
spec:
  model: {_MODEL}
  training_file: file-{index:08}
  suffix: support
  seed: {seed}
  method:
    type: supervised
    supervised:
      hyperparameters:
        n_epochs: 3
  metadata: {{ticket: ML-{index}}}
"""


def revision(index: int, seed: int = 7) -> str:
    """The revision of that manifest, by the specification alone."""
    hashed = {
        "model": _MODEL,
        "training_file": f"file-{index:08}",
        "suffix": "support",
        "seed": seed,
        "method": _METHOD,
    }
    return hashlib.sha256(json.dumps(hashed, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


def jobs(shape: Shape) -> Iterator[tuple[str, bytes]]:
    """Id and JSON of each job, the newest first, as the API lists them."""
    for number in range(shape.jobs, 0, -1):
        job = _job(shape, number)
        yield str(job["id"]), json.dumps(job).encode()


def _job(shape: Shape, number: int) -> dict[str, Any]:
    """The job of that number, of which 1 is the oldest; the youngest are those of today's revisions."""
    age = shape.jobs - number
    index = age % shape.manifests
    current = age < shape.manifests
    # An earlier revision is one of another seed; there are as many as a manifest was edited.
    seed = 7 if current else 1000 + age // shape.manifests
    status = ("running" if age < shape.live else "succeeded") if current else _ENDS[number % len(_ENDS)]
    marks = {
        "reconciler_fleet": shape.fleet,
        "reconciler_job": name_of(index),
        "reconciler_revision": revision(index, seed),
        "reconciler_attempt": "1",
    }
    return job(f"ftjob-{number:020}", _BEGAN + number * 60, status, index=index, seed=seed, marks=marks)


def job(job_id: str, created: int, status: str, *, index: int, seed: int, marks: dict[str, str]) -> dict[str, Any]:
    """A job as the API shows it, with every field that it sends."""
    succeeded, live = status == "succeeded", status == "running"
    return {
        "object": "fine_tuning.job",
        "id": job_id,
        "model": _MODEL,
        "created_at": created,
        "finished_at": None if live else created + 1800,
        "fine_tuned_model": f"ft:{_MODEL}:acme:support:{job_id[-8:]}" if succeeded else None,
        "organization_id": "org-0123456789abcdef",
        "result_files": [f"file-result-{job_id[-8:]}"] if succeeded else [],
        "status": status,
        "validation_file": None,
        "training_file": f"file-{index:08}",
        "hyperparameters": {"n_epochs": 3, "batch_size": 1, "learning_rate_multiplier": 1.8},
        "trained_tokens": 5768 if succeeded else None,
        "error": {"code": "invalid_training_file", "message": "it cannot be read", "param": "training_file"}
        if status == "failed"
        else None,
        "user_provided_suffix": "support",
        "seed": seed,
        "estimated_finish": created + 3600 if live else None,
        "integrations": [],
        "metadata": {"ticket": f"ML-{index}", **marks},
        "usage_metrics": None,
        "shared_with_openai": False,
        "eval_id": None,
        "method": {
            "type": "supervised",
            "supervised": {"hyperparameters": {"n_epochs": 3, "batch_size": 1, "learning_rate_multiplier": 1.8}},
        },
    }
