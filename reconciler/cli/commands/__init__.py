"""Every command as a shell sees it: its flags, its help, its examples. What it does stands in the module of its name.

`names` lists the commands and says which module each body is in; that module is imported when the command is called,
so that `plan --help` and the completion of a flag wait for no HTTP client and no YAML. The commands of each section of
the help page have a module here: to make the flags of all costs 4 ms.
"""

import importlib
from collections.abc import Callable
from typing import Any

from reconciler.cli.names import COMMANDS
from reconciler.startup import lean_imports


def body(name: str) -> Callable[..., Any]:
    """What a command does, imported now."""
    listed = COMMANDS[name]
    with lean_imports():
        module = importlib.import_module(f"reconciler.cli.{listed.module}")
    found: Callable[..., Any] = getattr(module, listed.function or name)
    return found
