"""How much a training file of a fleet holds: counted once for its bytes, and remembered beside them (`known`).

`cli.pricing` asks, for what a plan wants to create and nothing else. What is remembered is never believed over the
bytes: it is found by their digest.
"""

import hashlib

from msgspec.structs import astuple

from reconciler.core.documents import TrainingFile
from reconciler.dataset.measure import Measure, measured
from reconciler.dataset.tokens import Counter
from reconciler.source.files import Below, Unfit, hashed, training_lines
from reconciler.source.known import Known


def measure_of(below: Below, file: TrainingFile, counter: Counter, context: int | None, known: Known) -> Measure | None:
    """Of a file of the fleet; None where it cannot be read, or has changed since the manifests were."""
    found = remembered(file.sha256, counter, context, known)
    if found is not None:
        return found
    digest = hashlib.sha256()
    try:
        lines = hashed(training_lines(below.place(file.path), below), digest)
        found = measured(lines, counter, context, file.size)
    except Unfit:
        return None
    if digest.hexdigest() != file.sha256:
        return None
    known.learn_measure(file.sha256, _way(counter, context), list(astuple(found)))
    return found


def remembered(sha256: str, counter: Counter, context: int | None, known: Known) -> Measure | None:
    """Of bytes that were measured before, wherever they stand now; None where they were not."""
    row = known.find_measure(sha256, _way(counter, context))
    return Measure(*row) if row else None


def _way(counter: Counter, context: int | None) -> str:
    """What a count depends on besides the bytes."""
    return f"{counter.name} {context or ''}"
