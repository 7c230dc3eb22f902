"""What a fleet's jobs cost: the manifests, the files and the operator's prices, put together.

`wiring` makes one `Pricing` where a plan wants to create, or something is shown that has cost money, and not before: a
plan with nothing to do imports nothing of this. It reads training files and never writes; what it has counted is kept
by a pass that writes anyway (`source.known`).
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from reconciler.core.change import Create
from reconciler.core.desired import Desired
from reconciler.core.documents import ProviderName
from reconciler.core.estimate import Cost, Estimate
from reconciler.core.fields import is_digest
from reconciler.core.job import Job
from reconciler.core.recognition import NamedJob
from reconciler.core.status import Progress
from reconciler.core.world import Case, World
from reconciler.dataset.bases import context_of
from reconciler.dataset.cost import Planned, estimate, paid_for
from reconciler.dataset.measure import Measure
from reconciler.dataset.prices import Prices, listed_prices, prices_of
from reconciler.dataset.tokens import Counter, counter_of, tokenizer_file
from reconciler.errors import UsageError, escaped
from reconciler.settings import Settings
from reconciler.source.files import Below
from reconciler.source.known import Known
from reconciler.source.measuring import measure_of, remembered

# Bytes: far beyond any list of prices, and any tokenizer.
_PRICES_LIMIT, _TOKENIZER_LIMIT = 1_000_000, 200_000_000


class Pricing(Struct, frozen=True):
    """``host`` is the server, ``own`` the operator's tokenizer for models whose encoding is not known."""

    below: Below
    host: str
    known: Known
    prices: Prices
    own: Counter | None = None

    def of_create(self, create: Create, world: World) -> Estimate:
        """What the job of a create will cost. Its file is read only where it was not counted before."""
        desired = world.desired[create.name]
        model = create.model or _model(desired, world)
        file = desired.training
        measure = self._remembered(desired.form, model)
        if file is not None:
            measure = measure_of(self.below, file, counter_of(model, self.own), context_of(model), self.known)
        planned = Planned(model, desired.body, file.path if file else _named(desired.form))
        return estimate(planned, measure, self.prices.find(model, self.host))

    def of_form(self, form: Mapping[str, object], model: str | None) -> Estimate:
        """What a job of an earlier spec was to cost, where its file was counted before; no file is read."""
        planned = Planned(model, form, _named(form))
        return estimate(planned, self._remembered(form, model), self.prices.find(model, self.host))

    def of_job(self, job: Job) -> float | None:
        """What it has cost, by the tokens that the provider says were trained; None where it does not say."""
        if self.host == ProviderName.SANDBOX:
            return 0.0  # whatever it would have cost elsewhere
        return paid_for(job.trained_tokens, self.prices.find(job.model, self.host))

    def so_far(self, job: Job, progress: Progress | None, form: Mapping[str, object] | None) -> float | None:
        """What a live job has cost until now: its share of the estimate, where its steps are known."""
        known = self.of_job(job)
        if known is not None or progress is None or not progress.total_steps or form is None:
            return known
        usd = self.of_form(form, job.model).usd
        return None if usd is None else usd * min(1.0, progress.step / progress.total_steps)

    def cost(self, case: Case, named: NamedJob, progress: Progress | None = None) -> Cost:
        """What a job of a name has cost, beside its estimate."""
        form, job = case.sent(named), named.job
        usd = self.so_far(job, progress, form) if job.live else self.of_job(job)
        return Cost(job.trained_tokens, usd, self.of_form(form, job.model))

    def _remembered(self, form: Mapping[str, object], model: str | None) -> Measure | None:
        kind, _, sha256 = str(form.get("training_file", "")).partition(":")
        if kind != "sha256":
            return None
        return remembered(sha256, counter_of(model, self.own), context_of(model), self.known)


def pricing_of(settings: Settings, host: str, known: Known) -> Pricing:
    """The `Pricing` that the settings ask for.

    Raises:
        UsageError: their prices, or their tokenizer, cannot be read.
    """
    below = Below.of(settings.root, settings.files_root)
    return Pricing(below, host, known, prices_for(settings.prices), tokenizer_for(settings.tokenizer))


def prices_for(file: Path | None) -> Prices:
    """The operator's prices, and those of the package where they say nothing. Raises UsageError."""
    if file is None:
        return listed_prices()
    # Imported here: only a file of the operator's needs YAML.
    from reconciler.source.yaml_text import read_documents  # noqa: PLC0415

    parsed = read_documents(_content(file, "--prices", _PRICES_LIMIT))
    if parsed.flaws or len(parsed.documents) != 1:
        flaw = parsed.flaws[0] if parsed.flaws else None
        where = f":{flaw.line}:{flaw.column}: {flaw.message}" if flaw else ": it must be one document"
        raise UsageError(f"--prices {escaped(str(file))}{where}")
    try:
        return prices_of(parsed.documents[0].value).beside(listed_prices())
    except ValueError as error:
        raise UsageError(f"--prices {escaped(str(file))}: {error}") from error


def tokenizer_for(file: Path | None) -> Counter | None:
    """The operator's tokenizer; its counts are remembered under the digest of its bytes. Raises UsageError."""
    if file is None:
        return None
    content = _content(file, "--tokenizer", _TOKENIZER_LIMIT)
    try:
        return tokenizer_file(content, hashlib.sha256(content).hexdigest()[:16])
    except ValueError as error:
        raise UsageError(f"--tokenizer {escaped(str(file))}: {error}") from error


def _content(file: Path, flag: str, limit: int) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(limit + 1)
    except OSError as error:
        raise UsageError(f"{flag} {escaped(str(file))}: cannot be read ({error.strerror})") from error
    if len(content) > limit:
        raise UsageError(f"{flag} {escaped(str(file))}: longer than {limit} bytes")
    return content


def _named(form: Mapping[str, object]) -> str:
    """A training file that is not here; a digest is told by its beginning."""
    named = str(form.get("training_file", ""))
    return named[:19] if is_digest(named) else named


def _model(desired: Desired, world: World) -> str | None:
    """The model that it is trained from: its own, or the one at the beginning of its chain of `model_from`."""
    at: Desired | None = desired
    while at is not None and at.model_from is not None:
        at = world.desired.get(at.model_from)
    model = at.body.get("model") if at else None
    return None if model is None else str(model)
