"""`files`: what the fleet uploaded and what needs it; nothing else is ever deleted. The server's ledger judges."""

import hashlib
import re
from dataclasses import replace

from tests.fakes.faulty import Proxy, Reply, Request, reply
from tests.fakes.fleets import LOOPBACK, FleetDirectory, jobs_at, make_job
from tests.fakes.shell import Ran, Shell

PRUNE = ("--prune-unused", "--settle", "0")


def apply(shell: Shell, fleet: FleetDirectory) -> Ran:
    return shell("apply", fleet.root, "--yes", "--first-run", "--settle", "0")


def files_at(server: Proxy) -> dict[str, str]:
    """The names of all files by id, read without any code of ours."""
    return {file["id"]: file["filename"] for file in LOOPBACK.get(f"{server.base_url}/files").json()["data"]}


def upload(server: Proxy, name: str, content: bytes = b"{}\n") -> str:
    """A colleague uploads a file by hand."""
    form = {"purpose": "fine-tune"}
    file_id: str = LOOPBACK.post(f"{server.base_url}/files", data=form, files={"file": (name, content)}).json()["id"]
    return file_id


def shown(ran: Ran) -> dict[str, tuple[str, list[str], int]]:
    return {
        f["name"].split(".")[0].split("-")[0]: (f["use"], f["manifests"], len(f["jobs"])) for f in ran.json["files"]
    }


def two_jobs(shell: Shell, fleet: FleetDirectory) -> None:
    """Two applied jobs, each on bytes of its own; marks have been seen to come back."""
    fleet.job("a")
    apply(shell, fleet)
    fleet.data("other", 13)
    fleet.job("b", training_file="data/other.jsonl")
    assert apply(shell, fleet).code == 0


def test_it_says_what_needs_each_file_and_writes_nothing(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    two_jobs(shell, fleet)
    upload(server, "colleague.jsonl")
    upload(server, f"train-{hashlib.sha256(b'x').hexdigest()[:16]}.jsonl")
    upload(server, "another-fleet.a.0123456789abcdef.1.jsonl")
    before = fleet.times()
    ran = shell("files", fleet.root, "-o", "json")
    assert ran.code == 0
    assert shown(ran) == {"fleet": ("used", ["a"], 1), "other": ("used", ["b"], 1), "train": ("unknown", [], 0)}
    assert fleet.times() == before
    text = shell("files", fleet.root).out
    assert "3 files, none unused; of 1 nobody here knows who uploaded it" in text
    assert "colleague" not in text


def test_only_what_no_manifest_and_no_live_job_needs_is_deleted(
    shell: Shell, fleet: FleetDirectory, server: Proxy
) -> None:
    two_jobs(shell, fleet)
    strangers = [upload(server, "colleague.jsonl"), upload(server, "train-0123456789abcdef.jsonl")]
    fleet.remove("b")
    ran = shell("files", fleet.root, *PRUNE, "--yes", "-o", "json")
    assert (ran.code, ran.json["deleted"]) == (0, []), "its job is live"
    assert apply(shell, fleet).code == 0
    there = files_at(server)
    ran = shell("files", fleet.root, *PRUNE, "--yes", "-o", "json")
    (deleted,) = ran.json["deleted"]
    assert (ran.code, deleted["ok"]) == (0, True)
    assert there.keys() - files_at(server).keys() == {deleted["id"]}
    assert there[deleted["id"]].startswith("other-")
    assert set(strangers) < files_at(server).keys()
    assert shown(shell("files", fleet.root, "-o", "json"))["fleet"] == ("used", ["a"], 1)
    fleet.job("b", training_file="data/other.jsonl", rerun=1)
    assert apply(shell, fleet).code == 0, "it is uploaded again where it is needed again"


def test_a_live_job_of_anybody_keeps_its_files(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    two_jobs(shell, fleet)
    fleet.remove("b")
    apply(shell, fleet)
    file_id = next(one for one, name in files_at(server).items() if name.startswith("other-"))
    colleague = upload(server, "colleague.jsonl", (fleet.root / "data" / "train.jsonl").read_bytes())
    make_job(server.base_url, model="sandbox-slow", training_file=colleague, validation_file=file_id)
    assert shell("files", fleet.root, *PRUNE, "--yes", "-o", "json").json["deleted"] == []
    assert file_id in files_at(server)


def test_nobody_is_asked_without_a_terminal(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    two_jobs(shell, fleet)
    fleet.remove("b")
    apply(shell, fleet)
    before = files_at(server)
    ran = shell("files", fleet.root, *PRUNE)
    assert (ran.code, files_at(server)) == (64, before)
    assert "say --yes" in ran.err


def test_in_doubt_nothing_is_deleted(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    two_jobs(shell, fleet)
    fleet.remove("b")
    apply(shell, fleet)
    before = files_at(server)
    (fleet.root / "broken.yaml").write_text("a: [")
    assert shell("files", fleet.root, *PRUNE, "--yes").code == 1
    (fleet.root / "broken.yaml").unlink()
    (fleet.root / "unmounted").mkdir()
    assert shell("files", fleet.root, *PRUNE, "--yes").code == 3
    (fleet.root / "unmounted").rmdir()
    fleet.fleet(state="suspended")
    assert shell("files", fleet.root, *PRUNE, "--yes").code == 3
    fleet.fleet()
    server.fault = lambda request, answer: reply({}, 500) if "fine_tuning/jobs" in request.path else answer
    assert shell("files", fleet.root, *PRUNE, "--yes").code == 1
    server.fault = lambda _request, answer: answer
    assert files_at(server) == before


def test_a_delete_that_fails_is_told_and_sent_once(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    two_jobs(shell, fleet)
    fleet.remove("b")
    apply(shell, fleet)
    deletes: list[str] = []

    def fault(request: Request, answer: Reply) -> Reply:
        if request.method != "DELETE":
            return answer
        deletes.append(request.path)
        return reply({}, 500)

    server.fault = fault
    ran = shell("files", fleet.root, *PRUNE, "--yes", "-o", "json")
    assert (ran.code, [one["ok"] for one in ran.json["deleted"]], len(deletes)) == (1, [False], 1)


def test_jobs_are_left_as_they_are(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    two_jobs(shell, fleet)
    before = [(job["id"], job["status"]) for job in jobs_at(server.base_url)]
    shell("files", fleet.root, *PRUNE, "--yes")
    assert [(job["id"], job["status"]) for job in jobs_at(server.base_url)] == before


def test_where_no_file_has_a_time_only_those_that_were_uploaded_from_here_are_deleted(
    shell: Shell, fleet: FleetDirectory, server: Proxy
) -> None:
    two_jobs(shell, fleet)
    fleet.remove("b")
    apply(shell, fleet)
    rival = upload(server, f"{fleet.name}.z.0123456789abcdef.1.jsonl")
    answer = server.answer
    server.answer = lambda request: timeless(answer(request)) if "/files" in request.path else answer(request)
    ran = shell("files", fleet.root, *PRUNE, "--yes", "-o", "json")
    assert {f["use"] for f in ran.json["files"] if f["id"] == rival} == {"unused"}
    assert len(ran.json["deleted"]) == 1
    assert rival in files_at(server), "a job may have been made of it a moment ago"


def timeless(answer: Reply) -> Reply:
    body = re.sub(rb'"created_at": ?[0-9]+', b'"created_at": null', answer.body)
    headers = {name: value for name, value in answer.headers.items() if name.lower() != "content-length"}
    return replace(answer, body=body, headers=headers)
