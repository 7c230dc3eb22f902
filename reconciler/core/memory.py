"""What the journal knows of a fleet at a provider, as frozen values.

Pure. `journal` fills a `Memory`; `recognition`, `world` and every decision read it. `act` makes each `Intent`, `act`
and `lookup` each `Record`, for the journal to keep.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

# Name and revision of a create that the provider refused or wants later; EVERY_CREATE: it takes none now.
CreateKey = tuple[str, str]
EVERY_CREATE: CreateKey = ("", "")


@dataclass(frozen=True, slots=True)
class Intent:
    """A create that was recorded before it was sent and whose answer is not there."""

    name: str
    revision: str
    attempt: int
    seed: int | None = None  # the seed that was sent: the weaker trace on servers that drop metadata
    token: str = field(default="", compare=False)  # the journal's: the same create, sent again, has another


@dataclass(frozen=True, slots=True)
class Record:
    """A job of this fleet as the journal last saw it."""

    job_id: str
    name: str
    revision: str
    attempt: int
    live: bool
    ended_before: bool = False  # it had ended when this journal began
    stranger: bool = False  # first seen when its name had been gone from here before


@dataclass(frozen=True, slots=True)
class OwnCancel:
    """A cancel that this state directory recorded. ``sent_at``: when it was last sent, in Unix seconds."""

    reason: str
    counts: bool = True  # False: void, the job was seen live again
    waiting: bool = False  # it did not take, and its back-off is not over
    left: bool = False  # a person said `forget`: never tried again
    confirmed: bool = False  # the job was read back and has ended
    sent_at: int | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A create that the provider refused, while its back-off lasts."""

    revision: str
    message: str


@dataclass(frozen=True, slots=True)
class Memory:
    """What the journal knows of this fleet at this provider.

    ``inherited``: an earlier run left it; False for all of a run whose journal began empty ("without memory").
    ``wanted`` maps each (name, revision) once read in this directory to its hashed form
    (None where it was taken over from the first settled listing).
    ``gone`` are names that were read here once and had been found gone by the last pass.
    ``orphans`` says of each name whether its last manifest read ``on_remove: orphan``.
    ``neighbours`` counts the live jobs that this state directory knows of other fleets at the same provider,
    where it has no record of this one.
    ``put_off`` says why a create may not be sent for a moment, by name and revision (`EVERY_CREATE`: each of them).
    ``echoes`` says whether this provider's listing has been seen to return our marks; None: not yet known.
    ``seeds``: it does not, and has been seen to return the seed that was sent.
    """

    inherited: bool = False
    intents: Mapping[str, Intent] = field(default_factory=lambda: MappingProxyType({}))
    records: Mapping[str, Record] = field(default_factory=lambda: MappingProxyType({}))
    wanted: Mapping[tuple[str, str], Mapping[str, object] | None] = field(default_factory=lambda: MappingProxyType({}))
    cancels: Mapping[str, OwnCancel] = field(default_factory=lambda: MappingProxyType({}))
    rejected: Mapping[str, Rejection] = field(default_factory=lambda: MappingProxyType({}))
    refused: str = ""  # why the provider takes no new jobs at all, while that back-off lasts
    put_off: Mapping[CreateKey, str] = field(default_factory=lambda: MappingProxyType({}))
    echoes: bool | None = None
    seeds: bool = False
    gone: frozenset[str] = frozenset()
    orphans: Mapping[str, bool] = field(default_factory=lambda: MappingProxyType({}))
    neighbours: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def finds_lost_jobs(self) -> bool:
        """Whether a listing shows what became of a create: it was seen to return marks, or else the seed."""
        return bool(self.echoes) or self.seeds

    def wanted_here(self, name: str, revision: str) -> bool:
        """Whether this directory once asked for it; in a run without memory, only what this run has read itself."""
        key = (name, revision)
        return key in self.wanted and (self.inherited or self.wanted[key] is not None)
