"""Which of the words that are known a misspelt one was meant for.

Pure. Whoever answers a mistake with `did you mean …?` asks here, so that a flag, a field, a file and the name of a job
are as near to each other everywhere.
"""

from collections.abc import Iterable

# No misspelling is longer: a file's name has at most 255 bytes, every other word fewer.
_LONGEST = 255


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The one of ``choices`` that is most like ``word``, in any case of letters; None where none is like it."""
    import difflib  # noqa: PLC0415 - only a mistake pays for it

    if len(word) > _LONGEST:
        return None
    spelt: dict[str, str] = {}
    for choice in choices:
        spelt.setdefault(choice.casefold(), choice)
    close = difflib.get_close_matches(word.casefold(), spelt, n=1)
    return spelt[close[0]] if close else None
