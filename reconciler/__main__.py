"""`python -m reconciler`, and the console script: a process of its own."""

import gc

from reconciler import cli

# What a start makes lives to the end: looking for garbage in it takes a tenth of the start, and a quarter at the end.
_OBJECTS_BETWEEN_COLLECTIONS = 50_000  # 700 is Python's


def main() -> None:
    """Run the command that this process was started for, and exit."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        cli.main()
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
