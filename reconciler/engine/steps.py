"""What a pass has in hand at each step, as frozen values: seen, decided, done.

`reconcile` makes them, in this order; `apply`, `daemon`, `telemetry` and `cli` read them.
"""

from collections.abc import Mapping

from msgspec import Struct, field

from reconciler.core.change import Plan
from reconciler.core.gates import Gated, Permission
from reconciler.core.status import Status
from reconciler.core.world import World
from reconciler.engine.act import Outcome


class Seen(Struct, frozen=True):
    """A complete look at the provider, and what it says about the creates whose answer was lost.

    ``void`` are jobs that are live although a cancel was recorded a settle window ago or longer.
    ``settled``: the listing began after this run's settle window. ``complete``: no page of it was left out.
    ``number``: the journal's number at this look. ``asked``: single jobs were read beside the listing.
    """

    world: World
    resolved: Mapping[str, str | None]
    void: frozenset[str]
    settled: bool
    complete: bool = True
    number: int = 0
    asked: bool = False


class Decided(Struct, frozen=True):
    """What to do about what was seen; ``plan`` is ungated, since an approval names its digest.

    ``permission`` is what the gates were asked with: it stays true for the whole pass.
    """

    seen: Seen
    plan: Plan
    gated: Gated
    permission: Permission


class Pass(Struct, frozen=True):
    """What one pass decided, did, and left behind; ``postponed`` says why it did not write yet.

    ``report`` are the statuses that it wrote, by name.
    """

    decided: Decided
    outcomes: tuple[Outcome, ...]
    after: Decided
    postponed: str = ""
    report: Mapping[str, Status] = field(default_factory=dict)
