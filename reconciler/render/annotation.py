"""What GitHub shows beside a line, or above a step: a workflow command on stdout.

Pure. `validate -o github` prints its findings as annotations, and so its failure.
"""

from reconciler.errors import printable


def annotation(level: str, text: str, **properties: object) -> str:
    """One annotation; ``level`` is error, warning or notice, ``properties`` say where it belongs."""
    where = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{level}{where and f' {where}'}::{_data(text)}"


def _data(text: str) -> str:
    """The text on one line, escaped as GitHub asks for it."""
    return printable(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
