"""Reading what providers report: leniently, but never so that a job is taken for another's or for ended."""

import json
import unicodedata
from collections import UserDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.acceptance import accepted
from reconciler.core.job import (
    TERMINAL,
    Checkpoint,
    Event,
    Job,
    JobError,
    Marks,
    is_id,
    marks_of,
    parse_checkpoint,
    parse_event,
    parse_job,
    status_meaning,
)
from reconciler.core.plain_job import PlainJob
from reconciler.core.scalars import Name, Strict
from tests.fakes.strategies import JOB_FIELDS, json_values


class _Named(Strict):
    name: Name


MARKS = Marks("fleet-1", "support-bot", "0123456789abcdef", 2)
JOB = {"id": "j", "status": "odd one", "model": "some model", "training_file": "a/b", "metadata": MARKS.as_metadata()}


def test_a_whole_job() -> None:
    job = parse_job(
        {
            "id": "ftjob-1",
            "status": "failed",
            "created_at": 7,
            "finished_at": 9,
            "estimated_finish": 8,
            "model": "m",
            "fine_tuned_model": "ft:m",
            "trained_tokens": 10,
            "training_file": "file-1",
            "validation_file": "file-2",
            "seed": 42,
            "user_provided_suffix": "s",
            "error": {"code": "c", "message": "m", "param": "p"},
            "metadata": MARKS.as_metadata(),
        }
    )
    assert job.id == "ftjob-1"
    assert (job.created_at, job.finished_at, job.estimated_finish, job.seed, job.trained_tokens) == (7, 9, 8, 42, 10)
    assert (job.model, job.fine_tuned_model, job.training_file) == ("m", "ft:m", "file-1")
    assert job.suffix == "s"
    assert job.marks == MARKS
    assert job.status == "failed"
    assert job.error == JobError("c", "m", "p")


def test_a_job_is_read_from_the_fields_that_a_decoder_keeps() -> None:
    asked: set[object] = set()

    class Fields(UserDict[str, object]):
        def get(self, key: str, default: object = None) -> object:
            asked.add(key)
            return super().get(key, default)

    parse_job(Fields(id="j"))
    assert asked == PlainJob.__annotations__.keys()


def test_what_many_jobs_have_is_kept_once() -> None:
    one, other = (parse_job(json.loads(json.dumps(JOB))) for _ in range(2))
    assert one == other
    for text in ("status", "model", "training_file"):
        assert getattr(one, text) is getattr(other, text)
    assert one.marks is not None
    assert other.marks is not None
    assert one.marks.revision is other.marks.revision


def test_marks_survive_the_way_there_and_back() -> None:
    assert marks_of(MARKS.as_metadata()) == MARKS
    orphan = Marks("f", "n", "0" * 16, 1, orphan=True)
    assert marks_of(orphan.as_metadata()) == orphan


def test_marks_have_these_names_at_the_provider_for_good() -> None:
    assert Marks("f", "n", "0" * 16, 2, orphan=True).as_metadata() == {
        "reconciler_fleet": "f",
        "reconciler_job": "n",
        "reconciler_revision": "0" * 16,
        "reconciler_attempt": "2",
        "reconciler_on_remove": "orphan",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"reconciler_fleet": None},
        {"reconciler_fleet": "Not A Label"},
        {"reconciler_fleet": 1},
        {"reconciler_job": 1},
        {"reconciler_job": "../x"},
        {"reconciler_job": "-a"},
        {"reconciler_revision": "0123"},
        {"reconciler_revision": 1234567890123456},
        {"reconciler_revision": "0123456789ABCDEF"},
        {"reconciler_attempt": "0"},
        {"reconciler_attempt": "01"},
        {"reconciler_attempt": 1},
        {"reconciler_attempt": "1000000"},
        {"reconciler_attempt": "1\n"},
    ],
)
def test_marks_that_this_program_never_writes_are_none(change: dict[str, object]) -> None:
    assert marks_of({**MARKS.as_metadata(), **change}) is None


@pytest.mark.parametrize("metadata", [None, "", "reconciler_fleet", [], ["reconciler_fleet"], 7, {}])
def test_what_is_no_metadata_holds_no_marks(metadata: object) -> None:
    assert marks_of(metadata) is None


@pytest.mark.parametrize("answer", [None, [], "x", 1, {}, {"id": ""}, {"id": 0}, {"id": -7}, {"id": 7.0}, {"id": True}])
@pytest.mark.parametrize("parse", [parse_job, parse_event, parse_checkpoint])
def test_what_has_no_id_is_refused(parse: Any, answer: object) -> None:
    with pytest.raises(ValueError, match="a (job|event|checkpoint)"):
        parse(answer)


def test_a_field_of_the_wrong_type_counts_as_absent() -> None:
    job = parse_job(
        {"id": "x", "status": 5, "created_at": True, "trained_tokens": "ten", "error": "bad", "metadata": []}
    )
    assert (job.status, job.created_at, job.trained_tokens, job.error, job.marks) == ("unknown", 0, None, None, None)
    assert job.live


def test_what_a_server_does_not_say_is_nothing() -> None:
    assert parse_job({"id": "x"}) == Job("x", "unknown")
    assert parse_event({"id": "x"}) == Event("x", 0, "info", "message", "", {})
    assert parse_checkpoint({"id": "x"}) == Checkpoint("x", 0, "", 0, {})


@pytest.mark.parametrize(
    ("told", "suffix"),
    [
        ({"user_provided_suffix": "s"}, "s"),
        ({"suffix": "s"}, "s"),
        ({"user_provided_suffix": "s", "suffix": "x"}, "s"),
        ({"user_provided_suffix": None, "suffix": "s"}, "s"),
    ],
)
def test_a_suffix_has_two_names(told: dict[str, object], suffix: str) -> None:
    assert parse_job({"id": "x"} | told).suffix == suffix


@pytest.mark.parametrize("error", [None, {}, {"code": None, "message": None, "param": None}, {"param": "x"}, [], "no"])
def test_a_healthy_jobs_error_reads_as_none(error: object) -> None:
    assert parse_job({"id": "x", "error": error}).error is None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"code": "c", "message": "m", "param": "p"}, "c: m"),
        ({"code": "c"}, "c"),
        ({"message": "m"}, "m"),
    ],
)
def test_an_error_is_told_by_what_there_is_of_it(error: object, words: str) -> None:
    told = parse_job({"id": "x", "error": error}).error
    assert told is not None
    assert told.words == words


@pytest.mark.parametrize(
    ("status", "live", "ended_as"),
    [
        ("validating_files", True, ""),
        ("paused", True, ""),
        ("a word nobody knows", True, ""),
        ("Succeeded", True, ""),
        ("succeeded", False, "succeeded"),
        ("failed", False, "failed"),
        ("cancelled", False, "cancelled"),
        ("canceled", False, "cancelled"),
    ],
)
def test_statuses(status: str, live: bool, ended_as: str) -> None:
    job = Job("x", status)
    assert job.live is live
    assert [job.succeeded, job.failed, job.cancelled] == [
        ended_as == word for word in ("succeeded", "failed", "cancelled")
    ]


@pytest.mark.parametrize(
    ("told", "read"),
    [
        *((word, "succeeded") for word in ("succeeded", "SUCCEEDED", "Succeeded", "success", "Success", "completed")),
        *((word, "succeeded") for word in ("COMPLETED", " succeeded\n")),
        *((word, "failed") for word in ("failed", "FAILED", "error", "Error")),
        *((word, "cancelled") for word in ("cancelled", "canceled", "Cancelled", "CANCELED", "stopped", "Stopped")),
        *((word, "running") for word in ("running", "Running", "RUNNING")),
        *((word, "validating_files") for word in ("validating_files", "Validating-Files", "validating files")),
        *((word, word.lower()) for word in ("Canceling", "CANCELLING", "Paused", "Pending", "Creating", "Resuming")),
    ],
)
def test_a_status_word_in_another_spelling_is_that_word(told: str, read: str) -> None:
    job = parse_job({"id": "x", "status": told})
    assert job.status == read
    assert job.live is (read not in TERMINAL)


@pytest.mark.parametrize(
    "word",
    [
        "Finished",
        "done",
        "JOB_STATE_SUCCEEDED",
        "succeeded_",
        "unsucceeded",
        "succeeded?",
        "not completed",
        "Aborted",
        "cancelled by user",
        "partially_succeeded",
        "errors",
        "suc ceeded",
        "live",
    ],
)
def test_a_word_that_nobody_knows_is_live_and_shown_as_it_came(word: str) -> None:
    job = parse_job({"id": "x", "status": word})
    assert (job.status, job.live) == (word, True)


@pytest.mark.parametrize(
    ("said", "told", "read"),
    [
        ("Finished=succeeded", "FINISHED", "succeeded"),
        ("JOB_STATE_FAILED=failed", "job_state_failed", "failed"),
        ("job expired=cancelled", "Job-Expired", "cancelled"),
        ("a=b=succeeded", "a=b", "succeeded"),
        ("stopped=failed", "Stopped", "failed"),
        ("Error=live", "Error", "Error"),
        ("Thinking=live", "Thinking", "Thinking"),
    ],
)
def test_an_operator_says_what_a_word_means(said: str, told: str, read: str) -> None:
    job = parse_job({"id": "x", "status": told}, dict([status_meaning(said)]))
    assert job.status == read
    assert job.live is (read not in TERMINAL)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "Finished",
        "=succeeded",
        "  =succeeded",
        "Finished=",
        "Finished=done",
        "Finished=Succeeded",
        "running=succeeded",
        "Queued=failed",
        "succeeded=live",
        "canceled=live",
        "canceling=cancelled",
    ],
)
def test_an_operator_cannot_say_what_means_nothing_or_what_the_api_says_itself(said: str) -> None:
    with pytest.raises(ValueError, match=r"write it as WORD=succeeded\|failed\|cancelled\|live$|the API itself says"):
        status_meaning(said)


@pytest.mark.parametrize("given_id", ["a/b", ".", "..", "a b", "é", "x" * 129, "YWJj==", "a?b#c%2F", "\u202e"])
def test_an_id_is_any_text_without_control_characters(given_id: str) -> None:
    for parse in (parse_job, parse_event, parse_checkpoint):
        assert parse({"id": given_id}).id == given_id


@pytest.mark.parametrize("number", [1, 7, 2**53 + 1, 2**63])
def test_an_id_that_is_a_number_is_its_digits(number: int) -> None:
    assert parse_job({"id": number}).id == str(number)


@pytest.mark.parametrize("given_id", ["a\nb", "\x00", "a\x7f", "\x85", "\ud800", "\x1b[2J"])
def test_an_id_that_no_path_takes_is_refused(given_id: str) -> None:
    with pytest.raises(ValueError, match="a job whose id holds a control character"):
        parse_job({"id": given_id})


def test_numbers_are_read_in_any_spelling() -> None:
    job = parse_job(
        {"id": "x", "created_at": "1692661014", "finished_at": "2023-08-22T00:00:00Z", "estimated_finish": 1692663014.9}
        | {"seed": 123.0, "trained_tokens": "5770"}
    )
    assert (job.created_at, job.finished_at, job.estimated_finish) == (1692661014, 1692662400, 1692663014)
    assert (job.seed, job.trained_tokens) == (123, 5770)
    assert parse_event({"id": "e", "created_at": 1692661014123, "data": {"step": "3", "loss": "0.5"}}) == Event(
        "e", 1692661014, "info", "message", "", {"step": 3, "loss": 0.5}
    )
    checkpoint = parse_checkpoint({"id": "c", "step_number": "9", "metrics": {"train_loss": "1e-3"}})
    assert (checkpoint.step, checkpoint.metrics) == (9, {"train_loss": 0.001})


def test_a_number_that_is_unset_is_no_time() -> None:
    job = parse_job({"id": "x", "created_at": "0", "finished_at": "0", "estimated_finish": 0, "seed": "0"})
    assert (job.created_at, job.finished_at, job.estimated_finish, job.seed) == (0, None, None, 0)


def test_an_error_may_be_numbered() -> None:
    assert parse_job({"id": "x", "error": {"code": 3, "message": "m"}}).error == JobError("3", "m", "")
    assert parse_job({"id": "x", "error": {"code": 0, "message": False}}).error is None


def test_age_sorts_by_time_then_id() -> None:
    jobs = [Job("b", "running", created_at=2), Job("c", "running", created_at=1), Job("a", "running", created_at=2)]
    assert [j.id for j in sorted(jobs, key=lambda j: j.age_key)] == ["c", "a", "b"]


def test_an_event_without_data() -> None:
    event = parse_event({"id": "e", "data": None})
    assert (event.level, event.type, event.message, event.metrics) == ("info", "message", "", {})


def test_an_event_with_metrics() -> None:
    data = {"step": 3, "train_loss": 0.5, "ok": True, "note": "x"}
    event = parse_event({"id": "e", "created_at": 5, "level": "warn", "type": "metrics", "message": "m", "data": data})
    assert event.metrics == {"step": 3, "train_loss": 0.5}
    assert (event.created_at, event.level, event.type, event.message) == (5, "warn", "metrics", "m")


def test_a_checkpoint() -> None:
    told = {"id": "c", "step_number": 9, "fine_tuned_model_checkpoint": "ft:x", "created_at": 4, "metrics": {"step": 9}}
    checkpoint = parse_checkpoint(told)
    assert (checkpoint.step, checkpoint.model, checkpoint.created_at, checkpoint.metrics) == (9, "ft:x", 4, {"step": 9})
    assert parse_checkpoint({"id": "c"}).model == ""


FIELDS = [*JOB_FIELDS, "id", "metadata", "data", "metrics", "level", "type", "message", "step_number"]


@given(st.dictionaries(st.sampled_from(FIELDS), json_values(FIELDS)))
def test_whatever_a_server_answers_is_a_value_or_a_value_error(answer: dict[str, object]) -> None:
    for parse in (parse_job, parse_event, parse_checkpoint):
        given_id = answer.get("id")
        number = isinstance(given_id, int) and not isinstance(given_id, bool) and given_id > 0
        text = str(given_id) if number or isinstance(given_id, str) else ""
        if 0 < len(text) <= 512 and not any(unicodedata.category(ch) in {"Cc", "Cs"} for ch in text):
            assert parse(answer).id == text
        else:
            with pytest.raises(ValueError, match="without an id|longer than 512|control character"):
                parse(answer)


def test_numbers_and_text_that_nothing_can_hold_are_made_harmless() -> None:
    job = parse_job({"id": "j", "created_at": 10**400, "fine_tuned_model": "ft:\ud800x", "trained_tokens": 2**53})
    assert (job.created_at, job.fine_tuned_model, job.trained_tokens) == (0, "ft:?x", None)
    event = parse_event({"id": "e", "data": {"step": 10**400, "\ud800": 1, "loss": 0.5, "x": 2**53, "y": 2**53 - 1}})
    assert event.metrics == {"?": 1, "loss": 0.5, "y": 2**53 - 1}


def test_what_is_longer_than_any_honest_text_is_cut() -> None:
    long = "x" * 100_000
    job = parse_job({"id": "j", "status": long, "error": {"message": long}, "fine_tuned_model": long})
    assert job.live, "an unknown word"
    assert job.error is not None
    assert {len(str(text)) for text in (job.status, job.error.message, job.fine_tuned_model)} == {4096}
    assert len(parse_event({"id": "e", "data": {f"{i}{long}": i for i in range(1000)}}).metrics) == 100
    with pytest.raises(ValueError, match="a job whose id is longer than 512"):
        parse_job({"id": "x" * 513})


def test_the_longest_honest_text_is_kept() -> None:
    assert parse_job({"id": "x" * 512}).id == "x" * 512
    assert parse_job({"id": "\U0001f600" * 512}).id == "\U0001f600" * 512
    for letter in "yé":
        assert parse_job({"id": "j", "model": letter * 4096}).model == letter * 4096
    assert parse_job({"id": "j", "model": "y" * 4097}).model == "y" * 4095 + "…"


@given(st.text(alphabet="az09-.A_\n", max_size=66) | st.from_regex(r"[a-z0-9-]{60,64}", fullmatch=True))
def test_what_may_be_a_name_may_be_a_mark_and_nothing_else(name: str) -> None:
    """A name whose mark is not read is a job that is made again and again."""
    marks = Marks("fleet-1", name, "0123456789abcdef", 1)
    may_be = accepted(_Named, {"name": name}) is not None
    assert marks_of(marks.as_metadata()) == (marks if may_be else None)


@pytest.mark.parametrize(
    ("text", "asked_for"),
    [("a", True), ("file-1", True), ("x" * 512, True), ("x" * 513, False), ("", False), ("a\x1bb", False)],
    ids=["short", "ours", "longest", "too long", "empty", "control"],
)
def test_what_can_be_asked_for_is_an_id(text: str, asked_for: bool) -> None:
    assert is_id(text) is asked_for
