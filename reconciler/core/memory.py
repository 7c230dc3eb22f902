"""What the journal knows of a fleet at a provider, as frozen values.

Pure. `journal` fills a `Memory`; `recognition`, `world` and every decision read it. `act` makes each `Intent`, `act`
and `lookup` each `Record`, for the journal to keep.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from types import MappingProxyType

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.core.reason import Reason

# Name and revision of a create that the provider refused or wants later; EVERY_CREATE: it takes none now.
CreateKey = tuple[str, str]
EVERY_CREATE: CreateKey = ("", "")

# Routes that some servers do not have; no safety rests on them.
EVENTS, CHECKPOINTS = "events", "checkpoints"


@dataclass(frozen=True, slots=True)
class Intent:
    """A create that was recorded before it was sent and whose answer is not there."""

    name: str
    revision: str
    attempt: int
    seed: int | None = None  # the seed that was sent: the weaker trace on servers that drop metadata
    filed: bool = False  # its training file was uploaded for this very attempt, and bears its name
    answer: str = dataclass_field(default="", compare=False)  # what a server that was in trouble (5xx) said to it
    token: str = dataclass_field(default="", compare=False)  # the journal's: the same create, sent again, has another


class Record(Struct, frozen=True, gc=False):
    """A job of this fleet as the journal last saw it."""

    job_id: str
    name: str
    revision: str
    attempt: int
    live: bool
    ended_before: bool = False  # it had ended when this journal began
    stranger: bool = False  # first seen when its name had been gone from here before


class Elsewhere(Struct, frozen=True):
    """A job that this state directory knows of this fleet at another account; ``live`` when it was last seen."""

    base_url: str
    organization: str
    project: str
    name: str
    revision: str
    job_id: str
    live: bool


class OwnCancel(Struct, frozen=True):
    """A cancel that this state directory recorded. ``sent_at``: when it was last sent, in Unix seconds."""

    reason: str
    counts: bool = True  # False: void, the job was seen live again
    waiting: bool = False  # it did not take, and its back-off is not over
    left: bool = False  # a person said `forget`: never tried again
    confirmed: bool = False  # the job was read back and has ended
    sent_at: int | None = None


class OwnPause(Struct, frozen=True):
    """A pause that this state directory recorded before it was sent; over when the job has been seen to go on."""

    waiting: bool = False  # the last pause or resume did not take, and its back-off is not over
    under_way: bool = False  # a pause was sent whose answer was lost, and may take effect yet


class Rejection(Struct, frozen=True):
    """A create that the provider refused, while its back-off lasts."""

    revision: str
    message: str


class Refusal(Struct, frozen=True):
    """The last refusal of a create, also when its back-off is over.

    ``of_all``: with this one the provider refused every create. ``next_at``: its next try, in Unix seconds.
    """

    name: str
    revision: str
    message: str
    next_at: int
    of_all: bool = False

    @property
    def reason(self) -> Reason:
        """Why its create waits."""
        return Reason.CREATE_REFUSED if self.of_all else Reason.CREATE_REJECTED

    @property
    def words(self) -> str:
        """What the provider said to this job."""
        return rejected_words(self.message) if not self.of_all else f"the provider takes no new jobs: {self.message}"


def rejected_words(message: str) -> str:
    """What a job says whose own create was refused."""
    return f"the provider rejected this job: {message}"


class Memory(Struct, frozen=True):
    """What the journal knows of this fleet at this provider."""

    # An earlier run left it; False for all of a run whose journal began empty ("without memory").
    inherited: bool = False
    # The creates whose answer is not known, by name.
    intents: Mapping[str, Intent] = field(default_factory=lambda: MappingProxyType({}))
    # The jobs that it remembers, by id.
    records: Mapping[str, Record] = field(default_factory=lambda: MappingProxyType({}))
    # Each (name, revision) once read in this directory, and its hashed form; None: from the first settled listing.
    wanted: Mapping[tuple[str, str], Mapping[str, object] | None] = field(default_factory=lambda: MappingProxyType({}))
    # The cancels that were sent from here, by job id.
    cancels: Mapping[str, OwnCancel] = field(default_factory=lambda: MappingProxyType({}))
    # The jobs that were paused from here, by id.
    pauses: Mapping[str, OwnPause] = field(default_factory=lambda: MappingProxyType({}))
    # Whether this server was seen to pause a job, or lately not to have such a route; None: nobody knows.
    can_pause: bool | None = None
    # The creates whose back-off lasts, by name.
    rejected: Mapping[str, Rejection] = field(default_factory=lambda: MappingProxyType({}))
    # Why the provider takes no new jobs at all, while that back-off lasts.
    refused: str = ""
    # The last of each name, until a create of it is answered; that of "" is the last of every create.
    refusals: Mapping[str, Refusal] = field(default_factory=lambda: MappingProxyType({}))
    # Why a create may not be sent for a moment, by name and revision (`EVERY_CREATE`: each of them).
    put_off: Mapping[CreateKey, str] = field(default_factory=lambda: MappingProxyType({}))
    # Whether this provider's listing was seen to return our marks; None: not yet known.
    echoes: bool | None = None
    # It returns no marks, and was seen to return the name of the training file.
    files: bool = False
    # It returns no marks, and was seen to return the seed that was sent.
    seeds: bool = False
    # Names that were read here once and that the last pass had found gone.
    gone: frozenset[str] = frozenset()
    # Of each name, whether its last manifest read ``on_remove: orphan``.
    orphans: Mapping[str, bool] = field(default_factory=lambda: MappingProxyType({}))
    # How many live jobs it knows of other fleets at the same provider, where it has no record of this one.
    neighbours: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    # The job ids that it knows of other fleets at this account, as long as marks were not seen to come back.
    others: frozenset[str] = frozenset()
    # This fleet's jobs at other accounts, but for those of the sandbox, which trains nothing.
    elsewhere: tuple[Elsewhere, ...] = ()
    # Routes (`EVENTS`, `CHECKPOINTS`) that this server was seen not to have.
    lacks: frozenset[str] = frozenset()

    @property
    def identity(self) -> str:
        """What jobs are known by at this provider, in a sentence; "" where it is our marks, or not yet known."""
        if self.echoes is not False:
            return ""
        if self.files:
            return "this server drops metadata: a job is known by the name of its training file, and by its seed"
        if self.seeds:
            return (
                "this server drops metadata: a job is known by its seed, and is never cancelled without a file's name"
            )
        return "this server returns nothing that tells whose a job is: a job is known by its id, in this journal alone"

    def finds_job_of(self, intent: Intent, *, anonymous: bool) -> bool:
        """Whether a listing shows what became of a create: it was seen to return marks, the file, or else the seed.

        ``anonymous``: it also shows jobs of which nothing tells whose they are.
        """
        return bool(self.echoes) or self.seeds or (self.files and intent.filed and not anonymous)

    def own_refusal(self, name: str, revision: str) -> Refusal | None:
        """The last refusal of this very create; None where there is none, or only another spec was refused."""
        refusal = self.refusals.get(name)
        return refusal if refusal is not None and refusal.revision == revision else None

    def last_refusal(self, name: str, revision: str) -> Refusal | None:
        """Its own refusal, else that of every create; ``next_at`` is when neither back-off holds it."""
        own, last = self.own_refusal(name, revision), self.refusals.get("")
        if own is None or last is None:
            return own or last
        return replace(own, next_at=max(own.next_at, last.next_at))

    def held_back(self, name: str, revision: str) -> tuple[Reason, str]:
        """What a create says while none is taken: its own refusal, or the name of the job that was refused.

        It never repeats what another job was told.
        """
        own, last = self.own_refusal(name, revision), self.refusals.get("")
        if own is not None:
            return own.reason, own.words
        if last is not None and last.name == name:  # an earlier spec of this job
            return last.reason, last.words
        whose = f" (last refused: {last.name})" if last is not None and last.name else ""
        return Reason.CREATE_REFUSED, f"the provider takes no new jobs at the moment{whose}"

    def wanted_here(self, name: str, revision: str) -> bool:
        """Whether this directory once asked for it; in a run without memory, only what this run has read itself."""
        key = (name, revision)
        return key in self.wanted and (self.inherited or self.wanted[key] is not None)
