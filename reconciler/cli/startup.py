"""What is not imported at a start, although a library would.

`structlog` imports what draws tracebacks wherever `rich` is installed, which is not used here. `program` calls
`postpone_rich` before it imports a command; `voice` calls `allow_rich` before `live` draws with it. `msgspec` imports
`typing_extensions` (8 ms) wherever that is installed, and does with `typing` where it is not: `cli.main` calls
`import_msgspec` before anything else imports it.
"""

import importlib
import sys

# A module that is None cannot be imported (Python's import system): the library goes on without it.
_UNUSED = "rich"


def import_msgspec() -> None:
    """Import it as if `typing_extensions` were not installed; whoever else wants that gets it."""
    if "typing_extensions" in sys.modules:
        return
    sys.modules["typing_extensions"] = None  # type: ignore[assignment] # typed for modules only
    try:
        importlib.import_module("msgspec")
    finally:
        del sys.modules["typing_extensions"]


def postpone_rich() -> None:
    """From here on, whoever can do without `rich` does."""
    sys.modules.setdefault(_UNUSED, None)  # type: ignore[arg-type] # typed for modules only


def allow_rich() -> None:
    """Whoever imports it now gets it."""
    if sys.modules.get(_UNUSED, sys) is None:
        del sys.modules[_UNUSED]
