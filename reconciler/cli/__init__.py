"""The command line. `main` answers at once what needs no command, and leaves the rest to `program`."""

import os
import sys

from reconciler.cli.overview import answer_at_once

TYPE_CHECKING = False  # `typing` itself takes as long to import as all of this
if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.clock import Clock


def main(arguments: "Sequence[str] | None" = None, *, clock: "Clock | None" = None) -> None:
    """Run one command and exit with its code (README, *Exit codes*)."""
    given = sys.argv[1:] if arguments is None else arguments
    answer = answer_at_once(given, os.environ)
    if answer is None or not _printed(answer):
        # Imported here: a help page and a press of TAB need none of it (50 ms).
        from reconciler.startup import import_msgspec, lean_imports  # noqa: PLC0415

        with lean_imports():
            import_msgspec()
            from reconciler.cli.program import run  # noqa: PLC0415

        sys.exit(run(given, clock))
    sys.exit(0)


def _printed(text: str) -> bool:
    """False where stdout cannot be written: `program` says so, and exits as it does for every page."""
    if sys.stdout is None:
        return False
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except (OSError, ValueError):
        return False
    return True
