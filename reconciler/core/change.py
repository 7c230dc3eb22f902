"""The words of a plan: what happens to a name, why, and all of it together.

Pure values. `plan` makes them, `gates` may hold parts back, `act` carries them out, `status` and
`render` tell them. Nothing in here decides.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from reconciler.core.reason import Reason


class Action(StrEnum):
    """What happens to a name or a job in this pass."""

    CREATE = "create"
    CANCEL = "cancel"
    ADOPT = "adopt"
    KEEP = "keep"
    WAIT = "wait"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a plan.

    ``write`` is what this change does, or would do, at the provider, and ``cause`` why; both
    stay while the change waits for another ``reason``.
    ``keeper`` is the job that makes this cancel right, to be looked at again before it is sent.
    ``follows`` marks the cancel that comes after this plan's create, in a later pass.
    ``replaces`` are the live jobs that this create will retire. ``model`` is the model that
    ``model_from`` stands for.
    """

    name: str
    action: Action
    reason: Reason
    message: str
    job_id: str | None = None
    revision: str | None = None
    attempt: int | None = None
    write: Action | None = None
    cause: Reason | None = None
    keeper: str | None = None
    follows: bool = False
    replaces: tuple[str, ...] = ()
    model: str | None = None

    @property
    def put_off(self) -> bool:
        """Whether it waits for nothing but the moment: the provider wants it later, and no other reason holds it."""
        return self.action is Action.WAIT and self.reason is self.cause

    @property
    def write_key(self) -> str | None:
        """The line an approval digests; None where nothing is or will be written at the provider."""
        if self.write is None:
            return None
        return f"{self.write} {self.name} {self.cause} {self.revision} {self.attempt} {self.job_id}"


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes, by name; and how many jobs at the provider are not ours."""

    changes: tuple[Change, ...]
    unmanaged: int

    @property
    def writes(self) -> tuple[Change, ...]:
        """What this pass sends, in the order it is sent: cancels first, they free capacity."""
        cancels = (c for c in self.changes if c.action is Action.CANCEL and not c.follows)
        creates = (c for c in self.changes if c.action is Action.CREATE)
        return (*cancels, *creates)

    def digest(self, target: str) -> str:
        """16 hex digits over everything this plan writes, now or after waiting, at ``target``."""
        keys = sorted(key for change in self.changes if (key := change.write_key) is not None)
        return hashlib.sha256("\n".join([target, *keys]).encode()).hexdigest()[:16]
