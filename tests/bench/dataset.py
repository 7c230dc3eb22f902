"""A training file as the bench makes it, and two ways through it: `python -m tests.bench.dataset check|loads FILE`."""

import json
import random
import sys
from pathlib import Path

_WORDS = [
    "a",
    "the",
    "of",
    "whale",
    "tea",
    "parcel",
    "colour",
    "is",
    "was",
    "were",
    "where",
    "in",
    "to",
    "and",
    "lamp",
    "Paris",
    "order",
    "late",
    "seven,",
    "blue.",
    "été",
]
SIZE = 32_000_000


def write(path: Path, size: int = SIZE) -> Path:
    """Chats of some 700 bytes each, none like another."""
    chance, written = random.Random(1), 0
    with path.open("wb") as file:
        while written < size:
            texts = [" ".join(chance.choices(_WORDS, k=count)) for count in (12, 50, 50)]
            messages = [
                {"role": role, "content": text}
                for role, text in zip(("system", "user", "assistant"), texts, strict=True)
            ]
            written += file.write(json.dumps({"messages": messages}).encode() + b"\n")
    return path


def _check(path: str) -> None:
    from reconciler.dataset.checking import check
    from reconciler.dataset.formats import Format
    from reconciler.dataset.wanted import Wanted

    with Path(path).open("rb") as file:
        assert check(file, Wanted(Format.CHAT))[0].errors == 0


def _loads(path: str) -> None:
    with Path(path).open("rb") as file:
        for line in file:
            json.loads(line)


if __name__ == "__main__":
    {"check": _check, "loads": _loads}[sys.argv[1]](sys.argv[2])
