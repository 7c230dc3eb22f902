"""A probe: the one job that `doctor --probe-create` makes, to see what its server returns of it.

Pure. It is the smallest job that the API takes, of a fleet of its own: no manifest can mean it, to a fleet's passes
it is another fleet's, and it goes through the protocol of every create. `engine.probe` makes and ends it; `doctor`
shows what came back of it as `compared` has it.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping

from msgspec import Struct

from reconciler.core.body import derived_seed, same_model, same_suffix
from reconciler.core.desired import Desired, Fleet, Policy
from reconciler.core.documents import TrainingFile
from reconciler.core.fields import OnCancelled
from reconciler.core.job import Job, Marks
from reconciler.core.revision import revision_of

NAME = "probe"
_SUFFIX = "probe"  # LLMariner wants one, of at most 18 characters
_EPOCHS = {"n_epochs": 1}
_METHOD = "supervised"

# The API takes no job with less than ten examples.
EXAMPLES = 10
_TURNS = ({"role": "user", "content": "Say yes."}, {"role": "assistant", "content": "Yes."})
CONTENT = f"{json.dumps({'messages': _TURNS})}\n".encode() * EXAMPLES
FILE = TrainingFile("doctor.jsonl", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


def fleet_of_probe(fleet: Fleet) -> Fleet:
    """The fleet that the probe of ``fleet`` belongs to; nobody would choose its name, which follows."""
    digest = hashlib.sha256(fleet.name.encode()).hexdigest()[:12]
    return Fleet(f"doctor-{digest}", provider=fleet.provider, expect=fleet.expect)


def model_to_probe(desired: Mapping[str, Desired]) -> Desired | None:
    """Whose model, and fields of the server's own, the probe takes: the first job that names a model."""
    return next((desired[name] for name in sorted(desired) if desired[name].body.get("model")), None)


def probe_of(like: Desired, objection: Callable[[Mapping[str, object]], str]) -> Desired | None:
    """The job; None where its server is sent no such spec, as ``objection`` says; "" is none."""
    base = {"model": like.body["model"], "suffix": _SUFFIX}
    ways: tuple[dict[str, object], ...] = (
        {"method": {"type": _METHOD, _METHOD: {"hyperparameters": _EPOCHS}}},
        {"hyperparameters": _EPOCHS},
    )
    body = next((spec for way in ways if not objection(spec := {**base, **way})), None)
    if body is None:
        return None
    form = {**body, "training_file": f"sha256:{FILE.sha256}"}
    if like.extra_body:
        form["extra_body"] = like.extra_body
    # One that was cancelled, by whomever, has shown what it could; it is made anew where a person asks for it.
    policy = Policy(on_cancelled=OnCancelled.RECREATE)
    return Desired(NAME, revision_of(form), form, body, like.extra_body, training=FILE, policy=policy)


class Compared(Struct, frozen=True):
    """One field: ``shown`` is what came back; ``same`` None: nothing did, and that says nothing."""

    field: str
    sent: str
    shown: str
    same: bool | None


def compared(probe: Desired, marks: Marks, job: Job, name: str, names: Collection[str]) -> tuple[Compared, ...]:
    """What came back of each field of it. ``name`` is that of its training file, ``names`` what that may be."""
    return tuple(_compared(probe, marks, job, name, names))


def _compared(probe: Desired, marks: Marks, job: Job, name: str, names: Collection[str]) -> Iterator[Compared]:
    same = None if job.marks is None else job.marks == marks
    yield Compared("metadata", "our marks", "our marks" if same else "other marks" if job.marks else "", same)
    yield _shown("file name", " or ".join(names), name, same=name in names)
    seed = derived_seed(marks)
    # 0 is what some servers show whatever was sent.
    yield _shown("seed", str(seed), str(job.seed or ""), same=job.seed == seed)
    yield _shown("suffix", _SUFFIX, job.suffix or "", same=same_suffix(probe.body, job))
    yield _shown("model", str(probe.body["model"]), job.model, same=same_model(probe.body, job))
    if "method" in probe.body:
        yield _shown("method", _METHOD, job.training.method, same=job.training.method == _METHOD)
    epochs = dict(job.training.numbers).get("n_epochs")
    yield _shown("n_epochs", "1", "" if epochs is None else f"{epochs:g}", same=epochs == 1)


def _shown(field: str, sent: str, shown: str, *, same: bool) -> Compared:
    return Compared(field, sent, shown, same if shown else None)
