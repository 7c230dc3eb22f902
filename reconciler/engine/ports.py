"""Everything a run touches outside itself, in one value.

`wiring` fills it for the real program and the simulation for its own: a pass has no other seam.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager

from msgspec import Struct

from reconciler.clock import Clock
from reconciler.core.change import Create
from reconciler.core.desired import Desired
from reconciler.core.documents import TrainingFile
from reconciler.core.estimate import Estimate
from reconciler.core.snapshot import Snapshot
from reconciler.core.world import World
from reconciler.engine.beside import Beside, one_by_one
from reconciler.engine.follow import Follower
from reconciler.log import Log
from reconciler.provider.port import Provider
from reconciler.state.journal import Journal
from reconciler.state.status_files import StatusFiles


class Ports(Struct, frozen=True):
    """Everything a run touches outside itself.

    ``pieces_of`` reads a training file again, to be uploaded; it raises before the last piece of one that has changed.
    ``unchanged`` reads manifests and training files again: are they still what the snapshot was made of?
    ``leftovers`` looks for files that may still hold names without a manifest (as `leftovers_of`). ``pass_lock``
    is the lock that each pass on one state directory holds. ``follower`` is for a daemon, which
    reads the events of live jobs; ``stopping`` says whether nothing more should be sent. ``keep_known`` writes down
    what was read of the manifests, for the next reading to be faster. ``beside`` uploads several files at
    once. ``objection`` says why a spec is not sent to this server; "" where nothing speaks against it. ``estimate``
    says what a create will cost.
    """

    provider: Provider
    journal: Journal
    status_files: StatusFiles
    clock: Clock
    log: Log
    pieces_of: Callable[[TrainingFile], Iterable[bytes]]
    unchanged: Callable[[Snapshot], bool]
    leftovers: Callable[[Snapshot, Mapping[str, str]], Mapping[str, str]]
    pass_lock: Callable[[], AbstractContextManager[None]]
    follower: Follower | None = None
    stopping: Callable[[], bool] = lambda: False
    keep_known: Callable[[], None] = lambda: None
    beside: Beside = one_by_one
    objection: Callable[[Desired], str] = lambda _: ""
    estimate: Callable[[Create, World], Estimate] = lambda *_: Estimate(why="no price is known here")
