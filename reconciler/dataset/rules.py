"""What a kind of server accepts of a training file; the defaults are OpenAI's own rules.

Pure data. `provider.profile` has one for each kind of server, and `checking` asks it.
"""

from msgspec import Struct

ROLES = ("system", "developer", "user", "assistant", "tool", "function")


# An integer of more digits than the largest double has is infinite to most readers of JSON.
DIGITS_LIMIT = 308


class Rules(Struct, frozen=True):
    """``completion``: every model takes prompt and completion. ``mark``: the file may begin with a byte order mark."""

    minimum: int = 10  # examples in a training file
    completion: bool = False
    mark: bool = False
    roles: frozenset[str] = frozenset(ROLES)


OPENAI = Rules()
