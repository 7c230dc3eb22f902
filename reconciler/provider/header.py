"""Headers of the operator's own: which names may be set, and their values, from files or the environment.

`cli.wiring` makes them of ``--header NAME=@FILE|$VARIABLE``, `settings` checks their names against what the profile
sends. A value is a secret like the key: it stands in no argument of the program, and every one is redacted.
"""

import re
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from reconciler.core.placeholder import template_in
from reconciler.errors import UsageError, escaped
from reconciler.log import Log
from reconciler.provider.key import FileFlag, Key, KeyFile, Secrets, bare

# RFC 9110: a token, and a value of printable ASCII.
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\x20-\x7e]*")
_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})")
_SCHEME = re.compile(r"(?:bearer|basic|token)\s+", re.IGNORECASE)

# Headers that frame a message, or say how its answer is to be read: another value would break the request.
_FRAMING = frozenset(
    {"host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection", "keep-alive"}
    | {"te", "trailer", "upgrade", "expect", "range", "proxy-authorization", "proxy-connection"}
)
_ELSEWHERE = {
    "openai-organization": "it comes from OPENAI_ORG_ID",
    "openai-project": "it comes from OPENAI_PROJECT_ID",
    "authorization": "it comes from the key (OPENAI_API_KEY, --api-key-file or --token-command)",
    "api-key": "it comes from the key (OPENAI_API_KEY or --api-key-file), with --auth api-key",
}
_OURS = frozenset({"user-agent", "accept", "accept-encoding"})


def header_of(text: str) -> tuple[str, str]:
    """Name and reference of ``NAME=@FILE`` or ``NAME=$VARIABLE``.

    Raises:
        ValueError: it is none of these; the message shows nothing but the name, since the value may be a secret.
    """
    name, equals, reference = text.partition("=")
    if not equals or not _NAME.fullmatch(name):
        raise ValueError("write it as NAME=@FILE or NAME=$VARIABLE")
    if not (reference.startswith("@") and len(reference) > 1) and not _VARIABLE.fullmatch(reference):
        raise ValueError(
            f"{name}: no value is given here, where every process sees it; write '{name}=$VARIABLE', in single "
            f"quotes, or {name}=@FILE"
        )
    return name, reference


def absolute(reference: str) -> str:
    """The same reference, with an absolute path: the working directory may change."""
    return f"@{Path(reference[1:]).absolute()}" if reference.startswith("@") else reference


def fault_of_names(names: Iterable[str], *, authorization: bool) -> str:
    """Why headers of these names may not be set; "" where they may. ``authorization``: `Authorization` may be."""
    for name in names:
        plain = name.lower()
        if plain in _FRAMING | _OURS:
            return f"--header {name}: this program sets it"
        if plain in _ELSEWHERE and not (plain == "authorization" and authorization):
            return f"--header {name}: {_ELSEWHERE[plain]}"
    return ""


def headers_for(
    given: Iterable[tuple[str, str]], environment: Mapping[str, str], secrets: Secrets, log: Log
) -> dict[str, Key]:
    """The values by name, each read when it is asked for; a file is read again when it changes.

    Raises:
        UsageError: a name stands twice.
    """
    values: dict[str, Key] = {}
    for name, reference in given:
        if name.lower() in map(str.lower, values):
            raise UsageError(f"--header {name} is given twice")
        values[name] = _value(name, reference, environment, secrets, log)
    return values


def _value(name: str, reference: str, environment: Mapping[str, str], secrets: Secrets, log: Log) -> Key:
    flag = f"--header {name}"
    if reference.startswith("@"):
        otherwise = "takes @ and a file's name (a value itself goes into an environment variable)"
        file_flag = FileFlag(flag, "value", _header_value, _secrets_in, otherwise)
        return KeyFile(Path(reference[1:]), secrets, log, flag=file_flag)
    return _Variable(partial(_from_environment, flag, reference.strip("${}"), environment), secrets)


class _Variable(Key):
    """A value of the environment."""

    def current(self) -> str:
        """The value; what of it is secret is remembered first."""
        value = self._read()
        for secret in _secrets_in(value):
            self.secrets.add(secret)
        return value


def _from_environment(flag: str, variable: str, environment: Mapping[str, str]) -> str:
    try:
        value = _header_value(environment.get(variable, ""))
    except ValueError as error:
        raise UsageError(f"{flag}: ${variable}: {error}") from None
    if not value:
        raise UsageError(f"{flag}: the environment variable {escaped(variable)} is not set")
    return value


def _header_value(text: str) -> str:
    """The value that a text stands for. Raises ValueError, which does not show it, where no header may hold it."""
    value = bare(text)
    if len(value.splitlines()) > 1:
        raise ValueError(f"it holds {len(value.splitlines())} lines, and a header's value is one")
    if not _VALUE.fullmatch(value):
        raise ValueError("it holds a character that no HTTP header may hold")
    if value and template_in(value) == value:
        raise ValueError("it is a template that was not filled in")
    return value


def _secrets_in(value: str) -> tuple[str, ...]:
    """The value, and what stands after a scheme such as Bearer."""
    return value, _SCHEME.sub("", value, count=1)
