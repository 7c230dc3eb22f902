"""What a server can do, in words: each finding from what was seen, and what safety rests on."""

from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.core.diagnosis import Can, Capability, Reads, advice, diagnose
from reconciler.core.memory import Memory
from tests.fakes.builders import job, memory, record

EVERYTHING = frozenset({"events", "checkpoints", "files", "models"})
SHOWN = {"id": "j1", "method": {"type": "supervised"}, "metadata": {"a": "b"}}
FULL = replace(job(created=200), seed=7, suffix="s", training_file="file-1")
BARE = job("j2", marked=False)
BY_FILE = "jobs are known by their training file's name, and by their seed where it comes back"


def capabilities(**facts: Any) -> tuple[Capability, ...]:
    seen: dict[str, Any] = {"memory": memory(), "jobs": (FULL,), "pages": 1, "shown": SHOWN, "answered": EVERYTHING}
    seen |= {"filters": True, "fleet": "fleet-1"}
    return diagnose(Reads(**(seen | facts))).capabilities


def found(**facts: Any) -> dict[str, Can]:
    return {finding.name: finding.can for finding in capabilities(**facts)}


def test_a_server_that_shows_everything_lacks_nothing() -> None:
    assert set(found(memory=memory(files=True)).values()) == {Can.YES}
    whole = diagnose(Reads(memory=memory(echoes=True), jobs=(FULL,), shown=SHOWN, answered=EVERYTHING, filters=True))
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
        ({"shown": {}}, "metadata", Can.YES),
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


REFUSED = {name: f"HTTP {401 + n}" for n, name in enumerate(("listing", "retrieve", "filter", *sorted(EVERYTHING)))}


@pytest.mark.parametrize(
    ("facts", "rows"),
    [
        pytest.param(
            {"memory": memory(echoes=True, files=True)},
            [
                (
                    "listing",
                    Can.YES,
                    "jobs: 1 (this fleet's 1, other fleets' 0, unmanaged 0), pages: 1, newest first",
                    "it is walked to its end before anything is written",
                ),
                ("retrieve", Can.YES, "answered", "a job is looked at once more before it is cancelled"),
                ("metadata", Can.YES, "our marks came back", "a job bears our marks, whoever asks"),
                (
                    "filter",
                    Can.YES,
                    "jobs are found by their metadata",
                    "no safety rests on it: whose a job is, is matched here",
                ),
                ("seed", Can.YES, "1 of 1 jobs show it", "a lost create can be found again by it"),
                ("suffix", Can.YES, "1 of 1 jobs show one", "it tells apart what has the same seed"),
                ("training_file", Can.YES, "1 of 1 jobs show it", "an adopted job is compared by it"),
                (
                    "file_name",
                    Can.YES,
                    "that of a job's training file comes back",
                    "a job is known by it where its marks do not come back",
                ),
                ("method", Can.YES, "shown", "a job that is trained otherwise than asked is noticed"),
                ("events", Can.YES, "answered", "how far a job is, is read from them"),
                ("checkpoints", Can.YES, "answered", "they are shown"),
                ("files", Can.YES, "answered", "a training file that is there is not uploaded again"),
                ("models", Can.YES, "answered", "whether a model exists can be looked up"),
            ],
            id="everything is shown",
        ),
        pytest.param(
            {
                "memory": memory(echoes=False),
                "jobs": (BARE,),
                "shown": {},
                "answered": frozenset(),
                "errors": REFUSED,
                "filters": None,
            },
            [
                ("listing", Can.NO, "HTTP 401", "nothing is created and nothing is cancelled here"),
                ("retrieve", Can.NO, "HTTP 402", "no job is cancelled here"),
                (
                    "metadata",
                    Can.NO,
                    "jobs of ours came back without their marks",
                    "a job is known by the next best that comes back",
                ),
                ("filter", Can.NO, "HTTP 403", "no safety rests on it: whose a job is, is matched here"),
                ("seed", Can.NO, "0 of 1 jobs show it", "it is no trace of a job"),
                ("suffix", Can.UNKNOWN, "no job shows one", "known once there is a job of this fleet"),
                (
                    "training_file",
                    Can.NO,
                    "0 of 1 jobs show it",
                    "what an adopted job was trained on cannot be checked",
                ),
                ("file_name", Can.NO, "none of 1 jobs leads to one", "a job cannot be known by its file"),
                ("method", Can.NO, "not shown", "a method that a gateway drops goes unnoticed"),
                ("events", Can.NO, "HTTP 405", "how far a job is cannot be told"),
                ("checkpoints", Can.NO, "HTTP 404", "none are shown; no safety lost"),
                ("files", Can.NO, "HTTP 406", "training files are uploaded again where it is needed"),
                ("models", Can.NO, "HTTP 407", "whether a model exists cannot be looked up; no safety lost"),
            ],
            id="nothing is shown",
        ),
        pytest.param(
            {"jobs": (), "pages": 0, "shown": None, "answered": frozenset(), "filters": None},
            [
                ("listing", Can.YES, "it is empty", "it is walked to its end before anything is written"),
                ("retrieve", Can.UNKNOWN, "not asked", "known once there is a job of this fleet"),
                ("metadata", Can.UNKNOWN, "no job with any is listed", "known once there is a job of this fleet"),
                (
                    "filter",
                    Can.UNKNOWN,
                    "no job with marks is listed",
                    "no safety rests on it: whose a job is, is matched here",
                ),
                ("seed", Can.UNKNOWN, "no job is listed", "known once there is a job of this fleet"),
                ("suffix", Can.UNKNOWN, "no job shows one", "known once there is a job of this fleet"),
                ("training_file", Can.UNKNOWN, "no job is listed", "known once there is a job of this fleet"),
                ("file_name", Can.UNKNOWN, "not asked", "where marks come back it is not needed"),
                ("method", Can.UNKNOWN, "no job to look at", "known once there is a job of this fleet"),
                ("events", Can.UNKNOWN, "not asked", "known once there is a job of this fleet"),
                ("checkpoints", Can.UNKNOWN, "not asked", "known once there is a job of this fleet"),
                ("files", Can.UNKNOWN, "not asked", "known once there is a job of this fleet"),
                ("models", Can.UNKNOWN, "not asked", "known once there is a job of this fleet"),
            ],
            id="nothing is asked",
        ),
        pytest.param(
            {
                "memory": memory(seeds=True, lacks=frozenset({"checkpoints"})),
                "jobs": (BARE,),
                "filters": False,
                "answered": frozenset(),
            },
            [
                (
                    "listing",
                    Can.YES,
                    "jobs: 1 (this fleet's 0, other fleets' 0, unmanaged 1), pages: 1, newest first",
                    "it is walked to its end before anything is written",
                ),
                ("retrieve", Can.YES, "answered", "a job is looked at once more before it is cancelled"),
                ("metadata", Can.YES, "that of other jobs comes back", "a job bears our marks, whoever asks"),
                (
                    "filter",
                    Can.NO,
                    "jobs are not found by their metadata",
                    "no safety rests on it: whose a job is, is matched here",
                ),
                ("seed", Can.YES, "the one that was sent came back", "a lost create can be found again by it"),
                ("suffix", Can.UNKNOWN, "no job shows one", "known once there is a job of this fleet"),
                (
                    "training_file",
                    Can.NO,
                    "0 of 1 jobs show it",
                    "what an adopted job was trained on cannot be checked",
                ),
                ("file_name", Can.NO, "none of 1 jobs leads to one", "a job cannot be known by its file"),
                ("method", Can.YES, "shown", "a job that is trained otherwise than asked is noticed"),
                ("events", Can.UNKNOWN, "not asked", "known once there is a job of this fleet"),
                ("checkpoints", Can.NO, "a pass has found none", "none are shown; no safety lost"),
                ("files", Can.UNKNOWN, "not asked", "known once there is a job of this fleet"),
                ("models", Can.UNKNOWN, "not asked", "known once there is a job of this fleet"),
            ],
            id="seeds alone come back",
        ),
    ],
)
def test_each_finding_says_what_was_seen_and_what_follows(
    facts: dict[str, Any], rows: list[tuple[str, Can, str, str]]
) -> None:
    assert [(f.name, f.can, f.seen, f.means) for f in capabilities(**facts)] == rows


@pytest.mark.parametrize(
    ("remembers", "identity", "means"),
    [
        (memory(echoes=True), "marks", "every promise holds here, also without the state directory"),
        (memory(echoes=False, files=True, seeds=True), "file", BY_FILE),
        (memory(echoes=False, files=True), "file", BY_FILE),
        (
            memory(echoes=False, seeds=True),
            "seed",
            "jobs are known by their seed: they are kept and never cancelled; keep the state directory",
        ),
        (
            memory(echoes=False),
            "id",
            "jobs are known by their ids in the state directory alone: without it nothing is created here",
        ),
        (
            memory(),
            "",
            "no job of this fleet has been seen here: the first create shows it, and a lost one is not sent again",
        ),
    ],
)
def test_what_identity_rests_on(remembers: Memory, identity: str, means: str) -> None:
    told = diagnose(Reads(memory=remembers))
    assert (told.identity, told.means) == (identity, means)
    keep = ["keep the state directory of this fleet, or reach the server by a route that keeps metadata"]
    assert list(advice(told)) == (keep if identity in {"seed", "id"} else [])


def test_without_a_listing_a_person_is_told_what_to_check() -> None:
    told = diagnose(Reads(memory=memory(), errors={"listing": "HTTP 404"}))
    assert [f.name for f in told.missing] == ["listing"]
    assert list(advice(told)) == [
        "check the base URL, the key and the project; --assume says what a server of its own ways does not show"
    ]


def test_the_order_of_a_listing_is_named() -> None:
    older = replace(FULL, id="j0", created_at=1)
    for jobs, said in (((FULL, older), "newest first"), ((older, FULL), "in another order")):
        assert diagnose(Reads(memory=memory(), jobs=jobs, pages=1)).capabilities[0].seen.endswith(f", pages: 1, {said}")


def test_whose_the_jobs_are_is_counted() -> None:
    jobs = (
        FULL,
        replace(BARE, id="j3"),
        replace(BARE, id="j4"),
        job("j5", fleet="other"),
        BARE,
        replace(BARE, id="j6"),
    )
    remembers = memory(records=[record("j3")], others=frozenset({"j4"}))
    told = diagnose(Reads(memory=remembers, fleet="fleet-1", jobs=jobs, pages=1)).capabilities[0].seen
    assert told.startswith("jobs: 6 (this fleet's 2, other fleets' 2, unmanaged 2), pages: 1")
