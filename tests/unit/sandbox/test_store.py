"""What lasts, what is shared, and what reading leaves untouched."""

from __future__ import annotations

import json
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest

from reconciler.sandbox import SandboxError, Store
from reconciler.sandbox.job import dump, load

from .builders import A_LIFE, JOBS, Api, a_clock, a_job, an_api, examples

if TYPE_CHECKING:
    from pathlib import Path


def _state(directory: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in [directory, *directory.rglob("*")]
    }


def test_restart_keeps_jobs_and_files(tmp_path: Path) -> None:
    clock = a_clock()
    with an_api(tmp_path, clock) as api:
        job = api.create(metadata={"team": "maps"})
        file = api.get(f"/v1/files/{job['training_file']}")
        api.http.post(f"{JOBS}/{job['id']}/pause")
    clock.sleep(A_LIFE)
    with an_api(tmp_path, clock) as api:
        assert api.job(job["id"])["status"] == "paused"
        api.http.post(f"{JOBS}/{job['id']}/resume")
        finished = api.after_a_life(job["id"])
        assert finished["status"] == "succeeded"
        assert finished["metadata"] == {"team": "maps"}
        assert api.get(f"/v1/files/{file['id']}") == file
        assert api.http.get(f"/v1/files/{file['id']}/content").content == examples()


def test_job_keeps_the_speed_it_was_created_with(tmp_path: Path) -> None:
    clock = a_clock()
    with an_api(tmp_path, clock, speed=1.0) as api:
        job = api.create()
    clock.sleep(3)
    with an_api(tmp_path, clock, speed=1000.0) as api:
        assert api.job(job["id"])["status"] == "running"


def test_reading_writes_nothing(tmp_path: Path) -> None:
    clock = a_clock()
    with an_api(tmp_path, clock) as api:
        job = api.create()
        before = _state(tmp_path)
        for _ in range(4):
            for path in ("", f"/{job['id']}", f"/{job['id']}/events", f"/{job['id']}/checkpoints"):
                api.get(f"{JOBS}{path}")
            api.get("/v1/files")
            api.http.get(f"/v1/files/{job['training_file']}/content")
            api.get("/v1/models")
            clock.sleep(4)
        assert _state(tmp_path) == before
        # The state would show a write.
        api.upload()
        assert _state(tmp_path) != before


def test_reopening_writes_nothing(tmp_path: Path) -> None:
    with an_api(tmp_path) as api:
        api.create()
    before = _state(tmp_path)
    with an_api(tmp_path) as api:
        api.get(JOBS)
    assert _state(tmp_path) == before


def test_two_sandboxes_on_one_directory_see_the_same_jobs(tmp_path: Path) -> None:
    clock = a_clock()
    with an_api(tmp_path, clock) as one, an_api(tmp_path, clock) as other:
        first = one.create()["id"]
        second = other.create(training_file=one.upload())["id"]
        assert [job["id"] for job in one.get(JOBS)["data"]] == [second, first]
        assert one.http.post(f"{JOBS}/{second}/cancel").status_code == 200
        assert other.job(second)["status"] == "cancelled"


def test_writes_of_two_sandboxes_wait_for_each_other(tmp_path: Path) -> None:
    clock = a_clock()
    with an_api(tmp_path, clock) as one, an_api(tmp_path, clock) as other:
        training_file = one.upload()

        def create_many(api: Api) -> None:
            for _ in range(10):
                api.create(training_file=training_file, suffix="fail-server-once")

        threads = [threading.Thread(target=create_many, args=(api,)) for api in (one, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        clock.sleep(A_LIFE)
        statuses = [job["status"] for job in one.get(JOBS, limit=100)["data"]]
    assert sorted(statuses) == ["failed", *["succeeded"] * 19]


def test_stores_opened_at_once_on_a_new_directory_agree(tmp_path: Path) -> None:
    opened: list[Store] = []
    threads = [threading.Thread(target=lambda: opened.append(Store(tmp_path / "new"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.all_jobs() for store in opened] == [[]] * 4
    for store in opened:
        store.close()


def test_deleted_file_leaves_its_job_and_no_content(tmp_path: Path) -> None:
    with an_api(tmp_path) as api:
        job = api.create()
        api.http.delete(f"/v1/files/{job['training_file']}")
        assert list((tmp_path / "files").iterdir()) == []
        assert api.after_a_life(job["id"])["status"] == "succeeded"


def test_job_that_an_earlier_release_kept_is_read(tmp_path: Path) -> None:
    fields = json.loads(dump(a_job()))
    del fields["auto"], fields["extra"], fields["made_as"]
    assert load(json.dumps(fields)) == a_job()


def test_unusable_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "occupied").write_text("a file")
    with pytest.raises(SandboxError, match="cannot use the sandbox directory"):
        Store(tmp_path / "occupied")


def test_foreign_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sandbox.db").write_text("no database at all, but long enough to be looked at" * 100)
    with pytest.raises(SandboxError, match="not a database"):
        Store(tmp_path)


def test_database_of_another_version_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "sandbox.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(SandboxError, match="version 99"):
        Store(tmp_path)
