"""`python -m reconciler`, and the console script: a process of its own."""

import gc

from reconciler import cli

TYPE_CHECKING = False  # as in `cli`
if TYPE_CHECKING:
    from collections.abc import Sequence

# What a start makes lives to the end: looking for garbage in it takes a tenth of the start, and a quarter at the end.
_OBJECTS_BETWEEN_COLLECTIONS = 100_000  # 700 is Python's


def main(arguments: "Sequence[str] | None" = None) -> None:
    """Run the command that this process was started for, or ``arguments``, and exit."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        cli.main(arguments)
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
