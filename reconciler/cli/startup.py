"""What is not imported at a start, although a library would.

`structlog` imports what draws tracebacks wherever `rich` is installed, which is not used here. `cli` calls
`postpone_rich` before it imports a command; `voice` calls `allow_rich` before `live` draws with it.
"""

import sys

# A module that is None cannot be imported (Python's import system): the library goes on without it.
_UNUSED = "rich"


def postpone_rich() -> None:
    """From here on, whoever can do without `rich` does."""
    sys.modules.setdefault(_UNUSED, None)  # type: ignore[arg-type] # typed for modules only


def allow_rich() -> None:
    """Whoever imports it now gets it."""
    if sys.modules.get(_UNUSED, sys) is None:
        del sys.modules[_UNUSED]
