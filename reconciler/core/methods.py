"""How a model is trained, as a person may write it: methods, hyperparameters and graders, with documented bounds.

Pure. `fields` puts `Method` and `Hyperparameters` under ``spec``. Bounds are those of the official OpenAPI document
(schemas CreateFineTuningJobRequest, FineTune…Method, Grader…). A null and an empty map mean unset, everywhere.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self

from msgspec import Struct
from pydantic import (
    AfterValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
    Tag,
    model_validator,
)
from pydantic_core import core_schema

from reconciler.core.placeholder import free_fault
from reconciler.core.scalars import UNSET, Integer, Label, Number, Strict, Text, Word, all_filled, integral, meant

_BOUNDS: Mapping[str, Callable[[float, float], bool]] = {
    "minimum": operator.ge,
    "maximum": operator.le,
    "exclusiveMinimum": operator.gt,
}


class _Auto(Struct, frozen=True):
    """``auto``, or a number within ``bounds`` (as JSON Schema names them); ``words`` say which."""

    words: str
    bounds: Mapping[str, float]
    integer: bool = False

    def validate(self, value: Any) -> Any:
        if value == "auto":
            return value
        number = integral(value)
        kinds = (int,) if self.integer else (int, float)
        if isinstance(number, bool) or not isinstance(number, kinds) or not self._within(number):
            raise ValueError(f"must be auto or {self.words}")
        return number

    def _within(self, number: float) -> bool:
        return number - number == 0 and all(_BOUNDS[name](number, bound) for name, bound in self.bounds.items())

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.validate)

    def __get_pydantic_json_schema__(self, _schema: Any, _handler: Any) -> dict[str, Any]:
        kind = "integer" if self.integer else "number"
        return {"anyOf": [{"const": "auto"}, {"type": kind, **self.bounds}], "description": f"auto, or {self.words}"}


# The bounds are those of the API reference; None is "not set", as everywhere.
_Epochs = Annotated[Any, _Auto("a whole number from 1 to 50", {"minimum": 1, "maximum": 50}, integer=True)]
_Batch = Annotated[Any, _Auto("a whole number from 1 to 256", {"minimum": 1, "maximum": 256}, integer=True)]
_Rate = Annotated[Any, _Auto("a number above 0", {"exclusiveMinimum": 0})]
_Beta = Annotated[Any, _Auto("a number above 0, at most 2", {"exclusiveMinimum": 0, "maximum": 2})]
_Compute = Annotated[Any, _Auto("a number above 0.00001, at most 10", {"exclusiveMinimum": 1e-05, "maximum": 10})]
_Count = Annotated[Any, _Auto("a whole number from 1", {"minimum": 1, "maximum": 2**31 - 1}, integer=True)]


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
    content: Annotated[Any, AfterValidator(all_filled)]
    type: Literal["message"] | None = None


class _Sampling(Strict):
    seed: Integer | None = None
    top_p: Number | None = None
    temperature: Number | None = None
    max_completions_tokens: Annotated[Integer, Field(ge=1)] | None = None
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
    source: Annotated[str, StringConstraints(min_length=1, max_length=1_048_576), meant(free_fault)]
    image_tag: Word | None = None


class ScoreModelGrader(Strict):
    """Asks a model for a score."""

    type: Literal["score_model"]
    name: Word
    model: Word
    input: list[_Item]
    sampling_params: _Sampling | None = None
    range: Annotated[list[Number], Field(min_length=2, max_length=2)] | None = None


class LabelModelGrader(Strict):
    """Asks a model for a label; inside of ``multi`` only."""

    type: Literal["label_model"]
    name: Word
    model: Word
    input: list[_Item]
    labels: list[Label]
    passing_labels: list[Label]


def _grader_type(value: Any) -> str:
    """Empty where it says none: only of a text does pydantic say which would fit here."""
    given = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
    return given if isinstance(given, str) else ""


_Single = (
    Annotated[StringCheckGrader, Tag("string_check")]
    | Annotated[TextSimilarityGrader, Tag("text_similarity")]
    | Annotated[PythonGrader, Tag("python")]
    | Annotated[ScoreModelGrader, Tag("score_model")]
)
_Part = Annotated[_Single | Annotated[LabelModelGrader, Tag("label_model")], Discriminator(_grader_type)]


class MultiGrader(Strict):
    """Combines the scores of named graders."""

    type: Literal["multi"]
    name: Word
    graders: Annotated[dict[Word, _Part], Field(min_length=1)]
    calculate_output: Text


Grader = Annotated[_Single | Annotated[MultiGrader, Tag("multi")], Discriminator(_grader_type)]

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
    """What `_one_method` says, for editors."""
    return _of_type(method, {"properties": dict.fromkeys(sorted(_METHODS - {method}), UNSET)})


_WITH_GRADER = _of_type(
    "reinforcement", {"required": ["reinforcement"], "properties": {"reinforcement": {"not": UNSET}}}
)


class Method(Strict):
    """How the model is trained."""

    model_config = ConfigDict(json_schema_extra={"allOf": [*map(_alone, sorted(_METHODS)), _WITH_GRADER]})

    type: Literal["supervised", "dpo", "reinforcement"]
    supervised: SupervisedMethod | None = None
    dpo: DPOMethod | None = None
    reinforcement: ReinforcementMethod | None = None

    @model_validator(mode="after")
    def _one_method(self) -> Self:
        others = sorted(self.model_fields_set - {"type", self.type})
        if others:
            raise ValueError(f"{others[0]} does not go with type {self.type}")
        if self.type == "reinforcement" and self.reinforcement is None:
            raise ValueError("type reinforcement needs reinforcement.grader")
        return self
