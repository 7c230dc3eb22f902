"""`doctor --probe-create`: asks whether one job may be paid for, and lets `engine.probe` make and end it.

`doctor` calls `probed` before it looks. What the job showed of the server is written into the memory of the fleet, as
what its own jobs show is. `apply` and `run` end in here what is left of a probe that was killed.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from msgspec.structs import replace

from reconciler.cli import options, terminal
from reconciler.cli.interruption import explained
from reconciler.cli.wiring import Credentials, RunContext, identity_of, run_context
from reconciler.clock import Clock
from reconciler.core.desired import Desired, Fleet
from reconciler.core.fields import State
from reconciler.core.memory import Memory
from reconciler.core.probe import CONTENT, EXAMPLES, NAME, fleet_of_probe, model_to_probe, probe_of
from reconciler.core.schedule import Next
from reconciler.core.snapshot import Snapshot
from reconciler.engine.apply import Listener
from reconciler.engine.ports import Ports
from reconciler.engine.probe import Probed, probe
from reconciler.engine.probe_ending import (
    end_probes,
    ending_beside,
    hand_on,
    left_by_probes,
    live_probes,
    reading_of_probe,
)
from reconciler.engine.reconcile import Reconciler
from reconciler.errors import Declined, GateRefused, ReconcilerError, UsageError, escaped
from reconciler.provider.profile import Account
from reconciler.settings import Settings
from reconciler.state.opening import journal_for
from reconciler.state.status_files import StatusFiles

# No tokenizer makes more tokens than bytes, and what the chat format adds is less than what JSON does.
_TOKENS = 1_000


def probed(settings: Settings, snapshot: Snapshot, clock: Clock, *, yes: bool) -> tuple[Probed, Credentials]:
    """Make one job, read it and end it, once a person has agreed to pay for it; and what it was made with.

    Raises:
        UsageError: there is nobody to ask, or no manifest says which model.
        GateRefused: the fleet is suspended, or expects another server.
        Declined: the person said no.
    """
    fleet, like = snapshot.fleet, model_to_probe(snapshot.desired)
    if fleet is not None and fleet.state is not State.ACTIVE:
        raise GateRefused(f"the fleet says state: {fleet.state}; nothing is sent")
    if fleet is None or like is None:
        raise UsageError("no manifest here names a model, so nobody knows what a probe should train")
    own = reading_of_probe(snapshot)
    with run_context(settings, own, writes=True, clock=clock) as context:
        account = context.account
        wanted = probe_of(like, lambda body: account.objection(body, like.extra_body))
        if wanted is None:
            raise ReconcilerError("this server is sent no spec that a probe could be; see `plan`")
        _ask(account, like, yes=yes, stream=settings.stream)
        with explained(lambda: "interrupted; the same command, or the next apply, ends what it made"):
            own = replace(own, desired={NAME: wanted})
            hand_on(_known(settings, fleet, account, clock), context.ports.journal)
            found = probe(_ports(context, settings), context.reconciler.watch.settle, own, _listener(context))
    with journal_for(settings.state_directory, identity_of(fleet, account), now=clock.time) as journal:
        hand_on(found.memory, journal)
    return found, context.credentials


def end_leftover(settings: Settings, snapshot: Snapshot, context: RunContext) -> None:
    """End the job of a probe that was killed, or whose cancel did not take. Sends nothing where none is left."""
    if not left_by_probes(context.ports.journal, snapshot):
        return
    context.voice.say("an earlier probe of `doctor` has not ended; it is looked for, and cancelled")
    with _run_of_probes(settings, context) as run:
        last = end_probes(run, reading_of_probe(snapshot), _listener(context))
    for job_id in live_probes(last):
        context.voice.say(f"! job {escaped(job_id)}, a probe of `doctor`, is still live; cancel it by hand")


@contextmanager
def ending_leftovers(settings: Settings, context: RunContext) -> Iterator[Callable[[Snapshot], tuple[Next, ...]]]:
    """What does the same for a daemon, which calls it after each of its passes."""
    with ExitStack() as opened:

        def begin() -> Reconciler:
            return opened.enter_context(_run_of_probes(settings, context, every_backoff=True))

        yield ending_beside(context.ports.journal, begin, context.ports.log)


@contextmanager
def _run_of_probes(settings: Settings, context: RunContext, *, every_backoff: bool = False) -> Iterator[Reconciler]:
    """A run over the fleet of probes beside that of the context, at the same account and in the same memory."""
    fleet = fleet_of_probe(context.fleet)
    identity = identity_of(fleet, context.account)
    with journal_for(settings.state_directory, identity, now=context.ports.clock.time) as journal:
        hand_on(context.ports.journal.memory(), journal)
        ports = replace(
            _ports(context, settings), journal=journal, log=context.ports.log.bind(fleet=fleet.name), follower=None
        )
        yield Reconciler(ports, settle=context.reconciler.watch.settle, every_backoff=every_backoff)


def _ports(context: RunContext, settings: Settings) -> Ports:
    """Those of the context, for a fleet that no directory holds."""
    return replace(
        context.ports,
        status_files=StatusFiles(settings.state_directory, _Nowhere()),
        pieces_of=lambda _: (CONTENT,),
        unchanged=lambda _: True,  # the one thing that was read of a manifest, its model, was shown and agreed to
        leftovers=lambda _snapshot, _names: {},
        keep_known=lambda: None,
    )


def _listener(context: RunContext) -> Listener:
    return Listener(
        announce=lambda _: None,
        wrote=lambda outcome: context.voice.say(f"  {escaped(outcome.message)}"),
        waiting=lambda seconds, following: context.voice.waiting(seconds, following.why),
        waited=context.voice.go_on,
        passed=lambda _: None,
    )


def shown_by_probes(settings: Settings, fleet: Fleet, account: Account, clock: Clock) -> Memory:
    """What earlier probes have shown of this server. Writes nothing."""
    return _known(settings, fleet_of_probe(fleet), account, clock)


def _known(settings: Settings, fleet: Fleet, account: Account, clock: Clock) -> Memory:
    identity = identity_of(fleet, account)
    with journal_for(settings.state_directory, identity, now=clock.time, read_only=True) as journal:
        return journal.memory()


def _ask(account: Account, like: Desired, *, yes: bool, stream: bool) -> None:
    """Raises UsageError where nobody can be asked, Declined where the answer is no."""
    if yes or account.sandbox:
        return
    if not options.can_ask() or stream:
        raise UsageError("nobody can be asked here whether a job may be paid for: say --yes")
    # Imported here: only the question of a probe says what it costs.
    from reconciler.dataset.prices import listed_prices  # noqa: PLC0415

    model = str(like.body["model"])
    price = listed_prices().find(model, account.host)
    costs = f"at {price.words} (as of {price.date})" if price else "at a price that is not known here"
    question = (
        f"This makes one job at {account.host} that may cost money: {escaped(model)}, {EXAMPLES} examples, 1 epoch, "
        f"fewer than {_TOKENS} tokens {costs}; it is cancelled as soon as it has been read. Make it?"
    )
    if not click.confirm(terminal.fitted(question), default=False):
        raise Declined("Cancelled; nothing was sent.")


class _Nowhere:
    """A probe has no status: its files would stand among those of the fleet."""

    def reports(self, _directory: Path) -> Iterable[Path]:
        return ()

    def place(self, _directory: Path) -> object:
        return None

    def read(self, path: Path) -> bytes:
        raise FileNotFoundError(path)

    def changed_at(self, path: Path) -> float:
        raise FileNotFoundError(path)

    def write(self, path: Path, content: bytes) -> None:
        """Not written."""

    def replace(self, old: Path, new: Path) -> None:
        """Not replaced."""

    def remove(self, path: Path) -> None:
        """Not removed."""
