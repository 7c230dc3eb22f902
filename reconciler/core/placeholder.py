"""Texts that nobody meant: a template that was never filled in, typographic quotes, and characters nobody sees.

Pure. The models of a manifest check each text with these (`scalars`, `methods`, `fields`, and `complaints` the keys),
before money is spent on it; `source` asks `template_in` what a line of broken YAML may be, and `key` whether a key is
one. A grader's own `{{item.x}}`, a prompt, a chat template are meant: of free texts only one that is a placeholder from
end to end is refused.
"""

import re

from reconciler.errors import escaped

# Linear in the length of the text: no part reads past the next opening.
# What no name, model or path holds: shell, make, Jinja, Helm, GitHub, ERB, cmd.exe, angle brackets.
_TEMPLATE = re.compile(
    r"\$\{[^{}]*\}|\$\([^()]*\)|\$?\{\{[^{}]*\}\}+|\{%[^{}]*%\}|<%[^<>]*%>|#\{[^{}]*\}#?"
    r"|(?<![\w$])\$[A-Z_][A-Z0-9_]+|%[A-Z_][A-Z0-9_]*%|<[A-Z_][A-Z0-9_ -]+>"
)
# What stands for a template where it is the whole text.
_WHOLE = re.compile(
    r"__[A-Z][A-Z0-9_]*__|@[A-Za-z_][\w.-]*@|\$[A-Za-z_]\w*|\[\[.*\]\]|<[A-Za-z_][\w .-]*>|%\(\w+\)s|\{[A-Za-z_]\w*\}"
)
# Of a free text: the substitutions of shells alone, from end to end.
_UNFILLED = re.compile(r"\s*(?:\$\{[^{}]*\}|\$\([\w.-]+\))\s*")

_QUOTES = "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a"
# An apostrophe within a word is none.
_QUOTE = re.compile(rf"(?<![^\W\d_])\u2019|\u2019(?![^\W\d_])|[{_QUOTES.replace(chr(0x2019), '')}]")
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00a0\u2028\u2029]")


def template_in(text: str) -> str:
    """The first placeholder that a text holds; "" where it holds none."""
    found = _TEMPLATE.search(text) or _WHOLE.fullmatch(text)
    return found[0] if found else ""


def name_fault(text: str) -> str:
    """What is wrong with a text that names something: a model, a job, a suffix; "" where nothing is."""
    quote = _QUOTE.search(text)
    if quote:
        return _quoted(quote[0])
    unseen = _UNSEEN.search(text)
    if unseen:
        return f"the character U+{ord(unseen[0]):04X}, which nobody sees, stands in it: remove it"
    return _unfilled(template_in(text))


def path_fault(text: str) -> str:
    """What is wrong with a path, or a value of metadata: it may hold quotes, but is not held by them."""
    if len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES:
        return _quoted(text[0])
    return _unfilled(template_in(text))


def free_fault(text: str) -> str:
    """What is wrong with a free text, which may hold templates that are meant."""
    return _unfilled(text.strip() if _UNFILLED.fullmatch(text) else "")


def _quoted(quote: str) -> str:
    return f"the typographic quote {quote} stands in it: remove it, or write a straight one (' or \")"


def _unfilled(template: str) -> str:
    return f"{escaped(template)} is a template that was not filled in: put the value in its place" if template else ""
