"""Is the job that a server made the one that was asked for? What was sent, compared with what comes back.

Pure. `world` and `act` ask whether the method was lost, which makes it another job; `standing` and `act` what else
contradicts, which is only said. What a server leaves out, renames or dates proves nothing, with one exception: every
server that trains dpo or reinforcement jobs shows that it does.
"""

from collections.abc import Iterator, Mapping

from reconciler.core.body import derived_seed, same_suffix
from reconciler.core.job import Job, Marks
from reconciler.core.training import AUTO, METHODS, Training, training_of
from reconciler.errors import escaped

# Where one of them was sent and none is shown, the job is a supervised one.
_SHOWN_WHERE_TRAINED = frozenset({"dpo", "reinforcement"})


def sent_training(form: Mapping[str, object]) -> Training:
    """How a job of that hashed form was asked to train."""
    extra = form.get("extra_body")
    return training_of({**form, **extra} if extra and isinstance(extra, Mapping) else form)


def lost_method(form: Mapping[str, object], job: Job, *, assumed: bool) -> str:
    """The method that was sent where the job has another one; "" where nothing says so.

    ``assumed``: the operator says that this server trains what it does not show.
    """
    sent, shown = sent_training(form).method, job.training.method
    if shown == sent or sent not in METHODS:
        return ""
    lost = shown in METHODS if shown else sent in _SHOWN_WHERE_TRAINED and not assumed
    return sent if lost else ""


def lost_words(sent: str, job: Job) -> str:
    """What became of the method, in words."""
    return f"method {sent} was sent, and the server made it {escaped(job.training.method) or 'without one'}"


def differences(form: Mapping[str, object], job: Job, marks: Marks) -> tuple[str, ...]:
    """What else of a job contradicts what was sent, in words; a seed that no manifest sets follows from ``marks``."""
    return tuple(_differences(form, job, marks))


def _differences(form: Mapping[str, object], job: Job, marks: Marks) -> Iterator[str]:
    shown = dict(job.training.numbers)
    for name, value in sent_training(form).numbers:
        there = shown.get(name, value)
        if value not in {AUTO, there}:
            yield f"{escaped(name)}: {value:g} was sent, the server shows {'auto' if there == AUTO else f'{there:g}'}"
    if not same_suffix(form, job):
        yield f"suffix: {form.get('suffix') or 'none'} was sent, the server shows {escaped(job.suffix or '')}"
    if not same_seed(form, job, marks):
        yield f"seed: {_seed(form, marks)} was sent, the server shows {job.seed}"


def same_seed(form: Mapping[str, object], job: Job, marks: Marks) -> bool:
    """Whether the seed that came back can be the one that was sent; 0 is what some servers show whatever that was."""
    return not job.seed or job.seed == _seed(form, marks)


def _seed(form: Mapping[str, object], marks: Marks) -> object:
    return form.get("seed") or derived_seed(marks)
