"""Looking: the provider's listing, the jobs beside it, and the files that may still hold a name.

`reconcile` calls these at the beginning of a pass, and for `forget`. They only read, and decide nothing about jobs.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from reconciler.core.desired import Fleet
from reconciler.core.job import Job
from reconciler.core.looks import Looks, is_newest_first
from reconciler.core.lookup import lookups
from reconciler.core.snapshot import Snapshot
from reconciler.core.world import World
from reconciler.engine.ports import Ports
from reconciler.errors import NoData, NotSent, ProviderError, RateLimited, Unreadable, escaped
from reconciler.provider.port import Provider

_NOT_FOUND = 404


class LookedUp(Struct, frozen=True):
    """What GETs beside the listing came to, by job id."""

    found: tuple[Job, ...]
    missing: frozenset[str]
    unseen: frozenset[str]


class Newest(Struct, frozen=True):
    """What an incremental look showed, by job id; ``whole``: it came to the end of the listing, so these are all."""

    jobs: Mapping[str, Job]
    whole: bool


def listing(ports: Ports, snapshot: Snapshot, fleet: Fleet, known: Mapping[str, Job]) -> tuple[Job, ...]:
    """Every job of the account, ``known`` as `Provider` has it.

    Raises:
        Unreadable: it has no `data` although some job ought to be in it.
    """
    try:
        return ports.provider.list_jobs(known)
    except NoData as error:
        expected = lookups(World(fleet, snapshot.desired, (), ports.journal.memory()))
        if expected:
            raise Unreadable(f"{error}, although job {escaped(expected[0])} ought to be in it") from error
        return ()


def newest(provider: Provider, looks: Looks, open_jobs: Iterable[str]) -> Newest | None:
    """The newest jobs of the account, and each of ``open_jobs`` as it is now; None where only a complete look tells.

    Raises:
        ProviderError: the first pages cannot be read, and no listing either.
    """
    shown: dict[str, Job] = {}
    whole = False
    try:
        for page in provider.job_pages():
            shown |= {job.id: job for job in page.jobs}
            whole = page.last
            if whole or looks.reaches(page.jobs):
                break
    except NoData:
        return None
    if not (whole or is_newest_first(tuple(shown.values()))):
        return None
    try:
        asked = {job_id: provider.retrieve_job(job_id) for job_id in open_jobs}
    except ProviderError:  # gone, perhaps: a complete look says how things stand
        return None
    return Newest({**shown, **asked}, whole=whole)


def look_up(provider: Provider, job_ids: Iterable[str]) -> LookedUp:
    """GET each job that the listing may not tell truly. One that cannot be read holds its own name and no other."""
    found: list[Job] = []
    missing: set[str] = set()
    unseen: set[str] = set()
    for job_id in sorted(job_ids):
        try:
            found.append(provider.retrieve_job(job_id))
        except (NotSent, RateLimited):
            raise  # the next one would fail alike
        except ProviderError as error:
            (missing if error.status == _NOT_FOUND else unseen).add(job_id)
    return LookedUp(tuple(found), frozenset(missing), frozenset(unseen))


def leftovers(
    ports: Ports, snapshot: Snapshot, listed: Iterable[Job], fleet: Fleet, last_seen: Mapping[str, str]
) -> Mapping[str, str]:
    """Names without a manifest whose file may still stand there; a stream has no files.

    ``last_seen``: by name, the file in which it last stood.
    """
    live = {job.marks.name for job in listed if job.live and job.marks and job.belongs_to(fleet.name)}
    gone = (last_seen.keys() | live) - snapshot.desired.keys()
    if snapshot.stream or not gone:
        return {}
    return ports.leftovers(snapshot, {name: last_seen.get(name, "") for name in gone})
