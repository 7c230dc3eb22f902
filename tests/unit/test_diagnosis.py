"""What a server can do, in words: each finding from what was seen, and what safety rests on."""

from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.core.diagnosis import Can, Facts, advice, diagnose
from reconciler.core.memory import Memory
from tests.fakes.builders import job, memory, record

EVERYTHING = frozenset({"events", "checkpoints", "files", "models"})
SHOWN = {"id": "j1", "method": {"type": "supervised"}, "metadata": {"a": "b"}}
FULL = replace(job(created=200), seed=7, suffix="s", training_file="file-1")
BARE = job("j2", marked=False)


def found(**facts: Any) -> dict[str, Can]:
    seen: dict[str, Any] = {"memory": memory(), "jobs": (FULL,), "pages": 1, "shown": SHOWN, "answered": EVERYTHING}
    seen |= {"filters": True, "fleet": "fleet-1"}
    return {f.capability: f.can for f in diagnose(Facts(**(seen | facts))).findings}


def test_a_server_that_shows_everything_lacks_nothing() -> None:
    assert set(found(memory=memory(files=True)).values()) == {Can.YES}
    whole = diagnose(Facts(memory=memory(echoes=True), jobs=(FULL,), shown=SHOWN, answered=EVERYTHING, filters=True))
    assert (whole.identity, whole.missing, list(advice(whole))) == ("marks", (), [])


@pytest.mark.parametrize(
    ("facts", "capability", "can"),
    [
        ({"errors": {"listing": "HTTP 500"}}, "listing", Can.NO),
        ({"errors": {"retrieve": "HTTP 404"}}, "retrieve", Can.NO),
        ({"shown": None}, "retrieve", Can.UNKNOWN),
        ({"memory": memory(echoes=False)}, "metadata", Can.NO),
        ({"jobs": (BARE,), "shown": {}}, "metadata", Can.UNKNOWN),
        ({"jobs": (BARE,)}, "metadata", Can.YES),
        ({"filters": False}, "filter", Can.NO),
        ({"filters": None}, "filter", Can.UNKNOWN),
        ({"errors": {"filter": "HTTP 400"}}, "filter", Can.NO),
        ({"jobs": (BARE,)}, "seed", Can.NO),
        ({"jobs": (BARE,), "memory": memory(echoes=False, seeds=True)}, "seed", Can.YES),
        ({"jobs": ()}, "seed", Can.UNKNOWN),
        ({"jobs": (BARE,)}, "suffix", Can.UNKNOWN),
        ({"jobs": (BARE,)}, "training_file", Can.NO),
        ({"jobs": (BARE,)}, "file_name", Can.NO),
        ({"jobs": (BARE,), "memory": memory(echoes=True)}, "file_name", Can.UNKNOWN),
        ({"jobs": ()}, "file_name", Can.UNKNOWN),
        ({"jobs": (replace(BARE, file_name="x.jsonl"),)}, "file_name", Can.YES),
        ({"shown": {"method": None}}, "method", Can.NO),
        ({"shown": {"method": {"type": "mystery"}}}, "method", Can.NO),
        ({"shown": None}, "method", Can.UNKNOWN),
        ({"errors": {"events": "HTTP 404"}}, "events", Can.NO),
        ({"answered": frozenset()}, "checkpoints", Can.UNKNOWN),
        ({"answered": frozenset(), "memory": memory(lacks=frozenset({"checkpoints"}))}, "checkpoints", Can.NO),
        ({"errors": {"files": "HTTP 404"}}, "files", Can.NO),
        ({"errors": {"models": "HTTP 404"}}, "models", Can.NO),
    ],
)
def test_a_finding_is_what_was_seen(facts: dict[str, Any], capability: str, can: Can) -> None:
    assert found(**facts)[capability] is can


@pytest.mark.parametrize(
    ("remembers", "identity", "advised"),
    [
        (memory(echoes=True), "marks", False),
        (memory(echoes=False, files=True, seeds=True), "file", False),
        (memory(echoes=False, files=True), "file", False),
        (memory(echoes=False, seeds=True), "seed", True),
        (memory(echoes=False), "id", True),
        (memory(), "", False),
    ],
)
def test_what_identity_rests_on(remembers: Memory, identity: str, advised: bool) -> None:
    told = diagnose(Facts(memory=remembers))
    assert (told.identity, bool(list(advice(told)))) == (identity, advised)


def test_without_a_listing_a_person_is_told_what_to_check() -> None:
    told = diagnose(Facts(memory=memory(), errors={"listing": "HTTP 404"}))
    assert [f.capability for f in told.missing] == ["listing"]
    assert next(advice(told)).startswith("check the base URL")


def test_the_order_of_a_listing_is_named() -> None:
    older = replace(FULL, id="j0", created_at=1)
    for jobs, said in (((FULL, older), "newest first"), ((older, FULL), "in another order")):
        assert said in diagnose(Facts(memory=memory(), jobs=jobs, pages=1)).findings[0].seen


def test_whose_the_jobs_are_is_counted() -> None:
    jobs = (FULL, replace(BARE, id="j3"), replace(BARE, id="j4"), job("j5", fleet="other"), BARE)
    remembers = memory(records=[record("j3")], others=frozenset({"j4"}))
    told = diagnose(Facts(memory=remembers, fleet="fleet-1", jobs=jobs, pages=1)).findings[0].seen
    assert told.startswith("jobs: 5 (this fleet's 2, other fleets' 2, unmanaged 1), pages: 1")
