"""`run`: the daemon in the foreground, and a new one whenever the fleet or its state directory changes.

When a pass is made is decided in `daemon`.
"""

import os
import random
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
from msgspec import Struct
from msgspec.structs import replace

from reconciler.cli import options
from reconciler.cli.manifests import check_one_fleet, known_by, rules_for, where
from reconciler.cli.probing import ending_leftovers
from reconciler.cli.wiring import Service, credentials_for, run_context
from reconciler.core.reminders import Reminders
from reconciler.core.snapshot import Problem, Snapshot
from reconciler.engine.daemon import Daemon, DaemonListener, Pace, log_problems
from reconciler.engine.follow import over
from reconciler.engine.wakeups import StoppableClock, ThreadWakeups, signals, watching
from reconciler.errors import (
    JournalError,
    Locked,
    ReconcilerError,
    StateReplaced,
    Stopped,
    UsageError,
    printable,
    system_words,
)
from reconciler.log import Log, configure
from reconciler.provider.header import absolute
from reconciler.provider.key import Secrets
from reconciler.render.problems import located
from reconciler.settings import Settings
from reconciler.source.reader import DirectoryReader
from reconciler.state.lock import Lock
from reconciler.state.opening import FILE

# Reads of live jobs go out over this many threads: enough to hide a server's latency, few enough for its rate.
_THREADS = 8
# Seconds: a stop takes less than 30, whatever hangs.
_STOP_SECONDS = 28.0
# While there is no fleet to work on, the directory is looked at this often although no event came.
_LOOK_SECONDS = 5.0
_NO_FLEET = f"no fleet document can be read there; it is looked at again at every change, and every {_LOOK_SECONDS:g} s"
# After a state directory was replaced: on a file system whose inodes change by themselves this must not spin.
_PAUSE_SECONDS = 1.0
# A daemon that lived longer than this before its state directory was replaced has met a new trouble, not the old one.
_BRIEF_SECONDS = 60.0
# A heartbeat older than this many intervals, and than a slow pass (a listing alone may take 900 s), means that the loop
# is stuck.
_HEALTHY_INTERVALS, _HEALTHY_SECONDS = 3, 1200.0


class DaemonSetup(Struct, frozen=True):
    """What stays the same while fleets and state directories come and go."""

    settings: Settings
    pace: Pace
    first_run: bool
    wakeups: ThreadWakeups
    reader: DirectoryReader
    listener: DaemonListener
    service: Service
    log: Log
    place: str  # the directory as it is named in the log, and by the other commands

    def named(self, problem: Problem) -> str:
        """A problem under a path that leads to it from where this was started."""
        return str(*located([problem], self.place))


def run(  # noqa: PLR0913 - one parameter a flag of the command
    directory: str,
    *,
    interval: float,
    stability: float,
    poll: float | None,
    listen: str | None,
    first_run: bool,
    **rest: Any,
) -> int:
    """`run`, as `commands` declares it."""
    if directory == "-":
        raise click.UsageError("run watches a directory; a stream can only be applied")
    _check_directory(directory)
    settings, place = options.settings_of(directory, rest), where(Path(directory))
    # All paths are made absolute now: the working directory may be deleted, and permissions may change, in a long life.
    settings = replace(settings, root=settings.root.absolute())
    settings = replace(settings, state_dir=settings.state_directory.absolute())
    if settings.api_key_file is not None:
        settings = replace(settings, api_key_file=settings.api_key_file.absolute())
    settings = replace(
        settings,
        files_root=settings.files_root and settings.files_root.absolute(),
        prices=settings.prices and settings.prices.absolute(),
        tokenizer=settings.tokenizer and settings.tokenizer.absolute(),
    )
    settings = replace(settings, header=tuple((name, absolute(reference)) for name, reference in settings.header))
    ours = (settings.state_directory, settings.sandbox_directory)
    reader = DirectoryReader(
        settings.root, time.time, ours, known_by(settings), rules_for(settings), settings.files_root
    )
    if not os.path.lexists(settings.state_directory / FILE):
        check_one_fleet(reader.read(), place)  # once a fleet, it is watched whatever stands there now
    _make_state_directory(settings)
    address = listen_address(listen) if listen else None
    wakeups = ThreadWakeups()
    clock = StoppableClock(wakeups)
    pace = Pace(interval=interval, stability=stability, poll=poll)
    secrets = Secrets()
    log = configure(form=settings.log_format, secrets=secrets, verbose=settings.verbose)
    credentials = credentials_for(settings, secrets, log)
    with ExitStack() as stack:
        stack.enter_context(signals(wakeups, deadline=_STOP_SECONDS, woken=lambda: log.info("daemon.woken")))
        pool = stack.enter_context(ThreadPoolExecutor(_THREADS, thread_name_prefix="follow"))
        listener = DaemonListener()
        if address is not None:
            # Imported here: only --listen pays for the HTTP server (200 ms).
            from reconciler.engine.telemetry import Telemetry, serving  # noqa: PLC0415

            telemetry = Telemetry(
                clock, interval=interval, patience=max(_HEALTHY_SECONDS, _HEALTHY_INTERVALS * interval)
            )
            stack.enter_context(serving(telemetry, *address, lambda port: log.info("endpoints.started", port=port)))
            listener = telemetry
        service = Service(clock, lambda: wakeups.stopping, over(pool), listener.requested, credentials)
        stack.enter_context(watching(settings.root, ours, wakeups.hint, log))
        live = run_daemons(DaemonSetup(settings, pace, first_run, wakeups, reader, listener, service, log, place))
    # These jobs go on, and nobody watches them any more.
    log.info("daemon.stopped", **({"training_on": live} if live else {}))
    return 0


def _make_state_directory(settings: Settings) -> None:
    """Make it at the start, but not where the fleet directory is missing: a link may be set there later.

    Raises:
        JournalError: it cannot be made.
    """
    directory = settings.state_directory
    if directory.is_relative_to(settings.root) and not settings.root.is_dir():
        return
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JournalError(f"{directory}: the state directory cannot be made: {system_words(error)}") from error


def run_daemons(setup: DaemonSetup) -> tuple[str, ...]:
    """One daemon after the other: a new one whenever the fleet or its state directory changes.

    Returns the ids of the jobs that the last one knew as live.
    """
    begun, troubles, live = False, Reminders(), tuple[str, ...]()
    fleet = ""
    clock = setup.service.clock
    while not setup.wakeups.stopping:
        snapshot = _readable(setup)
        if snapshot is None or snapshot.fleet is None:
            return ()
        if fleet and snapshot.fleet.name != fleet:
            # The permission to begin a fleet was given for the one that stood there at the start.
            setup = replace(setup, first_run=False)
            setup.log.warning("fleet.changed", before=fleet, now=snapshot.fleet.name)
        fleet = snapshot.fleet.name
        start = clock.monotonic()
        try:
            live = _run_one(setup, snapshot)
            troubles = Reminders()
        except Stopped:
            return ()
        except ReconcilerError as error:
            replaced = isinstance(error, StateReplaced)
            if not begun and not replaced:
                raise  # what is wrong at the start is said to the person who started it
            now = clock.monotonic()
            before = troubles if now - start < _BRIEF_SECONDS else Reminders()
            troubles = before.met({"state.replaced" if replaced else "daemon.not_started": str(error)}, now)
            for event in troubles.said:
                tell = setup.log.warning if replaced else setup.log.error
                tell(event, error=str(error), **troubles.facts(event))
            setup.wakeups.wait(_PAUSE_SECONDS if replaced else _LOOK_SECONDS)
        begun = True
    return live


def _run_one(setup: DaemonSetup, snapshot: Snapshot) -> tuple[str, ...]:
    settings = setup.settings
    with (
        _only_one(setup),
        run_context(
            settings, snapshot, writes=True, every_backoff=True, service=setup.service, known=setup.reader.known
        ) as context,
        ending_leftovers(settings, context) as beside,
    ):
        log = context.ports.log
        log.info(
            "daemon.started", directory=str(settings.root), host=context.account.host, interval=setup.pace.interval
        )
        Daemon(
            context.reconciler,
            setup.reader.read,
            setup.wakeups,
            log,
            fleet=context.fleet,
            pace=setup.pace,
            first_run=setup.first_run or context.account.sandbox,
            random=random.random,
            listener=setup.listener,
            named=setup.named,
            beside=beside,
        ).run()
        return tuple(record.job_id for record in context.ports.journal.records.by_id().values() if record.live)


def _readable(setup: DaemonSetup) -> Snapshot | None:
    """The directory once it says whose fleet it is; None when asked to stop meanwhile."""
    troubles = Reminders()
    while not setup.wakeups.stopping:
        setup.listener.alive()
        snapshot = setup.reader.read()
        setup.listener.looked(snapshot)
        if snapshot.fleet is not None:
            return snapshot
        troubles = troubles.met(
            dict.fromkeys(sorted(map(setup.named, snapshot.problems)), ""), setup.service.clock.monotonic()
        )
        log_problems(troubles, setup.log)
        if troubles.said:
            setup.log.warning("daemon.waiting", directory=str(setup.settings.root), why=_NO_FLEET)
        setup.wakeups.wait(_LOOK_SECONDS)
    return None


@contextmanager
def _only_one(setup: DaemonSetup) -> Iterator[None]:
    """One `run` for a state directory. Raises Locked where another has it."""
    directory, clock = setup.settings.state_directory, setup.service.clock
    lock = Lock(directory, "run")
    try:
        lock.acquire(timeout=0.0, clock=clock.monotonic, sleep=clock.sleep)
    except Locked as error:
        raise Locked(f"another `reconciler run` works on {directory}; stop it, or give this one --state-dir") from error
    setup.listener.locked(held=True)
    try:
        yield
    finally:
        setup.listener.locked(held=False)
        lock.release()


def _check_directory(directory: str) -> None:
    """A directory may be empty at the start, and its volume mounted later; a path that leads nowhere is a mistake.

    Raises:
        UsageError: there is no directory.
    """
    shown = printable(directory)
    try:
        mode = Path(directory).stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        if Path(directory).is_symlink():
            return  # whoever swaps links sets it before what it leads to
        raise UsageError(f"no such directory: {shown}; run watches the directory that holds the manifests") from error
    except (OSError, ValueError) as error:
        why = system_words(error)
        raise UsageError(f"{shown}: it cannot be looked at ({why})") from error
    if not stat.S_ISDIR(mode):
        parent = printable(str(Path(directory).parent))
        raise UsageError(
            f"{shown} is no directory; run watches the one that holds the manifests: reconciler run {parent}"
        )


def listen_address(text: str) -> tuple[str, int]:
    """``HOST:PORT``, ``[HOST]:PORT``, or ``PORT`` on this machine alone; every address only where it is written out."""
    host, colon, port = text.strip().rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (port.isascii() and port.isdecimal()) or int(port) > 65535:  # noqa: PLR2004 - the largest port there is
        raise click.UsageError(f"--listen {text}: write it as 127.0.0.1:8080")
    if colon and bare in {"", "*"}:
        raise click.UsageError(
            f"--listen {text}: write 127.0.0.1:{port}, or 0.0.0.0:{port} to serve every address of this machine"
        )
    if ":" in bare and bare == host:
        raise click.UsageError(f"--listen {text}: write it as 127.0.0.1:{port}, and an IPv6 address as [::1]:{port}")
    return bare or "127.0.0.1", int(port)
