"""How a kind of server is reached, and one account of one server.

`settings` makes one `Account` a command; the client, the gates, the journal's identity and every message take from it
where requests go and whose they are. A profile is data and small functions: a new kind of server is a word of
`ProviderName` and a row of `PROFILES`. Nothing else asks which kind a server is, but for the sandbox, which runs in
this process.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from enum import StrEnum
from urllib.parse import urlsplit

from msgspec import Struct, field

from reconciler import __version__
from reconciler.core.documents import ProviderName
from reconciler.errors import UsageError
from reconciler.provider.key import Key
from reconciler.provider.message import PORTS, base_of

_SAFE_HEADER = re.compile(r"[\x21-\x7e]+")


def bearer(key: str) -> dict[str, str]:
    """RFC 6750."""
    return {"Authorization": f"Bearer {key}"}


def api_key(key: str) -> dict[str, str]:
    """Azure's own header."""
    return {"api-key": key}


class Profile(Struct, frozen=True):
    """How one kind of server differs from another before the first request is sent.

    ``base_url`` None: the operator must give one. ``auth`` makes the headers that show a key; without a key it is not
    called. ``query`` and ``headers`` go with every request.
    """

    name: ProviderName
    base_url: str | None = None
    key_required: bool = True
    auth: Callable[[str], Mapping[str, str]] = bearer
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


PROFILES: Mapping[ProviderName, Profile] = {
    profile.name: profile
    for profile in (
        Profile(ProviderName.OPENAI, base_url="https://api.openai.com/v1"),
        Profile(ProviderName.AZURE, auth=api_key),
        Profile(ProviderName.LITELLM, key_required=False),
        Profile(ProviderName.COMPATIBLE, key_required=False),
        Profile(ProviderName.SANDBOX),
    )
}


class Assumption(StrEnum):
    """What an operator may say of a server that cannot be seen from outside (``--assume``)."""

    EMPTY_LISTING = "empty-listing"  # an empty first page that says that more follow is the whole listing
    WHOLE_LISTING = "whole-listing"  # a page that repeats holds every job, however many it shows


class Assumed(Struct, frozen=True):
    """What the operator says of this server; ``words`` as `parse_job` has them."""

    that: frozenset[Assumption] = frozenset()
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Account:
    """Where the jobs are, whose they are, and what is said of the server. The sandbox's ``base_url`` is made at start.

    Raises:
        UsageError: a value cannot be a header (the message does not show it).
    """

    profile: Profile
    base_url: str
    key: Key = dataclass_field(default_factory=lambda: Key(str), repr=False)  # "" is none, and none is sent
    organization: str = ""
    project: str = ""
    assumed: Assumed = dataclass_field(default_factory=Assumed)

    def __post_init__(self) -> None:
        try:
            base_of(self.base_url)
        except ValueError as error:
            raise UsageError("the base URL cannot be read as one") from error
        sent = {"key": self.key.current(), "organisation": self.organization, "project": self.project}
        for what, value in sent.items():
            if value and not _SAFE_HEADER.fullmatch(value):
                raise UsageError(f"the {what} holds characters that no HTTP header may hold")

    @property
    def sandbox(self) -> bool:
        """Whether it is the embedded one."""
        return self.profile.name is ProviderName.SANDBOX

    @property
    def server(self) -> str:
        """What memory and approvals belong to: the base URL, or `sandbox`, whose port changes with every run."""
        return "sandbox" if self.sandbox else self.base_url

    @property
    def host(self) -> str:
        """What a person knows the server by, with the port where the base URL says one."""
        return "sandbox" if self.sandbox else urlsplit(self.base_url).netloc

    @property
    def port(self) -> int | None:
        """Where the host listens, said or not; None in the sandbox."""
        parts = urlsplit(self.base_url)
        return None if self.sandbox else parts.port or PORTS[parts.scheme]

    def headers(self, key: str) -> dict[str, str]:
        """What every request carries, with this ``key`` of the account's."""
        whose = {"OpenAI-Organization": self.organization, "OpenAI-Project": self.project}
        return {
            "User-Agent": f"finetune-reconciler/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            **self.profile.headers,
            **(self.profile.auth(key) if key else {}),
            **{name: value for name, value in whose.items() if value},
        }
