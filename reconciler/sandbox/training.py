"""A training file as the sandbox judges it: how many examples, and what is wrong for which kind of training.

Judged once, on upload, so that creating a job need not read the file again; and for every kind of training at the same
time, since an upload does not say what it is for. What one example may be is in `examples`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .examples import KINDS as JUDGED
from .examples import BadExample, check
from .job import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable

# The API's own minimum, for every method.
MIN_EXAMPLES = 10
# A common rule of thumb for English; the sandbox owns no tokenizer.
_BYTES_PER_TOKEN = 4
ANYTHING = "anything"  # the kind of training for which every JSON object is an example
_COMPLETION_MODELS = ("davinci-002", "babbage-002")
_KINDS = (*JUDGED, ANYTHING)
_KEYS = "keys"  # beside the kinds: what every example has
_MARK = b"\xef\xbb\xbf"
# The largest double has 309 digits.
_MAX_DIGITS = 308


def kind_of(method: str, model: str) -> str:
    """What a job trains: its method, but for the two models that complete a text."""
    base = model.split(":")[1] if model.startswith("ft:") else model
    return "completion" if method == "supervised" and base.startswith(_COMPLETION_MODELS) else method


@dataclass(frozen=True, slots=True)
class Dataset:
    """`problem` is JSON: by the kind of training the first bad line, in words; and the keys that every example has.

    An older sandbox wrote a sentence there instead, which holds for every kind.
    """

    examples: int
    tokens: int
    problem: str | None = None

    def problem_for(self, kind: str) -> str | None:
        """What is wrong where this kind of training is wanted."""
        if self.problem is None or not self.problem.startswith("{"):
            return self.problem
        found: str | None = json.loads(self.problem).get(kind)
        return found

    def lacking(self, grader: object) -> str | None:
        """Which key the grader reads and not every example has, in a sentence; None where there is none."""
        known = json.loads(self.problem).get(_KEYS) if self.problem and self.problem.startswith("{") else None
        missing = sorted(_read_by(grader) - set(known)) if known is not None else []
        return f"Not every line has '{missing[0]}', which the grader reads." if missing else None

    def failure(self, kind: str, role: str = "training", grader: object = None) -> Failure | None:
        """How a job that uses this file ends in validation, if it does; a validation file has no minimum."""
        param = f"{role}_file"
        problem = self.problem_for(kind) or (self.lacking(grader) if kind == "reinforcement" else None)
        if problem is not None:
            message = f"The job failed due to an invalid {role} file. {problem}"
            return Failure(f"invalid_{param}", message, param)
        if role == "training" and self.examples < MIN_EXAMPLES:
            message = f"Training file has {self.examples} example(s), but must have at least {MIN_EXAMPLES} examples"
            return Failure("invalid_n_examples", message, param)
        return None


def inspect(lines: Iterable[bytes]) -> Dataset:
    """Count the examples, and find the first bad one for each kind; blank lines are none."""
    examples = size = 0
    problems: dict[str, str] = {}
    keys: set[str] | None = None
    for number, line in enumerate(lines, start=1):
        text = line.removeprefix(_MARK) if number == 1 else line
        if not text.strip():
            continue
        examples += 1
        size += len(line)
        if len(problems) < len(_KINDS):
            own = _judge(text, number, problems)
            keys = own if keys is None else keys & own
    found = {**problems, _KEYS: sorted(keys or ())}
    return Dataset(examples, max(1, size // _BYTES_PER_TOKEN), json.dumps(found))


def _read_by(grader: object) -> set[str]:
    """The keys of an example that a grader's templates name; a script may read whatever it likes."""
    if isinstance(grader, str):
        return set(re.findall(r"{{\s*item\.(\w+)", grader))
    parts = [value for key, value in grader.items() if key != "source"] if isinstance(grader, dict) else grader
    return set().union(*map(_read_by, parts)) if isinstance(parts, list) else set()


def _judge(line: bytes, number: int, problems: dict[str, str]) -> set[str]:
    """Note what is wrong with a line; the keys that it has."""
    try:
        example = _object(line)
    except (ValueError, RecursionError):
        for kind in _KINDS:
            problems.setdefault(kind, f"Line {number} is not a JSON object.")
        return set()
    for kind in JUDGED:
        if kind not in problems:
            try:
                check(kind, example)
            except BadExample as bad:
                problems[kind] = f"Line {number}: {bad}."
    return set(example)


def _object(line: bytes) -> dict[str, Any]:
    """Raises ValueError where a line is none, or one that two readers of JSON would not read alike."""
    value = json.loads(
        line.decode(),
        object_pairs_hook=_unique,
        parse_constant=_refuse,
        parse_float=_finite,
        parse_int=_integer,
    )
    if not isinstance(value, dict):
        raise ValueError("no object")  # noqa: TRY004 - as whatever else is no JSON object
    json.dumps(value, ensure_ascii=False).encode()
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _refuse(word: str) -> None:
    raise ValueError(word)


def _finite(digits: str) -> float:
    value = float(digits)
    if abs(value) == float("inf"):
        raise ValueError(digits)
    return value


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("too long")
    return int(digits)
