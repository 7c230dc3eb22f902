"""What a provider reports: jobs, events and checkpoints, read leniently.

Pure. `provider` turns answers into these values; everyone else only reads them. Lenient on
purpose: 15 of the 23 official example answers fail the official schema, so a field of the
wrong type counts as absent, numbers and words are read in any spelling, and a status word nobody
knows is live. Only an answer without an id that can be asked for is refused. This module decides nothing.
"""

import re
import sys
from collections.abc import Mapping
from itertools import islice
from types import MappingProxyType

from msgspec import Struct

from reconciler.core.plain_job import ID_LIMIT, TEXT_LIMIT, PlainJob, PlainMarks
from reconciler.core.spelling import (
    FIXED_WORDS,
    STATUS_WORDS,
    is_object,
    number,
    status_word,
    unix_seconds,
    whole_number,
)
from reconciler.core.training import Training, training_in, training_of

# Words for "a cancel is under way" (they are in Azure's list of statuses).
_ENDING = frozenset({"canceling", "cancelling"})

# Words for a job that stands still until somebody resumes it (they are in Azure's list, too).
_PAUSED = frozenset({"paused", "pausing"})

# The words that end a job; every other word, known or not, is live.
TERMINAL = frozenset({"succeeded", "failed", "cancelled", "canceled"})

FLEET_MARK = "reconciler_fleet"
JOB_MARK = "reconciler_job"
REVISION_MARK = "reconciler_revision"
ATTEMPT_MARK = "reconciler_attempt"
ON_REMOVE_MARK = "reconciler_on_remove"

# What the API itself says, and what no operator can say otherwise.
_ITSELF = FIXED_WORDS - {"canceled"}

_NUMBERS_LIMIT = 100

# The ways of training, each the field of a method that holds its hyperparameters.

# What an operator can say that a word means.
WORD_MEANINGS = ("succeeded", "failed", "cancelled", "live")
_NO_WORDS: Mapping[str, str] = MappingProxyType({})

# No path, file or terminal takes them: the control characters of Unicode, and halves of surrogate pairs.
_NO_ID = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_NAME = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# Fleet, name, revision and attempt, a line each: none of them can hold the end of one.
_IDENTITY = re.compile(rf"{_NAME}\n{_NAME}\n[0-9a-f]{{16}}\n[1-9][0-9]{{0,5}}")


class Marks(Struct, frozen=True, gc=False):
    """Whose job it is: what we wrote into its metadata when we created it."""

    fleet: str
    name: str
    revision: str
    attempt: int
    orphan: bool = False  # on_remove: orphan, as the manifest said when the job was created

    def as_metadata(self) -> dict[str, str]:
        """The pairs that go into the create body."""
        pairs = {
            FLEET_MARK: self.fleet,
            JOB_MARK: self.name,
            REVISION_MARK: self.revision,
            ATTEMPT_MARK: str(self.attempt),
        }
        return pairs | ({ON_REMOVE_MARK: "orphan"} if self.orphan else {})


class JobError(Struct, frozen=True, gc=False):
    """Why a job failed, as the provider says it; each part may be empty."""

    code: str
    message: str
    param: str

    @property
    def words(self) -> str:
        return ": ".join(part for part in (self.code, self.message) if part)


class Job(Struct, frozen=True, gc=False):
    """One fine-tuning job as a provider last showed it. Times are Unix seconds.

    ``file_name`` is that of its training file, where its metadata carries no marks and the server tells the name.
    """

    id: str
    status: str
    created_at: int = 0
    finished_at: int | None = None
    estimated_finish: int | None = None
    model: str = ""
    fine_tuned_model: str | None = None
    trained_tokens: int | None = None
    training_file: str = ""
    seed: int | None = None
    suffix: str | None = None
    error: JobError | None = None
    marks: Marks | None = None
    training: Training = Training()
    file_name: str = ""

    @property
    def by_file(self) -> bool:
        """Whether its marks are those of its training file's name, not of its metadata."""
        return self.marks is not None and bool(self.file_name)

    @property
    def ending(self) -> bool:
        """Whether a cancel of it is under way."""
        return self.status in _ENDING

    @property
    def paused(self) -> bool:
        """Whether it stands still, or is about to."""
        return self.status in _PAUSED

    @property
    def live(self) -> bool:
        return self.status not in TERMINAL

    @property
    def succeeded(self) -> bool:
        return self.status == "succeeded"

    @property
    def failed(self) -> bool:
        return self.status == "failed"

    @property
    def cancelled(self) -> bool:
        return self.status in {"cancelled", "canceled"}

    def belongs_to(self, fleet: str) -> bool:
        """Whether it carries that fleet's mark."""
        return self.marks is not None and self.marks.fleet == fleet

    @property
    def age_key(self) -> tuple[int, str]:
        """Sorts the oldest first; the id breaks ties, so that every writer sorts alike."""
        return (self.created_at, self.id)


class Event(Struct, frozen=True):
    """One line of a job's story."""

    id: str
    created_at: int
    level: str
    type: str
    message: str
    metrics: Mapping[str, float]


class Checkpoint(Struct, frozen=True):
    """A usable model of an earlier step."""

    id: str
    step: int
    model: str
    created_at: int
    metrics: Mapping[str, float]


def marks_of(metadata: object) -> Marks | None:
    """The marks in a job's metadata, or None where it carries none that can be ours.

    A job whose fleet mark stands beside a name or revision that this program never writes
    was marked by something else; it is left alone, which is the safe side.
    """
    if not metadata or not is_object(metadata):
        return None
    return _marks(*(metadata.get(mark) for mark in (FLEET_MARK, JOB_MARK, REVISION_MARK, ATTEMPT_MARK, ON_REMOVE_MARK)))


def _marks(fleet: object, name: object, revision: object, attempt: object, on_remove: object) -> Marks | None:
    if not (isinstance(fleet, str) and isinstance(name, str)):
        return None
    if not (isinstance(revision, str) and isinstance(attempt, str)):
        return None
    if _IDENTITY.fullmatch(f"{fleet}\n{name}\n{revision}\n{attempt}") is None:
        return None
    fleet, name, revision = map(sys.intern, (fleet, name, revision))
    return Marks(fleet, name, revision, int(attempt), orphan=on_remove == "orphan")


def parse_job(answer: object, words: Mapping[str, str] = _NO_WORDS) -> Job:
    """A job from the API's JSON. ``words``: what an operator says that status words mean, as `status_meaning` has it.

    Raises:
        ValueError: it is not an object, or has no id that can be asked for.
    """
    if type(answer) is PlainJob:
        return _of_plain(answer, words)
    fields = object_of(answer, "job")
    return Job(
        # What the journal remembers too, and what many jobs have, is kept once: a history stays in memory.
        id=sys.intern(id_of(fields, "job")),
        status=sys.intern(_status(text_of(fields, "status") or "unknown", words)),
        created_at=unix_seconds(fields.get("created_at")) or 0,
        finished_at=unix_seconds(fields.get("finished_at")),
        estimated_finish=unix_seconds(fields.get("estimated_finish")),
        model=sys.intern(text_of(fields, "model") or ""),
        fine_tuned_model=text_of(fields, "fine_tuned_model"),
        trained_tokens=whole_number(fields.get("trained_tokens")),
        training_file=sys.intern(text_of(fields, "training_file") or ""),
        seed=whole_number(fields.get("seed")),
        suffix=sys.intern(text_of(fields, "user_provided_suffix") or text_of(fields, "suffix") or "") or None,
        error=_error(fields.get("error")),
        marks=marks_of(fields.get("metadata")),
        training=training_of(fields),
    )


_UNMARKED = PlainMarks()


def _of_plain(plain: PlainJob, words: Mapping[str, str]) -> Job:
    """The same."""
    marks = plain.metadata or _UNMARKED
    return Job(
        sys.intern(plain.id),
        sys.intern(_status(plain.status or "unknown", words)),
        plain.created_at or 0,
        plain.finished_at,
        plain.estimated_finish,
        sys.intern(plain.model or ""),
        plain.fine_tuned_model or None,
        plain.trained_tokens,
        sys.intern(plain.training_file or ""),
        plain.seed,
        sys.intern(plain.user_provided_suffix or plain.suffix or "") or None,
        _error(plain.error),
        _marks(
            marks.reconciler_fleet,
            marks.reconciler_job,
            marks.reconciler_revision,
            marks.reconciler_attempt,
            marks.reconciler_on_remove,
        ),
        training_in(plain.method, plain.hyperparameters),
    )


def parse_event(answer: object) -> Event:
    """An event from the API's JSON. Raises ValueError as `parse_job` does."""
    fields = object_of(answer, "event")
    return Event(
        id=id_of(fields, "event"),
        created_at=unix_seconds(fields.get("created_at")) or 0,
        level=text_of(fields, "level") or "info",
        type=text_of(fields, "type") or "message",
        message=text_of(fields, "message") or "",
        metrics=_numbers(fields.get("data")),
    )


def parse_checkpoint(answer: object) -> Checkpoint:
    """A checkpoint from the API's JSON. Raises ValueError as `parse_job` does."""
    fields = object_of(answer, "checkpoint")
    return Checkpoint(
        id=id_of(fields, "checkpoint"),
        step=whole_number(fields.get("step_number")) or 0,
        model=text_of(fields, "fine_tuned_model_checkpoint") or "",
        created_at=unix_seconds(fields.get("created_at")) or 0,
        metrics=_numbers(fields.get("metrics")),
    )


def object_of(answer: object, noun: str) -> Mapping[str, object]:
    """The fields of an answer. Raises ValueError where it is not an object."""
    if not is_object(answer):
        raise ValueError(f"a {noun} that is not an object")
    return answer


def id_of(fields: Mapping[str, object], noun: str) -> str:
    """Its id, of whatever characters a path can hold when they are percent-encoded; a number is its digits.

    Raises:
        ValueError: there is none, or one that `check_id` refuses.
    """
    value = fields.get("id")
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        value = str(value)
    return check_id(value if isinstance(value, str) else "", noun)


def check_id(value: str, noun: str) -> str:
    """An id that can be asked for, unchanged. Raises ValueError for any other."""
    if not value:
        raise ValueError(f"a {noun} without an id")
    if len(value) > ID_LIMIT:
        raise ValueError(f"a {noun} whose id is longer than {ID_LIMIT} characters")
    if _NO_ID.search(value):
        raise ValueError(f"a {noun} whose id holds a control character")
    return value


def is_id(value: str) -> bool:
    """Whether it is one that can be asked for."""
    return 0 < len(value) <= ID_LIMIT and _NO_ID.search(value) is None


def status_meaning(text: str) -> tuple[str, str]:
    """``WORD=MEANING``, as an operator writes it, for ``words`` of `parse_job`.

    Raises:
        ValueError: it is not of that form, or the API itself says what the word means.
    """
    word, _, meaning = (part.strip() for part in text.rpartition("="))
    if not word or meaning not in WORD_MEANINGS:
        raise ValueError(f"write it as WORD={'|'.join(WORD_MEANINGS)}")
    if status_word(word) in FIXED_WORDS:
        raise ValueError(f"the API itself says what {status_word(word)} means")
    return status_word(word), meaning


def _status(text: str, words: Mapping[str, str]) -> str:
    """The API's word for a status, where it is known what the server's means; else the server's, which is live."""
    if text in _ITSELF:
        return text
    meaning = words.get(status_word(text)) or STATUS_WORDS.get(status_word(text), "live")
    return text if meaning == "live" else meaning


def text_of(fields: Mapping[str, object], key: str) -> str | None:
    """A text that can be written; None where there is none."""
    value = fields.get(key)
    if not isinstance(value, str) or not value:
        return None
    if value.isascii() and len(value) <= TEXT_LIMIT:
        return value
    # JSON can spell half of a surrogate pair, which no file and no terminal takes.
    text = value[: TEXT_LIMIT + 1].encode(errors="replace").decode()
    return text if len(text) <= TEXT_LIMIT else f"{text[: TEXT_LIMIT - 1]}…"


def _numbers(value: object) -> dict[str, float]:
    if not isinstance(value, Mapping):
        return {}
    numbers = ((str(k)[:ID_LIMIT].encode(errors="replace").decode(), number(v)) for k, v in value.items())
    return dict(islice(((name, found) for name, found in numbers if found is not None), _NUMBERS_LIMIT))


def _error(value: object) -> JobError | None:
    """A healthy job's error is null, `{}` or all null; each reads as None."""
    if not value or not is_object(value):
        return None
    code, message, param = (sys.intern(_as_text(value, key)) for key in ("code", "message", "param"))
    return JobError(code, message, param) if code or message else None


def _as_text(fields: Mapping[str, object], key: str) -> str:
    """A text, or a number as one: some servers number their errors."""
    value = fields.get(key)
    return str(value) if isinstance(value, int) and whole_number(value) else text_of(fields, key) or ""
