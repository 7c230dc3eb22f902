"""Why a line of a plan says what it says, and all that follows from that alone.

Pure. The decision table, `gates` and `act` choose a `Reason`; `status`, `schedule`, `apply` and `render` read its
columns. Nobody else sorts reasons into kinds: a new reason is a new row here.
"""

from enum import Enum, StrEnum
from typing import Self

# How the message of a create begins that is never sent as it is, whoever tries: its server would train something else.
NOT_SENT = "not sent: "


class EndedBy(Enum):
    """What must happen before a name that stands at this reason goes on."""

    TIME = "time"  # another pass: a write of ours, a settle window or a back-off that is over
    PROVIDER = "provider"  # a job there ends
    PERSON = "person"
    NOBODY = "nobody"  # there is nothing to go on to, or it is not for us to say


class Trouble(Enum):
    """Whether it is shown as the condition *Blocked*."""

    NONE = "none"
    OWN = "own"  # and an `apply` that ends with it has not done what it was asked to do
    ELSEWHERE = "elsewhere"  # its cause is shown, and counted, where it lies: at another job, or at a gate


class Reason(StrEnum):
    """One word for each branch of the decision table (docs/decision-table.md).

    ``as_declared``: nothing is owed to the manifests, whatever became of the job (the condition *Synced*).
    ``unsuccessful``: its job ended without a model, and not because anybody here wanted that.
    ``restorable``: going back to a spec whose job we cancelled for this reason trains it again (row 10).
    """

    ended_by: EndedBy
    as_declared: bool
    trouble: Trouble
    restorable: bool
    unsuccessful: bool

    def __new__(  # noqa: PLR0913, PLR0917 - one parameter a column
        cls,
        word: str,
        ended_by: EndedBy,
        as_declared: bool,
        trouble: Trouble = Trouble.NONE,
        restorable: bool = False,
        unsuccessful: bool = False,
    ) -> Self:
        reason = str.__new__(cls, word)
        reason._value_ = word
        reason.ended_by, reason.as_declared, reason.trouble = ended_by, as_declared, trouble
        reason.restorable, reason.unsuccessful = restorable, unsuccessful
        return reason

    # Parts A and B: what stands for the name.
    SOURCE_INVALID = "SourceInvalid", EndedBy.PERSON, False, Trouble.OWN
    OVERTAKEN = "Overtaken", EndedBy.NOBODY, False
    CREATE_UNRESOLVED = "CreateUnresolved", EndedBy.TIME, False, Trouble.OWN
    MISSING = "Missing", EndedBy.PERSON, False, Trouble.OWN
    ADOPTION_REFUSED = "AdoptionRefused", EndedBy.PERSON, False, Trouble.OWN
    SUSPENDED = "Suspended", EndedBy.PERSON, True
    PAUSED = "Paused", EndedBy.PERSON, True
    PAUSING = "Pausing", EndedBy.TIME, False
    CANNOT_PAUSE = "CannotPause", EndedBy.PROVIDER, False
    CANCEL_REQUESTED = "CancelRequested", EndedBy.PERSON, True, Trouble.NONE, True
    REMOVED = "Removed", EndedBy.TIME, False, Trouble.NONE, True
    ORPHANED = "Orphaned", EndedBy.PROVIDER, True
    PRUNE_DISABLED = "PruneDisabled", EndedBy.PROVIDER, True
    METHOD_LOST = "MethodLost", EndedBy.PERSON, False, Trouble.OWN, True
    DUPLICATE = "Duplicate", EndedBy.TIME, False
    IN_PROGRESS = "InProgress", EndedBy.PROVIDER, True
    ADOPTED = "Adopted", EndedBy.PROVIDER, True
    SUCCEEDED = "Succeeded", EndedBy.NOBODY, True
    RETRY = "Retry", EndedBy.TIME, False
    FAILED = "Failed", EndedBy.PERSON, True, Trouble.NONE, False, True
    RESTORED = "Restored", EndedBy.TIME, False
    CANCELLED = "Cancelled", EndedBy.PERSON, True, Trouble.NONE, False, True
    NOT_CREATED = "NotCreated", EndedBy.TIME, False
    # Part C: what a wanted create waits for.
    WAITING_FOR_JOB = "WaitingForJob", EndedBy.PROVIDER, False
    DEPENDENCY_FAILED = "DependencyFailed", EndedBy.PERSON, False, Trouble.ELSEWHERE
    CREATE_REFUSED = "CreateRefused", EndedBy.TIME, False, Trouble.OWN
    CREATE_REJECTED = "CreateRejected", EndedBy.TIME, False, Trouble.OWN
    NO_IDENTITY = "NoIdentity", EndedBy.PERSON, False, Trouble.OWN
    WAITING_FOR_PREVIOUS = "WaitingForPrevious", EndedBy.PROVIDER, False
    WAITING_FOR_CAPACITY = "WaitingForCapacity", EndedBy.PROVIDER, False
    BLOCKED = "Blocked", EndedBy.PERSON, False, Trouble.ELSEWHERE
    # Part D: live jobs of other revisions, and those that stand still and are to go on.
    SUPERSEDED = "Superseded", EndedBy.TIME, False, Trouble.NONE, True
    RESUMING = "Resuming", EndedBy.TIME, False
    AHEAD = "Ahead", EndedBy.PERSON, False
