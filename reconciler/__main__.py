"""`python -m reconciler`, and the console script: a process of its own."""

import atexit
import gc
import os
import sys

from reconciler import cli

TYPE_CHECKING = False  # as in `cli`
if TYPE_CHECKING:
    from collections.abc import Sequence

# What a start makes lives to the end: to look for garbage in it takes a tenth of the start.
_OBJECTS_BETWEEN_COLLECTIONS = 100_000  # 700 is Python's


def main(arguments: "Sequence[str] | None" = None) -> None:
    """Run the command that this process was started for, and end it; or ``arguments``, and raise SystemExit."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        cli.main(arguments)
    except SystemExit as ended:
        if arguments is None and isinstance(ended.code, int) and not _threads():
            _leave(ended.code)
        raise


def _threads() -> bool:
    """Whether others are left that Python would wait for."""
    threading = sys.modules.get("threading")
    return threading is not None and threading.active_count() > 1


def _leave(code: int) -> None:
    """End here and now: to take apart what a start has made costs 4 ms. Returns where a stream cannot be written."""
    try:
        atexit._run_exitfuncs()  # noqa: SLF001 - there is no other way to run them now
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except (OSError, ValueError):
        return
    os._exit(code)


if __name__ == "__main__":
    main()
