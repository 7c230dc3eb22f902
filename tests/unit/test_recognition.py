"""Whose job is it? What a person said, marks, the journal and seeds tell of it, and how a provider lets a job be known."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.core.body import derived_seed
from reconciler.core.desired import Desired
from reconciler.core.documents import TrainingFile
from reconciler.core.job import Job, Marks
from reconciler.core.memory import Intent, Memory
from reconciler.core.recognition import Listing, NamedJob, Recognised, learned, recognise, sent_seed
from tests.fakes.builders import FLEET, R1, R2, desired, job, memory, record
from tests.fakes.situations import FROM_HERE, SENT

NOTHING = memory(inherited=False)


def identified(jobs: Iterable[Job], wants: Iterable[Desired] = (), remembers: Memory = NOTHING) -> Recognised:
    return recognise(Listing(FLEET, {d.name: d for d in wants}, tuple(jobs), remembers))


def known(
    jobs: Iterable[Job], wants: Iterable[Desired] = (), remembers: Memory = NOTHING
) -> list[tuple[str, NamedJob]]:
    """Every job that stands for a name, with it."""
    return [(name, k) for name, ks in identified(jobs, wants, remembers).by_name.items() for k in ks]


def suspects(jobs: Iterable[Job], wants: Iterable[Desired] = (), remembers: Memory = NOTHING) -> dict[str, list[str]]:
    found = identified(jobs, wants, remembers).suspects
    return {name: [j.id for j in jobs] for name, jobs in found.items() if jobs}


def seeded(job_id: str = "j1", seed: int | None = SENT, **more: Any) -> Job:
    """A job of a server that drops metadata."""
    return replace(job(job_id, marked=False, seed=seed), **more)


def seed_of(name: str = "a", revision: str = R1, attempt: int = 1) -> int:
    return derived_seed(Marks(FLEET, name, revision, attempt))


def sets(seed: int, name: str = "a", **body: object) -> Desired:
    """A manifest that sets its seed."""
    return replace(desired(name), body={"model": "m", "seed": seed, **body})


# ── who says so ──────────────────────────────────────────────────────────────────────────────


def test_a_job_with_our_marks_is_ours_whatever_the_journal_says() -> None:
    one = job(attempt=3)
    assert known([one], remembers=memory(records=[record(name="b", revision=R2, attempt=9)])) == [
        ("a", NamedJob(one, R1, 3, ours=True, adopted=False))
    ]


def test_a_recorded_job_without_our_marks_is_what_the_journal_says_and_not_ours() -> None:
    told = memory(records=[record("j1", "b", R2, 4), record("j2", "c", R1, 5)])
    mangled, without = job("j1", fleet="x"), job("j2", marked=False)
    assert known([mangled, without], remembers=told) == [
        ("b", NamedJob(mangled, R2, 4, ours=False, adopted=False)),
        ("c", NamedJob(without, R1, 5, ours=False, adopted=False)),
    ]


@pytest.mark.parametrize(
    ("one", "attempt", "ours"),
    [(job("j1", "z", R2, 7), 7, True), (job("j1", "z", R2, 7, fleet="x"), 0, False), (seeded(), 0, False)],
    ids=["our marks", "marks of another fleet", "no marks"],
)
def test_what_a_person_names_is_of_the_revision_that_the_person_says(one: Job, attempt: int, ours: bool) -> None:
    told = memory(records=[record(name="b", revision=R2, attempt=9)])
    assert known([one], [desired("b"), desired("a", adopt=("j1", R1))], told) == [
        ("a", NamedJob(one, R1, attempt, ours=ours, adopted=True))
    ]


def test_a_job_of_which_nobody_knows_stands_for_nothing() -> None:
    assert known([job(fleet="x"), seeded("j2", 5), seeded("j3", None)], [desired()]) == []


def test_the_oldest_comes_first_however_it_is_known() -> None:
    jobs = [job("j2", created=30), seeded("j9", created_at=10), job("j3", created=20), job("j1", created=30)]
    told = memory(inherited=False)
    assert [k.job.id for k in identified(jobs, [desired()], told).by_name["a"]] == ["j9", "j3", "j1", "j2"]


# ── known by its seed ────────────────────────────────────────────────────────────────────────


def test_an_attempt_at_a_present_revision_is_known_by_its_seed() -> None:
    one = seeded(seed=seed_of(attempt=2))
    assert known([one], [desired()]) == [("a", NamedJob(one, R1, 2, ours=False, adopted=False))]


@pytest.mark.parametrize(("attempt", "found"), [(0, False), (1, True), (12, True), (13, False)])
def test_attempts_are_looked_for_nine_beyond_the_retries(attempt: int, found: bool) -> None:
    assert bool(known([seeded(seed=seed_of(attempt=attempt))], [desired(retries=3)])) is found


def test_jobs_are_known_by_their_seed_although_another_shows_none() -> None:
    jobs = [seeded("j1", None), seeded("j2", 0), seeded("j3"), seeded("j4", 12)]
    assert [k.job.id for _, k in known(jobs, [desired()])] == ["j3"]


def test_no_job_of_a_present_revision_is_looked_for_by_its_seed_where_marks_come_back() -> None:
    assert known([seeded()], [desired()], memory(echoes=True)) == []


def test_nor_is_one_whose_manifest_sets_its_seed() -> None:
    assert known([seeded(), seeded("j2", 7)], [sets(7)]) == []


def test_a_seed_that_is_no_number_is_not_set() -> None:
    want = replace(desired(), body={"model": "m", "seed": "auto"})
    assert [k.job.id for _, k in known([seeded()], [want])] == ["j1"]


@pytest.mark.parametrize(
    "one",
    [seeded(model="other", training_file="file-9"), job(fleet="x", seed=SENT)],
    ids=["another model and file", "marks of others"],
)
def test_a_derived_seed_is_proof_enough_whatever_else_comes_back(one: Job) -> None:
    lost = Intent("a", R1, 1, seed=SENT)
    assert [k.job for _, k in known([one], [desired()])] == [one]
    assert [k.job for _, k in known([one], [desired()], memory(intents=[lost]))] == [one]


def test_a_derived_seed_with_another_suffix_makes_a_suspect() -> None:
    one, want = seeded(suffix="x"), replace(desired(), body={"model": "m", "suffix": "s"})
    assert (known([one], [want]), suspects([one], [want])) == ([], {"a": ["j1"]})
    assert suspects([replace(one, suffix="s")], [want]) == {}


# ── a lost create ────────────────────────────────────────────────────────────────────────────

LOST = Intent("a", R2, 4, seed=seed_of("a", R2, 4))


@pytest.mark.parametrize("echoes", [True, False, None])
def test_the_job_of_a_lost_create_is_known_by_the_seed_that_was_derived_for_it(echoes: bool | None) -> None:
    one = seeded(seed=LOST.seed)
    assert known([one], [], memory(intents=[LOST], echoes=echoes)) == [
        ("a", NamedJob(one, R2, 4, ours=False, adopted=False))
    ]


@pytest.mark.parametrize("other", [Intent("b", R2, 4), Intent("a", R1, 4), Intent("a", R2, 5)])
def test_a_derived_seed_is_that_of_its_name_revision_and_attempt(other: Intent) -> None:
    """Where marks come back, any other seed proves nothing."""
    assert (
        known([seeded(seed=LOST.seed)], [], memory(intents=[dataclasses.replace(other, seed=LOST.seed)], echoes=True))
        == []
    )


SET = Intent("a", R1, 2, seed=7)


def test_so_it_is_by_a_seed_that_its_manifest_sets_where_no_other_has_it() -> None:
    one = seeded(seed=7)
    assert known([one], [sets(7)], memory(intents=[SET])) == [("a", NamedJob(one, R1, 2, ours=False, adopted=False))]


@pytest.mark.parametrize(
    ("jobs", "remembers"),
    [
        ([seeded("j1", 7), seeded("j2", 7)], memory(intents=[SET])),
        ([seeded("j1", 7)], memory(intents=[SET, dataclasses.replace(SET, name="b")])),
        ([seeded("j1", 7), seeded("j2", 7)], memory(intents=[SET, dataclasses.replace(SET, name="b")])),
        ([seeded("j1", 7)], memory(intents=[SET], echoes=True)),
        ([job("j1", fleet="x", seed=7)], memory(intents=[SET])),
    ],
    ids=["two jobs", "two creates", "two of both", "marks come back", "it carries marks of others"],
)
def test_else_nobody_can_say(jobs: list[Job], remembers: Memory) -> None:
    assert known(jobs, [], remembers) == []


def test_a_create_that_was_sent_without_a_seed_is_not_looked_for_by_one() -> None:
    assert known([seeded(seed=None), seeded("j2", 9)], [], memory(intents=[Intent("a", R1, 1)])) == []


def test_what_was_sent_is_what_its_manifest_says_or_said() -> None:
    one, want = seeded(seed=7, suffix="s"), sets(7, suffix="s")
    assert known([one], [want], memory(intents=[SET]))
    assert not known([replace(one, suffix="x")], [want], memory(intents=[SET]))
    edited = replace(memory(intents=[dataclasses.replace(SET, revision=R2)]), wanted={("a", R2): {"suffix": "x"}})
    assert not known([one], [want], edited)
    assert known([replace(one, suffix="x")], [want], edited)
    assert known([replace(one, suffix="x")], [], edited)


def test_where_nobody_knows_what_was_sent_a_suffix_says_that_it_is_of_others() -> None:
    taken_over = replace(memory(intents=[SET]), wanted={("a", R1): None})
    assert known([seeded(seed=7)], [], taken_over)
    assert not known([seeded(seed=7, suffix="s")], [], taken_over)
    assert not known([seeded(seed=7, suffix="s")], [], memory(intents=[SET]))


# ── suspects ─────────────────────────────────────────────────────────────────────────────────


def test_jobs_without_marks_that_are_alike_and_have_the_seed_that_a_manifest_sets_are_suspects() -> None:
    jobs = [
        seeded("j1", 7),
        seeded("j2", 8),
        seeded("j3", 7, suffix="x"),
        job("j4", fleet="x", seed=7),
        seeded("j5", 7),
    ]
    assert suspects(jobs, [sets(7), sets(8, "b"), desired("c")]) == {"a": ["j1", "j5"], "b": ["j2"]}


def test_nobody_is_suspected_where_marks_come_back() -> None:
    assert suspects([seeded("j1", 7)], [sets(7)], memory(echoes=True)) == {}


def test_a_job_that_stands_for_a_name_is_no_suspect() -> None:
    jobs = [job("j1", seed=7), seeded("j2", 7), seeded("j3", 7)]
    assert suspects(jobs, [sets(7), desired("b", adopt=("j2", R1))], memory(records=[record("j3", "c")])) == {}
    assert suspects([seeded("j4", 7)], [sets(7)], memory(intents=[SET])) == {}


def test_a_name_may_have_suspects_of_both_kinds() -> None:
    jobs = [seeded("j1", 7, suffix="x"), seeded("j2", 8)]
    assert suspects(jobs, [sets(8)], memory(intents=[SET])) == {"a": ["j1", "j2"]}


# ── jobs with nothing but an id ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("jobs", "anonymous"),
    [
        ([], False),
        ([seeded(seed=None)], True),
        ([seeded(seed=0)], True),
        ([seeded(seed=5)], False),
        ([seeded("j1", None), seeded("j2", 5)], False),
        ([seeded("j1", None), job("j2", seed=5)], False),
        ([job(fleet="x")], False),
        ([job()], False),
    ],
)
def test_jobs_are_anonymous_where_one_has_no_marks_and_none_has_a_seed(jobs: list[Job], anonymous: bool) -> None:
    assert identified(jobs).anonymous is anonymous


@pytest.mark.parametrize(("files", "anonymous"), [(False, True), (True, False)])
def test_a_files_name_says_whose_a_job_is_where_names_were_seen_to_come_back(*, files: bool, anonymous: bool) -> None:
    theirs = seeded(seed=None, file_name="theirs.jsonl")
    assert identified([theirs], remembers=memory(files=files)).anonymous is anonymous
    assert identified([seeded(seed=None)], remembers=memory(files=files)).anonymous


def test_a_job_that_is_recorded_of_another_fleet_is_nobodys_guess() -> None:
    jobs = [seeded("j1", None), seeded("j2", None)]
    assert identified(jobs, remembers=memory(others=frozenset({"j1"}))).anonymous
    assert not identified(jobs, remembers=memory(others=frozenset({"j1", "j2"}))).anonymous


ON_OUR_FILE = f"{FLEET}.a.{R1}.1.jsonl"
BY_FILE = job("j9", name="b", seed=seed_of("b"), file_name=f"{FLEET}.b.{R1}.1.jsonl")


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        pytest.param([seeded(seed=5, file_name=ON_OUR_FILE)], {"a": ["j1"]}, id="perhaps a seed that was changed"),
        pytest.param([seeded(seed=None, file_name=ON_OUR_FILE)], {"a": ["j1"]}, id="no seed"),
        pytest.param([BY_FILE, seeded(seed=5, file_name=ON_OUR_FILE)], {}, id="seeds are exact here: a person's"),
        pytest.param([BY_FILE, seeded(seed=0, file_name=ON_OUR_FILE)], {"a": ["j1"]}, id="exact, and this has none"),
        pytest.param([seeded(seed=5, file_name=f"{FLEET}.a.{R2}.1.jsonl")], {}, id="another revision"),
        pytest.param([seeded(seed=5, file_name=f"{FLEET}.c.{R1}.1.jsonl")], {}, id="another name"),
        pytest.param([seeded(seed=5, file_name=f"fleet-2.a.{R1}.1.jsonl")], {}, id="another fleet"),
        pytest.param([seeded(seed=5, file_name="theirs.jsonl")], {}, id="another file"),
    ],
)
def test_a_job_without_marks_on_the_file_of_a_present_revision_is_suspected(
    jobs: list[Job], expected: dict[str, list[str]]
) -> None:
    assert suspects(jobs, [desired()]) == expected


@pytest.mark.parametrize(
    ("name", "files", "bound"),
    [
        pytest.param("", True, True, id="no name"),
        pytest.param("theirs.jsonl", False, True, id="names may come back as others"),
        pytest.param("theirs.jsonl", True, False, id="another file"),
        pytest.param(ON_OUR_FILE, False, False, id="the file of another attempt"),
        pytest.param(f"{FLEET}.a.{R1}.2.jsonl", True, True, id="its own"),
    ],
)
def test_the_job_of_a_lost_create_is_not_one_on_another_file(*, name: str, files: bool, bound: bool) -> None:
    filed = memory(intents=[dataclasses.replace(SET, filed=True)], files=files, echoes=False)
    assert bool(known([seeded("j1", 7, file_name=name)], remembers=filed)) is bound


LOCAL = TrainingFile("t.jsonl", "f" * 64, 1)


@pytest.mark.parametrize(
    ("files", "name", "suspected"),
    [
        pytest.param(True, "theirs.jsonl", False, id="another file"),
        pytest.param(True, LOCAL.upload_name, True, id="the file as an earlier release named it"),
        pytest.param(True, "", True, id="a name that could not be read"),
        pytest.param(False, "theirs.jsonl", True, id="names are not known to come back as they were"),
    ],
)
def test_a_seed_that_others_may_set_too_is_suspected_on_the_same_file(
    *, files: bool, name: str, suspected: bool
) -> None:
    found = suspects([seeded(seed=7, file_name=name)], [replace(sets(7), training=LOCAL)], memory(files=files))
    assert found == ({"a": ["j1"]} if suspected else {})


# ── how this provider lets a job be known ────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("before", "jobs", "after"),
    [
        pytest.param(memory(), [BY_FILE], (False, True, True), id="our job by its file and seed"),
        pytest.param(memory(), [replace(BY_FILE, seed=0)], (False, True, False), id="by its file"),
        pytest.param(memory(), [BY_FILE, job()], (True, False, False), id="marks are stronger"),
        pytest.param(memory(), [replace(job(fleet="x"), file_name="x")], (None, False, False), id="another fleet's"),
        pytest.param(memory(echoes=False, files=True), [], (False, True, False), id="seen once: it stays"),
    ],
)
def test_files_come_back_where_a_job_of_ours_was_listed_on_its_own(
    before: Memory, jobs: list[Job], after: tuple[bool | None, bool, bool]
) -> None:
    now = learned(before, jobs, FLEET)
    assert (now.echoes, now.files, now.seeds) == after


RECORDED = memory(records=[record()])


@pytest.mark.parametrize(
    ("before", "jobs", "after"),
    [
        pytest.param(memory(), [], None, id="nothing is listed"),
        pytest.param(memory(), [job()], True, id="our marks"),
        pytest.param(memory(echoes=False), [seeded("j0", 1), job()], True, id="our marks, at last"),
        pytest.param(replace(RECORDED, echoes=True), [seeded()], True, id="seen once: it stays"),
        pytest.param(memory(), [job(fleet="x")], None, id="marks of others prove nothing"),
        pytest.param(memory(), [seeded()], None, id="a job of others"),
        pytest.param(RECORDED, [seeded()], False, id="our job without marks"),
        pytest.param(RECORDED, [seeded(), job("j2")], True, id="one lost pair proves nothing"),
        pytest.param(memory(records=[record(attempt=0)]), [seeded()], None, id="an adopted job"),
        pytest.param(memory(echoes=False), [seeded("j2")], False, id="what was seen stays"),
    ],
)
def test_marks_come_back_where_a_job_of_ours_was_listed_with_them(
    before: Memory, jobs: list[Job], after: bool | None
) -> None:
    assert learned(before, jobs, FLEET).echoes is after


@pytest.mark.parametrize(
    ("before", "jobs", "after"),
    [
        pytest.param(RECORDED, [seeded()], True, id="the seed that was derived"),
        pytest.param(RECORDED, [seeded(seed=5)], False, id="another seed"),
        pytest.param(RECORDED, [seeded(seed=None)], False, id="no seed"),
        pytest.param(RECORDED, [seeded("j2")], False, id="a job that nobody recorded"),
        pytest.param(RECORDED, [seeded("j2"), seeded()], True, id="one is enough"),
        pytest.param(
            memory(records=[record(attempt=0)]), [seeded(seed=seed_of(attempt=0))], False, id="an adopted job"
        ),
        pytest.param(
            replace(RECORDED, wanted={("a", R1): {"seed": 7}}), [seeded(seed=7)], True, id="the manifest's seed"
        ),
        pytest.param(
            replace(RECORDED, wanted={("a", R1): {"seed": 0}}), [seeded(seed=0)], False, id="0 proves nothing"
        ),
        pytest.param(memory(seeds=True), [], True, id="seen once: it stays"),
        pytest.param(memory(seeds=True), [job()], False, id="nobody needs it where marks come back"),
    ],
)
def test_seeds_come_back_where_a_job_of_ours_was_listed_with_what_was_sent(
    before: Memory, jobs: list[Job], after: bool
) -> None:
    assert learned(before, iter(jobs), FLEET).seeds is after


@pytest.mark.parametrize("form", [None, {}, {"seed": "auto"}])
def test_a_seed_is_derived_where_no_manifest_sets_one(form: dict[str, object] | None) -> None:
    assert sent_seed(replace(memory(), wanted={("a", R1): form}), FLEET, record()) == SENT
    assert sent_seed(replace(memory(), wanted={("a", R2): {"seed": 7}}), FLEET, record(attempt=2)) == seed_of(attempt=2)


@pytest.mark.parametrize(("wants", "stands"), [(FROM_HERE, False), (desired(), True)], ids=["uploaded", "by its id"])
def test_a_job_on_the_file_of_another_attempt_is_not_known_by_its_seed(wants: Desired, stands: bool) -> None:
    copied = seeded(file_name=f"{FLEET}.a.{R1}.2.jsonl")
    assert bool(known([copied], [wants], memory(echoes=False, files=True))) is stands


def test_a_job_with_the_marks_of_another_fleet_on_our_file_is_no_suspect() -> None:
    theirs = job(fleet="fleet-2", seed=9, file_name=f"{FLEET}.a.{R1}.1.jsonl")
    assert suspects([theirs], [desired()]) == {}
    assert suspects([replace(theirs, marks=None)], [desired()]) == {"a": ["j1"]}


ON_AN_OLD_FILE = job(marked=False, seed=9, file_name=f"{FLEET}.a.{R2}.4.jsonl")


def unproven(
    one: Job, remembers: Memory = NOTHING, wants: Iterable[Desired] = (desired(),)
) -> dict[str, list[NamedJob]]:
    return {name: list(found) for name, found in identified([one], wants, remembers).unproven.items()}


@pytest.mark.parametrize(
    "remembers",
    [
        NOTHING,
        memory(wanted=[("a", R1)]),
        memory(intents=[Intent("a", R1, 1)]),
        replace(NOTHING, wanted={("a", R2): None}),
    ],
    ids=["nothing", "another spec", "another create", "taken over"],
)
def test_a_live_job_on_the_file_of_a_spec_that_nobody_remembers_is_named(remembers: Memory) -> None:
    found = NamedJob(ON_AN_OLD_FILE, R2, 4, ours=False, adopted=False)
    assert unproven(ON_AN_OLD_FILE, remembers) == {"a": [found]}
    assert unproven(ON_AN_OLD_FILE, remembers, ()) == {"a": [found]}


@pytest.mark.parametrize(
    ("one", "remembers"),
    [
        pytest.param(replace(ON_AN_OLD_FILE, status="failed"), NOTHING, id="ended"),
        pytest.param(job(fleet="fleet-2", file_name=ON_AN_OLD_FILE.file_name), NOTHING, id="another fleet's marks"),
        pytest.param(replace(ON_AN_OLD_FILE, file_name=""), NOTHING, id="no name"),
        pytest.param(replace(ON_AN_OLD_FILE, file_name="train.jsonl"), NOTHING, id="no name of ours"),
        pytest.param(replace(ON_AN_OLD_FILE, file_name=f"fleet-2.a.{R2}.4.jsonl"), NOTHING, id="another fleet's file"),
        pytest.param(replace(ON_AN_OLD_FILE, file_name=ON_OUR_FILE), NOTHING, id="the present spec"),
        pytest.param(ON_AN_OLD_FILE, replace(NOTHING, wanted={("a", R2): {"model": "m"}}), id="a remembered spec"),
        pytest.param(ON_AN_OLD_FILE, memory(intents=[Intent("a", R2, 4)]), id="a lost create"),
    ],
)
def test_what_else_a_job_may_be_leaves_nothing_to_name(one: Job, remembers: Memory) -> None:
    assert unproven(one, remembers) == {}


def test_a_job_of_somebody_else_hides_no_job_on_an_old_file() -> None:
    theirs = replace(ON_AN_OLD_FILE, id="j0", created_at=1, file_name="train.jsonl")
    assert identified([theirs, ON_AN_OLD_FILE], [desired()]).unproven.keys() == {"a"}


def test_a_job_of_somebody_else_hides_no_suspect() -> None:
    suspect = seeded(seed=5, file_name=ON_OUR_FILE)
    theirs = replace(suspect, id="j0", created_at=1, file_name="train.jsonl")
    assert suspects([theirs, suspect], [desired()]) == {"a": ["j1"]}
