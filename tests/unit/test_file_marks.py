"""Whose a job is, by the name of its training file."""

import pytest
from msgspec.structs import replace

from reconciler.core.body import derived_seed
from reconciler.core.documents import TrainingFile
from reconciler.core.fields import OnRemove
from reconciler.core.file_marks import (
    Sent,
    file_name,
    marked_by_file,
    marks_of_create,
    marks_of_file,
    on_another_file,
    told_apart,
    upload_names,
    uploads_of,
)
from reconciler.core.job import Marks
from reconciler.core.memory import Intent, Memory
from tests.fakes.builders import FLEET, R1, R2, desired, job, memory, record

MARKS = Marks(FLEET, "a", R1, 2)
NAME = f"{FLEET}.a.{R1}.2.jsonl"
SEED = derived_seed(MARKS)
FILE = TrainingFile("data/t.jsonl", "f" * 64, 7)
NOTHING = Sent(FLEET, {}, Memory())


@pytest.mark.parametrize("marks", [MARKS, replace(MARKS, orphan=True), Marks("f-2", "a-b", R2, 123456)])
def test_a_files_name_says_what_the_marks_say(marks: Marks) -> None:
    assert marks_of_file(file_name(marks)) == marks


def test_the_name_is_the_one_that_the_contract_fixes() -> None:
    assert file_name(MARKS) == NAME


@pytest.mark.parametrize(
    "name",
    [
        "",
        "train.jsonl",
        f"train-{R1}.jsonl",
        f"{FLEET}.a.{R1}.jsonl",
        f"{FLEET}.a.{R1}.0.jsonl",
        f"{FLEET}.a.{R1}.01.jsonl",
        f"{FLEET}.a.{R1}.1.json",
        f"{FLEET}.a.{R1}.1.jsonl ",
        f"{FLEET}.a.{R1}.1.other.jsonl",
        f"{FLEET}.a.{R1}.1.orphan.orphan.jsonl",
        f"{FLEET}.a.b.{R1}.1.jsonl",
        f"{FLEET}.A.{R1}.1.jsonl",
        f"data/{FLEET}.a.{R1}.1.jsonl",
        f"{FLEET}.a.{R1[:15]}.1.jsonl",
        f"{FLEET}.a.{R1}.1.jsonl.jsonl",
        f".a.{R1}.1.jsonl",
    ],
)
def test_any_other_name_says_nothing(name: str) -> None:
    assert marks_of_file(name) is None


@pytest.mark.parametrize(("on_remove", "orphan"), [(OnRemove.CANCEL, False), (OnRemove.ORPHAN, True)])
def test_the_marks_of_a_create_say_whose_attempt_it_is_at_what(on_remove: OnRemove, orphan: bool) -> None:
    assert marks_of_create(FLEET, desired("a", R1, on_remove=on_remove), 2) == replace(MARKS, orphan=orphan)


def known(
    seed: int | None, name: str = NAME, sent: Sent = NOTHING, *, seeds: bool = True, suffix: str | None = None
) -> Marks | None:
    return marked_by_file(job(marked=False, seed=seed, suffix=suffix), name, sent, seeds=seeds).marks


def test_a_job_is_ours_where_its_file_and_its_seed_say_so() -> None:
    assert known(SEED) == MARKS


@pytest.mark.parametrize("seed", [SEED + 1, None, 0])
def test_a_job_that_a_person_started_on_our_file_is_not(seed: int | None) -> None:
    assert known(seed) is None


@pytest.mark.parametrize("seed", [None, 0])
def test_where_no_seed_comes_back_the_file_alone_says_so(seed: int | None) -> None:
    assert known(seed, seeds=False) == MARKS


def test_another_seed_is_not_ours_although_no_other_job_shows_one() -> None:
    assert known(SEED + 1, seeds=False) is None


def test_a_file_of_another_fleet_is_that_fleets() -> None:
    assert known(SEED, file_name(replace(MARKS, fleet="fleet-10"))) == replace(MARKS, fleet="fleet-10")
    assert not marked_by_file(job(marked=False), f"fleet-10.a.{R1}.1.jsonl", NOTHING, seeds=False).belongs_to(FLEET)


def test_marks_in_the_metadata_are_stronger() -> None:
    one = job(name="b")
    assert marked_by_file(one, NAME, NOTHING, seeds=False) == one


def test_the_name_of_its_file_is_kept_whatever_it_says() -> None:
    for name in (NAME, "train.jsonl"):
        assert marked_by_file(job(marked=False), name, NOTHING, seeds=True).file_name == name


@pytest.mark.parametrize(
    ("name", "exact", "another"),
    [
        (NAME, True, False),
        (file_name(replace(MARKS, orphan=True)), True, False),
        (file_name(replace(MARKS, attempt=3)), False, True),
        ("train.jsonl", True, True),
        ("train.jsonl", False, False),
        ("", True, False),
    ],
)
def test_a_file_is_another_jobs_where_its_name_says_so(name: str, exact: bool, another: bool) -> None:
    assert on_another_file(job(file_name=name), MARKS, exact=exact) is another


SETS_7 = replace(desired(), body={"model": "m", "seed": 7})


@pytest.mark.parametrize(
    ("sent", "seed"),
    [
        pytest.param(Sent(FLEET, {"a": SETS_7}, Memory()), 7, id="the manifest sets it"),
        pytest.param(Sent(FLEET, {"a": replace(SETS_7, extra_body={"seed": 9})}, Memory()), 9, id="extra_body does"),
        pytest.param(Sent(FLEET, {"a": replace(SETS_7, revision=R2)}, Memory()), SEED, id="of another revision"),
        pytest.param(Sent(FLEET, {}, Memory(wanted={("a", R1): {"seed": 7}})), 7, id="an earlier manifest did"),
        pytest.param(
            Sent(FLEET, {}, Memory(wanted={("a", R1): {"seed": 7, "extra_body": {"seed": 9}}})), 9, id="as it was sent"
        ),
        pytest.param(Sent(FLEET, {}, Memory(wanted={("a", R1): None})), SEED, id="taken over"),
        pytest.param(Sent(FLEET, {}, memory(intents=[Intent("a", R1, 2, seed=5)])), 5, id="of a lost create"),
        pytest.param(Sent(FLEET, {}, memory(intents=[Intent("a", R1, 3, seed=5)])), SEED, id="of another attempt"),
    ],
)
def test_the_seed_is_the_one_that_was_sent(sent: Sent, seed: int) -> None:
    assert sent.seed(MARKS) == seed
    assert known(seed, sent=sent) == MARKS
    assert known(seed + 1, sent=sent) is None


@pytest.mark.parametrize(
    ("told", "ours"),
    [("bot", True), ("BOT", True), (None, True), ("by-hand", False)],
)
def test_the_seed_matches_and_the_suffix_says_another(told: str | None, *, ours: bool) -> None:
    sent = Sent(FLEET, {"a": replace(desired(), body={"model": "m", "suffix": "bot"})}, Memory())
    assert (known(SEED, sent=sent, suffix=told) is not None) is ours


def test_where_no_seed_comes_back_a_job_that_is_remembered_as_another_is_not_that_of_its_file() -> None:
    by_id = Sent(FLEET, {}, memory(records=[record("j1", "other"), record("j2", attempt=2)]))
    assert known(None, sent=by_id, seeds=False) is None
    assert marked_by_file(job("j2", marked=False), NAME, by_id, seeds=False).marks == MARKS


def test_of_jobs_on_one_file_that_no_seed_tells_apart_only_the_oldest_is_ours() -> None:
    older, younger = (job(f"j{n}", created=n, file_name=NAME) for n in (1, 2))
    other, seeded = job("j3", created=3, file_name=f"{FLEET}.b.{R1}.1.jsonl"), job("j4", seed=SEED, file_name=NAME)
    assert told_apart([younger, other, older, seeded], NOTHING.memory) == (
        replace(younger, marks=None),
        other,
        older,
        seeded,
    )


def test_a_job_that_a_seed_or_its_metadata_tells_apart_takes_no_other_ones_place() -> None:
    seeded, by_metadata = job("j1", created=1, seed=SEED, file_name=NAME), job("j2", "b", created=2)
    bare = job("j3", created=3, file_name=NAME)
    assert told_apart([seeded, by_metadata, bare], NOTHING.memory) == (seeded, by_metadata, bare)
    assert told_apart([seeded, by_metadata], NOTHING.memory) == (seeded, by_metadata)


def test_of_jobs_on_one_file_that_no_seed_tells_apart_a_recorded_one_is_ours_too() -> None:
    older, ours, stranger = (job(f"j{n}", created=n, file_name=NAME) for n in (1, 2, 3))
    recorded = memory(records=[record("j2", attempt=2)])
    assert told_apart([older, ours, stranger], recorded) == (older, ours, replace(stranger, marks=None))


@pytest.mark.parametrize("echoes", [None, False])
def test_an_attempt_has_a_file_of_its_own_until_marks_come_back(echoes: bool | None) -> None:
    assert upload_names(FILE, MARKS, Memory(echoes=echoes)) == (NAME,)
    assert upload_names(FILE, MARKS, Memory(echoes=True)) == (FILE.upload_name,)


def test_a_file_that_was_uploaded_for_an_attempt_is_found_again_by_its_content() -> None:
    wanted = {("a", R1): {"training_file": f"sha256:{FILE.sha256}"}, ("a", R2): {"training_file": "sha256:0"}}
    records = {r.job_id: r for r in (record("j1"), record("j2", revision=R2), record("j3", "b"))}
    told = Memory(echoes=True, records=records, wanted=wanted)
    assert upload_names(FILE, MARKS, told) == (FILE.upload_name, f"{FLEET}.a.{R1}.1.jsonl")


def test_a_validation_file_is_named_by_its_content() -> None:
    both = replace(desired(), training=FILE, validation=replace(FILE, path="v.jsonl"))
    assert uploads_of(both, MARKS, Memory()) == (
        (FILE, (NAME,)),
        (replace(FILE, path="v.jsonl"), (f"v-{'f' * 16}.jsonl",)),
    )
    assert uploads_of(both, MARKS, Memory(echoes=True))[0] == (FILE, (FILE.upload_name,))
    assert uploads_of(desired(), MARKS, Memory()) == ()
