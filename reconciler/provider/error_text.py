"""What a server says is wrong, whatever the shape of its answer.

`answer` asks about every answer that is no success, or that cannot be used. What comes back is the server's own text:
whoever shows it takes the key out of it, then escapes and cuts it. The words for a manifest's errors are in
`core.complaints`.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urljoin, urlsplit

# Where sentences stand, and errors within errors: OpenAI's `error`, FastAPI's `detail`, RFC 9457's `title`
# and `detail`, JSON:API's `errors`, OAuth's `error_description`, Apigee's `fault`, Azure's `innererror`.
_SENTENCES = (
    *("title", "error", "errors", "fault", "message", "msg", "error_description", "errormessage", "error_message"),
    *("faultstring", "detail", "details", "reason", "innererror", "inner_error"),
)
_WITHIN = ("error", "errors", "fault", "detail")
_ERRORS = (*_WITHIN, "message", "msg")
# Fields that name an error, the best first. Their values are no sentences for a person.
_CODES = ("code", "type", "__type", "status")
_NO_SENTENCE = frozenset({*_CODES, "param", "object", "success", "statuscode", "path", "instance", "timestamp"})
_LONGEST_CODE, _CODE_LIMIT = 64, 10**9
_SNAKE = re.compile(r"[A-Za-z0-9]+(?:_[A-Za-z0-9]+)+")
_DEEPEST, _WIDEST = 5, 5

# A page is known by its title; a long one is not read to its end.
_HEAD = 4096
_HTML = re.compile(r"\s*<(?:!--|!doctype html|html|head|body)", re.IGNORECASE)
_TITLE = re.compile(r"<title[^<>]{0,200}>([^<>]{1,300})", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,1000}>")


def error_text_of(content: bytes, clean: Callable[[str], str]) -> tuple[str, str]:
    """Code and sentence of an answer that is no success; each may be empty. ``clean`` takes out what nobody may see."""
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return "", _plain(clean(_text(content)))
    return _code(answer, _DEEPEST), _sentence(answer, _DEEPEST)


def why_unusable(content: bytes, clean: Callable[[str], str]) -> str:
    """What is wrong with a success that cannot be used: that it is empty, a page, a text, or says what went wrong."""
    if not content.strip():
        return "an empty answer"
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        said = _plain(clean(_text(content)))
        what = "an HTML page" if is_page(content) else "not JSON"
        return f"{what}: {said}" if said else what
    if isinstance(answer, str) or (isinstance(answer, Mapping) and any(answer.get(key) for key in _ERRORS)):
        return _sentence(answer, _DEEPEST)
    return ""


def is_page(content: bytes) -> bool:
    """Whether it is a page for a browser."""
    return _HTML.match(_text(content)[:_HEAD]) is not None


def route_hint(base_url: str) -> str:
    """What it may mean that there is nothing of the API where it should be."""
    if urlsplit(base_url).path.rstrip("/").endswith("/v1"):
        return "is the base URL that of an API with fine-tuning?"
    return "the base URL does not end in /v1; most do, as in https://HOST/v1 (--base-url, OPENAI_BASE_URL)"


def page_hint(base_url: str) -> str:
    """What it may mean that a page for a browser came."""
    return f"a login page or a proxy's, not the API's answer; {route_hint(base_url)}"


def redirect_hint(base_url: str, location: str) -> str:
    """Where a redirect points, without what may be secret in it, and what can be done."""
    try:
        parts = urlsplit(urljoin(f"{base_url}/", location))
        base, host, port = urlsplit(base_url), parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not location or not host:
        return "a redirect is not followed: is the base URL right?"
    if (parts.scheme, parts.netloc) == (base.scheme, base.netloc):
        where = f"the path {parts.path} of the same host"
    else:
        where = f"{parts.scheme}://{host}{f':{port}' if port else ''}"
    return f"it redirects to {where}, which is not followed: if that is the API, set --base-url to its address"


def _sentence(node: object, deeper: int) -> str:
    """What one value of the answer says; ``deeper``: how many levels below it are looked at."""
    if isinstance(node, str):
        return " ".join(node.split())
    if not deeper:
        return ""
    if isinstance(node, list):
        return "; ".join(_distinct(_sentence(item, deeper - 1) for item in node[:_WIDEST]))
    if not isinstance(node, Mapping):
        return ""
    fields = _lowered(node)
    said = ": ".join(_distinct(_sentence(fields.get(key), deeper - 1) for key in _SENTENCES))
    place = _place(fields.get("loc") or fields.get("field"))
    if said:
        return f"{place}: {said}" if place else said
    others = [
        (key, _sentence(value, deeper - 1)) for key, value in node.items() if str(key).lower() not in _NO_SENTENCE
    ]
    return "; ".join([f"{key}: {text}" for key, text in others if text][:_WIDEST])


def _code(node: object, deeper: int) -> str:
    """The name of the error: a word before a number. A text is a name where it is written like one, in snake case."""
    if isinstance(node, str):
        return node if len(node) <= _LONGEST_CODE and _SNAKE.fullmatch(node) else ""
    if deeper and isinstance(node, list):
        return next(filter(None, (_code(item, deeper - 1) for item in node[:_WIDEST])), "")
    if not deeper or not isinstance(node, Mapping):
        return ""
    fields = _lowered(node)
    words = [value for key in _CODES if isinstance(value := fields.get(key), str)]
    word = next((word for word in words if 0 < len(word) <= _LONGEST_CODE and ":" not in word), "")
    inner = (_code(fields.get(key), deeper - 1) for key in _WITHIN)
    number = fields.get("code")
    return next(filter(None, (word if "error" not in fields else "", *inner, word)), "") or (
        str(number) if isinstance(number, int) and not isinstance(number, bool) and 0 < number < _CODE_LIMIT else ""
    )


def _place(node: object) -> str:
    """Where in the request it is, as FastAPI has it: a list of names and numbers."""
    if isinstance(node, list):
        return ".".join(str(step) for step in node[:_WIDEST] if isinstance(step, str | int))
    return node if isinstance(node, str) else ""


def _lowered(fields: Mapping[object, object]) -> dict[str, object]:
    return {str(key).lower(): value for key, value in fields.items()}


def _distinct(parts: Iterable[str]) -> list[str]:
    """Without what is empty or has been said already."""
    said: list[str] = []
    for part in parts:
        if part and not any(part in other for other in said):
            said.append(part)
    return said


def _plain(text: str) -> str:
    """What a text or a page says, in one line."""
    text = text[:_HEAD]
    title = _TITLE.search(text)
    return " ".join((title[1] if title else _TAG.sub(" ", text)).split())


def _text(content: bytes) -> str:
    """The answer as text; nothing where it is none."""
    return "" if b"\0" in content else content.decode("utf-8-sig", errors="replace")
