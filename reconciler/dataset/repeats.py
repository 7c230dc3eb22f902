"""Which examples of a file are the same bytes, and which stand in another file too.

`checking` adds each line. Of each file the first million are compared, by 8 bytes of hash: 12 MB, whatever its size.
Two that differ in a space or in the order of their keys are two.
"""

from array import array

from msgspec import Struct, field

COMPARED = 1_000_000
# By their last bits: a number in a set takes ten times what it takes in an array, so few are in one at a time.
_PARTS = 16
_LF = 10


def _arrays(kind: str) -> "list[array[int]]":
    return [array(kind) for _ in range(_PARTS)]


class Repeats(Struct):
    """The hashes of the first examples of a file, and the line of each."""

    count: int = 0
    hashes: "list[array[int]]" = field(default_factory=lambda: _arrays("q"))
    lines: "list[array[int]]" = field(default_factory=lambda: _arrays("I"))

    def add(self, content: bytes, number: int) -> None:
        """One example; the last line of a file may have no end."""
        if self.count < COMPARED:
            self.count += 1
            value = hash(content if content[-1] == _LF else content + b"\n")
            self.hashes[value % _PARTS].append(value)
            self.lines[value % _PARTS].append(number)

    def doubled(self) -> tuple[int, int, int]:
        """How many stand there again; and the line of the first of these, and the line that it repeats."""
        found: list[tuple[int, int]] = []
        count = 0
        for hashes, lines in zip(self.hashes, self.lines, strict=True):
            again = len(hashes) - len(set(hashes))
            if again:
                count += again
                found.append(_first_again(hashes, lines))
        return (count, *min(found)) if found else (0, 0, 0)

    def shared_with(self, other: "Repeats") -> tuple[int, int]:
        """How many examples of this file stand in the other one too; and the line of the first of these."""
        shared: list[int] = []
        for hashes, lines, others in zip(self.hashes, self.lines, other.hashes, strict=True):
            theirs = set(others)
            shared += (line for value, line in zip(hashes, lines, strict=True) if value in theirs)
        return len(shared), min(shared, default=0)


def _first_again(hashes: "array[int]", lines: "array[int]") -> tuple[int, int]:
    """Of hashes that are not all different: the line of the first that repeats one, and the line of that one."""
    seen: dict[int, int] = {}
    for value, line in zip(hashes, lines, strict=True):
        if value in seen:
            return line, seen[value]
        seen[value] = line
    return 0, 0
