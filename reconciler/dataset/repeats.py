"""Which examples of a file are the same bytes, and which stand in another file too.

`checking` adds each line. Of each the first million are compared, by 8 bytes of hash: 8 MB, whatever the file's size.
Two that differ in a space or in the order of their keys are two.
"""

from array import array
from collections.abc import Iterator, Sized

from msgspec import Struct, field

_LF = 10
COMPARED = 1_000_000
# Sets of a quarter of them at a time: numbers in a set take ten times what they take in an array.
_AT_ONCE = 250_000


class Repeats(Struct):
    """The hashes of the first examples of a file, and the line of each."""

    hashes: "array[int]" = field(default_factory=lambda: array("q"))
    lines: "array[int]" = field(default_factory=lambda: array("I"))

    def add(self, content: bytes, number: int) -> None:
        """One example; the last line of a file may have no end."""
        if len(self.hashes) < COMPARED:
            self.hashes.append(hash(content if content[-1] == _LF else content + b"\n"))
            self.lines.append(number)

    def doubled(self) -> tuple[int, int, int]:
        """How many stand there again; and the line of the first of these, and the line that it repeats."""
        count, first = 0, len(self.hashes)
        for part, parts in _parts(self.hashes):
            seen: set[int] = set()
            for index, value in enumerate(self.hashes):
                if value % parts == part:
                    if value in seen:
                        count, first = count + 1, min(first, index)
                    seen.add(value)
        if not count:
            return 0, 0, 0
        return count, self.lines[first], self.lines[self.hashes.index(self.hashes[first])]

    def shared_with(self, other: "Repeats") -> tuple[int, int]:
        """How many examples of this file stand in the other one too; and the line of the first of these."""
        count, first = 0, len(self.hashes)
        for part, parts in _parts(other.hashes):
            theirs = {value for value in other.hashes if value % parts == part}
            for index, value in enumerate(self.hashes):
                if value in theirs:
                    count, first = count + 1, min(first, index)
        return count, self.lines[first] if count else 0


def _parts(hashes: Sized) -> Iterator[tuple[int, int]]:
    parts = 1 + len(hashes) // _AT_ONCE
    return ((part, parts) for part in range(parts))
