"""HTTP's messages as values: a request as it goes over the wire, and an answer as it came.

`sender` makes requests, `transport` exchanges them for answers, `answer` says what those mean. Nothing is sent here.
"""

import json
import os
from collections.abc import Iterable, Mapping
from urllib.parse import quote, urlencode, urlsplit

from msgspec import Struct

PORTS = {"http": 80, "https": 443}  # where a URL without a port leads
# Whatever else stands in a base URL's path is written as percent signs and digits (RFC 3986).
_PATH_SIGNS = "/%:@!$&'()*+,;=~"


class Origin(Struct, frozen=True):
    """A server: what connections are made to. ``port`` None: the scheme's own."""

    scheme: str
    host: str
    port: int | None

    @property
    def netloc(self) -> str:
        """As the header `Host` has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port in {None, PORTS.get(self.scheme)} else f"{host}:{self.port}"


class HttpRequest(Struct, frozen=True):
    """``content``: in pieces where it is long. ``extra_seconds``: how much longer than any other it may take."""

    method: str
    origin: Origin
    target: str
    headers: Mapping[str, str]
    content: bytes | Iterable[bytes] = b""
    extra_seconds: float = 0.0


class HttpResponse(Struct, frozen=True):
    """``headers`` by their names in lower case; what came several times is joined by commas."""

    status: int
    headers: Mapping[str, str]
    content: bytes


def base_of(url: str) -> tuple[Origin, str]:
    """Server and path of a base URL. Raises ValueError where it is none, or holds more than these."""
    parts = urlsplit(url)
    origin = Origin(parts.scheme, parts.hostname or "", parts.port)
    host = Origin("", origin.host, None).netloc
    if parts.netloc.lower().rstrip(":") not in {host, f"{host}:{origin.port}"}:
        raise ValueError("more than a host and a port")
    return origin, quote(parts.path.rstrip("/"), safe=_PATH_SIGNS)


def target_of(path: str, query: Mapping[str, str]) -> str:
    """What is asked for, as the request's first line has it."""
    return f"{path}?{urlencode(query)}" if query else path


def json_body(value: object) -> tuple[str, bytes]:
    """Content type and content."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return "application/json", text.encode()


def form_around(fields: Mapping[str, str], name: str) -> tuple[str, bytes, bytes]:
    """Content type of a form with a file of JSON lines (RFC 7578), and what stands before and after its bytes."""
    boundary = os.urandom(16).hex()
    parts = [(f'name="{_quoted(field)}"', f"{value}\r\n") for field, value in fields.items()]
    parts.append((f'name="file"; filename="{_quoted(name)}"\r\nContent-Type: application/jsonl', ""))
    before = "".join(f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}" for head, value in parts)
    return f"multipart/form-data; boundary={boundary}", before.encode(), f"\r\n--{boundary}--\r\n".encode()


def headers_of(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers of an answer; bytes that are no text are replaced."""
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("ascii", errors="replace").lower(), value.decode(errors="replace")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _quoted(text: str) -> str:
    """Within quotes of a form's header, as browsers write it (WHATWG HTML, multipart/form-data)."""
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
