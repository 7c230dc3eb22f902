"""A server that keeps its jobs and shows little of them: what gateways do to metadata, seeds, suffixes and names.

Real sockets on loopback. ``jobs`` is the ledger: every job that was made, with the body that asked for it.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.faulty import Answer, FaultyServer, Reply, Request, reply


@dataclass
class Made:
    """One job as it really is."""

    id: str
    body: Mapping[str, Any]
    status: str = "running"


Show = Callable[[Made], dict[str, Any]]


def shows(*fields: str, **others: Callable[[Made], Any]) -> Show:
    """The id, the status, and of the body these ``fields`` as they were sent; ``others`` says how others come back."""

    def show(job: Made) -> dict[str, Any]:
        answer = {"id": job.id, "status": job.status} | {f: job.body[f] for f in fields if f in job.body}
        return answer | {name: how(job) for name, how in others.items()}

    return show


SEED_AND_MODEL = shows("model", "seed")
NOTHING = shows()


@dataclass
class ForgetfulServer(FaultyServer):
    """``create`` shapes the answer to a create, ``read`` every other one; ``fault`` changes answers after the deed.

    ``files`` are the names of uploads by id, where ``keeps_names``: else it has one file, and every upload is that one.
    ``sizes`` are what it says of them in bytes, where it does.
    """

    read: Show = SEED_AND_MODEL
    create: Show | None = None
    fault: Callable[[Request, Reply], Reply] = lambda _, answer: answer
    jobs: list[Made] = field(default_factory=list)
    keeps_names: bool = False
    lists_files: bool = True
    files: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    _one: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        super().__init__(lambda request: self.fault(request, self._in_turn(request)))

    def make(self, status: str = "running", **body: Any) -> Made:
        """Somebody makes a job."""
        job = Made(f"ftjob-{len(self.jobs) + 1}", body, status)
        self.jobs.append(job)
        return job

    def _in_turn(self, request: Request) -> Reply:
        with self._one:
            return self._serve(request)

    def _serve(self, request: Request) -> Reply:
        path = request.path.partition("?")[0].removeprefix("/v1")
        if path.startswith("/files") and self.keeps_names:
            return self._file(request, path.removeprefix("/files").strip("/"))
        files: dict[str, Any] = {"object": "list", "data": [], "has_more": False}
        if path == "/files" and request.method == "GET":
            return reply(files)
        if path.startswith("/files"):
            return reply({"id": "file-1", "filename": "train.jsonl", "status": "processed", "purpose": "fine-tune"})
        if request.creates:
            return reply((self.create or self.read)(self.make(**request.json)))
        if path == "/fine_tuning/jobs":
            return reply({"object": "list", "data": [self.read(j) for j in self.jobs[::-1]], "has_more": False})
        job_id, _, deed = path.removeprefix("/fine_tuning/jobs/").partition("/")
        job = next((j for j in self.jobs if j.id == job_id), None)
        if job is None:
            return reply({"error": {"message": "no such job"}}, 404)
        if deed == "cancel":
            job.status = "cancelled"
        return reply({"data": [], "has_more": False} if deed in {"events", "checkpoints"} else self.read(job))

    def _file(self, request: Request, file_id: str) -> Reply:
        if request.method == "POST":
            file_id = f"file-{len(self.files) + 1}"
            self.files[file_id] = request.body.partition(b'filename="')[2].partition(b'"')[0].decode()
        elif not file_id:
            listed = [self._shown(one) for one in self.files] if self.lists_files else []
            return reply({"object": "list", "data": listed, "has_more": False})
        if file_id not in self.files:
            return reply({"error": {"message": "no such file"}}, 404)
        return reply(self._shown(file_id))

    def _shown(self, file_id: str) -> dict[str, Any]:
        shown = {"id": file_id, "filename": self.files[file_id], "status": "processed", "purpose": "fine-tune"}
        return shown | ({"bytes": self.sizes[file_id]} if file_id in self.sizes else {})


def after_creating(fault: Reply) -> Callable[[Request, Reply], Reply]:
    """The job is made, and the answer to its create is another."""
    return lambda request, answer: fault if request.creates else answer


def swallowing(server: ForgetfulServer, fault: Reply) -> Answer:
    """The job is never made, and ``fault`` is all that comes back."""
    whole = server.answer
    return lambda request: fault if request.creates else whole(request)


def with_metadata(show: Show) -> Show:
    """The same, with the metadata that was sent."""
    return lambda job: {**show(job), "metadata": job.body["metadata"]}
