"""What never belongs into a manifest, and where it does belong: keys, base URLs, headers, proxies.

Pure. `complaints` asks `way_of` for a field that nobody knows; `source` passes what it shows of a file through
`masked` and `without_keys`, so that a key which stands in a manifest stands in no log besides. `settings` and
`cli.invocation` ask which fields of an operator's query are secret.
"""

import re

from reconciler.core.spelling import folded

_KEY = (
    "a key must not stand in Git: take it out and revoke it (the history keeps it); "
    "the key comes from OPENAI_API_KEY or --api-key-file"
)
_WANDB_KEY = (
    "a key must not stand in Git: take it out and revoke it (the history keeps it); "
    "the provider holds the key of W&B in the settings of your organization"
)
_URL = "no base URL is read from a manifest: set OPENAI_BASE_URL or --base-url"
_HEADERS = "no headers are read from a manifest: set --header; the key comes from OPENAI_API_KEY or --api-key-file"
_PROXY = "no proxy is read from a manifest: set HTTPS_PROXY or HTTP_PROXY"
_ORGANIZATION = "the organization comes from OPENAI_ORG_ID; the Fleet's spec.expect.organization refuses any other"
_PROJECT = "the project comes from OPENAI_PROJECT_ID; the Fleet's spec.expect.project refuses any other"

# By the letters of the name alone, so that api_key, apiKey and API-KEY are one.
_EXACTLY = {
    **dict.fromkeys(("key", "auth", "bearer", "credentials", "credential"), _KEY),
    **dict.fromkeys(("baseurl", "url", "uri", "endpoint", "apibase", "apiurl", "openaibaseurl", "apiendpoint"), _URL),
    **dict.fromkeys(("headers", "header", "extraheaders", "defaultheaders", "httpheaders"), _HEADERS),
    **dict.fromkeys(("proxy", "proxies", "httpproxy", "httpsproxy", "noproxy"), _PROXY),
    **dict.fromkeys(("organization", "organisation", "org", "orgid", "organizationid", "openaiorgid"), _ORGANIZATION),
    **dict.fromkeys(("project", "projectid", "openaiproject", "openaiprojectid"), _PROJECT),
}
_SECRET = re.compile(r"apikey|token$|secret|password|passwd|authorization|privatekey|credential")

# What keys and signatures are called in URLs alone, as Azure's functions and shared access signatures have them.
_IN_URLS = frozenset({"code", "sig", "sas"})

_LONGEST = 64  # characters that a name is known by

# Values that are keys by their shape, wherever they stand; and what stands between // and @ of a URL.
_SHAPES = re.compile(
    r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{8,}|\b(?:hf|ghp|gho|ghs|github_pat|glpat|xox[abp])[_-][A-Za-z0-9_-]{8,}"
    r"|(?<=[Bb]earer )\S+|(?<=://)[^/@\s]+(?=@)"
)
_NAMED = re.compile(
    r"(?i)(?:api[_-]?key|token(?!s)|secret|passw(?:or)?d|authorization|credential|private[_-]?key|headers|proxy)"
    r"[\w-]{0,40}[\"']?\s{0,40}[:=\s]\s{0,40}(?=\S)"
)


def way_of(field: str, *, wandb: bool = False) -> str:
    """Where what ``field`` names belongs; "" where it is nothing of that kind."""
    if is_secret(field):
        return _WANDB_KEY if wandb else _KEY
    return _EXACTLY.get(folded(field[:_LONGEST]), "")


def is_secret(field: str) -> bool:
    """Whether what stands under this name is a key, or a password."""
    plain = folded(field[:_LONGEST])
    return _SECRET.search(plain) is not None or _EXACTLY.get(plain) is _KEY


def is_secret_in_url(field: str) -> bool:
    """Whether what stands under this name in a URL's query opens a door: a key, a signature, the code of a function."""
    plain = folded(field[:_LONGEST])
    return is_secret(field) or plain.endswith(("key", "signature")) or plain in _IN_URLS


def masked(line: str) -> str:
    """A line of a manifest with nothing of a key in it, every character in its column."""
    named = _NAMED.search(line)
    if named is not None:
        line = line[: named.end()] + re.sub(r"\S", "*", line[named.end() :])
    return _SHAPES.sub(lambda found: "*" * len(found[0]), line)


def without_keys(text: str) -> str:
    """A message that may quote a manifest, without what is a key by its shape."""
    return _SHAPES.sub("[redacted]", text)
