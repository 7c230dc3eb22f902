"""The words of a plan: what happens to a name, why, and all of it together.

Pure values. `plan` makes them, `gates` may hold parts back, `act` carries them out, `status` and
`render` show them. Nothing in here decides.

Every change has a ``name``, a ``reason``, a ``message``, and what it is about: ``job_id``, ``revision``, ``attempt``
(None where there is none). ``write`` is what it sends (a create, a cancel, a pause, a resume), or what it holds back.
"""

import hashlib
from collections.abc import Callable
from enum import StrEnum
from functools import cached_property
from typing import ClassVar, Self

from msgspec import Struct

from reconciler.core.memory import CreateKey
from reconciler.core.reason import Reason


class Action(StrEnum):
    """What happens to a name or a job in this pass."""

    CREATE = "create"
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    ADOPT = "adopt"
    KEEP = "keep"
    WAIT = "wait"
    HOLD = "hold"


class _Line(Struct, frozen=True):
    name: str
    reason: Reason
    message: str


class Create(_Line, frozen=True):
    """A job is to be made. ``attempt`` counts from 1, and follows the highest that anyone remembers.

    ``replaces`` are the live jobs that it will retire. ``model`` is the model that ``model_from`` stands for.
    """

    action: ClassVar = Action.CREATE
    job_id: ClassVar[None] = None

    revision: str
    attempt: int
    replaces: tuple[str, ...] = ()
    model: str | None = None

    @property
    def key(self) -> CreateKey:
        """Under which it is refused, or put off: the same for its next attempt."""
        return self.name, self.revision

    @property
    def write(self) -> Self:
        return self


class Cancel(_Line, frozen=True):
    """A live job is to be ended.

    ``keeper`` is the job that makes this right, to be looked at again before it is sent.
    ``follows``: it comes after this plan's create, in a later pass.
    ``lost`` is the method that was sent and that the job does not have; "" where that is not why it is ended.
    ``answered``: its id came in the answer to our own create, so that it needs no marks to be ours.
    """

    action: ClassVar = Action.CANCEL

    job_id: str
    revision: str
    attempt: int
    keeper: str | None = None
    follows: bool = False
    lost: str = ""
    answered: bool = False

    @property
    def write(self) -> Self:
        return self


class _OfALiveJob(_Line, frozen=True):
    job_id: str
    revision: str
    attempt: int

    @property
    def write(self) -> Self:
        return self


class Pause(_OfALiveJob, frozen=True):
    """A live job is to stand still."""

    action: ClassVar = Action.PAUSE


class Resume(_OfALiveJob, frozen=True):
    """A job that was paused from here is to go on."""

    action: ClassVar = Action.RESUME


class Keep(_Line, frozen=True):
    """A job stays. ``write``: until its successor exists, which may not be made yet."""

    action: ClassVar = Action.KEEP

    job_id: str
    revision: str
    attempt: int
    write: Cancel | None = None


class Adopt(_Line, frozen=True):
    """A job that nobody here made, or remembers, stands for its name from now on."""

    action: ClassVar = Action.ADOPT
    write: ClassVar[None] = None

    job_id: str
    revision: str
    attempt: int


class Wait(_Line, frozen=True):
    """A write is wanted and may not be sent yet. ``gates`` name the gates that refuse it, if any do."""

    action: ClassVar = Action.WAIT

    write: "Write"
    gates: tuple[str, ...] = ()

    @property
    def job_id(self) -> str | None:
        return self.write.job_id

    @property
    def revision(self) -> str:
        return self.write.revision

    @property
    def attempt(self) -> int:
        return self.write.attempt

    @property
    def put_off(self) -> bool:
        """Whether it waits for nothing but the moment: the provider wants it later, and no other reason holds it."""
        return self.reason is self.write.reason


class Hold(_Line, frozen=True):
    """Nothing is touched. ``write``: what a person may approve all the same."""

    action: ClassVar = Action.HOLD

    job_id: str | None
    revision: str | None
    attempt: int | None
    write: Cancel | None = None


Write = Create | Cancel | Pause | Resume
Change = Write | Keep | Adopt | Wait | Hold


class Plan(Struct, frozen=True, dict=True):
    """All changes, by name; and how many jobs at the provider are not ours."""

    changes: tuple[Change, ...]
    unmanaged: int

    @cached_property
    def writes(self) -> tuple[Write, ...]:
        """What this pass sends, in the order it is sent: cancels first, they free capacity."""
        cancels = (c for c in self.changes if isinstance(c, Cancel) and not c.follows)
        pauses = (c for c in self.changes if isinstance(c, Pause | Resume))
        return (*cancels, *pauses, *(c for c in self.changes if isinstance(c, Create)))

    @property
    def put_off(self) -> tuple[Wait, ...]:
        """The creates that the provider wants a moment later."""
        return tuple(c for c in self.changes if isinstance(c, Wait) and c.put_off)

    @property
    def ahead(self) -> tuple[Cancel, ...]:
        """What a plain pass leaves alone and a person may approve: the ends of the `Ahead` jobs."""
        return tuple(c.write for c in self.changes if isinstance(c, Hold) and c.write is not None)

    def digest(self, target: str, unhashed: Callable[[str], str]) -> str:
        """16 hex digits over everything this plan writes, now or after waiting, at ``target``.

        ``unhashed``: of a name, what its create sends besides what its revision stands for; "" where that is nothing.
        """
        writes = [change.write for change in self.changes if change.write is not None]
        keys = sorted(_key(write) for write in writes)
        sent = {write.name: unhashed(write.name) for write in writes if isinstance(write, Create)}
        keys += [f"{name} {what}" for name, what in sorted(sent.items()) if what]
        return hashlib.sha256("\n".join([target, *keys]).encode()).hexdigest()[:16]


def _key(write: Write) -> str:
    """The line of a write that an approval digests."""
    return f"{write.action} {write.name} {write.reason} {write.revision} {write.attempt} {write.job_id}"
