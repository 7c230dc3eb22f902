"""What is not done at a start, although a library would do it, or a module of ours.

A tenth of a plan would be the compiling of regular expressions that it never uses: what is imported within
`lean_imports` compiles each when it is first asked. `httpcore` is imported within `lean_httpcore`, where it does not
find the libraries of its asynchronous half, and the certificates that only TLS needs are loaded with the first of it.
`structlog` imports what draws tracebacks wherever `rich` is installed, which is not used here: `program` calls
`postpone_rich` before it imports a command, and `voice` calls `allow_rich` before `live` draws with it. `msgspec`
imports `typing_extensions` (8 ms) wherever that is installed, and does with `typing` where it is not: `cli.main` calls
`import_msgspec` before anything else imports it.
"""

import importlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

# A module that is None cannot be imported (Python's import system): the library goes on without it.
_UNUSED = "rich"
_NO_ASYNC = (("anyio", None), ("trio", None))


class _Pattern:
    """A regular expression that is compiled when it is first used, and passes for one that is."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._arguments = arguments
        self._named = named

    def __getattr__(self, name: str) -> Any:
        found = getattr(_compile(*self._arguments, **self._named), name)
        setattr(self, name, found)  # so that it is asked here once
        return found

    # What `isinstance` goes by, and with it `re.sub(pattern, …)`.
    __class__ = property(lambda _: re.Pattern)


_compile = re.compile


@contextmanager
def lean_imports() -> Iterator[None]:
    """Meanwhile `re.compile` compiles nothing. For imports alone: a pattern that is wrong would say so too late."""
    re.compile = _Pattern  # type: ignore[assignment] # it passes for it
    try:
        yield
    finally:
        re.compile = _compile  # not what was here before: that may be another thread's


@contextmanager
def lean_httpcore() -> Iterator[None]:
    """Meanwhile, what it can do without is not found, unless it is loaded. Others need it: for this import alone."""
    instead = {name: found for name, found in (*_NO_ASYNC, _certifi()) if name not in sys.modules}
    sys.modules.update(instead)  # type: ignore[arg-type] # typed for modules only
    try:
        yield
    finally:
        for name in instead:
            del sys.modules[name]


def _certifi() -> tuple[str, ModuleType]:
    """What is asked where the certificates are, and then asks."""
    instead = ModuleType("certifi")
    instead.where = lambda: importlib.import_module("certifi").where()  # type: ignore[attr-defined]
    return instead.__name__, instead


def import_msgspec() -> None:
    """Import it as if `typing_extensions` were not installed; whoever else wants that gets it."""
    # It imports `datetime` too, but loses what is raised meanwhile, such as a Ctrl-C, and crashes later without it.
    importlib.import_module("datetime")
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
