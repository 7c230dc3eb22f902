"""Log events as sentences."""

import pytest

from reconciler.log import Narrator
from reconciler.render.narration import event_sentence


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            {"event": "job.succeeded", "job": "a", "job_id": "j1", "fine_tuned_model": "ft:x"},
            "✓ a: succeeded; its model is ft:x",
        ),
        (
            {"event": "job.succeeded", "job": "a", "job_id": "j1", "fine_tuned_model": None},
            "✓ a: succeeded; the provider names no model yet",
        ),
        ({"event": "job.failed", "job": "a", "error": None}, "✗ a: failed: -"),
        ({"event": "job.failed", "job": "a", "error": "bad line"}, "✗ a: failed: bad line"),
        (
            {"event": "job.ended", "job": "a", "job_id": "j1", "status": "cancelled", "ended_by": "somebody else"},
            "✗ a: job j1 was cancelled (by somebody else)",
        ),
        (
            {"event": "job.cancelled", "job": "a", "job_id": "j1", "status": "cancelled"},
            "✓ a: job j1 is cancelled",
        ),
        ({"event": "job.cancelled", "job": "a", "job_id": "j1"}, None),
        (
            {"event": "create.resolved", "job": "a", "job_id": "j1"},
            "  a: the create whose answer was lost is resolved: it made job j1",
        ),
        (
            {"event": "create.resolved", "job": "a", "job_id": None},
            "  a: the create whose answer was lost is resolved: no job",
        ),
        (
            {"event": "file.awaited", "job": "a", "path": "d.jsonl", "size": 9},
            "  a: uploading d.jsonl (9 bytes)",
        ),
        (
            {"event": "job.mismatched", "job": "a", "job_id": "j1", "why": "method dpo was sent"},
            "! a: job j1 is not what was sent: method dpo was sent",
        ),
        ({"event": "request.completed", "path": "/x"}, None),
        ({"event": "job.failed", "job": "a"}, "✗ a: failed: -"),
        ({"event": "job.failed", "job": "a", "error": "\x1b[31m"}, "✗ a: failed: \\x1b[31m"),
    ],
)
def test_what_a_person_is_told_of_an_event(event: dict[str, object], words: str | None) -> None:
    assert event_sentence(event) == words


def test_an_event_without_a_sentence_is_not_said_and_a_key_never() -> None:
    said: list[str] = []
    log = Narrator(said.append, event_sentence, ["sk-secret"])
    log.info("request.completed", path="/x")
    log.warning("job.failed", job="a", error="sk-secret is wrong")
    log.bind(job="b").info("job.succeeded", fine_tuned_model="ft:x")
    assert said == ["✗ a: failed: [redacted] is wrong", "✓ b: succeeded; its model is ft:x"]
