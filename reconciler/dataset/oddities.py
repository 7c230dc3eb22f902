"""What is no error in a training file, and may make a poor model: gathered example by example, said at the end.

`checking` feeds it. It keeps a few numbers, and at most a thousand short answers.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct, field

from reconciler.dataset.content import images_in
from reconciler.dataset.finding import Finding, Severity
from reconciler.dataset.formats import Format
from reconciler.dataset.plain import Plain
from reconciler.dataset.wanted import Wanted
from reconciler.dataset.words import quoted

_BYTES_PER_TOKEN = 4  # about, of English and of JSON
_LABEL = 64  # characters; a longer answer is no label
_LABELS = 1000  # kinds that are told apart
_SHARE = 0.95
_ANSWERS = 10  # fewer tell nothing
_SYSTEM = ("system", "developer")


class Oddities(Struct):
    """What is no error, and may make a poor model."""

    system: bool = False
    blank: int = 0
    first_blank: int = 0
    long: int = 0
    first_long: tuple[int, int] = (0, 0)  # its line, and its size in bytes
    image_examples: int = 0
    answers: int = 0
    labels: Counter[str] = field(default_factory=Counter)

    def take_blank(self, number: int) -> None:
        self.blank += 1
        self.first_blank = self.first_blank or number

    def take_plain(self, number: int, size: int, found: Plain, context: int | None) -> None:
        """One line that breaks no rule."""
        if context and size > context * _BYTES_PER_TOKEN:
            self._take_long(number, size)
        system, answer = found
        self.system = self.system or system
        if answer is not None:
            self._take_answer(answer)

    def _take_long(self, number: int, size: int) -> None:
        self.long += 1
        self.first_long = self.first_long if self.long > 1 else (number, size)

    def take(self, number: int, size: int, value: Mapping[str, Any], wanted: Format, context: int | None) -> None:
        if context and size > context * _BYTES_PER_TOKEN:
            self._take_long(number, size)
        holder = value.get("input") if wanted is Format.PREFERENCE else value
        messages = holder.get("messages") if isinstance(holder, dict) else None
        if not isinstance(messages, list):
            self._take_answer(value.get("completion"))
            return
        if images_in(messages):
            self.image_examples += 1
        if not self.system:
            self.system = any(isinstance(m, dict) and m.get("role") in _SYSTEM for m in messages)
        last = messages[-1] if messages and wanted is Format.CHAT else None
        if isinstance(last, dict) and last.get("role") == "assistant":
            self._take_answer(last.get("content"))

    def _take_answer(self, answer: object) -> None:
        if isinstance(answer, str):
            self.answers += 1
            if len(answer) <= _LABEL and (answer in self.labels or len(self.labels) < _LABELS):
                self.labels[answer] += 1

    def findings(self, wanted: Wanted, examples: int) -> Iterator[Finding]:
        if self.blank:
            words = f"only white space; {self.blank} such {'line' if self.blank == 1 else 'lines'} in all: remove them"
            yield Finding(self.first_blank, 0, "", words, Severity.WARNING)
        if wanted.format is Format.CHAT and not self.system and examples:
            words = "no example has a system message: write the one that the model will be asked with, where it has one"
            yield Finding(0, 0, "", words, Severity.WARNING)
        if self.long:
            line, size = self.first_long
            words = (
                f"about {size // _BYTES_PER_TOKEN:,} tokens, and the model sees {wanted.context:,}: "
                f"what is beyond them is cut; {self.long} such examples in all"
            )
            yield Finding(line, 0, "", words, Severity.WARNING)
        yield from self._one_label()

    def _one_label(self) -> Iterator[Finding]:
        if self.answers >= _ANSWERS and self.labels:
            label, count = self.labels.most_common(1)[0]
            if count >= _SHARE * self.answers:
                words = f"{count} of {self.answers} answers are {quoted(label)}: a model learns to say nothing else"
                yield Finding(0, 0, "", words, Severity.WARNING)
