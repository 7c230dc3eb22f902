"""What a shell completes: commands, directories and names of jobs. To import click would take longer than the answer.

`overview` asks here while a shell completes. The script that makes a shell ask is click's, and so is the protocol: two
or three words an item. Where a flag or its value comes next, only the command knows the answer: None says so, and click
then asks the same `job_items`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from reconciler.cli.names import COMMANDS, FLAGS, QUIET, VERBOSE, YES

DIRECTORY_FLAGS = ("-d", "--directory")
_SWITCHES = frozenset((*YES[:2], *QUIET[:2], *VERBOSE[:2]))

# What is completed (``plain``, or ``dir`` where the shell knows the names itself), its value, and its explanation.
Item = tuple[str, str, str]


def completed(instruction: str, environment: Mapping[str, str]) -> str | None:
    """The answer to a shell, as click would write it; ``instruction`` is ``bash_complete`` or that of another shell."""
    shell, _, wanted = instruction.rpartition("_")
    if wanted != "complete" or shell not in _FORMS:
        return None
    words, incomplete = _typed(shell, environment)
    items = items_for(words, incomplete, environment)
    return None if items is None else "\n".join(map(_FORMS[shell], items)) + "\n"


def items_for(words: Sequence[str], incomplete: str, environment: Mapping[str, str]) -> list[Item] | None:
    """What stands for ``incomplete`` after ``words``; None where only click can tell."""
    rest = list(words)
    while rest and rest[0] in _SWITCHES:
        del rest[0]
    if not rest:
        return list(_of_program(words, incomplete))
    name, *given = rest
    if name.startswith("-") or incomplete.startswith("-"):
        return None
    return _of_command(name, given, incomplete, environment) if name in COMMANDS else []


def _of_program(words: Sequence[str], incomplete: str) -> Iterator[Item]:
    if not incomplete.startswith("-"):
        yield from (("plain", n, c.summary) for n, c in COMMANDS.items() if n.startswith(incomplete))
        return
    for *forms, explanation in FLAGS:
        if not set(forms) & set(words):
            yield from (("plain", form, explanation) for form in forms if form and form.startswith(incomplete))


def _of_command(name: str, given: Sequence[str], incomplete: str, environment: Mapping[str, str]) -> list[Item] | None:
    directory, expected, arguments = "", False, 0
    for word in given:
        if expected:
            directory, expected = word, False
        elif word in DIRECTORY_FLAGS:
            expected = True
        elif word.startswith("--directory="):
            directory = word.partition("=")[2]
        elif word.startswith("-") and word != "-" and word not in _SWITCHES:
            return None
        elif word not in _SWITCHES:
            arguments += 1
    listed = COMMANDS[name].takes
    takes = "directory" if expected else "" if arguments and listed != "files" else listed
    if takes == "name":
        return job_items(directory or environment.get("RECONCILER_DIRECTORY") or ".", incomplete)
    return [("file" if takes == "files" else "dir", incomplete, "")] if takes else []


def job_items(directory: str, incomplete: str) -> list[Item]:
    """The names of the jobs of a directory that begin so."""
    # Imported here: only the name of a job needs YAML (17 ms).
    from reconciler.cli.job_names import job_names  # noqa: PLC0415

    return [("plain", name, "") for name in sorted(job_names(directory)) if name.startswith(incomplete)]


def _typed(shell: str, environment: Mapping[str, str]) -> tuple[list[str], str]:
    """The words before the one to complete, without the program's name; and the word to complete."""
    words, at = _split(environment.get("COMP_WORDS", "")), environment.get("COMP_CWORD", "")
    if shell == "fish":  # it gives the word itself, which is also the last of the line
        incomplete = (_split(at) or [""])[0]
        return (words[1:-1] if incomplete and words[-1:] == [incomplete] else words[1:]), incomplete
    position = int(at) if at.isdecimal() else len(words)
    return words[1:position], (words[position] if position < len(words) else "")


def _split(line: str) -> list[str]:
    """The line as a shell splits it. A quote that is still open is a word of what it holds so far."""
    if not set(line) & set("'\"\\#"):
        return line.split()
    import shlex  # noqa: PLC0415 - only a quote needs it

    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    found: list[str] = []
    try:
        found.extend(lexer)
    except ValueError:  # the quote is still open
        found.append(lexer.token)
    return found


def _in_zsh(item: Item) -> str:
    """Its script splits a word and an explanation at the first colon that is not escaped."""
    kind, value, explanation = item
    word = value.replace(":", r"\:") if explanation else value
    return f"{kind}\n{word}\n{explanation or '_'}"


def _in_fish(item: Item) -> str:
    kind, value, explanation = item
    return f"{kind},{value}\t{explanation}" if explanation else f"{kind},{value}"


def _in_powershell(item: Item) -> str:
    kind, value, explanation = item
    return f"{kind}\n{value}\n{explanation or '_'}"


_FORMS: Mapping[str, Callable[[Item], str]] = {
    "bash": lambda item: f"{item[0]},{item[1]}",
    "zsh": _in_zsh,
    "fish": _in_fish,
    "powershell": _in_powershell,
}
