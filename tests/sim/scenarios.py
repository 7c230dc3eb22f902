"""Small stories without chance, for `explore`: everything else is as the assumptions allow at their worst.

Each is a script of edits and runs. `play` follows it under one plan of faults, starts again whoever was
killed, lets the faults stop, and judges.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from reconciler.core.job import JobError
from reconciler.engine.apply import Patience
from reconciler.engine.daemon import Pace
from tests.sim.chance import Effect, Plan
from tests.sim.checkout import JobWish, Wish
from tests.sim.oracles import judge
from tests.sim.world import REAL, Program, SimWorld, Site

_BASE = JobWish()
_OTHER = JobWish(seed=1)

Step = Callable[["Stage"], None]


@dataclass(frozen=True)
class Stage:
    """A world in which a scenario plays."""

    world: SimWorld

    @property
    def site(self) -> Site:
        return self.world.sites[0]

    def wants(self, site: int = 0, **jobs: JobWish) -> None:
        self.world.sites[site].checkout.set(Wish(tuple(sorted(jobs.items()))))

    def breaks(self, how: str, site: int = 0) -> None:
        self.world.sites[site].checkout.damage(how, 0)

    def mends(self, site: int = 0) -> None:
        self.world.sites[site].checkout.mend()

    def apply(self, site: int = 0, *, wait: bool = False) -> None:
        """One apply to its end; whoever is killed is started again, and so is who failed, once."""
        self.start(site, wait=wait)
        self.finish()

    def start(self, site: int = 0, *, wait: bool = False) -> None:
        patience = Patience(wait=wait, poll=30.0, timeout=120.0) if wait else Patience()
        self.world.start(self.world.sites[site], patience)

    def finish(self) -> None:
        """Until nobody runs; what did not go through is started once more."""
        self.world.engine.run()
        for site in self.world.sites:
            last = site.processes[-1] if site.processes else None
            if last is not None and last.result != "exit 0" and last.name not in self._again:
                started = self.world.start(site)
                self._again.add(started.name)
        self.world.engine.run()

    @property
    def _again(self) -> set[str]:
        return self.world.restarted


def _nothing(_: Stage) -> None:
    """No setup."""


def _create(stage: Stage) -> None:
    stage.wants(a=_BASE)
    stage.apply()


def _at_a_gateway(stage: Stage) -> None:
    """The server drops the method that it is sent; the provider's echo is known."""
    stage.world.server.loses = lambda: True
    _known(stage)


def _asked_for_dpo(stage: Stage) -> None:
    stage.wants(k=_BASE, a=JobWish(dpo=True))
    stage.apply()
    stage.apply()


def _known(stage: Stage) -> None:
    """The provider's echo is known, so that a lost create may be sent again."""
    stage.wants(k=_BASE)
    stage.apply()


def _one_more(stage: Stage) -> None:
    stage.wants(k=_BASE, a=_OTHER)
    stage.apply()


def _replace(stage: Stage) -> None:
    stage.wants(a=_OTHER)
    stage.apply()


def _stop_and_go(stage: Stage) -> None:
    """A job is paused and goes on; a human pauses it, its manifest says so too, and then says that it may go on."""
    paused, server = replace(_BASE, state="paused"), stage.world.server
    for wish in (paused, paused, _BASE, _BASE):
        stage.wants(a=wish)
        stage.apply()
    for job in server.jobs.values():
        if job.live(stage.world.engine.now) and job.paused_by is None:
            server.pause(job, "human", stage.world.engine.now)
    for wish in (paused, _BASE):
        stage.wants(a=wish)
        stage.apply()


def _replaced(stage: Stage) -> None:
    _create(stage)
    _replace(stage)


def _probed(stage: Stage) -> None:
    """Somebody asks what the server returns; whatever came of it, an apply follows."""
    stage.world.start_probe(stage.site)
    stage.world.engine.run()
    stage.apply()


def _two(stage: Stage) -> None:
    stage.wants(a=_BASE, b=_OTHER)
    stage.apply()


def _remove(stage: Stage) -> None:
    stage.wants(b=_OTHER)
    stage.apply()


def _removed(stage: Stage) -> None:
    _two(stage)
    _remove(stage)


def _base(stage: Stage) -> None:
    stage.world.server.lives = [((5.0, "running"), (20.0, "succeeded"))]
    _create(stage)


def _chain(stage: Stage) -> None:
    stage.wants(a=_BASE, b=replace(_OTHER, model_from="a"))
    stage.apply()


def _two_writers(stage: Stage) -> None:
    """Two machines apply the same commit at the same moment."""
    for site in (0, 1):
        stage.wants(site, a=_BASE)
        stage.start(site)
    stage.finish()


def _both_know(stage: Stage) -> None:
    for site in (0, 1):
        stage.wants(site, a=_BASE)
        stage.apply(site)


def _two_commits(stage: Stage) -> None:
    """One machine is a commit behind the other, and both apply."""
    stage.wants(0, a=_OTHER)
    stage.start(0)
    stage.start(1)
    stage.finish()
    stage.wants(1, a=_OTHER)


def _daemon_behind(stage: Stage) -> None:
    """CI applies a commit that the daemon's checkout gets a minute later."""
    engine, daemon = stage.world.engine, stage.world.sites[1]
    stage.wants(0, a=_OTHER)
    stage.start(0)
    engine.at(engine.now + 60.0, lambda: stage.wants(1, a=_OTHER))
    _watch(stage, daemon, 200.0)
    stage.wants(1, a=_OTHER)


def _watch(stage: Stage, site: Site, seconds: float) -> None:
    """A daemon for so long; one that was killed comes back for half of that."""
    engine = stage.world.engine
    stage.world.start_daemon(site, Pace())
    engine.run(engine.now + seconds)
    if site.daemon is None or site.daemon.dead:
        stage.world.start_daemon(site, Pace())
        engine.run(engine.now + seconds / 2)
    if site.daemon is not None and site.daemon.wakeups is not None:
        site.daemon.wakeups.stop()
    stage.finish()


def _subdirectory(stage: Stage) -> None:
    """The mount under which one of two manifests stands goes away for the time of an apply."""
    stage.breaks("subdirectory emptied")
    stage.apply()
    stage.mends()
    stage.apply()


def _watched_subdirectory(stage: Stage) -> None:
    """The same under a daemon, for longer than a name must be gone."""
    engine = stage.world.engine
    engine.at(engine.now + 5.0, lambda: stage.breaks("subdirectory emptied"))
    engine.at(engine.now + 65.0, stage.mends)
    _watch(stage, stage.site, 100.0)


def _long_job(stage: Stage) -> None:
    stage.world.server.lives = [((5.0, "running"), (100.0, "succeeded"))]
    _create(stage)


def _end(stage: Stage) -> None:
    """A job ends while nobody runs."""
    stage.world.engine.run(stage.world.engine.now + 100.0)
    stage.apply()


# Jobs of four names, which are more than a page shows.
_TWO = {"a": _BASE, "b": replace(_OTHER, retries=1)}
_FOUR = {**_TWO, "c": replace(_BASE, seed=2), "d": _OTHER}
_SOON = ((5.0, "running"), (20.0, "succeeded"))


def _several(stage: Stage) -> None:
    """All of them succeed but the second, which runs; every site has made some and is not new to the fleet."""
    stage.world.server.lives = [_SOON, _SOON, _SOON[:1], _SOON, _SOON, _SOON, _SOON, _SOON]
    for site, jobs in reversed(list(enumerate((_FOUR, _TWO)[: len(stage.world.sites)]))):
        stage.wants(site, **jobs)
        stage.apply(site)
        stage.wants(site, **_FOUR)


def _fails(stage: Stage) -> None:
    """The job that runs fails, by no fault of its own."""
    job = stage.world.server.jobs[stage.site.state.live()[0]]
    job.error = JobError("server_error", "the machine broke", "")
    job.end(stage.world.engine.now, "failed")


def _rests(stage: Stage) -> None:
    """A daemon with nothing to do looks at what is new, until the job fails and is tried again."""
    engine = stage.world.engine
    engine.at(engine.now + 190.0, lambda: _fails(stage))
    _watch(stage, stage.site, 350.0)


def _rests_beside_ci(stage: Stage) -> None:
    """CI tries it again first, between two looks of the daemon, and makes more jobs after that than a page shows."""
    engine, more = stage.world.engine, {**_FOUR, "e": _BASE, "f": _OTHER}
    engine.at(engine.now + 190.0, lambda: _fails(stage))
    engine.at(engine.now + 201.0, lambda: stage.start(1))
    engine.at(engine.now + 209.0, lambda: stage.wants(1, **more))
    engine.at(engine.now + 209.0, lambda: stage.start(1))
    _watch(stage, stage.site, 350.0)
    stage.wants(0, **more)


@dataclass(frozen=True)
class Scenario:
    """What happened before without any fault, what happens under faults, and the world it needs."""

    script: Step
    before: Step = _nothing
    sites: int = 1
    newest_first: bool = False  # so does the server list its jobs


SCENARIOS: Mapping[str, Scenario] = {
    "create": Scenario(_create),
    "create where marks are known": Scenario(_one_more, _known),
    "create where the method is lost": Scenario(_asked_for_dpo, _at_a_gateway),
    "replace": Scenario(_replace, _create),
    "probe": Scenario(_probed, _create),
    "stop and go": Scenario(_stop_and_go, _create),
    "revert": Scenario(_create, _replaced),
    "remove": Scenario(_remove, _two),
    "restore": Scenario(_two, _removed),
    "chain": Scenario(_chain, _base),
    "subdirectory": Scenario(_subdirectory, _two),
    "end": Scenario(_end, _long_job),
    "two writers at one commit": Scenario(_two_writers, sites=2),
    "two writers at two commits": Scenario(_two_commits, _both_know, sites=2),
    "CI and a daemon a commit behind": Scenario(_daemon_behind, _both_know, sites=2),
    "a daemon at rest": Scenario(_rests, _several, newest_first=True),
    "a daemon at rest beside CI": Scenario(_rests_beside_ci, _several, sites=2, newest_first=True),
    "subdirectory under a daemon": Scenario(_watched_subdirectory, _two),
}


@dataclass(frozen=True)
class Played:
    """What one plan came to; ``effects`` are all that it could have struck."""

    effects: tuple[Effect, ...]
    violations: tuple[tuple[str, str], ...]
    trace: tuple[str, ...] = ()


def play(name: str, faults: Mapping[int, str], *, program: Program = REAL, trace: bool = False) -> Played:
    """One scenario under one plan."""
    scenario = SCENARIOS[name]
    plan = Plan(faults)
    world = SimWorld(plan, settle=30.0, lag=9.5, late=10.0, sites=scenario.sites, program=program, trace=trace)
    try:
        stage = Stage(world)
        world.server.newest_first = scenario.newest_first
        plan.on = False
        scenario.before(stage)
        plan.on = True
        scenario.script(stage)
        plan.on = False
        world.calm()
        world.rest()
        return Played(tuple(plan.effects), tuple(judge(world)), tuple(world.engine.trace or ()))
    finally:
        world.close()
