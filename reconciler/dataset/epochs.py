"""How many times a job goes through its examples.

Pure. `cost` asks. Where a manifest says nothing, or `auto`, it is what OpenAI's own notebook computes
(openai-cookbook, Chat_finetuning_data_prep.ipynb); another server may choose otherwise.
"""

from collections.abc import Mapping

from reconciler.core.training import AUTO, training_of

_USUAL = 3
# How many examples it aims at, over all epochs together.
_FEWEST, _MOST = 100, 25_000
_LIMIT = 25


def epochs_of(body: Mapping[str, object], examples: int) -> int | None:
    """Of a create's body; None for reinforcement, whose length nobody can say before."""
    training = training_of(body)
    given = dict(training.numbers).get("n_epochs", AUTO)
    if given != AUTO:
        return int(given)
    return None if training.method == "reinforcement" else auto_epochs(examples)


def auto_epochs(examples: int) -> int:
    """What `auto` comes to for so many examples."""
    if examples < 1:
        return _USUAL
    if examples * _USUAL < _FEWEST:
        return min(_LIMIT, _FEWEST // examples)
    if examples * _USUAL > _MOST:
        return max(1, _MOST // examples)
    return _USUAL
