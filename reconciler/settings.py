"""What the operator says: flags and environment. A manifest never chooses where a key is sent.

`cli` makes one `Settings` a command; `cli.wiring` reads it. The environment variables are those
of every OpenAI client (README, *Configuration*). A profile says how a provider differs from
OpenAI before the first request is sent.
"""

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.core.desired import Fleet
from reconciler.core.documents import ProviderName
from reconciler.errors import UsageError
from reconciler.provider.key import Key, bare, key_of

# Longer than any server's listing lag plus the request deadline of 10 s that has been measured (A1, A2).
SETTLE_SECONDS = 30.0
LOCK_TIMEOUT_SECONDS = 30.0
STATE_DIRECTORY = ".reconciler"
SANDBOX_DIRECTORY = ".sandbox"
_PORTS = {"http": 80, "https": 443}
_SANDBOX_KEY = "the-sandbox-takes-any-key"


@dataclass(frozen=True, slots=True)
class Profile:
    """How one kind of provider is reached. ``base_url`` None: the operator must give one."""

    base_url: str | None = None
    key_required: bool = True
    key_header: str = "Authorization"


PROFILES: Mapping[ProviderName, Profile] = {
    ProviderName.OPENAI: Profile(base_url="https://api.openai.com/v1"),
    ProviderName.AZURE: Profile(key_header="api-key"),
    ProviderName.LITELLM: Profile(key_required=False),
    ProviderName.COMPATIBLE: Profile(key_required=False),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """One command's options; times in seconds. ``stream``: manifests come from standard input."""

    root: Path
    stream: bool = False
    state_dir: Path | None = None
    provider: ProviderName | None = None
    base_url: str | None = None
    api_key_file: Path | None = None
    sandbox_dir: Path | None = None
    sandbox_speed: float = 1.0
    settle: float | None = None
    lock_timeout: float = LOCK_TIMEOUT_SECONDS
    log_format: str = "auto"
    verbose: bool = False
    prune: bool = True
    deadline: float = 10.0  # seconds for everything about one request
    assume: tuple[str, ...] = ()  # what cannot be seen of the server from outside
    status_word: tuple[tuple[str, str], ...] = ()  # a server's own status words and what they mean

    @property
    def state_directory(self) -> Path:
        """Where the operator says; else in the fleet directory; else, where that cannot keep it, at home."""
        return self.state_dir or (_at_home(self.root) if _keeps_nothing(self.root) else self.root / STATE_DIRECTORY)

    @property
    def sandbox_directory(self) -> Path:
        return self.sandbox_dir or self.root / SANDBOX_DIRECTORY


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go. ``sandbox``: the embedded one, whose address is chosen at start."""

    provider: ProviderName
    base_url: str
    api_key: Key
    key_header: str
    organization: str
    project: str

    @property
    def sandbox(self) -> bool:
        return self.provider is ProviderName.SANDBOX

    @property
    def host(self) -> str:
        """What a person knows the provider by; the sandbox's port changes with every run."""
        return "sandbox" if self.sandbox else urlsplit(self.base_url).netloc

    @property
    def port(self) -> int | None:
        """Where the host listens, said or not; None in the sandbox."""
        parts = urlsplit(self.base_url)
        return None if self.sandbox else parts.port or _PORTS[parts.scheme]

    @property
    def identity(self) -> str:
        """What memory and approvals belong to: the base URL, or `sandbox`."""
        return "sandbox" if self.sandbox else self.base_url

    def __repr__(self) -> str:
        return f"Target({self.provider}, {self.identity})"


def target(settings: Settings, fleet: Fleet, environment: Mapping[str, str], key: Key) -> Target:
    """Where this fleet's jobs are. The ``key`` is read only where one is sent.

    Raises:
        UsageError: a base URL or a key is needed and not given, or given where it has no meaning.
    """
    provider = settings.provider or fleet.provider
    said = bare(settings.base_url or "")
    if provider is ProviderName.SANDBOX:
        if said:
            raise UsageError(
                "the sandbox is embedded and takes no --base-url; use --provider compatible for a served one"
            )
        return Target(provider, "", Key(lambda: _SANDBOX_KEY), "Authorization", "", "")
    profile = PROFILES[provider]
    base_url = said or bare(environment.get("OPENAI_BASE_URL", "")) or profile.base_url
    if not base_url:
        raise UsageError(f"provider {provider} needs a base URL: set --base-url or OPENAI_BASE_URL")
    if not key.current() and profile.key_required:
        raise UsageError(f"provider {provider} needs a key: set OPENAI_API_KEY or --api-key-file")
    _check_base_url(base_url)
    return Target(
        provider,
        base_url.rstrip("/"),
        key,
        profile.key_header,
        bare(environment.get("OPENAI_ORG_ID", "")),
        bare(environment.get("OPENAI_PROJECT_ID", "")),
    )


def _keeps_nothing(root: Path) -> bool:
    """Whether a fleet directory is read-only, or a volume that a tool swaps as a whole (Kubernetes' ``..data``).

    Raises:
        UsageError: nobody can tell. Memory that moves away at each trouble of a disk would be none.
    """
    try:
        found = root.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise UsageError(f"{root}: it cannot be looked at ({error.strerror}): say --state-dir") from error
    return stat.S_ISDIR(found.st_mode) and ((root / "..data").is_symlink() or not os.access(root, os.W_OK))


def _at_home(root: Path) -> Path:
    """A state directory of its own for each fleet directory (XDG Base Directory Specification)."""
    try:
        base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise UsageError(
            f"{root} cannot keep the state and this user has no home directory: say --state-dir"
        ) from error
    digest = hashlib.sha256(os.fsencode(root.absolute())).hexdigest()[:12]
    return Path(base) / "reconciler" / f"{root.absolute().name or 'root'}-{digest}"


def _check_base_url(url: str) -> None:
    """A key is sent there: what could be misread is refused. The URL itself is not shown, it may hold a password."""
    try:
        parts = urlsplit(url)
        right = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        right = False
        parts = urlsplit("")
    if not right or not url.isascii() or not url.isprintable() or set(url) & set(' "<>'):
        raise UsageError("the base URL must start with http:// or https:// and name a host")
    if parts.username is not None or parts.query or parts.fragment:
        raise UsageError("the base URL must hold no user, password, query or fragment")


def key_of_environment(environment: Mapping[str, str]) -> str:
    """The key where no file holds it; "" where there is none. Raises UsageError where it cannot be one."""
    try:
        return key_of(environment.get("OPENAI_API_KEY", ""))
    except ValueError as error:
        raise UsageError(f"OPENAI_API_KEY: {error}") from error
