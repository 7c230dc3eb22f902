"""Is the job that a server made the one that was asked for? What was sent, compared with what comes back.

Pure. `world` and `act` ask whether the method was lost, which makes it another job, and what else contradicts, which is
only said; `adoption` asks the same of a job that nobody here has sent. What a server leaves out, renames or dates
proves nothing, with one exception: every server that trains dpo or reinforcement jobs shows that it does.
"""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from reconciler.core.body import derived_seed, same_suffix
from reconciler.core.job import Job, Marks
from reconciler.core.training import AUTO, METHODS, Training, method_of, training_of
from reconciler.errors import escaped

# Where one of them was sent and none is shown, the job is a supervised one.
_SHOWN_WHERE_TRAINED = frozenset({"dpo", "reinforcement"})


def sent_training(form: Mapping[str, object]) -> Training:
    """How a job of that hashed form was asked to train."""
    return training_of(_sent(form))


def _sent(form: Mapping[str, object]) -> Mapping[str, object]:
    extra = form.get("extra_body")
    return {**form, **extra} if extra and isinstance(extra, Mapping) else form


def lost_method(form: Mapping[str, object], job: Job, *, assumed: bool) -> str:
    """The method that was sent where the job has another one; "" where nothing says so.

    ``assumed``: the operator says that this server trains what it does not show.
    """
    sent, shown = method_of(_sent(form).get("method")), job.training.method
    if shown == sent or sent not in METHODS:
        return ""
    lost = shown in METHODS if shown else sent in _SHOWN_WHERE_TRAINED and not assumed
    return sent if lost else ""


def lost_words(sent: str, job: Job) -> str:
    """What became of the method, in words."""
    return f"method {sent} was sent, and the server made it {escaped(job.training.method) or 'without one'}"


class Contradiction(Struct, frozen=True):
    """A field of a job that is not as it was asked for; ``asked`` is None where it was not asked for at all."""

    field: str
    asked: object
    shown: object

    def in_words(self, words: str) -> str:
        """``words`` with what differs in the places of ``{field}``, ``{asked}`` and ``{shown}``."""
        asked = "none" if self.asked is None else escaped(str(self.asked))
        return words.format(field=escaped(self.field), asked=asked, shown=escaped(str(self.shown)))


def contradictions(asked: Mapping[str, object], job: Job, seed: object) -> Iterator[Contradiction]:
    """Where suffix, seed and numbers of a job contradict a create's fields; ``seed`` is None where any will do."""
    if not same_suffix(asked, job):
        yield Contradiction("suffix", asked.get("suffix"), job.suffix)
    # 0 is what some servers show whatever was sent.
    if job.seed and seed not in {None, job.seed}:
        yield Contradiction("seed", seed, job.seed)
    shown = dict(job.training.numbers)
    for name, value in sent_training(asked).numbers:
        there = shown.get(name, value)
        # A server that was told auto may show what it chose.
        if value not in {AUTO, there}:
            yield Contradiction(name, _number(value), _number(there))


def differences(form: Mapping[str, object], job: Job, marks: Marks) -> tuple[str, ...]:
    """What else of a job contradicts what was sent, in words; a seed that no manifest sets follows from ``marks``."""
    found = contradictions(form, job, _sent_seed(form, marks))
    return tuple(one.in_words("{field}: {asked} was sent, the server shows {shown}") for one in found)


def same_seed(form: Mapping[str, object], job: Job, marks: Marks) -> bool:
    """Whether the seed that came back can be the one that was sent; 0 is what some servers show whatever that was."""
    return not job.seed or job.seed == _sent_seed(form, marks)


def _sent_seed(form: Mapping[str, object], marks: Marks) -> object:
    seed = form.get("seed")
    return derived_seed(marks) if seed is None else seed


def _number(value: float) -> str:
    return "auto" if value == AUTO else f"{value:g}"
