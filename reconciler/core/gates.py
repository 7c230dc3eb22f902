"""May this plan run? Limits and evidence, as verdicts.

Pure. `reconcile` puts every plan through `gate` before it acts, and `cli` an account through
`expectation` before it asks anything there. What a gate refuses is turned
into a wait with the reason `Blocked`; everything else goes on. The message of a verdict says
which gate, the numbers, and the way on. There is no force: a person's approval of exactly
these writes is the only waiver, and it never waives evidence.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from msgspec import Struct, field

from reconciler.core.change import Cancel, Change, Create, Pause, Plan, Resume, Wait, Write
from reconciler.core.desired import Expect
from reconciler.core.estimate import Estimate, exact_dollars, total
from reconciler.core.lines import forget_command
from reconciler.core.reason import Reason
from reconciler.core.retirement import kept_meanwhile
from reconciler.core.trial import one_try
from reconciler.core.world import World
from reconciler.errors import escaped, plural


class Permission(Struct, frozen=True):
    """What the person in front of it, or the situation, allows."""

    first_run: bool = False  # a fleet without a single job may be begun (asked for, or the sandbox)
    steady: bool = True  # manifests and training files were the same in two reads
    all_valid: bool = True  # additionally every manifest was read and is valid (needed for `Removed`)
    gone: frozenset[str] | None = None  # names gone long enough for that; None where nobody waits for it (`apply`)
    # `approval_key` of every write that a person agreed to. Nothing else is sent but the healing of duplicates, and the
    # end of what a server made otherwise than it was asked. None: no yes is needed (`--yes`, the sandbox, a daemon).
    approved: frozenset[str] | None = None
    limits_waived: bool = False  # it was agreed to by its digest, and the limits do not count it
    ahead: frozenset[str] = frozenset()  # the `Ahead` jobs whose end a person agreed to
    # What each create will cost, by its name, where a limit of the fleet asks.
    estimates: Mapping[str, Estimate] = field(default_factory=dict)


# The gate that holds back what a person's yes did not name.
APPROVAL = "approval"
_EVIDENCE = "evidence"
# Reasons to end a job that no plan asked for: such an end needs no approval.
_HEALING = frozenset({Reason.DUPLICATE, Reason.METHOD_LOST})
# The gates that a person's approval of the digest passes by; evidence is nobody's to give.
WAIVABLE = frozenset({"first_run", "max_creates", "max_cancels", "max_cost"})


class Verdict(Struct, frozen=True):
    """One gate over one plan: ``count`` against ``limit`` (None where the gate has no number); max_cost: US dollars."""

    gate: str
    limit: float | None
    count: float
    refused: bool
    message: str


class Gated(Struct, frozen=True):
    """The plan that may run, and what each gate said."""

    plan: Plan
    verdicts: tuple[Verdict, ...]

    @property
    def refusals(self) -> tuple[Verdict, ...]:
        return tuple(v for v in self.verdicts if v.refused)


def approval_key(write: Write) -> str:
    """What a person's yes names: this very create, or the end of this very job."""
    if isinstance(write, Create):
        return f"create {write.name} {write.revision} {write.attempt}"
    return f"{write.action} {write.job_id}"


def gate(plan: Plan, world: World, permission: Permission) -> Gated:
    """Judge every gate over the whole plan, then hold back what any of them refuses."""
    sent = plan.writes
    creates = [c.write for c in plan.changes if isinstance(c.write, Create)]  # also those that wait
    removals = [c for c in sent if isinstance(c, Cancel) and c.reason is Reason.REMOVED]
    ending: list[Write] = [*removals, *(c for c in sent if isinstance(c, Create) and c.replaces)]
    judged: tuple[tuple[Verdict, Iterable[Write]], ...] = (
        (_evidence(sent, permission), sent),
        _removal_evidence([*removals, *_wrong_without_manifest(sent, world)], world, permission),
        _approval(sent, permission),
        (_first_run(plan, world, creates, permission), creates),
        (_all_missing(world, creates), creates),
        (_max_creates(world, _counted(creates, permission)), _counted(creates, permission)),
        (_max_cancels(world, _counted(ending, permission)), _counted(ending, permission)),
        *_max_cost(world, _counted(creates, permission), permission.estimates),
    )
    refused: dict[Write, tuple[Verdict, ...]] = {}
    for verdict, concerned in judged:
        if verdict.refused:
            refused |= {write: (*refused.get(write, ()), verdict) for write in concerned}
    waiting = {write.name for write in refused if isinstance(write, Create)}
    changes = tuple(_gated(change, refused, waiting) for change in plan.changes) if refused else plan.changes
    return Gated(Plan(one_try(world, changes), plan.unmanaged), tuple(v for v, _ in judged))


def _gated(change: Change, refused: Mapping[Write, Sequence[Verdict]], waiting: Container[str]) -> Change:
    if isinstance(change, Create | Cancel | Pause | Resume) and change in refused:
        verdicts = refused[change]
        if verdicts[0].gate == _EVIDENCE:  # of files that change, no other gate can say anything yet
            verdicts = verdicts[:1]
        message = "; ".join(f"gate {verdict.gate} refuses it: {verdict.message}" for verdict in verdicts)
        return Wait(change.name, Reason.BLOCKED, message, write=change, gates=tuple(v.gate for v in verdicts))
    if isinstance(change, Cancel) and change.follows and change.name in waiting:
        return kept_meanwhile(change)
    return change


def expectation(
    expect: Expect | None, *, host: str, port: int | None, organization: str | None, project: str | None
) -> Verdict:
    """Whether this is the provider that the fleet expects; refused means: do nothing at all.

    ``host`` as `plan` shows it, with the port where the base URL says one; ``port`` is the one that it stands for.
    """
    if expect is None:
        expect = Expect()
    differing = [] if expect.host is None else _other_host(expect.host, host, port)
    named = (("organization", expect.organization, organization), ("project", expect.project, project))
    differing += [
        f"{what} is {there or 'not set'}, expected {want}"
        for what, want, there in named
        if want is not None and want.lower() != (there or "").lower()
    ]
    message = "; ".join(differing) + "; nothing is read or written there" if differing else "as expected"
    return Verdict("expect", None, len(differing), refused=bool(differing), message=message)


def _other_host(want: str, there: str, port: int | None) -> list[str]:
    """What differs, if anything does: any port is meant where none is written."""
    if set(want) & set("/@?#"):
        meant = "" if "@" in want else re.split("[/?#]", want.rpartition("://")[2], maxsplit=1)[0]  # may be a password
        return [f"expect.host is a host without scheme, user or path: write it as {escaped(meant or there)}"]
    wanted, found = _address(want), _address(there)
    same = wanted[0] == found[0] and wanted[1] in {None, port}
    return [] if same else [f"host is {there}, expected {want}"]


def _address(text: str) -> tuple[str, int | None]:
    """The name and the port of `host`, `host:port`, `[::1]`, `[::1]:port` or `::1`; what is none stays as it is."""
    try:
        parts = urlsplit(f"//[{text}]" if text.count(":") > 1 and "[" not in text else f"//{text}")
        return (parts.hostname or "").removesuffix("."), parts.port
    except ValueError:
        return text, None


def _unapproved(writes: Sequence[Write], permission: Permission) -> Sequence[Write]:
    approved = permission.approved or frozenset()
    return [write for write in writes if approval_key(write) not in approved]


def _counted(writes: Sequence[Write], permission: Permission) -> Sequence[Write]:
    """What a limit counts: everything, or what the digest of an approval did not name."""
    return _unapproved(writes, permission) if permission.limits_waived else writes


def _approval(sent: Sequence[Write], permission: Permission) -> tuple[Verdict, Sequence[Write]]:
    """An approval is for exactly its plan: whatever was not in it waits for another one."""
    others = [c for c in _unapproved(sent, permission) if c.reason not in _HEALING]
    refused = bool(others) and permission.approved is not None
    message = "it was not part of the approved plan; plan again" if refused else "nothing beyond it"
    return Verdict(APPROVAL, None, len(others) if refused else 0, refused, message), others


def _evidence(sent: Sequence[Write], permission: Permission) -> Verdict:
    refused = bool(sent) and not permission.steady
    way_on = (
        "run again when they are at rest" if permission.gone is None else "it goes on by itself once they are at rest"
    )
    message = f"the files changed while they were read; {way_on}" if refused else "files at rest"
    return Verdict(_EVIDENCE, None, len(sent), refused, message)


def _wrong_without_manifest(sent: Iterable[Write], world: World) -> Iterator[Cancel]:
    """Ends of wrong jobs without a manifest: as with a removal, it may be missing by mistake."""
    cancels = (c for c in sent if isinstance(c, Cancel) and c.reason is Reason.METHOD_LOST)
    return (c for c in cancels if c.name not in world.desired)


def _removal_evidence(
    removals: Sequence[Cancel], world: World, permission: Permission
) -> tuple[Verdict, Sequence[Write]]:
    """The removals that are in doubt, and the first of the doubts; no approval stands in for evidence."""
    names = frozenset(c.name for c in removals)
    young = names - (names if permission.gone is None else permission.gone)
    doubts = (
        (frozenset() if permission.all_valid else names, _BROKEN),
        (names if world.gaps else names & world.leftovers.keys(), "; ".join(_missing(world, names))),
        (young, f"the manifest of {_few(sorted(young))} is not gone long enough to be believed; {_ITSELF}"),
    )
    doubted = frozenset[str]().union(*(concerned for concerned, _ in doubts))
    message = next((why for concerned, why in doubts if concerned), "every manifest is valid")
    refused = [c for c in removals if c.name in doubted]
    return Verdict("removal_evidence", None, len(refused), bool(refused), message), refused


_BROKEN = "nothing is removed while any manifest is broken or cannot be read; mend it first"
_ITSELF = "it is looked for again by itself"


def _missing(world: World, names: frozenset[str]) -> Iterator[str]:
    """What may be there although it was not read."""
    if world.gaps:
        yield f"a part of the directory may be missing, so nothing is removed: {_few(world.gaps)}"
    found = [f"{name} in {escaped(world.leftovers[name])}" for name in sorted(names & world.leftovers.keys())]
    if found:
        yield (
            f"not deleted, but not read as a manifest any more: {_few(found)}; "
            "delete the file, or move it out of the directory, if the job is to be cancelled"
        )


def _few(found: Sequence[str]) -> str:
    rest = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + rest


def _first_run(plan: Plan, world: World, creates: Sequence[Write], permission: Permission) -> Verdict:
    fleet, recorded = world.fleet.name, world.memory.records
    ours = len(recorded) + sum(job.id not in recorded for job in world.ours)
    refused = bool(creates) and not ours and not permission.first_run
    message = (
        f"this provider shows no job of fleet {fleet} ({plan.unmanaged or 'none'} of others). A wrong key or project "
        f"looks the same; if this is the first run, say --first-run{_renamed(world)}"
        if refused
        else f"{plural(ours, 'job')} of this fleet known"
    )
    return Verdict("first_run", None, len(creates), refused, message)


def _renamed(world: World) -> str:
    """Whose jobs this state directory knows, where nothing is known of this fleet."""
    known = ", ".join(f"{fleet} ({plural(count, 'job')})" for fleet, count in world.memory.neighbours.items())
    return known and f". Live here under another name: {known}; a fleet that is renamed begins anew, and those go on"


def _all_missing(world: World, creates: Sequence[Write]) -> Verdict:
    """A job of this fleet that is listed, recorded or not, shows that it is the right account."""
    recorded = world.memory.records
    names = sorted({record.name for record in recorded.values()})
    there = sum(job.id in recorded for job in world.jobs)
    refused = bool(creates) and bool(recorded) and not there and not world.ours
    message = (
        f"this provider knows none of the jobs recorded here ({len(recorded)}): check the key, organisation and "
        f"project; if they are really gone, run {_each(names)}"
        if refused
        else f"recorded jobs that are there: {there} of {len(recorded)}"
    )
    return Verdict("all_missing", None, len(recorded) - there, refused, message)


def _each(names: Sequence[str]) -> str:
    """The command for the first of them, and who comes after it."""
    return forget_command(names[0]) + (f", and the same for {_few(names[1:])}" if names[1:] else "")


def _max_creates(world: World, creates: Sequence[Write]) -> Verdict:
    limit, count = world.fleet.limits.max_creates, len(creates)
    message = (
        f"{plural(count, 'new job')} wanted, limits.max_creates is {limit}; {_WAY_ON}"
        if count > limit
        else f"{count} of {limit}"
    )
    return Verdict("max_creates", limit, count, count > limit, message)


def _max_cancels(world: World, ending: Sequence[Write]) -> Verdict:
    live = sum(1 for job in world.ours if job.live)
    limit, count = world.fleet.limits.cancel_limit(live), len(ending)
    message = (
        f"{plural(count, 'live job')} would end (removed or replaced), "
        f"limits.max_cancels allows {limit} of {live}; {_WAY_ON}"
        if count > limit
        else f"{count} of {limit}"
    )
    return Verdict("max_cancels", limit, count, count > limit, message)


def _max_cost(
    world: World, creates: Sequence[Write], estimates: Mapping[str, Estimate]
) -> Iterator[tuple[Verdict, Sequence[Write]]]:
    """Over the limit none is sent; else those whose cost is not known, which nobody can hold against it."""
    limit = world.fleet.limits.max_cost
    if limit is None:
        return
    found = {create: estimates.get(create.name, _NOT_ESTIMATED) for create in creates}
    known = round(total(found.values()).usd, 6)  # a millionth of a dollar is an error of adding up
    unknown = [create for create, estimate in found.items() if estimate.usd is None]
    said = f"new jobs for {exact_dollars(known)} wanted, limits.max_cost is {exact_dollars(limit)}"
    if known > limit:
        yield Verdict("max_cost", limit, known, refused=True, message=f"{said}; {_WAY_ON}"), creates
    elif unknown:
        whys = list(dict.fromkeys(f"{create.name}: {escaped(found[create].why)}" for create in unknown))
        count = plural(len(unknown), "new job")
        message = (
            f"what {count} will cost is not known ({_few(whys)}), and limits.max_cost is {exact_dollars(limit)}; "
            "say the price with --prices FILE, or check the plan and approve its digest"
        )
        yield Verdict("max_cost", limit, known, refused=True, message=message), unknown
    else:
        yield (
            Verdict(
                "max_cost", limit, known, refused=False, message=f"{exact_dollars(known)} of {exact_dollars(limit)}"
            ),
            (),
        )


_NOT_ESTIMATED = Estimate(why="nobody has estimated it")

# Names beyond this many are counted, not named.
_NAMED = 3

_WAY_ON = "check the plan and approve its digest, or raise the limit"
