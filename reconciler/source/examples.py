"""A training file's lines, each found to be a JSON object; the first that is none is why the file cannot be used.

`training_files` passes every training and validation file through `checked_lines`. What a line is, `dataset.lines`
finds out, and no byte is changed: what was checked is what is hashed and uploaded.
"""

from collections.abc import Iterator

from reconciler.dataset.finding import Finding
from reconciler.dataset.lines import Flaw, decoded, nothing_in_it
from reconciler.source.files import Unfit


def checked_lines(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The same lines, each found to be a JSON object in UTF-8. Raises Unfit at the first that is not."""
    examples = 0
    for line in decoded(lines):
        if isinstance(line.value, Flaw):
            raise Unfit(_words(line.value.finding))
        examples += line.value is not None
        yield line.content
    if not examples:
        raise Unfit(nothing_in_it().message)


def _words(flaw: Finding) -> str:
    if not flaw.line:
        return flaw.message
    where = f", in {flaw.path}" if flaw.path else ""
    return f"line {flaw.line}, column {flaw.column}{where}: {flaw.message}"
