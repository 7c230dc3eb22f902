"""What is answered before anything is imported: the page of `reconciler --help`, the version, and a press of TAB.

`cli.main` asks here first; `group` shows the same page where click finds out that it is asked for. Anything
else is None here, and left to click.
"""

from collections.abc import Iterator, Mapping, Sequence

from reconciler import __version__
from reconciler.cli.names import COLOR, COMMANDS, FLAGS

# Columns, as in the pages of the commands: click's own bounds.
_NARROWEST, _PAGE_WIDTH = 50, 78
_EXAMPLES = ("reconciler init fleet", "reconciler plan fleet", "reconciler apply fleet --wait")
_COMPLETE = "_RECONCILER_COMPLETE"


def answer_at_once(arguments: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """The whole of what a command line prints, where it is one of those; else None."""
    if _COMPLETE in environment:
        # Imported here: only a shell that completes needs it.
        from reconciler.cli.completion import completed  # noqa: PLC0415

        return completed(environment[_COMPLETE], environment)
    if list(arguments) in (["--help"], ["-h"], ["help"]):
        return page(_columns(environment)) + "\n"
    if list(arguments) in (["--version"], ["-V"]):
        return f"reconciler, version {__version__}\n"
    return None


def page(columns: int) -> str:
    """The commands first: they are what is looked for here."""
    width = max(_NARROWEST, min(columns - 2, _PAGE_WIDTH))
    sections: dict[str, list[tuple[str, str]]] = {}
    for name, listed in COMMANDS.items():
        sections.setdefault(listed.section, []).append((name, listed.summary))
    flags = [(", ".join(filter(None, flag[:2])), flag[2]) for flag in FLAGS]
    where = flags.index((COLOR[1], COLOR[2]))
    flags[where] = (f"{COLOR[1]} WHEN", f"{COLOR[2]}  [default: auto]")
    lines = ["Usage: reconciler [OPTIONS] COMMAND [ARGS]...", "", "  Keep fine-tuning jobs equal to YAML in Git.", ""]
    for title, rows in (*sections.items(), ("Options", flags)):
        longest = max(map(len, COMMANDS if rows is not flags else dict(flags)))
        lines += [f"{title}:", *_table(rows, longest + 2, width), ""]
    lines += ["Examples:", *(f"  {example}" for example in _EXAMPLES), ""]
    return "\n".join([*lines, *_wrapped("`reconciler COMMAND --help` explains a command.", width)])


def _table(rows: Sequence[tuple[str, str]], column: int, width: int) -> Iterator[str]:
    """A row each, its words beside its term; what has no room goes on below them."""
    for term, words in rows:
        first, *rest = _wrapped(words, max(width - 2 - column, 10))
        yield f"  {term:{column}}{first}"
        yield from (" " * (column + 2) + line for line in rest)


def _wrapped(words: str, width: int) -> list[str]:
    """Broken at spaces; the two spaces before a default stay where they stand in a line."""
    lines = [""]
    for word in words.replace("  ", " \0").split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if len(joined) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = joined
    return [line.replace(" \0", "  ").replace("\0", "") for line in lines]


def _columns(environment: Mapping[str, str]) -> int:
    """Of the terminal, as `shutil.get_terminal_size` finds them; that module is not imported for it (2 ms)."""
    import os  # noqa: PLC0415 - named here so that it is seen what this module needs

    try:
        return int(environment["COLUMNS"]) or 80
    except (KeyError, ValueError):
        pass
    try:
        return os.get_terminal_size().columns or 80
    except (OSError, ValueError):
        return 80
