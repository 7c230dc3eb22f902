"""Where requests go, who asks, and what the operator says of the server."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import httpx

from reconciler import __version__
from reconciler.errors import UsageError
from reconciler.provider.key import Key

# Seconds for everything about one request, from its first packet to the answer's last byte.
REQUEST_DEADLINE = 10.0

_SAFE_HEADER = re.compile(r"[\x21-\x7e]+")


class Assumption(StrEnum):
    """What an operator may say of a server that cannot be seen from outside (``--assume``)."""

    EMPTY_LISTING = "empty-listing"  # an empty first page that says that more follow is the whole listing
    WHOLE_LISTING = "whole-listing"  # a page that repeats holds every job, however many it shows


@dataclass(frozen=True, slots=True)
class Assumed:
    """What the operator says of this server; ``words`` as `parse_job` has them."""

    that: frozenset[Assumption] = frozenset()
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go, who asks, and what is said of the server; seconds for each request.

    An ``api_key`` that is empty sends none.

    Raises:
        UsageError: a value cannot be a header (the message does not show it).
    """

    base_url: str
    api_key: Key = field(default_factory=lambda: Key(str), repr=False)
    organization: str = ""
    project: str = ""
    key_header: str = "Authorization"
    deadline: float = REQUEST_DEADLINE
    assumed: Assumed = field(default_factory=Assumed)

    def __post_init__(self) -> None:
        try:
            httpx.URL(self.base_url)
        except httpx.InvalidURL as error:
            raise UsageError("the base URL cannot be read as one") from error
        for what, value in (
            ("key", self.api_key.current()),
            ("organisation", self.organization),
            ("project", self.project),
        ):
            if value and not _SAFE_HEADER.fullmatch(value):
                raise UsageError(f"the {what} holds characters that no HTTP header may hold")

    def headers(self, key: str) -> dict[str, str]:
        """What every request carries."""
        shown = f"Bearer {key}" if self.key_header == "Authorization" else key
        told = {
            self.key_header: shown if key else "",
            "OpenAI-Organization": self.organization,
            "OpenAI-Project": self.project,
        }
        return {
            "User-Agent": f"finetune-reconciler/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            **{name: value for name, value in told.items() if value},
        }
