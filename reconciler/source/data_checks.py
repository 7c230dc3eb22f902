"""What a reading's training and validation files hold, looked at for each job that names them.

`directory` calls `check_files` when every manifest was read: what is wanted of a file is known only then, and so is
what the fleet says of such errors. A file is looked at once for each format that is wanted of it, and once for its
digest where `Known` outlives the process. The rules stand in `reconciler.dataset`; nothing here judges a line.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct, convert, field, to_builtins
from msgspec.json import encode

from reconciler.core.desired import Fleet
from reconciler.core.documents import Entry, ProviderName, TrainingFile
from reconciler.core.fields import DataChecks
from reconciler.core.snapshot import Problem
from reconciler.dataset.bases import context_of
from reconciler.dataset.finding import SHOWN, Finding, Report, Severity
from reconciler.dataset.formats import Format, wanted_format
from reconciler.dataset.repeats import Repeats
from reconciler.dataset.rules import OPENAI, Rules
from reconciler.dataset.wanted import Wanted, grader_keys
from reconciler.errors import escaped
from reconciler.source.files import Unfit, hashed, training_lines
from reconciler.source.reading import Reading

RulesOf = Callable[[ProviderName], Rules]

_NAMED = 3  # of the jobs that want the same of a file
_NO_VALIDATION = (
    "reinforcement is said to need a validation file: name one with examples of its own, or the job may fail"
)


def openai_rules(_: ProviderName) -> Rules:
    """For a reading of which nobody says what its server accepts."""
    return OPENAI


def check_files(reading: Reading, fleet: Fleet | None, rules_of: RulesOf = openai_rules) -> None:
    """Add what is wrong with the files, and what is odd about them; a job whose file has an error is broken."""
    level = fleet.data_checks if fleet else DataChecks.OFF
    checks = _Checks(reading, level, rules_of(fleet.provider) if fleet else OPENAI)
    wishes: dict[tuple[TrainingFile, Wanted], list[str]] = {}
    for entry in reading.entries:
        for file, wanted in checks.wanted_of(entry):
            wishes.setdefault((file, wanted), []).append(entry.name)
    for entry in reading.invalid:  # what is wrong with its data is said in the same run as what is with its fields
        for file, wanted in checks.wanted_of(entry, model=str(entry.spec["model"])):
            wishes.setdefault((file, wanted), []).append(entry.name)
    of_jobs = {file for file, _ in wishes}
    for file in dict.fromkeys(reading.files):
        if file not in of_jobs:
            wishes[file, Wanted()] = []
    for (file, wanted), names in wishes.items():
        checks.judge(file, wanted, names)
    if level is not DataChecks.OFF:
        checks.compare(reading.entries)


class _Checks(Struct):
    """One reading's looks."""

    reading: Reading
    level: DataChecks
    rules: Rules
    _bases: dict[str, str] = field(default_factory=dict)  # of each job, the model that it begins from in the end
    _said: set[Problem] = field(default_factory=set)
    _repeats: dict[str, Repeats] = field(default_factory=dict)  # by the file's digest

    def wanted_of(self, entry: Entry, *, model: str | None = None) -> Iterator[tuple[TrainingFile, Wanted]]:
        """The local files of a job, and what it wants of each; ``model``: what it begins from, where that is said."""
        wanted = Wanted()
        if self.level is not DataChecks.OFF and (entry.training or entry.validation):
            wanted = _wanted(entry.spec, self._base_of(entry.name) if model is None else model)
        if entry.training:
            yield entry.training, wanted
        if entry.validation:
            yield entry.validation, wanted.for_validation()

    def _base_of(self, name: str) -> str:
        """The model at the beginning of the chain of jobs; "" where the chain has none."""
        if not self._bases:
            specs = {entry.name: entry.spec for entry in self.reading.entries}
            for one in specs:
                self._bases[one] = _first_model(one, specs)
        return self._bases[name]

    def judge(self, file: TrainingFile, wanted: Wanted, names: list[str]) -> None:
        """Look at a file, and say what was found."""
        self.reading.known.keep_measures(file.sha256)
        found = self._look(file, wanted)
        if isinstance(found, Unfit):
            self.reading.problem(file.path, (0, 0), (), str(found))
            self.reading.broken.update(names)
            return
        if found.flaws or (found.errors and self.level is not DataChecks.WARN):
            self.reading.broken.update(names)
        for finding in found.findings:
            # What is no JSON is so for every job; that the file is of another format is so for these.
            self._add(file, finding, names if found.found and finding.severity is Severity.ERROR else ())
        for finding in _counts(found):
            self._add(file, finding, ())

    def _add(self, file: TrainingFile, finding: Finding, names: Iterable[str]) -> None:
        message = finding.message + (f" (by {_listed(names)})" if names else "")
        severity = Severity.WARNING if self.level is DataChecks.WARN else Severity.ERROR
        error = (severity if finding.severity is Severity.ERROR else finding.severity) is not Severity.WARNING
        excerpt = (finding.text, finding.caret) if error else ()
        problem = Problem(file.path, finding.line, finding.column, finding.path, message, *excerpt)
        gathered = self.reading.problems if error else self.reading.data_warnings
        if problem not in self._said:  # two jobs may want it otherwise, and find the same
            self._said.add(problem)
            gathered.append(problem)

    def _look(self, file: TrainingFile, wanted: Wanted) -> Report | Unfit:
        key = f"{file.sha256} {encode((wanted, self.rules), order='deterministic').decode()}"
        known = self.reading.known.find_look(key)
        if known is not None:
            return convert(known, Report)
        found = self._read(file, wanted)
        if isinstance(found, Report) and not found.errors:
            self.reading.known.learn_look(key, to_builtins(found))
        return found

    def _read(self, file: TrainingFile, wanted: Wanted) -> Report | Unfit:
        """Check the file's bytes, where they are still those that the revision is computed from."""
        # Imported here: a file that was looked at before is not looked at again, and waits for no rule (8 ms).
        from reconciler.dataset.checking import check  # noqa: PLC0415

        below, digest = self.reading.below, hashlib.sha256()
        try:
            lines = hashed(training_lines(below.place(file.path), below), digest)
            report, repeats = check(lines, wanted, self.rules)
        except Unfit as unfit:
            return unfit
        if not report.errors and digest.hexdigest() != file.sha256:
            return Unfit("it changed while it was read; run again")
        self._repeats[file.sha256] = repeats
        return report

    def compare(self, entries: Iterable[Entry]) -> None:
        """Say what a job validates on and trains on as well; and which job has to validate, and does not."""
        pairs: dict[tuple[str, str], tuple[TrainingFile, TrainingFile, Wanted]] = {}
        for entry in entries:
            if _method(entry.spec).get("type") == Format.REINFORCEMENT and "validation_file" not in entry.spec:
                missing = Problem(entry.path, entry.line, 1, "spec.validation_file", _NO_VALIDATION)
                self.reading.data_warnings.append(missing)
            if entry.training and entry.validation and entry.name not in self.reading.broken:
                pair = entry.validation.sha256, entry.training.sha256
                wanted = _wanted(entry.spec, self._base_of(entry.name))
                pairs.setdefault(pair, (entry.validation, entry.training, wanted))
        for validation, training, wanted in pairs.values():
            if finding := self._overlap(validation, training, wanted):
                self._add(validation, finding, ())

    def _overlap(self, validation: TrainingFile, training: TrainingFile, wanted: Wanted) -> Finding | None:
        key = f"overlap {validation.sha256} {training.sha256}"
        known = self.reading.known.find_look(key)
        if known is None:
            both = [self._repeats_of(file, wanted) for file in (validation, training)]
            if both[0] is None or both[1] is None:
                return None
            # Imported here, as above.
            from reconciler.dataset.checking import overlap  # noqa: PLC0415

            finding = overlap(both[0], both[1])
            known = to_builtins([finding] if finding else [])
            self.reading.known.learn_look(key, known)
        return convert(known[0], Finding) if known else None

    def _repeats_of(self, file: TrainingFile, wanted: Wanted) -> Repeats | None:
        if file.sha256 not in self._repeats and isinstance(self._read(file, wanted), Unfit):
            return None
        return self._repeats[file.sha256]


def _counts(found: Report) -> Iterator[Finding]:
    """How many more there are than are shown; they stand behind the last of these."""
    for severity, count in ((Severity.ERROR, found.errors), (Severity.WARNING, found.warnings)):
        if count > SHOWN:
            warning = severity is Severity.WARNING
            last = max(one.line for one in found.findings if (one.severity is Severity.WARNING) is warning)
            yield Finding(last, 0, "", f"{severity}s beyond the first {SHOWN}: {count - SHOWN}", severity)


def _wanted(spec: Mapping[str, object], model: str) -> Wanted:
    method = _method(spec)
    kind = str(method.get("type", ""))
    return Wanted(
        wanted_format(kind, model),
        keys=grader_keys(method.get("reinforcement")) if kind == "reinforcement" else frozenset(),
        context=context_of(model),
    )


def _method(spec: Mapping[str, object]) -> Mapping[str, object]:
    method = spec.get("method")
    return method if isinstance(method, Mapping) else {}


def _first_model(name: str, specs: Mapping[str, Mapping[str, object]]) -> str:
    seen: set[str] = set()
    while name in specs and name not in seen:
        seen.add(name)
        source = specs[name].get("model_from")
        if not isinstance(source, Mapping):
            return str(specs[name].get("model", ""))
        name = str(source.get("job"))
    return ""


def _listed(names: Iterable[str]) -> str:
    given = sorted(map(escaped, names))
    more = f" and {len(given) - _NAMED} more" if len(given) > _NAMED else ""
    return ("job " if len(given) == 1 else "jobs ") + ", ".join(given[:_NAMED]) + more
