"""What is not imported at a start, although two libraries would.

`httpx` imports its own command line and `structlog` its tracebacks wherever `rich` is installed, and neither is used
here. `cli` calls `postpone_rich` before it imports a command; `voice` calls `allow_rich` before `live` draws with it.
"""

import sys

# A module that is None cannot be imported (Python's import system): both libraries go on without it.
_USED_WITH_RICH = ("rich", "httpx._main")


def postpone_rich() -> None:
    """From here on, whoever can do without `rich` does."""
    for name in _USED_WITH_RICH:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type] # typed for modules only


def allow_rich() -> None:
    """Whoever imports it now gets it."""
    if sys.modules.get("rich", sys) is None:
        del sys.modules["rich"]
