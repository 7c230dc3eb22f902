"""A training or validation file, line by line: what is wrong with it, what is odd, and how much it holds.

`source` calls `check` for each file and each thing that is wanted of it, `cli` for `reconciler data`. It reads lines of
bytes and keeps none: of what is found the first twenty errors and warnings are kept, and the others counted. Nothing is
changed: what was checked is what is hashed and uploaded.
"""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.dataset.chat import chat_faults
from reconciler.dataset.completion import completion_faults
from reconciler.dataset.excerpt import excerpt_of
from reconciler.dataset.finding import SHOWN, Fault, Finding, Report, Severity
from reconciler.dataset.formats import SHAPES, Format, format_of
from reconciler.dataset.lines import Example, LineFlaw, nothing_in_it, read_line
from reconciler.dataset.oddities import Oddities
from reconciler.dataset.plain import Plain, plain
from reconciler.dataset.preference import preference_faults
from reconciler.dataset.reinforcement import reinforcement_faults
from reconciler.dataset.repeats import COMPARED, Repeats
from reconciler.dataset.rules import OPENAI, Rules
from reconciler.dataset.wanted import Wanted

_IMAGE_EXAMPLES = 50_000  # the API's limit of examples with images in a file


def check(lines: Iterable[bytes], wanted: Wanted, rules: Rules = OPENAI) -> tuple[Report, Repeats]:
    """Look at every line, as it is read; and what there is to compare the file with another by."""
    looking = _Looking(wanted, rules)
    form = wanted.format
    for number, line in enumerate(lines, start=1):
        if form is not None and looking.examples and not looking.found:
            found = plain(line, form)
            if found is not None:
                looking.take_plain(number, line, found)
                continue
        if not looking.take(number, line):
            break
    return looking.report(), looking.repeats


class _Looking(Struct):
    """What is known of a file so far."""

    wanted: Wanted
    rules: Rules
    examples: int = 0
    size: int = 0
    flaws: int = 0
    errors: int = 0
    warnings: int = 0
    findings: list[Finding] = field(default_factory=list)
    found: Format | None = None
    ended: bool = False  # it is no file of examples at all
    repeats: Repeats = field(default_factory=Repeats)
    odd: Oddities = field(default_factory=Oddities)

    def take_plain(self, number: int, content: bytes, found: Plain) -> None:
        """One line that breaks no rule."""
        size = len(content)
        self.size += size
        self.examples += 1
        self.repeats.add(content, number)
        self.odd.take_plain(number, size, found, self.wanted.context)

    def take(self, number: int, content: bytes) -> bool:
        """One line; False where nothing more is said of the file."""
        value = read_line(content, number, first=not self.examples)
        self.size += len(content)
        judged = self.wanted.format is not None
        if judged and number == 1 and content.startswith(BOM_UTF8) and not self.rules.mark:
            words = "the file begins with a byte order mark: save it as UTF-8 without one"
            self._say(Finding(1, 1, "", words, Severity.WARNING))
        if value is None:
            self.odd.take_blank(number)
            return True
        self.examples += 1
        if isinstance(value, LineFlaw):
            self._say(value.finding, content)
            self.ended = value.ends
            return not value.ends
        if self.wanted.format is not None and self.found is None:
            self._example(number, content, value, self.wanted.format)
        return True

    def _example(self, number: int, content: bytes, value: Example, wanted: Format) -> None:
        if self.examples == 1 and (found := _other_format(value, wanted, self.rules)):
            self.found = found
            words = f"{found} data ({SHAPES[found]}), where {wanted} is wanted: one example a line, {SHAPES[wanted]}"
            self._say(Finding(number, 0, "", words))
            return
        for fault in self._faults(value, wanted):
            self._say(Finding(number, 0, *fault), content)
        self.repeats.add(content, number)
        self.odd.take(number, len(content), value, wanted, self.wanted.context)

    def _faults(self, value: Example, wanted: Format) -> Iterable[Fault]:
        match wanted:
            case Format.CHAT if self.rules.completion and format_of(value) is Format.COMPLETION:
                return completion_faults(value)
            case Format.CHAT:
                return chat_faults(value, self.rules)
            case Format.PREFERENCE:
                return preference_faults(value, self.rules)
            case Format.REINFORCEMENT:
                return reinforcement_faults(value, self.rules, self.wanted.keys)
            case Format.COMPLETION:
                return completion_faults(value)

    def _say(self, finding: Finding, line: bytes = b"") -> None:
        """Count it, and keep it where it is one of the first; an error with what stands there of its ``line``."""
        if finding.severity is Severity.WARNING:
            self.warnings += 1
            if self.warnings <= SHOWN:
                self.findings.append(finding)
            return
        self.flaws += finding.severity is Severity.FLAW
        self.errors += 1
        if self.errors <= SHOWN:
            text, caret = excerpt_of(line, finding.column, finding.path)
            self.findings.append(replace(finding, text=text, caret=caret))

    def report(self) -> Report:
        """When every line was taken."""
        if not self.examples:
            self._say(nothing_in_it())
        elif self.wanted.format is not None and not self.found and not self.ended:
            for finding in self._of_the_whole():
                self._say(finding)
        return Report(
            self.examples,
            self.size,
            self.flaws,
            self.errors,
            self.warnings,
            tuple(sorted(self.findings)),
            self.found,
        )

    def _of_the_whole(self) -> Iterator[Finding]:
        if self.examples < self.rules.minimum and self.wanted.training is not False:
            yield self._too_few(f"{self.examples} {'example' if self.examples == 1 else 'examples'}")
        if self.odd.image_examples > _IMAGE_EXAMPLES:
            words = f"{self.odd.image_examples} examples with images: the API takes {_IMAGE_EXAMPLES:,} a file"
            yield Finding(0, 0, "", words)
        if self.wanted.training is not False:
            yield from self.odd.findings(self.wanted, self.examples)
            yield from self._doubled()

    def _too_few(self, count: str) -> Finding:
        """The API's least number of examples is one of files to train on; of others its documents name none."""
        minimum = self.rules.minimum
        if self.wanted.training:
            return Finding(0, 0, "", f"{count}: at least {minimum} are needed")
        words = f"{count}: to train on, at least {minimum} are needed; to validate on, fewer will do"
        return Finding(0, 0, "", words, Severity.WARNING)

    def _doubled(self) -> Iterator[Finding]:
        count, line, first = self.repeats.doubled()
        if count:
            bound = f" of the first {COMPARED:,}" if self.examples > COMPARED else ""
            words = f"the same example as in line {first} ({count} such in all{bound}): remove what stands there again"
            yield Finding(line, 0, "", words, Severity.WARNING)


_FAMILY = {Format.REINFORCEMENT: Format.CHAT}


def _other_format(value: Example, wanted: Format, rules: Rules) -> Format | None:
    """What a file is whose first example this is, where that is nothing like what is wanted."""
    found = format_of(value)
    if found is None or (found is Format.COMPLETION and wanted is Format.CHAT and rules.completion):
        return None
    return found if _FAMILY.get(found, found) is not _FAMILY.get(wanted, wanted) else None


def overlap(validation: Repeats, training: Repeats) -> Finding | None:
    """The examples of a validation file that are trained on as well: they measure what was learned by heart."""
    count, line = validation.shared_with(training)
    if not count:
        return None
    words = f"this example is in the training file too ({count} such in all): validate on others"
    return Finding(line, 0, "", words, Severity.WARNING)
