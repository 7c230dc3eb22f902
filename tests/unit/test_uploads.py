"""The training files of a pass: the same bytes are uploaded once, and several files beside each other."""

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from reconciler.cli.uploading import beside
from reconciler.core.documents import content_of
from reconciler.core.reason import Reason
from reconciler.engine.beside import Beside, one_by_one
from reconciler.errors import NotSent
from tests.fakes.faulty import Reply, Request, reply
from tests.fakes.fleets import FleetDirectory, apply_once
from tests.fakes.forgetful import ForgetfulServer, shows, with_metadata

MARKS = with_metadata(shows("model", "seed", "training_file", "validation_file"))


@pytest.fixture
def server() -> Iterator[ForgetfulServer]:
    with ForgetfulServer(read=MARKS, keeps_names=True) as running:
        yield running


@pytest.fixture
def fleet(tmp_path: Path, server: ForgetfulServer) -> FleetDirectory:
    """One whose marks have been seen to come back."""
    directory = FleetDirectory(tmp_path / "fleet")
    directory.job("first")
    apply_once(directory, server.base_url)
    return directory


def files_of(server: ForgetfulServer) -> list[object]:
    return [job.body["training_file"] for job in server.jobs]


def test_jobs_on_the_same_bytes_share_one_upload_in_one_pass(fleet: FleetDirectory, server: ForgetfulServer) -> None:
    fleet.data("other", 13)
    for name in "abc":
        fleet.job(name, training_file="data/other.jsonl")
    apply_once(fleet, server.base_url)
    assert len(server.jobs) == 4
    assert len(server.files) == 2
    assert set(files_of(server)[1:]) == {"file-2"}


def test_nor_does_it_matter_under_which_names_these_bytes_stand(fleet: FleetDirectory, server: ForgetfulServer) -> None:
    fleet.data("other", 13)
    shutil.copy(fleet.root / "data" / "other.jsonl", fleet.root / "data" / "copy.jsonl")
    fleet.job("a", training_file="data/other.jsonl", validation_file="data/copy.jsonl")
    fleet.job("b", training_file="data/copy.jsonl")
    apply_once(fleet, server.base_url)
    assert len(server.files) == 2
    fleet.job("c", training_file="data/copy.jsonl", suffix="x")
    apply_once(fleet, server.base_url)
    assert len(server.files) == 2
    assert server.jobs[-1].body["training_file"] == "file-2"


def test_nor_is_it_uploaded_again_after_the_state_directory_is_lost(
    fleet: FleetDirectory, server: ForgetfulServer, tmp_path: Path
) -> None:
    fleet.data("other", 13)
    fleet.job("a", training_file="data/other.jsonl")
    apply_once(fleet, server.base_url)
    fleet.job("b", training_file="data/other.jsonl")
    apply_once(fleet, server.base_url, state_dir=tmp_path / "another")
    assert (len(server.jobs), len(server.files)) == (3, 2)


def test_a_server_that_lists_no_files_gets_them_once_as_well(fleet: FleetDirectory, server: ForgetfulServer) -> None:
    server.lists_files = False
    fleet.data("other", 13)
    fleet.job("a", training_file="data/other.jsonl")
    apply_once(fleet, server.base_url)
    fleet.job("b", training_file="data/other.jsonl", validation_file="data/train.jsonl")
    apply_once(fleet, server.base_url)
    assert len(server.files) == 2, "the validation file is the training file of the very first job"


def test_a_file_that_was_deleted_there_is_uploaded_again(fleet: FleetDirectory, server: ForgetfulServer) -> None:
    fleet.data("other", 13)
    fleet.job("a", training_file="data/other.jsonl")
    apply_once(fleet, server.base_url)
    del server.files["file-2"]
    server.files["file-7"] = "somebody's.jsonl"
    fleet.job("b", training_file="data/other.jsonl")
    apply_once(fleet, server.base_url)
    assert min(map(content_of, server.files.values())).startswith("-")
    assert len(server.files) == 3


def test_a_recorded_id_that_is_another_file_by_now_is_not_used(fleet: FleetDirectory, server: ForgetfulServer) -> None:
    server.lists_files = False
    fleet.data("other", 13)
    fleet.job("a", training_file="data/other.jsonl")
    apply_once(fleet, server.base_url)
    server.files["file-2"] = "somebody's.jsonl"
    fleet.job("b", training_file="data/other.jsonl")
    apply_once(fleet, server.base_url)
    assert server.jobs[-1].body["training_file"] == "file-3"


def test_where_the_files_name_is_the_mark_each_attempt_has_its_own(tmp_path: Path, server: ForgetfulServer) -> None:
    server.read = shows("model", "seed", "training_file")
    fleet = FleetDirectory(tmp_path / "without")
    fleet.job("a", validation_file="data/train.jsonl")
    fleet.job("b")
    apply_once(fleet, server.base_url)
    names = [server.files[str(job.body["training_file"])].split(".")[1] for job in server.jobs]
    assert names == ["a", "b"]
    assert server.files[str(server.jobs[0].body["validation_file"])].startswith("train-")


def test_uploads_run_beside_each_other_and_creates_in_their_order(
    fleet: FleetDirectory, server: ForgetfulServer
) -> None:
    for number in range(4):
        fleet.data(f"d{number}", 13 + number)
        fleet.job(f"j{number}", training_file=f"data/d{number}.jsonl")
    together = threading.Barrier(4, timeout=20)

    def fault(request: Request, answer: Reply) -> Reply:
        if request.method == "POST" and request.path.endswith("/files"):
            together.wait()  # broken unless four are under way at once
        return answer

    server.fault = fault
    apply_once(fleet, server.base_url)
    assert [job.body["metadata"]["reconciler_job"] for job in server.jobs[1:]] == ["j0", "j1", "j2", "j3"]
    assert len(server.files) == 5


def test_an_upload_that_fails_fails_the_creates_that_need_it_alone(
    fleet: FleetDirectory, server: ForgetfulServer
) -> None:
    fleet.data("bad", 13)
    fleet.data("good", 14)
    fleet.job("a", training_file="data/bad.jsonl")
    fleet.job("b", training_file="data/good.jsonl")
    fleet.job("c", training_file="data/bad.jsonl", suffix="x")

    whole = server.answer
    server.answer = lambda request: reply({}, 400) if b'filename="bad-' in request.body else whole(request)
    outcomes = apply_once(fleet, server.base_url).outcomes
    assert {(o.name, o.ok) for o in outcomes} == {("a", False), ("b", True), ("c", False)}
    sent = [r for r in server.requests if b'filename="bad-' in r.body]
    assert len(sent) == 1, "once for both"


@pytest.mark.parametrize("work", [one_by_one, beside])
def test_work_beside_is_done_once_whatever_comes_of_it(work: Beside) -> None:
    done: list[str] = []

    def task(name: str) -> str:
        done.append(name)
        if name == "bad":
            raise NotSent("no connection")
        return name.upper()

    with work([lambda: task("a"), lambda: task("bad")]) as (first, second):
        assert [first(), first()] == ["A", "A"]
        for _ in range(2):
            with pytest.raises(NotSent):
                second()
    assert sorted(done) == ["a", "bad"]


def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    begun: list[int] = []
    go_on = threading.Event()

    def task(number: int) -> str:
        begun.append(number)
        go_on.wait(20)
        return ""

    with beside([lambda n=n: task(n) for n in range(9)]) as results:  # type: ignore[misc]
        pass
    go_on.set()
    with pytest.raises(CancelledError):
        results[-1]()
    assert len(begun) <= 4


def digest_of(fleet: FleetDirectory, stem: str) -> str:
    return f"sha256:{hashlib.sha256((fleet.root / 'data' / f'{stem}.jsonl').read_bytes()).hexdigest()}"


@pytest.mark.parametrize("listed", [True, False])
def test_bytes_that_were_uploaded_before_are_named_by_their_digest(
    fleet: FleetDirectory, server: ForgetfulServer, *, listed: bool
) -> None:
    server.lists_files = listed
    fleet.data("other", 13)
    fleet.job("a", training_file="data/other.jsonl")
    apply_once(fleet, server.base_url)
    fleet.job("b", training_file=digest_of(fleet, "other"), validation_file=digest_of(fleet, "train"))
    (fleet.root / "data" / "other.jsonl").rename(fleet.root / "gone")
    fleet.remove("a")
    apply_once(fleet, server.base_url)
    made = server.jobs[-1].body
    assert made["training_file"] == "file-2"
    assert made["validation_file"] == "file-1"
    assert len(server.files) == 2


def test_bytes_that_another_state_directory_uploaded_are_known_by_their_name_whatever_their_size(
    fleet: FleetDirectory, server: ForgetfulServer, tmp_path: Path
) -> None:
    fleet.data("other", 13)
    fleet.job("a", training_file="data/other.jsonl")
    apply_once(fleet, server.base_url)
    server.sizes["file-2"] = (fleet.root / "data" / "other.jsonl").stat().st_size
    fleet.job("b", training_file=digest_of(fleet, "other"))
    apply_once(fleet, server.base_url, state_dir=tmp_path / "another")
    assert server.jobs[-1].body["training_file"] == server.jobs[-2].body["training_file"] == "file-2"


def test_what_is_recorded_of_a_file_counts_before_a_name_that_anybody_can_give(
    fleet: FleetDirectory, server: ForgetfulServer
) -> None:
    fleet.data("other", 13)
    fleet.job("a", training_file="data/other.jsonl")
    apply_once(fleet, server.base_url)
    server.files = {"file-9": f"colleague{content_of(server.files['file-2'])}", **server.files}
    fleet.job("b", training_file=digest_of(fleet, "other"))
    apply_once(fleet, server.base_url)
    assert server.jobs[-1].body["training_file"] == "file-2"


def test_bytes_that_nobody_uploaded_make_no_job(fleet: FleetDirectory, server: ForgetfulServer) -> None:
    fleet.data("other", 13)
    fleet.job("a", training_file=digest_of(fleet, "other"))
    (outcome,) = apply_once(fleet, server.base_url).outcomes
    assert (outcome.ok, outcome.sent, outcome.reason) == (False, False, Reason.CREATE_REJECTED)
    assert f"no file there is known to hold the bytes {digest_of(fleet, 'other')}" in outcome.message
    assert len(server.jobs) == 1
    fleet.job("b", training_file="data/other.jsonl")
    apply_once(fleet, server.base_url)
    apply_once(fleet, server.base_url)
    assert [job.body["metadata"]["reconciler_job"] for job in server.jobs] == ["first", "b", "a"]


def test_a_file_whose_name_is_a_jobs_mark_is_not_named_by_its_digest(tmp_path: Path, server: ForgetfulServer) -> None:
    server.read = shows("model", "seed", "training_file")
    fleet = FleetDirectory(tmp_path / "without")
    fleet.job("a")
    apply_once(fleet, server.base_url)
    fleet.job("b", training_file=digest_of(fleet, "train"))
    apply_once(fleet, server.base_url)
    assert len(server.jobs) == 1


def test_each_file_is_spoken_of_in_the_turn_of_its_create(
    fleet: FleetDirectory, server: ForgetfulServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever order they are sent in: the same apply prints the same lines."""
    for number in range(4):
        fleet.data(f"d{number}", 13 + number)
        fleet.job(f"j{number}", training_file=f"data/d{number}.jsonl")
    fleet.job("j4", training_file="data/d0.jsonl")
    capsys.readouterr()
    apply_once(fleet, server.base_url)
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    said = [(e["event"], e["job"]) for e in events if e["event"] in {"file.awaited", "job.created"}]
    expected = [(event, f"j{number}") for number in range(4) for event in ("file.awaited", "job.created")]
    assert said == [*expected, ("job.created", "j4")]
