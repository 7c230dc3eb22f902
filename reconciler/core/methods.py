"""How a model is trained, as a person may write it: methods, hyperparameters and graders, with documented bounds.

Pure. `spec` puts `Method` and `Hyperparameters` under ``spec``. Bounds are those of the official OpenAPI document
(schemas CreateFineTuningJobRequest, FineTune…Method, Grader…). A null and an empty map mean unset, everywhere.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from reconciler.core.placeholder import free_fault
from reconciler.core.scalars import (
    UNSET,
    After,
    Alone,
    Bounds,
    ByType,
    Integer,
    Label,
    Number,
    Strict,
    Text,
    Word,
    all_filled,
    integral,
    meant,
)

_BOUNDS: Mapping[str, Callable[[float, float], bool]] = {
    "minimum": operator.ge,
    "maximum": operator.le,
    "exclusiveMinimum": operator.gt,
}


def _auto(words: str, *, integer: bool = False, **bounds: float) -> Alone:
    """``auto``, or a number within ``bounds`` (as JSON Schema names them); ``words`` say which."""
    kinds = (int,) if integer else (int, float)

    def judge(value: Any) -> Any:
        if value == "auto":
            return value
        number = integral(value)
        if isinstance(number, bool) or not isinstance(number, kinds) or not _within(number, bounds):
            raise ValueError(f"must be auto or {words}")
        return number

    kind = "integer" if integer else "number"
    return Alone(judge, {"anyOf": [{"const": "auto"}, {"type": kind, **bounds}], "description": f"auto, or {words}"})


def _within(number: float, bounds: Mapping[str, float]) -> bool:
    return number - number == 0 and all(_BOUNDS[name](number, bound) for name, bound in bounds.items())


# The bounds are those of the API reference; None is "not set", as everywhere.
_Epochs = Annotated[Any, _auto("a whole number from 1 to 50", integer=True, minimum=1, maximum=50)]
_Batch = Annotated[Any, _auto("a whole number from 1 to 256", integer=True, minimum=1, maximum=256)]
_Rate = Annotated[Any, _auto("a number above 0", exclusiveMinimum=0)]
_Beta = Annotated[Any, _auto("a number above 0, at most 2", exclusiveMinimum=0, maximum=2)]
_Compute = Annotated[Any, _auto("a number above 0.00001, at most 10", exclusiveMinimum=1e-05, maximum=10)]
_Count = Annotated[Any, _auto("a whole number from 1", integer=True, minimum=1, maximum=2**31 - 1)]


class Hyperparameters(Strict):
    """Of supervised training, and the deprecated top-level form."""

    n_epochs: _Epochs = None
    batch_size: _Batch = None
    learning_rate_multiplier: _Rate = None


class DPOHyperparameters(Hyperparameters):
    """Of preference training."""

    beta: _Beta = None


class ReinforcementHyperparameters(Hyperparameters):
    """Of reinforcement training."""

    reasoning_effort: Literal["default", "low", "medium", "high"] | None = None
    compute_multiplier: _Compute = None
    eval_interval: _Count = None
    eval_samples: _Count = None


class _Item(Strict):
    role: Literal["user", "assistant", "system", "developer"]
    content: Annotated[Any, After(all_filled)]
    type: Literal["message"] | None = None


class _Sampling(Strict):
    seed: Integer | None = None
    top_p: Number | None = None
    temperature: Number | None = None
    max_completions_tokens: Annotated[Integer, Bounds(ge=1)] | None = None
    reasoning_effort: Word | None = None


class StringCheckGrader(Strict):
    """Compares two texts."""

    type: Literal["string_check"]
    name: Word
    input: Text
    reference: Text
    operation: Literal["eq", "ne", "like", "ilike"]


class TextSimilarityGrader(Strict):
    """Measures how alike two texts are."""

    type: Literal["text_similarity"]
    name: Word
    input: Text
    reference: Text
    evaluation_metric: Literal[
        "cosine",
        "fuzzy_match",
        "bleu",
        "gleu",
        "meteor",
        "rouge_1",
        "rouge_2",
        "rouge_3",
        "rouge_4",
        "rouge_5",
        "rouge_l",
    ]


class PythonGrader(Strict):
    """Runs a script on the answer."""

    type: Literal["python"]
    name: Word
    source: Annotated[str, Bounds(min_length=1, max_length=1_048_576), meant(free_fault)]
    image_tag: Word | None = None


class ScoreModelGrader(Strict):
    """Asks a model for a score."""

    type: Literal["score_model"]
    name: Word
    model: Word
    input: list[_Item]
    sampling_params: _Sampling | None = None
    range: Annotated[list[Number], Bounds(min_length=2, max_length=2)] | None = None


class LabelModelGrader(Strict):
    """Asks a model for a label; inside of ``multi`` only."""

    type: Literal["label_model"]
    name: Word
    model: Word
    input: list[_Item]
    labels: list[Label]
    passing_labels: list[Label]


_Single = StringCheckGrader | TextSimilarityGrader | PythonGrader | ScoreModelGrader
_Part = Annotated[_Single | LabelModelGrader, ByType()]


class MultiGrader(Strict):
    """Combines the scores of named graders."""

    type: Literal["multi"]
    name: Word
    graders: Annotated[dict[Word, _Part], Bounds(min_length=1)]
    calculate_output: Text


Grader = Annotated[_Single | MultiGrader, ByType()]

# What pydantic puts into an error's path beside the user's own keys.
GRADER_TYPES = frozenset({"string_check", "text_similarity", "python", "score_model", "label_model", "multi"})


class SupervisedMethod(Strict):
    """Learn the answers."""

    hyperparameters: Hyperparameters | None = None


class DPOMethod(Strict):
    """Learn a preference."""

    hyperparameters: DPOHyperparameters | None = None


class ReinforcementMethod(Strict):
    """Learn from a grader's score."""

    grader: Grader
    hyperparameters: ReinforcementHyperparameters | None = None


_METHODS = frozenset({"supervised", "dpo", "reinforcement"})


def _of_type(method: str, then: dict[str, Any]) -> dict[str, Any]:
    return {"if": {"properties": {"type": {"const": method}}}, "then": then}


def _alone(method: str) -> dict[str, Any]:
    """What `Method.check` says of the other methods, for editors."""
    return _of_type(method, {"properties": dict.fromkeys(sorted(_METHODS - {method}), UNSET)})


_WITH_GRADER = _of_type(
    "reinforcement", {"required": ["reinforcement"], "properties": {"reinforcement": {"not": UNSET}}}
)


class Method(Strict, schema={"allOf": [*map(_alone, sorted(_METHODS)), _WITH_GRADER]}):
    """How the model is trained."""

    type: Literal["supervised", "dpo", "reinforcement"]
    supervised: SupervisedMethod | None = None
    dpo: DPOMethod | None = None
    reinforcement: ReinforcementMethod | None = None

    @classmethod
    def check(cls, written: Mapping[str, Any]) -> None:
        kind = written["type"]
        others = sorted(written.keys() - {"type", kind})
        if others:
            raise ValueError(f"{others[0]} does not go with type {kind}")
        if kind == "reinforcement" and kind not in written:
            raise ValueError("type reinforcement needs reinforcement.grader")
