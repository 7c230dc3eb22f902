"""A plain job is decoded in one step, and is the very job that lenient reading finds."""

import json

import msgspec
import pytest

from reconciler.core.job import Marks, parse_job
from reconciler.core.plain_job import PlainJob

# What may stand in each field of a job: as the API says, up to what the program takes, a step beyond, and otherwise.
_TEXTS: tuple[object, ...] = (None, "", "é", "x" * 4096, "x" * 4097, 7, 0, [], {})
_TIMES: tuple[object, ...] = (
    None,
    -1,
    0,
    1,
    7.0,
    7.5,
    "7",
    "2026-11-25T10:00:00Z",
    10**11 - 1,
    10**11,
    10**14,
    True,
    {},
)
_COUNTS: tuple[object, ...] = (None, -1, 0, 7.0, 7.5, "7", 2**53 - 1, 2**53, 2**70, False, {})
_MARKED = Marks("f", "a", "0" * 16, 1, orphan=True).as_metadata()
_ODD: dict[str, tuple[object, ...]] = {
    "id": ("é", "x" * 512, "x" * 513, "", "a b", "\x1f", "\x7f", "\x80", "\x9f", "\xa0", "a\n", 7, 0, None),
    "status": (*_TEXTS, "succeeded", "Running", "canceled", "stopped"),
    **dict.fromkeys(("model", "fine_tuned_model", "training_file", "user_provided_suffix", "suffix"), _TEXTS),
    **dict.fromkeys(("created_at", "finished_at", "estimated_finish"), _TIMES),
    **dict.fromkeys(("trained_tokens", "seed"), _COUNTS),
    "error": (None, {}, {"code": "c", "message": 7}, {"code": None, "message": None}, "no", [], 0),
    "metadata": (
        *(None, {}, [], "no", 7, {"ticket": 7}, _MARKED),
        *({**_MARKED, name: value} for name in _MARKED for value in ("", "x y", "0", 7, None, "orphan")),
        *({key: _MARKED[key] for key in _MARKED if key != name} for name in _MARKED),
    ),
    "method": (None, "dpo", {"type": "dpo", "dpo": {"hyperparameters": {"beta": 1}}}, {}, [], 7),
    "hyperparameters": (None, {"n_epochs": "auto"}, {"n_epochs": 3}, {}, [], "auto"),
}
_USUAL = {"id": "j", "status": "running", "user_provided_suffix": "s", "suffix": "other", "metadata": _MARKED}


@pytest.mark.parametrize("field", _ODD)
def test_a_plain_job_is_the_job_that_lenient_reading_finds(field: str) -> None:
    plain = 0
    for value in _ODD[field]:
        content = json.dumps({**_USUAL, field: value}, ensure_ascii=False).encode()
        try:
            decoded = msgspec.json.decode(content, type=PlainJob)
        except msgspec.ValidationError:
            continue
        plain += 1
        assert parse_job(decoded) == parse_job(json.loads(content)), value
    assert plain, "none of these is a plain job"


def test_every_field_of_a_plain_job_is_tried() -> None:
    assert _ODD.keys() == PlainJob.__annotations__.keys()


def test_what_the_server_leaves_out_is_left_out() -> None:
    assert parse_job(msgspec.json.decode(b'{"id": "j"}', type=PlainJob)) == parse_job({"id": "j"})


def test_an_operators_word_counts_for_a_plain_job_too() -> None:
    decoded = msgspec.json.decode(b'{"id": "j", "status": "Done"}', type=PlainJob)
    assert parse_job(decoded, {"done": "succeeded"}).status == "succeeded"
