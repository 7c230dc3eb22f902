"""Wiring: settings and manifests in, a `Reconciler` and everything that it needs out.

The commands that talk to a provider enter `run_context`. What was opened for it is closed when the block ends.
"""

import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.cli import terminal
from reconciler.cli.voice import Logged, Ordered, Silent, Voice, voice_of
from reconciler.clock import Clock, SystemClock
from reconciler.core.desired import Fleet
from reconciler.core.documents import TrainingFile
from reconciler.core.gates import expectation
from reconciler.core.snapshot import Snapshot
from reconciler.engine.follow import Fan, Follower
from reconciler.engine.ports import Ports
from reconciler.engine.reconcile import Reconciler
from reconciler.errors import GateRefused, ProviderError, ReconcilerError, SourceError, UsageError
from reconciler.log import Log, Narrator, configure
from reconciler.provider.client import OpenAIClient
from reconciler.provider.header import headers_for
from reconciler.provider.key import VARIABLE, Key, KeyFile, Secrets, key_of_environment
from reconciler.provider.profile import Account, Assumption, Auth, Reach
from reconciler.provider.profiles.azure import scope_of
from reconciler.provider.request import RequestRecord
from reconciler.provider.transport import DeadlineTransport
from reconciler.render.narration import event_sentence
from reconciler.render.progress import UploadProgress
from reconciler.render.review import header
from reconciler.settings import SETTLE_SECONDS, Settings, account_of, base_url_of
from reconciler.source.fingerprint import fingerprint
from reconciler.source.known import Known
from reconciler.source.leftovers import leftovers_of
from reconciler.source.training_files import uploaded_pieces
from reconciler.state.lock import Lock
from reconciler.state.opening import journal_for
from reconciler.state.schema import Identity
from reconciler.state.status_files import StatusFiles

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

    from reconciler.cli.pricing import Pricing

# Bytes of a file whose upload takes a few seconds on most lines.
_WORTH_A_LINE = 8_000_000


class RunContext(Struct, frozen=True):
    """What a command that talks to a provider works with. ``voice`` is how it speaks to a person meanwhile.

    ``credentials`` serve another context of the same command, since a key that comes through a pipe comes once.
    """

    fleet: Fleet
    account: Account
    reconciler: Reconciler
    provider: OpenAIClient
    voice: Ordered
    credentials: "Credentials"
    pricing: "Callable[[], Pricing]"

    @property
    def ports(self) -> Ports:
        """What its passes touch."""
        return self.reconciler.ports

    @property
    def whose(self) -> dict[str, object]:
        """How a document begins that is about this fleet at its provider."""
        return {
            "fleet": self.fleet.name,
            "provider": self.account.profile.name,
            "base_url": self.account.server,
        }


class Service(Struct, frozen=True):
    """What a daemon's context has besides. Live jobs are followed over ``fan``; ``stopping`` says whether to end."""

    clock: Clock
    stopping: Callable[[], bool]
    fan: Fan
    on_request: Callable[[RequestRecord], None]
    credentials: "Credentials"


class Credentials(Struct, frozen=True):
    """What is secret of the operator's: the key, and the values of headers."""

    key: Key
    headers: Mapping[str, Key] = field(default_factory=dict)


def credentials_for(settings: Settings, secrets: Secrets, log: Log) -> "Credentials":
    """The operator's key and headers, for as long as this process lives: a pipe gives one once, and none is logged.

    Raises:
        UsageError: several keys are named, or a command that is none.
    """
    return Credentials(_key_for(settings, secrets, log), headers_for(settings.header, os.environ, secrets, log))


def _key_for(settings: Settings, secrets: Secrets, log: Log) -> Key:
    named = {
        "--api-key-file": settings.api_key_file is not None,
        "--token-command": settings.token_command is not None,
        "--entra": settings.entra,
    }
    given = [flag for flag, is_given in named.items() if is_given]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} each name a key: give one of them")
    if settings.api_key_file is not None:
        return KeyFile(settings.api_key_file, secrets, log)
    if not given:
        return Key(partial(key_of_environment, os.environ), secrets, origin=VARIABLE)
    # Imported here: only a token that expires needs to run a command.
    from reconciler.provider.token_command import TokenCommand, command_of, entra_command  # noqa: PLC0415

    if settings.entra:
        if settings.auth == Auth.API_KEY:
            raise UsageError("a token of Microsoft Entra is sent as a Bearer, never as api-key: --entra without --auth")
        scope = scope_of(Reach(base_url_of(settings, os.environ)))
        return TokenCommand(entra_command(scope), secrets, log, flag="--entra")
    return TokenCommand(command_of(settings.token_command or ""), secrets, log)


@contextmanager
def run_context(  # noqa: PLR0913 - one parameter a way in which commands differ
    settings: Settings,
    snapshot: Snapshot,
    *,
    writes: bool,
    every_backoff: bool = False,
    clock: Clock | None = None,
    service: Service | None = None,
    known: Known | None = None,
    credentials: Credentials | None = None,
) -> Iterator[RunContext]:
    """Everything for passes over this fleet; without ``writes`` nothing on disk is made or changed.

    ``every_backoff``: back-offs of earlier runs count, as for `run`, `status` and `describe`. `apply` tries once all
    the same, and `plan` shows what `apply` would do. The clock is the ``service``'s, where there is one.
    ``known`` is what was read of the manifests; a pass that writes keeps it. ``credentials``: of an earlier context.

    Raises:
        UsageError: no base URL or key.
        GateRefused: the fleet expects another host, organisation or project.
        JournalError: the state directory cannot be trusted.
    """
    clock = service.clock if service else clock or SystemClock()
    fleet = snapshot.fleet
    if fleet is None:
        raise SourceError([str(problem) for problem in snapshot.problems])
    held = service.credentials if service else credentials
    secrets = held.key.secrets if held else Secrets()
    log, voice = _speaking(settings, clock, secrets, daemon=service is not None)
    own = held or credentials_for(settings, secrets, log)
    account = account_of(settings, fleet, os.environ, own.key, own.headers)
    _check_expected(fleet, account)
    log = log.bind(fleet=fleet.name)
    with ExitStack() as stack:
        stack.callback(voice.close)
        if account.sandbox:
            account = replace(account, base_url=stack.enter_context(_sandbox(settings, clock, writes=writes)))
        provider = stack.enter_context(_client(account, clock, settings.deadline, _on_request(log, service), voice))
        directory, identity = settings.state_directory, identity_of(fleet, account)
        journal = stack.enter_context(journal_for(directory, identity, now=clock.time, read_only=not writes))
        pricing = _pricing(settings, account.host, known or Known())
        ports = Ports(
            provider=provider,
            journal=journal,
            status_files=StatusFiles(directory),
            clock=clock,
            log=log,
            pieces_of=lambda file: _with_progress(
                uploaded_pieces(settings.root, file, settings.files_root), file, voice
            ),
            unchanged=lambda read: fingerprint(read) == read.fingerprint,
            leftovers=leftovers_of,
            pass_lock=(lambda: _pass_lock(settings, clock)) if writes else nullcontext,
            follower=Follower(provider, journal, service.fan) if service else None,
            stopping=service.stopping if service else lambda: False,
            beside=_beside,
            keep_known=known.save if known and writes else lambda: None,
            objection=lambda desired: account.objection(desired.body, desired.extra_body),
            estimate=lambda create, world: pricing().of_create(create, world),
        )
        reconciler = _reconciler(ports, settings, account, every_backoff=every_backoff)
        stack.enter_context(_telling_where(fleet, account))
        yield RunContext(fleet, account, reconciler, provider, voice, own, pricing)


def _reconciler(ports: Ports, settings: Settings, account: Account, *, every_backoff: bool) -> Reconciler:
    settle = settings.settle if settings.settle is not None else 0.0 if account.sandbox else SETTLE_SECONDS
    return Reconciler(
        ports,
        settle=settle,
        prune=settings.prune,
        every_backoff=every_backoff,
        method_assumed=Assumption.METHOD in account.assumed.that,
    )


@contextmanager
def _telling_where(fleet: Fleet, account: Account) -> Iterator[None]:
    """Say before an error of the provider which one it was: an inherited variable may have led to the wrong one."""
    try:
        yield
    except ProviderError:
        terminal.echo(header(fleet.name, account.host, account.organization), err=True)
        raise


def _speaking(settings: Settings, clock: Clock, secrets: Secrets, *, daemon: bool) -> tuple[Log, Ordered]:
    """A daemon logs; a command that ends speaks to a person, and logs where that is wanted."""
    logs = daemon or settings.verbose or settings.log_format == "json"
    log = configure(form=settings.log_format, secrets=secrets, verbose=settings.verbose) if logs else None
    if log is not None and (daemon or settings.log_format == "json"):
        return log, Ordered(Silent() if daemon else Logged(log, clock))
    voice = Ordered(voice_of(clock, quiet=settings.quiet, moving=log is None))
    return log or Narrator(voice.say, event_sentence, secrets), voice


def _check_expected(fleet: Fleet, account: Account) -> None:
    """Raises GateRefused where this is not the provider that the fleet expects."""
    verdict = expectation(
        fleet.expect,
        host=account.host,
        port=account.port,
        organization=account.organization or None,
        project=account.project or None,
    )
    if verdict.refused:
        raise GateRefused(f"gate expect refuses: {verdict.message}")


def _pricing(settings: Settings, host: str, known: Known) -> "Callable[[], Pricing]":
    """What jobs cost, made when it is asked for; but where the operator gives files, now: a mistake shows early."""

    @cache
    def pricing() -> "Pricing":
        # Imported here: a plan with nothing to create needs no prices.
        from reconciler.cli.pricing import pricing_of  # noqa: PLC0415

        return pricing_of(settings, host, known)

    if settings.prices is not None or settings.tokenizer is not None:
        pricing()
    return pricing


def identity_of(fleet: Fleet, account: Account) -> Identity:
    """Whose memory it is: this fleet's, at this account."""
    return Identity(fleet.name, account.server, account.organization, account.project)


@contextmanager
def _client(
    account: Account, clock: Clock, deadline: float, on_request: Callable[[RequestRecord], None], voice: Voice
) -> Iterator[OpenAIClient]:
    def pausing(seconds: float, why: str) -> None:
        voice.waiting(seconds, f"{account.host}: {why}")

    with DeadlineTransport(clock, deadline=deadline) as transport:
        transport.prepare(account.base_url)  # a proxy that is none is an error at the start
        yield OpenAIClient(
            account,
            transport=transport,
            clock=clock,
            random=random.random,
            on_request=on_request,
            on_pause=pausing,
        )


@contextmanager
def _sandbox(settings: Settings, clock: Clock, *, writes: bool) -> Iterator[str]:
    """The embedded provider; a command that writes nothing makes no data directory for it either."""
    # Imported here: only a fleet in the sandbox pays for the HTTP server (100 ms).
    from reconciler.sandbox import MODES, EmbeddedSandbox, SandboxError  # noqa: PLC0415

    with ExitStack() as stack:
        directory = settings.sandbox_directory
        if not writes and not directory.exists():
            directory = Path(stack.enter_context(_scratch()))
        try:
            mode, speed = MODES[settings.sandbox_mode], settings.sandbox_speed
            sandbox = stack.enter_context(EmbeddedSandbox(directory, speed=speed, clock=clock.time, mode=mode))
        except SandboxError as error:
            raise ReconcilerError(f"the sandbox cannot start: {error}") from error
        yield sandbox.base_url


def _scratch() -> "TemporaryDirectory[str]":
    from tempfile import TemporaryDirectory  # noqa: PLC0415 - only a sandbox without data needs it

    try:
        return TemporaryDirectory(prefix=".reconciler-", ignore_cleanup_errors=True)
    except OSError as error:
        raise ReconcilerError(
            "the sandbox has no data yet, and until apply makes some it needs a temporary directory, which cannot be "
            f"made ({error.strerror}): set TMPDIR to a directory that can be written"
        ) from error


def _with_progress(pieces: Iterator[bytes], file: TrainingFile, voice: Voice) -> Iterator[bytes]:
    """The same pieces; a person hears how far a file is that takes a while."""
    if file.size < _WORTH_A_LINE:
        yield from pieces
        return
    sent = 0
    try:
        for piece in pieces:
            voice.uploading(UploadProgress(file.path, sent, file.size))
            yield piece
            sent += len(piece)
    finally:
        voice.sent(file.path)


def _beside(work: Sequence[Callable[[], str]], /) -> AbstractContextManager[Sequence[Callable[[], str]]]:
    # Imported here: only an upload needs threads (5 ms).
    from reconciler.cli.uploading import beside  # noqa: PLC0415

    return beside(work)


@contextmanager
def _pass_lock(settings: Settings, clock: Clock) -> Iterator[None]:
    lock = Lock(settings.state_directory)
    lock.acquire(timeout=settings.lock_timeout, clock=clock.monotonic, sleep=clock.sleep)
    try:
        yield
    finally:
        lock.release()


def _on_request(log: Log, service: Service | None) -> Callable[[RequestRecord], None]:
    def record(request: RequestRecord) -> None:
        if service is not None:
            service.on_request(request)
        log.debug(
            "request.completed",
            method=request.method,
            path=request.path,
            http_status=request.status,
            duration=round(request.duration, 3),
            request_id=request.request_id,
            **({"error": request.error} if request.error else {}),
        )

    return record
