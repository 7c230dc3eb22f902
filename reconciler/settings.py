"""What the operator says: flags and environment. A manifest never chooses where a key is sent.

`cli.options` makes one `Settings` a command, `cli.wiring` reads it and asks here for the `Account`. The environment
variables are those of every OpenAI client (docs/configuration.md). How kinds of servers differ is said in
`provider.profile`.
"""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus, urlsplit

from msgspec import Struct

from reconciler.core.credentials import is_secret_in_url
from reconciler.core.desired import Fleet
from reconciler.core.documents import ProviderName
from reconciler.core.fields import FATES
from reconciler.errors import UsageError, escaped
from reconciler.provider.header import fault_of_names
from reconciler.provider.key import Key, bare
from reconciler.provider.profile import SANDBOX_MODE, Account, Assumed, Assumption, Auth, Profile, Reach
from reconciler.provider.profiles import profile_of
from reconciler.provider.request import REQUEST_DEADLINE

# Longer than any server's listing lag plus the request deadline of 10 s that has been measured (A1, A2).
SETTLE_SECONDS = 30.0
LOCK_TIMEOUT_SECONDS = 30.0
STATE_DIRECTORY = ".reconciler"
SANDBOX_DIRECTORY = ".sandbox"
# Fields that the program asks with, and those that a manifest's spec holds, or the marks.
_QUERY = frozenset({"after", "limit", "purpose"})
_BODY = frozenset(name for name, fate in FATES.items() if fate.sent)
_SANDBOX_KEY = "the-sandbox-takes-any-key"


class Settings(Struct, frozen=True):
    """One command's options; times in seconds. ``stream``: manifests come from standard input."""

    root: Path
    stream: bool = False
    files_root: Path | None = None  # training files may stand below it, too
    state_dir: Path | None = None
    provider: ProviderName | None = None
    base_url: str | None = None
    api_key_file: Path | None = None
    token_command: str | None = None
    entra: bool = False
    auth: str | None = None
    query: tuple[tuple[str, str], ...] = ()
    header: tuple[tuple[str, str], ...] = ()  # names, and where each value is: @FILE or $VARIABLE
    body: tuple[tuple[str, str], ...] = ()
    sandbox_dir: Path | None = None
    sandbox_speed: float = 1.0
    sandbox_mode: str = SANDBOX_MODE
    settle: float | None = None
    lock_timeout: float = LOCK_TIMEOUT_SECONDS
    log_format: str = "auto"
    verbose: bool = False
    quiet: bool = False
    prune: bool = True
    deadline: float = REQUEST_DEADLINE  # no option sets it: a test need not wait so long
    assume: tuple[str, ...] = ()  # what cannot be seen of the server from outside
    status_word: tuple[tuple[str, str], ...] = ()  # a server's own status words and what they mean
    prices: Path | None = None  # what training costs (docs/cost.md)
    tokenizer: Path | None = None

    @property
    def state_directory(self) -> Path:
        """Where the operator says; else in the fleet directory; else, where that cannot keep it, at home."""
        return self.state_dir or (_at_home(self.root) if _keeps_nothing(self.root) else self.root / STATE_DIRECTORY)

    @property
    def sandbox_directory(self) -> Path:
        return self.sandbox_dir or self.root / SANDBOX_DIRECTORY


def account_of(
    settings: Settings, fleet: Fleet, environment: Mapping[str, str], key: Key, headers: Mapping[str, Key] | None = None
) -> Account:
    """Where this fleet's jobs are, and whose. The ``key`` is read only where one is sent.

    Raises:
        UsageError: a base URL, a key, or what the profile needs besides is not given, or given where it has no meaning.
    """
    profile = profile_of(settings.provider or fleet.provider)
    assumed = Assumed(frozenset(map(Assumption, settings.assume)), dict(settings.status_word))
    if profile.name is ProviderName.SANDBOX:
        if bare(settings.base_url or ""):
            raise UsageError(
                "the sandbox is embedded and takes no --base-url; use --provider compatible for a served one"
            )
        return Account(profile, "", Key(lambda: _SANDBOX_KEY), assumed=assumed, sandbox_mode=settings.sandbox_mode)
    own = headers or {}
    _check_own(settings, own, authorization=profile.authorization)
    reach = Reach(_base_url(settings, environment, profile), dict(settings.query), frozenset(map(str.lower, own)))
    if missing := profile.missing(reach):
        raise UsageError(missing)
    if not key.current() and profile.key_required:
        raise UsageError(f"provider {profile.name} needs a key: set OPENAI_API_KEY, --api-key-file or --token-command")
    if key.current() and (fault := fault_of_names(reach.headers, authorization=False)):
        raise UsageError(fault)
    for secret in _secrets_of_query(settings.query):
        key.secrets.add(secret)
    for value in own.values():
        value.current()  # what cannot be read is an error now, and what can is redacted from here on
    return Account(
        profile,
        reach.base_url,
        key,
        organization=bare(environment.get("OPENAI_ORG_ID", "")),
        project=bare(environment.get("OPENAI_PROJECT_ID", "")),
        assumed=assumed,
        auth=Auth(settings.auth) if settings.auth else None,
        query=reach.query,
        own_headers=own,
        body=dict(settings.body),
    )


def _secrets_of_query(query: Iterable[tuple[str, str]]) -> Iterator[str]:
    """What is secret of it, as it is given and as it may stand in a URL."""
    for value in (value for name, value in query if is_secret_in_url(name)):
        yield from (value, quote(value, safe=""), quote_plus(value))


def base_url_of(settings: Settings, environment: Mapping[str, str]) -> str:
    """The base URL that the operator says; "" where they say none."""
    return bare(settings.base_url or "") or bare(environment.get("OPENAI_BASE_URL", ""))


def _base_url(settings: Settings, environment: Mapping[str, str], profile: Profile) -> str:
    """The base URL that counts, without a slash at its end. Raises UsageError where there is none that can be one."""
    base_url = base_url_of(settings, environment) or profile.base_url
    if not base_url:
        raise UsageError(f"provider {profile.name} needs a base URL: set --base-url or OPENAI_BASE_URL")
    _check_base_url(base_url)
    if settings.entra and profile.name is not ProviderName.AZURE:
        raise UsageError("--entra goes with provider azure; any other token comes from --token-command")
    return base_url.rstrip("/")


def _check_own(settings: Settings, headers: Iterable[str], *, authorization: bool) -> None:
    """What the operator adds to requests may not replace what the program says in them."""
    for flag, pairs, ours in (("--query", settings.query, _QUERY), ("--body", settings.body, _BODY)):
        names = [name for name, _ in pairs]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise UsageError(f"{flag} {escaped(twice)} is given twice")
        if taken := sorted(ours.intersection(names)):
            raise UsageError(f"{flag} {taken[0]}: this program sets it")
    if fault := fault_of_names(headers, authorization=authorization):
        raise UsageError(fault)


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
    if parts.username is not None or parts.fragment:
        raise UsageError("the base URL must hold no user, password or fragment")
    if "?" in url:
        raise UsageError(
            "the base URL must hold no query: give each of its fields as --query NAME=VALUE, as in "
            "--query api-version=2024-10-21"
        )
