"""How a kind of server is reached, and one account of one server.

`settings` makes one `Account` a command; the client, the gates, the journal's identity and every message take from it
where requests go and whose they are. A `Profile` is data and small functions, in a module of `profiles` that is named
after it. Nothing else asks which kind a server is, but for the sandbox, which runs in this process. A profile sends
nothing and reads no key. It says which settings are missing, and which specs its server would not train.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from urllib.parse import urlencode, urlsplit

from msgspec import Struct, field

from reconciler import __version__
from reconciler.core.documents import ProviderName
from reconciler.dataset.rules import OPENAI, Rules
from reconciler.errors import UsageError
from reconciler.provider.key import Key
from reconciler.provider.message import PORTS, base_of

_SAFE_HEADER = re.compile(r"[\x21-\x7e]+")
# A JSON Web Token (RFC 7519), as Microsoft Entra issues them; no key of Azure's looks like one.
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")


# The server that the embedded sandbox stands for where nobody says.
SANDBOX_MODE = "openai"


class Auth(StrEnum):
    """How a key is sent (``--auth``). A token of Microsoft Entra is always sent as `BEARER`."""

    BEARER = "bearer"  # Authorization: Bearer, RFC 6750
    API_KEY = "api-key"  # Azure's own header

    def headers(self, key: str) -> dict[str, str]:
        """The header that carries this key."""
        return {"api-key": key} if self is Auth.API_KEY else {"Authorization": f"Bearer {key}"}


class Reach(Struct, frozen=True):
    """How the operator says that a server is reached. ``headers``: the names of their own headers, in lower case."""

    base_url: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: frozenset[str] = frozenset()

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""

    @property
    def path(self) -> str:
        return urlsplit(self.base_url).path.rstrip("/")


class Profile(Struct, frozen=True):
    """How one kind of server differs from another before the first request is sent.

    ``base_url`` None: the operator must give one. ``auth`` is how a key is sent where the operator does not say.
    ``authorization``: an operator without a key may set this header themselves. ``routes`` are fields of the query and
    headers that choose another server behind this one. ``missing`` says what the operator has to say besides, ``body``
    makes the fields of every POST, ``objection`` says why a spec is not sent there; "" where there is nothing to say.
    ``dataset`` is what it accepts of a training file.
    """

    name: ProviderName
    base_url: str | None = None
    key_required: bool = True
    auth: Auth = Auth.BEARER
    authorization: bool = False
    routes: frozenset[str] = frozenset()
    missing: Callable[[Reach], str] = lambda _reach: ""
    body: Callable[[Reach], Mapping[str, str]] = lambda _reach: {}
    objection: Callable[[Reach, Mapping[str, object]], str] = lambda _reach, _spec: ""
    dataset: Rules = OPENAI


class Assumption(StrEnum):
    """What an operator may say of a server that cannot be seen from outside (``--assume``)."""

    EMPTY_LISTING = "empty-listing"  # an empty first page that says that more follow is the whole listing
    WHOLE_LISTING = "whole-listing"  # a page that repeats holds every job, however many it shows
    METHOD = "method"  # it trains by the method that it is sent, although its jobs do not show it


class Assumed(Struct, frozen=True):
    """What the operator says of this server; ``words`` as `parse_job` has them."""

    that: frozenset[Assumption] = frozenset()
    words: Mapping[str, str] = field(default_factory=dict)


class Account(Struct, frozen=True):
    """Where the jobs are, whose they are, and what is said of the server. The sandbox's ``base_url`` is made at start.

    ``query`` and ``own_headers`` are the operator's, and go with every request; ``body`` with every create.

    Raises:
        UsageError: a value cannot be a header (the message does not show it).
    """

    profile: Profile
    base_url: str
    key: Key = field(default_factory=lambda: Key(str))  # "" is none, and none is sent
    organization: str = ""
    project: str = ""
    assumed: Assumed = field(default_factory=Assumed)
    auth: Auth | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    own_headers: Mapping[str, Key] = field(default_factory=dict)
    body: Mapping[str, str] = field(default_factory=dict)
    sandbox_mode: str = SANDBOX_MODE

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
        """What memory and approvals belong to: the base URL, or `sandbox`, whose port changes with every run.

        A gateway leads to several servers: what chooses one of them is part of it, a header's value as its digest.
        """
        if self.sandbox:  # another mode is another server: what one returns, the other may drop
            return "sandbox" if self.sandbox_mode == SANDBOX_MODE else f"sandbox?mode={self.sandbox_mode}"
        chosen = {name: value for name, value in self.query.items() if name in self.profile.routes} | {
            name: hashlib.sha256(value.current().encode()).hexdigest()[:12]
            for name, value in self.own_headers.items()
            if name.lower() in self.profile.routes
        }
        return f"{self.base_url}?{urlencode(sorted(chosen.items()))}" if chosen else self.base_url

    @property
    def host(self) -> str:
        """The host as a person knows it, with the port where the base URL says one."""
        return "sandbox" if self.sandbox else urlsplit(self.base_url).netloc

    @property
    def port(self) -> int | None:
        """The port, that of the scheme where the base URL says none; None in the sandbox."""
        parts = urlsplit(self.base_url)
        return None if self.sandbox else parts.port or PORTS[parts.scheme]

    @property
    def reach(self) -> Reach:
        """What its profile judges."""
        return Reach(self.base_url, self.query, frozenset(name.lower() for name in self.own_headers))

    @property
    def fields(self) -> Mapping[str, str]:
        """What every POST to this server carries besides what is asked."""
        return self.profile.body(self.reach)

    def objection(self, body: Mapping[str, object], extra_body: Mapping[str, object]) -> str:
        """Why a create with these fields of a manifest is not sent here; "" where nothing speaks against it."""
        own = sorted({*self.body, *self.fields} & extra_body.keys()) if extra_body else ()
        if own:
            return f"extra_body sets {own[0]}, which the operator says here: take it out of the manifest"
        return self.profile.objection(self.reach, body)

    def headers(self, key: str) -> dict[str, str]:
        """What every request carries, with this ``key`` of the account's."""
        return {
            **standard_headers(self.organization, self.project),
            **(self._shown(key) if key else {}),
            **{name: value.current() for name, value in self.own_headers.items()},
        }

    def _shown(self, key: str) -> dict[str, str]:
        if _JWT.fullmatch(key):
            return Auth.BEARER.headers(key)
        return (self.auth or (Auth.BEARER if self.key.token else self.profile.auth)).headers(key)


def standard_headers(organization: str, project: str) -> dict[str, str]:
    """What is sent whatever the key is."""
    whose = {"OpenAI-Organization": organization, "OpenAI-Project": project}
    return {
        "User-Agent": f"finetune-reconciler/{__version__}",
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        **{name: value for name, value in whose.items() if value},
    }
