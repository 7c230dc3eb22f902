"""Ids in the API's form: fresh ones for what is created, derived ones for what follows from it."""

from __future__ import annotations

import hashlib
import secrets
import string

_ALPHABET = string.ascii_letters + string.digits
# Characters after the prefix: as many as job, event, checkpoint and file ids of the API have.
_LENGTH = 24


def fresh(prefix: str) -> str:
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def derived(*parts: str, length: int = _LENGTH) -> str:
    """Letters and digits that depend on nothing but `parts`."""
    number = int.from_bytes(hashlib.sha256("/".join(parts).encode()).digest(), "big")
    characters = []
    for _ in range(length):
        number, index = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[index])
    return "".join(characters)
