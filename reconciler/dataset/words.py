"""How a value of JSON is named in a message: its kind, or itself where it is short.

Pure. Every rule of this room says through this what stands where something else should.
"""

from msgspec.json import encode

from reconciler.errors import escaped

_SHOWN = 40


def kind_of(value: object) -> str:
    """What a value is, in JSON's words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {quoted(value)}"
        case str():
            return "an empty text" if not value else f"the text {quoted(value)}"
        case list():
            return "a list"
        case _:
            return "an object"


def quoted(value: object) -> str:
    """The value itself, cut; a text without its quotes."""
    text = value if isinstance(value, str) else encode(value).decode()
    return escaped(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def missing(way_on: str) -> str:
    """What is said of a field that has to be there."""
    return f"is missing: {way_on}"
