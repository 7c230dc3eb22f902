"""Whose a file at the provider is, and what needs it: in doubt it is needed, and never deleted."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from reconciler.core.file_marks import file_name
from reconciler.core.file_uses import FileUse, ProviderFile, Traces, file_uses
from reconciler.core.job import Job, Marks
from reconciler.core.memory import Intent
from reconciler.core.world import World
from tests.fakes.builders import FLEET, R1, R2, desired, job, memory, record, world

HEX = "0123456789abcdef" * 4
OTHER = "f" * 64
CONTENT = ProviderFile("f1", f"train-{HEX[:16]}.jsonl", 10)
ATTEMPT = ProviderFile("f1", file_name(Marks(FLEET, "a", R1, 1)), 10)
RECORDED = {"f1": (CONTENT.name, HEX)}


def a_world(
    *jobs: Job, form: dict[str, object] | None = None, echoes: bool = True, intents: Iterable[Intent] = ()
) -> World:
    """One of manifest `x`, which wants what ``form`` says."""
    wants = replace(desired("x"), form=form or {"training_file": "file-9"})
    return world(jobs, [wants], remembers=memory(echoes=echoes, intents=intents))


def use_of(file: ProviderFile, at: World, recorded: dict[str, tuple[str, str]] | None = None) -> FileUse | None:
    uses = file_uses(at, [file], Traces({} if recorded is None else recorded, {}))
    return uses[0] if uses else None


@pytest.mark.parametrize(
    ("file", "recorded", "ours"),
    [
        (ATTEMPT, {}, True),
        (CONTENT, RECORDED, True),
        (CONTENT, {}, False),
        (CONTENT, {"f1": ("another.jsonl", HEX)}, False),
        (CONTENT, {"f2": (CONTENT.name, HEX)}, False),
        (ProviderFile("f1", "colleague.jsonl"), {}, None),
        (ProviderFile("f1", "renamed.jsonl"), RECORDED, None),
        (ProviderFile("f1", file_name(Marks("other", "a", R1, 1))), {}, None),
    ],
)
def test_whose_a_file_is(file: ProviderFile, recorded: dict[str, tuple[str, str]], ours: bool | None) -> None:
    found = use_of(file, a_world(), recorded)
    assert (found.ours if found else None) is ours
    assert found is None or found.unused is ours


@pytest.mark.parametrize(
    ("file", "form", "wanted"),
    [
        (CONTENT, {"training_file": f"sha256:{HEX}"}, True),
        (CONTENT, {"validation_file": f"sha256:{HEX}"}, True),
        (CONTENT, {"training_file": "f1"}, True),
        (CONTENT, {"training_file": f"sha256:{OTHER}"}, False),
        (ATTEMPT, {"training_file": f"sha256:{HEX}"}, False),
    ],
)
def test_a_manifest_needs_the_bytes_that_it_names(file: ProviderFile, form: dict[str, object], wanted: bool) -> None:
    found = use_of(file, a_world(form=form), RECORDED)
    assert found is not None
    assert (found.manifests, found.unused) == ((("x",), False) if wanted else ((), True))


@pytest.mark.parametrize(("digest", "wanted"), [(HEX, ("x",)), (OTHER, ())])
def test_a_name_that_says_the_content_is_enough_to_be_needed(digest: str, wanted: tuple[str, ...]) -> None:
    found = use_of(CONTENT, a_world(form={"training_file": f"sha256:{digest}"}))
    assert found is not None
    assert found.manifests == wanted


def test_a_file_of_somebody_else_hides_no_other() -> None:
    uses = file_uses(a_world(), [ProviderFile("f0", "colleague.jsonl"), ATTEMPT], Traces({}, {}))
    assert [use.file for use in uses] == [ATTEMPT]


def test_bytes_that_were_uploaded_for_an_attempt_are_needed_by_whoever_names_them() -> None:
    found = use_of(ATTEMPT, a_world(form={"training_file": f"sha256:{HEX}"}), {"f1": (ATTEMPT.name, HEX)})
    assert found is not None
    assert found.manifests == ("x",)


@pytest.mark.parametrize(("name", "revision", "needed"), [("a", R1, True), ("a", R2, False), ("b", R1, False)])
def test_a_manifest_needs_the_file_of_any_attempt_at_its_spec(name: str, revision: str, needed: bool) -> None:
    at = world((), [desired(name, revision)], remembers=memory(echoes=True))
    found = use_of(ATTEMPT, at)
    assert found is not None
    assert found.unused is not needed


@pytest.mark.parametrize(
    ("one", "needed"),
    [
        (replace(job("j1", "b"), training_file="f1"), True),
        (replace(job("j1", "b"), training_file=ATTEMPT.name), True),
        (replace(job("j1", "b", marked=False), file_name=ATTEMPT.name), True),
        (job("j1", "a", R1, attempt=2), True),
        (job("j1", "a", R2), False),
        (job("j1", "b", R1), False),
        (job("j1", "b", marked=False), False),
    ],
)
def test_a_live_job_needs_the_file_that_it_may_be_made_of(one: Job, needed: bool) -> None:
    found = use_of(ATTEMPT, a_world(one))
    assert found is not None
    assert found.jobs == (("j1",) if needed else ())


def test_a_live_job_needs_the_bytes_that_it_was_asked_for_with() -> None:
    at = a_world(job("j1", "b", R2))
    known = replace(at.memory, wanted={("b", R2): {"training_file": f"sha256:{HEX}"}})
    found = use_of(CONTENT, replace(at, memory=known), RECORDED)
    assert found is not None
    assert found.jobs == ("j1",)


@pytest.mark.parametrize("echoes", [True, False])
def test_an_ended_job_needs_its_file_where_the_name_is_its_mark(echoes: bool) -> None:
    found = use_of(ATTEMPT, a_world(job("j1", "a", R1, status="succeeded"), echoes=echoes))
    assert found is not None
    assert found.unused is echoes


@pytest.mark.parametrize(("name", "revision", "needed"), [("a", R1, True), ("a", R2, False)])
def test_a_create_whose_answer_was_lost_needs_its_file(name: str, revision: str, needed: bool) -> None:
    found = use_of(ATTEMPT, a_world(intents=[Intent(name, revision, 1)]))
    assert found is not None
    assert found.jobs == (("the lost create of a",) if needed else ())


def test_a_create_whose_answer_was_lost_needs_the_bytes_that_it_asked_for() -> None:
    at = a_world(intents=[Intent("a", R2, 1)])
    sent = replace(at.memory, wanted={("a", R2): {"training_file": f"sha256:{HEX}"}})
    found = use_of(CONTENT, replace(at, memory=sent), RECORDED)
    assert found is not None
    assert found.jobs == ("the lost create of a",)


def test_a_job_that_names_a_file_needs_it_whoever_made_the_job() -> None:
    (found,) = file_uses(a_world(), [CONTENT], Traces(RECORDED, {"f1": ("j8", "j9")}))
    assert found.jobs == ("j8", "j9")
    assert not found.unused


UNMARKED = job("j1", "b", marked=False, training_file="another-spelling")


@pytest.mark.parametrize(("revision", "needed"), [(R1, True), (R2, False)])
def test_a_live_job_that_only_the_journal_knows_needs_the_file_of_its_attempt(revision: str, needed: bool) -> None:
    """A server that drops metadata, and calls a file otherwise in its jobs than in its list."""
    at = a_world(UNMARKED, echoes=False)
    known = replace(at.memory, records={"j1": record("j1", "a", revision)})
    found = use_of(ATTEMPT, replace(at, memory=known))
    assert found is not None
    assert found.jobs == (("j1",) if needed else ())


@pytest.mark.parametrize(("revision", "live", "needed"), [(R1, True, True), (R1, False, False), (R2, True, False)])
def test_a_recorded_live_job_that_cannot_be_read_needs_its_file(revision: str, live: bool, needed: bool) -> None:
    at = a_world()
    known = replace(at.memory, records={"j1": record("j1", "a", revision, live=live)})
    for where in ("unseen", "missing"):
        found = use_of(ATTEMPT, replace(at, memory=known, **{where: frozenset({"j1"})}))
        assert found is not None
        assert found.jobs == (("j1",) if needed else ())


@pytest.mark.parametrize(
    ("named", "needed"),
    [
        ({"another-spelling": ("j9",)}, True),
        ({"": ("j9",)}, True),
        ({"f2": ("j9",)}, False),
        ({"x.jsonl": ("j9",)}, False),
    ],
)
def test_a_live_job_whose_file_is_not_listed_may_need_any_of_them(
    named: dict[str, tuple[str, ...]], needed: bool
) -> None:
    files = [ATTEMPT, ProviderFile("f2", "x.jsonl")]
    (found,) = file_uses(a_world(), files, Traces({}, named))
    assert found.jobs == (("j9",) if needed else ())


def test_but_not_one_of_which_it_is_known_what_it_was_asked_for_with() -> None:
    at = a_world(job("j1", "b", R2))
    known = replace(at.memory, wanted={("b", R2): {"training_file": "file-7"}})
    (found,) = file_uses(replace(at, memory=known), [ATTEMPT], Traces({}, {"file-7": ("j1",)}))
    assert found.jobs == ()


def test_a_file_without_a_name_does_not_place_the_jobs_that_show_no_file() -> None:
    uses = file_uses(a_world(), [ATTEMPT, ProviderFile("f2", "")], Traces({}, {"": ("j9",)}))
    assert uses[0].jobs == ("j9",)


def test_a_recorded_live_job_that_cannot_be_read_needs_the_bytes_that_it_was_asked_for_with() -> None:
    known = memory(echoes=True, records=[record("j7", "b", R2)])
    known = replace(known, wanted={("b", R2): {"training_file": f"sha256:{HEX}"}})
    found = use_of(CONTENT, replace(a_world(), memory=known), RECORDED)
    assert found is not None
    assert found.jobs == ("j7",)
